//! The refill of a bucket, estimated from below.
//!
//! Two answers of one bucket say how much came back between them, at the least: what the second
//! left, plus what our own calls took in between, minus what the first left. Others on the tenant
//! can only have made it more. An answer's `reset` adds a third reading, of a full bucket in the
//! future. Each such pair, over the longest time it can have taken, is a lower bound of the refill,
//! and the greatest one is kept: it comes as close to the truth as the bucket is busy, while paced
//! by it no call is ever too early.

mod marks;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RateClass;
use super::counts::ByClass;
use super::headers::RateLimitHeaders;
use super::wire::{bound, micros};

/// Distance of the answers that later ones are compared with, and their number. Readings
/// are whole numbers, so each comparison is wrong by up to one call: half a minute makes that less
/// than 2 % of the slowest plan's refill.
const SPACING: Duration = Duration::from_secs(2);
const MARKS: usize = 16;

/// The shortest time over which two answers are compared. Where tokens come back by the second
/// instead of one by one, two answers just before and after would promise thousands per second.
const SHORTEST: Duration = Duration::from_millis(1_500);

/// Calls per second that are counted on before anything is known: the slowest bucket that is
/// documented refills 50 in a minute.
const SLOWEST: f64 = 50.0 / 60.0;

/// Calls per second beyond which what another replica says is not believed: several times the fastest that is sold.
const FASTEST: f64 = 10_000.0;

/// Rest of the trust in the estimate after a 429 that it had not foreseen, and how much of
/// it comes back per second. In simulations with others on the tenant, or with refills by the
/// second, forgiving at once doubled the 429s and gained few calls.
const TRUST_AFTER_429: f64 = 0.8;
const TRUST_REGAINED: f64 = 0.02;
const LEAST_TRUST: f64 = 0.1;

/// Calls may come back all at once, by the second, where the plan counts by the minute.
const REFILL_STEP: Duration = Duration::from_secs(1);

/// An answer, and what was going on around it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(from = "HeaderSampleRow", into = "HeaderSampleRow")]
pub(super) struct HeaderSample {
    pub(super) class: RateClass,
    pub(super) headers: RateLimitHeaders,
    /// The call was counted at some time between these two.
    pub(super) sent: Duration,
    pub(super) answered: Duration,
    /// Calls that had been seen to be counted when this one was sent, and with this one.
    pub(super) counted_before: u64,
    pub(super) counted: u64,
    /// Other calls that are on their way as this one is answered.
    pub(super) in_flight: u64,
}

/// A sample as it is shared, without names: there are many of them. Times are in microseconds.
#[derive(Serialize, Deserialize)]
struct HeaderSampleRow(RateClass, u32, u32, Option<u64>, u64, u64, u64, u64, u64);

impl From<HeaderSample> for HeaderSampleRow {
    fn from(seen: HeaderSample) -> Self {
        let RateLimitHeaders { limit, remaining, full_within } = seen.headers;
        let [sent, answered] = [seen.sent, seen.answered].map(micros::whole);
        let HeaderSample { class, counted_before, counted, in_flight, .. } = seen;
        let full_within = full_within.map(micros::whole);
        Self(class, limit, remaining, full_within, sent, answered, counted_before, counted, in_flight)
    }
}

impl From<HeaderSampleRow> for HeaderSample {
    fn from(row: HeaderSampleRow) -> Self {
        let HeaderSampleRow(class, limit, remaining, full_within, sent, answered, counted_before, counted, in_flight) =
            row;
        let full_within = full_within.map(Duration::from_micros);
        let [sent, answered] = [sent, answered].map(Duration::from_micros);
        let headers = RateLimitHeaders { limit, remaining, full_within };
        Self { class, headers, sent, answered, counted_before, counted, in_flight }
    }
}

impl HeaderSample {
    /// True if an answer of a bucket of that size can be like this, where no more calls have been made.
    fn is_plausible(&self, limit: u32, calls: u64) -> bool {
        self.headers.limit == limit
            && self.headers.remaining < limit
            && self.counted_before.max(self.counted).max(self.in_flight) <= calls
    }

    /// The most that was left after the call. Readings are rounded down; and whoever was counted
    /// came to a bucket that was full at most.
    fn left_at_most(&self) -> f64 {
        f64::from((self.headers.remaining + 1).min(self.headers.limit - 1))
    }

    /// Our own calls that were counted after an earlier one, up to and with this, at the
    /// least: not those that were on their way as the earlier was answered or as this was sent.
    fn calls_since(&self, earlier: &Self) -> f64 {
        (self.counted_before.saturating_sub(earlier.counted + earlier.in_flight) + 1) as f64
    }

    /// Calls per second that came back since an earlier answer.
    fn growth_since(&self, earlier: &Self) -> f64 {
        rate(self.gain_since(earlier), earlier.sent, self.answered)
    }

    /// Calls that came back since an earlier answer.
    fn gain_since(&self, earlier: &Self) -> f64 {
        f64::from(self.headers.remaining) + self.calls_since(earlier) - earlier.left_at_most()
    }

    /// The longest time in which they did.
    fn time_since(&self, earlier: &Self) -> Duration {
        self.answered.saturating_sub(earlier.sent)
    }

    /// Calls per second that will have come back since an earlier answer when the bucket is full.
    fn filling_since(&self, earlier: &Self) -> Option<f64> {
        let gain = f64::from(self.headers.limit) + self.calls_since(earlier) - earlier.left_at_most();
        self.headers.full_within.map(|time| rate(gain, earlier.sent, self.answered + time))
    }

    /// Calls per second that will have come back since this answer when the bucket is full.
    fn filling(&self) -> Option<f64> {
        let gain = f64::from(self.headers.limit) - self.left_at_most();
        self.headers.full_within.map(|time| rate(gain, self.sent, self.answered + time))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Refill {
    /// Calls per second, at the least, if any answer told.
    lower: Option<f64>,
    /// The part of it that was there for us at that time, of 1: others take their part.
    trust: f64,
    #[serde(with = "micros")]
    trust_at: Duration,
    /// Calls per second, at the most, by what `reset` says.
    #[serde(with = "bound")]
    upper: f64,
    #[serde(with = "marks")]
    marks: VecDeque<HeaderSample>,
    latest: ByClass<Option<HeaderSample>>,
}

impl Refill {
    pub(super) fn new() -> Self {
        Self {
            lower: None,
            trust: 1.0,
            trust_at: Duration::ZERO,
            upper: f64::INFINITY,
            marks: VecDeque::new(),
            latest: ByClass::default(),
        }
    }

    /// Calls per second, at the least; `None` if no answer told.
    pub(super) fn per_second(&self) -> Option<f64> {
        self.lower
    }

    /// Calls per second to count on.
    pub(super) fn expected(&self, now: Duration) -> f64 {
        self.lower.unwrap_or(0.0).max(SLOWEST) * self.trust(now)
    }

    fn trust(&self, now: Duration) -> f64 {
        (self.trust + now.saturating_sub(self.trust_at).as_secs_f64() * TRUST_REGAINED).min(1.0)
    }

    /// True if an answer can be of this bucket: not if more is left than can have come back since an
    /// answer of another class.
    pub(super) fn accepts(&self, seen: &HeaderSample) -> bool {
        self.before(seen).filter(|earlier| earlier.class != seen.class).all(|earlier| {
            let time = seen.time_since(earlier) + REFILL_STEP;
            seen.gain_since(earlier) <= self.upper * time.as_secs_f64()
        })
    }

    /// Learns from an answer of this bucket.
    pub(super) fn learn(&mut self, seen: &HeaderSample) {
        let mut best = seen.filling().unwrap_or(0.0);
        for earlier in self.before(seen) {
            if seen.time_since(earlier) >= SHORTEST {
                best = best.max(seen.growth_since(earlier));
            }
            best = best.max(seen.filling_since(earlier).unwrap_or(0.0));
        }
        if best > self.lower.unwrap_or(0.0) {
            self.lower = Some(best);
        }
        self.upper = self.upper.min(upper_bound(&seen.headers));
        *self.latest.of_mut(seen.class) = Some(*seen);
        if self.marks.back().is_none_or(|mark| mark.answered + SPACING <= seen.answered) {
            if self.marks.len() == MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back(*seen);
        }
    }

    /// The answers that were there before a call was sent.
    fn before(&self, seen: &HeaderSample) -> impl Iterator<Item = &HeaderSample> {
        let latest = RateClass::ALL.into_iter().filter_map(|class| self.latest.of(class).as_ref());
        let sent = seen.sent;
        latest.chain(&self.marks).filter(move |earlier| earlier.answered <= sent)
    }

    /// A 429 came although there should have been tokens: others are calling too, or tokens do not
    /// come back one by one.
    pub(super) fn doubt(&mut self, now: Duration) {
        self.trust = (self.trust(now) * TRUST_AFTER_429).max(LEAST_TRUST);
        self.trust_at = now;
        // A lump may have been taken for a rate: it is to be seen again.
        self.lower = self.lower.map(|lower| lower * TRUST_AFTER_429);
        self.start_over();
    }

    /// True if a refill can be like this, of a bucket of that size from which no more calls were taken.
    pub(super) fn is_plausible(&self, limit: u32, calls: u64) -> bool {
        let latest = RateClass::ALL.into_iter().filter_map(|class| self.latest.of(class).as_ref());
        self.lower.is_none_or(|lower| (0.0..=FASTEST).contains(&lower))
            && (LEAST_TRUST..=1.0).contains(&self.trust)
            && self.upper >= 0.0
            && self.marks.len() <= MARKS
            && latest.chain(&self.marks).all(|seen| seen.is_plausible(limit, calls))
    }

    /// Another class shares the bucket from now on, so that counts of calls are not comparable.
    pub(super) fn start_over(&mut self) {
        self.marks.clear();
        self.latest = ByClass::default();
    }
}

/// `reset` is less than two seconds late: one for being rounded up, one for `Date` being rounded
/// down.
fn upper_bound(headers: &RateLimitHeaders) -> f64 {
    match headers.full_within.and_then(|time| time.checked_sub(Duration::from_secs(2))) {
        Some(time) if !time.is_zero() => f64::from(headers.limit - headers.remaining) / time.as_secs_f64(),
        _ => f64::INFINITY,
    }
}

fn rate(gain: f64, start: Duration, end: Duration) -> f64 {
    let time = end.saturating_sub(start).as_secs_f64();
    if time > 0.0 { gain / time } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A sample of a bucket of ten: an answer after 100 ms, with nobody else on the way.
    fn seen(class: RateClass, sent: u64, remaining: u32, full_within: Option<u64>, number: u64) -> HeaderSample {
        HeaderSample {
            class,
            headers: RateLimitHeaders { limit: 10, remaining, full_within: full_within.map(Duration::from_secs) },
            sent: ms(sent),
            answered: ms(sent + 100),
            counted_before: number - 1,
            counted: number,
            in_flight: 0,
        }
    }

    fn users(sent: u64, remaining: u32, full_within: Option<u64>, number: u64) -> HeaderSample {
        seen(RateClass::Users, sent, remaining, full_within, number)
    }

    #[test]
    fn reset_is_when_all_that_is_missing_has_come_back() {
        let mut refill = Refill::new();
        // Missing is one at the least; it may have been counted up to 100 ms earlier.
        refill.learn(&users(0, 9, Some(2), 1));
        assert_eq!(refill.per_second(), Some(1.0 / 2.1));
        // A reading of 4 may be nearly 5: two came back by now, and five will.
        refill.learn(&users(900, 4, Some(3), 7));
        assert_eq!(refill.per_second(), Some(7.0 / 4.0));
        assert_eq!(refill.expected(ms(1_000)), 7.0 / 4.0);
    }

    #[test]
    fn what_came_back_between_two_answers_counts() {
        let mut refill = Refill::new();
        refill.learn(&users(0, 9, None, 1));
        assert_eq!(refill.per_second(), None);
        assert_eq!(refill.expected(ms(0)), SLOWEST);
        // Of eleven that were taken since, eight are missing.
        refill.learn(&users(1_400, 1, None, 12));
        assert_eq!(refill.per_second(), Some(3.0 / 1.5));
        // The greatest stays.
        refill.learn(&users(9_900, 9, None, 13));
        assert_eq!(refill.per_second(), Some(3.0 / 1.5));
    }

    #[test]
    fn calls_on_their_way_are_not_counted_upon() {
        let mut refill = Refill::new();
        refill.learn(&HeaderSample { in_flight: 3, ..users(0, 9, None, 1) });
        refill.learn(&HeaderSample { counted_before: 10, ..users(1_400, 1, None, 12) });
        // Of the ten answered before it was sent, the first and the three on their way do not count.
        assert_eq!(refill.per_second(), None);
        refill.learn(&HeaderSample { counted_before: 14, ..users(1_900, 1, None, 16) });
        assert_eq!(refill.per_second(), Some(3.0 / 2.0));
    }

    #[test]
    fn the_times_that_the_two_can_be_apart_decide() {
        let mut refill = Refill::new();
        refill.learn(&HeaderSample { answered: ms(500), ..users(0, 9, None, 1) });
        // It was sent before the other was answered, so either may have been first.
        refill.learn(&HeaderSample { answered: ms(2_000), ..users(499, 9, None, 2) });
        assert_eq!(refill.per_second(), None);
    }

    #[test]
    fn a_lump_is_no_rate() {
        let mut refill = Refill::new();
        refill.learn(&users(0, 0, None, 1));
        refill.learn(&users(200, 9, None, 2));
        assert_eq!(refill.per_second(), None);
    }

    #[test]
    fn doubt_lowers_what_is_expected_and_passes() {
        let mut refill = Refill::new();
        refill.learn(&users(900, 0, Some(5), 1));
        let before = refill.expected(ms(1_000));
        refill.doubt(ms(1_000));
        assert!(refill.expected(ms(1_000)) < 0.7 * before);
        refill.learn(&users(1_000, 0, Some(5), 2));
        assert!(refill.expected(ms(1_000)) < 0.9 * before);
        assert_eq!(refill.expected(ms(30_000)), before);
        for _ in 0..100 {
            refill.doubt(ms(30_000));
        }
        assert!(refill.expected(ms(30_000)) >= SLOWEST * LEAST_TRUST);
    }

    #[test]
    fn more_than_can_have_come_back_is_of_another_bucket() {
        let mut refill = Refill::new();
        // Ten are missing, and it takes more than five seconds to fill: less than 2 per second.
        refill.learn(&users(0, 0, Some(7), 1));
        assert!(refill.accepts(&seen(RateClass::Logs, 200, 0, Some(7), 2)));
        assert!(refill.accepts(&seen(RateClass::Logs, 900, 3, None, 2)));
        assert!(!refill.accepts(&seen(RateClass::Logs, 200, 9, Some(1), 2)));
        // In time, it may.
        assert!(refill.accepts(&seen(RateClass::Logs, 6_000, 9, Some(1), 2)));
        // One class has one bucket, whatever it says.
        assert!(refill.accepts(&users(200, 9, Some(1), 2)));
    }
}
