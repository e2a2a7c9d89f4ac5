//! Runs a plan: its calls, what becomes of their answers, its joins, and the bytes of each root field.

mod connection;
mod fetched_records;
mod join_calls;
mod joins;
mod splice;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use self::connection::ConnectionPage;
use self::join_calls::SINGLE_LOOKUPS;
use self::joins::Joins;
use self::splice::Splicer;
use super::error::{ErrorCode, GraphqlError, report};
use super::execution_context::{CallOrigin, ExecutionContext};
use super::field_request::{AnyApiRequest, FieldRequestKind, PageArgs, PageFacts};
use super::field_result::{FieldErrors, FieldResult};
use super::limits::ANSWER_BYTES;
use super::permission::{self, Upstream};
use super::plan::{CallPlan, CallRequest, ExecutionPlan, Projection, ShapePlan};
use super::prepared_operation::{FieldSource, Permitted, PreparedField, PreparedOperation, UpstreamField};
use super::project::{self, ProjectError, Projected};
use super::projection_cache::ProjectionCache;
use crate::auth0::{AnswerIdentity, CallContext, Page, Priority};

/// Answers the root fields of the operation that ask Auth0, each at its place.
pub(crate) async fn answer(
    execution: &ExecutionContext,
    upstream: &Upstream,
    projections: &ProjectionCache,
) -> Vec<FieldResult> {
    let prepared = &*execution.prepared;
    let authority = || permission::authority(upstream, &execution.caller);
    let authority_before = authority();
    let plan_before = prepared.plan(authority_before);
    let run = |call| RootCall { execution, upstream, prepared, call }.run();
    let mut calls = plan_before.root_calls();
    let fetched = match (calls.next(), calls.next()) {
        (None, _) => Vec::new(),
        // A single call, which is the rule, needs nobody to look after it.
        (Some(call), None) => vec![run(call).await],
        (Some(_), Some(_)) => join_all(plan_before.root_calls().map(run)).await,
    };
    // The gateway's grant comes with its token, and that may have come with one of these very calls.
    let authority = authority();
    let plan = if authority == authority_before { Arc::clone(&plan_before) } else { prepared.plan(authority) };
    let mut bytes_left = ANSWER_BYTES;
    let known = |(root, projection): (&PreparedField, &Option<Projection>)| {
        PendingField::known(root, projection.as_ref(), &mut bytes_left)
    };
    let mut fields: Vec<_> = prepared.roots.iter().zip(&plan.fields).map(known).collect();
    for (call, fetched) in plan.root_calls().zip(&fetched) {
        for index in &*call.roots {
            let Some(projection) = plan.fields.get(*index).and_then(Option::as_ref) else { continue };
            let field = match fetched {
                Ok(fetched) => fetched.project(&plan, *index, projection, projections, &mut bytes_left),
                Err(failure) => PendingField::Failed(failure.clone()),
            };
            fields[*index] = field;
        }
    }
    let lookups = if plan.joins.is_empty() { 0 } else { execution.take_spare_calls(SINGLE_LOOKUPS as u32) };
    let mut joins = Joins::new(&plan, lookups as usize, ANSWER_BYTES);
    if !plan.joins.is_empty() {
        joins.resolve(execution, upstream, fields.iter_mut().filter_map(PendingField::open)).await;
    }
    let fields = fields.into_iter().zip(&prepared.roots).zip(&plan.fields);
    let finish = |((field, root), projection): ((PendingField, &PreparedField), &Option<Projection>)| {
        field.finish(root, projection.as_ref(), &joins, &mut bytes_left)
    };
    let mut results: Vec<_> = fields.map(finish).collect();
    for (call, fetched) in plan.root_calls().zip(&fetched) {
        let Ok(RootResponse { unplaced: unplaced @ 1.., .. }) = fetched else { continue };
        for index in &*call.roots {
            results[*index].errors.push(connection::left_out(*unplaced, &prepared.roots[*index]));
        }
    }
    results
}

/// Answers the one root field of the execution's operation for each record of the JSON array `records`. What is joined to them is
/// fetched for all together.
pub(crate) async fn answer_each(
    execution: &ExecutionContext,
    upstream: &Upstream,
    records: &[u8],
) -> Result<Vec<FieldResult>, GraphqlError> {
    let prepared = &*execution.prepared;
    let plan = prepared.plan(permission::authority(upstream, &execution.caller));
    let (Some(root), Some(Some(projection))) = (prepared.roots.first(), plan.fields.first()) else {
        return Err(GraphqlError::bug("a subscription has no root field"));
    };
    let ShapePlan::Record(record) = &projection.shape else {
        return Err(GraphqlError::bug("a subscription is of no record"));
    };
    // None is sought by its id.
    let (mut projected, each) =
        project::project_each(record, usize::MAX, records, ANSWER_BYTES).map_err(|error| unprojectable(error, None))?;
    let lookups = if plan.joins.is_empty() { 0 } else { execution.take_spare_calls(SINGLE_LOOKUPS as u32) };
    let mut joins = Joins::new(&plan, lookups as usize, ANSWER_BYTES);
    if !plan.joins.is_empty() {
        joins.resolve(execution, upstream, std::iter::once(&mut projected)).await;
    }
    let no_errors = || FieldErrors::new(&root.key, root.location);
    let mut errors = no_errors();
    let mut splicer = Splicer::new(&joins, &mut errors, ANSWER_BYTES);
    let answers = each.iter().map(|each| {
        let (spliced, errors) = splicer.record(projection, &projected, &each.segment, no_errors());
        errors.result(spliced)
    });
    Ok(answers.collect())
}

/// A root field on its way to an answer.
enum PendingField {
    Null,
    Ready(Bytes),
    Known(FieldResult),
    /// It has slots to fill, or nulls to be told of.
    Open(Projected),
    Failed(GraphqlError),
}

impl PendingField {
    /// The answer as far as it is known beforehand.
    fn known(root: &PreparedField, projection: Option<&Projection>, bytes_left: &mut usize) -> Self {
        match &root.kind {
            FieldSource::Known(result) => Self::Known(result.clone()),
            FieldSource::Entities(_) => {
                let Some(projection) = projection else { return Self::Null };
                match project::project(projection, &[], &PageFacts::default(), *bytes_left) {
                    Ok(projected) => {
                        *bytes_left = bytes_left.saturating_sub(projected.json.len());
                        Self::Open(projected)
                    }
                    Err(error) => Self::Failed(unprojectable(error, None)),
                }
            }
            FieldSource::Upstream(_) | FieldSource::Local => Self::Null,
        }
    }

    fn open(&mut self) -> Option<&mut Projected> {
        match self {
            Self::Open(projected) => Some(projected),
            Self::Null | Self::Ready(_) | Self::Known(_) | Self::Failed(_) => None,
        }
    }

    fn finish(
        self,
        root: &PreparedField,
        projection: Option<&Projection>,
        joins: &Joins<'_>,
        bytes_left: &mut usize,
    ) -> FieldResult {
        let mut errors = FieldErrors::new(&root.key, root.location);
        let value = match (self, projection) {
            (Self::Null, _) => return FieldResult::default(),
            (Self::Known(result), _) => return result,
            (Self::Ready(json), _) => return FieldResult { json: Some(json), errors: Vec::new() },
            (Self::Failed(failure), _) => Err(failure),
            (Self::Open(projected), Some(projection)) => {
                *bytes_left += projected.json.len();
                Splicer::new(joins, &mut errors, *bytes_left).splice(projection, &projected)
            }
            (Self::Open(_), None) => Err(GraphqlError::bug("an answer has no projection")),
        };
        let result = errors.result(value);
        *bytes_left = bytes_left.saturating_sub(result.json.as_ref().map_or(0, Bytes::len));
        result
    }
}

/// A call that root fields share.
struct RootCall<'a> {
    execution: &'a ExecutionContext,
    upstream: &'a Upstream,
    prepared: &'a PreparedOperation,
    call: &'a CallPlan,
}

/// The response to a call: records, or a single one, or nothing where Auth0 knows no such record.
struct RootResponse<'a> {
    page: &'a PageArgs,
    json: Option<Bytes>,
    total: Option<u64>,
    next: Option<Box<str>>,
    identity: Option<AnswerIdentity>,
    /// True if others have the same answer.
    is_shared: bool,
    /// The number of records that a connection had to leave out.
    unplaced: usize,
}

impl<'a> RootResponse<'a> {
    fn list(page: &'a PageArgs, Page { records, total, next, identity }: Page, context: &CallContext) -> Self {
        let stats = context.stats();
        // Whoever made the call projects for nobody else: most answers are asked for once.
        let is_shared = stats.is_coalesced || stats.cache_age.is_some();
        Self { page, json: Some(records), total, next, identity: Some(identity), is_shared, unplaced: 0 }
    }

    fn record(page: &'a PageArgs, json: Option<Bytes>) -> Self {
        Self { page, json, total: None, next: None, identity: None, is_shared: false, unplaced: 0 }
    }

    /// Makes of it what one of the call's root fields wants.
    fn project(
        &self,
        plan: &Arc<ExecutionPlan>,
        index: usize,
        projection: &Projection,
        cache: &ProjectionCache,
        bytes_left: &mut usize,
    ) -> PendingField {
        let Some(json) = &self.json else { return PendingField::Null };
        let shared = self.identity.as_ref().filter(|_| self.is_shared);
        let known = shared.and_then(|answer| cache.get(answer, plan, index));
        if let Some(known) = known.filter(|known| known.len() <= *bytes_left) {
            *bytes_left -= known.len();
            return PendingField::Ready(known);
        }
        let facts = self.page.facts(self.total, self.next.as_deref());
        match project::project(projection, json, &facts, *bytes_left) {
            Ok(projected) if projected.is_plain() => {
                let bytes = Bytes::from(projected.json);
                *bytes_left = bytes_left.saturating_sub(bytes.len());
                if let Some(answer) = shared {
                    cache.put(answer, plan, index, &bytes);
                }
                PendingField::Ready(bytes)
            }
            // Joined records are as old as they are by themselves: this is not kept.
            Ok(projected) => {
                *bytes_left = bytes_left.saturating_sub(projected.json.len());
                PendingField::Open(projected)
            }
            Err(error) => PendingField::Failed(unprojectable(error, self.identity.as_ref())),
        }
    }
}

impl<'a> RootCall<'a> {
    /// Makes the call, for what all its root fields need together.
    async fn run(self) -> Result<RootResponse<'a>, GraphqlError> {
        let Self { execution, upstream, prepared, call } = self;
        let CallPlan { request: ready, keys, roots, .. } = call;
        // They ask the same: any of them speaks for all.
        let root = roots.first().and_then(|root| prepared.roots.get(*root));
        let Some(FieldSource::Upstream(field)) = root.map(|root| &root.kind) else {
            return Err(GraphqlError::bug("a call is of no root field"));
        };
        let UpstreamField { table, .. } = &**field;
        let (permitted, request) = field.permit(upstream, &execution.caller)?;
        let priority = match request.kind {
            FieldRequestKind::Connection(_) | FieldRequestKind::Tail(_) => Priority::Bulk,
            FieldRequestKind::Shared(_) | FieldRequestKind::OwnUser(_) => Priority::Interactive,
        };
        let context = execution.call_context(CallOrigin::Roots(roots.clone()), priority);
        match (permitted, ready, &request.kind) {
            (Permitted::Any(api), CallRequest::Root(Some(AnyApiRequest::List(read))), _) => {
                let page = api.read(read, &context).await.map_err(report)?;
                Ok(RootResponse::list(&request.page, page, &context))
            }
            (Permitted::Any(api), CallRequest::Root(Some(AnyApiRequest::Record(read))), _) => {
                Ok(RootResponse::record(&request.page, api.read(read, &context).await.map_err(report)?))
            }
            (Permitted::Any(api), CallRequest::Root(None), FieldRequestKind::Connection(request_of_page)) => {
                let object = table.shape.object();
                let calls = prepared.calls_of(roots);
                // Where pages overlap, or a search is too slow, a page takes more than its share.
                let most_calls = calls.saturating_add(execution.take_spare_calls(calls));
                let read = connection::read(request_of_page, api, keys, object, most_calls, &context).await?;
                let ConnectionPage { json, unplaced } = read;
                Ok(RootResponse { unplaced, ..RootResponse::record(&request.page, Some(json)) })
            }
            (Permitted::Own(own), _, FieldRequestKind::OwnUser(endpoint)) => {
                let fields = keys.fields(table.shape.object());
                Ok(RootResponse::record(&request.page, own.read(endpoint, &fields, &context).await.map_err(report)?))
            }
            _ => Err(GraphqlError::bug("a call has no request")),
        }
    }
}

/// Logs that an answer cannot be projected, and gives what the caller is told. One that cannot be read is not served again.
fn unprojectable(error: ProjectError, answer: Option<&AnswerIdentity>) -> GraphqlError {
    match error {
        ProjectError::Malformed(malformed) => {
            if let Some(answer) = answer {
                answer.invalidate();
            }
            let code = ErrorCode::UpstreamUnavailable;
            code.log("Auth0's answer cannot be read", &malformed.to_string());
            GraphqlError::new(code, "Auth0's answer cannot be read. Try again; if it stays, report it.")
        }
        ProjectError::TooLarge => too_large(),
    }
}

fn too_large() -> GraphqlError {
    let message = format!("The answer is too large: more than {ANSWER_BYTES} bytes. Ask for less at once.");
    GraphqlError::new(ErrorCode::TooComplex, message).with("measure", "answer bytes").with("limit", ANSWER_BYTES)
}
