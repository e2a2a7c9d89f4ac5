//! Every request has an id: the caller's own where it is fit to be repeated, else a new one.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use uuid::Uuid;

/// Carries the id, in requests and in answers.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over.
const LONGEST: usize = 64;

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// The id of the request that this task answers.
pub(crate) fn current() -> Arc<str> {
    CURRENT.try_with(Arc::clone).unwrap_or_default()
}

/// Gives every request an id, and its answer and its log lines as well.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_fit(id));
    let id = given.map_or_else(new, Arc::from);
    let span = tracing::info_span!("request", id = &*id);
    let mut response = CURRENT.scope(Arc::clone(&id), next.run(request).instrument(span)).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, id);
    }
    response
}

/// Ids go into logs and answers: nothing but what every id generator in use needs.
fn is_fit(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=' | b'+' | b'/' | b':'))
}

fn new() -> Arc<str> {
    Arc::from(&*Uuid::from_u128(fastrand::u128(..)).as_simple().encode_lower(&mut Uuid::encode_buffer()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_forge_a_log_line_are_not_taken_over() {
        for (id, expected) in [
            ("7f2c", true),
            ("Root=1-67891233-abcdef012345678912345678", true),
            ("", false),
            ("two words", false),
            ("a\"b", false),
            ("{}", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(is_fit(id), expected, "{id}");
        }
        assert!(is_fit(&new()));
    }
}
