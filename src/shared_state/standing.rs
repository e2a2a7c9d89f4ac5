//! The standing of Redis with this process, and the log's lines about it.

use std::sync::{Mutex, PoisonError};

use super::error::Failure;
use crate::telemetry::LogThrottle;

/// Standing of Redis with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Not known yet.
    #[default]
    Unknown,
    /// It is there, and all that replicas share is shared.
    Up,
    /// It answers late, or not at all. Nobody waits for it; the token and the tail of logs are shared as far as it answers.
    Late,
    /// It cannot be reached, or refuses what it is asked: nothing is shared.
    Gone,
}

impl Standing {
    /// The name of the state in the metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "alone",
            Self::Up => "up",
            Self::Late => "late",
            Self::Gone => "down",
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
