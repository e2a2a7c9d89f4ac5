//! Dates in queries, which may leave out their end: `2026-01` is a month.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};

/// A span of time that a query's date stands for, from its first to its last millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Moment {
    /// The side of this span on which `at` (milliseconds since the Unix epoch) is; equal inside it.
    pub(crate) fn side(self, at: i64) -> Ordering {
        if at < self.first {
            Ordering::Less
        } else if at > self.last {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    /// Reads RFC 3339, or a beginning of it (`2026`, `2026-01`, `2026-01-31`, `2026-01-31T10:00:00`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            let at = at.timestamp_millis();
            return Some(Self { first: at, last: at });
        }
        if let Ok(second) = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S") {
            return Self::between(second.and_utc(), second.and_utc() + TimeDelta::seconds(1));
        }
        let (day, span) = match text.len() {
            4 => (format!("{text}-01-01"), Months::new(12)),
            7 => (format!("{text}-01"), Months::new(1)),
            10 => (text.to_owned(), Months::new(0)),
            _ => return None,
        };
        let first = NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok()?;
        if !(0..=9999).contains(&first.year()) {
            return None;
        }
        let after = if span == Months::new(0) {
            first.checked_add_days(Days::new(1))?
        } else {
            first.checked_add_months(span)?
        };
        Self::between(
            first.and_time(chrono::NaiveTime::MIN).and_utc(),
            after.and_time(chrono::NaiveTime::MIN).and_utc(),
        )
    }

    fn between(first: DateTime<Utc>, after: DateTime<Utc>) -> Option<Self> {
        Some(Self { first: first.timestamp_millis(), last: after.timestamp_millis() - 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Option<i64> {
        Moment::parse(text).map(|moment| moment.last - moment.first + 1)
    }

    #[test]
    fn a_shorter_date_is_a_longer_span() {
        assert_eq!(span("2026-02-01T10:00:00.123Z"), Some(1));
        assert_eq!(span("2026-02-01T10:00:00"), Some(1_000));
        assert_eq!(span("2026-02-01"), Some(86_400_000));
        assert_eq!(span("2026-02"), Some(28 * 86_400_000));
        assert_eq!(span("2026"), Some(365 * 86_400_000));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "yesterday", "2026-13", "2026-02-30", "１２３４", "-001-01-01"] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
