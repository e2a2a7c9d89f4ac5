//! GraphQL over HTTP: <https://graphql.github.io/graphql-over-http/draft/>.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::authenticate::insufficient_scope;
use super::envelope::Envelope;
use super::media_type::MediaType;
use super::wishes::Wishes;
use super::{Parts, Settings, Shared, client, parameters, request_id};
use crate::graphql::{self, Deadline, ErrorCode, Failure, Terms};

/// How many bytes of a body that is refused are read, at most: whatever is sent by mistake, and less than would be worth an
/// attacker's while.
const THROWN_AWAY: usize = 20_000_000;

pub(crate) async fn answer(shared: &Shared, request: Request) -> Response {
    let Parts { engine, authenticator, settings, admission, .. } = &**shared;
    let Some(media_type) = MediaType::negotiate(request.headers()) else {
        let message = "Answers are application/graphql-response+json or application/json: `Accept` has to allow one.";
        return Envelope::default().refuse(StatusCode::NOT_ACCEPTABLE, bad(message));
    };
    let envelope = Envelope::new(media_type);
    let wishes = match Wishes::read(request.headers(), settings) {
        Ok(wishes) => wishes,
        Err(failure) => return envelope.refuse(StatusCode::BAD_REQUEST, failure),
    };
    let deadline = Deadline::within(wishes.timeout);
    // Before the body is read: the answer to whoever may not ask does not wait for it.
    let address = client::address(&request, &settings.trusted_proxies);
    let caller = match admission.admit(request.headers(), address, authenticator, deadline).await {
        Ok(caller) => caller,
        Err(denial) => {
            throw_away(request, deadline);
            return denial.reply(envelope);
        }
    };
    match read(request, settings, deadline).await {
        Ok(request) => {
            let request_id = request_id::current();
            let Wishes { is_fresh, explains, .. } = wishes;
            let terms = Terms { caller, deadline, request_id: &request_id, is_fresh, explains };
            let reply = engine.execute(request, &terms).await;
            let challenge = insufficient_scope(reply.lacking, authenticator);
            let mut response = envelope.reply(reply);
            response.headers_mut().extend(challenge.map(|challenge| (header::WWW_AUTHENTICATE, challenge)));
            response
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
            if is_encoded(request.headers()) {
                let message = "The body must not be compressed: send it without `Content-Encoding`.";
                return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, bad(message)));
            }
            let body = read_body(request, settings.max_body_bytes, deadline).await?;
            parameters::from_body(&body).map_err(malformed)
        }
        _ => Err((StatusCode::METHOD_NOT_ALLOWED, bad("Use POST, or GET."))),
    }
}

/// Only `application/json` is taken in: a web page cannot send it to another origin without that origin's consent, as it
/// can plain text and forms.
fn is_json(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(content_type), None) = (lines.next(), lines.next()) else { return false };
    let Ok(content_type) = content_type.to_str() else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

async fn read_body(request: Request, limit: usize, deadline: Deadline) -> Result<Bytes, (StatusCode, Failure)> {
    let too_large = || {
        (StatusCode::PAYLOAD_TOO_LARGE, bad(format!("The body is larger than {limit} bytes: ask for less at once.")))
    };
    let announced = usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        throw_away(request, deadline);
        return Err(too_large());
    }
    let mut body = request.into_body();
    let too_slow = || (StatusCode::REQUEST_TIMEOUT, bad("The body took too long to arrive."));
    match deadline.limit(Limited::new(&mut body, limit).collect()).await.map_err(|_| too_slow())? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            throw_rest_away(body, deadline);
            Err(too_large())
        }
        Err(_) => Err((StatusCode::BAD_REQUEST, bad("The body broke off."))),
    }
}

/// Reads the body of a request that is refused.
fn throw_away(request: Request, deadline: Deadline) {
    // Whoever asks before sending has sent nothing, and reading would ask for it.
    let asks_first = request.headers().contains_key(header::EXPECT);
    if !asks_first && !request.body().is_end_stream() {
        throw_rest_away(request.into_body(), deadline);
    }
}

/// Reads on in a body that is refused, while the answer is on its way: many clients send everything before they read, and
/// would see a broken connection in place of the answer.
fn throw_rest_away(mut body: Body, deadline: Deadline) {
    tokio::spawn(deadline.limit(async move {
        let mut left = THROWN_AWAY;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    }));
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
