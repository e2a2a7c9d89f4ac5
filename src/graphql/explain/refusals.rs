//! Fields of an operation that would be refused, in the words in which execution refuses them.

use crate::auth::Caller;
use crate::graphql::error::{FieldError, GraphqlError, Location, PathSegment};
use crate::graphql::field_result::FieldResult;
use crate::graphql::permission::Upstream;
use crate::graphql::plan::{EntityPlan, ExecutionPlan, PathStep, PathTemplate, Projection, ShapePlan, Withheld};
use crate::graphql::prepared_operation::{FieldSource, PreparedField, PreparedOperation};

/// The error of a root field that is refused whole.
pub(super) fn refusal(root: &PreparedField, caller: &Caller, upstream: &Upstream) -> Option<GraphqlError> {
    match &root.kind {
        FieldSource::Upstream(field) => field.permit(upstream, caller).err(),
        FieldSource::Known(_) | FieldSource::Entities(_) | FieldSource::Local => None,
    }
}

/// The errors of the fields that are null whatever Auth0 answers, given those of root fields. How many records a list will have is not
/// known: a field of theirs has one error, and its path no indices.
pub(super) fn refusals(
    prepared: &PreparedOperation,
    plan: &ExecutionPlan,
    refused_roots: &[Option<GraphqlError>],
) -> Vec<FieldError> {
    let whole =
        prepared.operation.failure.iter().map(|failure| FieldError { error: failure.clone(), path: Vec::new() });
    let mut errors: Vec<_> = whole.collect();
    for (index, ((root, refused), projection)) in prepared.roots.iter().zip(refused_roots).zip(&plan.fields).enumerate()
    {
        let start = FieldLocation { path: vec![PathSegment::Key(root.key.clone())], location: root.location };
        match (refused, projection) {
            (Some(failure), _) => errors.push(start.error(failure.clone())),
            (None, Some(projection)) => {
                withheld(projection, &start, &mut errors);
                for join in plan.joins.iter().filter(|join| join.root_index == index) {
                    let mut ways = vec![&join.path];
                    let mut parent = join.parent;
                    while let Some(join) = parent.and_then(|number| plan.joins.get(number)) {
                        ways.push(&join.path);
                        parent = join.parent;
                    }
                    let place = ways.into_iter().rev().fold(start.clone(), |place, way| place.at(way));
                    withheld(&join.projection, &place, &mut errors);
                }
            }
            (None, None) => {
                if let FieldSource::Known(FieldResult { errors: known, .. }) = &root.kind {
                    errors.extend_from_slice(known);
                }
            }
        }
    }
    errors
}

/// Adds the errors of what a projection withholds, which itself is at `place`.
fn withheld(projection: &Projection, place: &FieldLocation, errors: &mut Vec<FieldError>) {
    if let ShapePlan::Entities(entities) = &projection.shape {
        for (index, entity) in entities.iter().enumerate() {
            let EntityPlan::Withheld(number) = entity else { continue };
            let Some(Withheld { reason, .. }) = projection.withheld.get(*number) else { continue };
            let mut place = place.clone();
            place.path.push(PathSegment::Index(index));
            errors.push(place.error(reason.report()));
        }
    } else {
        let refused = projection.withheld.iter();
        errors.extend(refused.map(|Withheld { path, reason }| place.clone().at(path).error(reason.report())));
    }
}

/// A place in the answer, and where in the document its field stands.
#[derive(Clone)]
struct FieldLocation {
    path: Vec<PathSegment>,
    location: Location,
}

impl FieldLocation {
    /// The end of a way that begins here.
    fn at(mut self, way: &PathTemplate) -> Self {
        for step in &way.0 {
            if let PathStep::Key(key, location) = step {
                self.path.push(PathSegment::Key(key.clone()));
                self.location = *location;
            }
        }
        self
    }

    fn error(self, failure: GraphqlError) -> FieldError {
        FieldError::at(failure, self.path, self.location)
    }
}
