//! The budget that replicas share, and the replicas that hold parts of it.
//!
//! The tokens of a bucket go to those who wait for them by start-time fair queueing: each replica gets a part that is as large as the
//! part of the calls that wait with it. Whoever lets a token lie that is its own is passed over, and has to ask again. Calls of a
//! replica that is not heard of any more are taken for lost.

mod encoding;
mod rows;
mod turns;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::rows::{BacklogRow, ClockRow, ReplicaRow};
use super::RateClass;
use super::budget::{BucketId, Budget, CallGrant};
use super::counts::ByClass;
use super::headers::RateLimitHeaders;

/// Time after which the calls of a replica that was not heard of are taken for lost. A replica that has any is heard of more often.
const LOST_AFTER: Duration = Duration::from_secs(3);

/// The same for the replica itself, and for what waits with it. Its tokens go to others long before: they do not lie.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// Most replicas. Those heard of last stay.
const MOST_REPLICAS: usize = 256;

/// Names a replica, and this life of it. Few share a budget, and each of their names is written at each step: they are short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ReplicaId(pub(super) u64);

/// The end of a call, or another change to one.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallEvent {
    pub(super) grant: CallGrant,
    pub(super) kind: EventKind,
}

/// The kinds of [`CallEvent`].
#[derive(Debug, Clone, Copy)]
pub(super) enum EventKind {
    Answered {
        headers: Option<RateLimitHeaders>,
        is_success: bool,
    },
    Limited {
        retry_after: Option<Duration>,
    },
    Lost,
    Withdrawn,
    /// A change to a call of another class of the bucket.
    Reclassed {
        to: RateClass,
    },
}

/// A replica and what it holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "ReplicaRow", into = "ReplicaRow")]
struct ReplicaState {
    id: ReplicaId,
    /// The number of its newest step, by which it knows that the step was taken if it got no answer.
    step: u32,
    /// The time at which it was heard of.
    seen: Duration,
    in_flight: ByClass<u64>,
    /// True if one of those was sent to find out.
    is_probing: bool,
    /// The time at which it asked for a call to find out.
    wants_probe: Option<Duration>,
    backlogs: Vec<Backlog>,
}

/// The calls that wait for a bucket with a replica.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(from = "BacklogRow", into = "BacklogRow")]
struct Backlog {
    bucket: BucketId,
    waiting: u32,
    /// Virtual time at which its next call starts.
    start: f64,
}

/// The virtual clock of a bucket.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(from = "ClockRow", into = "ClockRow")]
struct BucketClock {
    bucket: BucketId,
    /// Virtual time at which the newest call started that was let go.
    reached: f64,
    /// The time since which a token has been there that nobody took.
    lies_since: Option<Duration>,
}

/// The budget, its replicas, and the clock of each bucket. Of one that is alone, there are no replicas.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FleetBudget {
    budget: Budget,
    #[serde(rename = "holders")]
    replicas: Vec<ReplicaState>,
    #[serde(rename = "courses")]
    clocks: Vec<BucketClock>,
}

impl FleetBudget {
    /// A budget of which nothing is known.
    pub(super) fn new(reserve: f64) -> Self {
        Self { budget: Budget::new(reserve), replicas: Vec::new(), clocks: Vec::new() }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Goes on with what another exchange made of it. What is known of the clock stays.
    pub(super) fn go_on_with(&mut self, value: Self) {
        let lag = self.budget.lag();
        *self = value;
        self.budget.set_lag(lag);
    }

    /// Sets the time by which it may be later than what it is told.
    pub(super) fn set_lag(&mut self, lag: Duration) {
        self.budget.set_lag(lag);
    }

    /// Sets the share that is left to others; gives back the one that was, if it is another.
    pub(super) fn set_reserve(&mut self, reserve: f64) -> Option<f64> {
        self.budget.set_reserve(reserve)
    }

    /// Takes all buckets for empty, since others may have taken calls that nobody told of.
    pub(super) fn drain(&mut self) {
        self.budget.drain();
    }

    /// Makes the part of one who was alone everybody's.
    pub(super) fn join_parts(&mut self) {
        self.budget.join_parts();
    }

    /// Lets a call go for one that is alone.
    pub(super) fn grant_alone(&mut self, class: RateClass) -> CallGrant {
        self.budget.grant(class)
    }

    pub(super) fn set_time(&mut self, now: Duration) {
        if self.replicas.is_empty() {
            self.budget.set_time(now);
            return;
        }
        let (budget, clocks) = (&mut self.budget, &mut self.clocks);
        clocks.retain(|clock| budget.bucket(clock.bucket).is_some());
        for named in budget.buckets() {
            if !clocks.iter().any(|clock| clock.bucket == named.id) {
                clocks.push(BucketClock { bucket: named.id, reached: 0.0, lies_since: None });
            }
        }
        // Not after it has been brought up to date: when a token came is told before.
        for clock in clocks.iter_mut().filter(|clock| clock.lies_since.is_none()) {
            let wait = budget.bucket(clock.bucket).map(|bucket| bucket.wait_for(1));
            clock.lies_since = wait.map(|wait| budget.now() + wait).filter(|comes| *comes <= now);
        }
        budget.set_time(now);
    }

    /// Applies the end of a call, or another change to one; gives back how long a 429 closes its bucket for.
    pub(super) fn apply(&mut self, replica: Option<ReplicaId>, event: &CallEvent) -> Duration {
        let CallEvent { mut grant, kind } = *event;
        if let Some(id) = replica
            && grant.is_counted
        {
            // A call that was taken for lost is not on its way any more.
            grant.is_counted = self.replica_mut(id).is_some_and(|replica| replica.end(&grant, kind));
        }
        match kind {
            EventKind::Answered { headers, is_success } => self.budget.answered(&grant, headers, is_success),
            EventKind::Limited { retry_after } => return self.budget.limited(&grant, retry_after),
            EventKind::Lost => self.budget.lost(&grant),
            EventKind::Withdrawn => self.budget.withdrawn(&grant),
            EventKind::Reclassed { to } if grant.is_counted => self.budget.reclass(grant.class, to),
            EventKind::Reclassed { .. } => {}
        }
        Duration::ZERO
    }

    /// Number of replicas that are heard of.
    pub(super) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    pub(super) fn has(&self, id: ReplicaId) -> bool {
        self.replica(id).is_some()
    }

    /// The number of a replica's newest step.
    pub(super) fn step_of(&self, id: ReplicaId) -> Option<u32> {
        self.replica(id).map(|replica| replica.step)
    }

    /// Numbers a step that a replica is to take.
    pub(super) fn set_step(&mut self, id: ReplicaId, step: u32) {
        if let Some(replica) = self.replica_mut(id) {
            replica.step = step;
        }
    }

    /// Calls of a replica that are on their way, by class, and whether one of them is to find out.
    pub(super) fn held_by(&self, id: ReplicaId) -> (ByClass<u64>, bool) {
        self.replica(id).map_or_else(Default::default, |replica| (replica.in_flight, replica.is_probing))
    }

    /// Takes in a replica, with the calls that it has on their way.
    pub(super) fn join(&mut self, id: ReplicaId, in_flight: ByClass<u64>, is_probing: bool) {
        self.leave(id);
        if self.replicas.len() >= MOST_REPLICAS
            && let Some(oldest) = self.replicas.iter().min_by_key(|replica| replica.seen).map(|replica| replica.id)
        {
            self.leave(oldest);
        }
        self.budget.adopt(in_flight, is_probing);
        let seen = self.budget.now();
        self.replicas.push(ReplicaState {
            id,
            step: 0,
            seen,
            in_flight,
            is_probing,
            wants_probe: None,
            backlogs: Vec::new(),
        });
    }

    /// Takes note that a replica was heard of, and gives up those that were not for long.
    pub(super) fn record_heartbeat(&mut self, id: ReplicaId) {
        let now = self.budget.now();
        if let Some(replica) = self.replica_mut(id) {
            replica.seen = now;
        }
        let is_over = |replica: &ReplicaState, time: Duration| replica.seen + time < now;
        for replica in self.replicas.iter_mut().filter(|replica| is_over(replica, LOST_AFTER)) {
            replica.wants_probe = None;
            let (in_flight, is_probing) =
                (std::mem::take(&mut replica.in_flight), std::mem::take(&mut replica.is_probing));
            self.budget.abandon(in_flight, is_probing);
        }
        self.replicas.retain(|replica| !is_over(replica, GONE_AFTER));
    }

    /// Makes it the budget of one who has been alone since then.
    pub(super) fn part(&mut self, id: ReplicaId, since: Duration) {
        let parts = u32::try_from(self.replicas.len()).unwrap_or(u32::MAX);
        let (in_flight, is_probing) = self.held_by(id);
        self.budget.split(parts, since, in_flight, is_probing);
        self.replicas.clear();
        self.clocks.clear();
    }

    /// Removes a replica. Its calls are taken for lost.
    pub(super) fn leave(&mut self, id: ReplicaId) {
        if let Some(position) = self.replicas.iter().position(|replica| replica.id == id) {
            let ReplicaState { in_flight, is_probing, .. } = self.replicas.swap_remove(position);
            self.budget.abandon(in_flight, is_probing);
        }
    }

    fn replica(&self, id: ReplicaId) -> Option<&ReplicaState> {
        self.replicas.iter().find(|replica| replica.id == id)
    }

    fn replica_mut(&mut self, id: ReplicaId) -> Option<&mut ReplicaState> {
        self.replicas.iter_mut().find(|replica| replica.id == id)
    }
}

impl ReplicaState {
    /// Ends a call, or makes it one of another class; true if it is among those that are on their way.
    fn end(&mut self, grant: &CallGrant, kind: EventKind) -> bool {
        let held = self.in_flight.of_mut(grant.class);
        if *held == 0 {
            return false;
        }
        *held -= 1;
        match kind {
            EventKind::Reclassed { to } => *self.in_flight.of_mut(to) += 1,
            _ => self.is_probing &= !grant.is_probe,
        }
        true
    }
}
