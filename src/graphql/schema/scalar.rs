//! The two scalars that GraphQL does not bring.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{SecondsFormat, Utc};

/// The scalar `DateTime`, where the gateway gives one out itself.
#[derive(Clone, Copy)]
pub(crate) struct DateTime(pub(crate) chrono::DateTime<Utc>);

/// A moment in time as RFC 3339 writes it, such as `2026-11-02T08:15:30.123Z`. Auth0's are in UTC, with milliseconds.
#[Scalar(name = "DateTime", specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// The scalar `JSON`. Auth0's JSON is projected; this is here for its definition.
pub(crate) struct Json(Value);

/// Any JSON value: an object, a list, a string, a number, a boolean or null.
#[Scalar(name = "JSON", specified_by_url = "https://datatracker.ietf.org/doc/html/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

/// True if `text` is a date-time by RFC 3339, section 5.6. Written out because a page of users asks four hundred times.
pub(crate) fn is_date_time(text: &[u8]) -> bool {
    let Some((head, mut rest)) = text.split_first_chunk::<19>() else { return false };
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = *head
    else {
        return false;
    };
    let (Some(century), Some(year)) = (number(y1, y2), number(y3, y4)) else { return false };
    let (Some(month), Some(day)) = (number(m1, m2), number(d1, d2)) else { return false };
    let is_day = (1..=days_in(century * 100 + year, month)).contains(&day);
    if !is_day || !is_at_most(23, h1, h2) || !is_at_most(59, n1, n2) || !is_at_most(60, s1, s2) {
        return false;
    }
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    match *rest {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => is_at_most(23, h1, h2) && is_at_most(59, m1, m2),
        _ => false,
    }
}

#[inline]
fn is_at_most(most: u32, tens: u8, ones: u8) -> bool {
    number(tens, ones).is_some_and(|number| number <= most)
}

/// The number of two digits.
#[inline]
fn number(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// 0 for a month that does not exist.
fn days_in(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_times_are_told_from_other_strings() {
        for (text, expected) in [
            ("2026-11-02T08:15:30.123Z", true),
            ("2026-11-02T08:15:30Z", true),
            ("2026-11-02t08:15:30.123456789z", true),
            ("2024-02-29T00:00:00+05:30", true),
            ("2016-12-31T23:59:60Z", true),
            ("2023-02-29T00:00:00Z", false),
            ("2100-02-29T00:00:00Z", false),
            ("2026-13-01T00:00:00Z", false),
            ("2026-00-01T00:00:00Z", false),
            ("2026-11-31T00:00:00Z", false),
            ("2026-11-02T24:00:00Z", false),
            ("2026-11-02T08:15:30", false),
            ("2026-11-02T08:15:30.Z", false),
            ("2026-11-02T08:15:30ZZ", false),
            ("2026-11-02T08:15:30+0530", false),
            ("2026-11-02", false),
            ("1730535330", false),
            ("", false),
            ("２026-11-02T08:15:30Z", false),
        ] {
            assert_eq!(is_date_time(text.as_bytes()), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_agrees_with_chrono(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])") {
            proptest::prop_assert_eq!(is_date_time(text.as_bytes()), chrono::DateTime::parse_from_rfc3339(&text).is_ok(), "{}", text);
        }
    }
}
