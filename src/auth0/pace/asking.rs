//! How one that asks for a call is received: it goes at once, gets a place in line, or is told when to come back.

use std::time::Duration;

use super::pacer::{Call, Pacer, Standing, UNKNOWN_WAIT};
use super::queue::{FairQueue, Ticket, Waiter};
use super::{PaceRequest, Priority, Refused};

/// A request for one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) turn: PaceRequest,
    /// When the answer is of no use any more.
    pub(super) deadline: Duration,
}

/// What comes of asking.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nobody is before it, and there is room.
    Goes(Call),
    /// [`Pacer::advance`] says when it may go.
    Waits(Ticket),
}

impl Pacer {
    /// Asks for a call.
    pub(super) fn ask(&mut self, now: Duration, request: Request) -> Result<Asked, Refused> {
        self.settle(now);
        let Request { turn: PaceRequest { class, reservation, priority }, deadline } = request;
        let ticket = Ticket(self.next_id());
        let waiter = Waiter { ticket, class, reservation, priority, asked: now, deadline };
        if let Some(standing) = self.walk_through(&waiter) {
            return Ok(Asked::Goes(self.let_go(&waiter, standing)));
        }
        self.enqueue(waiter)?;
        Ok(Asked::Waits(ticket))
    }

    /// By which standing one may go without standing in line, which costs more than all the rest: on a tenant that is not
    /// busy, everybody may.
    fn walk_through(&mut self, waiter: &Waiter) -> Option<Standing> {
        let standing = *self.standings.of(waiter.class);
        let is_free = match standing {
            Standing::Unpaced => true,
            Standing::Unknown => false,
            Standing::Paced(_) if self.gives_way() => false,
            Standing::Paced(id) => self.lanes.iter_mut().find(|lane| lane.id == id).is_some_and(|lane| {
                let is_free = lane.queue.is_empty() && lane.bucket.has_room();
                if is_free {
                    lane.queue.passed_by(waiter.reservation, waiter.priority, self.now);
                }
                is_free
            }),
        };
        is_free.then_some(standing)
    }

    /// Gives a waiter its place, if it is worth its while.
    pub(super) fn enqueue(&mut self, waiter: Waiter) -> Result<(), Refused> {
        let standing = *self.standings.of(waiter.class);
        let wait = self.wait_of(&waiter, standing);
        if wait.is_none_or(|wait| !wait.is_zero())
            && let Err(refused) = self.check_worth(&waiter, wait)
        {
            let told = self.told_wait(standing);
            // Auth0 itself said when to come back: there is no turn to be kept until then.
            if told > refused.retry_after {
                return Err(Refused { retry_after: told });
            }
            return Err(self.keep_place(&waiter, standing, refused));
        }
        match standing {
            Standing::Unpaced => self.freed.push(waiter),
            Standing::Unknown => self.unknown.queue.push(waiter, self.now),
            Standing::Paced(id) => match self.lanes.iter_mut().find(|lane| lane.id == id) {
                Some(lane) => lane.queue.push(waiter, self.now),
                None => self.unknown.queue.push(waiter, self.now),
            },
        }
        Ok(())
    }

    /// Whether there is room to wait, and time. `wait` is `None` if it cannot be foreseen.
    fn check_worth(&self, waiter: &Waiter, wait: Option<Duration>) -> Result<(), Refused> {
        let refused = Refused { retry_after: wait.unwrap_or(UNKNOWN_WAIT) };
        let room = self.settings.queue.saturating_sub(self.queues().map(FairQueue::len).sum());
        let held: usize = self.queues().map(|queue| queue.held_by(waiter.reservation.caller)).sum();
        if held >= room {
            return Err(refused);
        }
        let latency = *self.latencies.of(waiter.class);
        if wait.is_some_and(|wait| self.now + wait + latency > waiter.deadline) {
            return Err(refused);
        }
        Ok(())
    }

    /// For how long Auth0 said that it would refuse whatever comes.
    fn told_wait(&self, standing: Standing) -> Duration {
        let gate = match standing {
            Standing::Unpaced => return Duration::ZERO,
            Standing::Unknown => &self.unknown.gate,
            Standing::Paced(id) => match self.lanes.iter().find(|lane| lane.id == id) {
                Some(lane) => lane.bucket.gate(),
                None => &self.unknown.gate,
            },
        };
        gate.retry_at().saturating_sub(self.now)
    }

    /// How long a waiter would wait from now; `None` if nobody can know.
    fn wait_of(&self, waiter: &Waiter, standing: Standing) -> Option<Duration> {
        match standing {
            Standing::Unpaced => Some(Duration::ZERO),
            Standing::Unknown => self.can_probe_at_once().then_some(Duration::ZERO),
            Standing::Paced(id) => {
                let lane = self.lanes.iter().find(|lane| lane.id == id)?;
                // Those whose place is kept are not there: what they cannot take now is for whoever is.
                let is_free = lane.queue.is_empty() && lane.bucket.has_room();
                Some(if is_free { Duration::ZERO } else { lane.wait_of(waiter, self.now) })
            }
        }
    }

    /// Sees to it that one that was refused has its turn when it comes back as it is told.
    fn keep_place(&mut self, waiter: &Waiter, standing: Standing, refused: Refused) -> Refused {
        let may_keep = waiter.priority == Priority::Interactive && self.may_keep();
        match self.lanes.iter_mut().find(|lane| standing == Standing::Paced(lane.id)) {
            Some(lane) if may_keep => {
                let due = lane.queue.keep(waiter.reservation, self.now + refused.retry_after, self.now);
                Refused { retry_after: due.saturating_sub(self.now) }
            }
            _ => refused,
        }
    }

    /// As many places are kept as there is room to wait.
    fn may_keep(&self) -> bool {
        self.queues().map(FairQueue::kept).sum::<usize>() < self.settings.queue
    }
}
