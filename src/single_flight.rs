//! Single flight: work that many want at the same time is done once.
//!
//! The work is a task of its own: whoever started it may hang up without failing the others, and each waiter keeps its own
//! deadline. An outcome is shared and forgotten as soon as it is there: keeping it is a cache's business.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock, Weak};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{Instrument as _, Span};

use crate::deadline::{Deadline, Elapsed, SharedDeadline};
use crate::telemetry::in_present_trace;

/// Work under way, by key. Cheap to clone; clones share it.
#[derive(Debug)]
pub(crate) struct SingleFlight<K, V> {
    in_flight: Arc<Mutex<Map<K, V>>>,
    cancellation: Cancellation,
}

type Map<K, V> = HashMap<K, Weak<InFlight<V>>>;

/// Fate of work that nobody waits for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancellation {
    /// Work that is cancelled with its last waiter.
    WithLastWaiter,
    /// Work that goes on: its outcome is of use to those who come later.
    Never,
}

/// The part of a waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A waiter that started the work.
    Started,
    /// A waiter that joined work which another had started.
    Joined,
}

/// No outcome came of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FlightError {
    /// The waiter's own deadline came first.
    #[error(transparent)]
    Elapsed(#[from] Elapsed),
    /// The task ended without an outcome: its runtime is shutting down.
    #[error("the task that was waited for has gone")]
    Interrupted,
    /// The work panicked.
    #[error("the task that was waited for panicked")]
    Panicked,
}

/// The outcome to come, or the error in its place.
type Outcome<V> = watch::Receiver<Option<Result<V, FlightError>>>;

#[derive(Debug)]
struct InFlight<V> {
    outcome: Outcome<V>,
    deadline: SharedDeadline,
    /// The span that it was started in, which those who join it follow.
    span: Span,
    /// Handle to abort with the last waiter.
    task: OnceLock<AbortHandle>,
}

impl<V> Drop for InFlight<V> {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// A waiter for an outcome. The work may be cancelled when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiter<V> {
    pub(crate) role: Role,
    in_flight: Arc<InFlight<V>>,
}

impl<V: Clone> Waiter<V> {
    /// Waits for the outcome, but not beyond the deadline.
    pub(crate) async fn outcome(self, deadline: Deadline) -> Result<V, FlightError> {
        let mut outcome = self.in_flight.outcome.clone();
        let outcome = deadline.limit(outcome.wait_for(Option::is_some)).await?;
        outcome.ok().and_then(|outcome| outcome.clone()).unwrap_or(Err(FlightError::Interrupted))
    }
}

impl<K, V> Clone for SingleFlight<K, V> {
    fn clone(&self) -> Self {
        Self { in_flight: Arc::clone(&self.in_flight), cancellation: self.cancellation }
    }
}

impl<K, V> SingleFlight<K, V> {
    pub(crate) fn new(cancellation: Cancellation) -> Self {
        Self { in_flight: Arc::default(), cancellation }
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the work for `key` that is under way, or starts it. `work` is given the latest deadline of its waiters.
    pub(crate) fn join_or_start<F>(
        &self,
        key: &K,
        deadline: Deadline,
        work: impl FnOnce(SharedDeadline) -> F,
    ) -> Waiter<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut map = self.in_flight.lock();
        Self::join_in(&map, key, deadline).unwrap_or_else(|| self.spawn(&mut map, key, deadline, work))
    }

    /// Joins the work for `key`, if it is under way.
    pub(crate) fn join(&self, key: &K, deadline: Deadline) -> Option<Waiter<V>> {
        Self::join_in(&self.in_flight.lock(), key, deadline)
    }

    fn join_in(map: &Map<K, V>, key: &K, deadline: Deadline) -> Option<Waiter<V>> {
        // Of work whose task is gone nothing will come: it is about to be taken off the map, or its runtime went down.
        let found = map.get(key).and_then(Weak::upgrade).filter(|in_flight| in_flight.outcome.has_changed().is_ok());
        let in_flight = found?;
        in_flight.deadline.extend(deadline);
        Span::current().follows_from(&in_flight.span);
        Some(Waiter { role: Role::Joined, in_flight })
    }

    /// Starts the work, whatever is under way: an outcome of that may be from before the question.
    pub(crate) fn start<F>(&self, key: &K, deadline: Deadline, work: impl FnOnce(SharedDeadline) -> F) -> Waiter<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        self.spawn(&mut self.in_flight.lock(), key, deadline, work)
    }

    fn spawn<F>(
        &self,
        map: &mut Map<K, V>,
        key: &K,
        deadline: Deadline,
        work: impl FnOnce(SharedDeadline) -> F,
    ) -> Waiter<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let deadline = SharedDeadline::from(deadline);
        let (sender, outcome) = watch::channel(None);
        let entry = Entry { map: Arc::clone(&self.in_flight), key: key.clone(), outcome: outcome.clone() };
        // Kilobytes of state, which would be moved several times on their way into the task.
        let work = Box::pin(work(deadline.clone()));
        let in_flight = Arc::new(InFlight { outcome, deadline, span: Span::current(), task: OnceLock::new() });
        let kept = (self.cancellation == Cancellation::Never).then(|| Arc::clone(&in_flight));
        let task = async move {
            let (entry, _kept) = (entry, kept);
            // Everything that the panic left half done is dropped with the work.
            let outcome = AssertUnwindSafe(work).catch_unwind().await.map_err(|_| FlightError::Panicked);
            // Off the map first: whoever comes from here on starts anew, or finds what was kept of this.
            drop(entry);
            sender.send_replace(Some(outcome));
        };
        let task = tokio::spawn(in_present_trace(task.in_current_span()));
        if self.cancellation == Cancellation::WithLastWaiter {
            in_flight.task.get_or_init(|| task.abort_handle());
        }
        map.insert(key.clone(), Arc::downgrade(&in_flight));
        Waiter { role: Role::Started, in_flight }
    }

    #[cfg(test)]
    fn in_flight(&self) -> usize {
        self.in_flight.lock().len()
    }
}

/// The entry of a task in the map, taken off when the task ends, in whatever way.
struct Entry<K: Eq + Hash, V> {
    map: Arc<Mutex<Map<K, V>>>,
    key: K,
    outcome: Outcome<V>,
}

impl<K: Eq + Hash, V> Drop for Entry<K, V> {
    fn drop(&mut self) {
        let mut map = self.map.lock();
        // A fresh task may have taken this one's place.
        let is_own = |entry: &Weak<InFlight<V>>| {
            entry.upgrade().is_none_or(|in_flight| in_flight.outcome.same_channel(&self.outcome))
        };
        if map.get(&self.key).is_some_and(is_own) {
            map.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;
