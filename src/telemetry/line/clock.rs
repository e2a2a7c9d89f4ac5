//! The time that a line begins with.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;

thread_local! {
    /// The second that was written last, and how it is written.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Writes the time as RFC 3339 has it, to the microsecond.
pub(super) fn write_now(line: &mut String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_secs() {
            let date = i64::try_from(now.as_secs()).ok().and_then(|second| DateTime::from_timestamp(second, 0));
            *text = date.unwrap_or_default().format("%Y-%m-%dT%H:%M:%S.").to_string();
            *second = now.as_secs();
        }
        line.push_str(text);
    });
    // Strings take everything.
    let _ = write!(line, "{:06}Z", now.subsec_micros());
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    #[test]
    fn it_is_now() {
        for _ in 0..2 {
            let before = Utc::now().timestamp_micros();
            let mut text = String::new();
            write_now(&mut text);
            let after = Utc::now().timestamp_micros();
            let written = DateTime::parse_from_rfc3339(&text).unwrap().timestamp_micros();
            assert!((before..=after).contains(&written), "{text}");
            assert_eq!(text.len(), "2026-11-24T12:00:00.000000Z".len(), "{text}");
        }
    }
}
