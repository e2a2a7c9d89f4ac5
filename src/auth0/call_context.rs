//! The context of a call: its deadline, caller and priority, the calls that it may cost, and what it took.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::error::Error;
use crate::deadline::Deadline;

/// A context: one thing to find out for one caller. Made anew for each call.
#[derive(Debug)]
pub struct CallContext {
    /// The moment at which the answer is worth nothing any more.
    pub deadline: Deadline,
    /// The caller, so that callers take turns.
    pub caller: CallerKey,
    /// True if somebody waits for it.
    pub priority: Priority,
    /// True if only an answer from after the question will do: no kept one, and none of a call that is under way already.
    pub bypass_cache: bool,
    /// The calls that it may cost, together with the others of its operation.
    pub budget: CallBudget,
    stats: Mutex<CallStats>,
}

/// Tells callers apart, and nothing else of them. They take turns, however many calls each of them has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CallerKey(pub u64);

/// The order in which calls have to wait. There is no aging: bulk work gets what is left over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Somebody waits for the answer.
    #[default]
    Interactive,
    /// Long walks, tails and exports.
    Bulk,
}

/// Statistics of the calls that were made for a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallStats {
    /// The endpoint's name.
    pub endpoint: &'static str,
    /// Calls that were made to the Management API for it, retries included.
    pub calls: u32,
    /// The retries among them.
    pub retries: u32,
    /// True if it joined a call that was made for another.
    pub is_coalesced: bool,
    /// The age of the answer, if it was a kept one.
    pub cache_age: Option<Duration>,
    /// Time that its calls waited for their turn.
    pub waited: Duration,
    /// Time that it took in all.
    pub took: Duration,
}

impl CallContext {
    /// A context that somebody waits for.
    #[must_use]
    pub fn new(deadline: Deadline, caller: CallerKey, budget: CallBudget) -> Self {
        let (priority, bypass_cache, stats) = (Priority::Interactive, false, Mutex::default());
        Self { deadline, caller, priority, bypass_cache, budget, stats }
    }

    /// The same, content only with an answer from after the question.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.bypass_cache = true;
        self
    }

    /// The same, for which only turns are taken that are left over.
    #[must_use]
    pub fn bulk(mut self) -> Self {
        self.priority = Priority::Bulk;
        self
    }

    /// Its statistics so far.
    #[must_use]
    pub fn stats(&self) -> CallStats {
        *self.stats.lock()
    }

    pub(crate) fn note(&self, note: impl FnOnce(&mut CallStats)) {
        note(&mut self.stats.lock());
    }
}

/// The calls that an operation may still make. Clones share it.
#[derive(Debug, Clone)]
pub struct CallBudget(Arc<CallBudgetState>);

#[derive(Debug)]
struct CallBudgetState {
    limit: u32,
    spent: AtomicU32,
}

impl CallBudget {
    /// A budget of `limit` calls. Answers that are kept already cost nothing; joining a call costs as much as making it, so
    /// that whether an operation is let through does not depend on others.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self(Arc::new(CallBudgetState { limit, spent: AtomicU32::new(0) }))
    }

    pub(crate) fn spend(&self) -> Result<(), Error> {
        let CallBudgetState { limit, spent } = &*self.0;
        if spent.fetch_add(1, Ordering::Relaxed) < *limit { Ok(()) } else { Err(Error::OverBudget { limit: *limit }) }
    }
}

/// Statistics of a call that many may wait for: whoever started it reads it, however it ends for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct StatsHandle(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU32,
    retries: AtomicU32,
    waited_us: AtomicU64,
    /// The age of the answer, where there was one after all.
    cache_age: OnceLock<Duration>,
}

impl StatsHandle {
    pub(crate) fn called(&self, is_retry: bool) {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.0.retries.fetch_add(u32::from(is_retry), Ordering::Relaxed);
    }

    pub(crate) fn waited(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.waited_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(crate) fn found(&self, age: Duration) {
        // There is one answer to a call.
        self.0.cache_age.get_or_init(|| age);
    }

    pub(crate) fn add_to(&self, stats: &mut CallStats) {
        stats.calls += self.0.calls.load(Ordering::Relaxed);
        stats.retries += self.0.retries.load(Ordering::Relaxed);
        stats.waited += Duration::from_micros(self.0.waited_us.load(Ordering::Relaxed));
        stats.cache_age = self.0.cache_age.get().copied().or(stats.cache_age);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_shared_by_the_contexts_of_an_operation() {
        let budget = CallBudget::new(2);
        let other = budget.clone();
        assert!(budget.spend().is_ok());
        assert!(other.spend().is_ok());
        assert!(matches!(budget.spend(), Err(Error::OverBudget { limit: 2 })));
        assert!(matches!(other.spend(), Err(Error::OverBudget { limit: 2 })));
    }
}
