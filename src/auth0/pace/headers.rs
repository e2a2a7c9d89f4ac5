//! The rate-limit headers of one answer. Whatever makes no sense is as good as absent.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, HeaderName};

static LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// No documented bucket takes more than some seconds to fill. A `reset` further away than this is
/// taken for a mistake: believed, it would stop all calls until then.
const LONGEST_FILL: u64 = 120;

/// Rate-limit headers of an answer: the state of the bucket that its call was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateLimitHeaders {
    /// The bucket's size; at least 1.
    pub(super) limit: u32,
    /// The whole calls left after this one; fewer than `limit`, for this one was taken.
    pub(super) remaining: u32,
    /// The bucket is full no later than this after the answer was written, if nobody calls.
    ///
    /// Auth0's documentation says that `reset` is when more calls are allowed. On recorded answers
    /// it was always the second by which the bucket is *full*, rounded up, so up to two seconds
    /// late by the whole seconds of `Date`. It may equal the current second when a burst ends
    /// (auth0/go-auth0#501), which says nothing.
    pub(super) full_within: Option<Duration>,
}

impl RateLimitHeaders {
    /// `None` if there is no limit and remaining, or none to believe.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let limit = number::<u32>(headers, &LIMIT)?;
        let remaining = number::<u32>(headers, &REMAINING)?;
        if remaining > limit || limit == 0 {
            return None;
        }
        // Full after a call? The call was not counted here, which cannot be relied upon.
        let remaining = remaining.min(limit - 1);
        Some(Self { limit, remaining, full_within: full_within(headers) })
    }
}

/// Time until the bucket is full, by the two clocks of the same answer, which is one clock. Without `Date` there is nothing to
/// compare with: our own clock may be off by more than the seconds that matter here.
fn full_within(headers: &HeaderMap) -> Option<Duration> {
    let reset = number::<i64>(headers, &RESET)?;
    let date = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    let seconds = u64::try_from(reset.checked_sub(date.timestamp())?).ok()?;
    (1..=LONGEST_FILL).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &HeaderName) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn read(values: &[(&HeaderName, &str)]) -> Option<RateLimitHeaders> {
        let named = |&(name, value): &(&HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
        RateLimitHeaders::from_headers(&values.iter().map(named).collect())
    }

    fn at(reset: &str, date: &str) -> Option<u64> {
        let headers = [(&LIMIT, "10"), (&REMAINING, "3"), (&RESET, reset), (&DATE, date)];
        read(&headers).unwrap().full_within.map(|time| time.as_secs())
    }

    #[test]
    fn the_time_until_full_is_counted_from_the_answers_own_date() {
        let date = "Fri, 15 Jan 2027 08:00:00 GMT";
        assert_eq!(at("1800000004", date), Some(4));
        assert_eq!(at("1800000120", date), Some(120));
    }

    #[test]
    fn a_reset_that_makes_no_sense_is_no_reset() {
        let date = "Fri, 15 Jan 2027 08:00:00 GMT";
        for reset in ["1800000000", "1799999999", "1800000121", "-1", "", "soon", "-9223372036854775808", "1e9"] {
            assert_eq!(at(reset, date), None, "{reset}");
        }
        for date in ["", "yesterday", "Fri, 99 Jan 2027 08:00:00 GMT", "1800000000"] {
            assert_eq!(at("1800000004", date), None, "{date}");
        }
    }

    #[test]
    fn a_limit_that_makes_no_sense_is_no_reading() {
        for (limit, remaining) in [
            ("0", "0"),
            ("2", "3"),
            ("-2", "1"),
            ("2", "-1"),
            ("2", ""),
            ("two", "1"),
            ("4294967296", "1"),
            ("2.5", "1"),
        ] {
            assert_eq!(read(&[(&LIMIT, limit), (&REMAINING, remaining)]), None, "{limit} {remaining}");
        }
        assert_eq!(read(&[(&LIMIT, "2")]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn the_call_itself_is_always_counted() {
        let reading = read(&[(&LIMIT, "2"), (&REMAINING, "2")]);
        assert_eq!(reading, Some(RateLimitHeaders { limit: 2, remaining: 1, full_within: None }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(limit: Vec<u8>, remaining: Vec<u8>, reset: i64, date: i64) {
            let mut headers = HeaderMap::new();
            for (name, bytes) in [(&LIMIT, limit), (&REMAINING, remaining)] {
                if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                    headers.insert(name, value);
                }
            }
            headers.insert(&RESET, HeaderValue::from(reset));
            headers.insert(DATE, HeaderValue::from(date));
            if let Some(reading) = RateLimitHeaders::from_headers(&headers) {
                prop_assert!(reading.remaining < reading.limit);
            }
        }
    }
}
