//! Throttling of log lines about what happens too often to be logged each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
        // Nothing in here is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(Instant::now())
    }
}

impl State {
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.unlogged += 1;
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
        let logged: Vec<_> = [0, 0, 9, 10, 11, 40].into_iter().map(|at| state.count(seconds(at))).collect();
        assert_eq!(logged, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
