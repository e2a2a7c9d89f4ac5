//! Joins, level by level: what the slots of one level ask for is fetched together, and opens the slots of the next.
//!
//! There is no loader per record: a page of a hundred logs is one more search for fifty distinct users, where waking a
//! future for each log would cost ten times the rest of the operation.

use futures_util::future::join_all;
use tracing::Instrument as _;

use super::fetched_records::{Batch, FetchedRecords, SlotValue};
use super::join_calls::{JoinCall, SINGLE_LOOKUPS, plan_calls, plan_lookups};
use super::unprojectable;
use crate::auth0::{ManagementApi, Page, Priority};
use crate::graphql::error::{GraphqlError, report};
use crate::graphql::execution_context::{CallOrigin, ExecutionContext};
use crate::graphql::field_request::AnyApiRequest;
use crate::graphql::permission::{Upstream, authorize_all};
use crate::graphql::plan::{ExecutionPlan, JoinPlan, ShapePlan};
use crate::graphql::project::json::JsonError;
use crate::graphql::project::{self, JoinSlot, ProjectError, Projected, ProjectedRecord};
use crate::telemetry::TRACE_TARGET;

/// The joined records of an operation.
pub(super) struct Joins<'p> {
    plan: &'p ExecutionPlan,
    /// The records of each call of the plan, of which those of root fields have none here. Empty where nothing is joined.
    fetched: Vec<FetchedRecords>,
    /// The number of records that may still be looked up one by one, so that the calls which are certain to come have theirs.
    lookups: usize,
    /// The most that projections may come to in all, in bytes.
    limit: usize,
}

/// A slot that is to be filled: its join, and the number of its key.
type OpenSlot = (usize, usize);

impl<'p> Joins<'p> {
    pub(super) fn new(plan: &'p ExecutionPlan, lookups: usize, limit: usize) -> Self {
        let calls = if plan.joins.is_empty() { &[] } else { &*plan.calls };
        let fetched = calls.iter().map(FetchedRecords::new).collect();
        Self { plan, fetched, lookups: lookups.min(SINGLE_LOOKUPS), limit }
    }

    /// Fetches what belongs in the slots of `projections`, in the slots of that, and so on.
    pub(super) async fn resolve(
        &mut self,
        execution: &ExecutionContext,
        upstream: &Upstream,
        projections: impl Iterator<Item = &mut Projected>,
    ) {
        let mut open = Vec::new();
        for projected in projections {
            self.register(&mut projected.slots, &mut open);
        }
        while !open.is_empty() {
            let span = tracing::info_span!(target: TRACE_TARGET, "joins", slots = open.len() as i64);
            self.fetch(execution, upstream).instrument(span).await;
            let level = std::mem::take(&mut open);
            for (join, key) in level {
                self.open(join, key, &mut open);
            }
        }
    }

    pub(super) fn plan(&self) -> &'p ExecutionPlan {
        self.plan
    }

    /// The value of a slot of the present plan.
    pub(super) fn get(&self, slot: &JoinSlot) -> SlotValue<'_> {
        let fetched = self
            .plan
            .joins
            .get(slot.join)
            .and_then(|join| Some((self.fetched.get(join.call_index)?, join.index_in_call)));
        fetched.map_or(SlotValue::Absent, |(fetched, join)| fetched.get(join, slot.key_number))
    }

    /// Takes down what slots ask for.
    fn register(&mut self, slots: &mut [JoinSlot], open: &mut Vec<OpenSlot>) {
        for slot in slots {
            let Some(join) = self.plan.joins.get(slot.join) else { continue };
            let Some(fetched) = self.fetched.get_mut(join.call_index) else { continue };
            slot.key_number = fetched.request(std::mem::take(&mut slot.key));
            open.push((slot.join, slot.key_number));
        }
    }

    /// Opens the slots of what was found for a key, unless that has been done.
    fn open(&mut self, join: usize, key: usize, open: &mut Vec<OpenSlot>) {
        let Some(join) = self.plan.joins.get(join) else { return };
        let Some(fetched) = self.fetched.get_mut(join.call_index) else { return };
        let Some((batch, index)) = fetched.unopened(join.index_in_call, key) else { return };
        let Some(Batch { projected, segments }) = self.batch(join, batch) else { return };
        let Some(range) = segments.get(index).map(|segment| segment.slots.clone()) else { return };
        // Out of the batch while they are taken down: they may ask for what stands beside them.
        let mut slots = std::mem::take(&mut projected.slots);
        self.register(slots.get_mut(range).unwrap_or_default(), open);
        if let Some(batch) = self.batch(join, batch) {
            batch.projected.slots = slots;
        }
    }

    fn batch(&mut self, join: &JoinPlan, batch: usize) -> Option<&mut Batch> {
        self.fetched.get_mut(join.call_index)?.batch(join.index_in_call, batch)
    }

    /// Fetches everything that is pending.
    async fn fetch(&mut self, execution: &ExecutionContext, upstream: &Upstream) {
        let mut calls = Vec::new();
        let mut apis = Vec::new();
        for (index, (call, fetched)) in self.plan.calls.iter().zip(&mut self.fetched).enumerate() {
            let pending = fetched.pending();
            let Some(row) = call.join().filter(|_| !pending.is_empty()) else {
                apis.push(None);
                continue;
            };
            match authorize_all(upstream, &execution.caller, row.scopes) {
                Ok(api) => {
                    apis.push(Some(api));
                    plan_calls(index, call, fetched, &mut calls);
                }
                Err(failure) => {
                    apis.push(None);
                    pending.iter().for_each(|key| fetched.set_failed(*key, &failure));
                }
            }
        }
        self.make(execution, &apis, calls).await;
        let mut lookups = Vec::new();
        for (index, (call, fetched)) in self.plan.calls.iter().zip(&mut self.fetched).enumerate() {
            plan_lookups(index, call, fetched, &mut self.lookups, &mut lookups);
        }
        self.make(execution, &apis, lookups).await;
    }

    /// Makes calls, all at once, and takes in what they bring.
    async fn make(&mut self, execution: &ExecutionContext, apis: &[Option<&ManagementApi>], calls: Vec<JoinCall<'p>>) {
        let answers = calls.into_iter().map(|call| {
            let api = apis.get(call.call_index).copied().flatten();
            let roots = self.plan.calls.get(call.call_index).map(|plan| plan.roots.clone());
            let context = execution.call_context(CallOrigin::Joins(roots.unwrap_or_default()), Priority::Interactive);
            async move {
                let Some(api) = api else { return (call, Err(GraphqlError::bug("a join is made without permission"))) };
                let answer = match &call.request {
                    AnyApiRequest::List(read) => api.read(read, &context).await.map(Some),
                    AnyApiRequest::Record(read) => api.read(read, &context).await.map(|record| {
                        let records = record.map(|record| [b"[", &record[..], b"]"].concat().into());
                        records.map(|records| Page { records, ..Page::default() })
                    }),
                };
                (call, answer.map_err(report))
            }
        });
        for (call, answer) in join_all(answers.collect::<Vec<_>>()).await {
            self.take_in(&call, answer);
        }
    }

    fn take_in(&mut self, call: &JoinCall<'_>, answer: Result<Option<Page>, GraphqlError>) {
        let outcome = match answer {
            Ok(Some(answer)) => self.project(call, &answer),
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        let fetched = &mut self.fetched[call.call_index];
        match outcome {
            Err(failure) => call.keys.iter().for_each(|key| fetched.set_failed(*key, &failure)),
            // A search may not know yet what there is.
            Ok(()) if matches!(call.request, AnyApiRequest::List(_)) && call.page.is_none() => {}
            Ok(()) => call.keys.iter().for_each(|key| fetched.set_absent(*key)),
        }
    }

    /// Projects an answer, for each join of its call.
    fn project(&mut self, call: &JoinCall<'_>, answer: &Page) -> Result<(), GraphqlError> {
        let plan = self.plan;
        let Some(call_plan) = plan.calls.get(call.call_index) else {
            return Err(GraphqlError::bug("a call is of no plan"));
        };
        let fetched = &mut self.fetched[call.call_index];
        let mut found: Vec<Option<usize>> = Vec::new();
        let batch = fetched.next_batch();
        for (index, join) in call_plan.joins.iter().enumerate() {
            let join = &plan.joins[*join];
            let (projected, segments) = match (&join.projection.shape, call.page) {
                (_, Some(page)) => {
                    let facts = page.facts(answer.total, answer.next.as_deref());
                    let projected = project::project(&join.projection, &answer.records, &facts, self.limit);
                    let projected = projected.map_err(|error| unprojectable(error, Some(&answer.identity)))?;
                    let whole = projected.whole();
                    (projected, vec![whole])
                }
                (ShapePlan::Record(plan), None) => {
                    let each = project::project_each(plan, join.id_slot, &answer.records, self.limit);
                    let (projected, each) = each.map_err(|error| unprojectable(error, Some(&answer.identity)))?;
                    // For each join the same records in the same order.
                    let each = each.into_iter();
                    let (keys, segments) = each.map(|each| (found_as(call, fetched, &each), each.segment)).unzip();
                    found = keys;
                    (projected, segments)
                }
                (
                    ShapePlan::Page(_) | ShapePlan::List(..) | ShapePlan::Connection(..) | ShapePlan::Entities(_),
                    None,
                ) => {
                    return Err(GraphqlError::bug("a join of a list has no page"));
                }
            };
            // Together they may come to no more than one answer.
            self.limit = self.limit.saturating_sub(projected.json.len());
            fetched.add_batch(index, Batch { projected, segments });
        }
        if call.page.is_some() {
            call.keys.iter().for_each(|key| fetched.set_found(*key, (batch, 0)));
        }
        if call.is_single() && found.iter().all(Option::is_none) {
            // There is a record, and it cannot be shown: that is not as if there were none.
            return Err(unprojectable(ProjectError::Malformed(JsonError), Some(&answer.identity)));
        }
        for (index, key) in found.into_iter().enumerate() {
            if let Some(key) = key {
                fetched.set_found(key, (batch, index));
            }
        }
        Ok(())
    }
}

/// The number of the key that a record was asked for with. Who was asked for alone is who came, whatever the record says of its id.
fn found_as(
    call: &JoinCall<'_>,
    fetched: &FetchedRecords,
    ProjectedRecord { id, is_complete, .. }: &ProjectedRecord<'_>,
) -> Option<usize> {
    let key =
        if call.is_single() { call.keys.first().copied() } else { id.as_ref().and_then(|id| fetched.key_number(id)) };
    key.filter(|_| *is_complete)
}
