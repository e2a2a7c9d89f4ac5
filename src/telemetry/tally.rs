//! Counts what happens too often to be logged each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often it is told, at most.
const INTERVAL: Duration = Duration::from_secs(10);

/// What has happened and has not been told yet.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    untold: u64,
    told: Option<Instant>,
}

impl Tally {
    /// Counts one more. Gives back how many have not been told when it is time to tell.
    pub(crate) fn count(&self) -> Option<u64> {
        // Nothing in here is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(Instant::now())
    }
}

impl State {
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now < told + INTERVAL) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_together() {
        let (mut tally, start) = (State::default(), Instant::now());
        let seconds = |seconds| start + Duration::from_secs(seconds);
        let told: Vec<_> = [0, 0, 9, 10, 11, 40].into_iter().map(|at| tally.count(seconds(at))).collect();
        assert_eq!(told, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
