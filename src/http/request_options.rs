//! Options of a request, in its headers.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};

use crate::graphql::{ErrorCode, Explain, GraphqlError};

/// The header of a shorter time limit than the gateway's own: `1500ms`, `2s`, or seconds.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");

/// The header that asks, with `run`, for `extensions.upstream`: the calls that the operation took; and with `plan` for
/// `extensions.plan`: the calls that it would take at the most. Then nothing runs.
pub(crate) const EXPLAIN: HeaderName = HeaderName::from_static("x-explain");

/// Options of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestOptions {
    /// Time for the response.
    pub(crate) timeout: Duration,
    /// True if only answers from after the request will do (`Cache-Control: no-cache`).
    pub(crate) bypass_cache: bool,
    /// The explanation that is asked for.
    pub(crate) explain: Explain,
}

impl RequestOptions {
    /// Reads the options; `longest` is the gateway's own time limit, and `explains` is true if it tells calls unasked.
    pub(crate) fn read(headers: &HeaderMap, longest: Duration, explains: bool) -> Result<Self, GraphqlError> {
        let timeout = match headers.get(TIMEOUT) {
            None => longest,
            Some(value) => {
                value.to_str().ok().and_then(duration).map(|timeout| timeout.min(longest)).ok_or_else(|| {
                    let message = format!("`{TIMEOUT}` has to be a time above zero, such as 1500ms or 2s.");
                    GraphqlError::new(ErrorCode::BadRequest, message)
                })?
            }
        };
        let directives = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        let bypass_cache = directives.flat_map(|value| value.split(',')).any(|directive| {
            let directive = directive.trim();
            directive.eq_ignore_ascii_case("no-cache") || directive.eq_ignore_ascii_case("no-store")
        });
        let asked = headers.get(EXPLAIN).map(|value| value.as_bytes().to_ascii_lowercase());
        let explain = match asked.as_deref() {
            Some(b"plan") => Explain::Plan,
            Some(b"run") => Explain::Run,
            _ if explains => Explain::Run,
            _ => Explain::Nothing,
        };
        Ok(Self { timeout, bypass_cache, explain })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let time = match text.strip_suffix("ms") {
        Some(milliseconds) => Duration::from_millis(milliseconds.parse().ok()?),
        None => Duration::from_secs(text.strip_suffix('s').unwrap_or(text).parse().ok()?),
    };
    (!time.is_zero()).then_some(time)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(10);

    fn read(name: HeaderName, value: &'static str) -> Result<RequestOptions, GraphqlError> {
        RequestOptions::read(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]), LONGEST, false)
    }

    #[test]
    fn less_time_can_be_asked_for_and_never_more() {
        for (value, expected) in [
            ("1500ms", Some(1500)),
            ("2s", Some(2000)),
            ("3", Some(3000)),
            ("11s", Some(10_000)),
            ("99999999999999999999s", None),
            ("0", None),
            ("-1s", None),
            ("1.5s", None),
            ("soon", None),
            ("", None),
        ] {
            let timeout = read(TIMEOUT, value).ok().map(|options| options.timeout.as_millis());
            assert_eq!(timeout, expected, "{value}");
        }
        let none = RequestOptions::read(&HeaderMap::new(), LONGEST, false).unwrap();
        assert_eq!(
            none,
            RequestOptions { timeout: Duration::from_secs(10), bypass_cache: false, explain: Explain::Nothing }
        );
    }

    #[test]
    fn a_fresh_answer_can_be_asked_for() {
        for (value, expected) in
            [("no-cache", true), ("max-age=0, No-Cache", true), ("no-store", true), ("max-age=0", false)]
        {
            assert_eq!(read(header::CACHE_CONTROL, value).unwrap().bypass_cache, expected, "{value}");
        }
        for (value, expected) in [("run", Explain::Run), ("Plan", Explain::Plan), ("no", Explain::Nothing)] {
            assert_eq!(read(EXPLAIN, value).unwrap().explain, expected, "{value}");
        }
        assert_eq!(RequestOptions::read(&HeaderMap::new(), LONGEST, true).unwrap().explain, Explain::Run);
    }
}
