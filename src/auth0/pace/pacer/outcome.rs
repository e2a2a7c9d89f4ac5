//! The outcome of an exchange: the step was taken, another was first, or nobody knows.

use std::time::Duration;

use super::super::fleet_budget::FleetBudget;
use super::Pacer;
use super::clock::ClockReading;
use super::membership::{PacingMembership, PendingExchange, Phase};

/// Bytes of a version.
const VERSION_BYTES: usize = 16;

/// Time by which the budget may be ahead of Redis' clock, before that is taken to have been set back.
const MOST_AHEAD: Duration = Duration::from_secs(1);

/// Time after which what a replica learned alone is not worth sharing. It may be of another clock, too.
const OLDEST_SHARED: Duration = Duration::from_secs(600);

/// The answer to an offer, with the time of Redis' clock.
#[derive(Debug)]
pub(in super::super) enum CompareAndSetOutcome {
    Taken {
        time: Duration,
    },
    /// Another value that is there; of none, nothing.
    Current {
        time: Duration,
        value: Vec<u8>,
    },
    /// No answer: what was offered may have been taken.
    Lost,
    /// No connection to ask on.
    Unavailable,
}

/// Outcome of an exchange.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum ExchangeOutcome {
    Taken {
        /// Number of calls that were granted.
        granted: usize,
        /// The share that the others left to the tenant's other clients until now, if this replica has set another.
        replaced_reserve: Option<f64>,
    },
    Conflict,
    Unavailable,
    /// The others know that this replica is no more.
    Left,
}

impl Pacer {
    /// Ends an exchange.
    pub(in super::super) fn exchanged(&mut self, now: Duration, answer: CompareAndSetOutcome) -> ExchangeOutcome {
        self.set_time(now);
        let Some(exchange) = self.membership.as_mut().and_then(PacingMembership::end_exchange) else {
            return ExchangeOutcome::Unavailable;
        };
        let outcome = match answer {
            CompareAndSetOutcome::Lost => {
                self.failed(now, exchange);
                ExchangeOutcome::Unavailable
            }
            CompareAndSetOutcome::Unavailable => {
                self.part(now);
                ExchangeOutcome::Unavailable
            }
            CompareAndSetOutcome::Taken { time } => {
                let is_set_on = self.set_clock(&exchange, time);
                let outcome = self.taken(exchange);
                self.make_up_for(is_set_on);
                outcome
            }
            CompareAndSetOutcome::Current { time, value } => {
                let is_set_on = self.set_clock(&exchange, time);
                if let Some(member) = &mut self.membership {
                    member.found_other(now, &exchange);
                }
                self.adopt(&value);
                self.make_up_for(is_set_on);
                ExchangeOutcome::Conflict
            }
        };
        self.regroup();
        self.lapse_leases();
        outcome
    }

    /// Takes over what Redis' clock shows; true if it was set on.
    fn set_clock(&mut self, exchange: &PendingExchange, time: Duration) -> bool {
        let Some(member) = &mut self.membership else { return false };
        let ClockReading { ahead, lag, is_set_on } = member.set_clock(exchange, self.now, time);
        self.offset = ahead;
        self.known.set_lag(lag);
        is_set_on
    }

    /// Takes the buckets for empty where a clock was set on, and has the others told.
    fn make_up_for(&mut self, is_set_on: bool) {
        if is_set_on && let Some(member) = &mut self.membership {
            member.drain(&mut self.known);
        }
    }

    fn taken(&mut self, mut exchange: PendingExchange) -> ExchangeOutcome {
        let shared_now = self.now + self.offset;
        let Some(member) = &mut self.membership else { return ExchangeOutcome::Conflict };
        let Some(value) = member.taken(self.now, &mut exchange) else { return ExchangeOutcome::Conflict };
        self.known.go_on_with(value);
        if member.is_leaving() {
            self.known.part(member.id(), shared_now);
            self.membership = None;
            return ExchangeOutcome::Left;
        }
        let replaced_reserve = member.take_replaced_reserve();
        self.known.set_time(shared_now);
        member.apply_unpublished(&mut self.known);
        let granted = exchange.grant(&mut self.leases);
        self.start_over_if_ahead();
        ExchangeOutcome::Taken { granted, replaced_reserve }
    }

    /// Goes on with the value that is there, if it is one.
    fn adopt(&mut self, text: &[u8]) {
        let shared_now = self.now + self.offset;
        let Some(member) = &mut self.membership else { return };
        let (id, phase) = (member.id(), member.phase());
        let (version, text) = text.split_at(text.len().min(VERSION_BYTES));
        let (in_flight, is_probing) = match phase {
            Phase::Joined => self.known.held_by(id),
            Phase::Joining | Phase::Away => (self.known.budget().in_flight(), self.known.budget().is_probing()),
        };
        match FleetBudget::decode(text, shared_now) {
            Some(value) => {
                let is_known = member.is_known_to(&value);
                self.known.go_on_with(value);
                self.known.set_time(shared_now);
                if member.has_to_drain() {
                    member.drain(&mut self.known);
                }
                if is_known {
                    // An answer was lost, not the step.
                    if let Some(step) = member.found_taken(version, &self.known) {
                        step.grant(&mut self.leases);
                    }
                    member.apply_unpublished(&mut self.known);
                } else {
                    member.forget_events();
                    self.known.join(id, in_flight, is_probing);
                    member.replace_reserve(self.known.set_reserve(self.settings.reserve));
                }
            }
            None if phase == Phase::Joined => {
                // Somebody emptied Redis, or wrote into it: this is the best that is known.
                member.drain(&mut self.known);
            }
            None => {
                member.forget_events();
                if phase == Phase::Joining || self.known.budget().now() + OLDEST_SHARED < shared_now {
                    self.known = FleetBudget::new(self.settings.reserve);
                } else {
                    self.known.join_parts();
                }
                self.known.set_time(shared_now);
                self.known.join(id, in_flight, is_probing);
            }
        }
        member.join(version);
        self.start_over_if_ahead();
    }

    /// Forgets all if Redis' clock was set back: what is known could not be brought up to date for as long.
    fn start_over_if_ahead(&mut self) {
        let shared_now = self.now + self.offset;
        let Some(member) = &mut self.membership else { return };
        if self.known.budget().now() > shared_now + MOST_AHEAD {
            let (in_flight, is_probing) = self.known.held_by(member.id());
            self.known = FleetBudget::new(self.settings.reserve);
            self.known.set_time(shared_now);
            self.known.join(member.id(), in_flight, is_probing);
            member.forget_events();
        }
    }

    /// Looks again soon where an answer is lost, for what was asked may have been done, and the others go on; goes on alone if none comes.
    fn failed(&mut self, now: Duration, exchange: PendingExchange) {
        if !self.membership.as_mut().is_some_and(|member| member.may_look_again(now, exchange)) {
            self.part(now);
        }
    }

    /// Goes on alone, with a part of what is known.
    pub(super) fn part(&mut self, now: Duration) {
        let Some(member) = &mut self.membership else { return };
        if member.phase() == Phase::Joined {
            self.known.part(member.id(), member.silent_since(now) + self.offset);
        }
        member.part(now);
    }
}
