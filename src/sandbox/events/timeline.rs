//! The arrival of logs: a pure function of their position.
//!
//! Logs come in pairs, the second within a second after the first, so that in a pair the order
//! of arrival and the order of `date` differ now and then, as they do at Auth0. Since the
//! tenant started there is a pair every [`PERIOD`]; before that, the further back the fewer.

/// Milliseconds between two pairs of logs, as the ids of those tell that do not come by themselves.
const PERIOD: i64 = 3_000;

/// The thinning of history towards the past: with `n` pairs of history, pair
/// `k` before the start is `k²/n` times this many milliseconds older. It spreads 20,000 logs
/// over about a month.
const THINNING: i64 = 250_000;

/// The latest that the second log of a pair comes after the first, in milliseconds.
const PAIR: i64 = 900;

/// The start of the tenant, and the number of logs at that time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    /// Milliseconds since the Unix epoch.
    pub(super) start: i64,
    pub(super) history: u64,
    /// Milliseconds between two pairs of logs from the start on; none if no logs come by themselves.
    pub(super) period: Option<i64>,
}

impl Timeline {
    /// The moment at which the log at `position` becomes visible, in milliseconds since the Unix epoch.
    /// `spread` is any number; it decides where in its pair the log comes. Later positions
    /// come later.
    pub(super) fn arrival(self, position: u64, spread: u32) -> i64 {
        // A pair is over before the next begins.
        let pair = PAIR.min(self.period() / 3).max(2);
        let spread = i64::from(spread) % (pair / 2);
        let in_pair = if self.is_second(position) { pair / 2 + spread } else { spread };
        self.pair_start(position) + in_pair
    }

    /// The number of logs that are visible at `now`, if position `p` arrives at `arrival(p)`.
    pub(super) fn visible(self, now: i64, arrival: impl Fn(u64) -> i64) -> u64 {
        let Some(period) = self.period else { return self.history };
        let pairs = u64::try_from((now - self.start) / period).unwrap_or(0);
        // The last pair may not be complete.
        let mut count = self.history + 2 * pairs;
        while count > self.history && arrival(count - 1) > now {
            count -= 1;
        }
        count
    }

    fn period(self) -> i64 {
        self.period.unwrap_or(PERIOD)
    }

    fn is_second(self, position: u64) -> bool {
        // Counted from the start, so that no pair lies across it.
        (self.history % 2) != (position % 2)
    }

    fn pair_start(self, position: u64) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX / PERIOD / 4);
        if position >= self.history {
            let pair = signed((position - self.history) / 2 + 1);
            return self.start.saturating_add(pair * self.period());
        }
        let pair = signed((self.history - position).div_ceil(2));
        let pairs = signed(self.history.div_ceil(2));
        self.start - pair * PERIOD - pair * pair / pairs * THINNING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_never_run_backwards() {
        for history in [0, 1, 2, 7, 20_000, 20_001] {
            let timeline = Timeline { start: 1_800_000_000_000, history, period: Some(PERIOD) };
            let noise = |position: u64| (position as u32).wrapping_mul(2_654_435_761);
            let arrivals: Vec<_> =
                (0..history + 500).map(|position| timeline.arrival(position, noise(position))).collect();
            assert!(arrivals.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn history_spans_a_month_and_ends_at_the_start() {
        let timeline = Timeline { start: 1_800_000_000_000, history: 20_000, period: Some(PERIOD) };
        let age = timeline.start - timeline.arrival(0, 0);
        assert_eq!(age / 86_400_000, 29);
        assert!(timeline.arrival(19_999, u32::MAX) < timeline.start);
    }

    #[test]
    fn logs_become_visible_as_time_passes() {
        let timeline = Timeline { start: 1_800_000_000_000, history: 9, period: Some(PERIOD) };
        let arrival = |position| timeline.arrival(position, 0);
        let visible = |ms: i64| timeline.visible(timeline.start + ms, arrival);
        assert_eq!(visible(-5_000), 9);
        assert_eq!(visible(0), 9);
        assert_eq!(visible(2_999), 9);
        assert_eq!(visible(3_000), 10);
        assert_eq!(visible(3_449), 10);
        assert_eq!(visible(3_450), 11);
        assert_eq!(visible(6_000), 12);
    }
}
