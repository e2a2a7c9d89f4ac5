//! Turns: whose the next token of a bucket is, by start-time fair queueing over the replicas that wait for it.

use std::time::Duration;

use super::super::RateClass;
use super::super::budget::{BucketId, CallGrant};
use super::super::wire::virtual_time;
use super::{Backlog, BucketClock, FleetBudget, ReplicaId};

/// Time for which a token lies, for each of those before, until the next may take it.
const GRACE: Duration = Duration::from_millis(50);

/// Difference, in calls, of two virtual times that are the same but for rounding.
const ROUNDING: f64 = 0.01;

/// Time for which calls of known classes leave the next token to one that finds out and does not come.
const PROBE_GRACE: Duration = Duration::from_secs(2);

/// The replicas before a call, and how many calls of theirs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct CallsBefore {
    calls: usize,
    replicas: u32,
}

impl FleetBudget {
    /// Tells how many calls wait for a bucket with a replica.
    pub(in super::super) fn set_backlog(&mut self, id: ReplicaId, bucket: BucketId, waiting: usize) {
        let reached = self.reached(bucket);
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let Some(replica) = self.replica_mut(id) else { return };
        match replica.backlogs.iter_mut().find(|backlog| backlog.bucket == bucket) {
            Some(backlog) if waiting > 0 => {
                backlog.start = backlog.start.max(reached);
                backlog.waiting = waiting;
            }
            // Where it has been ahead of others, it waits as long for its next.
            Some(backlog) if backlog.start > reached => backlog.waiting = 0,
            Some(_) => replica.backlogs.retain(|backlog| backlog.bucket != bucket),
            None if waiting > 0 => replica.backlogs.push(Backlog { bucket, waiting, start: reached }),
            None => {}
        }
    }

    /// Forgets what a replica waited for of buckets that are no more.
    pub(in super::super) fn forget_backlogs(&mut self, id: ReplicaId) {
        let budget = &self.budget;
        if let Some(replica) = self.replicas.iter_mut().find(|replica| replica.id == id) {
            replica.backlogs.retain(|backlog| budget.bucket(backlog.bucket).is_some());
        }
    }

    /// Calls that wait for a bucket with a replica, as it has told.
    pub(in super::super) fn backlog_of(&self, id: ReplicaId, bucket: BucketId) -> usize {
        self.replica(id)
            .and_then(|replica| replica.backlogs.iter().find(|backlog| backlog.bucket == bucket))
            .map_or(0, |backlog| backlog.waiting as usize)
    }

    /// True if another replica waits for anything.
    pub(in super::super) fn others_wait(&self, id: ReplicaId) -> bool {
        let mut others = self.replicas.iter().filter(|replica| replica.id != id);
        others
            .any(|replica| replica.wants_probe.is_some() || replica.backlogs.iter().any(|backlog| backlog.waiting > 0))
    }

    /// Tells whether a call waits with a replica to find out.
    pub(in super::super) fn want_probe(&mut self, id: ReplicaId, wants: bool) {
        let now = self.budget.now();
        if let Some(replica) = self.replica_mut(id) {
            replica.wants_probe = wants.then_some(now);
        }
    }

    /// True if others know that a call waits with a replica to find out.
    pub(in super::super) fn wants_probe(&self, id: ReplicaId) -> bool {
        self.replica(id).is_some_and(|replica| replica.wants_probe.is_some())
    }

    /// Grants a call to find out, if one may go.
    pub(in super::super) fn grant_probe(&mut self, id: ReplicaId, class: RateClass) -> Option<CallGrant> {
        if !self.has(id) || !self.budget.may_probe() {
            return None;
        }
        let replica = self.replica_mut(id)?;
        replica.is_probing = true;
        replica.wants_probe = None;
        *replica.in_flight.of_mut(class) += 1;
        Some(self.budget.grant(class))
    }

    /// Grants the next of the calls that wait with a replica for a bucket, if it is its turn. `weight` is how many waited before any was
    /// granted.
    pub(in super::super) fn grant(
        &mut self,
        id: ReplicaId,
        bucket: BucketId,
        class: RateClass,
        weight: usize,
    ) -> Option<CallGrant> {
        if !self.has(id) || !self.turn_of(id, bucket)?.is_zero() {
            return None;
        }
        let before = self.before(id, bucket, 1, weight);
        if !self.budget.bucket(bucket)?.wait_for(before.calls + 1).is_zero() {
            self.pass_over(id, bucket);
        }
        let start = self.start_of(id, bucket);
        if let Some(clock) = self.clock_mut(bucket) {
            clock.reached = start;
        }
        let backlog = self.replica_mut(id)?.backlogs.iter_mut().find(|backlog| backlog.bucket == bucket);
        if let Some(backlog) = backlog {
            backlog.start = virtual_time::nearest(start + 1.0 / weight.max(1) as f64);
            backlog.waiting = backlog.waiting.saturating_sub(1);
        }
        self.take(id, bucket, class)
    }

    /// Grants a call ahead of those that will come, if there is room and nobody waits.
    pub(in super::super) fn grant_ahead(
        &mut self,
        id: ReplicaId,
        bucket: BucketId,
        class: RateClass,
    ) -> Option<CallGrant> {
        let is_free = self.has(id) && !self.yields() && self.budget.bucket(bucket)?.has_room();
        let is_waited_for = |backlog: &Backlog| backlog.bucket == bucket && backlog.waiting > 0;
        if !is_free || self.replicas.iter().flat_map(|replica| &replica.backlogs).any(is_waited_for) {
            return None;
        }
        self.take(id, bucket, class)
    }

    /// Time until a replica may take the next token of a bucket; `None` if nobody can know.
    pub(in super::super) fn turn_of(&self, id: ReplicaId, bucket: BucketId) -> Option<Duration> {
        if self.yields() {
            return None;
        }
        let known = self.budget.bucket(bucket)?;
        let before = self.before(id, bucket, 1, 1);
        let comes = known.wait_for(1);
        if before.calls == 0 {
            return Some(comes);
        }
        // The replicas before have the first tokens, unless they let them lie.
        let now = self.budget.now();
        let lies_since = self.clock(bucket).and_then(|clock| clock.lies_since).unwrap_or(now + comes);
        let is_passed_over = (lies_since + GRACE * before.replicas).saturating_sub(now);
        Some(known.wait_for(before.calls + 1).min(is_passed_over).max(comes))
    }

    /// Time until it is worth while for a replica to look whether its turn has come; `None` if nobody can know. It watches the token
    /// before its own, lest that lie, and leaves those before to whoever comes next there.
    pub(in super::super) fn look_of(&self, id: ReplicaId, bucket: BucketId) -> Option<Duration> {
        let turn = self.turn_of(id, bucket)?;
        let (known, before) = (self.budget.bucket(bucket)?, self.before(id, bucket, 1, 1));
        if before.replicas < 2 {
            return Some(turn);
        }
        let watched = known.wait_for(before.calls) + GRACE;
        Some(known.wait_for(before.calls + 1).min(watched).max(turn))
    }

    /// Time until a replica has had so many tokens of a bucket, if so many wait with it and nobody else comes.
    pub(in super::super) fn time_of(&self, id: ReplicaId, bucket: BucketId, calls: usize, waiting: usize) -> Duration {
        let Some(known) = self.budget.bucket(bucket) else { return Duration::ZERO };
        known.wait_for(self.before(id, bucket, calls.max(1), waiting).calls + calls)
    }

    /// True if calls of known classes leave the next token to one that finds out.
    pub(in super::super) fn yields(&self) -> bool {
        let now = self.budget.now();
        let wants = |since: Duration| since + PROBE_GRACE >= now;
        self.replicas.iter().any(|replica| replica.wants_probe.is_some_and(wants)) && self.budget.yields_to_probe()
    }

    fn take(&mut self, id: ReplicaId, bucket: BucketId, class: RateClass) -> Option<CallGrant> {
        *self.replica_mut(id)?.in_flight.of_mut(class) += 1;
        let grant = self.budget.grant(class);
        let now = self.budget.now();
        let is_left = self.budget.bucket(bucket)?.has_room();
        if let Some(clock) = self.clock_mut(bucket) {
            clock.lies_since = is_left.then_some(now);
        }
        Some(grant)
    }

    /// The calls that go before a replica's call of that number, if so many wait with it.
    fn before(&self, id: ReplicaId, bucket: BucketId, number: usize, waiting: usize) -> CallsBefore {
        let start = self.start_of(id, bucket) + (number - 1) as f64 / waiting.max(number) as f64;
        let reached = self.reached(bucket);
        let mut before = CallsBefore::default();
        for replica in self.replicas.iter().filter(|replica| replica.id != id) {
            let Some(backlog) = replica.backlogs.iter().find(|backlog| backlog.bucket == bucket) else { continue };
            let ahead = (start - backlog.start.max(reached)) * f64::from(backlog.waiting);
            let calls = if replica.id < id { (ahead + ROUNDING).floor() + 1.0 } else { (ahead - ROUNDING).ceil() };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is whole, and held by bounds"
            )]
            let calls = calls.clamp(0.0, f64::from(backlog.waiting)) as usize;
            before.calls += calls;
            before.replicas += u32::from(calls > 0);
        }
        before
    }

    /// Passes over those before a replica, who let a token lie: they may have gone, or their callers have.
    fn pass_over(&mut self, id: ReplicaId, bucket: BucketId) {
        let (start, reached) = (self.start_of(id, bucket), self.reached(bucket));
        for replica in self.replicas.iter_mut().filter(|replica| replica.id != id) {
            for backlog in replica.backlogs.iter_mut().filter(|backlog| backlog.bucket == bucket) {
                if (backlog.start.max(reached), replica.id) < (start, id) {
                    backlog.waiting = 0;
                }
            }
        }
    }

    /// Virtual time at which a replica's next call starts.
    fn start_of(&self, id: ReplicaId, bucket: BucketId) -> f64 {
        let backlog =
            self.replica(id).and_then(|replica| replica.backlogs.iter().find(|backlog| backlog.bucket == bucket));
        backlog.map_or(0.0, |backlog| backlog.start).max(self.reached(bucket))
    }

    fn reached(&self, bucket: BucketId) -> f64 {
        self.clock(bucket).map_or(0.0, |clock| clock.reached)
    }

    fn clock(&self, bucket: BucketId) -> Option<&BucketClock> {
        self.clocks.iter().find(|clock| clock.bucket == bucket)
    }

    fn clock_mut(&mut self, bucket: BucketId) -> Option<&mut BucketClock> {
        self.clocks.iter_mut().find(|clock| clock.bucket == bucket)
    }
}
