//! Every request has an id: the caller's own where it is fit to be repeated, else a new one.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use futures_util::FutureExt as _;
use tracing::Instrument as _;

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

/// The id of a request.
pub(crate) fn of(request: &Request) -> Arc<str> {
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_fit(id));
    given.map_or_else(new, Arc::from)
}

/// Has a request with this id answered by `answer`.
pub(crate) fn attach(id: Arc<str>, answer: impl Future<Output = Response>) -> impl Future<Output = Response> {
    let span = tracing::info_span!("request", id = &*id);
    let header = HeaderValue::from_str(&id);
    CURRENT.scope(id, answer.instrument(span)).map(|mut answer| {
        if let Ok(header) = header {
            answer.headers_mut().insert(HEADER, header);
        }
        answer
    })
}

/// Ids go into logs and answers: nothing but what every id generator in use needs.
fn is_fit(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=' | b'+' | b'/' | b':'))
}

fn new() -> Arc<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // Not by `format!`, which takes ten times as long for numbers of this size.
    let mut id = [0; 32];
    for (digits, byte) in id.as_chunks_mut().0.iter_mut().zip(fastrand::u128(..).to_ne_bytes()) {
        *digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
    }
    std::str::from_utf8(&id).unwrap_or_default().into()
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
