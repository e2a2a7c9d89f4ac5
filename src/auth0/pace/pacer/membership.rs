//! Membership of a replica in its fleet: what it knows of the others' budget, and when it asks for more.

use std::time::Duration;

use super::super::Class;
use super::super::budget::{BucketId, Grant};
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

/// Failures in a row after which it goes on alone, and the time to the next attempt before: the others count on it meanwhile.
const MOST_FAILURES: u32 = 3;
const RETRY_SOON: Duration = Duration::from_millis(10);

/// Step of a clock beyond which it has not only drifted.
const LEAST_STEP: Duration = Duration::from_secs(1);

/// Attempts in a row that came too late, after which the replica lets others go first: one is too late where it has not looked for long.
const MOST_CONFLICTS: u32 = 1;

/// Most times that an attempt takes for which it does so, and the longest time.
const MOST_TURNS: u32 = 16;
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A step of compare-and-set. A value begins with its version.
#[derive(Debug)]
pub(in super::super) struct Offer {
    /// The version that the value has, if nobody was first; of no value, nothing.
    pub(in super::super) expected: Vec<u8>,
    pub(in super::super) value: Vec<u8>,
}

/// The answer to an offer, with the time of Redis' clock.
#[derive(Debug)]
pub(in super::super) enum Answer {
    Taken {
        time: Duration,
    },
    /// Another value is there; of none, nothing.
    Current {
        time: Duration,
        value: Vec<u8>,
    },
    Unavailable,
}

/// Outcome of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum ExchangeOutcome {
    Taken {
        /// Number of calls that were granted.
        granted: usize,
    },
    Conflict,
    Unavailable,
}

/// The way in which a replica takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not heard of the others' budget yet.
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
    /// The version that it replaces.
    pub(super) expected: Vec<u8>,
    /// The number of events that are told by it.
    pub(super) events: usize,
    pub(super) version: Vec<u8>,
    /// `None` if it only looks.
    pub(super) value: Option<FleetBudget>,
    pub(super) grants: Vec<Grant>,
}

#[derive(Debug)]
pub(super) struct Membership {
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
    /// An exchange that may have been taken, though no answer came.
    unsure: Option<UnderWay>,
    failures: u32,
    /// The number of the newest step.
    step: u32,
    /// True until the others know of this replica.
    pub(super) is_new: bool,
    pub(super) heard: Duration,
    pub(super) told: Duration,
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

impl Membership {
    pub(super) fn new() -> Self {
        Self {
            id: ReplicaId(fastrand::u64(..MOST_IDS)),
            phase: Phase::Joining,
            version: Vec::new(),
            events: Vec::new(),
            has_news_since: None,
            used: Vec::new(),
            under_way: None,
            unsure: None,
            failures: 0,
            step: 0,
            is_new: true,
            heard: Duration::ZERO,
            told: Duration::ZERO,
            not_before: Duration::ZERO,
            conflicts: 0,
            clock: None,
        }
    }

    pub(super) fn is_sharing(&self) -> bool {
        self.phase != Phase::Away
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
        self.unsure = None;
        self.has_news_since = None;
        self.is_new = true;
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
        self.told + if is_busy { BEAT } else { IDLE_BEAT }
    }

    /// True if an exchange only looks: the replica does not know where it stands.
    pub(super) fn has_to_look(&self) -> bool {
        self.phase != Phase::Joined || self.failures > 0
    }

    /// The number of a step that is to be taken.
    pub(super) fn next_step(&mut self) -> u32 {
        self.step = self.step.wrapping_add(1);
        self.step
    }

    pub(super) fn taken(&mut self, now: Duration) {
        (self.heard, self.told, self.not_before, self.conflicts) = (now, now, now + PAUSE, 0);
        (self.unsure, self.failures) = (None, 0);
        self.is_new = false;
        self.used.clear();
    }

    /// The exchange whose answer was lost, if it is seen to have been taken.
    pub(super) fn found_taken(&mut self, value: &FleetBudget) -> Option<UnderWay> {
        let unsure = self.unsure.take()?;
        if value.step_of(self.id) == Some(unsure.step) {
            self.is_new = false;
            self.told = self.heard;
            return Some(unsure);
        }
        // It may be on its way, as long as what it replaces is there.
        if self.version == unsure.expected {
            self.unsure = Some(unsure);
        }
        None
    }

    /// Another value was there; for an attempt that came too late, which took that time.
    pub(super) fn heard(&mut self, now: Duration, late: Option<Duration>) {
        (self.heard, self.failures) = (now, 0);
        self.not_before = now;
        if let Some(time) = late {
            self.conflicts += 1;
            let turns = self.conflicts.saturating_sub(MOST_CONFLICTS).min(MOST_TURNS);
            self.not_before += (time.max(PAUSE) * turns).min(LONGEST_PAUSE).mul_f64(fastrand::f64());
        }
    }

    /// Takes note of an exchange that was not answered. False if too many were not.
    pub(super) fn may_look_again(&mut self, now: Duration, under_way: UnderWay) -> bool {
        if under_way.value.is_some() {
            self.unsure = Some(under_way);
        }
        self.failures += 1;
        self.conflicts = 0;
        self.not_before = now + RETRY_SOON + RETRY_SOON.mul_f64(fastrand::f64() / 2.0);
        self.phase != Phase::Away && self.failures < MOST_FAILURES
    }

    pub(super) fn failed(&mut self, now: Duration) {
        (self.conflicts, self.failures) = (0, 0);
        self.not_before = now + RETRY + RETRY.mul_f64(fastrand::f64() / 2.0);
    }
}
