//! The tail of several replicas: one of them reads, and tells the others by a stream in Redis.
//!
//! A replica that somebody follows tries for a lease. Whoever has it is the leader: it reads as it would alone, and what it finds goes
//! into the stream (`entry`), under the lease, in one step with a look at it; so one that was paused writes nothing any more when it goes on. The
//! others follow the stream (`stream_position`) and do not read, unless something may have been missed or Redis is gone (`membership`). What is
//! pushed to one of them goes to the leader as well (`inbox`). What becomes
//! of a log at a replica is decided by its own checkpoint alone, whoever read it: so nothing is lost or told twice, whatever changes.
//!
//! Lease and fence go by the clock of Redis, what a replica waits for by its own time since it started: no calendar matters.

mod entry;
mod follower;
mod inbox;
mod membership;
#[cfg(test)]
mod model;
mod sealing;
mod stream_position;

use std::convert::Infallible;
use std::time::Duration;

use data_encoding::HEXLOWER;
use tokio::time::{Instant, sleep_until};

use self::entry::ReportChunk;
pub(crate) use self::entry::{ReadRange, Report, SharedLog};
use self::inbox::Inbox;
use self::membership::LeaseAnswer;
pub(crate) use self::membership::{Role, TailMembership};
use self::sealing::LogSealingKey;
use self::stream_position::StreamPosition;
use super::super::reader::Reader;
use super::{Inner, State};
use crate::shared_state::{
    BoundedStream, LeasedStream, SharedState, SharedStateError, StreamEntry, StreamId, StreamReader,
};

/// Time for which the lease holds without being renewed.
const LEASE_LIFE: Duration = Duration::from_millis(1_500);

/// Time between two attempts to hold it: a leader that is gone is replaced within this and the lease's life.
const HOLD_INTERVAL: Duration = Duration::from_millis(400);

/// Most entries of the stream, and the time for which it is kept after the last of them.
const STREAM_BOUNDS: (usize, Duration) = (256, Duration::from_secs(10 * 60));

/// The same of those that wait for the leader.
const INBOX_BOUNDS: (usize, Duration) = (128, Duration::from_secs(60));

/// Time after which a leader that reaches Auth0 tells that it is there, if it had nothing else to tell.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Time after which a follower that is told nothing reads by itself: a lease is no proof of a leader.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

/// Time for which Redis may answer late, or not at all, before a replica takes it for gone: its subscribers wait. Were it shorter, all replicas
/// of a machine that has too much to do would read, which then had more.
const LONGEST_LATENESS: Duration = Duration::from_secs(5);

/// Longest time for which the first connection is waited for.
const FIRST_CONNECTION_WAIT: Duration = Duration::from_secs(1);

/// Failures in a row after which a leader lets another try, which may reach Auth0.
const MOST_FAILURES: u32 = 3;

/// Time for which it does not take the lease again then.
const ABSTENTION: Duration = Duration::from_secs(3);

/// The place that entries are sealed for.
const STREAM: &str = "stream";

/// The replicas of one client that share their tail.
pub(super) struct Fleet {
    state: SharedState,
    key: LogSealingKey,
    leased: LeasedStream,
    /// The stream of what the leader is sent.
    inbox: BoundedStream,
}

/// A replica that takes part.
pub(super) struct Member<'a> {
    tail: &'a Inner,
    fleet: &'a Fleet,
    /// A text that only this member knows.
    owner: String,
    position: StreamPosition,
    reader: Option<StreamReader>,
    /// The moments of the last answers about the lease and from the stream.
    answered_at: Instant,
    read_at: Instant,
    /// The moment at which it last told the others, or was told.
    last_entry_at: Instant,
    /// True if the others are to be told at once that it is there.
    announces: bool,
    /// The moment up to which it does not take the lease.
    abstains_until: Option<Instant>,
}

/// The lease is another's, so that nothing more can be told.
struct FencedError;

impl Fleet {
    /// The fleet of a client; `None` of one that shares nothing.
    pub(super) fn of(api: &Reader) -> Option<Self> {
        let state = api.tokens().shared_state()?.clone();
        let (authentication, client_id, audience) = api.tokens().client();
        let key = LogSealingKey::derive(authentication.secret_bytes(), client_id, audience)?;
        let stream = |kind, (entries, life)| BoundedStream { key: state.key(kind, key.name()), entries, life };
        let leased = LeasedStream {
            lease: state.key("tail-lease", key.name()),
            lease_life: LEASE_LIFE,
            stream: stream("tail-stream", STREAM_BOUNDS),
        };
        let inbox = stream("tail-inbox", INBOX_BOUNDS);
        Some(Self { state, key, leased, inbox })
    }

    /// The entries of a stream behind `after`, by a reader that is opened if there is none. After an error there is none.
    async fn read(
        &self,
        reader: &mut Option<StreamReader>,
        stream: &BoundedStream,
        after: StreamId,
        wait: Option<Duration>,
    ) -> Result<Vec<StreamEntry>, SharedStateError> {
        let mut open = match reader.take() {
            Some(open) => open,
            None => self.state.open_reader().await?,
        };
        let entries = open.read(&stream.key, after, wait).await?;
        *reader = Some(open);
        Ok(entries)
    }
}

impl<'a> Member<'a> {
    /// A member of the fleet that has done nothing yet. `None` is not known to happen.
    pub(super) fn new(tail: &'a Inner, fleet: &'a Fleet) -> Option<Self> {
        let mut owner = [0; 16];
        aws_lc_rs::rand::fill(&mut owner).ok()?;
        let owner = HEXLOWER.encode(&owner);
        let now = Instant::now();
        Some(Self {
            tail,
            fleet,
            owner,
            position: StreamPosition::default(),
            reader: None,
            answered_at: now,
            read_at: now,
            last_entry_at: now,
            announces: false,
            abstains_until: None,
        })
    }

    /// Takes part, until it is dropped.
    pub(super) async fn run(&mut self) -> Infallible {
        let mut inbox = Inbox::new(self.tail, self.fleet);
        tokio::select! {
            never = self.take_part() => never,
            never = inbox.run() => never,
        }
    }

    async fn take_part(&mut self) -> Infallible {
        self.fleet.state.settled_within(FIRST_CONNECTION_WAIT).await;
        loop {
            let next_hold = Instant::now() + HOLD_INTERVAL;
            self.hold().await;
            let role = self.tail.state.lock().membership.role();
            match role {
                Role::Leader => {
                    if let Err(FencedError) = self.lead(next_hold).await {
                        self.position.forget_lease();
                    }
                }
                Role::Follower => self.follow(next_hold).await,
                Role::Deciding | Role::Alone => sleep_until(next_hold).await,
            }
        }
    }

    /// Gives the lease up, so that another need not wait for its end.
    pub(super) async fn leave(mut self) {
        self.tail.metrics().leads(false);
        self.release().await;
    }

    async fn release(&mut self) {
        if let Some(fence) = self.position.forget_lease() {
            self.fleet.state.release(&self.fleet.leased, &self.owner, &fence).await;
        }
    }

    /// Tries to hold the lease, and takes its role by the answer.
    async fn hold(&mut self) {
        let (was, failures) = {
            let State { membership, checkpoint, .. } = &*self.tail.state.lock();
            (membership.role(), checkpoint.failures())
        };
        if was == Role::Leader && failures >= MOST_FAILURES {
            self.release().await;
            self.abstains_until = Some(Instant::now() + ABSTENTION);
        }
        let may_take = self.abstains_until.is_none_or(|until| until <= Instant::now());
        let asked_at = Instant::now();
        let held = self.fleet.state.hold(&self.fleet.leased, &self.owner, self.position.fence(), may_take).await;
        let answer = match &held {
            Ok(holding) => {
                self.answered_at = Instant::now();
                if holding.is_own { LeaseAnswer::Held } else { LeaseAnswer::Anothers }
            }
            Err(SharedStateError) => {
                let is_late = self.answered_at.elapsed() >= LONGEST_LATENESS;
                LeaseAnswer::Missing { is_gone: is_late || self.fleet.state.is_gone() }
            }
        };
        let role = was.after(answer);
        if let Ok(holding) = held {
            let finding = self.position.attempt(&holding);
            if finding.is_new {
                if !finding.is_lost && Some(self.position.after()) < holding.last {
                    self.drain().await;
                }
                self.position.begin(&holding, finding);
            }
            self.announces |= finding.is_new || finding.is_lost;
            if holding.is_own {
                self.tail.state.lock().membership.hold_until(asked_at + LEASE_LIFE);
            }
        }
        if was != role {
            self.enter(was, role);
        }
    }

    fn enter(&mut self, was: Role, role: Role) {
        tracing::debug!(?was, ?role, "the part of this replica in the tail of logs changes");
        if role == Role::Leader {
            self.reader = None;
        }
        let now = Instant::now();
        (self.read_at, self.last_entry_at) = (now, now);
        self.tail.change(|state| state.membership.enter(role, now));
        self.tail.metrics().leads(role == Role::Leader);
        if role == Role::Leader && was == Role::Follower {
            self.tail.metrics().took_over();
        }
        self.tail.read_now.notify_one();
    }

    /// Tells the others what is found, until it is time to renew the lease.
    async fn lead(&mut self, until: Instant) -> Result<(), FencedError> {
        while Instant::now() < until {
            let is_silent = self.announces || self.last_entry_at.elapsed() >= HEARTBEAT;
            let next = {
                let State { membership, checkpoint, .. } = &mut *self.tail.state.lock();
                if is_silent && checkpoint.failures() == 0 {
                    membership.report_presence();
                }
                if membership.take_has_forgotten() {
                    self.position.skip();
                }
                membership.next_to_publish().cloned()
            };
            match next {
                Some(chunk) => self.publish(&chunk, until).await?,
                None => tokio::select! {
                    () = self.tail.reported.notified() => {}
                    () = sleep_until(until) => {}
                },
            }
        }
        Ok(())
    }

    /// Publishes an entry, and once more until it is known to be published.
    async fn publish(&mut self, chunk: &ReportChunk, until: Instant) -> Result<(), FencedError> {
        let fence = self.position.fence().ok_or(FencedError)?;
        let (number, previous) = self.position.next();
        let text = chunk.write(number, previous);
        let Some(entry) = text.and_then(|text| self.fleet.key.seal(STREAM, fence.as_str(), &text)) else {
            self.tail.state.lock().membership.published();
            self.position.skip();
            return Ok(());
        };
        match self.fleet.state.publish(&self.fleet.leased, &self.owner, fence, &entry).await {
            Ok(Some(id)) => {
                self.position.written(id);
                (self.announces, self.last_entry_at) = (false, Instant::now());
                let State { membership, checkpoint, .. } = &mut *self.tail.state.lock();
                membership.published();
                checkpoint.share(chunk.logs.iter().map(|log| &log.id));
                self.tail.metrics().shared("published");
                Ok(())
            }
            Ok(None) => {
                self.tail.metrics().shared("fenced");
                Err(FencedError)
            }
            Err(SharedStateError) => {
                sleep_until(until).await;
                Ok(())
            }
        }
    }
}
