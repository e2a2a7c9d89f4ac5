//! Errors of constructing a request, found before any call: only the calls themselves can fail with [`super::Error`].

use std::fmt;

/// Records that paging reaches in a search: a page that would end beyond record 1,000 is answered with
/// an error, however many records there are.
/// <https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation>
pub const REACHABLE_RECORDS: i64 = 1000;

/// An argument of which no request can be made, for Auth0 would refuse it. `Display` is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{argument}` {problem}")]
pub struct ArgumentError {
    /// The argument's name in the GraphQL schema.
    pub argument: &'static str,
    /// The fault of its value.
    pub problem: ArgumentProblem,
}

/// A fault of an argument's value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentProblem {
    /// The number is below `least`, or above `most` if there is one.
    OutOfRange {
        /// The number given.
        value: i64,
        /// The smallest that is accepted.
        least: i64,
        /// The greatest that is accepted.
        most: Option<i64>,
    },
    /// The page ends beyond [`REACHABLE_RECORDS`].
    BeyondReach,
    /// An empty text.
    Empty,
    /// The text has more than `most` bytes.
    TooLong {
        /// The greatest length that is accepted, in bytes of UTF-8.
        most: usize,
    },
    /// The text holds a control character, such as a line end.
    ControlCharacter,
    /// The text is `.` or `..`, which have a meaning in a path.
    DotSegment,
    /// The text cannot be a log's id: those of all forms begin with a digit.
    NoLogId,
    /// The id of a log that is yet to come.
    FutureLogId,
    /// No cursor, or one of another version.
    UnknownCursor,
    /// A cursor of another search, or another direction.
    ForeignCursor,
}

impl fmt::Display for ArgumentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { value, least, most: Some(most) } => {
                write!(f, "must be from {least} to {most}, but is {value}")
            }
            Self::OutOfRange { value, least, most: None } => write!(f, "must be {least} or more, but is {value}"),
            // The one place that says how to get further.
            Self::BeyondReach => write!(
                f,
                "lies too far in: Auth0 gives out only the first {REACHABLE_RECORDS} records of a \
                 search, so (page + 1) * perPage must not exceed {REACHABLE_RECORDS}. Narrow the \
                 search with `q`, for example to a span of time, and start again at page 0"
            ),
            Self::Empty => f.write_str("must not be empty"),
            Self::TooLong { most } => write!(f, "must not be longer than {most} bytes"),
            Self::ControlCharacter => f.write_str("must not hold control characters, such as line ends"),
            Self::DotSegment => f.write_str("must not be `.` or `..`"),
            Self::FutureLogId => f.write_str("must be the id of a log that there is: this one is of a day to come"),
            Self::NoLogId => f.write_str("must be the id of a log, which begins with a digit"),
            Self::UnknownCursor => f.write_str(
                "is no cursor that this gateway has made, or one of an older version: begin anew without it.",
            ),
            Self::ForeignCursor => f.write_str(
                "belongs to another search: `q`, `filter` and `direction` have to be those that it comes from.",
            ),
        }
    }
}

/// Checks that a text is not empty, has `most` bytes at the most and no control characters.
pub(super) fn check_text(argument: &'static str, text: &str, most: usize) -> Result<(), ArgumentError> {
    let problem = if text.is_empty() {
        ArgumentProblem::Empty
    } else if text.len() > most {
        ArgumentProblem::TooLong { most }
    } else if holds_control(text) {
        ArgumentProblem::ControlCharacter
    } else {
        return Ok(());
    };
    Err(ArgumentError { argument, problem })
}

/// True if the text holds a control character. Nearly every text is ASCII, of which each byte tells; all are looked at, since
/// many can be looked at at once.
pub(super) fn holds_control(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().fold(false, |held, byte| held | byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_found_wherever_they_are() {
        for character in '\0'..='\u{250}' {
            for text in [
                format!("{character}"),
                format!("a long text, and then {character} é"),
                format!("{character} and text"),
            ] {
                assert_eq!(holds_control(&text), character.is_control(), "{text:?}");
            }
        }
    }
}
