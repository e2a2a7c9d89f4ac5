//! Turns: whose the next token of a bucket is, by start-time fair queueing over the replicas that wait for it.

use std::time::Duration;

use super::super::Class;
use super::super::budget::{BucketId, Grant};
use super::super::wire::virtual_time;
use super::{Course, Demand, FleetBudget, ReplicaId};

/// Time for which a token lies, for each of those before, until the next may take it.
const GRACE: Duration = Duration::from_millis(50);

/// Difference, in calls, of two virtual times that are the same but for rounding.
const ROUNDING: f64 = 0.01;

/// Time for which calls of known classes leave the next token to one that finds out and does not come.
const PROBE_GRACE: Duration = Duration::from_secs(2);

/// The replicas before a call, and how many calls of theirs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Before {
    calls: usize,
    replicas: u32,
}

impl FleetBudget {
    /// Tells how many calls wait for a bucket with a replica.
    pub(in super::super) fn demand(&mut self, id: ReplicaId, bucket: BucketId, waiting: usize) {
        let reached = self.reached(bucket);
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let Some(holder) = self.holder_mut(id) else { return };
        match holder.demands.iter_mut().find(|demand| demand.bucket == bucket) {
            Some(demand) if waiting > 0 => {
                demand.start = demand.start.max(reached);
                demand.waiting = waiting;
            }
            // Where it has been ahead of others, it waits as long for its next.
            Some(demand) if demand.start > reached => demand.waiting = 0,
            Some(_) => holder.demands.retain(|demand| demand.bucket != bucket),
            None if waiting > 0 => holder.demands.push(Demand { bucket, waiting, start: reached }),
            None => {}
        }
    }

    /// Forgets what a replica waited for of buckets that are no more.
    pub(in super::super) fn forget_demands(&mut self, id: ReplicaId) {
        let budget = &self.budget;
        if let Some(holder) = self.holders.iter_mut().find(|holder| holder.id == id) {
            holder.demands.retain(|demand| budget.bucket(demand.bucket).is_some());
        }
    }

    /// Calls that wait for a bucket with a replica, as it has told.
    pub(in super::super) fn demand_of(&self, id: ReplicaId, bucket: BucketId) -> usize {
        self.holder(id)
            .and_then(|holder| holder.demands.iter().find(|demand| demand.bucket == bucket))
            .map_or(0, |demand| demand.waiting as usize)
    }

    /// True if another replica waits for anything.
    pub(in super::super) fn others_wait(&self, id: ReplicaId) -> bool {
        let mut others = self.holders.iter().filter(|holder| holder.id != id);
        others.any(|holder| holder.wants_probe.is_some() || holder.demands.iter().any(|demand| demand.waiting > 0))
    }

    /// Tells whether a call waits with a replica to find out.
    pub(in super::super) fn want_probe(&mut self, id: ReplicaId, wants: bool) {
        let now = self.budget.now();
        if let Some(holder) = self.holder_mut(id) {
            holder.wants_probe = wants.then_some(now);
        }
    }

    /// True if others know that a call waits with a replica to find out.
    pub(in super::super) fn wants_probe(&self, id: ReplicaId) -> bool {
        self.holder(id).is_some_and(|holder| holder.wants_probe.is_some())
    }

    /// Grants a call to find out, if one may go.
    pub(in super::super) fn grant_probe(&mut self, id: ReplicaId, class: Class) -> Option<Grant> {
        if !self.has(id) || !self.budget.may_probe() {
            return None;
        }
        let holder = self.holder_mut(id)?;
        holder.is_probing = true;
        holder.wants_probe = None;
        *holder.in_flight.of_mut(class) += 1;
        Some(self.budget.grant(class))
    }

    /// Grants the next of the calls that wait with a replica for a bucket, if it is its turn. `weight` is how many waited before any was
    /// granted.
    pub(in super::super) fn grant(
        &mut self,
        id: ReplicaId,
        bucket: BucketId,
        class: Class,
        weight: usize,
    ) -> Option<Grant> {
        if !self.has(id) || !self.turn_of(id, bucket)?.is_zero() {
            return None;
        }
        let before = self.before(id, bucket, 1, weight);
        if !self.budget.bucket(bucket)?.wait_for(before.calls + 1).is_zero() {
            self.pass_over(id, bucket);
        }
        let start = self.start_of(id, bucket);
        if let Some(course) = self.course_mut(bucket) {
            course.reached = start;
        }
        let demand = self.holder_mut(id)?.demands.iter_mut().find(|demand| demand.bucket == bucket);
        if let Some(demand) = demand {
            demand.start = virtual_time::nearest(start + 1.0 / weight.max(1) as f64);
            demand.waiting = demand.waiting.saturating_sub(1);
        }
        self.take(id, bucket, class)
    }

    /// Grants a call ahead of those that will come, if there is room and nobody waits.
    pub(in super::super) fn grant_ahead(&mut self, id: ReplicaId, bucket: BucketId, class: Class) -> Option<Grant> {
        let is_free = self.has(id) && !self.yields() && self.budget.bucket(bucket)?.has_room();
        let is_waited_for = |demand: &Demand| demand.bucket == bucket && demand.waiting > 0;
        if !is_free || self.holders.iter().flat_map(|holder| &holder.demands).any(is_waited_for) {
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
        let lies_since = self.course(bucket).and_then(|course| course.lies_since).unwrap_or(now + comes);
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
        self.holders.iter().any(|holder| holder.wants_probe.is_some_and(wants)) && self.budget.yields_to_probe()
    }

    fn take(&mut self, id: ReplicaId, bucket: BucketId, class: Class) -> Option<Grant> {
        *self.holder_mut(id)?.in_flight.of_mut(class) += 1;
        let grant = self.budget.grant(class);
        let now = self.budget.now();
        let is_left = self.budget.bucket(bucket)?.has_room();
        if let Some(course) = self.course_mut(bucket) {
            course.lies_since = is_left.then_some(now);
        }
        Some(grant)
    }

    /// The calls that go before a replica's call of that number, if so many wait with it.
    fn before(&self, id: ReplicaId, bucket: BucketId, number: usize, waiting: usize) -> Before {
        let start = self.start_of(id, bucket) + (number - 1) as f64 / waiting.max(number) as f64;
        let reached = self.reached(bucket);
        let mut before = Before::default();
        for holder in self.holders.iter().filter(|holder| holder.id != id) {
            let Some(demand) = holder.demands.iter().find(|demand| demand.bucket == bucket) else { continue };
            let ahead = (start - demand.start.max(reached)) * f64::from(demand.waiting);
            let calls = if holder.id < id { (ahead + ROUNDING).floor() + 1.0 } else { (ahead - ROUNDING).ceil() };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is whole, and held by bounds"
            )]
            let calls = calls.clamp(0.0, f64::from(demand.waiting)) as usize;
            before.calls += calls;
            before.replicas += u32::from(calls > 0);
        }
        before
    }

    /// Passes over those before a replica, who let a token lie: they may have gone, or their callers have.
    fn pass_over(&mut self, id: ReplicaId, bucket: BucketId) {
        let (start, reached) = (self.start_of(id, bucket), self.reached(bucket));
        for holder in self.holders.iter_mut().filter(|holder| holder.id != id) {
            for demand in holder.demands.iter_mut().filter(|demand| demand.bucket == bucket) {
                if (demand.start.max(reached), holder.id) < (start, id) {
                    demand.waiting = 0;
                }
            }
        }
    }

    /// Virtual time at which a replica's next call starts.
    fn start_of(&self, id: ReplicaId, bucket: BucketId) -> f64 {
        let demand = self.holder(id).and_then(|holder| holder.demands.iter().find(|demand| demand.bucket == bucket));
        demand.map_or(0.0, |demand| demand.start).max(self.reached(bucket))
    }

    fn reached(&self, bucket: BucketId) -> f64 {
        self.course(bucket).map_or(0.0, |course| course.reached)
    }

    fn course(&self, bucket: BucketId) -> Option<&Course> {
        self.courses.iter().find(|course| course.bucket == bucket)
    }

    fn course_mut(&mut self, bucket: BucketId) -> Option<&mut Course> {
        self.courses.iter_mut().find(|course| course.bucket == bucket)
    }
}
