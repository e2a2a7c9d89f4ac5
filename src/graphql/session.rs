//! One run of an operation: on whose behalf, for how long, and what it has taken upstream so far.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::Context;

use super::error::Failure;
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
    pub(crate) budget: CallBudget,
    errands: Mutex<Vec<(Purpose, Arc<CallContext>)>>,
}

/// What an errand is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// This one of the operation's calls.
    Call(usize),
    /// A join below this one of its root fields.
    Join(usize),
}

impl Session {
    pub(crate) fn new(
        prepared: Arc<Prepared>,
        caller: Caller,
        deadline: Deadline,
        is_fresh: bool,
        budget: CallBudget,
    ) -> Self {
        Self { prepared, caller, deadline, is_fresh, budget, errands: Mutex::default() }
    }

    pub(crate) fn of<'a>(ctx: &Context<'a>) -> Result<&'a Self, Failure> {
        ctx.data::<Arc<Self>>().map(|session| &**session).map_err(|_| Failure::internal())
    }

    /// A new errand.
    pub(crate) fn errand(&self, purpose: Purpose) -> Arc<CallContext> {
        let errand = CallContext::new(self.deadline, CallerKey(self.caller.key()), self.budget.clone());
        let errand = Arc::new(if self.is_fresh { errand.fresh() } else { errand });
        self.errands().push((purpose, Arc::clone(&errand)));
        errand
    }

    /// What the operation's calls took, by the root fields that they were made for.
    pub(crate) fn explain(&self) -> Vec<Explained> {
        let fields = |purpose: Purpose| match purpose {
            Purpose::Call(call) => self.prepared.keys_of_call(call).cloned().collect(),
            Purpose::Join(root) => self.prepared.key(root).cloned().into_iter().collect(),
        };
        self.errands()
            .iter()
            .map(|(purpose, errand)| Explained { fields: fields(*purpose), stats: errand.stats() })
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
