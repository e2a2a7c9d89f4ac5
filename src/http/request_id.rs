//! Every request has an id: the caller's own where it is fit to be repeated, else a new one.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use tracing::Instrument as _;

/// Carries the id, in requests and in answers.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over.
const LONGEST: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that this task answers.
pub(crate) fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Has `answer` answer the request under its id.
pub(crate) async fn attach<F: Future<Output = Response>>(
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_fit(id));
    let id = given.map_or_else(new, ToOwned::to_owned);
    let header = HeaderValue::from_str(&id);
    let span = tracing::info_span!("request", id);
    let mut response = CURRENT.scope(id, answer(request).instrument(span)).await;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
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

fn new() -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = fastrand::u128(..);
    // Not by `format!`, which takes ten times as long for numbers of this size.
    std::iter::repeat_with(|| {
        let digit = DIGITS[(rest & 15) as usize];
        rest >>= 4;
        char::from(digit)
    })
    .take(32)
    .collect()
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
