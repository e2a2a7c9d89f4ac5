//! The execution of an operation: its caller, its deadline, and the calls that it has made upstream so far.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::explain::ExplainedCall;
use super::prepared_operation::PreparedOperation;
use crate::auth::Caller;
use crate::auth0::{CallBudget, CallContext, CallerKey};
use crate::deadline::Deadline;

/// The context of an operation that runs, shared by all who answer a part of it.
pub(crate) struct ExecutionContext {
    pub(crate) prepared: Arc<PreparedOperation>,
    pub(crate) caller: Caller,
    deadline: Deadline,
    /// True if only answers from after the request will do.
    is_fresh: bool,
    budget: CallBudget,
    most_calls: u32,
    calls: Mutex<Vec<(CallOrigin, Arc<CallContext>)>>,
}

/// The part of an operation that a call is made for.
#[derive(Debug, Clone)]
pub(crate) enum CallOrigin {
    /// This one of the operation's calls.
    Call(usize),
    /// Joins below these of its root fields.
    Join(Arc<[usize]>),
}

impl ExecutionContext {
    pub(crate) fn new(
        prepared: Arc<PreparedOperation>,
        caller: Caller,
        deadline: Deadline,
        is_fresh: bool,
        most_calls: u32,
    ) -> Self {
        let budget = CallBudget::new(most_calls);
        Self { prepared, caller, deadline, is_fresh, budget, most_calls, calls: Mutex::default() }
    }

    /// The number of calls that may be made beyond those that are certain to come.
    pub(crate) fn lookups(&self) -> usize {
        let left = u64::from(self.most_calls).saturating_sub(self.prepared.calls_at_worst.calls);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// The context for another call.
    pub(crate) fn call_context(&self, origin: CallOrigin) -> Arc<CallContext> {
        let context = CallContext::new(self.deadline, CallerKey(self.caller.key()), self.budget.clone());
        let context = Arc::new(if self.is_fresh { context.fresh() } else { context });
        self.calls().push((origin, Arc::clone(&context)));
        context
    }

    /// The operation's calls and what each took, with the root fields that it was made for.
    pub(crate) fn explain(&self) -> Vec<ExplainedCall> {
        let fields = |origin: &CallOrigin| match origin {
            CallOrigin::Call(call) => self.prepared.keys_of_call(*call).cloned().collect(),
            CallOrigin::Join(roots) => roots.iter().filter_map(|root| self.prepared.key(*root).cloned()).collect(),
        };
        self.calls()
            .iter()
            .map(|(origin, context)| {
                let generated_q = match origin {
                    CallOrigin::Call(call) => self.prepared.generated_q(*call).map(ToOwned::to_owned),
                    CallOrigin::Join(_) => None,
                };
                ExplainedCall { fields: fields(origin), generated_q, stats: context.stats() }
            })
            .collect()
    }

    /// The number of calls that were made for the operation so far.
    pub(crate) fn upstream_calls(&self) -> u32 {
        self.calls().iter().map(|(_, context)| context.stats().calls).sum()
    }

    fn calls(&self) -> MutexGuard<'_, Vec<(CallOrigin, Arc<CallContext>)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
