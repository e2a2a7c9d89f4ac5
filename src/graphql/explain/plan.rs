//! The plan of an operation, for those who ask what it would cost: its calls, of which none is made.

use std::time::Duration;

use serde::Serialize;

use super::refusals::{refusal, refusals};
use crate::auth::Caller;
use crate::auth0::RateClass;
use crate::auth0::endpoints::{Endpoint, LOG_STREAM};
use crate::graphql::error::FieldError;
use crate::graphql::field_request::{AnyApiRequest, FieldRequest, FieldRequestKind};
use crate::graphql::operation::SelectedField;
use crate::graphql::permission::{Upstream, authorize_all};
use crate::graphql::plan::{CallPlan, CallRequest, ExecutionPlan, JoinCount, join_counts};
use crate::graphql::prepared_operation::{FieldSource, PreparedField, PreparedOperation};
use crate::graphql::schema::joins::Fetch;

/// The plan of an operation, as whoever asks for it is told.
pub(crate) struct ExplainedPlan {
    pub(crate) calls: Vec<PlannedCall>,
    /// The errors of fields that nothing would be asked for.
    pub(crate) refused: Vec<FieldError>,
}

/// An entry of `extensions.plan`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedCall {
    /// The response keys that lead to the field, dots between them.
    field: String,
    endpoint: &'static str,
    /// The most calls that it can come to, retries left out.
    calls: u64,
    /// The search that is sent; of a connection, with the first call.
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    /// The time until the last of the calls would have its turn now, if there were no others of the operation.
    wait_ms: u64,
}

/// The calls of an operation that its caller would have made, and what of it would be refused.
pub(crate) fn explain(
    prepared: &PreparedOperation,
    plan: &ExecutionPlan,
    caller: &Caller,
    upstream: &Upstream,
) -> ExplainedPlan {
    let refused_roots: Vec<_> = prepared.roots.iter().map(|root| refusal(root, caller, upstream)).collect();
    let is_refused = |root: usize| refused_roots.get(root).is_none_or(Option::is_some);
    let roots = plan.root_calls().filter_map(|call| {
        let index = *call.roots.first()?;
        let asked = if is_refused(index) { None } else { request(prepared.roots.get(index)?, call) }?;
        let calls = u64::from(prepared.calls_of(&call.roots));
        Some(planned(prepared.key(index)?.to_string(), asked, calls, upstream))
    });
    let mut calls: Vec<_> = roots.collect();
    // Of each join, true if it is asked for anything.
    let mut is_asked: Vec<bool> = Vec::new();
    for JoinCount { path, root, parent, row, field, calls: count } in join_counts(&prepared.operation.fields) {
        let is_reached = match parent {
            Some(parent) => is_asked.get(parent).copied().unwrap_or_default(),
            None => !is_refused(root),
        };
        let is_allowed = is_reached && authorize_all(upstream, caller, row.scopes).is_ok();
        let endpoint = if is_allowed { joined_endpoint(&row.fetch, field) } else { None };
        is_asked.push(endpoint.is_some());
        calls.extend(endpoint.map(|endpoint| planned(path, (endpoint, None), count, upstream)));
    }
    ExplainedPlan { calls, refused: refusals(prepared, plan, &refused_roots) }
}

/// The endpoint that is asked, and the search that it is sent.
type Asked = (&'static Endpoint, Option<String>);

fn asked(request: &AnyApiRequest) -> Asked {
    match request {
        AnyApiRequest::List(read) => (read.endpoint(), read.q()),
        AnyApiRequest::Record(read) => (read.endpoint(), None),
    }
}

fn planned(field: String, (endpoint, q): Asked, calls: u64, upstream: &Upstream) -> PlannedCall {
    let wait = wait(upstream, endpoint.class, calls);
    PlannedCall { field, endpoint: endpoint.name, calls, q, wait_ms: milliseconds(wait) }
}

/// The endpoint of a call, which is this root field's.
fn request(root: &PreparedField, call: &CallPlan) -> Option<Asked> {
    let FieldSource::Upstream(field) = &root.kind else { return None };
    let FieldRequest { kind, .. } = field.request.as_ref().ok()?;
    let CallPlan { keys, request, .. } = call;
    match (request, kind) {
        (CallRequest::Root(Some(request)), _) => Some(asked(request)),
        (_, FieldRequestKind::Connection(page)) => {
            let fields = keys.fields(field.table.shape.object());
            let read = page.keyset.walk(page.from.clone()).request(page.first, &fields, keys.total).ok()?;
            Some(asked(&read.into()))
        }
        // Again and again, for as long as somebody listens.
        (_, FieldRequestKind::Tail(_)) => Some((&LOG_STREAM.endpoint, None)),
        (_, FieldRequestKind::OwnUser(endpoint)) => Some((&endpoint.endpoint, None)),
        (_, FieldRequestKind::Shared(_)) => None,
    }
}

/// The endpoint that a join asks. None where its arguments are out of bounds.
fn joined_endpoint(fetch: &Fetch, field: &SelectedField) -> Option<&'static Endpoint> {
    match fetch {
        Fetch::ByIds(by_ids) => Some(by_ids.endpoint),
        Fetch::PerParent(parse) => Some(parse(field.arguments.as_ref().ok()?).ok()?.endpoint),
    }
}

/// The time until so many more calls would have been made, as far as the tenant's rate limits are known.
fn wait(upstream: &Upstream, class: RateClass, calls: u64) -> Duration {
    let buckets = upstream.rate_limits();
    let Some(bucket) = buckets.iter().find(|bucket| bucket.classes.contains(&class)) else { return Duration::ZERO };
    let missing = calls as f64 + bucket.queued as f64 - bucket.remaining;
    match bucket.refill_per_second {
        Some(refill) if refill > 0.0 && missing > 0.0 => {
            Duration::try_from_secs_f64(missing / refill).unwrap_or(Duration::MAX)
        }
        _ => Duration::ZERO,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
