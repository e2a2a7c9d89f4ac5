//! The poller: reads on, for as long as somebody follows.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::super::api_request::ApiRequest;
use super::super::endpoints::{LOG_SEARCH, LOG_STREAM};
use super::super::error::Error;
use super::super::fields_parameter::Fields;
use super::super::ids::LogId;
use super::super::list_parameters::{LogCheckpoint, LogSearch};
use super::batch::{self, LogBatch, RawLog, RawLogs};
use super::checkpoint::{Arrival, Checkpoint, NextRead};
use super::fleet::{ReadRange, Report, Role, SharedLog};
use super::history::marks;
use super::ring::Entry;
use super::{Inner, State, context};
use crate::telemetry::Trace;

/// Wait of one for whom another replica reads, unless it is told to read.
const REST: Duration = Duration::from_secs(60);

/// Reads on until nobody follows for as long as the poller lingers.
pub(super) async fn run(tail: &Inner) {
    tracing::debug!("the tail of logs begins");
    let mut poller = Poller { lost: None, backs_off_until: None };
    loop {
        let wait = if tail.state.lock().reads() { poller.read_once(tail).await } else { REST };
        if wait_or_end(tail, wait).await {
            tracing::debug!("the tail of logs ends");
            return;
        }
    }
}

/// Waits; true if nobody has followed for long, so that the poller is over.
async fn wait_or_end(tail: &Inner, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    loop {
        let ends_at = {
            let mut state = tail.state.lock();
            let ends_at = state.idle_since.map(|since| since + tail.settings.linger);
            if ends_at.is_some_and(|ends_at| ends_at <= Instant::now()) {
                // The ring goes too: it would have a hole before the next poller's first log.
                *state = State::new(&tail.settings, tail.api.tokens().shared_state().is_some());
                return true;
            }
            ends_at
        };
        tokio::select! {
            () = sleep_until(ends_at.map_or(until, |ends_at| ends_at.min(until))) => {
                if Instant::now() >= until {
                    return false;
                }
            }
            () = tail.readers_changed.notified() => {}
            () = tail.read_now.notified() => return false,
        }
    }
}

struct Poller {
    /// The log from which Auth0 would not read on, so that the poller began anew.
    lost: Option<LogId>,
    /// The moment before which it does not read again after a failure, whoever wants it to.
    backs_off_until: Option<Instant>,
}

impl Poller {
    /// Reads, unless it is too early after a failure; returns the time until the next read.
    async fn read_once(&mut self, tail: &Inner) -> Duration {
        if let Some(rest) = self.backs_off_until.and_then(|until| until.checked_duration_since(Instant::now())) {
            return rest;
        }
        let read = Trace::of_work("tail").scope(self.read(tail)).await;
        tail.metrics().polled(read.is_ok());
        match read {
            Ok(()) => tail.state.lock().wait(tail.settings.max_interval),
            Err(error) => {
                let wait = self.fail(tail, &error);
                self.backs_off_until = Some(Instant::now() + wait);
                wait
            }
        }
    }

    async fn read(&mut self, tail: &Inner) -> Result<(), Error> {
        let began_at = Instant::now();
        let (next_read, is_recovering) = {
            let State { checkpoint, .. } = &mut *tail.state.lock();
            (checkpoint.begin_read(), checkpoint.is_recovering())
        };
        let (request, from) = match next_read {
            NextRead::Newest => (ApiRequest::list(&LOG_SEARCH, &LogSearch::newest_page(), &marks()), None),
            NextRead::After(id) => {
                (ApiRequest::list(&LOG_STREAM, &LogCheckpoint::page_after(id.clone()), &Fields::All), Some(id))
            }
        };
        let context = context().fresh();
        let page = tail.api.read(&request, &context).await?;
        let records = String::from_utf8_lossy(&page.records);
        let RawLogs { logs, left_out } = batch::read_all(&records)?;
        tail.leave_out(left_out);
        // An outage may be over before all attempts at one read have failed.
        let gap = if is_recovering || context.stats().retries > 0 { gap(tail).await? } else { None };
        let lost = &mut self.lost;
        let arrivals = tail.change(|state| {
            let arrivals = state.take_in(&logs, left_out, from, gap, lost);
            let is_all = state.checkpoint.is_seeded() && !state.checkpoint.is_full();
            state.membership.read(began_at, is_all);
            arrivals
        });
        tail.count("poll", &arrivals);
        Ok(())
    }

    /// Notes a failure; returns the time until the next read.
    fn fail(&mut self, tail: &Inner, error: &Error) -> Duration {
        let retry_after = match error {
            Error::RateLimited { retry_after } => *retry_after,
            _ => None,
        };
        let wait = tail.state.lock().checkpoint.fail(retry_after);
        tracing::warn!(error = error.summary(), cause = error.causes(), ?wait, "the tail of logs cannot be read");
        match error {
            Error::Misconfigured { .. } => tail.change(|state| state.failure = Some(error.clone())),
            Error::Rejected { .. } => {
                let mut state = tail.state.lock();
                self.lost = state.checkpoint.read_up_to().cloned().or(self.lost.take());
                state.checkpoint = Checkpoint::new(tail.settings.max_interval);
            }
            _ => {}
        }
        wait
    }
}

impl Inner {
    /// Counts logs that came; returns the number of those that nothing had brought before.
    pub(super) fn count(&self, source: &'static str, arrivals: &[Arrival]) -> usize {
        let of = |part| arrivals.iter().filter(|arrival| **arrival == part).count();
        let (new, late) = (of(Arrival::New), of(Arrival::Late));
        self.metrics().came(source, new + late, late);
        new + late
    }
}

impl State {
    /// True if this replica is to read now.
    pub(super) fn reads(&self) -> bool {
        self.membership.reads(self.checkpoint.is_seeded())
    }

    /// The time to wait before the next read.
    fn wait(&self, longest_interval: Duration) -> Duration {
        let wait = self.checkpoint.wait();
        match self.membership.role() {
            // It reads for what it may have missed: not for long, and whatever is pushed.
            Role::Follower => wait.min(longest_interval),
            Role::Deciding | Role::Alone | Role::Leader => wait,
        }
    }

    /// Takes in the logs that were read after `from`, with what is known to be missing before them. `left_out` is the number of records
    /// beside them.
    pub(super) fn take_in(
        &mut self,
        logs: &[RawLog<'_>],
        left_out: usize,
        from: Option<LogId>,
        gap: Option<LogId>,
        lost: &mut Option<LogId>,
    ) -> Vec<Arrival> {
        let was_seeded = self.checkpoint.is_seeded();
        let marks: Vec<_> = logs.iter().map(|log| log.mark.clone()).collect();
        let unshared = self.unshared(logs);
        let logs: Vec<_> = logs.iter().zip(self.checkpoint.take_in(&marks, left_out)).collect();
        let is_seeded = !was_seeded && self.checkpoint.is_seeded();
        if self.checkpoint.is_seeded() {
            let gap = lost.clone().filter(|_| is_seeded).or_else(|| gap.clone());
            self.report_read(from.clone(), marks.iter().map(|mark| &mark.id).max(), gap, unshared);
        }
        self.failure = None;
        self.cursor = self.checkpoint.cursor().cloned();
        if is_seeded {
            // A tenant without logs is known from its first log on.
            self.ring.cover_from(from.unwrap_or_else(LogId::lowest));
            match lost.take() {
                None => {
                    self.append(&logs, |_, arrival| arrival == Arrival::Past);
                    self.live_from = Some(self.ring.head());
                }
                Some(lost) => {
                    self.ring.push(Entry::Gap(lost.clone()));
                    self.append(&logs, |log, arrival| arrival == Arrival::Past && log.mark.id > lost);
                }
            }
        }
        if let Some(after) = gap {
            self.ring.push(Entry::Gap(after));
        }
        self.append(&logs, is_news);
        self.forget();
        if is_seeded {
            self.take_in_early();
        }
        logs.into_iter().map(|(_, arrival)| arrival).collect()
    }

    /// Adds the logs that are wanted to the ring.
    pub(super) fn append(&mut self, logs: &[(&RawLog<'_>, Arrival)], is_wanted: impl Fn(&RawLog<'_>, Arrival) -> bool) {
        let logs = logs.iter().filter(|(log, arrival)| is_wanted(log, *arrival));
        let batch = LogBatch::new(logs.map(|(log, arrival)| (*log, *arrival == Arrival::Late)));
        if !batch.logs().is_empty() {
            self.ring.push(Entry::Batch(Arc::new(batch)));
        }
    }

    /// The logs that other replicas may not know, if it is this one's part to tell them.
    pub(super) fn unshared(&self, logs: &[RawLog<'_>]) -> Vec<SharedLog> {
        let logs = logs.iter().filter(|log| self.membership.is_leader() && !self.checkpoint.is_shared(&log.mark.id));
        logs.map(|log| SharedLog { id: log.mark.id.clone(), json: log.json.into() }).collect()
    }

    /// Has other replicas told what a read that began after `from` has found. `last` is the greatest id that was read.
    fn report_read(&mut self, from: Option<LogId>, last: Option<&LogId>, gap: Option<LogId>, logs: Vec<SharedLog>) {
        let up_to = if self.checkpoint.is_full() { last } else { self.checkpoint.read_up_to() }.cloned();
        let is_news = !logs.is_empty() || gap.is_some() || up_to != self.reported_up_to;
        if let Some(up_to) = up_to.filter(|_| is_news && self.membership.is_leader()) {
            self.reported_up_to = Some(up_to.clone());
            self.membership.report(Report { range: Some(ReadRange { from, up_to }), gap, logs });
        }
    }

    /// Forgets the logs before those in the ring.
    pub(super) fn forget(&mut self) {
        if let Some(low) = self.ring.low() {
            self.checkpoint.forget_before(low);
        }
    }
}

/// True if a log of this part is to be told.
pub(super) fn is_news(_: &RawLog<'_>, arrival: Arrival) -> bool {
    matches!(arrival, Arrival::New | Arrival::Late)
}

/// The newest log that was read before, if the tenant has given up logs behind it meanwhile.
async fn gap(tail: &Inner) -> Result<Option<LogId>, Error> {
    let Some(read_up_to) = tail.state.lock().checkpoint.read_up_to().cloned() else { return Ok(None) };
    let is_retained = tail.history.is_retained(tail, &read_up_to, Duration::ZERO).await?;
    Ok((!is_retained).then_some(read_up_to))
}
