//! A follower: it takes in what the leader tells, and reads what it may have missed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::super::batch::{self, RawLog};
use super::super::checkpoint::Arrival;
use super::super::ring::Entry;
use super::super::{Inner, State};
use super::entry::SharedEntry;
use super::membership::MISSED_MEMORY;
use super::stream_position::EntryOrder;
use super::{HOLD_INTERVAL, LONGEST_LATENESS, LONGEST_SILENCE, Member, STREAM};
use crate::shared_state::{SharedStateError, StreamEntry};

/// Longest wait for a read of one's own before an entry that follows what was missed. Without it the logs of that read are late.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(1);

impl Member<'_> {
    /// Takes in what the leader tells, until it is time to look at the lease.
    pub(super) async fn follow(&mut self, until: Instant) {
        if !wait_for(self.tail, until, |state| state.checkpoint.is_seeded()).await {
            return;
        }
        let wait = until.saturating_duration_since(Instant::now());
        match self.read(Some(wait)).await {
            Ok(entries) => {
                self.read_at = Instant::now();
                if entries.is_empty() && self.last_entry_at.elapsed() >= LONGEST_SILENCE {
                    self.doubt(HOLD_INTERVAL);
                }
                self.take_in(entries).await;
            }
            Err(SharedStateError) => {
                if self.read_at.elapsed() >= LONGEST_LATENESS {
                    // Until it can be read, this replica reads by itself.
                    self.doubt(HOLD_INTERVAL);
                }
                sleep_until(until).await;
            }
        }
    }

    /// Takes in what there is in the stream.
    pub(super) async fn drain(&mut self) {
        while let Ok(entries) = self.read(None).await {
            if entries.is_empty() {
                return;
            }
            self.take_in(entries).await;
        }
    }

    async fn read(&mut self, wait: Option<Duration>) -> Result<Vec<StreamEntry>, SharedStateError> {
        self.fleet.read(&mut self.reader, &self.fleet.leased.stream, self.position.after(), wait).await
    }

    async fn take_in(&mut self, entries: Vec<StreamEntry>) {
        for StreamEntry { id, name, value } in entries {
            let text = self.fleet.key.open(STREAM, &name, &value);
            let entry = text.and_then(|text| SharedEntry::read(&text));
            let order = self.position.pass(id, &name, entry.as_ref());
            if entry.is_some() {
                self.last_entry_at = Instant::now();
            }
            let (is_seeded, is_continued) = {
                let State { checkpoint, .. } = &*self.tail.state.lock();
                let is_continued = entry.as_ref().is_some_and(|entry| entry.continues(checkpoint.read_up_to()));
                (checkpoint.is_seeded(), is_continued && order == EntryOrder::Continued)
            };
            // Whoever begins to read has what was told before.
            if order == EntryOrder::Known || !is_seeded {
                continue;
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
        wait_for(self.tail, now + CATCH_UP_TIMEOUT, |state| state.membership.has_caught_up(now)).await;
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
pub(super) async fn wait_for(tail: &Inner, until: Instant, is_so: impl Fn(&State) -> bool) -> bool {
    let mut news = tail.news.subscribe();
    loop {
        // Before the look: what changes after it is seen.
        news.borrow_and_update();
        if is_so(&tail.state.lock()) {
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
    pub(super) fn take_in_shared(&mut self, entry: &SharedEntry, logs: &[RawLog<'_>]) -> Option<Vec<Arrival>> {
        // While something is missing before them, the next read has to begin where it would have.
        let is_whole = self.membership.is_whole() && entry.continues(self.checkpoint.read_up_to());
        let up_to = entry.range.as_ref().filter(|_| is_whole).map(|range| &range.up_to);
        let gap = entry.gap.as_ref();
        // Whoever has read further by itself misses nothing there.
        if let Some(gap) = gap.filter(|gap| self.checkpoint.read_up_to() <= Some(gap)) {
            self.ring.push(Entry::Gap(gap.clone()));
        }
        let marks: Vec<_> = logs.iter().map(|log| log.mark.clone()).collect();
        let arrivals = self.checkpoint.take_in_shared(&marks, up_to)?;
        self.cursor = self.checkpoint.cursor().cloned();
        let logs: Vec<_> = logs.iter().zip(arrivals).collect();
        self.append(&logs, |_, arrival| matches!(arrival, Arrival::New | Arrival::Late));
        self.forget();
        Some(logs.into_iter().map(|(_, arrival)| arrival).collect())
    }
}
