//! Answers a subscription's root field for each of the records that came together.

use super::field_errors::FieldErrors;
use super::joins::Joins;
use super::splice::Splicer;
use super::{Answer, unprojectable};
use crate::graphql::error::GraphqlError;
use crate::graphql::limits::ANSWER_BYTES;
use crate::graphql::permission::{Upstream, authority};
use crate::graphql::plan::Shaped;
use crate::graphql::project;
use crate::graphql::session::Session;

/// Answers the one root field of the session's operation for each record of the JSON array `records`. What is joined to them is
/// fetched for all together.
pub(crate) async fn answer_each(
    session: &Session,
    upstream: &Upstream,
    records: &[u8],
) -> Result<Vec<Answer>, GraphqlError> {
    let prepared = &*session.prepared;
    let plan = prepared.plan(authority(upstream, &session.caller));
    let (Some(root), Some(Some(projection))) = (prepared.roots.first(), plan.fields.first()) else {
        return Err(GraphqlError::bug("a subscription has no root field"));
    };
    let Shaped::Record(record) = &projection.shape else {
        return Err(GraphqlError::bug("a subscription is of no record"));
    };
    // None is sought by its id.
    let (mut projected, each) =
        project::project_each(record, usize::MAX, records, ANSWER_BYTES).map_err(unprojectable)?;
    let mut joins = Joins::new(&plan, session.lookups(), ANSWER_BYTES);
    if !plan.joins.is_empty() {
        joins.resolve(session, upstream, std::iter::once(&mut projected)).await;
    }
    let no_errors = || FieldErrors::new(&root.key, root.location);
    let mut errors = no_errors();
    let mut splicer = Splicer::new(&joins, &mut errors, ANSWER_BYTES);
    let answers = each.iter().map(|each| {
        let (spliced, errors) = splicer.record(projection, &projected, &each.segment, no_errors());
        match spliced {
            Ok(json) => Answer { json: Some(json.into()), errors: errors.finish() },
            Err(failure) => Answer { json: None, errors: errors.whole(failure) },
        }
    });
    Ok(answers.collect())
}
