//! Admission: a call goes at once, gets a place in the queue, or is told when to come back.

use std::time::Duration;

use super::super::queue::{FairQueue, Ticket, Waiter};
use super::super::{PaceError, PaceRequest, Priority};
use super::{AdmittedCall, Pacer, PacingMode, UNKNOWN_WAIT};

/// The outcome of an admission.
#[derive(Debug)]
pub(in super::super) enum Admitted {
    /// Nobody is before it, and the bucket holds a call.
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
        self.settle(now);
        let PaceRequest { class, reservation, priority } = request;
        let ticket = Ticket(self.next_id());
        let waiter = Waiter { ticket, class, reservation, priority, asked: now, deadline };
        if let Some(mode) = self.dispatch_at_once(&waiter) {
            return Ok(Admitted::Now(self.dispatch(&waiter, mode)));
        }
        self.enqueue(waiter)?;
        Ok(Admitted::Queued(ticket))
    }

    /// Mode in which the call may go at once, without a place in the queue, which costs more than all the rest: on a tenant that
    /// is not busy, every call may.
    fn dispatch_at_once(&mut self, waiter: &Waiter) -> Option<PacingMode> {
        let mode = *self.modes.of(waiter.class);
        let is_free = match mode {
            PacingMode::Unpaced => true,
            PacingMode::Unknown => false,
            PacingMode::Paced(_) if self.yields_to_probe() => false,
            PacingMode::Paced(id) => self.buckets.iter_mut().find(|entry| entry.id == id).is_some_and(|entry| {
                let is_free = entry.queue.is_empty() && entry.bucket.has_room();
                if is_free {
                    entry.queue.redeem(waiter.reservation, waiter.priority, self.now);
                }
                is_free
            }),
        };
        is_free.then_some(mode)
    }

    /// Gives a waiter its place, if it is worth its while.
    pub(super) fn enqueue(&mut self, waiter: Waiter) -> Result<(), PaceError> {
        let mode = *self.modes.of(waiter.class);
        let wait = self.wait_of(&waiter, mode);
        if wait.is_none_or(|wait| !wait.is_zero())
            && let Err(refused) = self.check_worth(&waiter, wait)
        {
            let told = self.told_wait(mode);
            // Auth0 itself said when to come back: there is no turn to be kept until then.
            if told > refused.retry_after {
                return Err(PaceError { retry_after: told });
            }
            return Err(self.reserve(&waiter, mode, refused));
        }
        match mode {
            PacingMode::Unpaced => self.freed.push(waiter),
            PacingMode::Unknown => self.discovery.queue.push(waiter, self.now),
            PacingMode::Paced(id) => match self.buckets.iter_mut().find(|entry| entry.id == id) {
                Some(entry) => entry.queue.push(waiter, self.now),
                None => self.discovery.queue.push(waiter, self.now),
            },
        }
        Ok(())
    }

    /// Checks that the queue is not full, and that there is time. `wait` is `None` if it cannot be foreseen.
    fn check_worth(&self, waiter: &Waiter, wait: Option<Duration>) -> Result<(), PaceError> {
        let refused = PaceError { retry_after: wait.unwrap_or(UNKNOWN_WAIT) };
        let capacity = self.settings.queue.saturating_sub(self.queues().map(FairQueue::len).sum());
        let held: usize = self.queues().map(|queue| queue.held_by(waiter.reservation.caller)).sum();
        if held >= capacity {
            return Err(refused);
        }
        let latency = *self.latencies.of(waiter.class);
        if wait.is_some_and(|wait| self.now + wait + latency > waiter.deadline) {
            return Err(refused);
        }
        Ok(())
    }

    /// The time for which Auth0 said that it would refuse whatever comes.
    fn told_wait(&self, mode: PacingMode) -> Duration {
        let gate = match mode {
            PacingMode::Unpaced => return Duration::ZERO,
            PacingMode::Unknown => &self.discovery.gate,
            PacingMode::Paced(id) => match self.buckets.iter().find(|entry| entry.id == id) {
                Some(entry) => entry.bucket.gate(),
                None => &self.discovery.gate,
            },
        };
        gate.retry_at().saturating_sub(self.now)
    }

    /// Time that a waiter would wait from now; `None` if nobody can know.
    fn wait_of(&self, waiter: &Waiter, mode: PacingMode) -> Option<Duration> {
        match mode {
            PacingMode::Unpaced => Some(Duration::ZERO),
            PacingMode::Unknown => self.can_probe_at_once().then_some(Duration::ZERO),
            PacingMode::Paced(id) => {
                let entry = self.buckets.iter().find(|entry| entry.id == id)?;
                // Those whose place is kept are not there: what they cannot take now is for whoever is.
                let is_free = entry.queue.is_empty() && entry.bucket.has_room();
                Some(if is_free { Duration::ZERO } else { entry.wait_of(waiter, self.now) })
            }
        }
    }

    /// Sees to it that one that was refused has its turn when it comes back as it is told.
    fn reserve(&mut self, waiter: &Waiter, mode: PacingMode, refused: PaceError) -> PaceError {
        let may_reserve = waiter.priority == Priority::Interactive && self.may_reserve();
        match self.buckets.iter_mut().find(|entry| mode == PacingMode::Paced(entry.id)) {
            Some(entry) if may_reserve => {
                let due = entry.queue.keep(waiter.reservation, self.now + refused.retry_after, self.now);
                PaceError { retry_after: due.saturating_sub(self.now) }
            }
            _ => refused,
        }
    }

    /// True if another place may be kept: as many are as calls may wait.
    fn may_reserve(&self) -> bool {
        self.queues().map(FairQueue::kept).sum::<usize>() < self.settings.queue
    }
}
