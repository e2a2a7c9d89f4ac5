//! A bucket: the calls that it allows now, estimated from below.
//!
//! The estimate is a lower bound of what the real bucket would hold if every call that was let go
//! had arrived. It falls by one with each call, rises with the refill, and rises to what answers
//! prove. It is lowered only when an answer shows it to be wrong, which takes somebody else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::gate::{Closed, Gate};
use super::refill::{HeaderSample, Refill};
use super::share::Share;
use super::wire::micros;

/// Time after which a call that was given up may still arrive at Auth0.
const STRAGGLER: Duration = Duration::from_secs(2);

/// Time for which an answer that said nothing of the bucket is remembered: about as long as the calls
/// last that were on their way with it.
const UNREAD_MEMORY: Duration = Duration::from_secs(10);

/// Size of a bucket, seconds of its refill that it may owe, and ends of calls that are remembered, beyond which what another replica
/// says is not believed.
const LARGEST: u32 = 100_000;
const LONGEST_DEBT: f64 = 60.0;
const MOST_OBSERVATIONS: usize = 1_000;

/// Times as much that our share may owe: what was taken from it counts for longer.
const LONGEST_SHARE: f64 = 4.0;

/// No wait is longer, so that times can be added up.
const LONGEST_WAIT: f64 = 24.0 * 60.0 * 60.0;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    limit: u32,
    level: f64,
    /// The time of `level`.
    #[serde(with = "micros")]
    at: Duration,
    refill: Refill,
    share: Option<Share>,
    observations: Vec<Observation>,
    /// The time at which the newest of the calls was sent that are known to be counted.
    #[serde(with = "micros")]
    newest_counted: Duration,
    gate: Gate,
}

/// The end of a call that may have been counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "(u64, Option<u32>)", into = "(u64, Option<u32>)")]
struct Observation {
    at: Duration,
    remaining: Option<u32>,
}

impl From<(u64, Option<u32>)> for Observation {
    fn from((at, remaining): (u64, Option<u32>)) -> Self {
        Self { at: Duration::from_micros(at), remaining }
    }
}

impl From<Observation> for (u64, Option<u32>) {
    fn from(observation: Observation) -> Self {
        (micros::whole(observation.at), observation.remaining)
    }
}

impl Bucket {
    /// A bucket that a call was found to be counted in.
    pub(super) fn new(limit: u32, reserve: f64, now: Duration) -> Self {
        let refill = Refill::new();
        let mut share = Share::new(reserve, limit, now);
        if let Some(share) = &mut share {
            share.spend(1.0);
        }
        Self {
            limit,
            level: 0.0,
            at: now,
            refill,
            share,
            observations: Vec::new(),
            newest_counted: Duration::ZERO,
            gate: Gate::default(),
        }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    pub(super) fn refill_per_second(&self) -> Option<f64> {
        self.refill.per_second()
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Calls that may go at that time, with so many on their way since.
    pub(super) fn level_at(&self, now: Duration, in_flight: u64) -> f64 {
        let stragglers = self.observations.iter().filter(|observation| observation.at > self.at).count() as u64;
        // A call that is on its way may find the bucket full and take one only then.
        let most = f64::from(self.limit) - (in_flight + stragglers) as f64;
        (self.level + self.time_since(now) * self.rate()).min(most)
    }

    /// Brings the estimate up to date. To be called before anything changes.
    pub(super) fn set_time(&mut self, now: Duration, in_flight: u64) {
        self.level = self.level_at(now, in_flight);
        self.at = now;
        let rate = self.rate();
        if let Some(share) = &mut self.share {
            share.set_time(now, rate);
        }
    }

    /// True if a call may go, the estimate being up to date.
    pub(super) fn has_room(&self) -> bool {
        self.wait_for(1).is_zero()
    }

    /// Time until so many calls may have gone, if nobody else calls; zero if they may go now.
    pub(super) fn wait_for(&self, calls: usize) -> Duration {
        let calls = calls as f64;
        let mut seconds = (calls - self.level) / self.rate();
        if let Some(share) = &self.share {
            seconds = seconds.max(share.seconds_until(calls, self.at, self.rate()));
        }
        let wait = if seconds > 0.0 {
            // Up by a little, lest rounding make it too early by as much.
            Duration::from_secs_f64(seconds.min(LONGEST_WAIT)) + Duration::from_micros(1)
        } else {
            Duration::ZERO
        };
        wait.max(self.gate.opens().saturating_sub(self.at))
    }

    /// Lets calls go; gives back what is left.
    pub(super) fn spend(&mut self, calls: u64) -> f64 {
        self.level -= calls as f64;
        if let Some(share) = &mut self.share {
            share.spend(calls as f64);
        }
        self.level
    }

    /// A call that was let go was not sent.
    pub(super) fn refund(&mut self) {
        self.level += 1.0;
        if let Some(share) = &mut self.share {
            share.refund();
        }
    }

    /// True if an answer can be of this bucket.
    pub(super) fn accepts(&self, seen: &HeaderSample) -> bool {
        self.limit == seen.headers.limit && self.refill.accepts(seen)
    }

    /// An answer of this bucket. `promised` is what was to be left after the call, at the least, by
    /// the estimate.
    pub(super) fn observe(&mut self, seen: &HeaderSample, promised: Option<f64>) {
        self.refill.learn(seen);
        self.newest_counted = self.newest_counted.max(seen.sent);
        self.record(Observation { at: seen.answered, remaining: Some(seen.headers.remaining) });

        let proven = self.proven(seen.in_flight);
        let is_refuted = promised.is_some_and(|promised| promised > f64::from(seen.headers.remaining) + 1.0);
        self.level = if is_refuted { self.level.min(proven) } else { self.level.max(proven) };
    }

    /// Calls that answers prove to be left. Whichever call was counted last left what it said; which one
    /// that was is not known of those that overlapped, so the least is taken. All that are not
    /// known to be counted may be counted yet.
    fn proven(&self, in_flight: u64) -> f64 {
        let least = self.observations.iter().filter_map(|observation| observation.remaining).min().unwrap_or(0);
        let unread = self.observations.iter().filter(|observation| observation.remaining.is_none()).count() as u64;
        (f64::from(least) - unread as f64).max(0.0) - in_flight as f64
    }

    /// An answer that said nothing of the bucket.
    pub(super) fn observe_unread(&mut self, now: Duration) {
        self.record(Observation { at: now, remaining: None });
    }

    /// A call was given up: it may have been counted, or may be yet.
    pub(super) fn observe_lost(&mut self, now: Duration) {
        self.record(Observation { at: now + STRAGGLER, remaining: None });
    }

    fn record(&mut self, observation: Observation) {
        self.observations.push(observation);
        // A call that ended before another was sent that was counted, was counted before it, or never.
        let (newest, now) = (self.newest_counted, self.at);
        self.observations.retain(|observation| {
            observation.at >= newest && (observation.remaining.is_some() || observation.at + UNREAD_MEMORY >= now)
        });
    }

    /// A call sent then was answered with anything but a 429.
    pub(super) fn passed(&mut self, sent: Duration) {
        self.gate.passed(sent);
    }

    /// A call sent then was answered with a 429. Gives back for how long the bucket is closed.
    pub(super) fn close(&mut self, sent: Duration, retry_after: Option<Duration>) -> Duration {
        // At least a second if the refill is not known, as auth0/go-auth0#501 advises.
        let one_call = self.rate().recip().max(if self.refill.per_second().is_none() { 1.0 } else { 0.0 });
        let Closed { wait, is_news } = self.gate.close(sent, self.at, retry_after, Duration::from_secs_f64(one_call));
        if is_news {
            let rate = self.rate();
            if let Some(share) = &mut self.share {
                share.start_over(self.at, rate);
            }
            self.refill.doubt(self.at);
        }
        // One call goes first when it opens, and its answer says how many may follow.
        self.level = self.level.min(1.0 - wait.as_secs_f64() * self.rate());
        wait
    }

    /// Leaves the others their parts of it since then: what is ours is one of so many equal ones.
    pub(super) fn split(&mut self, reserve: f64, parts: u32, since: Duration) {
        self.level = self.level.min(self.level / f64::from(parts));
        self.share = Some(Share::of_one((1.0 - reserve) / f64::from(parts), self.limit, since));
    }

    /// Takes the parts together again.
    pub(super) fn join_parts(&mut self, reserve: f64) {
        self.set_reserve(reserve);
        self.drain();
    }

    /// Leaves others so much of it from now on. Nothing has come together yet of what is ours.
    pub(super) fn set_reserve(&mut self, reserve: f64) {
        self.share = Share::new(reserve, self.limit, self.at);
        let rate = self.rate();
        if let Some(share) = &mut self.share {
            share.drain(self.at, rate);
        }
    }

    /// Takes it for empty, since others may have taken calls that nobody told of.
    pub(super) fn drain(&mut self) {
        self.level = self.level.min(0.0);
        let rate = self.rate();
        if let Some(share) = &mut self.share {
            share.drain(self.at, rate);
        }
    }

    /// True if a bucket can be like this, with so many calls made and on their way.
    pub(super) fn is_plausible(&self, now: Duration, calls: u64, in_flight: u64) -> bool {
        let rate = self.refill.expected(now);
        // After a 429 it owes what comes back until it opens.
        let owed = f64::from(self.limit) + in_flight as f64 + rate * LONGEST_DEBT;
        (1..=LARGEST).contains(&self.limit)
            && self.at <= now
            && (-owed..=f64::from(self.limit)).contains(&self.level)
            && self.gate.is_plausible(now)
            && self.refill.is_plausible(self.limit, calls)
            && self.observations.len() <= MOST_OBSERVATIONS
            && self.observations.iter().all(|observation| observation.at <= now + STRAGGLER)
            && self.newest_counted <= now
            && self.share.as_ref().is_none_or(|share| share.is_plausible(now, self.limit, LONGEST_SHARE * owed))
    }

    /// Calls of one more class are counted here, so many of which are on their way.
    pub(super) fn join(&mut self, in_flight: u64) {
        self.refill.start_over();
        self.spend(in_flight);
    }

    fn rate(&self) -> f64 {
        self.refill.expected(self.at)
    }

    fn time_since(&self, now: Duration) -> f64 {
        now.saturating_sub(self.at).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::super::RateClass;
    use super::super::headers::RateLimitHeaders;
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn seen(sent: u64, answered: u64, remaining: u32, in_flight: u64) -> HeaderSample {
        HeaderSample {
            class: RateClass::Users,
            headers: RateLimitHeaders { limit: 10, remaining, full_within: None },
            sent: ms(sent),
            answered: ms(answered),
            counted_before: 0,
            counted: 1,
            in_flight,
        }
    }

    /// A bucket of ten, seen to have so many left at 100 ms.
    fn bucket(remaining: u32) -> Bucket {
        let mut bucket = Bucket::new(10, 0.0, ms(100));
        bucket.observe(&seen(0, 100, remaining, 0), None);
        bucket
    }

    #[test]
    fn what_is_left_may_go_at_once_and_then_one_at_a_time() {
        let mut bucket = bucket(3);
        assert_eq!(bucket.wait_for(3), Duration::ZERO);
        bucket.spend(3);
        let one = bucket.wait_for(1);
        assert_eq!(one.as_millis(), 1_200);
        assert_eq!(bucket.wait_for(2).as_millis(), 2_400);
        bucket.set_time(ms(100) + one, 0);
        assert!(bucket.has_room());
    }

    #[test]
    fn calls_on_their_way_are_spent() {
        let mut bucket = bucket(3);
        bucket.spend(2);
        bucket.observe(&seen(100, 200, 2, 1), Some(2.0));
        assert_eq!(bucket.level_at(ms(100), 1), 1.0);
    }

    #[test]
    fn a_late_answer_of_an_earlier_call_raises_nothing() {
        let mut bucket = bucket(9);
        bucket.spend(9);
        // Sent last, and counted last: nothing is left.
        bucket.observe(&seen(150, 200, 0, 8), None);
        for remaining in 1..9 {
            bucket.observe(&seen(100, 300, remaining, u64::from(8 - remaining)), None);
            assert!(bucket.level_at(ms(100), 0) <= 0.0, "{remaining}");
        }
    }

    #[test]
    fn a_call_that_was_given_up_may_arrive_yet() {
        let mut bucket = bucket(5);
        bucket.spend(2);
        bucket.observe_lost(ms(150));
        bucket.observe(&seen(160, 260, 5, 0), None);
        assert_eq!(bucket.level_at(ms(100), 0), 4.0);
        // Not for ever.
        bucket.observe(&seen(3_000, 3_100, 9, 0), None);
        assert_eq!(bucket.level_at(ms(100), 0), 9.0);
    }

    #[test]
    fn an_answer_that_says_nothing_is_a_call_all_the_same() {
        let mut bucket = bucket(5);
        bucket.spend(2);
        bucket.observe_unread(ms(250));
        bucket.observe(&seen(160, 260, 5, 0), None);
        assert_eq!(bucket.level_at(ms(100), 0), 4.0);
    }

    #[test]
    fn others_are_noticed() {
        let mut bucket = bucket(9);
        let promised = bucket.spend(1);
        bucket.observe(&seen(100, 200, 2, 0), Some(promised));
        assert_eq!(bucket.level_at(ms(100), 0), 2.0);
    }

    #[test]
    fn a_bucket_is_never_fuller_than_full() {
        let mut bucket = bucket(5);
        bucket.set_time(ms(3_600_000), 2);
        assert_eq!(bucket.level_at(ms(3_600_000), 2), 8.0);
    }

    #[test]
    fn one_call_goes_first_after_a_429() {
        let mut bucket = bucket(8);
        bucket.spend(1);
        let wait = bucket.close(ms(100), Some(ms(20_000)));
        assert_eq!(wait, ms(20_000));
        assert_eq!(bucket.wait_for(1).as_millis(), wait.as_millis());
        bucket.set_time(ms(100) + wait, 0);
        assert!(bucket.wait_for(2) > Duration::ZERO);
        bucket.spend(1);
        bucket.observe(&seen(20_100, 20_200, 6, 0), None);
        assert_eq!(bucket.wait_for(6), Duration::ZERO);
    }
}
