//! Membership of a replica in its fleet: what it knows of the others' budget, and when it asks for more.

use std::time::Duration;

use super::super::Class;
use super::super::budget::{BucketId, Grant};
use super::super::fleet_budget::{CallEvent, FleetBudget, ReplicaId};

/// Time after which a replica lets the others hear of it, where it holds or waits for anything, and where it does not.
const BEAT: Duration = Duration::from_secs(1);
const IDLE_BEAT: Duration = Duration::from_secs(3);

/// Time between two exchanges, at the least.
const PAUSE: Duration = Duration::from_millis(1);

/// Time between a failure and the next attempt. Up to half as much again is added at random.
const RETRY: Duration = Duration::from_millis(250);

/// Step of a clock beyond which it has not only drifted.
const LEAST_STEP: Duration = Duration::from_secs(1);

/// Attempts in a row that came too late, after which the replica lets the others go first for a while.
const MOST_CONFLICTS: u32 = 4;

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
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) asked: Duration,
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
            id: ReplicaId(fastrand::u64(..)),
            phase: Phase::Joining,
            version: Vec::new(),
            events: Vec::new(),
            has_news_since: None,
            used: Vec::new(),
            under_way: None,
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

    pub(super) fn taken(&mut self, now: Duration) {
        (self.heard, self.told, self.not_before, self.conflicts) = (now, now, now + PAUSE, 0);
        self.is_new = false;
        self.used.clear();
    }

    /// Another was first.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard = now;
        self.conflicts += 1;
        let turns = f64::from(self.conflicts.saturating_sub(MOST_CONFLICTS).min(16));
        self.not_before = now + PAUSE.mul_f64(turns * fastrand::f64());
    }

    pub(super) fn failed(&mut self, now: Duration) {
        self.conflicts = 0;
        self.not_before = now + RETRY + RETRY.mul_f64(fastrand::f64() / 2.0);
    }
}
