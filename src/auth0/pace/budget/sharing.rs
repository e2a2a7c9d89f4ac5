//! The budget in several hands: calls that come and go with a replica, a part for one that is alone, and a check of what came from
//! outside.

use std::time::Duration;

use super::super::RateClass;
use super::super::counts::{ByClass, CallCounts};
use super::{Budget, CallGrant, PacingMode};

/// Calls, beyond which what another replica says is not believed: sums of them stay far from overflowing.
const MOST_CALLS: u64 = 1 << 53;

/// The same for calls that are on their way.
const MOST_IN_FLIGHT: u64 = 1_000_000;

/// The same for the typical time that one takes.
const LONGEST_LATENCY: Duration = Duration::from_secs(60 * 60);

/// Most ends of calls that are told one by one, when all calls of a replica are lost.
const MOST_LOST: u64 = 64;

impl Budget {
    pub(in super::super) fn lag(&self) -> Duration {
        self.lag
    }

    /// Sets the time by which it may be later than what it is told.
    pub(in super::super) fn set_lag(&mut self, lag: Duration) {
        self.lag = lag;
    }

    /// Takes note of a call that is made for one of another class of the same bucket.
    pub(in super::super) fn reclass(&mut self, from: RateClass, to: RateClass) {
        let own = self.counts.of_mut(from);
        own.sent = own.sent.saturating_sub(1);
        own.in_flight = own.in_flight.saturating_sub(1);
        let own = self.counts.of_mut(to);
        own.sent += 1;
        own.in_flight += 1;
    }

    /// Takes in calls that were let go elsewhere and have not ended.
    pub(in super::super) fn adopt(&mut self, in_flight: ByClass<u64>, is_probing: bool) {
        for class in RateClass::ALL {
            let counts = self.counts.of_mut(class);
            counts.sent += in_flight.of(class);
            counts.in_flight += in_flight.of(class);
        }
        self.is_probing |= is_probing;
    }

    /// Gives up calls of somebody who is gone: they may have been counted, or may be yet.
    pub(in super::super) fn abandon(&mut self, in_flight: ByClass<u64>, is_probing: bool) {
        let now = self.latest();
        for class in RateClass::ALL {
            let lost = *in_flight.of(class);
            let counts = self.counts.of_mut(class);
            counts.in_flight = counts.in_flight.saturating_sub(lost);
            for _ in 0..lost.min(MOST_LOST) {
                self.observe_class(class, |bucket| bucket.observe_lost(now));
            }
        }
        self.is_probing &= !is_probing;
    }

    /// Makes it the budget of one who is alone, and is one of so many. What has come back since then is parted already.
    pub(in super::super) fn split(&mut self, parts: u32, since: Duration, in_flight: ByClass<u64>, is_probing: bool) {
        self.lineage = fastrand::u64(..);
        self.parts = parts.max(1);
        for class in RateClass::ALL {
            self.counts.of_mut(class).in_flight = *in_flight.of(class);
        }
        self.is_probing = is_probing;
        self.lag = Duration::ZERO;
        if self.parts > 1 {
            for named in &mut self.buckets {
                named.bucket.split(self.reserve, self.parts, since);
            }
        }
    }

    /// Makes it everybody's, who may have taken what it does not know of; without the calls on their way.
    pub(in super::super) fn join_parts(&mut self) {
        if std::mem::replace(&mut self.parts, 1) > 1 {
            for named in &mut self.buckets {
                named.bucket.join_parts(self.reserve);
            }
        }
        for class in RateClass::ALL {
            self.counts.of_mut(class).in_flight = 0;
        }
        self.is_probing = false;
        self.drain();
    }

    /// Sets the share that is left to others; gives back the one that was, if it is another.
    pub(in super::super) fn set_reserve(&mut self, reserve: f64) -> Option<f64> {
        let replaced = std::mem::replace(&mut self.reserve, reserve);
        if replaced == reserve {
            return None;
        }
        for named in &mut self.buckets {
            named.bucket.set_reserve(reserve);
        }
        Some(replaced)
    }

    /// Takes all buckets for empty, since others may have taken calls that nobody told of.
    pub(in super::super) fn drain(&mut self) {
        for named in &mut self.buckets {
            named.bucket.drain();
        }
    }

    /// Calls on their way, by class.
    pub(in super::super) fn in_flight(&self) -> ByClass<u64> {
        let mut in_flight = ByClass::default();
        for class in RateClass::ALL {
            *in_flight.of_mut(class) = self.counts.of(class).in_flight;
        }
        in_flight
    }

    /// True if a grant is of this budget, and its class is still paced as it was.
    pub(in super::super) fn honours(&self, grant: &CallGrant) -> bool {
        let mode = grant.bucket().map_or(PacingMode::Unknown, PacingMode::Paced);
        grant.lineage == self.lineage && self.mode(grant.class) == mode
    }

    /// True if a budget can be like this: what comes from outside may be anything.
    pub(in super::super) fn is_plausible(&self, now: Duration) -> bool {
        let all = self.counts.sum(RateClass::ALL);
        self.now <= now
            && self.parts == 1
            && (0.0..=0.9).contains(&self.reserve)
            && self.gate.is_plausible(now)
            && self.next_id <= MOST_CALLS
            && RateClass::ALL.into_iter().all(|class| self.counts.of(class).are_plausible())
            && RateClass::ALL.into_iter().all(|class| self.latency(class) <= LONGEST_LATENCY)
            && self.buckets.len() <= RateClass::ALL.len()
            && self.buckets.iter().all(|named| {
                named.id.0 <= self.next_id
                    && self.classes(named.id).next().is_some()
                    && self.buckets.iter().filter(|other| other.id == named.id).count() == 1
                    && named.bucket.is_plausible(now, all.sent + all.counted, all.in_flight)
            })
            && RateClass::ALL.into_iter().all(|class| match self.mode(class) {
                PacingMode::Paced(id) => self.bucket(id).is_some(),
                PacingMode::Unknown | PacingMode::Unpaced => true,
            })
    }
}

impl CallCounts {
    fn are_plausible(self) -> bool {
        self.sent.max(self.counted) <= MOST_CALLS && self.in_flight <= MOST_IN_FLIGHT
    }
}
