//! A fair queue: callers take turns, and those who were told to come back have a reservation.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::reservations::{ReservationKey, Reservations};
use super::{CallerKey, Priority, RateClass};

/// Names one that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(pub(super) u64);

/// A waiter. Times are since the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    pub(super) class: RateClass,
    pub(super) reservation: ReservationKey,
    pub(super) priority: Priority,
    pub(super) asked: Duration,
    pub(super) deadline: Duration,
}

/// Interactive calls before bulk ones, and in each of the two one call per caller and round.
#[derive(Debug, Clone, Default)]
pub(super) struct FairQueue {
    waiters: HashMap<Ticket, Waiter>,
    by_deadline: BTreeSet<(Duration, Ticket)>,
    interactive: Turns,
    bulk: Turns,
    /// Reservations of interactive calls. Bulk work gets what is left over, and is promised nothing.
    reservations: Reservations,
}

/// Round robin: the callers in the order of their turns, and each one's own queue.
#[derive(Debug, Clone, Default)]
struct Turns {
    rotation: VecDeque<CallerKey>,
    queues: HashMap<CallerKey, VecDeque<Ticket>>,
}

impl FairQueue {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Number of calls that a caller has waiting.
    pub(super) fn held_by(&self, caller: CallerKey) -> usize {
        self.interactive.len_of(caller) + self.bulk.len_of(caller)
    }

    /// Number that go before one that asks now: those who wait, and those who will be back before its turn, which is at
    /// `time_of` the number of calls that are to be made by then.
    pub(super) fn ahead_of(
        &self,
        reservation: ReservationKey,
        priority: Priority,
        now: Duration,
        time_of: impl Fn(usize) -> Duration,
    ) -> usize {
        let turns = &self.interactive;
        if priority == Priority::Bulk {
            let ahead = turns.len() + self.bulk.ahead_of(reservation.caller, self.bulk.len_of(reservation.caller));
            return self.reservations.with_those_before(ahead, reservation, time_of, |_| usize::MAX);
        }
        if self.reservations.is_due(reservation, now) {
            return turns.ahead_of(reservation.caller, 0);
        }
        let own = turns.len_of(reservation.caller);
        let ahead = turns.ahead_of(reservation.caller, own);
        // As many rounds as it takes until then, each other caller has a turn.
        let turns_left = |other| {
            if other == reservation.caller { usize::MAX } else { (own + 1).saturating_sub(turns.len_of(other)) }
        };
        self.reservations.with_those_before(ahead, reservation, time_of, turns_left)
    }

    /// Keeps the place of one that is to come back then; gives back when it is to come back, which may be what it was told
    /// before.
    pub(super) fn keep(&mut self, reservation: ReservationKey, due: Duration, now: Duration) -> Duration {
        self.reservations.keep(reservation, due, now)
    }

    /// Number of reservations.
    pub(super) fn reservations(&self) -> usize {
        self.reservations.len()
    }

    /// Gives up the places of those who did not come back.
    pub(super) fn lapse(&mut self, now: Duration) {
        self.reservations.lapse(now);
    }

    /// Redeems the reservation, if there is one, of a call that goes without queueing. True if it came back as it was
    /// told.
    pub(super) fn redeem(&mut self, reservation: ReservationKey, priority: Priority, now: Duration) -> bool {
        priority == Priority::Interactive && self.reservations.take(reservation, now)
    }

    pub(super) fn push(&mut self, waiter: Waiter, now: Duration) {
        let is_back = self.redeem(waiter.reservation, waiter.priority, now);
        self.turns(waiter.priority).push(waiter.reservation.caller, waiter.ticket, is_back);
        self.by_deadline.insert((waiter.deadline, waiter.ticket));
        self.waiters.insert(waiter.ticket, waiter);
    }

    /// Class of the next in turn.
    pub(super) fn next_class(&self) -> Option<RateClass> {
        let ticket = self.interactive.peek().or_else(|| self.bulk.peek())?;
        self.waiters.get(&ticket).map(|waiter| waiter.class)
    }

    /// The next in turn.
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        let ticket = self.interactive.pop().or_else(|| self.bulk.pop())?;
        let waiter = self.waiters.remove(&ticket)?;
        self.by_deadline.remove(&(waiter.deadline, ticket));
        Some(waiter)
    }

    /// Takes one out, wherever it stands.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.waiters.remove(&ticket)?;
        self.by_deadline.remove(&(waiter.deadline, ticket));
        self.turns(waiter.priority).remove(waiter.reservation.caller, ticket);
        Some(waiter)
    }

    pub(super) fn first_deadline(&self) -> Option<Duration> {
        self.by_deadline.first().map(|&(deadline, _)| deadline)
    }

    /// Takes out one whose deadline is not after that time.
    pub(super) fn pop_late(&mut self, time: Duration) -> Option<Waiter> {
        let &(deadline, ticket) = self.by_deadline.first()?;
        if deadline > time {
            return None;
        }
        self.remove(ticket)
    }

    /// Takes out all of a class, in the order of their turns.
    pub(super) fn take(&mut self, class: RateClass) -> Vec<Waiter> {
        let order = self.clone().drain().into_iter().filter(|waiter| waiter.class == class);
        order.filter_map(|waiter| self.remove(waiter.ticket)).collect()
    }

    fn drain(mut self) -> Vec<Waiter> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    fn turns(&mut self, priority: Priority) -> &mut Turns {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Bulk => &mut self.bulk,
        }
    }
}

impl Turns {
    fn len(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    fn len_of(&self, caller: CallerKey) -> usize {
        self.queues.get(&caller).map_or(0, VecDeque::len)
    }

    /// Number that go before a caller's call that has so many of its own before it. In as many rounds,
    /// each other caller has a turn; and one more if it comes before the caller in the round.
    fn ahead_of(&self, caller: CallerKey, own: usize) -> usize {
        let mut rounds = own + 1;
        let mut ahead = own;
        for other in &self.rotation {
            if *other == caller {
                rounds = own;
            } else {
                ahead += self.len_of(*other).min(rounds);
            }
        }
        ahead
    }

    fn push(&mut self, caller: CallerKey, ticket: Ticket, is_first: bool) {
        let queue = self.queues.entry(caller).or_default();
        if queue.is_empty() {
            self.rotation.push_back(caller);
        }
        if is_first {
            queue.push_front(ticket);
        } else {
            queue.push_back(ticket);
        }
    }

    fn peek(&self) -> Option<Ticket> {
        self.queues.get(self.rotation.front()?)?.front().copied()
    }

    fn pop(&mut self) -> Option<Ticket> {
        let caller = self.rotation.pop_front()?;
        let queue = self.queues.get_mut(&caller)?;
        let ticket = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&caller);
        } else {
            self.rotation.push_back(caller);
        }
        ticket
    }

    fn remove(&mut self, caller: CallerKey, ticket: Ticket) {
        if let Some(queue) = self.queues.get_mut(&caller) {
            queue.retain(|&waiting| waiting != ticket);
            if queue.is_empty() {
                self.queues.remove(&caller);
                self.rotation.retain(|&waiting| waiting != caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reservations::RequestHash;
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn waiter(ticket: u64, caller: u64, priority: Priority) -> Waiter {
        let deadline = Duration::from_secs(100 - ticket);
        let class = if ticket.is_multiple_of(2) { RateClass::Users } else { RateClass::Logs };
        Waiter {
            ticket: Ticket(ticket),
            class,
            reservation: reservation(ticket, caller),
            priority,
            asked: Duration::ZERO,
            deadline,
        }
    }

    fn reservation(request: u64, caller: u64) -> ReservationKey {
        ReservationKey { caller: CallerKey(caller), request: RequestHash(request) }
    }

    fn queue(waiting: &[(u64, Priority)]) -> FairQueue {
        let mut queue = FairQueue::default();
        for (ticket, &(caller, priority)) in (0..).zip(waiting) {
            queue.push(waiter(ticket, caller, priority), NOW);
        }
        queue
    }

    fn order(queue: FairQueue) -> Vec<u64> {
        queue.drain().into_iter().map(|waiter| waiter.ticket.0).collect()
    }

    use Priority::{Bulk, Interactive};

    #[test]
    fn callers_take_turns_and_keep_their_own_order() {
        let calls = [1, 1, 1, 2, 2, 3].map(|caller| (caller, Interactive));
        assert_eq!(order(queue(&calls)), [0, 3, 5, 1, 4, 2]);
    }

    #[test]
    fn bulk_goes_last() {
        let calls = [(1, Bulk), (2, Bulk), (1, Interactive), (1, Bulk), (3, Interactive)];
        assert_eq!(order(queue(&calls)), [2, 4, 0, 1, 3]);
    }

    #[test]
    fn one_that_leaves_takes_its_turn_along() {
        let mut queue = queue(&[1, 1, 2].map(|caller| (caller, Interactive)));
        assert!(queue.remove(Ticket(2)).is_some());
        assert!(queue.remove(Ticket(2)).is_none());
        queue.push(waiter(9, 3, Interactive), NOW);
        assert_eq!(queue.held_by(CallerKey(2)), 0);
        assert_eq!(order(queue), [0, 9, 1]);
    }

    #[test]
    fn a_class_is_taken_out_in_order() {
        let mut queue = queue(&[1, 1, 1, 2, 2, 3].map(|caller| (caller, Interactive)));
        let taken: Vec<_> = queue.take(RateClass::Logs).into_iter().map(|waiter| waiter.ticket.0).collect();
        assert_eq!(taken, [3, 5, 1]);
        assert_eq!(order(queue), [0, 4, 2]);
    }

    #[test]
    fn the_late_are_found_by_deadline() {
        let mut queue = queue(&[1, 2, 3].map(|caller| (caller, Bulk)));
        assert_eq!(queue.first_deadline(), Some(Duration::from_secs(98)));
        assert!(queue.pop_late(Duration::from_secs(97)).is_none());
        assert_eq!(queue.pop_late(Duration::from_secs(98)).map(|waiter| waiter.ticket.0), Some(2));
        assert_eq!(order(queue), [0, 1]);
    }

    proptest! {
        #[test]
        fn the_place_that_was_told_is_the_place_that_is_had(
            calls in prop::collection::vec((0_u64..5, any::<bool>()), 0..40),
            caller in 0_u64..6,
            bulk: bool,
        ) {
            let priority = |bulk| if bulk { Bulk } else { Interactive };
            let calls: Vec<_> = calls.into_iter().map(|(caller, bulk)| (caller, priority(bulk))).collect();
            let mut queue = queue(&calls);
            // Some turns have been had.
            for _ in 0..calls.len() / 3 {
                queue.pop();
            }
            let ahead = queue.ahead_of(reservation(99, caller), priority(bulk), NOW, |_| NOW);
            queue.push(waiter(99, caller, priority(bulk)), NOW);
            prop_assert_eq!(order(queue).iter().position(|&ticket| ticket == 99), Some(ahead));
        }
    }
}
