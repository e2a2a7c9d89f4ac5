//! The availability of Redis to this process, and the log's lines about it.

use parking_lot::Mutex;

use super::error::RedisCommandError;
use crate::telemetry::LogThrottle;

/// Availability of Redis to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Availability {
    /// No answer yet.
    #[default]
    Unknown,
    /// A connection that answers in time: all that replicas share is shared.
    Up,
    /// A connection that answers late, or not at all. Nobody waits for it; the token and the tail of logs are shared as far as it answers.
    Late,
    /// No connection, or one that refuses what it is asked: nothing is shared.
    Down,
}

impl Availability {
    /// The name of the state in the metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "alone",
            Self::Up => "up",
            Self::Late => "late",
            Self::Down => "down",
        }
    }
}

/// The lines of the log about Redis: one for each change, but the same one for the worse only now and then.
#[derive(Debug, Default)]
pub(super) struct AvailabilityLog(Mutex<LastLogged>);

#[derive(Debug, Default)]
struct LastLogged {
    availability: Availability,
    /// The last change for the worse, logged or kept back.
    worse: (Availability, String),
    throttle: LogThrottle,
}

impl AvailabilityLog {
    /// Logs that it has changed, with the reason if for the worse.
    pub(super) fn log(&self, availability: Availability, reason: Option<&RedisCommandError>) {
        let reason = reason.map(ToString::to_string).unwrap_or_default();
        if !self.0.lock().is_news(availability, &reason) {
            return;
        }
        match availability {
            Availability::Unknown => {}
            Availability::Up => tracing::info!("Redis is there: what replicas share is shared"),
            Availability::Late => tracing::warn!(
                reason,
                "Redis answers late, or not at all: until it is quick again, operations do not wait for it, and the rate limit, RATE_LIMIT and \
                 documents are this process' own"
            ),
            Availability::Down => {
                tracing::warn!(reason, "Redis is not there: until it is, this process does alone what replicas share");
            }
        }
    }
}

impl LastLogged {
    /// Takes note of a line, if it is time for it. What is kept back is asked for again as long as it holds.
    fn is_news(&mut self, availability: Availability, reason: &str) -> bool {
        if self.availability == availability {
            return false;
        }
        if matches!(availability, Availability::Late | Availability::Down) {
            if self.worse.0 != availability || self.worse.1 != reason {
                self.worse = (availability, reason.to_owned());
                self.throttle = LogThrottle::default();
            }
            if self.throttle.count().is_none() {
                return false;
            }
        }
        self.availability = availability;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_that_comes_and_goes_does_not_fill_the_log() {
        let mut logged = LastLogged::default();
        for (availability, reason, is_news) in [
            (Availability::Unknown, "", false),
            (Availability::Up, "", true),
            (Availability::Late, "late", true),
            (Availability::Late, "late", false),
            (Availability::Up, "", true),
            // The same again.
            (Availability::Late, "late", false),
            (Availability::Up, "", false),
            (Availability::Down, "full", true),
            (Availability::Up, "", true),
            (Availability::Down, "full", false),
            (Availability::Down, "read-only", true),
            (Availability::Up, "", true),
        ] {
            assert_eq!(logged.is_news(availability, reason), is_news, "{availability:?} {reason}");
        }
    }
}
