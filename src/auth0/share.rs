//! Identical reads in flight are one call.
//!
//! The call is a task of its own: whoever started it may hang up without failing the others, each waiter keeps its own
//! deadline, and when the last one leaves the call is cancelled. An outcome is shared, errors too, and forgotten as soon as
//! it is there: keeping answers is the cache's business.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::deadline::{Deadline, Patience};
use super::error::{Error, Reason};
use super::key::Key;

/// What a caller did for an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Started the call.
    Started,
    /// Joined a call that another had started.
    Joined,
}

/// The calls in flight, by what tells them apart. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Flights<T>(Arc<Mutex<List<T>>>);

type List<T> = HashMap<Key, Weak<Flight<T>>>;

/// A call under way. Only those who wait for it hold it.
#[derive(Debug)]
struct Flight<T> {
    landing: watch::Receiver<Option<Result<T, Error>>>,
    patience: Patience,
    task: AbortHandle,
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T> Clone for Flights<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Joins the call for `key` that is in flight, or makes it. With `is_fresh`, one that is in flight already will not do:
    /// its answer may be from before the question.
    pub(crate) async fn share<F>(
        &self,
        key: &Key,
        deadline: Deadline,
        is_fresh: bool,
        call: impl FnOnce(Patience) -> F,
    ) -> (Part, Result<T, Error>)
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (part, flight) = self.board(key, deadline, is_fresh, call);
        let mut landing = flight.landing.clone();
        let outcome = match deadline.limit(landing.wait_for(Option::is_some)).await {
            Ok(Ok(landed)) => landed.clone().unwrap_or_else(|| Err(Error::unavailable(Reason::Interrupted))),
            // The task is gone without a word: it panicked, or its runtime is shutting down.
            Ok(Err(_)) => Err(Error::unavailable(Reason::Interrupted)),
            Err(timeout) => Err(timeout),
        };
        (part, outcome)
    }

    fn board<F>(
        &self,
        key: &Key,
        deadline: Deadline,
        is_fresh: bool,
        call: impl FnOnce(Patience) -> F,
    ) -> (Part, Arc<Flight<T>>)
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let in_flight = flights.get(key).filter(|_| !is_fresh).and_then(Weak::upgrade);
        // One whose task is gone has landed and only not been taken off the list yet, or never will.
        if let Some(flight) = in_flight.filter(|flight| flight.landing.has_changed().is_ok()) {
            flight.patience.extend(deadline);
            return (Part::Joined, flight);
        }
        let patience = Patience::from(deadline);
        let (land, landing) = watch::channel(None);
        let arrival = Arrival { flights: self.clone(), key: key.clone(), landing: landing.clone() };
        // Kilobytes of state, which would be moved several times on their way into the task.
        let call = Box::pin(call(patience.clone()));
        let task = tokio::spawn(async move {
            let arrival = arrival;
            let outcome = call.await;
            // Off the list first: who comes from here on gets a call of their own, or what was kept of this one.
            drop(arrival);
            land.send_replace(Some(outcome));
        });
        let flight = Arc::new(Flight { landing, patience, task: task.abort_handle() });
        flights.insert(key.clone(), Arc::downgrade(&flight));
        (Part::Started, flight)
    }

    #[cfg(test)]
    fn in_flight(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Takes a flight off the list when its task ends, in whatever way.
struct Arrival<T> {
    flights: Flights<T>,
    key: Key,
    landing: watch::Receiver<Option<Result<T, Error>>>,
}

impl<T> Drop for Arrival<T> {
    fn drop(&mut self) {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A fresh call may have taken this one's place.
        let is_this =
            |flight: &Weak<Flight<T>>| flight.upgrade().is_none_or(|flight| flight.landing.same_channel(&self.landing));
        if flights.get(&self.key).is_some_and(is_this) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;
