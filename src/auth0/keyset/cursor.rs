//! Cursors: positions as text, for whoever goes on later.
//!
//! They say where a walk is and nothing of what may be read: they grant nothing, and so need no signature. A fingerprint of search and
//! direction holds them to the walk that they come from.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;

use super::super::argument_error::{ArgumentProblem, holds_control};
use super::super::ids::LogId;
use super::KeysetPosition;
use super::logs::LogPosition;
use super::users::{Delivered, UserPosition};

/// The longest cursor that is read: two ids of the longest, and what is around them, in Base64.
const LONGEST: usize = 2_048;

/// The longest id of a user that is read.
const LONGEST_ID: usize = 512;

/// The years from 1 to 9999, in milliseconds.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// The most users of a millisecond that a cursor can count.
const MOST: u32 = 1_000;

/// The fingerprint of what a walk is over.
pub(super) fn fingerprint(parts: &[&str]) -> u64 {
    let mut text = String::new();
    for part in parts {
        // Lengths between them: no two lists of parts come to the same text.
        _ = write!(text, "{}:{part}", part.len());
    }
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Writes a position.
pub(super) fn write(fingerprint: u64, position: &KeysetPosition) -> String {
    let mut text = String::new();
    _ = match position {
        KeysetPosition::Users(UserPosition { until, from, given, span }) => {
            let given = match given {
                Delivered::Nothing => String::new(),
                Delivered::Forward { last, count } => format!("a{count}.{last}"),
                Delivered::Backward { low, last, count } => {
                    format!("b{count}.{}.{low}{}", low.len(), last.as_deref().unwrap_or_default())
                }
            };
            let [until, from, span] =
                [until, from, span].map(|time| time.map(|time| time.to_string()).unwrap_or_default());
            write!(text, "u1.{fingerprint:016x}.{until}.{from}.{span}.{given}")
        }
        KeysetPosition::Logs(LogPosition(last)) => {
            write!(text, "l1.{fingerprint:016x}.{}", last.as_ref().map(LogId::as_str).unwrap_or_default())
        }
    };
    BASE64URL_NOPAD.encode(text.as_bytes())
}

/// Reads a position, to the end and in the one form that is written.
pub(super) fn read(fingerprint: u64, cursor: &str) -> Result<KeysetPosition, ArgumentProblem> {
    if cursor.len() > LONGEST {
        return Err(ArgumentProblem::UnknownCursor);
    }
    let text = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok().and_then(|text| String::from_utf8(text).ok());
    let text = text.ok_or(ArgumentProblem::UnknownCursor)?;
    let (kind, rest) = text.split_once('.').ok_or(ArgumentProblem::UnknownCursor)?;
    let (hash, rest) = rest.split_once('.').ok_or(ArgumentProblem::UnknownCursor)?;
    let position = match kind {
        "u1" => users(rest).map(KeysetPosition::Users),
        "l1" => logs(rest).map(KeysetPosition::Logs),
        _ => None,
    };
    let position = position.ok_or(ArgumentProblem::UnknownCursor)?;
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match u64::from_str_radix(hash, 16) {
        Ok(of) if is_hash && of == fingerprint => Ok(position),
        Ok(_) if is_hash => Err(ArgumentProblem::ForeignCursor),
        _ => Err(ArgumentProblem::UnknownCursor),
    }
}

fn users(text: &str) -> Option<UserPosition> {
    let mut parts = text.splitn(4, '.');
    let mut time = || {
        let text = parts.next()?;
        if text.is_empty() { Some(None) } else { number(text).map(Some) }
    };
    let (until, from, span) = (time()?, time()?, time()?);
    let is_time = |time: Option<i64>| time.is_none_or(|time| TIMES.contains(&time));
    // Some times are negated.
    let is_valid = is_time(until) && (is_time(from) || is_time(from.map(i64::saturating_neg)));
    let given = parts.next()?;
    let given = match given.split_at_checked(1) {
        None => Delivered::Nothing,
        Some(("a", given)) => {
            let (count, last) = given.split_once('.')?;
            Delivered::Forward { last: id(last)?, count: counted(count)? }
        }
        Some(("b", given)) => {
            let (count, given) = given.split_once('.')?;
            let (len, ids) = given.split_once('.')?;
            let (low, last) = ids.split_at_checked(usize::try_from(number(len)?).ok()?)?;
            let last = if last.is_empty() { None } else { Some(id(last)?) };
            Delivered::Backward { low: id(low)?, last, count: counted(count)? }
        }
        Some(_) => return None,
    };
    let is_valid = is_valid && span.is_none_or(|span| (0..=*TIMES.end()).contains(&span));
    let is_valid = is_valid && (from.is_some() || given == Delivered::Nothing);
    is_valid.then_some(UserPosition { until, from, given, span })
}

fn logs(text: &str) -> Option<LogPosition> {
    // It stands in the search as it is.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match text {
        "" => Some(LogPosition(None)),
        id if is_plain => LogId::parse(id).ok().map(|id| LogPosition(Some(id))),
        _ => None,
    }
}

fn number(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn counted(text: &str) -> Option<u32> {
    u32::try_from(number(text)?).ok().filter(|count| *count <= MOST)
}

fn id(text: &str) -> Option<Box<str>> {
    (!text.is_empty() && text.len() <= LONGEST_ID && !holds_control(text)).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = KeysetPosition> {
        let id = || "[a-z0-9|.:é ]{1,20}".prop_map(|id: String| id.into_boxed_str());
        let given = prop_oneof![
            Just(Delivered::Nothing),
            (id(), 0..=MOST).prop_map(|(last, count)| Delivered::Forward { last, count }),
            (id(), prop::option::of(id()), 0..=MOST).prop_map(|(low, last, count)| Delivered::Backward {
                low,
                last,
                count
            }),
        ];
        let time = || prop::option::of(TIMES);
        let users = (time(), TIMES, given, prop::option::of(0..=*TIMES.end()))
            .prop_map(|(until, from, given, span)| UserPosition { until, from: Some(from), given, span });
        let logs = prop::option::of("[0-9]{56}").prop_map(|id| LogPosition(id.and_then(|id| LogId::parse(&id).ok())));
        prop_oneof![
            users.prop_map(KeysetPosition::Users),
            Just(KeysetPosition::Users(UserPosition::START)),
            logs.prop_map(KeysetPosition::Logs)
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(position in position(), fingerprint: u64, other: u64) {
            let cursor = write(fingerprint, &position);
            prop_assert!(cursor.len() <= LONGEST);
            prop_assert_eq!(read(fingerprint, &cursor), Ok(position));
            prop_assert!(other == fingerprint || read(other, &cursor) == Err(ArgumentProblem::ForeignCursor));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(text in "[ul]1\\.[0-9a-f]{16}\\.[-+0-9ab.|]{0,40}") {
            let cursor = BASE64URL_NOPAD.encode(text.as_bytes());
            let hash = u64::from_str_radix(&text[3..19], 16).unwrap();
            if let Ok(position) = read(hash, &cursor) {
                prop_assert_eq!(write(hash, &position), cursor);
            }
        }

        #[test]
        fn anything_else_is_refused(text in ".{0,60}") {
            prop_assert!(read(0, &text).is_err());
        }
    }

    #[test]
    fn a_log_s_id_is_no_way_into_the_search() {
        for id in ["1] OR [1", "*", "1 TO 2", "\"", "é"] {
            let cursor = BASE64URL_NOPAD.encode(format!("l1.{:016x}.{id}", 0).as_bytes());
            assert_eq!(read(0, &cursor), Err(ArgumentProblem::UnknownCursor), "{id}");
        }
    }

    #[test]
    fn no_two_searches_have_one_fingerprint() {
        assert_ne!(fingerprint(&["a", "b"]), fingerprint(&["ab", ""]));
        assert_ne!(fingerprint(&["1:a", ""]), fingerprint(&["1", "a"]));
        assert_eq!(fingerprint(&["a", "b"]), fingerprint(&["a", "b"]));
    }
}
