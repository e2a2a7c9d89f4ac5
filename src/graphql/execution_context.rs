//! The execution of an operation: its caller, its deadline, and the calls that it has made upstream so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::explain::ExplainedCall;
use super::prepared_operation::PreparedOperation;
use crate::auth::Caller;
use crate::auth0::{CallBudget, CallContext, CallerKey, Priority};
use crate::deadline::Deadline;

/// The context of an operation that runs, shared by all who answer a part of it.
pub(crate) struct ExecutionContext {
    pub(crate) prepared: Arc<PreparedOperation>,
    pub(crate) caller: Caller,
    deadline: Deadline,
    /// True if only answers from after the request will do.
    bypass_cache: bool,
    /// True if only turns are taken that others leave over.
    is_bulk: bool,
    budget: CallBudget,
    /// The number of calls that may still be made beyond those that are certain to come.
    spare_calls: AtomicU32,
    calls: Mutex<Vec<(CallOrigin, Arc<CallContext>)>>,
}

/// The part of an operation that a call is made for.
#[derive(Debug, Clone)]
pub(crate) enum CallOrigin {
    /// These of its root fields, which share it.
    Roots(Arc<[usize]>),
    /// Joins below these of its root fields.
    Joins(Arc<[usize]>),
}

impl ExecutionContext {
    pub(crate) fn new(
        prepared: Arc<PreparedOperation>,
        caller: Caller,
        deadline: Deadline,
        bypass_cache: bool,
        most_calls: u32,
    ) -> Self {
        let budget = CallBudget::new(most_calls);
        let certain = u32::try_from(prepared.calls_at_worst.calls).unwrap_or(u32::MAX);
        let spare_calls = AtomicU32::new(most_calls.saturating_sub(certain));
        Self { prepared, caller, deadline, bypass_cache, is_bulk: false, budget, spare_calls, calls: Mutex::default() }
    }

    /// The same, for which only turns are taken that others leave over.
    pub(crate) fn bulk(self) -> Self {
        Self { is_bulk: true, ..self }
    }

    /// Takes calls, as many as these if there are so many, from those that are not certain to be made.
    pub(crate) fn take_spare_calls(&self, most: u32) -> u32 {
        let take = |spare: u32| Some(spare.saturating_sub(most));
        let spare = self.spare_calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        spare.unwrap_or_default().min(most)
    }

    /// The context for another call.
    pub(crate) fn call_context(&self, origin: CallOrigin, priority: Priority) -> Arc<CallContext> {
        let mut context = CallContext::new(self.deadline, CallerKey(self.caller.key()), self.budget.clone());
        context.priority = if self.is_bulk { Priority::Bulk } else { priority };
        let context = Arc::new(if self.bypass_cache { context.fresh() } else { context });
        self.calls.lock().push((origin, Arc::clone(&context)));
        context
    }

    /// The operation's calls and what each took, with the root fields that it was made for.
    pub(crate) fn explain(&self) -> Vec<ExplainedCall> {
        let explained = |(origin, context): &(CallOrigin, Arc<CallContext>)| {
            let (roots, generated_q) = match origin {
                CallOrigin::Roots(roots) => (roots, roots.first().and_then(|root| self.prepared.generated_q(*root))),
                CallOrigin::Joins(roots) => (roots, None),
            };
            ExplainedCall {
                fields: roots.iter().filter_map(|root| self.prepared.key(*root).cloned()).collect(),
                generated_q: generated_q.map(ToOwned::to_owned),
                stats: context.stats(),
            }
        };
        self.calls.lock().iter().map(explained).collect()
    }

    /// The number of calls that were made for the operation so far.
    pub(crate) fn upstream_calls(&self) -> u32 {
        self.calls.lock().iter().map(|(_, context)| context.stats().calls).sum()
    }
}
