//! Admission: a call goes at once, gets a place in the queue, or is told when to come back.

use std::time::Duration;

use super::super::queue::{FairQueue, Ticket, Waiter};
use super::super::{PaceError, PaceRequest, Priority};
use super::{AdmittedCall, Pacer, PacingMode, UNKNOWN_WAIT};

/// The outcome of an admission.
#[derive(Debug)]
pub(in super::super) enum Admitted {
    /// A call that goes: nobody is before it, and the bucket holds one.
    Now(AdmittedCall),
    /// [`Pacer::advance`] says when it may go.
    Queued(Ticket),
}

impl Pacer {
    /// Admits a call, whose answer is of no use after the deadline: dispatch now, queue it, or refuse with `retry_after`.
    pub(in super::super) fn admit(
        &mut self,
        now: Duration,
        request: PaceRequest,
        deadline: Duration,
    ) -> Result<Admitted, PaceError> {
        self.set_time(now);
        let PaceRequest { class, reservation, priority } = request;
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let waiter = Waiter { ticket, class, reservation, priority, asked: now, deadline };
        if self.may_go_at_once(&waiter) {
            return Ok(Admitted::Now(self.dispatch(&waiter)));
        }
        self.enqueue(waiter)?;
        Ok(Admitted::Queued(ticket))
    }

    /// True if the call may go without a place in the queue, which costs more than all the rest: on a tenant that
    /// is not busy, every call may.
    fn may_go_at_once(&mut self, waiter: &Waiter) -> bool {
        match self.known.budget().mode(waiter.class) {
            PacingMode::Unpaced => true,
            PacingMode::Unknown => false,
            PacingMode::Paced(_) if self.yields_to_probe() => false,
            PacingMode::Paced(id) => {
                let has_room = self.has_room(id);
                self.queues.iter_mut().find(|queue| queue.bucket == id).is_some_and(|queue| {
                    let is_free = has_room && queue.waiters.is_empty();
                    if is_free {
                        queue.waiters.redeem(waiter.reservation, waiter.priority, self.now);
                    }
                    is_free
                })
            }
        }
    }

    /// Gives a waiter its place, if it is worth its while.
    pub(super) fn enqueue(&mut self, waiter: Waiter) -> Result<(), PaceError> {
        let mode = self.known.budget().mode(waiter.class);
        let wait = self.wait_of(&waiter, mode);
        if wait.is_none_or(|wait| !wait.is_zero())
            && let Err(refused) = self.check_worth(&waiter, wait)
        {
            let until_retry = self.until_retry(mode);
            // Auth0 itself said when to come back: there is no turn to be kept until then.
            if until_retry > refused.retry_after {
                return Err(PaceError { retry_after: until_retry });
            }
            return Err(self.reserve(&waiter, mode, refused));
        }
        match mode {
            PacingMode::Unpaced => self.freed.push(waiter),
            PacingMode::Unknown => self.discovery.push(waiter, self.now),
            PacingMode::Paced(id) => match self.queues.iter_mut().find(|queue| queue.bucket == id) {
                Some(queue) => queue.waiters.push(waiter, self.now),
                None => self.discovery.push(waiter, self.now),
            },
        }
        Ok(())
    }

    /// Checks that the queue is not full, and that there is time. `wait` is `None` if it cannot be foreseen.
    fn check_worth(&self, waiter: &Waiter, wait: Option<Duration>) -> Result<(), PaceError> {
        let refused = PaceError { retry_after: wait.unwrap_or(UNKNOWN_WAIT) };
        let capacity = self.settings.queue.saturating_sub(self.all_queues().map(FairQueue::len).sum());
        let held: usize = self.all_queues().map(|queue| queue.held_by(waiter.reservation.caller)).sum();
        if held >= capacity {
            return Err(refused);
        }
        let latency = self.known.budget().latency(waiter.class);
        if wait.is_some_and(|wait| self.now + wait + latency > waiter.deadline) {
            return Err(refused);
        }
        Ok(())
    }

    /// The time for which Auth0 said that it would refuse whatever comes.
    fn until_retry(&self, mode: PacingMode) -> Duration {
        let budget = self.known.budget();
        let gate = match mode {
            PacingMode::Unpaced => return Duration::ZERO,
            PacingMode::Unknown => budget.gate(),
            PacingMode::Paced(id) => budget.bucket(id).map_or(budget.gate(), |bucket| bucket.gate()),
        };
        gate.retry_at().saturating_sub(budget.now())
    }

    /// Time that a waiter would wait from now; `None` if nobody can know.
    fn wait_of(&self, waiter: &Waiter, mode: PacingMode) -> Option<Duration> {
        match mode {
            PacingMode::Unpaced => Some(Duration::ZERO),
            PacingMode::Unknown => (self.discovery.is_empty() && self.may_probe()).then_some(Duration::ZERO),
            PacingMode::Paced(id) => {
                let queue = self.queues.iter().find(|queue| queue.bucket == id)?;
                // Callers whose place is kept are not there: what they cannot take now is for whoever is.
                let is_free = queue.waiters.is_empty() && self.has_room(id);
                Some(if is_free { Duration::ZERO } else { self.wait_in(queue, waiter) })
            }
        }
    }

    /// Sees to it that one that was refused has its turn when it comes back as it is told.
    fn reserve(&mut self, waiter: &Waiter, mode: PacingMode, refused: PaceError) -> PaceError {
        let may_reserve = waiter.priority == Priority::Interactive && self.may_reserve();
        match self.queues.iter_mut().find(|queue| mode == PacingMode::Paced(queue.bucket)) {
            Some(queue) if may_reserve => {
                let due = queue.waiters.keep(waiter.reservation, self.now + refused.retry_after, self.now);
                PaceError { retry_after: due.saturating_sub(self.now) }
            }
            _ => refused,
        }
    }

    /// True if another place may be kept: as many are as calls may wait.
    fn may_reserve(&self) -> bool {
        self.all_queues().map(FairQueue::reservations).sum::<usize>() < self.settings.queue
    }
}
