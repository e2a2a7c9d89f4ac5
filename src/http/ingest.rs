//! Logs that Auth0 pushes, by a custom log stream: <https://auth0.com/docs/customize/log-streams/custom-log-streams>.
//!
//! A push is answered as soon as it is taken in, and with 2xx only then: Auth0 tries one that failed three times, and drops it.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::authenticate::bearer;
use super::connection_info::{self, ConnectionInfo};
use super::error::HttpError;
use super::responder::Responder;
use super::{Shared, body};
use crate::graphql::{Deadline, ErrorCode, GraphqlError, PushError};

/// The path that logs are pushed to.
pub(super) const PATH: &str = "/ingest/auth0-logs";

/// Greatest size of a push, in bytes. A log has a kilobyte or two, and Auth0 pushes some dozens at once.
const LARGEST_PUSH: usize = 4 << 20;

/// Most pushes that are read at once.
const MOST_PUSHES: usize = 8;

/// Fewest characters of a token: 20 of a random one in hexadecimal are 80 bits.
const SHORTEST_TOKEN: usize = 20;

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

/// The token that Auth0 shows when it pushes logs. Only its hash is kept. Clones are replaced together.
#[derive(Clone)]
pub struct IngestToken(Arc<ArcSwap<[u8; SHA256_OUTPUT_LEN]>>);

/// A text is no [`IngestToken`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have {SHORTEST_TOKEN} characters or more, ASCII without spaces; this makes one: openssl rand -hex 32")]
pub struct IngestTokenError;

impl IngestToken {
    /// Takes a token.
    ///
    /// # Errors
    ///
    /// One that could be guessed, or that a header cannot hold. It is not repeated.
    pub fn parse(text: &str) -> Result<Self, IngestTokenError> {
        let is_token = text.len() >= SHORTEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token { Ok(Self(Arc::new(ArcSwap::from_pointee(hash(text))))) } else { Err(IngestTokenError) }
    }

    /// Takes what `other` has now, for this and all its clones.
    pub(crate) fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// True if the credentials in these headers are this token, in a time that does not depend on it.
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(authorization), None) = (authorizations.next(), authorizations.next()) else { return false };
        bearer(authorization).is_some_and(|token| verify_slices_are_equal(&**self.0.load(), &hash(token)).is_ok())
    }
}

impl fmt::Debug for IngestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IngestToken")
    }
}

fn hash(token: &str) -> [u8; SHA256_OUTPUT_LEN] {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

/// Pushes that are read.
pub(super) struct Pushes(Semaphore);

impl Default for Pushes {
    fn default() -> Self {
        Self(Semaphore::new(MOST_PUSHES))
    }
}

/// Takes in logs.
pub(super) async fn handle(State(shared): State<Shared>, request: Request) -> Response {
    let responder = Responder::of(request.headers());
    match take_in(&shared, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => responder.refuse(refusal),
    }
}

async fn take_in(shared: &Shared, request: Request) -> Result<(), HttpError> {
    let deadline = Deadline::within(shared.settings.request_timeout);
    // Before the body is read: a stranger has nothing of it kept.
    if let Some(refusal) = refusal(shared, request.headers()) {
        body::discard(request, deadline);
        return Err(refusal);
    }
    let busy = |_| HttpError::busy("pushes", "Too many logs are pushed at once. Try again after `retryAfterMs`.");
    let _permit = shared.pushes.0.try_acquire().map_err(busy)?;
    let address = connection_info::client_of(&request, &shared.settings.trusted_proxies);
    let connection = request.extensions().get::<Arc<ConnectionInfo>>().cloned();
    let activity = connection.as_ref().map(|connection| connection.activity());
    let body = body::read(request, shared, address, activity, LARGEST_PUSH, deadline).await?;
    shared.engine.push_logs(&body).map_err(|error| match error {
        PushError::Malformed => HttpError::bad(StatusCode::BAD_REQUEST, error.to_string()),
        PushError::Full => HttpError::busy("pushes", &error.to_string()),
    })
}

fn refusal(shared: &Shared, headers: &HeaderMap) -> Option<HttpError> {
    // Whatever the page, and whatever it knows.
    if headers.contains_key(header::ORIGIN) || headers.contains_key(SITE) {
        let error = GraphqlError::new(ErrorCode::Forbidden, "A page sent this. Logs are pushed by Auth0.");
        return Some(HttpError::new(StatusCode::FORBIDDEN, error));
    }
    if !shared.settings.ingest_token.as_ref().is_some_and(|token| token.is_shown(headers)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a token of 20 letters";

    fn is_shown(token: &IngestToken, lines: &[String]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(line).unwrap());
        }
        token.is_shown(&headers)
    }

    #[test]
    fn the_token_is_shown_once_and_whole() {
        let token = TOKEN.replace(' ', "-");
        let own = IngestToken::parse(&token).unwrap();
        for (authorization, expected) in [
            (&[format!("Bearer {token}")][..], true),
            (&[format!("bearer {token}")], true),
            (&[format!("Bearer {token}x")], false),
            (&[format!("Bearer {}", &token[1..])], false),
            (&[token.clone()], false),
            (&["Bearer".to_owned()], false),
            (&[format!("Bearer {token}"), format!("Bearer {token}")], false),
            (&[], false),
        ] {
            assert_eq!(is_shown(&own, authorization), expected, "{authorization:?}");
        }
        let (clone, next) = (own.clone(), IngestToken::parse(&token.repeat(2)).unwrap());
        own.replace(&next);
        assert!(!is_shown(&clone, &[format!("Bearer {token}")]));
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused() {
        for text in ["", "short", TOKEN, "é-token-of-20-letters"] {
            assert!(IngestToken::parse(text).is_err(), "{text}");
        }
    }
}
