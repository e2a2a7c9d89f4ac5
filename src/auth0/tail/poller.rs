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
use super::ring::{Entry, Ring};
use super::{Inner, State, context};

/// Reads on until nobody follows for as long as the poller lingers.
pub(super) async fn run(tail: Arc<Inner>) {
    tracing::debug!("the tail of logs begins");
    let mut poller = Poller { checkpoint: Checkpoint::new(tail.settings.max_interval), lost: None };
    loop {
        let wait = match poller.read(&tail).await {
            Ok(()) => poller.checkpoint.wait(),
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
        }
    }
}

struct Poller {
    checkpoint: Checkpoint,
    /// The log from which Auth0 would not read on, so that the poller began anew.
    lost: Option<LogId>,
}

impl Poller {
    async fn read(&mut self, tail: &Inner) -> Result<(), Error> {
        let Self { checkpoint, lost } = self;
        let (request, from) = match checkpoint.next_read() {
            NextRead::Newest => (ApiRequest::search_logs(&LogSearch::newest_page(), &marks()), None),
            NextRead::After(id) => (ApiRequest::logs_after(&LogCheckpoint::page_after(id.clone())), Some(id)),
        };
        let page = tail.api.read(&request, &context().fresh()).await?;
        let records = String::from_utf8_lossy(&page.records);
        let logs = batch::read(&records)?;
        let gap = if checkpoint.is_recovering() { gap(tail, checkpoint).await? } else { None };
        let was_seeded = checkpoint.is_seeded();
        let marks: Vec<_> = logs.iter().map(|log| log.mark.clone()).collect();
        let logs: Vec<_> = logs.iter().zip(checkpoint.take_in(&marks)).collect();
        let cursor = checkpoint.cursor().cloned();
        let is_seeded = !was_seeded && checkpoint.is_seeded();
        let low = tail.change(|state| {
            state.failure = None;
            state.cursor = cursor;
            if is_seeded {
                // A tenant without logs is known from its first log on.
                state.ring.cover_from(from.unwrap_or_else(LogId::lowest));
                match lost.take() {
                    None => {
                        push(&mut state.ring, &logs, |_, arrival| *arrival == Arrival::Past);
                        state.live_from = Some(state.ring.head());
                    }
                    Some(lost) => {
                        state.ring.push(Entry::Gap(lost.clone()));
                        push(&mut state.ring, &logs, |log, arrival| *arrival == Arrival::Past && log.mark.id > lost);
                    }
                }
            }
            if let Some(after) = gap {
                state.ring.push(Entry::Gap(after));
            }
            push(&mut state.ring, &logs, |_, arrival| matches!(arrival, Arrival::New | Arrival::Late));
            state.ring.low().cloned()
        });
        if let Some(low) = low {
            checkpoint.forget_before(&low);
        }
        Ok(())
    }

    /// Notes a failure; returns the time until the next read.
    fn fail(&mut self, tail: &Inner, error: &Error) -> Duration {
        let retry_after = match error {
            Error::RateLimited { retry_after } => *retry_after,
            _ => None,
        };
        let wait = self.checkpoint.fail(retry_after);
        tracing::warn!(error = error.summary(), cause = error.causes(), ?wait, "the tail of logs cannot be read");
        match error {
            Error::Misconfigured { .. } => tail.change(|state| state.failure = Some(error.clone())),
            Error::Rejected { .. } => {
                self.lost = self.checkpoint.cursor().cloned().or(self.lost.take());
                self.checkpoint = Checkpoint::new(tail.settings.max_interval);
            }
            _ => {}
        }
        wait
    }
}

fn push(ring: &mut Ring, logs: &[(&RawLog<'_>, Arrival)], is_wanted: impl Fn(&RawLog<'_>, &Arrival) -> bool) {
    let logs = logs.iter().filter(|(log, arrival)| is_wanted(log, arrival));
    let batch = LogBatch::new(logs.map(|(log, arrival)| (*log, *arrival == Arrival::Late)));
    if !batch.logs().is_empty() {
        ring.push(Entry::Batch(Arc::new(batch)));
    }
}

/// The newest log that was known before, if the tenant has given up logs behind it meanwhile.
async fn gap(tail: &Inner, checkpoint: &Checkpoint) -> Result<Option<LogId>, Error> {
    let Some(cursor) = checkpoint.cursor() else { return Ok(None) };
    let is_retained = tail.history.is_retained(tail, cursor, Duration::ZERO).await?;
    Ok((!is_retained).then(|| cursor.clone()))
}
