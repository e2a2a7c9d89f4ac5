//! What is ours when a share of the refill is left to others.
//!
//! It is a bucket of its own, with our share of the size and of the refill. To keep back a token of
//! the real one instead would be half of a free tenant's two.
//!
//! A bucket that is never drained shows less of its refill than there is, and a share of too low an
//! estimate would keep the estimate low. So the first who are in want of more than our share get it,
//! on loan: the refill is learned, and then the loan is paid back, so that a minute's calls are no
//! more than our share of it. From time to time this is done again, lest a mistake last.

use std::time::Duration;

/// How many calls are lent, at no reserve and more with each share of 1. In simulations of a free
/// tenant, whose refill takes the longest to learn, this lets the bucket be drained for some twenty
/// seconds; with two calls alone, a reserve of 0.3 used half of what is ours.
const LOAN: f64 = 2.0;
const LOAN_BY_RESERVE: f64 = 30.0;

/// How many calls in want go before the first that pays back, and how many share in paying. Together
/// they are fewer than our share of a free tenant's minute.
const GRACE: f64 = 40.0;
const INSTALMENTS: f64 = 50.0;

/// How long after a loan there is another, if all has been paid back.
const TERM: Duration = Duration::from_secs(300);

/// For how long the refill is taken to have been what it is found to be now. The refill is learned
/// from below, so what it was shared out by before was too little.
const HINDSIGHT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Allowance {
    /// Ours, of 1.
    share: f64,
    size: f64,
    /// What there was at some time, less what was spent since. What is lent is in it.
    level: f64,
    since: Duration,
    /// How many calls in want are still to pay, and how many of those go before that need not.
    owing: f64,
    grace: f64,
    /// When the loan was made.
    lent: Duration,
}

impl Allowance {
    /// `None` if all is ours.
    pub(super) fn new(reserve: f64, limit: u32, now: Duration) -> Option<Self> {
        let share = 1.0 - reserve;
        let size = (share * f64::from(limit)).max(1.0);
        let mut allowance = Self { share, size, level: size, since: now, owing: 0.0, grace: 0.0, lent: now };
        allowance.lend(now);
        (reserve > 0.0).then_some(allowance)
    }

    /// The refill is to be found out once more: what was shared out until now is right, whatever it
    /// will be found to be, and there is a loan, unless there is one already.
    pub(super) fn start_over(&mut self, now: Duration, refill: f64) {
        self.settle_for_good(now, refill);
        self.lend(now);
    }

    /// Lets calls go. To be called when settled.
    pub(super) fn spend(&mut self, calls: f64, now: Duration, refill: f64) {
        let in_want = self.in_want(calls, now, refill);
        let paying = self.paying(in_want);
        self.grace = (self.grace - in_want).max(0.0);
        self.owing -= paying;
        self.level -= paying.mul_add(self.instalment(), calls);
    }

    /// A call was not made. What it paid stays paid.
    pub(super) fn refund(&mut self) {
        self.level += 1.0;
    }

    /// How many calls it allows, if the bucket gets so many per second.
    pub(super) fn level(&self, now: Duration, refill: f64) -> f64 {
        let time = now.saturating_sub(self.since).as_secs_f64();
        (time * refill).mul_add(self.share, self.level).min(self.size + self.loan())
    }

    /// How many seconds until it allows so many calls: the last of them, when the others have paid.
    pub(super) fn seconds_until(&self, calls: f64, now: Duration, refill: f64) -> f64 {
        let paying = self.paying(self.in_want(calls - 1.0, now, refill));
        (paying.mul_add(self.instalment(), calls) - self.level(now, refill)) / (refill * self.share)
    }

    /// Forgets what needs no second thought. To be called before more is spent.
    pub(super) fn settle(&mut self, now: Duration, refill: f64) {
        if self.level(now, refill) >= self.size + self.loan() || now.saturating_sub(self.since) >= HINDSIGHT {
            self.settle_for_good(now, refill);
        }
        if now.saturating_sub(self.lent) >= TERM {
            self.start_over(now, refill);
        }
    }

    fn settle_for_good(&mut self, now: Duration, refill: f64) {
        self.level = self.level(now, refill);
        self.since = now;
    }

    fn lend(&mut self, now: Duration) {
        if self.owing <= 0.0 {
            (self.grace, self.owing) = (GRACE, INSTALMENTS);
            self.lent = now;
            self.level += self.loan();
        }
    }

    /// How many of so many calls are in want of the loan. Whole ones: parts would leave a rest of it for ever.
    fn in_want(&self, calls: f64, now: Duration, refill: f64) -> f64 {
        let own = (self.level(now, refill) - self.loan()).floor().max(0.0);
        (calls - own).max(0.0)
    }

    /// How many of so many calls in want pay.
    fn paying(&self, in_want: f64) -> f64 {
        (in_want - self.grace).max(0.0).min(self.owing)
    }

    /// What is lent and not paid back.
    fn loan(&self) -> f64 {
        self.owing * self.instalment()
    }

    fn instalment(&self) -> f64 {
        LOAN_BY_RESERVE.mul_add(1.0 - self.share, LOAN) / INSTALMENTS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// So many calls that go as soon as they may, from a bucket that gets two per second; when each of them goes.
    fn busy(allowance: &mut Allowance, calls: usize, mut now: f64) -> Vec<f64> {
        let mut times = Vec::new();
        for _ in 0..calls {
            now += allowance.seconds_until(1.0, time(now), 2.0).max(0.0);
            allowance.settle(time(now), 2.0);
            allowance.spend(1.0, time(now), 2.0);
            times.push(now);
        }
        times
    }

    fn time(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn without_a_reserve_there_is_none() {
        assert!(Allowance::new(0.0, 2, Duration::ZERO).is_none());
    }

    #[test]
    fn what_is_lent_is_paid_back_within_a_minute() {
        let mut allowance = Allowance::new(0.1, 2, Duration::ZERO).unwrap();
        let times = busy(&mut allowance, 200, 0.0);
        // Our share of two, the loan of five.
        assert_eq!(times.iter().filter(|&&time| time == 0.0).count(), 6);
        let until = |end: f64| times.iter().filter(|&&time| time <= end).count();
        assert_eq!(until(20.0), 42, "2 per second, as if nothing were left to others");
        assert_eq!(until(60.0), 109, "1.8 and 1.8 per second");
        assert_eq!(allowance.owing, 0.0);
        assert_eq!(until(100.0) - until(60.0), 72);
    }

    #[test]
    fn after_a_while_there_is_a_loan_once_more() {
        let mut allowance = Allowance::new(0.1, 2, Duration::ZERO).unwrap();
        let times = busy(&mut allowance, 1_100, 0.0);
        let between = |start: f64, end: f64| times.iter().filter(|&&time| start <= time && time < end).count();
        assert_eq!(between(280.0, 300.0), 36);
        assert_eq!(between(300.0, 320.0), 41);
        assert_eq!(between(0.0, 600.0) / 10, 108);
    }

    #[test]
    fn who_needs_no_loan_leaves_it_for_when_it_is_needed() {
        let mut allowance = Allowance::new(0.1, 2, Duration::ZERO).unwrap();
        for second in 0..500 {
            busy(&mut allowance, 1, f64::from(second));
        }
        assert_eq!((allowance.owing, allowance.grace), (INSTALMENTS, GRACE));
    }

    #[test]
    fn nothing_is_lent_before_the_last_is_paid_back() {
        let mut allowance = Allowance::new(0.1, 2, Duration::ZERO).unwrap();
        let now = busy(&mut allowance, 60, 0.0).pop().unwrap();
        let before = (allowance.owing, allowance.level(time(now), 2.0));
        assert!(before.0 > 0.0 && before.0 < INSTALMENTS);
        allowance.start_over(time(now), 2.0);
        assert_eq!((allowance.owing, allowance.level(time(now), 2.0)), before);
        let now = busy(&mut allowance, 60, now).pop().unwrap();
        assert_eq!(allowance.owing, 0.0);
        allowance.start_over(time(now), 2.0);
        assert_eq!((allowance.loan().round(), allowance.level(time(now), 2.0).round()), (5.0, 5.0));
    }

    proptest! {
        #[test]
        fn in_no_window_is_more_spent_than_our_share_and_the_loan(
            reserve in 0.01_f64..0.9,
            limit in 1_u32..60,
            pauses in prop::collection::vec((1_usize..20, 0.0_f64..30.0), 1..30),
        ) {
            let mut allowance = Allowance::new(reserve, limit, Duration::ZERO).unwrap();
            let (size, loan) = (allowance.size, allowance.loan());
            let (mut times, mut now) = (Vec::new(), 0.0);
            for (calls, pause) in pauses {
                times.extend(busy(&mut allowance, calls, now));
                now = times[times.len() - 1] + pause;
            }
            for (first, start) in times.iter().enumerate() {
                for (last, end) in times.iter().enumerate().skip(first) {
                    let spent = (last - first + 1) as f64;
                    let most = ((end - start) * 2.0).mul_add(1.0 - reserve, size + loan);
                    prop_assert!(spent <= most + 1e-6, "{spent} in {} s", end - start);
                }
            }
        }

        #[test]
        fn what_is_foretold_comes_true(reserve in 0.01_f64..0.9, limit in 1_u32..60, before in 0_usize..150, calls in 1_usize..100) {
            let mut allowance = Allowance::new(reserve, limit, Duration::ZERO).unwrap();
            let now = busy(&mut allowance, before, 0.0).pop().unwrap_or_default();
            let foretold = now + allowance.seconds_until(calls as f64, time(now), 2.0).max(0.0);
            let last = busy(&mut allowance, calls, now).pop().unwrap();
            prop_assert!(last < foretold + 1e-3, "{last} {foretold}");
            // Unless there was another loan meanwhile.
            prop_assert!(last > foretold - 1e-3 || allowance.lent > Duration::ZERO, "{last} {foretold}");
        }
    }
}
