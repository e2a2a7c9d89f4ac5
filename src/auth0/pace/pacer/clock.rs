//! The clock that replicas share, which is Redis': how far it is ahead of a replica's own.

use std::time::Duration;

/// Step of a clock beyond which it has not only drifted.
const LEAST_STEP: Duration = Duration::from_secs(1);

/// Redis' clock, by what exchanges showed of it.
#[derive(Debug, Default)]
pub(super) struct SharedClock(Option<Bounds>);

/// Bounds of the time by which it is ahead.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    least: Duration,
    most: Duration,
}

/// A reading of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockReading {
    /// Time by which it is ahead, at the least, and by how much more it may be.
    pub(super) ahead: Duration,
    pub(super) lag: Duration,
    /// True if it was set on: time seemed to pass in which nothing came back.
    pub(super) is_set_on: bool,
}

impl SharedClock {
    /// Learns from an exchange, which was asked for then and is answered now, that it showed a time.
    pub(super) fn learn(&mut self, asked: Duration, now: Duration, time: Duration) -> ClockReading {
        let newest = Bounds { least: time.saturating_sub(now), most: time.saturating_sub(asked) };
        let both =
            self.0.map(|known| Bounds { least: known.least.max(newest.least), most: known.most.min(newest.most) });
        // Clocks drift.
        let bounds = both.filter(|both| both.least <= both.most).unwrap_or(newest);
        let known = self.0.replace(bounds);
        let is_set_on = known.is_some_and(|known| known.most + LEAST_STEP < newest.least);
        ClockReading { ahead: bounds.least, lag: bounds.most - bounds.least, is_set_on }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_exchange_narrows_how_far_it_can_be_ahead() {
        let mut clock = SharedClock::default();
        let reading = clock.learn(ms(100), ms(130), ms(5_110));
        assert_eq!((reading.ahead, reading.lag), (ms(4_980), ms(30)));
        let reading = clock.learn(ms(200), ms(210), ms(5_202));
        assert_eq!((reading.ahead, reading.lag), (ms(4_992), ms(10)));
        assert!(!reading.is_set_on);
    }

    #[test]
    fn one_that_was_set_on_is_told_from_one_that_drifts() {
        for (time, is_set_on) in [(5_500, false), (6_500, true)] {
            let mut clock = SharedClock::default();
            clock.learn(ms(100), ms(110), ms(5_105));
            let reading = clock.learn(ms(200), ms(210), ms(time));
            assert_eq!((reading.ahead, reading.is_set_on), (ms(time - 210), is_set_on));
        }
    }
}
