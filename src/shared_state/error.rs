//! Failures of the shared state. None of them fails an operation.

use std::fmt;

use redis::{ErrorKind, RedisError};

/// The state is not shared now: do what a process does alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state is not shared now")]
pub struct SharedStateError;

/// The reason for which Redis did not do what it was asked. `Display` holds no address and no secret.
#[derive(Debug)]
pub(super) enum RedisCommandError {
    Timeout,
    Unreachable(RedisError),
    /// An answer that is an error.
    Refused {
        /// The code that the error begins with, such as `OOM` or `READONLY`.
        code: String,
    },
    /// The sentinels know no primary of that name.
    NoPrimary,
}

impl RedisCommandError {
    /// The reason as the metrics count it.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Refused { .. } | Self::NoPrimary => "refused",
        }
    }
}

impl From<RedisError> for RedisCommandError {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some(code) => Self::Refused { code: code.to_owned() },
            // Which of its errors it is, is in a text of the server's.
            None if error.kind() == ErrorKind::AuthenticationFailed => Self::Refused { code: "WRONGPASS".to_owned() },
            None if error.is_timeout() => Self::Timeout,
            None => Self::Unreachable(error),
        }
    }
}

impl fmt::Display for RedisCommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("it does not answer in time"),
            Self::Unreachable(error) => write!(f, "{error}"),
            Self::Refused { code } => write!(f, "it answers {code}"),
            Self::NoPrimary => f.write_str("its sentinels know no primary of that name"),
        }
    }
}
