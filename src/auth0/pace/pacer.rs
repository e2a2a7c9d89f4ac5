//! The pacer: decides about each call. It is told the time, as a duration since some start, and does nothing.
//!
//! Alone, it takes from a [`budget`](super::budget) of its own. As one of several replicas it sees a copy of their budget, takes from it
//! by [`exchange`]s, and lets calls go for the leases that it has been given.

mod admission;
mod clock;
mod exchange;
mod leases;
mod membership;
mod outcome;

use std::time::Duration;

pub(super) use self::admission::Admitted;
use self::leases::Leases;
use self::membership::PacingMembership;
pub(super) use self::membership::{CompareAndSet, MOST_BYTES};
pub(super) use self::outcome::{CompareAndSetOutcome, ExchangeOutcome};
use super::budget::{BucketId, CallGrant, PacingMode, UNKNOWN_WAIT};
use super::counts::ByClass;
use super::fleet_budget::{CallEvent, EventKind, FleetBudget};
use super::gate::Gate;
use super::headers::RateLimitHeaders;
use super::queue::{FairQueue, Ticket, Waiter};
use super::{BucketStatus, FleetStatus, PaceError, PaceSettings, RateClass};

/// A call that was let go.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdmittedCall {
    pub(super) asked: Duration,
    pub(super) sent: Duration,
    pub(super) grant: CallGrant,
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

/// The queue of those who wait for a bucket.
#[derive(Debug)]
struct BucketQueue {
    bucket: BucketId,
    waiters: FairQueue,
}

#[derive(Debug)]
pub(super) struct Pacer {
    settings: PaceSettings,
    now: Duration,
    /// The budget, as far as it is known here.
    known: FleetBudget,
    /// Time by which the budget's clock is ahead.
    offset: Duration,
    membership: Option<PacingMembership>,
    leases: Leases,
    /// The time until which nothing goes for a class after a 429 of this replica's own, whatever others say.
    held_until: ByClass<Duration>,
    /// Waiters of the classes of which nothing is known.
    discovery: FairQueue,
    queues: Vec<BucketQueue>,
    /// The modes by which the waiters were given their places.
    placed: ByClass<PacingMode>,
    /// Waiters who need not wait: their class turned out to have no limit.
    freed: Vec<Waiter>,
    /// Waiters who would wait in vain.
    refused: Vec<(Ticket, PaceError)>,
    next_ticket: u64,
}

impl Pacer {
    pub(super) fn new(settings: PaceSettings) -> Self {
        Self {
            settings,
            now: Duration::ZERO,
            known: FleetBudget::new(settings.reserve),
            offset: Duration::ZERO,
            membership: None,
            leases: Leases::default(),
            held_until: ByClass::default(),
            discovery: FairQueue::default(),
            queues: Vec::new(),
            placed: ByClass::default(),
            freed: Vec::new(),
            refused: Vec::new(),
            next_ticket: 0,
        }
    }

    /// A call was answered with anything but a 429.
    pub(super) fn answered(
        &mut self,
        now: Duration,
        call: &AdmittedCall,
        headers: Option<RateLimitHeaders>,
        is_success: bool,
    ) {
        self.record_event(now, call, EventKind::Answered { headers, is_success });
    }

    /// A call was answered with a 429. Gives back how long until another may go.
    pub(super) fn limited(&mut self, now: Duration, call: &AdmittedCall, retry_after: Option<Duration>) -> Duration {
        let wait = self.record_event(now, call, EventKind::Limited { retry_after });
        *self.held_until.of_mut(call.grant.class) = self.now + wait;
        wait
    }

    /// A call was given up, or failed without an answer.
    pub(super) fn lost(&mut self, now: Duration, call: &AdmittedCall) {
        self.record_event(now, call, EventKind::Lost);
    }

    /// A call that was let go was not sent.
    pub(super) fn withdraw(&mut self, now: Duration, call: &AdmittedCall) {
        self.record_event(now, call, EventKind::Withdrawn);
    }

    /// Removes one that waits and has gone away.
    pub(super) fn leave(&mut self, now: Duration, ticket: Ticket) {
        self.set_time(now);
        let queues = self.queues.iter_mut().map(|queue| &mut queue.waiters).chain([&mut self.discovery]);
        for queue in queues {
            queue.remove(ticket);
        }
        self.freed.retain(|waiter| waiter.ticket != ticket);
        self.refused.retain(|&(refused, _)| refused != ticket);
    }

    /// Lets go all that may go now, and refuses all that wait in vain.
    pub(super) fn advance(&mut self, now: Duration) -> Vec<WaitOutcome> {
        self.set_time(now);
        self.expire();
        let mut outcomes: Vec<_> = std::mem::take(&mut self.refused)
            .into_iter()
            .map(|(ticket, refused)| WaitOutcome { ticket, outcome: Err(refused) })
            .collect();
        for waiter in std::mem::take(&mut self.freed) {
            outcomes.push(self.decide(&waiter));
        }
        while self.may_probe()
            && let Some(waiter) = self.discovery.pop()
        {
            outcomes.push(self.decide(&waiter));
        }
        if self.yields_to_probe() {
            return outcomes;
        }
        for position in 0..self.queues.len() {
            while self.has_room(self.queues[position].bucket)
                && let Some(waiter) = self.queues[position].waiters.pop()
            {
                outcomes.push(self.decide(&waiter));
            }
        }
        outcomes
    }

    /// True if one waits who might go, which is never so after [`Self::advance`]. While the next token of every bucket is
    /// left to a call that finds out, the others wait for that one.
    #[cfg(test)]
    pub(super) fn is_idle_in_vain(&self) -> bool {
        let can_go = |queue: &BucketQueue| !queue.waiters.is_empty() && self.has_room(queue.bucket);
        let can_probe = !self.discovery.is_empty() && self.may_probe();
        can_probe || !self.yields_to_probe() && self.queues.iter().any(can_go)
    }

    /// The time at which there will be something to decide, if nothing else happens before; `None` if nobody
    /// waits for the time to pass.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        if !self.freed.is_empty() || !self.refused.is_empty() {
            return Some(self.now);
        }
        // Replicas get what they share by exchanges.
        let is_alone = !self.is_sharing();
        let budget = self.known.budget();
        let mut wakes = Vec::new();
        if !self.discovery.is_empty() {
            wakes.extend(self.discovery.first_deadline());
            if is_alone && !budget.is_probing() {
                wakes.push(self.now + budget.wait_to_probe());
            }
        }
        for BucketQueue { bucket: id, waiters: queue } in self.queues.iter().filter(|queue| !queue.waiters.is_empty()) {
            wakes.extend(queue.first_deadline());
            if is_alone && !self.yields_to_probe() {
                wakes.extend(budget.bucket(*id).map(|bucket| self.now + bucket.wait_for(1)));
            }
        }
        wakes.into_iter().min()
    }

    /// The buckets as they are known.
    pub(super) fn buckets(&self, now: Duration) -> Vec<BucketStatus> {
        let budget = self.known.budget();
        let status = |queue: &BucketQueue| {
            Some(BucketStatus {
                classes: budget.classes(queue.bucket).collect(),
                limit: budget.bucket(queue.bucket)?.limit(),
                remaining: budget.level(queue.bucket, now + self.offset),
                refill_per_second: budget.bucket(queue.bucket)?.refill_per_second(),
                queued: queue.waiters.len(),
            })
        };
        self.queues.iter().filter_map(status).collect()
    }

    /// The replicas that the budget is shared with; `None` if it never is.
    pub(super) fn fleet(&self) -> Option<FleetStatus> {
        self.membership.as_ref().map(|_| FleetStatus {
            replicas: self.is_sharing().then(|| self.known.replicas()),
            leases: self.leases.len(),
        })
    }

    /// Brings all estimates up to date. Time never runs backwards here.
    fn set_time(&mut self, now: Duration) {
        if now <= self.now {
            return;
        }
        self.now = now;
        self.known.set_time(now + self.offset);
        for queue in &mut self.queues {
            queue.waiters.lapse(now);
        }
        self.lapse_leases();
    }

    /// Refuses those whose deadline comes before their bucket opens.
    fn expire(&mut self) {
        let budget = self.known.budget();
        let opens = |gate: &Gate| self.now + gate.opens().saturating_sub(budget.now());
        let until_retry = |gate: &Gate| gate.retry_at().saturating_sub(budget.now());
        let mut late = Vec::new();
        while let Some(waiter) = self.discovery.pop_late(opens(budget.gate())) {
            late.push((waiter.ticket, PaceError { retry_after: until_retry(budget.gate()).max(UNKNOWN_WAIT) }));
        }
        for position in 0..self.queues.len() {
            let Some(bucket) = self.known.budget().bucket(self.queues[position].bucket) else { continue };
            let (opens, until_retry) = (opens(bucket.gate()), until_retry(bucket.gate()));
            let opens = opens.max(self.turn_in(&self.queues[position]));
            while let Some(waiter) = self.queues[position].waiters.pop_late(opens) {
                let retry_after = self.wait_in(&self.queues[position], &waiter).max(until_retry);
                late.push((waiter.ticket, PaceError { retry_after }));
            }
        }
        self.refused.append(&mut late);
    }

    /// Lets a call go.
    fn dispatch(&mut self, waiter: &Waiter) -> AdmittedCall {
        let Waiter { class, asked, .. } = *waiter;
        let grant = match self.take_lease(class) {
            Some(grant) => grant,
            // Of a class without a limit: for all others there is a lease.
            None if self.is_sharing() => self.known.budget().free_grant(class),
            None => self.known.grant_alone(class),
        };
        AdmittedCall { asked, sent: self.now, grant }
    }

    fn decide(&mut self, waiter: &Waiter) -> WaitOutcome {
        WaitOutcome { ticket: waiter.ticket, outcome: Ok(self.dispatch(waiter)) }
    }

    /// Takes note of the end of a call.
    fn record_event(&mut self, now: Duration, call: &AdmittedCall, kind: EventKind) -> Duration {
        self.set_time(now);
        let wait = self.apply(CallEvent { grant: call.grant, kind });
        self.regroup();
        wait
    }

    /// True if a call may go for a bucket.
    fn has_room(&self, id: BucketId) -> bool {
        self.has_lease(PacingMode::Paced(id))
            || !self.is_sharing() && self.known.budget().bucket(id).is_some_and(|bucket| bucket.has_room())
    }

    fn may_probe(&self) -> bool {
        self.has_lease(PacingMode::Unknown) || !self.is_sharing() && self.known.budget().may_probe()
    }

    fn has_lease(&self, mode: PacingMode) -> bool {
        let is_held =
            |class: RateClass| self.known.budget().mode(class) == mode && *self.held_until.of(class) > self.now;
        self.leases.has(mode) && !RateClass::ALL.into_iter().any(is_held)
    }

    /// True if the known classes leave the next token to a call that finds out. Where replicas share, they agree on that as they grant.
    fn yields_to_probe(&self) -> bool {
        !self.discovery.is_empty() && !self.is_sharing() && self.known.budget().yields_to_probe()
    }

    /// Time that one would wait in a queue from now, if all come back who were told to.
    fn wait_in(&self, queue: &BucketQueue, waiter: &Waiter) -> Duration {
        let wait_for = |calls| self.wait_for(queue, calls);
        wait_for(
            queue.waiters.ahead_of(waiter.reservation, waiter.priority, self.now, |calls| self.now + wait_for(calls))
                + 1,
        )
    }

    /// Gives those who wait their places as things are now, if a class is paced in another way than it was.
    fn regroup(&mut self) {
        let (modes, placed) = (self.known.budget().modes(), self.placed);
        if modes == placed {
            return;
        }
        let mut waiters = Vec::new();
        for class in RateClass::ALL.into_iter().filter(|&class| modes.of(class) != placed.of(class)) {
            let queues = self.queues.iter_mut().map(|queue| &mut queue.waiters).chain([&mut self.discovery]);
            waiters.extend(queues.flat_map(|queue| queue.take(class)));
        }
        waiters.append(&mut self.freed);
        self.placed = modes;
        let budget = self.known.budget();
        self.queues.retain(|queue| budget.bucket(queue.bucket).is_some());
        for named in budget.buckets() {
            if !self.queues.iter().any(|queue| queue.bucket == named.id) {
                self.queues.push(BucketQueue { bucket: named.id, waiters: FairQueue::default() });
            }
        }
        self.judge_again(waiters);
    }

    /// Gives waiters their places as things are now, and turns away those who would wait in vain.
    fn judge_again(&mut self, waiters: Vec<Waiter>) {
        for waiter in waiters {
            if let Err(refused) = self.enqueue(waiter) {
                self.refused.push((waiter.ticket, refused));
            }
        }
    }

    fn all_queues(&self) -> impl Iterator<Item = &FairQueue> {
        self.queues.iter().map(|queue| &queue.waiters).chain([&self.discovery])
    }
}
