//! GraphQL over HTTP: <https://graphql.github.io/graphql-over-http/draft/>.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::authenticate::authenticate;
use super::envelope::Envelope;
use super::media_type::MediaType;
use super::{Settings, Shared, parameters, request_id};
use crate::graphql::{self, Deadline, ErrorCode, Failure, Terms};

pub(crate) async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let Shared { engine, authenticator, settings } = shared;
    let deadline = Deadline::within(settings.request_timeout);
    let Some(media_type) = MediaType::negotiate(request.headers()) else {
        let message = "Answers are application/graphql-response+json or application/json: `Accept` has to allow one.";
        return Envelope::default().refuse(StatusCode::NOT_ACCEPTABLE, bad(message));
    };
    let envelope = Envelope::new(media_type);
    // Before the body is read: whoever may not ask costs no more than headers.
    let caller = match authenticate(request.headers(), &authenticator, deadline).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal.reply(envelope),
    };
    match read(request, &settings, deadline).await {
        Ok(request) => {
            let request_id = request_id::current();
            let terms = Terms { caller, deadline, request_id: &request_id };
            envelope.reply(engine.execute(request, &terms).await)
        }
        Err((status, failure)) => {
            let mut response = envelope.refuse(status, failure);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
            }
            response
        }
    }
}

async fn read(
    request: Request,
    settings: &Settings,
    deadline: Deadline,
) -> Result<graphql::Request, (StatusCode, Failure)> {
    let malformed = |failure| (StatusCode::BAD_REQUEST, failure);
    match *request.method() {
        Method::GET => parameters::from_query_string(request.uri().query().unwrap_or_default()).map_err(malformed),
        Method::POST => {
            if !is_json(request.headers()) {
                let message = "The body has to be application/json, in UTF-8.";
                return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, bad(message)));
            }
            let body = read_body(request.into_body(), settings.max_body_bytes, deadline).await?;
            parameters::from_body(&body).map_err(malformed)
        }
        _ => Err((StatusCode::METHOD_NOT_ALLOWED, bad("Use POST, or GET."))),
    }
}

/// Only `application/json` is taken in: a web page cannot send it to another origin without that origin's consent, as it
/// can plain text and forms.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    parts.next().is_some_and(|essence| essence == "application/json")
        && parts.all(|parameter| match parameter.split_once('=') {
            Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
            _ => true,
        })
}

async fn read_body(body: Body, limit: usize, deadline: Deadline) -> Result<bytes::Bytes, (StatusCode, Failure)> {
    let read = Limited::new(body, limit).collect();
    let too_slow = || (StatusCode::REQUEST_TIMEOUT, bad("The body took too long to arrive."));
    let read = deadline.limit(read).await.map_err(|_| too_slow())?;
    read.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            let message = format!("The body is larger than {limit} bytes.");
            (StatusCode::PAYLOAD_TOO_LARGE, bad(message))
        } else {
            (StatusCode::BAD_REQUEST, bad("The body broke off."))
        }
    })
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf8_is_taken_in() {
        for (content_type, expected) in [
            (Some("application/json"), true),
            (Some("Application/JSON; charset=UTF-8"), true),
            (Some("application/json;charset=\"utf-8\""), true),
            (Some("application/json; charset=utf-16"), false),
            (Some("text/plain"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("multipart/form-data; boundary=x"), false),
            (Some("application/graphql"), false),
            (Some("application/jsonp"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            assert_eq!(is_json(&headers), expected, "{content_type:?}");
        }
    }
}
