//! What is ours when a share of the refill is left to others.
//!
//! It is a bucket of its own, with our share of the size and of the refill. To keep back a token of
//! the real one instead would be half of a free tenant's two.

use std::time::Duration;

/// How many calls it allows beyond our share, once. A bucket that is never drained shows less of its
/// refill than there is, and a share of too low an estimate would keep the estimate low.
const OVERDRAFT: f64 = 2.0;

/// For how long the refill is taken to have been what it is found to be now. The refill is learned
/// from below, so what it was shared out by before was too little.
const HINDSIGHT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Allowance {
    /// Ours, of 1.
    share: f64,
    most: f64,
    /// What there was at some time, less what was spent since.
    level: f64,
    since: Duration,
}

impl Allowance {
    /// `None` if all is ours.
    pub(super) fn new(reserve: f64, limit: u32, now: Duration) -> Option<Self> {
        let share = 1.0 - reserve;
        let most = (share * f64::from(limit)).max(1.0) + OVERDRAFT;
        (reserve > 0.0).then_some(Self { share, most, level: most, since: now })
    }

    pub(super) fn spend(&mut self, calls: f64) {
        self.level -= calls;
    }

    /// How many calls it allows, if the bucket gets so many per second.
    pub(super) fn level(&self, now: Duration, refill: f64) -> f64 {
        let time = now.saturating_sub(self.since).as_secs_f64();
        (time * refill).mul_add(self.share, self.level).min(self.most)
    }

    /// How many seconds until it allows so many calls.
    pub(super) fn seconds_until(&self, calls: f64, now: Duration, refill: f64) -> f64 {
        (calls - self.level(now, refill)) / (refill * self.share)
    }

    /// Forgets what needs no second thought. To be called before more is spent.
    pub(super) fn settle(&mut self, now: Duration, refill: f64) {
        if self.level(now, refill) >= self.most || now.saturating_sub(self.since) >= HINDSIGHT {
            self.settle_for_good(now, refill);
        }
    }

    /// Holds that what was shared out until now is right, whatever the refill will be found to be.
    pub(super) fn settle_for_good(&mut self, now: Duration, refill: f64) {
        self.level = self.level(now, refill);
        self.since = now;
    }
}
