//! Identifiers of single records, as a caller gives them: user ids, log ids and e-mail addresses.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::argument_error::{ArgumentError, ArgumentProblem, check_text};

/// Far above any id that Auth0 gives out, far below what makes a URL too long.
const LONGEST_ID: usize = 512;

/// An address has at most 64 octets, an `@` and 255 octets (RFC 5321, section 4.5.3.1).
const LONGEST_EMAIL: usize = 320;

/// A user's id, such as `auth0|64b1f0c2a7d9e83f5c6b1a20`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserId(Box<str>);

impl UserId {
    /// Takes an id as it is; nothing is trimmed.
    ///
    /// # Errors
    ///
    /// An id that is empty, `.`, `..`, longer than 512 bytes, or holds a control character is refused (argument `id`).
    pub fn parse(text: &str) -> Result<Self, ArgumentError> {
        Self::parse_argument("id", text)
    }

    pub(crate) fn parse_argument(argument: &'static str, text: &str) -> Result<Self, ArgumentError> {
        path_segment(argument, text).map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A log's id: 56 digits that grow with time, or an older form. As text, a later log has the
/// greater id.
///
/// Cheap to clone: each who follows the tail has one of each log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(Arc<str>);

impl LogId {
    /// Takes an id as it is; nothing is trimmed.
    ///
    /// # Errors
    ///
    /// An id that is empty, `.`, `..`, longer than 512 bytes, or holds a control character is refused (argument `id`).
    pub fn parse(text: &str) -> Result<Self, ArgumentError> {
        Self::parse_argument("id", text)
    }

    /// Takes an id to read on from, live.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and an id that begins with no digit, as those of all forms do: as text it would be behind every log to come,
    /// and whoever waits from there waits for ever.
    pub fn parse_position(argument: &'static str, text: &str) -> Result<Self, ArgumentError> {
        let id = Self::parse_argument(argument, text)?;
        let is_log = text.starts_with(|first: char| first.is_ascii_digit());
        if is_log { Ok(id) } else { Err(ArgumentError { argument, problem: ArgumentProblem::NoLogId }) }
    }

    /// Refuses an id that is more than a day ahead of `now`: whoever reads on from there hears nothing until then.
    ///
    /// An id has the time at which Auth0 took its log in, behind `900`; older forms are less (recorded). Clocks may differ, but not by a day.
    ///
    /// # Errors
    ///
    /// As it says.
    pub(crate) fn not_ahead_of(self, now: DateTime<Utc>, argument: &'static str) -> Result<Self, ArgumentError> {
        let latest = format!("900{}", (now + TimeDelta::days(1)).format("%Y%m%d%H%M%S%3f"));
        let is_ahead = *self.0 > *latest;
        if is_ahead { Err(ArgumentError { argument, problem: ArgumentProblem::FutureLogId }) } else { Ok(self) }
    }

    /// An id before all others. No log has it.
    pub(crate) fn lowest() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn parse_argument(argument: &'static str, text: &str) -> Result<Self, ArgumentError> {
        path_segment(argument, text).map(|id| Self(id.into()))
    }

    /// The id as Auth0 writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> Box<str> {
        (*self.0).into()
    }
}

impl AsRef<str> for LogId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An e-mail address to look users up by. Auth0 compares it byte by byte, so it is passed on
/// exactly as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(Box<str>);

impl Email {
    /// Takes an address as it is: nothing is trimmed and no case is changed. Whether it is a
    /// well-formed address is left to Auth0, whose profiles hold whatever an identity provider once
    /// sent.
    ///
    /// # Errors
    ///
    /// An address that is empty, longer than 320 bytes or holds a control character is refused
    /// (argument `email`).
    pub fn parse(text: &str) -> Result<Self, ArgumentError> {
        check_text("email", text, LONGEST_EMAIL)?;
        Ok(Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks what will be one segment of a path. Percent-encoding does for nearly all of it: ids hold backslashes (`DOMAIN\user`),
/// and slashes, where an identity provider's subjects are URLs or Base64. But `.` and `..` alone have a meaning that encoding
/// does not take away.
pub(crate) fn path_segment(argument: &'static str, text: &str) -> Result<Box<str>, ArgumentError> {
    check_text(argument, text, LONGEST_ID)?;
    if matches!(text, "." | "..") {
        return Err(ArgumentError { argument, problem: ArgumentProblem::DotSegment });
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_that_is_no_log_s_is_refused() {
        assert!(LogId::parse_position("from", "90020231106123456789000000000000000001223372036854775807").is_ok());
        assert!(LogId::parse_position("from", "0").is_ok());
        let refused = Err(ArgumentError { argument: "from", problem: ArgumentProblem::NoLogId });
        assert_eq!(LogId::parse_position("from", "abc"), refused);
        assert!(LogId::parse_position("from", "").is_err());
    }

    #[test]
    fn an_id_of_the_day_after_tomorrow_is_none_to_read_on_from() {
        let now = DateTime::from_timestamp(1_793_606_400, 0).unwrap();
        for (id, is_ahead) in [
            ("90020261102080000000000000000000000001223372036854775807", false),
            ("90020261103075959999000000000000000001223372036854775807", false),
            ("90020261103080001000000000000000000001223372036854775807", true),
            (&*"9".repeat(56), true),
            ("5dc1a7b8c9e3f40016a1b2c3", false),
            ("0", false),
        ] {
            assert_eq!(LogId::parse(id).unwrap().not_ahead_of(now, "from").is_err(), is_ahead, "{id}");
        }
    }

    #[test]
    fn an_id_that_could_leave_its_place_in_the_path_is_refused() {
        for (text, problem) in [
            ("", ArgumentProblem::Empty),
            (".", ArgumentProblem::DotSegment),
            ("..", ArgumentProblem::DotSegment),
            ("auth0|1\r\nX: y", ArgumentProblem::ControlCharacter),
            ("auth0|\u{85}", ArgumentProblem::ControlCharacter),
            (&"a".repeat(513), ArgumentProblem::TooLong { most: 512 }),
        ] {
            assert_eq!(
                UserId::parse(text),
                Err(ArgumentError { argument: "id", problem: problem.clone() }),
                "{text:?}"
            );
            assert_eq!(LogId::parse(text), Err(ArgumentError { argument: "id", problem }), "{text:?}");
        }
    }

    #[test]
    fn an_id_is_otherwise_taken_as_it_is() {
        for text in [
            "auth0|64b1",
            "samlp|corp|CORP\\ada",
            "samlp|corp|a/b+c==",
            "oidc|c|https://idp.example/1",
            "email|a..b@c.d",
            "../x",
            "...",
            "ad|ada.l",
            "x|%2e%2e",
            "oauth2|日本 ",
            &"9".repeat(512),
        ] {
            assert_eq!(UserId::parse(text).as_ref().map(UserId::as_str), Ok(text));
        }
    }

    #[test]
    fn an_address_is_passed_on_as_written() {
        for text in [" Ada@Example.com ", "not an address", "ada+tag@example.com"] {
            assert_eq!(Email::parse(text).as_ref().map(Email::as_str), Ok(text));
        }
        for (text, problem) in [
            ("", ArgumentProblem::Empty),
            ("ada@example.com\n", ArgumentProblem::ControlCharacter),
            (&"a".repeat(321), ArgumentProblem::TooLong { most: 320 }),
        ] {
            assert_eq!(Email::parse(text), Err(ArgumentError { argument: "email", problem }));
        }
    }
}
