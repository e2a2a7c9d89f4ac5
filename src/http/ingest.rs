//! Logs that Auth0 pushes, by a custom log stream: <https://auth0.com/docs/customize/log-streams/custom-log-streams>.
//!
//! A push is answered as soon as it is taken in, and with 2xx only then: Auth0 tries one that failed three times, and drops it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body;
use super::error::HttpError;
use super::peer::{self, ConnectionInfo};
use super::responder::Responder;
use super::state::ServerState;
use crate::deadline::Deadline;
use crate::graphql::{ErrorCode, GraphqlError, PushError};

/// The path that logs are pushed to.
pub(super) const PATH: &str = "/ingest/auth0-logs";

/// Greatest size of a push, in bytes. A log has a kilobyte or two, and Auth0 pushes some dozens at once.
const LARGEST_PUSH: usize = 4 << 20;

/// Media types of JSON, and of JSON one a line, which has none that is registered. None of them is sent by a form of a web page.
const MEDIA_TYPES: [&str; 7] = [
    "application/json",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
];

/// Sent by browsers with what a page asks for: <https://www.w3.org/TR/fetch-metadata/>.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Takes in logs.
pub(super) async fn handle(State(state): State<ServerState>, request: Request) -> Response {
    let responder = Responder::of(request.headers());
    match take_in(&state, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => responder.refuse(refusal),
    }
}

async fn take_in(state: &ServerState, request: Request) -> Result<(), HttpError> {
    let deadline = Deadline::within(state.settings.request_timeout);
    // Before the body is read: a stranger has nothing of it kept.
    if let Some(refusal) = refusal(state, request.headers()) {
        body::discard(request, deadline);
        return Err(refusal);
    }
    let busy = |_| HttpError::busy("pushes", "Too many logs are pushed at once. Try again after `retryAfterMs`.");
    let _permit = state.pushes.try_acquire().map_err(busy)?;
    let address = peer::client_of(&request, &state.settings.trusted_proxies);
    let connection = request.extensions().get::<Arc<ConnectionInfo>>().cloned();
    let activity = connection.as_ref().map(|connection| connection.activity());
    let body = body::read(request, &state.bodies, address, activity, LARGEST_PUSH, deadline).await?;
    state.engine.push_logs(&body).await.map_err(|error| match error {
        PushError::Malformed | PushError::Ahead => HttpError::bad(StatusCode::BAD_REQUEST, error.to_string()),
        PushError::Full => HttpError::busy("pushes", &error.to_string()),
    })
}

fn refusal(state: &ServerState, headers: &HeaderMap) -> Option<HttpError> {
    // Whatever the page, and whatever it knows.
    if headers.contains_key(header::ORIGIN) || headers.contains_key(SITE) {
        let error = GraphqlError::new(ErrorCode::Forbidden, "A page sent this. Logs are pushed by Auth0.");
        return Some(HttpError::new(StatusCode::FORBIDDEN, error));
    }
    if !state.settings.ingest_token.as_ref().is_some_and(|token| token.is_shown(headers)) {
        let message = "The token of INGEST_TOKEN is needed, in `Authorization: Bearer …`.";
        let error = GraphqlError::new(ErrorCode::Unauthenticated, message);
        let challenge = HeaderValue::from_static("Bearer");
        return Some(HttpError::new(StatusCode::UNAUTHORIZED, error).with(header::WWW_AUTHENTICATE, challenge));
    }
    if !is_json(headers) || headers.contains_key(header::CONTENT_ENCODING) {
        let message = "The body has to be application/json or application/x-ndjson, and not compressed.";
        return Some(HttpError::bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    None
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    MEDIA_TYPES.iter().any(|known| known.eq_ignore_ascii_case(essence))
}
