//! Membership of a replica in its fleet: what it knows of the others' budget, and when it asks for more.

use std::time::Duration;

use super::super::Class;
use super::super::budget::{BucketId, CallGrant};
use super::super::fleet_budget::{CallEvent, FleetBudget, ReplicaId};

/// Time after which a replica lets the others hear of it, where it has calls on their way, and where it has none.
pub(super) const BEAT: Duration = Duration::from_secs(1);
const IDLE_BEAT: Duration = Duration::from_secs(10);

/// Number of names that a replica takes one of at random: of 256, two have the same once in thirty million times.
const MOST_IDS: u64 = 1 << 40;

/// Time between two exchanges, at the least.
const PAUSE: Duration = Duration::from_millis(1);

/// Time between a failure and the next attempt. Up to half as much again is added at random.
const RETRY: Duration = Duration::from_millis(250);

/// Time without an answer after which it goes on alone, and the time to the next attempt before: the others go on with what is its part.
const LONGEST_SILENCE: Duration = Duration::from_millis(500);
const RETRY_SOON: Duration = Duration::from_millis(10);

/// Most steps that may have been taken. One is the rule: more are where Redis was paused, and a connection given up.
const MOST_UNSURE: usize = 8;

/// Step of a clock beyond which it has not only drifted.
const LEAST_STEP: Duration = Duration::from_secs(1);

/// Attempts in a row that came too late, after which the replica lets others go first: one is too late where it has not looked for long.
const MOST_CONFLICTS: u32 = 1;

/// Most times that an attempt takes for which it does so, and the longest time.
const MOST_TURNS: u32 = 16;
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Most bytes of a value.
pub(in super::super) const MOST_BYTES: usize = 64 * 1024;

/// A step of compare-and-set. A value begins with its version.
#[derive(Debug)]
pub(in super::super) struct Offer {
    /// The version that the value has, if nobody was first; of no value, nothing.
    pub(in super::super) expected: Vec<u8>,
    pub(in super::super) value: Vec<u8>,
}

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
    Gone,
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
pub(super) struct UnderWay {
    pub(super) asked: Duration,
    pub(super) step: u32,
    /// The number of events that are told by it.
    pub(super) events: usize,
    pub(super) version: Vec<u8>,
    /// `None` if it only looks.
    pub(super) value: Option<FleetBudget>,
    pub(super) grants: Vec<CallGrant>,
}

#[derive(Debug)]
pub(super) struct PacingMembership {
    pub(super) id: ReplicaId,
    pub(super) phase: Phase,
    /// Version of the value that the known budget is made of.
    pub(super) version: Vec<u8>,
    /// Changes that the others have not been told of.
    pub(super) events: Vec<CallEvent>,
    /// The time since when there is something to tell.
    pub(super) has_news_since: Option<Duration>,
    /// Buckets that leases were used of, and by which class, since the last exchange.
    pub(super) used: Vec<(BucketId, Class)>,
    pub(super) under_way: Option<UnderWay>,
    /// Steps that replace the known version and may have been taken, one of them at the most, though no answer came.
    unsure: Vec<UnderWay>,
    /// The number of the newest step.
    step: u32,
    /// The time since which no answer came, and that at which one was missed last.
    silence: Option<(Duration, Duration)>,
    /// True until the others know of this replica.
    pub(super) is_joining: bool,
    /// True until the others know that the buckets are to be taken for empty.
    pub(super) drains: bool,
    /// True once this replica is to be no more.
    pub(super) is_leaving: bool,
    /// The share that the others left to the tenant's other clients, until they know of this replica's.
    pub(super) replaced_reserve: Option<f64>,
    /// The time at which the value was seen last, and that of its own newest step.
    pub(super) heard: Duration,
    pub(super) stepped_at: Duration,
    /// The next exchange is not before.
    pub(super) not_before: Duration,
    conflicts: u32,
    clock: Option<Clock>,
}

/// Bounds of the time by which Redis' clock is ahead.
#[derive(Debug, Clone, Copy)]
struct Clock {
    least: Duration,
    most: Duration,
}

/// Redis' clock, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockReading {
    /// Time by which it is ahead, at the least, and by how much more it may be.
    pub(super) ahead: Duration,
    pub(super) lag: Duration,
    /// True if it was set on: time seemed to pass in which nothing came back.
    pub(super) is_set_on: bool,
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
            under_way: None,
            unsure: Vec::new(),
            step: 0,
            silence: None,
            is_joining: true,
            drains: false,
            is_leaving: false,
            replaced_reserve: None,
            heard: Duration::ZERO,
            stepped_at: Duration::ZERO,
            not_before: Duration::ZERO,
            conflicts: 0,
            clock: None,
        }
    }

    pub(super) fn is_sharing(&self) -> bool {
        self.phase != Phase::Away
    }

    /// Offers a value; `None` if it is too long.
    pub(super) fn offers(&mut self, under_way: UnderWay, value: FleetBudget) -> Option<Offer> {
        let version = format!("{:016x}", fastrand::u64(..)).into_bytes();
        let text = value.encode(&version, MOST_BYTES)?;
        self.under_way = Some(UnderWay { version, value: Some(value), ..under_way });
        Some(Offer { expected: self.version.clone(), value: text })
    }

    /// Learns from an exchange what Redis' clock shows.
    pub(super) fn set_clock(&mut self, asked: Duration, now: Duration, time: Duration) -> ClockReading {
        let newest = Clock { least: time.saturating_sub(now), most: time.saturating_sub(asked) };
        let both =
            self.clock.map(|known| Clock { least: known.least.max(newest.least), most: known.most.min(newest.most) });
        // Clocks drift.
        let clock = both.filter(|both| both.least <= both.most).unwrap_or(newest);
        let known = self.clock.replace(clock);
        let is_set_on = known.is_some_and(|known| known.most + LEAST_STEP < newest.least);
        ClockReading { ahead: clock.least, lag: clock.most - clock.least, is_set_on }
    }

    /// Forgets what the others were to be told, and has them told of this replica.
    pub(super) fn forget_events(&mut self) {
        self.events.clear();
        self.unsure.clear();
        self.has_news_since = None;
        self.is_joining = true;
    }

    /// Takes note of a class for which a bucket is used.
    pub(super) fn uses(&mut self, bucket: BucketId, class: Class) {
        self.used.retain(|(used, _)| *used != bucket);
        self.used.push((bucket, class));
    }

    /// Takes note of something to tell.
    pub(super) fn has_news(&mut self, now: Duration) {
        self.has_news_since.get_or_insert(now);
    }

    /// The time at which the others have to hear of it.
    pub(super) fn next_beat(&self, is_busy: bool) -> Duration {
        self.stepped_at + if is_busy { BEAT } else { IDLE_BEAT }
    }

    /// True if an exchange only looks: the replica does not know where it stands.
    pub(super) fn has_to_look(&self) -> bool {
        self.phase != Phase::Joined || self.silence.is_some()
    }

    /// True if an exchange is due that has to be heard of at once.
    pub(super) fn has_to_step(&self) -> bool {
        self.is_joining || self.drains || self.is_leaving
    }

    /// The number of a step that is to be taken.
    pub(super) fn next_step(&mut self) -> u32 {
        self.step = self.step.wrapping_add(1);
        self.step
    }

    pub(super) fn taken(&mut self, now: Duration) {
        (self.heard, self.stepped_at, self.not_before, self.conflicts) = (now, now, now + PAUSE, 0);
        (self.is_joining, self.drains, self.silence) = (false, false, None);
        self.unsure.clear();
        self.used.clear();
    }

    /// The step whose answer was lost, if it is seen to have been taken in this version of the value.
    pub(super) fn found_taken(&mut self, version: &[u8], value: &FleetBudget) -> Option<UnderWay> {
        if self.version == version {
            // They may be on their way.
            return None;
        }
        let step = value.step_of(self.id);
        let found = self.unsure.drain(..).find(|unsure| Some(unsure.step) == step)?;
        self.stepped_at = self.heard;
        Some(found)
    }

    /// Another value was there; for an attempt that came too late, which took that time.
    pub(super) fn heard(&mut self, now: Duration, late: Option<Duration>) {
        (self.heard, self.silence) = (now, None);
        self.not_before = now;
        if let Some(time) = late {
            self.conflicts += 1;
            let turns = self.conflicts.saturating_sub(MOST_CONFLICTS).min(MOST_TURNS);
            self.not_before += (time.max(PAUSE) * turns).min(LONGEST_PAUSE).mul_f64(fastrand::f64());
        }
    }

    /// Takes note of an exchange that was not answered. False if none has been for too long, or too many steps may have been taken.
    pub(super) fn may_look_again(&mut self, now: Duration, under_way: UnderWay) -> bool {
        let since = self.silent_since(now);
        self.silence = Some((since, now));
        if under_way.value.is_some() {
            self.unsure.push(under_way);
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

    pub(super) fn failed(&mut self, now: Duration) {
        (self.conflicts, self.silence) = (0, None);
        self.not_before = now + RETRY + RETRY.mul_f64(fastrand::f64() / 2.0);
    }
}
