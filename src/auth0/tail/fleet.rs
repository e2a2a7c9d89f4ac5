//! The tail of several replicas: one of them reads, and tells the others by a stream in Redis.
//!
//! A replica that somebody follows tries for a lease. Whoever has it is the leader: it reads as it would alone, and what it finds goes
//! into the stream (`entry`), under the lease, in one step with a look at it; so one that was paused writes nothing any more when it goes on. The
//! others follow the stream (`chain`) and do not read, unless something may have been missed or Redis is gone (`membership`). What is
//! pushed to one of them goes to the leader as well (`inbox`). What becomes
//! of a log at a replica is decided by its own checkpoint alone, whoever read it: so nothing is lost or told twice, whatever changes.

mod chain;
mod entry;
mod inbox;
mod membership;
#[cfg(test)]
mod model;
mod sealing;
mod standing;

use std::convert::Infallible;
use std::time::Duration;

use data_encoding::HEXLOWER;
use tokio::time::{Instant, sleep_until};

use self::chain::Chain;
use self::entry::SharedEntry;
pub(crate) use self::entry::{Reading, Report, SharedLog};
use self::inbox::Inbox;
use self::membership::{LeaseAnswer, MISSED_MEMORY};
pub(crate) use self::membership::{Membership, Role};
use self::sealing::SealingKey;
use self::standing::Standing;
use super::super::reader::Reader;
use super::batch::{self, RawLog};
use super::checkpoint::Arrival;
use super::ring::Entry;
use super::{Inner, State};
use crate::shared_state::{
    BoundedStream, Fence, Holding, LeasedStream, SharedState, StreamEntry, StreamReader, Unavailable,
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

/// Failures in a row after which a leader lets another try, which may reach Auth0.
const MOST_FAILURES: u32 = 3;

/// Time for which it does not take the lease again then.
const ABSTENTION: Duration = Duration::from_secs(3);

/// Longest wait for a read of one's own before an entry that follows what was missed. Without it the logs of that read are late.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// The place that entries are sealed for.
const STREAM: &str = "stream";

/// The replicas of one client that share their tail.
pub(super) struct Fleet {
    state: SharedState,
    key: SealingKey,
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
    standing: Standing<Fence>,
    reader: Option<StreamReader>,
    /// The moment at which it last told the others, or was told.
    last_entry_at: Instant,
    /// The moment up to which it does not take the lease.
    abstains_until: Option<Instant>,
}

/// The lease is another's, so that nothing more can be told.
struct Fenced;

impl Fleet {
    /// The fleet of a client; `None` of one that shares nothing.
    pub(super) fn of(api: &Reader) -> Option<Self> {
        let state = api.tokens().shared_state()?.clone();
        let (authentication, client_id, audience) = api.tokens().client();
        let key = SealingKey::derive(authentication.secret_bytes(), client_id, audience)?;
        let stream = |kind, (entries, life)| BoundedStream { key: state.key(kind, key.name()), entries, life };
        let leased = LeasedStream {
            lease: state.key("tail-lease", key.name()),
            lease_life: LEASE_LIFE,
            stream: stream("tail-stream", STREAM_BOUNDS),
        };
        let inbox = stream("tail-inbox", INBOX_BOUNDS);
        Some(Self { state, key, leased, inbox })
    }
}

impl<'a> Member<'a> {
    /// A member of the fleet that has done nothing yet. `None` is not known to happen.
    pub(super) fn new(tail: &'a Inner, fleet: &'a Fleet) -> Option<Self> {
        let mut owner = [0; 16];
        aws_lc_rs::rand::fill(&mut owner).ok()?;
        let owner = HEXLOWER.encode(&owner);
        let (standing, last_entry_at) = (Standing::new(), Instant::now());
        Some(Self { tail, fleet, owner, standing, reader: None, last_entry_at, abstains_until: None })
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
        self.fleet.state.settled().await;
        loop {
            let next_hold = Instant::now() + HOLD_INTERVAL;
            self.hold().await;
            let role = self.tail.state().membership.role();
            match role {
                Role::Leader => {
                    if let Err(Fenced) = self.lead(next_hold).await {
                        self.standing.fence = None;
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
        if let Some(fence) = self.standing.fence.take() {
            self.fleet.state.release(&self.fleet.leased, &self.owner, &fence).await;
        }
    }

    /// Tries to hold the lease, and changes its part by the answer.
    async fn hold(&mut self) {
        let (was, failures) = {
            let State { membership, checkpoint, .. } = &*self.tail.state();
            (membership.role(), checkpoint.failures())
        };
        if was == Role::Leader && failures >= MOST_FAILURES {
            self.release().await;
            self.abstains_until = Some(Instant::now() + ABSTENTION);
        }
        let may_take = self.abstains_until.is_none_or(|until| until <= Instant::now());
        let fence = self.standing.fence.as_ref();
        let held = self.fleet.state.hold(&self.fleet.leased, &self.owner, fence, may_take).await;
        let answer = match &held {
            Ok(Holding { fence: Some(_), .. }) => LeaseAnswer::Held,
            Ok(Holding { fence: None, .. }) => LeaseAnswer::Anothers,
            Err(Unavailable) => LeaseAnswer::Missing { is_down: self.fleet.state.is_down() },
        };
        let role = was.after(answer);
        if let Ok(Holding { fence, last }) = held {
            if self.standing.attempt(fence.as_ref(), last) {
                self.drain().await;
            }
            if self.standing.settle(was, role, fence, last) {
                self.doubt(MISSED_MEMORY);
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
        self.last_entry_at = Instant::now();
        self.tail.change(|state| state.membership.enter(role, Instant::now()));
        self.tail.metrics().leads(role == Role::Leader);
        if role == Role::Leader && was == Role::Follower {
            self.tail.metrics().took_over();
        }
        self.tail.read_now.notify_one();
    }

    /// Tells the others what is found, until it is time to renew the lease.
    async fn lead(&mut self, until: Instant) -> Result<(), Fenced> {
        while Instant::now() < until {
            let (report, reaches_auth0) = {
                let state = &mut *self.tail.state();
                (state.membership.next_report(), state.checkpoint.failures() == 0)
            };
            let is_silent = self.last_entry_at.elapsed() >= HEARTBEAT;
            match report.or_else(|| (is_silent && reaches_auth0).then(Report::default)) {
                Some(report) => self.tell(report).await?,
                None => tokio::select! {
                    () = self.tail.reported.notified() => {}
                    () = sleep_until(until) => {}
                },
            }
        }
        Ok(())
    }

    /// Tells the others. What cannot be told is told with what is read next, or read by them.
    async fn tell(&mut self, report: Report) -> Result<(), Fenced> {
        self.last_entry_at = Instant::now();
        for part in report.into_parts() {
            let fence = self.standing.fence.as_ref().ok_or(Fenced)?;
            let text = part.write(self.standing.chain.last());
            let Some(entry) = text.and_then(|text| self.fleet.key.seal(STREAM, fence.as_str(), &text)) else { break };
            match self.fleet.state.publish(&self.fleet.leased, &self.owner, fence, &entry).await {
                Ok(Some(id)) => {
                    self.standing.chain = Chain::Behind(Some(id));
                    self.tail.state().checkpoint.share(part.logs.iter().map(|log| &log.id));
                    self.tail.metrics().shared("published");
                }
                Ok(None) => {
                    self.tail.metrics().shared("fenced");
                    return Err(Fenced);
                }
                Err(Unavailable) => break,
            }
        }
        Ok(())
    }

    /// Takes in what the leader tells, until it is time to look at the lease.
    async fn follow(&mut self, until: Instant) {
        if !wait_for(self.tail, until, |state| state.checkpoint.is_seeded()).await {
            return;
        }
        let wait = until.saturating_duration_since(Instant::now());
        match self.read(Some(wait)).await {
            Ok(entries) if entries.is_empty() => {
                if self.last_entry_at.elapsed() >= LONGEST_SILENCE {
                    self.doubt(HOLD_INTERVAL);
                }
            }
            Ok(entries) => self.take_in(entries).await,
            Err(Unavailable) => {
                // Until it can be read, this replica reads by itself.
                self.doubt(until.saturating_duration_since(Instant::now()));
                sleep_until(until).await;
            }
        }
    }

    /// Takes in what there is in the stream.
    async fn drain(&mut self) {
        while self.tail.state().checkpoint.is_seeded() {
            match self.read(None).await {
                Ok(entries) if !entries.is_empty() => self.take_in(entries).await,
                Ok(_) | Err(Unavailable) => return,
            }
        }
    }

    async fn read(&mut self, wait: Option<Duration>) -> Result<Vec<StreamEntry>, Unavailable> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.fleet.state.open_reader().await?,
        };
        let entries = reader.read(&self.fleet.leased.stream.key, self.standing.chain.after(), wait).await?;
        self.reader = Some(reader);
        Ok(entries)
    }

    async fn take_in(&mut self, entries: Vec<StreamEntry>) {
        for StreamEntry { id, name, value } in entries {
            let text = self.fleet.key.open(STREAM, &name, &value);
            let entry = text.and_then(|text| SharedEntry::read(&text));
            let is_continued = entry.as_ref().is_some_and(|entry| {
                let state = self.tail.state();
                self.standing.chain.is_continued_by(id, entry.previous)
                    && entry.continues(state.checkpoint.read_up_to())
            });
            self.standing.chain = Chain::Behind(Some(id));
            if entry.is_some() {
                self.last_entry_at = Instant::now();
            }
            if !is_continued {
                self.read_what_was_missed().await;
            }
            let logs = entry.as_ref().and_then(|entry| batch::read(&entry.records).ok());
            let Some((entry, logs)) = entry.as_ref().zip(logs) else {
                self.tail.metrics().shared("unreadable");
                continue;
            };
            self.tail.metrics().shared("received");
            let arrivals = self.tail.change(|state| state.take_in_shared(entry, &logs));
            match arrivals {
                Some(arrivals) => {
                    self.tail.count("replica", &arrivals);
                }
                None => self.read_what_was_missed().await,
            }
        }
    }

    /// Has the poller read, and waits for it a while.
    async fn read_what_was_missed(&self) {
        let now = Instant::now();
        self.tail.metrics().shared("missed");
        self.doubt(MISSED_MEMORY);
        self.tail.read_now.notify_one();
        wait_for(self.tail, now + READ_PATIENCE, |state| state.membership.has_caught_up(now)).await;
    }

    /// Has the poller read until a read that begins after so much time has caught up.
    fn doubt(&self, time: Duration) {
        let now = Instant::now();
        let was_in_doubt = self.tail.change(|state| {
            let was_in_doubt = state.membership.is_in_doubt();
            state.membership.doubt(now, now + time);
            was_in_doubt
        });
        if !was_in_doubt {
            self.tail.read_now.notify_one();
        }
    }
}

/// Waits until it is so; false if it is not by then.
async fn wait_for(tail: &Inner, until: Instant, is_so: impl Fn(&State) -> bool) -> bool {
    let mut news = tail.news.subscribe();
    loop {
        // Before the look: what changes after it is seen.
        news.borrow_and_update();
        if is_so(&tail.state()) {
            return true;
        }
        tokio::select! {
            _ = news.changed() => {}
            () = sleep_until(until) => return false,
        }
    }
}

impl State {
    /// Takes in logs that another replica has told of. None if there is no room for them.
    fn take_in_shared(&mut self, entry: &SharedEntry, logs: &[RawLog<'_>]) -> Option<Vec<Arrival>> {
        // While something is missing before them, the next read has to begin where it would have.
        let is_whole = self.membership.is_whole() && entry.continues(self.checkpoint.read_up_to());
        let up_to = entry.reading.as_ref().filter(|_| is_whole).map(|reading| &reading.up_to);
        let gap = entry.gap.as_ref();
        // Whoever has read further by itself misses nothing there.
        if let Some(gap) = gap.filter(|gap| self.checkpoint.read_up_to() <= Some(gap)) {
            self.ring.push(Entry::Gap(gap.clone()));
        }
        let marks: Vec<_> = logs.iter().map(|log| log.mark.clone()).collect();
        let arrivals = self.checkpoint.take_in_shared(&marks, up_to)?;
        self.cursor = self.checkpoint.cursor().cloned();
        let logs: Vec<_> = logs.iter().zip(arrivals).collect();
        self.tell(&logs, |_, arrival| matches!(arrival, Arrival::New | Arrival::Late));
        self.forget();
        Some(logs.into_iter().map(|(_, arrival)| arrival).collect())
    }
}
