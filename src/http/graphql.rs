//! GraphQL over HTTP: <https://graphql.github.io/graphql-over-http/draft/>.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::authenticate::insufficient_scope;
use super::error::HttpError;
use super::event_stream::{self, Subscriber};
use super::media_type::MediaType;
use super::peer::{self, ConnectionInfo};
use super::rate_limit::RateLimitKey;
use super::request_options::RequestOptions;
use super::responder::Responder;
use super::state::{ServerState, StateParts};
use super::{body, parameters, request_id, websocket};
use crate::deadline::Deadline;
use crate::graphql::{self, EngineResponse, GraphqlError, OperationKind, RequestContext};
use crate::telemetry::timed;

/// Answers GraphQL, over HTTP or over a WebSocket.
pub(crate) async fn handle(State(state): State<ServerState>, request: Request) -> Response {
    if websocket::is_asked_for(&request) {
        return websocket::open(state, request).await;
    }
    let media_type = MediaType::negotiate(request.headers());
    let takes_events = event_stream::is_accepted(request.headers());
    if media_type.is_none() && !takes_events {
        let message = "Answers are application/graphql-response+json, application/json or text/event-stream: `Accept` has to allow one.";
        return Responder::default().refuse(HttpError::bad(StatusCode::NOT_ACCEPTABLE, message));
    }
    let responder = Responder::new(media_type.unwrap_or_default());
    let accepted = AcceptedForms { responder, json: media_type.is_some(), events: takes_events };
    match RequestOptions::read(request.headers(), state.settings.request_timeout, state.settings.explains) {
        Ok(options) => execute(&state, request, options, accepted).await,
        Err(error) => responder.refuse(error.into()),
    }
}

/// The forms of an answer that a client takes. A single answer is no stream where that can be helped: some clients name all media
/// types that they know in every request.
#[derive(Clone, Copy)]
struct AcceptedForms {
    responder: Responder,
    json: bool,
    events: bool,
}

async fn execute(state: &ServerState, request: Request, options: RequestOptions, accepted: AcceptedForms) -> Response {
    let responder = accepted.responder;
    let StateParts { engine, metrics, settings, admission, .. } = &**state;
    let RequestOptions { timeout, bypass_cache, explain } = options;
    let deadline = Deadline::within(timeout);
    // Before the body is read: a refusal does not wait for it.
    let address = peer::client_of(&request, &settings.trusted_proxies);
    let caller = match admission.admit(request.headers(), address, deadline).await {
        Ok(caller) => caller,
        Err(refusal) => {
            body::discard(request, deadline);
            return responder.refuse(refusal);
        }
    };
    let caller_key = RateLimitKey::of(Some(&caller), address);
    let subscriber = accepted.events.then(|| Subscriber::of(&request, &caller, caller_key));
    let request = match read(request, state, address, deadline).await {
        Ok(request) => request,
        Err(refusal) => return responder.refuse(refusal),
    };
    // After the body, so that nobody holds one by sending none. Held until the answer is made, or its client is gone.
    let _permit = match admission.permit() {
        Ok(permit) => permit,
        Err(refusal) => return responder.refuse(refusal),
    };
    let request_id = request_id::current();
    let resume_after = subscriber.as_ref().and_then(|subscriber| subscriber.last_event_id.as_deref());
    let context = RequestContext { caller, deadline, request_id: &request_id, bypass_cache, explain, resume_after };
    let (execution, times) = {
        let execution = pin!(async {
            match &subscriber {
                Some(_) => engine.execute_or_subscribe(request, &context).await,
                None => EngineResponse::Reply(engine.execute(request, &context).await),
            }
        });
        timed(execution).await
    };
    let reply = match (execution, subscriber) {
        (EngineResponse::Stream(mut stream), Some(subscriber)) => {
            metrics.server().operation("sse", OperationKind::Subscription.name(), None, times);
            return match state.subscriptions.permit(caller_key) {
                Ok(permit) => event_stream::of_subscription(stream, subscriber, state, permit),
                Err(refusal) => {
                    // For the audit trail, which has its beginning.
                    drop(stream.end((*refusal.error).clone()));
                    responder.refuse(refusal)
                }
            };
        }
        (EngineResponse::Stream(mut stream), None) => stream.end(GraphqlError::internal()),
        (EngineResponse::Reply(reply), _) => reply,
    };
    metrics.server().operation("http", reply.kind.name(), reply.first_code(), times);
    if !accepted.json {
        return event_stream::of_one(&reply);
    }
    let challenge = insufficient_scope(reply.lacking, admission.authenticator());
    let mut response = responder.reply(reply);
    response.headers_mut().extend(challenge.map(|challenge| (header::WWW_AUTHENTICATE, challenge)));
    response.extensions_mut().insert(caller_key);
    response
}

async fn read(
    request: Request,
    state: &ServerState,
    address: IpAddr,
    deadline: Deadline,
) -> Result<graphql::GraphqlRequest, HttpError> {
    match *request.method() {
        Method::GET => Ok(parameters::from_query_string(request.uri().query().unwrap_or_default())?),
        Method::POST => {
            if !is_json(request.headers()) {
                let message = "The body has to be application/json, in UTF-8.";
                return Err(HttpError::bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            }
            if is_encoded(request.headers()) {
                let message = "The body must not be compressed: send it without `Content-Encoding`.";
                return Err(HttpError::bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
            }
            let connection = request.extensions().get::<Arc<ConnectionInfo>>().cloned();
            let activity = connection.as_ref().map(|connection| connection.activity());
            let body =
                body::read(request, &state.bodies, address, activity, state.settings.max_body_bytes, deadline).await?;
            Ok(parameters::from_body(&body)?)
        }
        _ => {
            let refusal = HttpError::bad(StatusCode::METHOD_NOT_ALLOWED, "Use POST, or GET.");
            Err(refusal.with(header::ALLOW, HeaderValue::from_static("GET, POST")))
        }
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
