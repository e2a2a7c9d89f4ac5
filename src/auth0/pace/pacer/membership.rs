//! Membership of a replica in its fleet: what it knows of the others' budget, and when it asks for more.

use std::time::Duration;

use super::super::RateClass;
use super::super::budget::{BucketId, CallGrant};
use super::super::fleet_budget::{CallEvent, EventKind, FleetBudget, ReplicaId};
use super::clock::{ClockReading, SharedClock};
use super::leases::Leases;

/// Time after which a replica lets the others hear of it, where it has calls on their way, and where it has none.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
const IDLE_HEARTBEAT: Duration = Duration::from_secs(10);

/// Number of names that a replica takes one of at random: of 256, two have the same once in thirty million times.
const MOST_IDS: u64 = 1 << 40;

/// Time for which a lease is good.
const LEASE_LIFE: Duration = Duration::from_secs(1);

/// Time between two exchanges, at the least.
const PAUSE: Duration = Duration::from_millis(1);

/// Time between a failure and the next attempt. Up to half as much again is added at random.
const RETRY: Duration = Duration::from_millis(250);

/// Time without an answer after which it goes on alone, and the time to the next attempt before: the others go on with what is its part.
const LONGEST_SILENCE: Duration = Duration::from_millis(500);
const RETRY_SOON: Duration = Duration::from_millis(10);

/// Most steps that may have been taken. One is the rule: more are where Redis was paused, and a connection given up.
const MOST_UNSURE: usize = 8;

/// Attempts in a row that came too late, after which the replica lets others go first: one is too late where it has not looked for long.
const MOST_CONFLICTS: u32 = 1;

/// Most times that an attempt takes for which it does so, and the longest time.
const MOST_TURNS: u32 = 16;
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Most bytes of a value.
pub(in super::super) const MOST_BYTES: usize = 64 * 1024;

/// Bytes that no version has.
const NO_VERSION: &[u8] = b"?";

/// A step of compare-and-set. A value begins with its version.
#[derive(Debug)]
pub(in super::super) struct CompareAndSet {
    /// The version that the value has, if nobody was first; of no value, nothing.
    pub(in super::super) expected: Vec<u8>,
    pub(in super::super) value: Vec<u8>,
}

/// The way in which a replica takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A replica that has not heard of the others' budget yet.
    Joining,
    Joined,
    /// Redis is not there: it has a part of its own.
    Away,
}

/// An exchange that has not been answered.
#[derive(Debug, Default)]
pub(super) struct PendingExchange {
    asked: Duration,
    step: u32,
    /// The number of events that are told by it.
    events: usize,
    version: Vec<u8>,
    /// `None` if it only looks.
    value: Option<FleetBudget>,
    grants: Vec<CallGrant>,
}

impl PendingExchange {
    /// Makes leases of the calls that it grants, which it did as it was taken; how many they are.
    pub(super) fn grant(self, leases: &mut Leases) -> usize {
        let granted = self.grants.len();
        leases.add(self.grants, self.asked + LEASE_LIFE);
        granted
    }
}

#[derive(Debug)]
pub(super) struct PacingMembership {
    id: ReplicaId,
    phase: Phase,
    /// Version of the value that the known budget is made of.
    version: Vec<u8>,
    /// Changes that the others have not been told of.
    events: Vec<CallEvent>,
    /// The time since when there is something to tell.
    has_news_since: Option<Duration>,
    /// Buckets that leases were used of, and by which class, since the last exchange.
    used: Vec<(BucketId, RateClass)>,
    pending: Option<PendingExchange>,
    /// Steps that replace the known version and may have been taken, one of them at the most, though no answer came.
    unsure: Vec<PendingExchange>,
    /// The number of the newest step.
    step: u32,
    /// The time since which no answer came, and that at which one was missed last.
    silence: Option<(Duration, Duration)>,
    /// True until the others know of this replica.
    is_joining: bool,
    /// True until the others know that the buckets are to be taken for empty.
    drains: bool,
    /// True once this replica is to be no more.
    is_leaving: bool,
    /// The share that the others left to the tenant's other clients, until they know of this replica's.
    replaced_reserve: Option<f64>,
    /// The times at which the value was seen last, and its own newest step was taken.
    read_at: Duration,
    published_at: Duration,
    /// The next exchange is not before.
    not_before: Duration,
    conflicts: u32,
    clock: SharedClock,
}

impl PacingMembership {
    pub(super) fn new() -> Self {
        Self {
            id: ReplicaId(fastrand::u64(..MOST_IDS)),
            phase: Phase::Joining,
            version: Vec::new(),
            events: Vec::new(),
            has_news_since: None,
            used: Vec::new(),
            pending: None,
            unsure: Vec::new(),
            step: 0,
            silence: None,
            is_joining: true,
            drains: false,
            is_leaving: false,
            replaced_reserve: None,
            read_at: Duration::ZERO,
            published_at: Duration::ZERO,
            not_before: Duration::ZERO,
            conflicts: 0,
            clock: SharedClock::default(),
        }
    }

    pub(super) fn id(&self) -> ReplicaId {
        self.id
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn is_sharing(&self) -> bool {
        self.phase != Phase::Away
    }

    /// The time of the next exchange, for one that has only something to tell or to look for by then; `None` while one is under way.
    pub(super) fn next_exchange(&self, due: impl FnOnce() -> Duration) -> Option<Duration> {
        let is_urgent = self.has_to_look() || self.has_to_step();
        let due = || if is_urgent { self.not_before } else { self.not_before.max(due()) };
        self.pending.is_none().then(due)
    }

    /// Looks at what the others do, and changes nothing.
    pub(super) fn look(&mut self, now: Duration) -> CompareAndSet {
        self.pending = Some(PendingExchange { asked: now, ..PendingExchange::default() });
        CompareAndSet { expected: NO_VERSION.to_vec(), value: Vec::new() }
    }

    /// Offers a value by which calls are granted and the others told all; `None` if it is too long.
    pub(super) fn step(
        &mut self,
        now: Duration,
        mut value: FleetBudget,
        grants: Vec<CallGrant>,
    ) -> Option<CompareAndSet> {
        self.step = self.step.wrapping_add(1);
        value.set_step(self.id, self.step);
        let version = format!("{:016x}", fastrand::u64(..)).into_bytes();
        let text = value.encode(&version, MOST_BYTES)?;
        let (step, events) = (self.step, self.events.len());
        self.pending = Some(PendingExchange { asked: now, step, events, version, value: Some(value), grants });
        Some(CompareAndSet { expected: self.version.clone(), value: text })
    }

    /// Ends the exchange that is under way.
    pub(super) fn end_exchange(&mut self) -> Option<PendingExchange> {
        self.pending.take()
    }

    /// Learns from an exchange what Redis' clock shows.
    pub(super) fn set_clock(&mut self, exchange: &PendingExchange, now: Duration, time: Duration) -> ClockReading {
        self.clock.learn(exchange.asked, now, time)
    }

    /// Forgets what the others were to be told, and has them told of this replica.
    pub(super) fn forget_events(&mut self) {
        self.events.clear();
        self.unsure.clear();
        self.has_news_since = None;
        self.is_joining = true;
    }

    /// Takes the buckets for empty, and has the others told.
    pub(super) fn drain(&mut self, known: &mut FleetBudget) {
        known.drain();
        self.drains = true;
    }

    /// True if the others have not been told yet that the buckets are to be taken for empty, or have gone on without this replica.
    pub(super) fn has_to_drain(&self) -> bool {
        self.drains || self.phase == Phase::Away
    }

    /// Gives up its place; false if it shares with nobody.
    pub(super) fn leave(&mut self) -> bool {
        let has_joined = self.phase == Phase::Joined;
        self.is_leaving |= has_joined;
        has_joined
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Takes note of the share that the others left to the tenant's other clients, where this replica leaves another.
    pub(super) fn replace_reserve(&mut self, others: Option<f64>) {
        self.replaced_reserve = others.or(self.replaced_reserve);
    }

    /// The share that the others left to the tenant's other clients, once they know of this replica's.
    pub(super) fn take_replaced_reserve(&mut self) -> Option<f64> {
        self.replaced_reserve.take()
    }

    /// Takes note of a class for which a bucket is used.
    pub(super) fn uses(&mut self, bucket: BucketId, class: RateClass) {
        self.used.retain(|(used, _)| *used != bucket);
        self.used.push((bucket, class));
    }

    /// Buckets that are used, and the class that each was used for last.
    pub(super) fn used(&self) -> &[(BucketId, RateClass)] {
        &self.used
    }

    /// Takes note of something to tell.
    pub(super) fn has_news(&mut self, now: Duration) {
        self.has_news_since.get_or_insert(now);
    }

    /// Takes note of a change to a call, if the others have to be told.
    pub(super) fn record(&mut self, now: Duration, event: CallEvent) {
        let is_news = match event.kind {
            EventKind::Answered { headers, .. } => event.grant.is_counted || headers.is_some(),
            EventKind::Limited { .. } => true,
            EventKind::Lost | EventKind::Withdrawn | EventKind::Reclassed { .. } => event.grant.is_counted,
        };
        if is_news {
            self.events.push(event);
            self.has_news(now);
        }
    }

    /// Applies the changes that the others have not been told of to a value of theirs.
    pub(super) fn apply_unpublished(&self, value: &mut FleetBudget) {
        for event in &self.events {
            value.apply(Some(self.id), event);
        }
    }

    /// The time at which the others have to hear of it: of news within that time.
    pub(super) fn next_heartbeat(&self, is_busy: bool, news_within: Duration) -> Duration {
        let heartbeat = self.published_at + if is_busy { HEARTBEAT } else { IDLE_HEARTBEAT };
        self.has_news_since.map_or(heartbeat, |since| heartbeat.min(since + news_within))
    }

    /// The time at which so much has passed since the others heard of it.
    pub(super) fn after_publishing(&self, pause: Duration) -> Duration {
        self.published_at + pause
    }

    /// The time at which so much has passed since it heard of the others.
    pub(super) fn after_reading(&self, pause: Duration) -> Duration {
        self.read_at + pause
    }

    /// True if an exchange only looks: the replica does not know where it stands.
    pub(super) fn has_to_look(&self) -> bool {
        self.phase != Phase::Joined || self.silence.is_some()
    }

    /// True if an exchange is due that has to be heard of at once.
    pub(super) fn has_to_step(&self) -> bool {
        self.is_joining || self.drains || self.is_leaving
    }

    /// A step was taken: gives back the value that it made; `None` if it was none.
    pub(super) fn taken(&mut self, now: Duration, exchange: &mut PendingExchange) -> Option<FleetBudget> {
        let value = exchange.value.take()?;
        self.version = std::mem::take(&mut exchange.version);
        self.forget_published(exchange);
        self.has_news_since = self.events.first().map(|_| now);
        (self.read_at, self.published_at, self.not_before, self.conflicts) = (now, now, now + PAUSE, 0);
        (self.is_joining, self.drains, self.silence) = (false, false, None);
        self.unsure.clear();
        self.used.clear();
        Some(value)
    }

    fn forget_published(&mut self, exchange: &PendingExchange) {
        self.events.drain(..exchange.events);
    }

    /// True if a value knows of this replica and what it did.
    pub(super) fn is_known_to(&self, value: &FleetBudget) -> bool {
        self.phase == Phase::Joined && !self.is_joining && value.has(self.id)
    }

    /// The step whose answer was lost, if it is seen to have been taken in this version of the value.
    pub(super) fn found_taken(&mut self, version: &[u8], value: &FleetBudget) -> Option<PendingExchange> {
        if self.version == version {
            // They may be on their way.
            return None;
        }
        let step = value.step_of(self.id);
        let found = self.unsure.drain(..).find(|unsure| Some(unsure.step) == step)?;
        self.published_at = self.read_at;
        self.forget_published(&found);
        Some(found)
    }

    /// Goes on with a version of the value.
    pub(super) fn join(&mut self, version: &[u8]) {
        self.phase = Phase::Joined;
        self.version = version.to_vec();
    }

    /// Another value was there. An attempt that came too late has others go first, for some times as long as it took.
    pub(super) fn found_other(&mut self, now: Duration, exchange: &PendingExchange) {
        (self.read_at, self.silence) = (now, None);
        self.not_before = now;
        if exchange.value.is_some() {
            self.conflicts += 1;
            let turns = self.conflicts.saturating_sub(MOST_CONFLICTS).min(MOST_TURNS);
            let time = now.saturating_sub(exchange.asked);
            self.not_before += (time.max(PAUSE) * turns).min(LONGEST_PAUSE).mul_f64(fastrand::f64());
        }
    }

    /// Takes note of an exchange that was not answered. False if none has been for too long, or too many steps may have been taken.
    pub(super) fn may_look_again(&mut self, now: Duration, exchange: PendingExchange) -> bool {
        let since = self.silent_since(now);
        self.silence = Some((since, now));
        if exchange.value.is_some() {
            self.unsure.push(exchange);
        }
        self.conflicts = 0;
        self.not_before = now + RETRY_SOON + RETRY_SOON.mul_f64(fastrand::f64() / 2.0);
        self.phase != Phase::Away && now < since + LONGEST_SILENCE && self.unsure.len() <= MOST_UNSURE
    }

    /// The time since which no answer came. One that has not asked for as long was paused, and the others went on meanwhile.
    pub(super) fn silent_since(&self, now: Duration) -> Duration {
        let recent = self.silence.filter(|(_, missed)| now < *missed + LONGEST_SILENCE);
        recent.map_or(now, |(since, _)| since)
    }

    /// Goes on alone, and tries again in a while.
    pub(super) fn part(&mut self, now: Duration) {
        self.phase = Phase::Away;
        self.forget_events();
        self.used.clear();
        (self.conflicts, self.silence) = (0, None);
        self.not_before = now + RETRY + RETRY.mul_f64(fastrand::f64() / 2.0);
    }
}
