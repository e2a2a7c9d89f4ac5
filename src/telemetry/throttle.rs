//! Throttling of log lines about what happens too often to be logged each time.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Least time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// A count of occurrences that is logged now and then: the first at once, later ones together.
#[derive(Debug, Default)]
pub(crate) struct LogThrottle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    unlogged: u64,
    logged_at: Option<Instant>,
}

impl LogThrottle {
    /// Counts an occurrence. Gives back the count since the last line when it is time for the next one.
    pub(crate) fn count(&self) -> Option<u64> {
        self.add(1)
    }

    /// Counts so many occurrences at once.
    pub(crate) fn add(&self, occurrences: u64) -> Option<u64> {
        self.0.lock().add(occurrences, Instant::now())
    }
}

impl State {
    fn add(&mut self, occurrences: u64, now: Instant) -> Option<u64> {
        self.unlogged += occurrences;
        if self.logged_at.is_some_and(|logged_at| now < logged_at + INTERVAL) {
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_at_once_and_the_others_together() {
        let (mut state, start) = (State::default(), Instant::now());
        let seconds = |seconds| start + Duration::from_secs(seconds);
        let logged: Vec<_> = [(0, 1), (0, 1), (9, 5), (10, 1), (11, 1), (40, 2)]
            .into_iter()
            .map(|(at, occurrences)| state.add(occurrences, seconds(at)))
            .collect();
        assert_eq!(logged, [Some(1), None, None, Some(7), None, Some(3)]);
    }
}
