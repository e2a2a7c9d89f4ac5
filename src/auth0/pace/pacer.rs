//! Who may call when. It is told the time, as a duration since some start, and does nothing.
//!
//! A class is in one of three standings. *Unknown*: no answer has come yet; one call at a time is
//! let go to find out. *Unpaced*: its answers succeed and say nothing of a limit. *Paced*: by a
//! bucket, which it shares with the other classes whose answers tell of the same limit.

use std::time::Duration;

use super::bucket::Bucket;
use super::gate::Gate;
use super::queue::{FairQueue, Ticket, Waiter};
use super::tally::{ByClass, Tally};
use super::{BucketStatus, Class, PaceSettings, Refused};

/// What those are told who are refused before anything is known, and what a first 429 closes an
/// unknown bucket for.
pub(super) const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

/// A call that was let go, and what was known as it went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) class: Class,
    pub(super) asked: Duration,
    pub(super) sent: Duration,
    /// It was sent to find out what its class's bucket is.
    pub(super) is_probe: bool,
    /// The bucket that it was taken from, and how many calls were to be left, at the least.
    pub(super) taken_from: Option<(LaneId, f64)>,
    /// Before it.
    pub(super) tallies: ByClass<Tally>,
}

impl Call {
    /// How long it had to wait.
    pub(super) fn waited(&self) -> Duration {
        self.sent.saturating_sub(self.asked)
    }
}

/// What one that waits is told.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) ticket: Ticket,
    pub(super) outcome: Result<Call, Refused>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneId(u64);

/// A bucket, and those who wait for it.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) bucket: Bucket,
    pub(super) queue: FairQueue,
}

/// What is common to the classes of which nothing is known.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    pub(super) gate: Gate,
    pub(super) queue: FairQueue,
    /// A call is on its way to find out.
    pub(super) is_probing: bool,
}

impl Lane {
    /// How long one would wait from now, if all come back who were told to.
    pub(super) fn wait_of(&self, waiter: &Waiter, now: Duration) -> Duration {
        let wait_for = |calls| self.bucket.wait_for(calls);
        wait_for(self.queue.ahead_of(waiter.reservation, waiter.priority, now, |calls| now + wait_for(calls)) + 1)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    Unknown,
    Unpaced,
    Paced(LaneId),
}

#[derive(Debug)]
pub(super) struct Pacer {
    pub(super) settings: PaceSettings,
    pub(super) now: Duration,
    pub(super) standings: ByClass<Standing>,
    pub(super) tallies: ByClass<Tally>,
    /// The typical time from a call to its answer.
    pub(super) latencies: ByClass<Duration>,
    pub(super) unknown: Unknown,
    pub(super) lanes: Vec<Lane>,
    /// Waiters who need not wait: their class turned out to have no limit.
    pub(super) freed: Vec<Waiter>,
    /// Waiters who would wait in vain.
    pub(super) turned_away: Vec<(Ticket, Refused)>,
    next_id: u64,
}

impl Pacer {
    pub(super) fn new(settings: PaceSettings) -> Self {
        Self {
            settings,
            now: Duration::ZERO,
            standings: ByClass::default(),
            tallies: ByClass::default(),
            latencies: ByClass::default(),
            unknown: Unknown::default(),
            lanes: Vec::new(),
            freed: Vec::new(),
            turned_away: Vec::new(),
            next_id: 0,
        }
    }

    /// One that waits has gone away.
    pub(super) fn leave(&mut self, now: Duration, ticket: Ticket) {
        self.settle(now);
        let queues = self.lanes.iter_mut().map(|lane| &mut lane.queue).chain([&mut self.unknown.queue]);
        for queue in queues {
            queue.remove(ticket);
        }
        self.freed.retain(|waiter| waiter.ticket != ticket);
        self.turned_away.retain(|&(turned_away, _)| turned_away != ticket);
    }

    /// Lets go all that may go now, and refuses all that wait in vain.
    pub(super) fn advance(&mut self, now: Duration) -> Vec<Decision> {
        self.settle(now);
        self.expire();
        let mut decisions: Vec<_> = std::mem::take(&mut self.turned_away)
            .into_iter()
            .map(|(ticket, refused)| Decision { ticket, outcome: Err(refused) })
            .collect();
        for waiter in std::mem::take(&mut self.freed) {
            decisions.push(self.decide(&waiter, Standing::Unpaced));
        }
        while self.may_probe()
            && let Some(waiter) = self.unknown.queue.pop()
        {
            decisions.push(self.decide(&waiter, Standing::Unknown));
        }
        if self.gives_way() {
            return decisions;
        }
        for position in 0..self.lanes.len() {
            while let lane = &mut self.lanes[position]
                && lane.bucket.has_room()
                && let Some(waiter) = lane.queue.pop()
            {
                let standing = Standing::Paced(lane.id);
                decisions.push(self.decide(&waiter, standing));
            }
        }
        decisions
    }

    /// Whether one waits who might go, which is never so after [`Self::advance`]. While the next token of every bucket is
    /// left to a call that finds out, the others wait for that one.
    #[cfg(test)]
    pub(super) fn is_idle_in_vain(&self) -> bool {
        let can_go = |lane: &Lane| !lane.queue.is_empty() && lane.bucket.has_room();
        let can_probe = !self.unknown.queue.is_empty() && self.may_probe();
        can_probe || !self.gives_way() && self.lanes.iter().any(can_go)
    }

    /// When there will be something to decide, if nothing else happens before; `None` if nobody
    /// waits for the time to pass.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        if !self.freed.is_empty() || !self.turned_away.is_empty() {
            return Some(self.now);
        }
        let mut wakes = Vec::new();
        if !self.unknown.queue.is_empty() {
            wakes.extend(self.unknown.queue.first_deadline());
            if !self.unknown.is_probing {
                wakes.push(self.now + self.wait_to_probe());
            }
        }
        for lane in self.lanes.iter().filter(|lane| !lane.queue.is_empty()) {
            wakes.extend(lane.queue.first_deadline());
            if !self.gives_way() {
                wakes.push(self.now + lane.bucket.wait_for(1));
            }
        }
        wakes.into_iter().min()
    }

    /// The buckets as they are known.
    pub(super) fn buckets(&self, now: Duration) -> Vec<BucketStatus> {
        let status = |lane: &Lane| BucketStatus {
            classes: self.classes(lane.id).collect(),
            limit: lane.bucket.limit(),
            remaining: lane.bucket.level_at(now, self.tally(lane.id).in_flight),
            refill_per_second: lane.bucket.refill_per_second(),
            queued: lane.queue.len(),
        };
        self.lanes.iter().map(status).collect()
    }

    /// Brings all estimates up to date. Time never runs backwards here; and within a moment, whatever changes an estimate
    /// keeps it up to date.
    pub(super) fn settle(&mut self, now: Duration) {
        if now <= self.now {
            return;
        }
        self.now = now;
        for position in 0..self.lanes.len() {
            let in_flight = self.tally(self.lanes[position].id).in_flight;
            let lane = &mut self.lanes[position];
            lane.bucket.settle(now, in_flight);
            lane.queue.lapse(now);
        }
    }

    /// Refuses those whose deadline comes before their bucket opens.
    fn expire(&mut self) {
        while let Some(waiter) = self.unknown.queue.pop_late(self.now.max(self.unknown.gate.opens())) {
            let retry_after = self.unknown.gate.retry_at().saturating_sub(self.now).max(UNKNOWN_WAIT);
            self.turned_away.push((waiter.ticket, Refused { retry_after }));
        }
        for lane in &mut self.lanes {
            while let Some(waiter) = lane.queue.pop_late(self.now.max(lane.bucket.gate().opens())) {
                let told = lane.bucket.gate().retry_at().saturating_sub(self.now);
                let retry_after = lane.wait_of(&waiter, self.now).max(told);
                self.turned_away.push((waiter.ticket, Refused { retry_after }));
            }
        }
    }

    /// Lets a call go. One of an unknown class is taken from every bucket, for it may be any.
    pub(super) fn let_go(&mut self, waiter: &Waiter, standing: Standing) -> Call {
        let (class, tallies) = (waiter.class, self.tallies);
        let mut taken_from = None;
        for lane in &mut self.lanes {
            if standing == Standing::Unknown {
                lane.bucket.spend(1);
            } else if standing == Standing::Paced(lane.id) {
                taken_from = Some((lane.id, lane.bucket.spend(1)));
            }
        }
        let is_probe = standing == Standing::Unknown;
        self.unknown.is_probing |= is_probe;
        let tally = self.tallies.of_mut(class);
        tally.sent += 1;
        tally.in_flight += 1;
        Call { class, asked: waiter.asked, sent: self.now, is_probe, taken_from, tallies }
    }

    fn decide(&mut self, waiter: &Waiter, standing: Standing) -> Decision {
        Decision { ticket: waiter.ticket, outcome: Ok(self.let_go(waiter, standing)) }
    }

    pub(super) fn can_probe_at_once(&self) -> bool {
        self.unknown.queue.is_empty() && self.may_probe()
    }

    fn may_probe(&self) -> bool {
        !self.unknown.is_probing && self.wait_to_probe().is_zero()
    }

    fn wait_to_probe(&self) -> Duration {
        let buckets = self.lanes.iter().map(|lane| lane.bucket.wait_for(1));
        buckets.max().unwrap_or_default().max(self.unknown.gate.opens().saturating_sub(self.now))
    }

    /// Whether the known classes leave the next token to a call that finds out about an unknown
    /// one, which would else never find all buckets with a token at a time.
    pub(super) fn gives_way(&self) -> bool {
        !self.unknown.queue.is_empty()
            && !self.unknown.is_probing
            && self.unknown.gate.is_open(self.now)
            && self.lanes.iter().all(|lane| lane.bucket.gate().is_open(self.now))
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = &FairQueue> {
        self.lanes.iter().map(|lane| &lane.queue).chain([&self.unknown.queue])
    }

    /// The classes that a bucket is shared by.
    pub(super) fn classes(&self, id: LaneId) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |&class| *self.standings.of(class) == Standing::Paced(id))
    }

    /// Its calls. Those of unknown classes that are on their way may be of any bucket.
    pub(super) fn tally(&self, id: LaneId) -> Tally {
        let unknown = Class::ALL.into_iter().filter(|&class| *self.standings.of(class) == Standing::Unknown);
        let mut tally = self.tallies.sum(self.classes(id));
        tally.in_flight += self.tallies.sum(unknown).in_flight;
        tally
    }

    pub(super) fn next_lane(&mut self) -> LaneId {
        LaneId(self.next_id())
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
