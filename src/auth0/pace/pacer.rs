//! The pacer: decides about each call. It is told the time, as a duration since some start, and does nothing.
//!
//! A class is in one of three modes. *Unknown*: no answer has come yet; one call at a time is
//! let go to find out. *Unpaced*: its answers succeed and say nothing of a limit. *Paced*: by a
//! bucket, which it shares with the other classes whose answers tell of the same limit.

mod admission;
mod learning;

use std::time::Duration;

pub(super) use self::admission::Admitted;
use super::bucket::Bucket;
use super::counts::{ByClass, CallCounts};
use super::gate::Gate;
use super::queue::{FairQueue, Ticket, Waiter};
use super::{BucketStatus, Class, PaceError, PaceSettings};

/// Wait that those are told who are refused before anything is known, and that a first 429 closes an
/// unknown bucket for.
const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

/// A call that was let go, and what was known as it went.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdmittedCall {
    pub(super) class: Class,
    pub(super) asked: Duration,
    pub(super) sent: Duration,
    /// It was sent to find out what its class's bucket is.
    pub(super) is_probe: bool,
    /// The bucket that it was taken from, and how many calls were to be left, at the least.
    taken_from: Option<(BucketId, f64)>,
    /// Before it.
    counts: ByClass<CallCounts>,
}

impl AdmittedCall {
    /// Time that it had to wait.
    pub(super) fn waited(&self) -> Duration {
        self.sent.saturating_sub(self.asked)
    }
}

/// The outcome for a call that waits.
#[derive(Debug)]
pub(super) struct WaitOutcome {
    pub(super) ticket: Ticket,
    pub(super) outcome: Result<AdmittedCall, PaceError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BucketId(u64);

/// A bucket, and those who wait for it.
#[derive(Debug)]
struct BucketQueue {
    id: BucketId,
    bucket: Bucket,
    queue: FairQueue,
}

/// Discovery of the classes of which nothing is known.
#[derive(Debug, Default)]
struct Discovery {
    gate: Gate,
    queue: FairQueue,
    /// A call is on its way to find out.
    is_probing: bool,
}

impl BucketQueue {
    /// Time that one would wait from now, if all come back who were told to.
    fn wait_of(&self, waiter: &Waiter, now: Duration) -> Duration {
        let wait_for = |calls| self.bucket.wait_for(calls);
        wait_for(self.queue.ahead_of(waiter.reservation, waiter.priority, now, |calls| now + wait_for(calls)) + 1)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum PacingMode {
    #[default]
    Unknown,
    Unpaced,
    Paced(BucketId),
}

#[derive(Debug)]
pub(super) struct Pacer {
    settings: PaceSettings,
    now: Duration,
    modes: ByClass<PacingMode>,
    counts: ByClass<CallCounts>,
    /// The typical time from a call to its answer.
    latencies: ByClass<Duration>,
    discovery: Discovery,
    buckets: Vec<BucketQueue>,
    /// Waiters who need not wait: their class turned out to have no limit.
    freed: Vec<Waiter>,
    /// Waiters who would wait in vain.
    refused: Vec<(Ticket, PaceError)>,
    next_id: u64,
}

impl Pacer {
    pub(super) fn new(settings: PaceSettings) -> Self {
        Self {
            settings,
            now: Duration::ZERO,
            modes: ByClass::default(),
            counts: ByClass::default(),
            latencies: ByClass::default(),
            discovery: Discovery::default(),
            buckets: Vec::new(),
            freed: Vec::new(),
            refused: Vec::new(),
            next_id: 0,
        }
    }

    /// Removes one that waits and has gone away.
    pub(super) fn leave(&mut self, now: Duration, ticket: Ticket) {
        self.settle(now);
        let queues = self.buckets.iter_mut().map(|entry| &mut entry.queue).chain([&mut self.discovery.queue]);
        for queue in queues {
            queue.remove(ticket);
        }
        self.freed.retain(|waiter| waiter.ticket != ticket);
        self.refused.retain(|&(refused, _)| refused != ticket);
    }

    /// Lets go all that may go now, and refuses all that wait in vain.
    pub(super) fn advance(&mut self, now: Duration) -> Vec<WaitOutcome> {
        self.settle(now);
        self.expire();
        let mut outcomes: Vec<_> = std::mem::take(&mut self.refused)
            .into_iter()
            .map(|(ticket, refused)| WaitOutcome { ticket, outcome: Err(refused) })
            .collect();
        for waiter in std::mem::take(&mut self.freed) {
            outcomes.push(self.decide(&waiter, PacingMode::Unpaced));
        }
        while self.may_probe()
            && let Some(waiter) = self.discovery.queue.pop()
        {
            outcomes.push(self.decide(&waiter, PacingMode::Unknown));
        }
        if self.yields_to_probe() {
            return outcomes;
        }
        for position in 0..self.buckets.len() {
            while let entry = &mut self.buckets[position]
                && entry.bucket.has_room()
                && let Some(waiter) = entry.queue.pop()
            {
                let mode = PacingMode::Paced(entry.id);
                outcomes.push(self.decide(&waiter, mode));
            }
        }
        outcomes
    }

    /// True if one waits who might go, which is never so after [`Self::advance`]. While the next token of every bucket is
    /// left to a call that finds out, the others wait for that one.
    #[cfg(test)]
    pub(super) fn is_idle_in_vain(&self) -> bool {
        let can_go = |entry: &BucketQueue| !entry.queue.is_empty() && entry.bucket.has_room();
        let can_probe = !self.discovery.queue.is_empty() && self.may_probe();
        can_probe || !self.yields_to_probe() && self.buckets.iter().any(can_go)
    }

    /// The time at which there will be something to decide, if nothing else happens before; `None` if nobody
    /// waits for the time to pass.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        if !self.freed.is_empty() || !self.refused.is_empty() {
            return Some(self.now);
        }
        let mut wakes = Vec::new();
        if !self.discovery.queue.is_empty() {
            wakes.extend(self.discovery.queue.first_deadline());
            if !self.discovery.is_probing {
                wakes.push(self.now + self.wait_to_probe());
            }
        }
        for entry in self.buckets.iter().filter(|entry| !entry.queue.is_empty()) {
            wakes.extend(entry.queue.first_deadline());
            if !self.yields_to_probe() {
                wakes.push(self.now + entry.bucket.wait_for(1));
            }
        }
        wakes.into_iter().min()
    }

    /// The buckets as they are known.
    pub(super) fn buckets(&self, now: Duration) -> Vec<BucketStatus> {
        let status = |entry: &BucketQueue| BucketStatus {
            classes: self.classes(entry.id).collect(),
            limit: entry.bucket.limit(),
            remaining: entry.bucket.level_at(now, self.counts(entry.id).in_flight),
            refill_per_second: entry.bucket.refill_per_second(),
            queued: entry.queue.len(),
        };
        self.buckets.iter().map(status).collect()
    }

    /// Brings all estimates up to date. Time never runs backwards here; and within a moment, whatever changes an estimate
    /// keeps it up to date.
    fn settle(&mut self, now: Duration) {
        if now <= self.now {
            return;
        }
        self.now = now;
        for position in 0..self.buckets.len() {
            let in_flight = self.counts(self.buckets[position].id).in_flight;
            let entry = &mut self.buckets[position];
            entry.bucket.settle(now, in_flight);
            entry.queue.lapse(now);
        }
    }

    /// Refuses those whose deadline comes before their bucket opens.
    fn expire(&mut self) {
        while let Some(waiter) = self.discovery.queue.pop_late(self.now.max(self.discovery.gate.opens())) {
            let retry_after = self.discovery.gate.retry_at().saturating_sub(self.now).max(UNKNOWN_WAIT);
            self.refused.push((waiter.ticket, PaceError { retry_after }));
        }
        for entry in &mut self.buckets {
            while let Some(waiter) = entry.queue.pop_late(self.now.max(entry.bucket.gate().opens())) {
                let told = entry.bucket.gate().retry_at().saturating_sub(self.now);
                let retry_after = entry.wait_of(&waiter, self.now).max(told);
                self.refused.push((waiter.ticket, PaceError { retry_after }));
            }
        }
    }

    /// Lets a call go. One of an unknown class is taken from every bucket, for it may be any.
    fn dispatch(&mut self, waiter: &Waiter, mode: PacingMode) -> AdmittedCall {
        let (class, counts) = (waiter.class, self.counts);
        let mut taken_from = None;
        for entry in &mut self.buckets {
            if mode == PacingMode::Unknown {
                entry.bucket.spend(1);
            } else if mode == PacingMode::Paced(entry.id) {
                taken_from = Some((entry.id, entry.bucket.spend(1)));
            }
        }
        let is_probe = mode == PacingMode::Unknown;
        self.discovery.is_probing |= is_probe;
        let own = self.counts.of_mut(class);
        own.sent += 1;
        own.in_flight += 1;
        AdmittedCall { class, asked: waiter.asked, sent: self.now, is_probe, taken_from, counts }
    }

    fn decide(&mut self, waiter: &Waiter, mode: PacingMode) -> WaitOutcome {
        WaitOutcome { ticket: waiter.ticket, outcome: Ok(self.dispatch(waiter, mode)) }
    }

    fn can_probe_at_once(&self) -> bool {
        self.discovery.queue.is_empty() && self.may_probe()
    }

    fn may_probe(&self) -> bool {
        !self.discovery.is_probing && self.wait_to_probe().is_zero()
    }

    fn wait_to_probe(&self) -> Duration {
        let buckets = self.buckets.iter().map(|entry| entry.bucket.wait_for(1));
        buckets.max().unwrap_or_default().max(self.discovery.gate.opens().saturating_sub(self.now))
    }

    /// True if the known classes leave the next token to a call that finds out about an unknown
    /// one, which would else never find all buckets with a token at a time.
    fn yields_to_probe(&self) -> bool {
        !self.discovery.queue.is_empty()
            && !self.discovery.is_probing
            && self.discovery.gate.is_open(self.now)
            && self.buckets.iter().all(|entry| entry.bucket.gate().is_open(self.now))
    }

    fn queues(&self) -> impl Iterator<Item = &FairQueue> {
        self.buckets.iter().map(|entry| &entry.queue).chain([&self.discovery.queue])
    }

    /// The classes that a bucket is shared by.
    fn classes(&self, id: BucketId) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |&class| *self.modes.of(class) == PacingMode::Paced(id))
    }

    /// Its calls. Those of unknown classes that are on their way may be of any bucket.
    fn counts(&self, id: BucketId) -> CallCounts {
        let unknown = Class::ALL.into_iter().filter(|&class| *self.modes.of(class) == PacingMode::Unknown);
        let mut counts = self.counts.sum(self.classes(id));
        counts.in_flight += self.counts.sum(unknown).in_flight;
        counts
    }

    fn next_bucket(&mut self) -> BucketId {
        BucketId(self.next_id())
    }

    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
