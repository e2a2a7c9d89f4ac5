//! The gate that a 429 closes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::micros;

/// The longest time for which a bucket is closed, whatever `Retry-After` says: an operator who
/// raises a quota meanwhile should not have to restart the gateway. Callers are told the whole of it all the same.
const LONGEST: Duration = Duration::from_secs(60);

/// Closed for a while after each 429, for longer each time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "GateRow", into = "GateRow")]
pub(super) struct Gate {
    closed_until: Duration,
    /// The time until which Auth0 said that nothing would be answered; no later than it is closed unless that is longer than [`LONGEST`].
    refused_until: Duration,
    /// The time of the newest 429, and how many have come since a call was answered.
    last: Option<Duration>,
    refusals: u32,
}

/// A gate as it is shared, without names. Times are in microseconds.
type GateRow = (u64, u64, Option<u64>, u32);

impl From<GateRow> for Gate {
    fn from((closed_until, refused_until, last, refusals): GateRow) -> Self {
        let [closed_until, refused_until] = [closed_until, refused_until].map(Duration::from_micros);
        Self { closed_until, refused_until, last: last.map(Duration::from_micros), refusals }
    }
}

impl From<Gate> for GateRow {
    fn from(gate: Gate) -> Self {
        let Gate { closed_until, refused_until, last, refusals } = gate;
        (micros::whole(closed_until), micros::whole(refused_until), last.map(micros::whole), refusals)
    }
}

/// Effect of a 429 on the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) wait: Duration,
    /// True if it says anything new: one that was on its way when another came does not.
    pub(super) is_news: bool,
}

impl Gate {
    /// The time at which the next call may go, as far as the gate is concerned.
    pub(super) fn opens(&self) -> Duration {
        self.closed_until
    }

    /// The time to come back, for one that is refused: not before this, even where calls are tried again sooner.
    pub(super) fn retry_at(&self) -> Duration {
        self.refused_until.max(self.closed_until)
    }

    pub(super) fn is_open(&self, now: Duration) -> bool {
        self.closed_until <= now
    }

    /// A call that was sent then was answered with a 429. `retry_after` is its `Retry-After`, `estimate`
    /// how long it takes for one call to come back. Never a wait for `reset`, which is when *all*
    /// calls are back.
    pub(super) fn close(
        &mut self,
        sent: Duration,
        now: Duration,
        retry_after: Option<Duration>,
        estimate: Duration,
    ) -> Closed {
        let is_news = self.last.is_none_or(|last| sent >= last);
        if is_news {
            self.refusals = self.refusals.saturating_add(1);
            self.last = Some(now);
        }
        let backoff = estimate.saturating_mul(1 << (self.refusals.saturating_sub(1)).min(10));
        // "At once" is what was just tried.
        let wait = retry_after.filter(|retry_after| !retry_after.is_zero()).unwrap_or(backoff).min(LONGEST);
        if is_news || retry_after.is_some() {
            self.closed_until = self.closed_until.max(now + wait);
        }
        self.refused_until = self.refused_until.max(now.saturating_add(retry_after.unwrap_or_default()));
        Closed { wait: self.closed_until.saturating_sub(now), is_news }
    }

    /// True if a gate can be like this.
    pub(super) fn is_plausible(&self, now: Duration) -> bool {
        self.closed_until <= now + LONGEST && self.last.is_none_or(|last| last <= now)
    }

    /// A call that was sent then was answered with anything else.
    pub(super) fn passed(&mut self, sent: Duration) {
        if self.last.is_some_and(|last| sent >= last) {
            self.refusals = 0;
            self.refused_until = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_429_in_a_row_doubles_the_wait_until_one_passes() {
        let mut gate = Gate::default();
        let mut now = ms(0);
        let mut close = |gate: &mut Gate| {
            let wait = gate.close(now, now + ms(10), None, ms(500)).wait;
            now += ms(10) + wait;
            wait.as_millis()
        };
        assert_eq!([close(&mut gate), close(&mut gate), close(&mut gate)], [500, 1_000, 2_000]);
        for _ in 0..20 {
            close(&mut gate);
        }
        assert_eq!(close(&mut gate), LONGEST.as_millis());
        gate.passed(ms(3_600_000));
        assert_eq!(gate.close(ms(3_600_000), ms(3_600_000), None, ms(500)).wait, ms(500));
    }

    #[test]
    fn those_on_their_way_together_count_once() {
        let mut gate = Gate::default();
        assert_eq!(gate.close(ms(0), ms(100), None, ms(500)), Closed { wait: ms(500), is_news: true });
        assert_eq!(gate.close(ms(50), ms(200), None, ms(500)), Closed { wait: ms(400), is_news: false });
        assert_eq!(gate.opens(), ms(600));
        // Nor does an older call that passes prove anything.
        gate.passed(ms(60));
        assert_eq!(gate.close(ms(600), ms(700), None, ms(500)).wait, ms(1_000));
    }

    #[test]
    fn the_whole_of_retry_after_is_told_until_a_call_passes() {
        let mut gate = Gate::default();
        gate.close(ms(0), ms(100), Some(ms(3_600_000)), ms(500));
        assert_eq!((gate.opens(), gate.retry_at()), (ms(60_100), ms(3_600_100)));
        gate.passed(ms(60_200));
        assert_eq!(gate.retry_at(), gate.opens());
        gate.close(ms(0), ms(100), Some(Duration::MAX), ms(500));
        assert_eq!(gate.retry_at(), Duration::MAX);
    }

    #[test]
    fn retry_after_is_heeded_within_reason() {
        let wait = |seconds| Gate::default().close(ms(0), ms(0), Some(Duration::from_secs(seconds)), ms(500)).wait;
        assert_eq!(wait(3), ms(3_000));
        assert_eq!(wait(0), ms(500));
        assert_eq!(wait(u64::MAX), LONGEST);
    }
}
