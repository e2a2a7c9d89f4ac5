//! Projections of logs, made once for all who select the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;

use super::matching::meets;
use crate::auth::Caller;
use crate::auth0::{BatchedLog, Condition, LogBatch};
use crate::deadline::Deadline;
use crate::graphql::error::{FieldError, GraphqlError, PathSegment};
use crate::graphql::execute::answer_each;
use crate::graphql::execution_context::ExecutionContext;
use crate::graphql::field_result::FieldResult;
use crate::graphql::operation::SelectedField;
use crate::graphql::permission::Upstream;
use crate::graphql::prepared_operation::{PreparedField, PreparedOperation};
use crate::graphql::response;
use crate::single_flight::{Cancellation, SingleFlight};
use crate::telemetry::LogThrottle;

/// Most bytes of responses that are kept for those who are yet to read them.
const CAPACITY: u64 = 32 << 20;

/// Bytes that a projected log takes beside its response, about.
const OVERHEAD: usize = 256;

/// Time for which they are kept. Whoever comes later has them made anew. They are most of what many different subscriptions take
/// together, and those who keep up ask within a second or two.
const TIME_TO_LIVE: Duration = Duration::from_secs(10);

/// Time for what is joined to logs that came together.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for all responses to a batch.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A projector, and a batch.
type Key = (u64, u64);

/// The part that all projectors share.
pub(super) struct Shared {
    upstream: Arc<Upstream>,
    made: Cache<Key, Arc<[ProjectedLog]>>,
    in_flight: SingleFlight<Key, Arc<[ProjectedLog]>>,
    /// Subscribers who were told that logs may be missing.
    pub(super) gaps: LogThrottle,
}

/// The projection of logs that a subscription selects, for callers of one authority.
pub(super) struct Projector {
    id: u64,
    shared: Arc<Shared>,
    prepared: Arc<PreparedOperation>,
    /// Any of those callers: what is joined is fetched on their behalf.
    caller: Caller,
    /// The root field without the place to begin at, which is each subscriber's own.
    field: Option<SelectedField>,
    condition: Option<Condition>,
}

/// A log, projected.
pub(super) struct ProjectedLog {
    pub(super) log: BatchedLog,
    response: ProjectedResponse,
}

/// The response to a projected log.
enum ProjectedResponse {
    /// It is the same for all.
    Written(Bytes),
    /// It has errors, which carry the subscriber's own request id.
    WithErrors(FieldResult),
}

impl Shared {
    pub(super) fn new(upstream: Arc<Upstream>) -> Self {
        let weight = |_: &Key, made: &Arc<[ProjectedLog]>| {
            u32::try_from(made.iter().map(ProjectedLog::size).sum::<usize>()).unwrap_or(u32::MAX)
        };
        Self {
            upstream,
            made: Cache::builder().max_capacity(CAPACITY).weigher(weight).time_to_live(TIME_TO_LIVE).build(),
            in_flight: SingleFlight::new(Cancellation::WithLastWaiter),
            gaps: LogThrottle::default(),
        }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.upstream
    }
}

impl Projector {
    pub(super) fn new(shared: Arc<Shared>, prepared: Arc<PreparedOperation>, caller: Caller) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let request = prepared.subscription().and_then(|(_, _, request)| request.ok());
        let condition = request.and_then(|request| request.condition.clone());
        let field = selected(&prepared);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), shared, field, condition, prepared, caller }
    }

    /// True if it does for this subscription, too.
    pub(super) fn is_for(&self, prepared: &PreparedOperation, caller: &Caller) -> bool {
        self.caller.authority() == caller.authority() && self.field == selected(prepared)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn root(&self) -> &PreparedField {
        // A subscription has one, as validation has seen.
        &self.prepared.roots[0]
    }

    /// The logs of a batch that meet the condition, projected.
    pub(super) async fn project(self: &Arc<Self>, batch: &Arc<LogBatch>) -> Result<Arc<[ProjectedLog]>, GraphqlError> {
        let key = (self.id, batch.number());
        if let Some(made) = self.shared.made.get(&key) {
            return Ok(made);
        }
        let deadline = Deadline::within(TIMEOUT);
        let work = |_| {
            let (projector, batch) = (Arc::clone(self), Arc::clone(batch));
            async move {
                let made = projector.make(&batch).await;
                projector.shared.made.insert(key, Arc::clone(&made));
                made
            }
        };
        let waiter = self.shared.in_flight.join_or_start(&key, deadline, work);
        waiter.outcome(deadline).await.map_err(|error| GraphqlError::bug(&error.to_string()))
    }

    async fn make(&self, batch: &LogBatch) -> Arc<[ProjectedLog]> {
        let is_wanted =
            |log: &&BatchedLog| self.condition.as_ref().is_none_or(|condition| meets(condition, batch.record(log)));
        let wanted: Vec<_> = batch.logs().iter().filter(is_wanted).collect();
        let mut made = Vec::with_capacity(wanted.len());
        for logs in wanted.chunks(self.most_at_once()) {
            for (log, answer) in logs.iter().zip(self.answer(batch, logs).await) {
                let response = if answer.errors.is_empty() {
                    ProjectedResponse::Written(response::streamed(self.root(), &answer, log.is_late, "").into())
                } else {
                    ProjectedResponse::WithErrors(answer)
                };
                made.push(ProjectedLog { log: (*log).clone(), response });
            }
        }
        made.into()
    }

    /// The most logs for which joins may be fetched together, each of which can cost a call by itself.
    fn most_at_once(&self) -> usize {
        let worst = &self.prepared.calls_at_worst;
        let of_one = worst.calls.saturating_sub(1).max(1);
        let most = u64::from(self.shared.upstream.settings().limits.upstream_calls);
        if worst.is_per_parent { usize::try_from(most / of_one).unwrap_or(1).max(1) } else { usize::MAX }
    }

    async fn answer(&self, batch: &LogBatch, logs: &[&BatchedLog]) -> Vec<FieldResult> {
        match self.try_answer(batch, logs).await {
            Ok(answers) => answers,
            // A log that cannot be read does not spoil the others.
            Err(_) if logs.len() > 1 => {
                let mut answers = Vec::with_capacity(logs.len());
                for log in logs {
                    let answer = self.try_answer(batch, &[log]).await;
                    let answer = answer.and_then(|mut answers| answers.pop().ok_or_else(GraphqlError::internal));
                    answers.push(answer.unwrap_or_else(|failure| self.failed(failure)));
                }
                answers
            }
            Err(failure) => logs.iter().map(|_| self.failed(failure.clone())).collect(),
        }
    }

    async fn try_answer(&self, batch: &LogBatch, logs: &[&BatchedLog]) -> Result<Vec<FieldResult>, GraphqlError> {
        let Shared { upstream, .. } = &*self.shared;
        let (prepared, caller) = (Arc::clone(&self.prepared), self.caller.clone());
        let most_calls = upstream.settings().limits.upstream_calls;
        let execution =
            ExecutionContext::new(prepared, caller, Deadline::within(JOIN_TIMEOUT), false, most_calls).bulk();
        let records: Vec<_> = logs.iter().map(|log| batch.record(log)).collect();
        let records = [b"[", &*records.join(&b','), b"]"].concat();
        let answers = answer_each(&execution, upstream, &records).await?;
        if answers.len() == logs.len() { Ok(answers) } else { Err(GraphqlError::bug("logs are missing")) }
    }

    fn failed(&self, failure: GraphqlError) -> FieldResult {
        let root = self.root();
        let error = FieldError { error: failure.at(root.location), path: vec![PathSegment::Key(root.key.clone())] };
        FieldResult { json: None, errors: vec![error] }
    }
}

impl ProjectedLog {
    /// The response, for the subscriber of this request id.
    pub(super) fn response(&self, root: &PreparedField, request_id: &str) -> Bytes {
        match &self.response {
            ProjectedResponse::Written(response) => response.clone(),
            ProjectedResponse::WithErrors(answer) => {
                response::streamed(root, answer, self.log.is_late, request_id).into()
            }
        }
    }

    /// Bytes that it takes in memory, about.
    fn size(&self) -> usize {
        let response = match &self.response {
            ProjectedResponse::Written(response) => response.len(),
            ProjectedResponse::WithErrors(answer) => answer.size(),
        };
        response + OVERHEAD
    }
}

/// The root field without the place to begin at.
fn selected(prepared: &PreparedOperation) -> Option<SelectedField> {
    let field = prepared.operation.fields.first()?;
    let arguments = field.arguments.as_ref().map(|arguments| arguments.without("from")).map_err(Clone::clone);
    Some(SelectedField { arguments, ..field.clone() })
}
