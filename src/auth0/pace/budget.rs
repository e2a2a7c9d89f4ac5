//! The budget: what is known of a tenant's buckets, and the calls that were taken from them.
//!
//! A class is in one of three modes. *Unknown*: no answer has come yet; one call at a time is
//! let go to find out. *Unpaced*: its answers succeed and say nothing of a limit. *Paced*: by a
//! bucket, which it shares with the other classes whose answers tell of the same limit.
//!
//! It knows nothing of those who wait, so that it can be kept where several replicas see it.

mod learning;
mod sharing;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RateClass;
use super::bucket::Bucket;
use super::counts::{ByClass, CallCounts};
use super::gate::Gate;
use super::wire::micros;

/// Time that a first 429 closes an unknown bucket for.
pub(super) const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

/// Names a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BucketId(u64);

/// A bucket under its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NamedBucket {
    pub(super) id: BucketId,
    pub(super) bucket: Bucket,
}

/// The way in which calls of a class are let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PacingMode {
    #[default]
    Unknown,
    Unpaced,
    Paced(BucketId),
}

/// A grant of one call, and what was known as it was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallGrant {
    pub(super) class: RateClass,
    /// The time at which the call is sent, at the earliest.
    pub(super) sent: Duration,
    /// True if it is sent to find out what its class's bucket is.
    pub(super) is_probe: bool,
    /// True if it is among the calls on their way.
    pub(super) is_counted: bool,
    lineage: u64,
    /// The bucket that it was taken from, and how many calls were to be left, at the least.
    taken_from: Option<(BucketId, f64)>,
    /// The counts of calls before it.
    counts: ByClass<CallCounts>,
}

impl CallGrant {
    /// The bucket that it was taken from.
    pub(super) fn bucket(&self) -> Option<BucketId> {
        self.taken_from.map(|(id, _)| id)
    }
}

/// The budget of a tenant. It is told the time, as a duration since some start, and does nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Budget {
    /// Tells budgets apart whose counts have nothing to do with each other.
    lineage: u64,
    reserve: f64,
    /// The number of equal parts of each bucket of which one is ours.
    parts: u32,
    #[serde(with = "micros")]
    now: Duration,
    modes: ByClass<PacingMode>,
    counts: ByClass<CallCounts>,
    /// The typical time from a call to its answer.
    #[serde(with = "micros::by_class")]
    latencies: ByClass<Duration>,
    /// The gate of the classes of which nothing is known.
    gate: Gate,
    /// True if a call is on its way to find out.
    is_probing: bool,
    buckets: Vec<NamedBucket>,
    next_id: u64,
    /// Time by which it may be later than `now`.
    #[serde(skip)]
    lag: Duration,
}

impl Budget {
    /// A budget of which nothing is known.
    pub(super) fn new(reserve: f64) -> Self {
        Self {
            lineage: fastrand::u64(..),
            reserve,
            parts: 1,
            now: Duration::ZERO,
            modes: ByClass::default(),
            counts: ByClass::default(),
            latencies: ByClass::default(),
            gate: Gate::default(),
            is_probing: false,
            buckets: Vec::new(),
            next_id: 0,
            lag: Duration::ZERO,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    pub(super) fn mode(&self, class: RateClass) -> PacingMode {
        *self.modes.of(class)
    }

    pub(super) fn modes(&self) -> ByClass<PacingMode> {
        self.modes
    }

    pub(super) fn latency(&self, class: RateClass) -> Duration {
        *self.latencies.of(class)
    }

    /// The gate of the classes of which nothing is known.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) fn is_probing(&self) -> bool {
        self.is_probing
    }

    pub(super) fn buckets(&self) -> &[NamedBucket] {
        &self.buckets
    }

    pub(super) fn bucket(&self, id: BucketId) -> Option<&Bucket> {
        self.buckets.iter().find(|named| named.id == id).map(|named| &named.bucket)
    }

    /// Brings all estimates up to date. Time never runs backwards here; and within a moment, whatever changes an estimate
    /// keeps it up to date.
    pub(super) fn set_time(&mut self, now: Duration) {
        if now <= self.now {
            return;
        }
        self.now = now;
        for position in 0..self.buckets.len() {
            let in_flight = self.counts(self.buckets[position].id).in_flight;
            self.buckets[position].bucket.set_time(now, in_flight);
        }
    }

    /// Lets a call go. One of an unknown class is taken from every bucket, for it may be any.
    pub(super) fn grant(&mut self, class: RateClass) -> CallGrant {
        let (mode, counts) = (self.mode(class), self.counts);
        let mut taken_from = None;
        for NamedBucket { id, bucket } in &mut self.buckets {
            if mode == PacingMode::Unknown {
                bucket.spend(1);
            } else if mode == PacingMode::Paced(*id) {
                taken_from = Some((*id, bucket.spend(1)));
            }
        }
        let is_probe = mode == PacingMode::Unknown;
        self.is_probing |= is_probe;
        let own = self.counts.of_mut(class);
        own.sent += 1;
        own.in_flight += 1;
        CallGrant { class, sent: self.now, is_probe, is_counted: true, lineage: self.lineage, taken_from, counts }
    }

    /// A grant of a call that needs none, and of which nobody is told.
    pub(super) fn free_grant(&self, class: RateClass) -> CallGrant {
        CallGrant {
            class,
            sent: self.now,
            is_probe: false,
            is_counted: false,
            lineage: self.lineage,
            taken_from: None,
            counts: self.counts,
        }
    }

    /// Calls that could go now, at the least.
    pub(super) fn level(&self, id: BucketId, now: Duration) -> f64 {
        self.bucket(id).map_or(0.0, |bucket| bucket.level_at(now, self.counts(id).in_flight))
    }

    /// True if a call may go to find out.
    pub(super) fn may_probe(&self) -> bool {
        !self.is_probing && self.wait_to_probe().is_zero()
    }

    /// Time until a call may go to find out, if none is on its way.
    pub(super) fn wait_to_probe(&self) -> Duration {
        let buckets = self.buckets.iter().map(|named| named.bucket.wait_for(1));
        buckets.max().unwrap_or_default().max(self.gate.opens().saturating_sub(self.now))
    }

    /// True if the known classes leave the next token to a call that finds out about an unknown
    /// one, where one waits, which would else never find all buckets with a token at a time.
    pub(super) fn yields_to_probe(&self) -> bool {
        !self.is_probing
            && self.gate.is_open(self.now)
            && self.buckets.iter().all(|named| named.bucket.gate().is_open(self.now))
    }

    /// The classes that a bucket is shared by.
    pub(super) fn classes(&self, id: BucketId) -> impl Iterator<Item = RateClass> {
        RateClass::ALL.into_iter().filter(move |&class| *self.modes.of(class) == PacingMode::Paced(id))
    }

    /// Its calls. Those of unknown classes that are on their way may be of any bucket.
    fn counts(&self, id: BucketId) -> CallCounts {
        let unknown = RateClass::ALL.into_iter().filter(|&class| *self.modes.of(class) == PacingMode::Unknown);
        let mut counts = self.counts.sum(self.classes(id));
        counts.in_flight += self.counts.sum(unknown).in_flight;
        counts
    }

    fn bucket_of(&mut self, class: RateClass) -> Option<&mut Bucket> {
        let mode = self.mode(class);
        self.buckets.iter_mut().find(|named| mode == PacingMode::Paced(named.id)).map(|named| &mut named.bucket)
    }
}
