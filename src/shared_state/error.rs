//! Failures of the shared state. None of them fails an operation.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use redis::{ErrorKind, RedisError};

use super::Standing;
use crate::telemetry::LogThrottle;

/// The state is not shared now: do what a process does alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state is not shared now")]
pub struct Unavailable;

/// The reason for which Redis did not do what it was asked. `Display` holds no address and no secret.
#[derive(Debug)]
pub(super) enum Failure {
    Timeout,
    Unreachable(RedisError),
    /// It answered with an error.
    Refused {
        /// The code that the error begins with, such as `OOM` or `READONLY`.
        code: String,
    },
    /// The sentinels know no primary of that name.
    NoPrimary,
}

impl Failure {
    /// The reason as the metrics count it.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Refused { .. } | Self::NoPrimary => "refused",
        }
    }
}

impl From<RedisError> for Failure {
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("it does not answer in time"),
            Self::Unreachable(error) => write!(f, "{error}"),
            Self::Refused { code } => write!(f, "it answers {code}"),
            Self::NoPrimary => f.write_str("its sentinels know no primary of that name"),
        }
    }
}

/// The lines of the log about Redis: one for each change, but the same one for the worse only now and then.
#[derive(Debug, Default)]
pub(super) struct StandingLog(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    standing: Standing,
    /// The last change for the worse, whether it was told or kept back.
    worse: (Standing, String),
    throttle: LogThrottle,
}

impl StandingLog {
    /// Tells how Redis stands, with the reason if it does not stand well, unless that has been told.
    pub(super) fn tell(&self, standing: Standing, reason: Option<&Failure>) {
        let reason = reason.map(ToString::to_string).unwrap_or_default();
        // Nothing in here is left half done by a panic.
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_news(standing, &reason) {
            return;
        }
        match standing {
            Standing::Unknown => {}
            Standing::Up => tracing::info!("Redis is there: what replicas share is shared"),
            Standing::Late => tracing::warn!(
                reason,
                "Redis answers late, or not at all: until it is quick again, operations do not wait for it, and the rate limit, RATE_LIMIT and \
                 documents are this process' own"
            ),
            Standing::Gone => {
                tracing::warn!(reason, "Redis is not there: until it is, this process does alone what replicas share");
            }
        }
    }
}

impl Told {
    /// Takes note of a line, if it is time for it. What is kept back is asked for again as long as it holds.
    fn is_news(&mut self, standing: Standing, reason: &str) -> bool {
        if self.standing == standing {
            return false;
        }
        if matches!(standing, Standing::Late | Standing::Gone) {
            if self.worse.0 != standing || self.worse.1 != reason {
                self.worse = (standing, reason.to_owned());
                self.throttle = LogThrottle::default();
            }
            if self.throttle.count().is_none() {
                return false;
            }
        }
        self.standing = standing;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_that_comes_and_goes_does_not_fill_the_log() {
        let mut told = Told::default();
        for (standing, reason, is_news) in [
            (Standing::Unknown, "", false),
            (Standing::Up, "", true),
            (Standing::Late, "late", true),
            (Standing::Late, "late", false),
            (Standing::Up, "", true),
            // The same again.
            (Standing::Late, "late", false),
            (Standing::Up, "", false),
            (Standing::Gone, "full", true),
            (Standing::Up, "", true),
            (Standing::Gone, "full", false),
            (Standing::Gone, "read-only", true),
            (Standing::Up, "", true),
        ] {
            assert_eq!(told.is_news(standing, reason), is_news, "{standing:?} {reason}");
        }
    }
}
