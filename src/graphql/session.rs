//! One run of an operation: on whose behalf, for how long, and what it has taken upstream so far.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::explain::Explained;
use super::prepared::Prepared;
use crate::auth::Caller;
use crate::auth0::{CallBudget, CallContext, CallerKey};
use crate::deadline::Deadline;

/// What is known of the operation by whoever answers a part of it.
pub(crate) struct Session {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) caller: Caller,
    pub(crate) deadline: Deadline,
    /// Whether only answers from after the question will do.
    pub(crate) is_fresh: bool,
    /// Whether only turns are taken that others leave over.
    pub(crate) is_bulk: bool,
    pub(crate) budget: CallBudget,
    most_calls: u32,
    errands: Mutex<Vec<(Purpose, Arc<CallContext>)>>,
}

/// What an errand is for.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    /// This one of the operation's calls.
    Call(usize),
    /// Joins below these of its root fields.
    Join(Arc<[usize]>),
}

impl Session {
    pub(crate) fn new(
        prepared: Arc<Prepared>,
        caller: Caller,
        deadline: Deadline,
        is_fresh: bool,
        most_calls: u32,
    ) -> Self {
        let budget = CallBudget::new(most_calls);
        Self { prepared, caller, deadline, is_fresh, is_bulk: false, budget, most_calls, errands: Mutex::default() }
    }

    /// The same, for which only turns are taken that others leave over.
    pub(crate) fn bulk(self) -> Self {
        Self { is_bulk: true, ..self }
    }

    /// How many calls there are beyond those that are certain to come.
    pub(crate) fn lookups(&self) -> usize {
        let left = u64::from(self.most_calls).saturating_sub(self.prepared.calls_at_worst.calls);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// A new errand.
    pub(crate) fn errand(&self, purpose: Purpose) -> Arc<CallContext> {
        let errand = CallContext::new(self.deadline, CallerKey(self.caller.key()), self.budget.clone());
        let errand = if self.is_fresh { errand.fresh() } else { errand };
        let errand = Arc::new(if self.is_bulk { errand.bulk() } else { errand });
        self.errands().push((purpose, Arc::clone(&errand)));
        errand
    }

    /// What the operation's calls took, by the root fields that they were made for.
    pub(crate) fn explain(&self) -> Vec<Explained> {
        let fields = |purpose: &Purpose| match purpose {
            Purpose::Call(call) => self.prepared.keys_of_call(*call).cloned().collect(),
            Purpose::Join(roots) => roots.iter().filter_map(|root| self.prepared.key(*root).cloned()).collect(),
        };
        self.errands()
            .iter()
            .map(|(purpose, errand)| {
                let generated_q = match purpose {
                    Purpose::Call(call) => self.prepared.generated_q(*call).map(ToOwned::to_owned),
                    Purpose::Join(_) => None,
                };
                Explained { fields: fields(purpose), generated_q, stats: errand.stats() }
            })
            .collect()
    }

    /// How many calls were made for the operation so far.
    pub(crate) fn upstream_calls(&self) -> u32 {
        self.errands().iter().map(|(_, errand)| errand.stats().calls).sum()
    }

    fn errands(&self) -> MutexGuard<'_, Vec<(Purpose, Arc<CallContext>)>> {
        self.errands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
