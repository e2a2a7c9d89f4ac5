//! The poller: reads on, for as long as somebody follows.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::super::api_request::ApiRequest;
use super::super::error::Error;
use super::super::ids::LogId;
use super::super::list_parameters::{LogCheckpoint, LogSearch};
use super::batch::{self, LogBatch, RawLog};
use super::checkpoint::{Arrival, Checkpoint, NextRead};
use super::history::marks;
use super::ring::Entry;
use super::{Inner, State, context};

/// Reads on until nobody follows for as long as the poller lingers.
pub(super) async fn run(tail: Arc<Inner>) {
    tracing::debug!("the tail of logs begins");
    let mut poller = Poller { lost: None };
    loop {
        let read = poller.read(&tail).await;
        tail.metrics().polled(read.is_ok());
        let wait = match read {
            Ok(()) => tail.state().checkpoint.wait(),
            Err(error) => poller.fail(&tail, &error),
        };
        if wait_or_end(&tail, wait).await {
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
            let mut state = tail.state();
            let ends_at = state.idle_since.map(|since| since + tail.settings.linger);
            if ends_at.is_some_and(|ends_at| ends_at <= Instant::now()) {
                // The ring goes too: it would have a hole before the next poller's first log.
                *state = State::new(&tail.settings);
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
}

impl Poller {
    async fn read(&mut self, tail: &Inner) -> Result<(), Error> {
        let (next_read, is_recovering) = {
            let State { checkpoint, .. } = &*tail.state();
            (checkpoint.next_read(), checkpoint.is_recovering())
        };
        let (request, from) = match next_read {
            NextRead::Newest => (ApiRequest::search_logs(&LogSearch::newest_page(), &marks()), None),
            NextRead::After(id) => (ApiRequest::logs_after(&LogCheckpoint::page_after(id.clone())), Some(id)),
        };
        let context = context().fresh();
        let page = tail.api.read(&request, &context).await?;
        let records = String::from_utf8_lossy(&page.records);
        let logs = batch::read(&records)?;
        // An outage may be over before all attempts at one read have failed.
        let gap = if is_recovering || context.stats().retries > 0 { gap(tail).await? } else { None };
        let lost = &mut self.lost;
        let arrivals = tail.change(|state| state.take_in(&logs, from, gap, lost));
        tail.count("poll", &arrivals);
        Ok(())
    }

    /// Notes a failure; returns the time until the next read.
    fn fail(&mut self, tail: &Inner, error: &Error) -> Duration {
        let retry_after = match error {
            Error::RateLimited { retry_after } => *retry_after,
            _ => None,
        };
        let wait = tail.state().checkpoint.fail(retry_after);
        tracing::warn!(error = error.summary(), cause = error.causes(), ?wait, "the tail of logs cannot be read");
        match error {
            Error::Misconfigured { .. } => tail.change(|state| state.failure = Some(error.clone())),
            Error::Rejected { .. } => {
                let mut state = tail.state();
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
    /// Takes in the logs that were read after `from`, with what is known to be missing before them.
    fn take_in(
        &mut self,
        logs: &[RawLog<'_>],
        from: Option<LogId>,
        gap: Option<LogId>,
        lost: &mut Option<LogId>,
    ) -> Vec<Arrival> {
        let was_seeded = self.checkpoint.is_seeded();
        let marks: Vec<_> = logs.iter().map(|log| log.mark.clone()).collect();
        let logs: Vec<_> = logs.iter().zip(self.checkpoint.take_in(&marks)).collect();
        let is_seeded = !was_seeded && self.checkpoint.is_seeded();
        self.failure = None;
        self.cursor = self.checkpoint.cursor().cloned();
        if is_seeded {
            // A tenant without logs is known from its first log on.
            self.ring.cover_from(from.unwrap_or_else(LogId::lowest));
            match lost.take() {
                None => {
                    self.tell(&logs, |_, arrival| arrival == Arrival::Past);
                    self.live_from = Some(self.ring.head());
                }
                Some(lost) => {
                    self.ring.push(Entry::Gap(lost.clone()));
                    self.tell(&logs, |log, arrival| arrival == Arrival::Past && log.mark.id > lost);
                }
            }
        }
        if let Some(after) = gap {
            self.ring.push(Entry::Gap(after));
        }
        self.tell(&logs, is_news);
        self.forget();
        if is_seeded {
            self.take_in_early();
        }
        logs.into_iter().map(|(_, arrival)| arrival).collect()
    }

    /// Adds the logs that are wanted to the ring.
    pub(super) fn tell(&mut self, logs: &[(&RawLog<'_>, Arrival)], is_wanted: impl Fn(&RawLog<'_>, Arrival) -> bool) {
        let logs = logs.iter().filter(|(log, arrival)| is_wanted(log, *arrival));
        let batch = LogBatch::new(logs.map(|(log, arrival)| (*log, *arrival == Arrival::Late)));
        if !batch.logs().is_empty() {
            self.ring.push(Entry::Batch(Arc::new(batch)));
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
    let Some(read_up_to) = tail.state().checkpoint.read_up_to().cloned() else { return Ok(None) };
    let is_retained = tail.history.is_retained(tail, &read_up_to, Duration::ZERO).await?;
    Ok((!is_retained).then_some(read_up_to))
}
