//! The last step of an answer: joined records in their slots, and an error for each null that should not be one.

use std::collections::HashMap;

use super::fetched_records::SlotValue;
use super::joins::Joins;
use super::too_large;
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::field_result::{FieldErrors, Frames};
use crate::graphql::plan::{PathStep, PathTemplate, Projection, Withheld};
use crate::graphql::project::{JoinSlot, Projected, Segment};

/// Writes an answer.
pub(super) struct Splicer<'a, 'r> {
    joins: &'a Joins<'a>,
    frames: Frames<'a>,
    errors: &'a mut FieldErrors<'r>,
    /// The failures of withheld fields, by their address in the plan: each is made, and logged, once.
    failures: HashMap<*const Withheld, GraphqlError>,
    /// True once something was left out.
    has_left_out: bool,
    out: Vec<u8>,
    limit: usize,
}

impl<'a, 'r> Splicer<'a, 'r> {
    pub(super) fn new(joins: &'a Joins<'a>, errors: &'a mut FieldErrors<'r>, limit: usize) -> Self {
        Self {
            joins,
            frames: Vec::new(),
            errors,
            failures: HashMap::new(),
            has_left_out: false,
            out: Vec::new(),
            limit,
        }
    }

    /// Writes a projection whole.
    pub(super) fn splice(
        mut self,
        projection: &'a Projection,
        projected: &'a Projected,
    ) -> Result<Vec<u8>, GraphqlError> {
        self.out.reserve((projected.json.len() * 2).min(self.limit));
        self.segment(projection, projected, &projected.whole())?;
        Ok(self.out)
    }

    /// A record of what was projected, with its errors. The errors of the next record are put into `errors`.
    pub(super) fn record(
        &mut self,
        projection: &'a Projection,
        projected: &'a Projected,
        segment: &Segment,
        errors: FieldErrors<'r>,
    ) -> (Result<Vec<u8>, GraphqlError>, FieldErrors<'r>) {
        let spliced = self.segment(projection, projected, segment);
        self.frames.clear();
        let json = std::mem::take(&mut self.out);
        (spliced.map(|()| json), std::mem::replace(self.errors, errors))
    }

    /// Nesting is that of the document.
    fn segment(
        &mut self,
        projection: &'a Projection,
        projected: &'a Projected,
        segment: &Segment,
    ) -> Result<(), GraphqlError> {
        let mut copied = segment.json.start;
        for slot in projected.slots.get(segment.slots.clone()).unwrap_or_default() {
            let Some(join) = self.joins.plan().joins.get(slot.join) else { continue };
            self.frames.push((&join.path, indices(&join.path, projected.indices_from(slot.indices))));
            match self.joins.get(slot) {
                SlotValue::Record(record, of_record) => {
                    self.out.extend_from_slice(projected.json.get(copied..slot.offset).unwrap_or_default());
                    copied = slot.offset + JoinSlot::NULL.len();
                    self.segment(&join.projection, record, of_record)?;
                }
                SlotValue::Failed(failure) => self.errors.null(&self.frames, failure),
                SlotValue::Absent => {}
            }
            self.frames.pop();
        }
        self.out.extend_from_slice(projected.json.get(copied..segment.json.end).unwrap_or_default());
        if self.out.len() > self.limit {
            return Err(too_large());
        }
        self.nulls(projection, projected, segment);
        Ok(())
    }

    fn nulls(&mut self, projection: &'a Projection, projected: &'a Projected, segment: &Segment) {
        for null in projected.nulls.get(segment.nulls.clone()).unwrap_or_default() {
            let Some(withheld) = projection.withheld.get(null.field) else { continue };
            let failure = self.failures.entry(withheld).or_insert_with(|| withheld.reason.report());
            self.frames.push((&withheld.path, indices(&withheld.path, projected.indices_from(null.indices))));
            self.errors.null(&self.frames, failure);
            self.frames.pop();
        }
        for left_out in projected.left_out.get(segment.left_out.clone()).unwrap_or_default() {
            let Some(path) = projection.list_paths.get(left_out.list) else { continue };
            self.frames.push((path, indices(path, projected.indices_from(left_out.indices))));
            let failure = no_records(left_out.count);
            // Once for an answer: every record of a tenant may have the same oddity.
            if !std::mem::replace(&mut self.has_left_out, true) {
                ErrorCode::UpstreamUnavailable.log(&failure.message, "");
            }
            self.errors.null(&self.frames, &failure);
            self.frames.pop();
        }
    }
}

/// The first indices, as many as the path has.
fn indices<'a>(path: &PathTemplate, all: &'a [usize]) -> &'a [usize] {
    let count = path.0.iter().filter(|step| **step == PathStep::Index).count();
    all.get(..count).unwrap_or(all)
}

fn no_records(count: usize) -> GraphqlError {
    let what = if count == 1 {
        "1 value here is no object, or has no id".to_owned()
    } else {
        format!("{count} values here are no objects, or have no ids")
    };
    let message = format!("{what}, as Auth0 sent it, and left out. If it stays so, report it.");
    GraphqlError::new(ErrorCode::UpstreamUnavailable, message).with("leftOut", count)
}
