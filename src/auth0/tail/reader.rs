//! A reader of the tail: a place in the stream of logs.

use std::sync::Arc;

use tokio::sync::watch;

use super::super::error::Error;
use super::super::ids::LogId;
use super::batch::Delivery;
use super::history::{HistoryPage, OLDEST_KEPT};
use super::{Entry, Inner};
use crate::telemetry::OpenGuard;

/// Follows the logs. It holds no logs, but a place among those that are kept for all.
pub struct LogReader {
    tail: Arc<Inner>,
    news: watch::Receiver<()>,
    state: ReaderState,
    /// The log that it began behind.
    began_at: Option<LogId>,
    position: Option<LogId>,
    _counted: OpenGuard,
}

/// State of a reader: what it reads next.
#[derive(Debug, Clone)]
enum ReaderState {
    /// Waits for the poller to know which logs are past. The number of the ring's next entry when it came.
    Start { from: Option<LogId>, head: u64 },
    /// Reads history after this log.
    Behind { after: LogId, is_checked: bool },
    /// The next entry is that of this number. Only logs after `floor` are wanted, and from the entry `until` on, which came while this
    /// reader was there, those that became visible late.
    Following { next: u64, floor: Option<LogId>, until: u64 },
}

/// Something that comes in the stream.
#[derive(Debug, Clone)]
pub enum TailEvent {
    /// Some logs.
    Logs(Delivery),
    /// Logs after this one may be missing: the tenant has given some up.
    Gap(LogId),
}

/// A step in the ring.
enum Step {
    Event(TailEvent),
    /// The state has changed.
    Moved,
    Wait,
}

impl LogReader {
    pub(super) fn new(tail: Arc<Inner>, from: Option<LogId>, head: u64) -> Self {
        let (news, counted) = (tail.news.subscribe(), tail.metrics().subscriber());
        let (began_at, position) = (from.clone(), from.clone());
        Self { tail, news, state: ReaderState::Start { from, head }, began_at, position, _counted: counted }
    }

    /// The greatest id so far, to resume from: that of a log, or the newest there was when it began.
    #[must_use]
    pub fn position(&self) -> Option<&LogId> {
        self.position.as_ref()
    }

    /// The log that it began behind: that which was given, or the newest there was. None before it has begun.
    #[must_use]
    pub fn began_at(&self) -> Option<&LogId> {
        self.began_at.as_ref()
    }

    /// Waits for what comes next. Nothing is lost if it is dropped before.
    ///
    /// # Errors
    ///
    /// The end of the stream: [`Error::Lagged`], or what Auth0 refuses for good.
    pub async fn next(&mut self) -> Result<TailEvent, Error> {
        let event = self.next_event().await;
        match &event {
            Ok(TailEvent::Gap(_)) => self.tail.metrics().gap(),
            Err(Error::Lagged) => self.tail.metrics().overflow(),
            Ok(TailEvent::Logs(_)) | Err(_) => {}
        }
        event
    }

    /// Counts logs that were delivered.
    pub fn delivered(&self, logs: usize) {
        self.tail.metrics().delivered(logs);
    }

    async fn next_event(&mut self) -> Result<TailEvent, Error> {
        loop {
            // Before the look: what changes after it is seen.
            self.news.borrow_and_update();
            let event = match &self.state {
                ReaderState::Start { .. } => self.start()?,
                ReaderState::Following { .. } => self.follow()?,
                ReaderState::Behind { after, is_checked } => {
                    let (after, is_checked) = (after.clone(), *is_checked);
                    self.read_history(after, is_checked).await?
                }
            };
            match event {
                Step::Event(event) => return Ok(event),
                Step::Moved => {}
                Step::Wait => {
                    // The sender is in the tail that is held here.
                    let _ = self.news.changed().await;
                }
            }
        }
    }

    fn start(&mut self) -> Result<Step, Error> {
        let ReaderState::Start { from, head } = &self.state else { return Ok(Step::Moved) };
        let state = self.tail.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        let Some(live_from) = state.live_from else { return Ok(Step::Wait) };
        match from {
            Some(from) => self.state = ReaderState::Behind { after: from.clone(), is_checked: false },
            None => {
                self.began_at.clone_from(&state.cursor);
                self.position.clone_from(&state.cursor);
                let next = live_from.max(*head);
                drop(state);
                self.state = ReaderState::Following { next, floor: None, until: 0 };
            }
        }
        Ok(Step::Moved)
    }

    fn follow(&mut self) -> Result<Step, Error> {
        let ReaderState::Following { next, floor, until } = &mut self.state else { return Ok(Step::Moved) };
        let state = self.tail.state.lock();
        let entry = match state.ring.get(*next) {
            Ok(Some(entry)) => entry.clone(),
            Ok(None) => {
                return match &state.failure {
                    Some(failure) => Err(failure.clone()),
                    None => Ok(Step::Wait),
                };
            }
            Err(_) if *next < *until => {
                drop(state);
                // Still catching up: the rest is read as history.
                let Some(position) = self.position.clone() else { return Err(Error::Lagged) };
                self.state = ReaderState::Behind { after: position, is_checked: true };
                return Ok(Step::Moved);
            }
            Err(_) => return Err(Error::Lagged),
        };
        drop(state);
        let (after, with_late) = (floor.clone(), *next >= *until);
        *next += 1;
        match entry {
            Entry::Batch(batch) => Ok(self.deliver(Delivery { batch, after, with_late })),
            // It was before this reader came.
            Entry::Gap(_) if !with_late => Ok(Step::Moved),
            Entry::Gap(after) => Ok(Step::Event(TailEvent::Gap(after))),
        }
    }

    async fn read_history(&mut self, after: LogId, is_checked: bool) -> Result<Step, Error> {
        if self.enter_ring(&after) {
            return Ok(Step::Moved);
        }
        let history = &self.tail.history;
        if !is_checked {
            let is_retained = history.is_retained(&self.tail, &after, OLDEST_KEPT).await?;
            self.state = ReaderState::Behind { after: after.clone(), is_checked: true };
            return Ok(if is_retained { Step::Moved } else { Step::Event(TailEvent::Gap(after)) });
        }
        let HistoryPage { batch, up_to, .. } = history.page_after(&self.tail, &after).await?;
        self.state = ReaderState::Behind { after: up_to, is_checked: true };
        Ok(self.deliver(Delivery { batch, after: Some(after), with_late: false }))
    }

    /// Goes on in the ring, if that has all logs after this one.
    ///
    /// A log that became visible behind it while this reader was away is not found, and no gap is told: an id says nothing of which logs
    /// before it have been delivered. To read the look-back once more would bring most of them twice; whoever wants that resumes from an
    /// id that is some seconds older.
    fn enter_ring(&mut self, after: &LogId) -> bool {
        let state = self.tail.state.lock();
        let is_covered = state.ring.covers(after);
        let (next, until) = (state.ring.first(), state.ring.head());
        drop(state);
        if is_covered {
            self.state = ReaderState::Following { next, floor: Some(after.clone()), until };
        }
        is_covered
    }

    fn deliver(&mut self, delivery: Delivery) -> Step {
        let Some(last) = delivery.last() else { return Step::Moved };
        if self.position.as_ref().is_none_or(|position| last > position) {
            self.position = Some(last.clone());
        }
        Step::Event(TailEvent::Logs(delivery))
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        self.tail.leave();
    }
}
