//! Logs that Auth0 pushes to a replica that does not read: they go to the one that does, by a stream of their own.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::entry::{Report, SharedEntry, SharedLog};
use super::follower::wait_for;
use super::{Fleet, HOLD_INTERVAL, Inner, Role};
use crate::auth0::tail::batch;
use crate::deadline::Deadline;
use crate::shared_state::{SharedStateError, StreamEntry, StreamId, StreamReader};

/// The place that entries are sealed for. They are written under no lease.
const INBOX: &str = "inbox";
const NO_FENCE: &str = "";

/// Time between two looks whether it has become the leader, should no change tell.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// The logs that wait for the leader.
pub(super) struct Inbox<'a> {
    tail: &'a Inner,
    fleet: &'a Fleet,
    /// The last entry that was taken in. A leader begins with all there are: its own checkpoint knows those that it has.
    after: StreamId,
    reader: Option<StreamReader>,
}

impl<'a> Inbox<'a> {
    pub(super) fn new(tail: &'a Inner, fleet: &'a Fleet) -> Self {
        Self { tail, fleet, after: StreamId::LOWEST, reader: None }
    }

    /// Takes in what is sent, whenever this replica is the leader, until it is dropped.
    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            if !self.is_leader() {
                (self.after, self.reader) = (StreamId::LOWEST, None);
                while !wait_for(self.tail, Instant::now() + LOOK_INTERVAL, |state| {
                    state.membership.role() == Role::Leader && state.checkpoint.is_seeded()
                })
                .await
                {}
            }
            match self.fleet.read(&mut self.reader, &self.fleet.inbox, self.after, Some(HOLD_INTERVAL)).await {
                Ok(entries) => self.take_in(entries),
                Err(SharedStateError) => sleep(HOLD_INTERVAL).await,
            }
        }
    }

    fn is_leader(&self) -> bool {
        let state = self.tail.state.lock();
        state.membership.role() == Role::Leader && state.checkpoint.is_seeded()
    }

    fn take_in(&mut self, entries: Vec<StreamEntry>) {
        for StreamEntry { id, value, .. } in entries {
            self.after = id;
            let text = self.fleet.key.open(INBOX, NO_FENCE, &value);
            let entry = text.and_then(|text| SharedEntry::read(&text));
            let Some(logs) = entry.as_ref().and_then(|entry| batch::read(&entry.records).ok()) else {
                self.tail.metrics().shared("unreadable");
                continue;
            };
            match self.tail.change(|state| state.take_in_pushed(&logs)) {
                Ok(arrivals) => {
                    self.tail.count("replica", &arrivals);
                }
                // They are read some time later.
                Err(_) => self.tail.read_now.notify_one(),
            }
        }
    }
}

impl Inner {
    /// Sends pushed logs, a JSON array, to the replica that reads, if that is another. True if they are there, all of them, within the time
    /// of an operation. Those that are not are read some time later.
    pub(in crate::auth0::tail) async fn pass_on(&self, records: &str) -> bool {
        if self.state.lock().membership.role() == Role::Leader {
            return false;
        }
        let Some(fleet) = Fleet::of(&self.api) else { return false };
        let Ok(logs) = batch::read(records) else { return false };
        let logs = logs.iter().map(|log| SharedLog { id: log.mark.id.clone(), json: log.json.into() });
        let report = Report { logs: logs.collect(), ..Report::default() };
        let sending = async {
            for chunk in report.into_chunks() {
                let text = chunk.write(0, None);
                let Some(entry) = text.and_then(|text| fleet.key.seal(INBOX, NO_FENCE, &text)) else { return false };
                let sent = fleet.state.send(&fleet.leased.lease, &fleet.inbox, &entry).await;
                if sent != Ok(true) {
                    return false;
                }
            }
            true
        };
        Deadline::within(fleet.state.operation_timeout()).limit(sending).await.unwrap_or(false)
    }
}
