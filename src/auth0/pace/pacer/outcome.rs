//! The outcome of an exchange: the step was taken, another was first, or nobody knows.

use std::time::Duration;

use super::super::fleet_budget::FleetBudget;
use super::Pacer;
use super::membership::{ClockReading, CompareAndSetOutcome, ExchangeOutcome, Phase, UnderWay};

/// Time for which a lease is good.
const LEASE_LIFE: Duration = Duration::from_secs(1);

/// Bytes of a version.
const VERSION_BYTES: usize = 16;

/// Time by which the budget may be ahead of Redis' clock, before that is taken to have been set back.
const MOST_AHEAD: Duration = Duration::from_secs(1);

/// Time after which what a replica learned alone is not worth sharing. It may be of another clock, too.
const OLD: Duration = Duration::from_secs(600);

impl Pacer {
    /// Ends an exchange.
    pub(in super::super) fn exchanged(&mut self, now: Duration, answer: CompareAndSetOutcome) -> ExchangeOutcome {
        self.settle(now);
        let Some(under_way) = self.membership.as_mut().and_then(|member| member.under_way.take()) else {
            return ExchangeOutcome::Unavailable;
        };
        let outcome = match answer {
            CompareAndSetOutcome::Lost => {
                self.failed(now, under_way);
                ExchangeOutcome::Unavailable
            }
            CompareAndSetOutcome::Gone => {
                self.part(now);
                ExchangeOutcome::Unavailable
            }
            CompareAndSetOutcome::Taken { time } => {
                let is_set_on = self.set_clock(under_way.asked, time);
                let outcome = self.taken(under_way);
                self.make_up_for(is_set_on);
                outcome
            }
            CompareAndSetOutcome::Current { time, value } => {
                let is_set_on = self.set_clock(under_way.asked, time);
                if let Some(member) = &mut self.membership {
                    let is_late = under_way.value.is_some();
                    member.heard(now, is_late.then(|| now.saturating_sub(under_way.asked)));
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
    fn set_clock(&mut self, asked: Duration, time: Duration) -> bool {
        let Some(member) = &mut self.membership else { return false };
        let ClockReading { ahead, lag, is_set_on } = member.set_clock(asked, self.now, time);
        self.offset = ahead;
        self.known.budget.set_lag(lag);
        is_set_on
    }

    /// Takes the buckets for empty where a clock was set on, and has the others told.
    fn make_up_for(&mut self, is_set_on: bool) {
        if is_set_on && let Some(member) = &mut self.membership {
            self.known.budget.drain();
            member.drains = true;
        }
    }

    fn taken(&mut self, under_way: UnderWay) -> ExchangeOutcome {
        let UnderWay { asked, events, version, value: Some(value), grants, .. } = under_way else {
            return ExchangeOutcome::Conflict;
        };
        let (now, lag) = (self.now, self.known.budget.lag());
        let Some(member) = &mut self.membership else { return ExchangeOutcome::Conflict };
        self.known = value;
        self.known.budget.set_lag(lag);
        if member.is_leaving {
            self.known.part(member.id, now + self.offset);
            self.membership = None;
            return ExchangeOutcome::Left;
        }
        member.version = version;
        member.events.drain(..events);
        member.has_news_since = member.events.first().map(|_| now);
        member.taken(now);
        let replaced_reserve = member.replaced_reserve.take();
        self.known.settle(now + self.offset);
        for event in &member.events {
            self.known.apply(Some(member.id), event);
        }
        let granted = grants.len();
        self.leases.add(grants, asked + LEASE_LIFE);
        self.start_over_if_ahead();
        ExchangeOutcome::Taken { granted, replaced_reserve }
    }

    /// Goes on with the value that is there, if it is one.
    fn adopt(&mut self, text: &[u8]) {
        let (lag, shared_now) = (self.known.budget.lag(), self.now + self.offset);
        let Some(member) = &mut self.membership else { return };
        let (id, phase) = (member.id, member.phase);
        let (version, text) = text.split_at(text.len().min(VERSION_BYTES));
        let (in_flight, is_probing) = match phase {
            Phase::Joined => self.known.held_by(id),
            Phase::Joining | Phase::Away => (self.known.budget.in_flight(), self.known.budget.is_probing()),
        };
        match FleetBudget::decode(text, shared_now) {
            Some(value) => {
                let is_known = phase == Phase::Joined && !member.is_joining && value.has(id);
                self.known = value;
                self.known.budget.set_lag(lag);
                self.known.settle(shared_now);
                member.drains |= phase == Phase::Away;
                if member.drains {
                    self.known.budget.drain();
                }
                if is_known {
                    // An answer was lost, not the step.
                    if let Some(UnderWay { asked, events, grants, .. }) = member.found_taken(version, &self.known) {
                        member.events.drain(..events);
                        self.leases.add(grants, asked + LEASE_LIFE);
                    }
                    for event in &member.events {
                        self.known.apply(Some(id), event);
                    }
                } else {
                    member.forget_events();
                    self.known.join(id, in_flight, is_probing);
                    let others = self.known.budget.set_reserve(self.settings.reserve);
                    member.replaced_reserve = others.or(member.replaced_reserve);
                }
            }
            None if phase == Phase::Joined => {
                // Somebody emptied Redis, or wrote into it: this is the best that is known.
                self.known.budget.drain();
                member.drains = true;
            }
            None => {
                member.forget_events();
                if phase == Phase::Joining || self.known.budget.now() + OLD < shared_now {
                    self.known = FleetBudget::new(self.settings.reserve);
                } else {
                    self.known.budget.join_parts();
                }
                self.known.settle(shared_now);
                self.known.join(id, in_flight, is_probing);
            }
        }
        if let Some(member) = &mut self.membership {
            member.phase = Phase::Joined;
            member.version = version.to_vec();
        }
        self.start_over_if_ahead();
    }

    /// Forgets all if Redis' clock was set back: what is known could not be brought up to date for as long.
    fn start_over_if_ahead(&mut self) {
        let shared_now = self.now + self.offset;
        let Some(member) = &mut self.membership else { return };
        if self.known.budget.now() > shared_now + MOST_AHEAD {
            let (in_flight, is_probing) = self.known.held_by(member.id);
            self.known = FleetBudget::new(self.settings.reserve);
            self.known.settle(shared_now);
            self.known.join(member.id, in_flight, is_probing);
            member.forget_events();
        }
    }

    /// Looks again soon where an answer is lost, for what was asked may have been done, and the others go on; goes on alone if none comes.
    fn failed(&mut self, now: Duration, under_way: UnderWay) {
        if !self.membership.as_mut().is_some_and(|member| member.may_look_again(now, under_way)) {
            self.part(now);
        }
    }

    /// Goes on alone, with a part of what is known.
    pub(super) fn part(&mut self, now: Duration) {
        let Some(member) = &mut self.membership else { return };
        if member.phase == Phase::Joined {
            self.known.part(member.id, member.silent_since(now) + self.offset);
        }
        member.phase = Phase::Away;
        member.forget_events();
        member.used.clear();
        member.failed(now);
    }
}
