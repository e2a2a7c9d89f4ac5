//! Exchanges: a replica tells the others what it did and takes what is its turn, in one step of compare-and-set on the value that they
//! share. What came in between is looked at, and the step tried again.

use std::time::Duration;

use super::super::RateClass;
use super::super::budget::{BucketId, CallGrant, PacingMode};
use super::super::fleet_budget::{CallEvent, EventKind, FleetBudget};
use super::membership::{CompareAndSet, HEARTBEAT, PacingMembership};
use super::{BucketQueue, Pacer};

/// Most leases ahead of the calls that wait, and the size of bucket below which there are none.
const LEASES_AHEAD: usize = 4;
const SMALL_BUCKET: u32 = 10;

/// Time after which something is told, where somebody waits for it, and where nobody does.
const PUBLISH_SOON: Duration = Duration::from_millis(5);
const PUBLISH_LATER: Duration = Duration::from_millis(250);

/// Time after which a replica where calls wait looks at what the others do, or after half the time to its turn, if that is longer.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// The same for one that waits for what another finds out.
const READ_WHILE_PROBED: Duration = Duration::from_millis(50);

/// Times by which what waits here has become more or less than the others know, for which they are told.
const BACKLOG_FACTOR: usize = 2;

/// Time that an exchange takes, for those who are told when to come back.
const EXCHANGE_TIME: Duration = Duration::from_millis(1);

impl Pacer {
    /// A pacer of one of several replicas. It lets nothing go before it has heard of their budget, or that it is alone.
    pub(in super::super) fn sharing(settings: super::PaceSettings) -> Self {
        Self { membership: Some(PacingMembership::new()), ..Self::new(settings) }
    }

    pub(super) fn is_sharing(&self) -> bool {
        self.membership.as_ref().is_some_and(PacingMembership::is_sharing)
    }

    /// The time of the next exchange, if nothing else happens before; `None` while one is under way, and where there are none.
    pub(in super::super) fn next_exchange(&self) -> Option<Duration> {
        let member = self.membership.as_ref()?;
        member.next_exchange(|| self.next_publication(member).min(self.next_look(member)))
    }

    /// The time at which the others have to be told of something.
    fn next_publication(&self, member: &PacingMembership) -> Duration {
        let (known, id) = (&self.known, member.id());
        let (in_flight, _) = known.held_by(id);
        let is_waiting = self.all_queues().any(|queue| !queue.is_empty());
        let is_busy = !self.discovery.is_empty() || RateClass::ALL.into_iter().any(|class| *in_flight.of(class) > 0);
        let mut due = member
            .next_heartbeat(is_busy, if is_waiting || known.others_wait(id) { PUBLISH_SOON } else { PUBLISH_LATER });
        due = due.min(self.leases.first_end().unwrap_or(due));
        for BucketQueue { bucket, waiters: queue } in &self.queues {
            let (waiting, backlog) = (queue.len(), known.backlog_of(id, *bucket));
            if (waiting == 0) != (backlog == 0) {
                due = due.min(member.after_publishing(PUBLISH_SOON));
            } else if waiting.max(backlog) > BACKLOG_FACTOR * waiting.min(backlog) {
                due = due.min(member.after_publishing(HEARTBEAT));
            }
        }
        if self.discovery.is_empty() == known.wants_probe(id) && !self.leases.has(PacingMode::Unknown) {
            due = due.min(member.after_publishing(PUBLISH_SOON));
        }
        due
    }

    /// The time at which there may be something to be had, or to be seen. A replica whose turn is far away does not watch each token.
    fn next_look(&self, member: &PacingMembership) -> Duration {
        let (known, id) = (&self.known, member.id());
        let mut due = Duration::MAX;
        for BucketQueue { bucket, waiters: queue } in self.queues.iter().filter(|queue| !queue.waiters.is_empty()) {
            let turn = known.time_of(id, *bucket, 1, 1);
            due = due.min(member.after_reading(READ_AGAIN.max(turn / 2)));
            if queue.len() > self.leases.of(*bucket)
                && let Some(look) = known.look_of(id, *bucket)
            {
                due = due.min(self.now + look);
            }
        }
        if !self.discovery.is_empty() {
            let probe = if known.budget().is_probing() {
                member.after_reading(READ_WHILE_PROBED)
            } else {
                self.now + known.budget().wait_to_probe()
            };
            due = due.min(probe).min(member.after_reading(READ_AGAIN));
        }
        due
    }

    /// Begins an exchange, if one is due. It is to be ended by [`Self::exchanged`].
    pub(in super::super) fn offer(&mut self, now: Duration) -> Option<CompareAndSet> {
        self.set_time(now);
        if self.next_exchange().is_none_or(|due| due > now) {
            return None;
        }
        let has_to_publish =
            self.membership.as_ref().is_some_and(|member| member.has_to_step() || self.next_publication(member) <= now);
        let Self { known, membership, leases, discovery, queues, .. } = self;
        let member = membership.as_mut()?;
        if member.has_to_look() {
            return Some(member.look(now));
        }
        let (id, mut value, mut grants) = (member.id(), known.clone(), Vec::new());
        if member.is_leaving() {
            value.leave(id);
            let offer = member.step(now, value, grants);
            return self.part_without(offer);
        }
        value.record_heartbeat(id);
        value.forget_backlogs(id);
        value.want_probe(id, !discovery.is_empty() && !leases.has(PacingMode::Unknown));
        if let Some(class) = discovery.next_class()
            && !leases.has(PacingMode::Unknown)
        {
            grants.extend(value.grant_probe(id, class));
        }
        for BucketQueue { bucket, waiters: queue } in queues {
            let waiting = queue.len();
            value.set_backlog(id, *bucket, waiting);
            if let Some(class) = queue.next_class() {
                let granted = std::iter::from_fn(|| value.grant(id, *bucket, class, waiting)).take(waiting);
                grants.extend(granted);
                member.uses(*bucket, class);
            }
        }
        for (bucket, class) in member.used().iter().copied() {
            let held = leases.of(bucket);
            for _ in held..ahead(&value, bucket) {
                grants.extend(value.grant_ahead(id, bucket, class));
            }
        }
        if grants.is_empty() && !has_to_publish {
            return Some(member.look(now));
        }
        let offer = member.step(now, value, grants);
        self.part_without(offer)
    }

    /// Goes on alone where there is too much to be shared.
    fn part_without(&mut self, offer: Option<CompareAndSet>) -> Option<CompareAndSet> {
        if offer.is_none() {
            self.part(self.now);
        }
        offer
    }

    /// Gives the leases back, and has the others told that this replica is no more. False if it shares with nobody.
    pub(in super::super) fn leave_fleet(&mut self, now: Duration) -> bool {
        self.set_time(now);
        if !self.membership.as_mut().is_some_and(PacingMembership::leave) {
            return false;
        }
        for grant in self.leases.lapsed(|_, _| false) {
            self.apply(CallEvent { grant, kind: EventKind::Withdrawn });
        }
        true
    }

    /// Takes note of a change to a call, and has the others told.
    pub(super) fn apply(&mut self, event: CallEvent) -> Duration {
        let Some(member) = self.membership.as_mut().filter(|member| member.is_sharing()) else {
            return self.known.apply(None, &event);
        };
        member.record(self.now, event);
        self.known.apply(Some(member.id()), &event)
    }

    /// A lease for a class, which is used by that.
    pub(super) fn take_lease(&mut self, class: RateClass) -> Option<CallGrant> {
        if self.leases.len() == 0 {
            return None;
        }
        let mode = self.known.budget().mode(class);
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
        let (now, budget) = (self.now, self.known.budget());
        // Alone, those that it has been given are its own.
        let is_alone = !self.is_sharing();
        let lapsed = self.leases.lapsed(|grant, until| until > now && (is_alone || budget.honours(grant)));
        for grant in lapsed {
            self.apply(CallEvent { grant, kind: EventKind::Withdrawn });
        }
    }

    /// The time at which the next call of a queue may be answered, where others may come before it who were not there when it was
    /// given its place; without others it is told as it comes.
    pub(super) fn turn_in(&self, queue: &BucketQueue) -> Duration {
        let sharing = self.membership.as_ref().filter(|member| member.is_sharing() && !queue.waiters.is_empty());
        let Some(member) = sharing.filter(|_| self.leases.of(queue.bucket) == 0) else { return Duration::ZERO };
        let budget = self.known.budget();
        let latency = budget.classes(queue.bucket).map(|class| budget.latency(class)).min();
        self.now + self.known.time_of(member.id(), queue.bucket, 1, queue.waiters.len()) + latency.unwrap_or_default()
    }

    /// Time until so many calls of a queue may have gone.
    pub(super) fn wait_for(&self, queue: &BucketQueue, calls: usize) -> Duration {
        let Some(member) = self.membership.as_ref().filter(|member| member.is_sharing()) else {
            return self.known.budget().bucket(queue.bucket).map_or(Duration::ZERO, |bucket| bucket.wait_for(calls));
        };
        match calls.saturating_sub(self.leases.of(queue.bucket)) {
            0 => Duration::ZERO,
            calls => EXCHANGE_TIME + self.known.time_of(member.id(), queue.bucket, calls, queue.waiters.len() + 1),
        }
    }
}

/// The number of leases that a replica should have ahead of its calls: a fair part of what is there.
fn ahead(value: &FleetBudget, bucket: BucketId) -> usize {
    let level = value.budget().level(bucket, value.budget().now());
    match value.budget().bucket(bucket) {
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
