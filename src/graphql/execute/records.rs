//! Answers a subscription's root field for each of the records that came together.

use super::join_calls::SINGLE_LOOKUPS;
use super::joins::Joins;
use super::splice::Splicer;
use super::unprojectable;
use crate::graphql::error::GraphqlError;
use crate::graphql::execution_context::ExecutionContext;
use crate::graphql::field_result::{FieldErrors, FieldResult};
use crate::graphql::limits::ANSWER_BYTES;
use crate::graphql::permission::{Upstream, authority};
use crate::graphql::plan::ShapePlan;
use crate::graphql::project;

/// Answers the one root field of the execution's operation for each record of the JSON array `records`. What is joined to them is
/// fetched for all together.
pub(crate) async fn answer_each(
    execution: &ExecutionContext,
    upstream: &Upstream,
    records: &[u8],
) -> Result<Vec<FieldResult>, GraphqlError> {
    let prepared = &*execution.prepared;
    let plan = prepared.plan(authority(upstream, &execution.caller));
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
