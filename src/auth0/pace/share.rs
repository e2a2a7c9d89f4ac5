//! Our share of a bucket, where a part of its refill is left to others.
//!
//! It is a bucket of its own, with our share of the refill. To keep back a token of the real one
//! instead would be half of a free tenant's two.
//!
//! A bucket that is never drained shows less of its refill than there is, and a share of too low an
//! estimate would keep the estimate low. So beyond our share of its size it holds a few calls more,
//! to drain the real one with, and is filled up with them again from time to time. That is an advance:
//! what is ours comes back more slowly until it is paid back, so that in the long run nothing of the reserve is taken.
//!
//! Nothing plainer keeps that, in the simulations. Without the calls more, half of our share of a free tenant is used; without fill-ups,
//! half of it from when others have called and gone, for as long as calls come. Fill-ups that are not paid back take 1.47 times our
//! share at a reserve of 0.9; fewer, worth 5 % of it, and those that wait for what calling at 95 % saves, learn too little: 0.67 is used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::micros;

/// Calls that it holds beyond our share of the size, at no reserve and more with each share of 1. In simulations of a free
/// tenant, whose refill takes the longest to learn, this lets the bucket be drained for some twenty
/// seconds; with two calls alone, a reserve of 0.3 used half of what is ours.
const SURPLUS: f64 = 2.0;
const SURPLUS_BY_RESERVE: f64 = 30.0;

/// Share of the largest reserve, and somewhat less, below which what another replica says is not believed.
const LEAST: f64 = 0.05;

/// Least time between two fill-ups, lest a mistake last. The next is not before the advance of the last one is paid back.
const FILL_UP: Duration = Duration::from_secs(300);

/// Most of our share of the refill that pays an advance back.
const PAID_BACK: f64 = 0.5;

/// The time for which the refill is taken to have been what it is found to be now. The refill is learned
/// from below, so what it was shared out by before was too little.
const REVISABLE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Share {
    /// Our share, of 1.
    share: f64,
    size: f64,
    /// The level at some time, less what was spent since.
    level: f64,
    #[serde(with = "micros")]
    since: Duration,
    #[serde(with = "micros")]
    filled_up: Duration,
    /// Calls that the last fill-up gave ahead of our share, and that were not paid back when `since` was.
    #[serde(default)]
    advance: f64,
    /// True if it is filled up from time to time.
    fills_up: bool,
}

impl Share {
    /// `None` if all is ours.
    pub(super) fn new(reserve: f64, limit: u32, now: Duration) -> Option<Self> {
        let share = 1.0 - reserve;
        let size = (share * f64::from(limit)).max(1.0) + SURPLUS + SURPLUS_BY_RESERVE * reserve;
        (reserve > 0.0).then_some(Self {
            share,
            size,
            level: size,
            since: now,
            filled_up: now,
            advance: 0.0,
            fills_up: true,
        })
    }

    /// The share of one of several who know the bucket already, empty: it drains nothing in order to learn.
    pub(super) fn of_one(share: f64, limit: u32, now: Duration) -> Self {
        let size = (share * f64::from(limit)).max(1.0);
        Self { share, size, level: 0.0, since: now, filled_up: now, advance: 0.0, fills_up: false }
    }

    /// Takes out what is in it.
    pub(super) fn drain(&mut self, now: Duration, refill: f64) {
        self.start_over(now, refill);
        self.level = self.level.min(0.0);
    }

    /// True if a share can be like this, of a bucket with so many calls on their way or owed.
    pub(super) fn is_plausible(&self, now: Duration, limit: u32, owed: f64) -> bool {
        let most = f64::from(limit) + SURPLUS + SURPLUS_BY_RESERVE;
        self.share >= LEAST
            && self.share <= 1.0
            && (1.0..=most).contains(&self.size)
            && (-owed..=self.size).contains(&self.level)
            && (0.0..=self.size + owed).contains(&self.advance)
            && self.since.max(self.filled_up) <= now
    }

    /// The refill is to be found out once more: what was shared out until now is right, whatever it will be found to be.
    pub(super) fn start_over(&mut self, now: Duration, refill: f64) {
        let paid_back = self.paid_back(self.seconds_since(now), refill);
        self.level = self.level(now, refill);
        self.advance -= paid_back;
        self.since = now;
    }

    /// Lets calls go. To be called once its time is set.
    pub(super) fn spend(&mut self, calls: f64) {
        self.level -= calls;
    }

    /// A call was not made.
    pub(super) fn refund(&mut self) {
        self.level += 1.0;
    }

    fn seconds_since(&self, now: Duration) -> f64 {
        now.saturating_sub(self.since).as_secs_f64()
    }

    /// Calls per second by which an advance is paid back, if the bucket gets so many.
    fn repayment(&self, refill: f64) -> f64 {
        (self.size / FILL_UP.as_secs_f64()).min(refill * self.share * PAID_BACK)
    }

    /// Calls of the advance that are paid back in so many seconds.
    fn paid_back(&self, seconds: f64, refill: f64) -> f64 {
        (seconds * self.repayment(refill)).min(self.advance)
    }

    /// Calls that it allows, if the bucket gets so many per second.
    fn level(&self, now: Duration, refill: f64) -> f64 {
        let time = self.seconds_since(now);
        (self.level + time * refill * self.share - self.paid_back(time, refill)).min(self.size)
    }

    /// Seconds until it allows so many calls.
    pub(super) fn seconds_until(&self, calls: f64, now: Duration, refill: f64) -> f64 {
        let (missing, rate) = (calls - self.level(now, refill), refill * self.share);
        let unpaid = self.advance - self.paid_back(self.seconds_since(now), refill);
        // Either while the advance is paid back, or after that.
        (missing / (rate - self.repayment(refill))).min((missing + unpaid) / rate)
    }

    /// Forgets what needs no second thought. To be called before more is spent.
    pub(super) fn set_time(&mut self, now: Duration, refill: f64) {
        if self.level(now, refill) >= self.size || now.saturating_sub(self.since) >= REVISABLE {
            self.start_over(now, refill);
        }
        let is_paid_back = self.paid_back(self.seconds_since(now), refill) >= self.advance;
        if self.fills_up && is_paid_back && now.saturating_sub(self.filled_up) >= FILL_UP {
            self.start_over(now, refill);
            self.advance = self.size - self.level;
            self.level = self.size;
            self.filled_up = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// So many calls that go as soon as they may, from a bucket that gets two per second; when each of them goes.
    fn busy(share: &mut Share, calls: usize, mut now: f64) -> Vec<f64> {
        let mut times = Vec::new();
        for _ in 0..calls {
            now += share.seconds_until(1.0, time(now), 2.0).max(0.0);
            share.set_time(time(now), 2.0);
            share.spend(1.0);
            times.push(now);
        }
        times
    }

    fn time(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn without_a_reserve_there_is_none() {
        assert!(Share::new(0.0, 2, Duration::ZERO).is_none());
    }

    #[test]
    fn beyond_its_surplus_no_more_is_spent_than_our_share() {
        let mut share = Share::new(0.1, 2, Duration::ZERO).unwrap();
        let times = busy(&mut share, 200, 0.0);
        // Our share of two, the surplus of five.
        assert_eq!(times.iter().filter(|&&time| time == 0.0).count(), 6);
        let until = |end: f64| times.iter().filter(|&&time| time <= end + 1e-6).count();
        assert_eq!(until(50.0) - until(0.0), 90, "1.8 per second");
    }

    #[test]
    fn after_a_while_the_surplus_is_there_once_more() {
        let mut share = Share::new(0.1, 2, Duration::ZERO).unwrap();
        let times = busy(&mut share, 1_100, 0.0);
        let between = |start: f64, end: f64| times.iter().filter(|&&time| start <= time && time < end).count();
        assert_eq!(between(280.0, 300.0), 36);
        assert!(between(300.0, 320.0) > 40);
        assert!((1_085..=1_095).contains(&between(0.0, 600.0)), "{}", between(0.0, 600.0));
    }

    #[test]
    fn what_the_refill_turns_out_to_have_been_is_made_up_for() {
        let mut share = Share::new(0.5, 2, Duration::ZERO).unwrap();
        let size = share.size;
        share.spend(size);
        assert!((share.level(time(10.0), 1.0) - 5.0).abs() < 1e-9);
        assert!((share.level(time(10.0), 2.0) - 10.0).abs() < 1e-9);
        share.start_over(time(10.0), 1.0);
        assert!((share.level(time(10.0), 2.0) - 5.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn in_no_window_is_more_spent_than_our_share_and_the_surplus(
            reserve in 0.01_f64..0.9,
            limit in 1_u32..60,
            pauses in prop::collection::vec((1_usize..20, 0.0_f64..30.0), 1..30),
        ) {
            let mut share = Share::new(reserve, limit, Duration::ZERO).unwrap();
            let size = share.size;
            let (mut times, mut now) = (Vec::new(), 0.0);
            for (calls, pause) in pauses {
                times.extend(busy(&mut share, calls, now));
                now = times[times.len() - 1] + pause;
            }
            for (first, start) in times.iter().enumerate() {
                for (last, end) in times.iter().enumerate().skip(first) {
                    let spent = (last - first + 1) as f64;
                    // Every so often it is filled up, which is paid back before the next time.
                    let most = (end - start) * 2.0 * (1.0 - reserve) + size * 2.0;
                    prop_assert!(spent <= most + 1e-6, "{spent} in {} s", end - start);
                }
            }
        }

        #[test]
        fn what_is_foretold_comes_true(reserve in 0.01_f64..0.9, limit in 1_u32..60, before in 0_usize..150, calls in 1_usize..100) {
            let mut share = Share::new(reserve, limit, Duration::ZERO).unwrap();
            let now = busy(&mut share, before, 0.0).pop().unwrap_or_default();
            let foretold = now + share.seconds_until(calls as f64, time(now), 2.0).max(0.0);
            let last = busy(&mut share, calls, now).pop().unwrap();
            prop_assert!(last < foretold + 1e-3, "{last} {foretold}");
            // Unless it was filled up meanwhile.
            prop_assert!(last > foretold - 1e-3 || share.filled_up > Duration::ZERO, "{last} {foretold}");
        }
    }
}
