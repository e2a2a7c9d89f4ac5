//! Request ids: the caller's own where it is fit to be repeated, else a new one.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use tracing::Instrument as _;
use uuid::Uuid;

/// The header of the id, in requests and in responses.
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

/// The id of a request with these headers.
pub(crate) fn of(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_fit(id));
    given.map_or_else(new, Arc::from)
}

/// Makes `id` the current one of `answering`, and of its log lines.
pub(crate) fn scope<F: Future>(id: &Arc<str>, answering: F) -> impl Future<Output = F::Output> {
    let span = tracing::info_span!("request", id = &**id);
    CURRENT.scope(Arc::clone(id), answering.instrument(span))
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
