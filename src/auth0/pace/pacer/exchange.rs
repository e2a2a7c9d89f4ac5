//! Exchanges: a replica tells the others what it did and takes what is its turn, in one step of compare-and-set on the value that they
//! share. What came in between is looked at, and the step tried again.

use std::time::Duration;

use super::super::Class;
use super::super::budget::{BucketId, Grant, PacingMode};
use super::super::fleet_budget::{CallEvent, EventKind, FleetBudget};
use super::membership::{Answer, ClockReading, ExchangeOutcome, Membership, Offer, Phase, UnderWay};
use super::{Line, Pacer};

/// Time for which a lease is good.
const LEASE_LIFE: Duration = Duration::from_secs(1);

/// Most leases ahead of the calls that wait, and the size of bucket below which there are none.
const LEASES_AHEAD: usize = 4;
const SMALL_BUCKET: u32 = 10;

/// Time after which something is told, where somebody waits for it, and where nobody does.
const SOON: Duration = Duration::from_millis(5);
const LATER: Duration = Duration::from_millis(250);

/// Time after which a replica where calls wait looks at what the others do.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The same for one that waits for what another finds out.
const PROBE_LOOK: Duration = Duration::from_millis(50);

/// Time that an exchange takes, for those who are told when to come back.
const EXCHANGE: Duration = Duration::from_millis(1);

/// Bytes of a version, and those that no version has.
const VERSION_BYTES: usize = 16;
const NO_VERSION: &[u8] = b"?";

/// Most bytes of a value.
pub(in super::super) const MOST_BYTES: usize = 64 * 1024;

/// Time by which the budget may be ahead of Redis' clock, before that is taken to have been set back.
const MOST_AHEAD: Duration = Duration::from_secs(1);

/// Time after which what a replica learned alone is not worth sharing. It may be of another clock, too.
const OLD: Duration = Duration::from_secs(600);

impl Pacer {
    /// A pacer of one of several replicas. It lets nothing go before it has heard of their budget, or that it is alone.
    pub(in super::super) fn sharing(settings: super::PaceSettings) -> Self {
        Self { membership: Some(Membership::new()), ..Self::new(settings) }
    }

    pub(super) fn is_sharing(&self) -> bool {
        self.membership.as_ref().is_some_and(Membership::is_sharing)
    }

    /// The time of the next exchange, if nothing else happens before; `None` while one is under way, and where there are none.
    pub(in super::super) fn next_exchange(&self) -> Option<Duration> {
        let member = self.membership.as_ref().filter(|member| member.under_way.is_none())?;
        if member.phase != Phase::Joined || member.is_new {
            return Some(member.not_before);
        }
        let (known, id) = (&self.known, member.id);
        let (in_flight, _) = known.held_by(id);
        let is_waiting = self.queues().any(|queue| !queue.is_empty());
        let is_busy = is_waiting || Class::ALL.into_iter().any(|class| *in_flight.of(class) > 0);
        let mut due = member.next_beat(is_busy);
        if let Some(since) = member.has_news_since {
            due = due.min(since + if is_waiting || known.others_wait(id) { SOON } else { LATER });
        }
        due = due.min(self.leases.first_end().unwrap_or(due));
        if is_waiting {
            due = due.min(member.heard + LOOK_AGAIN);
        }
        for Line { id: bucket, queue } in &self.lines {
            let (waiting, told) = (queue.len(), known.demand_of(id, *bucket));
            if (waiting == 0) != (told == 0) {
                due = due.min(member.told + SOON);
            }
            if waiting > 0
                && let Some(turn) = known.turn_of(id, *bucket)
            {
                due = due.min(self.now + turn);
            }
        }
        if self.discovery.is_empty() == known.wants_probe(id) && !self.leases.has(PacingMode::Unknown) {
            due = due.min(member.told + SOON);
        }
        if !self.discovery.is_empty() {
            let probe = if known.budget.is_probing() {
                member.heard + PROBE_LOOK
            } else {
                self.now + known.budget.wait_to_probe()
            };
            due = due.min(probe);
        }
        Some(due.max(member.not_before))
    }

    /// Begins an exchange, if one is due. It is to be ended by [`Self::exchanged`].
    pub(in super::super) fn offer(&mut self, now: Duration) -> Option<Offer> {
        self.settle(now);
        if self.next_exchange().is_none_or(|due| due > now) {
            return None;
        }
        let Self { known, membership, leases, discovery, lines, .. } = self;
        let member = membership.as_mut()?;
        let mut under_way =
            UnderWay { asked: now, events: member.events.len(), version: Vec::new(), value: None, grants: Vec::new() };
        if member.phase != Phase::Joined {
            member.under_way = Some(under_way);
            return Some(Offer { expected: NO_VERSION.to_vec(), value: Vec::new() });
        }
        let (id, mut value) = (member.id, known.clone());
        value.hear(id);
        value.forget_demands(id);
        value.want_probe(id, !discovery.is_empty() && !leases.has(PacingMode::Unknown));
        if let Some(class) = discovery.next_class()
            && !leases.has(PacingMode::Unknown)
        {
            under_way.grants.extend(value.grant_probe(id, class));
        }
        for Line { id: bucket, queue } in lines {
            let waiting = queue.len();
            value.demand(id, *bucket, waiting);
            if let Some(class) = queue.next_class() {
                let granted = std::iter::from_fn(|| value.grant(id, *bucket, class, waiting)).take(waiting);
                under_way.grants.extend(granted);
                member.uses(*bucket, class);
            }
        }
        for (bucket, class) in member.used.iter().copied() {
            let held = leases.of(bucket);
            for _ in held..ahead(&value, bucket) {
                under_way.grants.extend(value.grant_ahead(id, bucket, class));
            }
        }
        under_way.version = format!("{:016x}", fastrand::u64(..)).into_bytes();
        let Some(text) = value.encode(&under_way.version, MOST_BYTES) else {
            self.part(now);
            return None;
        };
        under_way.value = Some(value);
        member.under_way = Some(under_way);
        Some(Offer { expected: member.version.clone(), value: text })
    }

    /// Ends an exchange.
    pub(in super::super) fn exchanged(&mut self, now: Duration, answer: Answer) -> ExchangeOutcome {
        self.settle(now);
        let Some(under_way) = self.membership.as_mut().and_then(|member| member.under_way.take()) else {
            return ExchangeOutcome::Unavailable;
        };
        let outcome = match answer {
            Answer::Unavailable => {
                self.part(now);
                ExchangeOutcome::Unavailable
            }
            Answer::Taken { time } => {
                let is_set_on = self.set_clock(under_way.asked, time);
                let outcome = self.taken(under_way);
                self.make_up_for(is_set_on);
                outcome
            }
            Answer::Current { time, value } => {
                let is_set_on = self.set_clock(under_way.asked, time);
                self.adopt(&value);
                self.make_up_for(is_set_on);
                ExchangeOutcome::Conflict
            }
        };
        self.regroup();
        self.lapse_leases();
        outcome
    }

    /// Takes note of a change to a call, and has the others told.
    pub(super) fn apply(&mut self, event: CallEvent) -> Duration {
        let now = self.now;
        let Some(member) = self.membership.as_mut().filter(|member| member.is_sharing()) else {
            return self.known.apply(None, &event);
        };
        let is_news = match event.kind {
            EventKind::Answered { reading, .. } => event.grant.is_counted || reading.is_some(),
            EventKind::Limited { .. } => true,
            EventKind::Lost | EventKind::Withdrawn | EventKind::Reclassed { .. } => event.grant.is_counted,
        };
        if is_news {
            member.events.push(event);
            member.has_news(now);
        }
        self.known.apply(Some(member.id), &event)
    }

    /// A lease for a class, which is used by that.
    pub(super) fn take_lease(&mut self, class: Class) -> Option<Grant> {
        if self.leases.len() == 0 {
            return None;
        }
        let mode = self.known.budget.mode(class);
        let mut grant = self.leases.take(mode)?;
        if grant.class != class {
            self.apply(CallEvent { grant, kind: EventKind::Reclassed { to: class } });
            grant.class = class;
        }
        grant.sent = grant.sent.max(self.now + self.offset);
        if let (Some(member), PacingMode::Paced(id)) = (&mut self.membership, mode) {
            let is_last = self.leases.of(id) == 0;
            if is_last {
                member.uses(id, class);
                member.has_news(self.now);
            }
        }
        Some(grant)
    }

    /// Gives back the leases that are not good any more.
    pub(super) fn lapse_leases(&mut self) {
        if self.leases.len() == 0 {
            return;
        }
        let (now, budget) = (self.now, &self.known.budget);
        // Alone, those that it has been given are its own.
        let is_alone = !self.is_sharing();
        let lapsed = self.leases.lapsed(|grant, until| until > now && (is_alone || budget.honours(grant)));
        for grant in lapsed {
            self.apply(CallEvent { grant, kind: EventKind::Withdrawn });
        }
    }

    /// Time until so many calls of a line may have gone.
    pub(super) fn wait_for(&self, line: &Line, calls: usize) -> Duration {
        let Some(member) = self.membership.as_ref().filter(|member| member.is_sharing()) else {
            return self.known.budget.bucket(line.id).map_or(Duration::ZERO, |bucket| bucket.wait_for(calls));
        };
        match calls.saturating_sub(self.leases.of(line.id)) {
            0 => Duration::ZERO,
            calls => EXCHANGE + self.known.time_of(member.id, line.id, calls, line.queue.len() + 1),
        }
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
            member.is_new = true;
        }
    }

    fn taken(&mut self, under_way: UnderWay) -> ExchangeOutcome {
        let UnderWay { asked, events, version, value: Some(value), grants } = under_way else {
            return ExchangeOutcome::Conflict;
        };
        let (now, lag) = (self.now, self.known.budget.lag());
        let Some(member) = &mut self.membership else { return ExchangeOutcome::Conflict };
        self.known = value;
        self.known.budget.set_lag(lag);
        member.version = version;
        member.events.drain(..events);
        member.has_news_since = member.events.first().map(|_| now);
        member.taken(now);
        self.known.settle(now + self.offset);
        for event in &member.events {
            self.known.apply(Some(member.id), event);
        }
        let granted = grants.len();
        self.leases.add(grants, asked + LEASE_LIFE);
        self.start_over_if_ahead();
        ExchangeOutcome::Taken { granted }
    }

    /// Goes on with the value that is there, if it is one.
    fn adopt(&mut self, text: &[u8]) {
        let (now, lag, shared_now) = (self.now, self.known.budget.lag(), self.now + self.offset);
        let Some(member) = &mut self.membership else { return };
        let (id, phase) = (member.id, member.phase);
        let (version, text) = text.split_at(text.len().min(VERSION_BYTES));
        member.version = version.to_vec();
        member.heard(now);
        let (in_flight, is_probing) = match phase {
            Phase::Joined => self.known.held_by(id),
            Phase::Joining | Phase::Away => (self.known.budget.in_flight(), self.known.budget.is_probing()),
        };
        match FleetBudget::decode(text, shared_now) {
            Some(value) => {
                let is_known = phase == Phase::Joined && value.has(id);
                self.known = value;
                self.known.budget.set_lag(lag);
                self.known.settle(shared_now);
                if is_known {
                    for event in &member.events {
                        self.known.apply(Some(id), event);
                    }
                } else {
                    member.forget_events();
                    if phase == Phase::Away {
                        self.known.budget.drain();
                    }
                    self.known.join(id, in_flight, is_probing);
                }
            }
            None if phase == Phase::Joined => {
                // Somebody emptied Redis, or wrote into it: this is the best that is known.
                self.known.budget.drain();
                member.is_new = true;
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

    /// Goes on alone, with a part of what is known.
    fn part(&mut self, now: Duration) {
        let Some(member) = &mut self.membership else { return };
        if member.phase == Phase::Joined {
            self.known.part(member.id);
        }
        member.phase = Phase::Away;
        member.forget_events();
        member.used.clear();
        member.failed(now);
    }
}

/// The number of leases that a replica should have ahead of its calls: a fair part of what is there.
fn ahead(value: &FleetBudget, bucket: BucketId) -> usize {
    let level = value.budget.level(bucket, value.budget.now());
    match value.budget.bucket(bucket) {
        Some(known) if known.limit() >= SMALL_BUCKET => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is cut off at zero, and small"
            )]
            let fair = (level / (2.0 * value.replicas().max(1) as f64)).max(0.0) as usize;
            fair.min(LEASES_AHEAD)
        }
        _ => 0,
    }
}
