//! How fast a bucket fills, from below.
//!
//! Two answers of one bucket say how much came back between them, at the least: what the second
//! left, plus what our own calls took in between, minus what the first left. Others on the tenant
//! can only have made it more. An answer's `reset` adds a third reading, of a full bucket in the
//! future. Each such pair, over the longest time it can have taken, is a lower bound of the refill,
//! and the greatest one is kept: it comes as close to the truth as the bucket is busy, while paced
//! by it no call is ever too early.

use std::collections::VecDeque;
use std::time::Duration;

use super::Class;
use super::headers::Reading;
use super::tally::ByClass;

/// How far apart the answers are that later ones are compared with, and how many are kept. Readings
/// are whole numbers, so each comparison is wrong by up to one call: half a minute makes that less
/// than 2 % of the slowest plan's refill.
const SPACING: Duration = Duration::from_secs(1);
const MARKS: usize = 32;

/// The shortest time over which two answers are compared. Where tokens come back by the second
/// instead of one by one, two answers just before and after would promise thousands per second.
const SHORTEST: Duration = Duration::from_millis(1_500);

/// What is left of the estimate after a 429 that it had not foreseen.
const DOUBT: f64 = 0.8;

/// Once it is doubted, the estimate is not lowered further than this, in calls per second: the
/// slowest bucket that is documented refills 50 in a minute.
const SLOWEST: f64 = 0.1;

/// An answer, and what was going on around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    pub(super) class: Class,
    pub(super) reading: Reading,
    /// The call was counted at some time between these two.
    pub(super) sent: Duration,
    pub(super) answered: Duration,
    /// How many calls had been seen to be counted when this one was sent, and with this one.
    pub(super) counted_before: u64,
    pub(super) counted: u64,
    /// How many other calls are on their way as this one is answered.
    pub(super) in_flight: u64,
}

impl Sighting {
    /// The most that was left after the call. Readings are rounded down; and whoever was counted
    /// came to a bucket that was full at most.
    fn left_at_most(&self) -> f64 {
        f64::from((self.reading.remaining + 1).min(self.reading.limit - 1))
    }

    /// How many of our own calls were counted after an earlier one, up to and with this, at the
    /// least: not those that were on their way as the earlier was answered or as this was sent.
    fn calls_since(&self, earlier: &Self) -> f64 {
        (self.counted_before.saturating_sub(earlier.counted + earlier.in_flight) + 1) as f64
    }

    /// Calls per second that came back since an earlier answer.
    fn growth_since(&self, earlier: &Self) -> f64 {
        let gain = f64::from(self.reading.remaining) + self.calls_since(earlier) - earlier.left_at_most();
        rate(gain, earlier.sent, self.answered)
    }

    /// Calls per second that will have come back since an earlier answer when the bucket is full.
    fn filling_since(&self, earlier: &Self) -> Option<f64> {
        let gain = f64::from(self.reading.limit) + self.calls_since(earlier) - earlier.left_at_most();
        self.reading.full_within.map(|time| rate(gain, earlier.sent, self.answered + time))
    }

    /// Calls per second that will have come back since this answer when the bucket is full.
    fn filling(&self) -> Option<f64> {
        let gain = f64::from(self.reading.limit) - self.left_at_most();
        self.reading.full_within.map(|time| rate(gain, self.sent, self.answered + time))
    }
}

/// The class of the answer has a bucket of its own, which happens to be of the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OtherBucket;

#[derive(Debug)]
pub(super) struct Refill {
    /// Calls per second, at the least.
    lower: Option<f64>,
    /// Calls per second, at the most, by what `reset` says.
    upper: f64,
    marks: VecDeque<Sighting>,
    latest: ByClass<Option<Sighting>>,
}

impl Refill {
    pub(super) fn new() -> Self {
        Self { lower: None, upper: f64::INFINITY, marks: VecDeque::new(), latest: ByClass::default() }
    }

    /// Calls per second, at the least.
    pub(super) fn per_second(&self) -> Option<f64> {
        self.lower
    }

    /// Learns from an answer, unless it cannot be of this bucket.
    pub(super) fn learn(&mut self, seen: &Sighting) -> Result<(), OtherBucket> {
        let earlier = || Class::ALL.into_iter().filter_map(|class| self.latest.of(class).as_ref()).chain(&self.marks);
        let mut bounds = vec![seen.filling().unwrap_or(0.0)];
        for mark in earlier().filter(|mark| mark.answered <= seen.sent) {
            let growth = seen.growth_since(mark);
            if mark.class != seen.class && growth > self.upper {
                return Err(OtherBucket);
            }
            if seen.answered.saturating_sub(mark.sent) >= SHORTEST {
                bounds.push(growth);
            }
            bounds.extend(seen.filling_since(mark));
        }
        let best = bounds.into_iter().fold(0.0, f64::max);
        if best > self.lower.unwrap_or(0.0) {
            self.lower = Some(best);
        }
        self.upper = self.upper.min(upper_bound(&seen.reading));
        *self.latest.of_mut(seen.class) = Some(*seen);
        if self.marks.back().is_none_or(|mark| mark.answered + SPACING <= seen.answered) {
            if self.marks.len() == MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back(*seen);
        }
        Ok(())
    }

    /// A 429 came although there should have been tokens: others are calling too, or tokens do not
    /// come back one by one. What was seen before does not count any more.
    pub(super) fn doubt(&mut self) {
        self.lower = self.lower.map(|rate| (rate * DOUBT).max(rate.min(SLOWEST)));
        self.start_over();
    }

    /// Another class shares the bucket from now on, so that counts of calls are not comparable.
    pub(super) fn start_over(&mut self) {
        self.marks.clear();
        self.latest = ByClass::default();
    }
}

/// `reset` is less than two seconds late: one for being rounded up, one for `Date` being rounded
/// down.
fn upper_bound(reading: &Reading) -> f64 {
    match reading.full_within.and_then(|time| time.checked_sub(Duration::from_secs(2))) {
        Some(time) if !time.is_zero() => f64::from(reading.limit - reading.remaining) / time.as_secs_f64(),
        _ => f64::INFINITY,
    }
}

fn rate(gain: f64, start: Duration, end: Duration) -> f64 {
    let time = end.saturating_sub(start).as_secs_f64();
    if time > 0.0 { gain / time } else { 0.0 }
}
