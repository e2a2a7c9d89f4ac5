//! The last step of an answer: joined records in their slots, and an error for each null that should not be one.

use std::collections::HashMap;

use async_graphql::{PathSegment, ServerError};

use super::error::{ErrorCode, GraphqlError};
use super::execute::too_large;
use super::joins::{Joined, Joins};
use super::operation::{Location, Name};
use super::plan::{Place, Projection, Step, Withheld, WithheldReason};
use super::project::{JoinSlot, Projected, Segment};

/// How many nulls below a root field have an error each. Of the rest it is told how many there are.
const MOST_NULLS: usize = 50;

/// A root field's errors.
pub(crate) struct FieldErrors<'r> {
    key: &'r Name,
    location: Location,
    told: Vec<ServerError>,
    nulls: usize,
    rest: Vec<Rest>,
}

/// Nulls for the same reason, beyond those that have an error each.
struct Rest {
    failure: GraphqlError,
    /// The last field on their way that is no list.
    path: Vec<PathSegment>,
    location: Location,
    count: usize,
}

/// The way to a projection: places, each in the projection of the one before, with their list indices.
type Frames<'a> = Vec<(&'a Place, &'a [usize])>;

impl<'r> FieldErrors<'r> {
    pub(crate) fn new(key: &'r Name, location: Location) -> Self {
        Self { key, location, told: Vec::new(), nulls: 0, rest: Vec::new() }
    }

    /// The whole field is null.
    pub(crate) fn whole(mut self, failure: GraphqlError) -> Vec<ServerError> {
        self.told = vec![located(failure, self.start(), self.location)];
        self.told
    }

    /// All errors.
    pub(crate) fn finish(self) -> Vec<ServerError> {
        let rest = self.rest.into_iter().map(|Rest { mut failure, path, location, count }| {
            failure.message = format!("{} There are {count} more of these.", failure.message);
            located(failure.with("count", count), path, location)
        });
        self.told.into_iter().chain(rest).collect()
    }

    /// A null at the end of `frames`.
    fn null(&mut self, frames: &Frames<'_>, failure: &GraphqlError) {
        self.nulls += 1;
        if self.nulls <= MOST_NULLS {
            let (path, location) = self.path(frames, usize::MAX);
            return self.told.push(located(failure.clone(), path, location));
        }
        // Seldom more than a handful.
        if let Some(rest) = self.rest.iter_mut().find(|rest| rest.failure == *failure) {
            rest.count += 1;
            return;
        }
        let steps = frames.iter().flat_map(|(place, _)| &place.0);
        let before_list = steps.take_while(|step| **step != Step::Index).count();
        let (path, location) = self.path(frames, before_list.saturating_sub(1));
        self.rest.push(Rest { failure: failure.clone(), path, location, count: 1 });
    }

    fn start(&self) -> Vec<PathSegment> {
        vec![PathSegment::Field(self.key.to_string())]
    }

    /// The first so many steps of a path, and where in the document its last field stands.
    fn path(&self, frames: &Frames<'_>, most: usize) -> (Vec<PathSegment>, Location) {
        let (mut path, mut location) = (self.start(), self.location);
        let steps = frames.iter().flat_map(|(place, indices)| {
            let mut indices = indices.iter();
            place.0.iter().map(move |step| match step {
                Step::Key(key, location) => (PathSegment::Field(key.to_string()), Some(*location)),
                Step::Index => (PathSegment::Index(indices.next().copied().unwrap_or_default()), None),
            })
        });
        for (segment, of_field) in steps.take(most) {
            path.push(segment);
            location = of_field.unwrap_or(location);
        }
        (path, location)
    }
}

fn located(failure: GraphqlError, path: Vec<PathSegment>, location: Location) -> ServerError {
    let mut error = ServerError::from(failure);
    error.locations.push(location.into());
    error.path = path;
    error
}

/// Writes an answer.
pub(crate) struct Splicer<'a, 'r> {
    joins: &'a Joins<'a>,
    frames: Frames<'a>,
    errors: &'a mut FieldErrors<'r>,
    /// The failures of withheld fields, by their address in the plan: each is made, and logged, once.
    failures: HashMap<*const Withheld, GraphqlError>,
    out: Vec<u8>,
    limit: usize,
}

impl<'a, 'r> Splicer<'a, 'r> {
    pub(crate) fn new(joins: &'a Joins<'a>, errors: &'a mut FieldErrors<'r>, limit: usize) -> Self {
        Self { joins, frames: Vec::new(), errors, failures: HashMap::new(), out: Vec::new(), limit }
    }

    /// What was projected, whole.
    pub(crate) fn splice(
        mut self,
        projection: &'a Projection,
        projected: &'a Projected,
    ) -> Result<Vec<u8>, GraphqlError> {
        self.out.reserve((projected.json.len() * 2).min(self.limit));
        self.segment(projection, projected, &projected.whole())?;
        Ok(self.out)
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
            self.frames.push((&join.place, indices(&join.place, projected.indices_of(slot))));
            match self.joins.get(slot) {
                Joined::Record(record, of_record) => {
                    self.out.extend_from_slice(projected.json.get(copied..slot.at).unwrap_or_default());
                    copied = slot.at + JoinSlot::NULL.len();
                    self.segment(&join.projection, record, of_record)?;
                }
                Joined::Failed(failure) => self.errors.null(&self.frames, failure),
                Joined::Absent => {}
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
            let failure = self.failures.entry(withheld).or_insert_with(|| withheld.failure());
            self.frames.push((&withheld.place, indices(&withheld.place, projected.indices_of(null))));
            self.errors.null(&self.frames, failure);
            self.frames.pop();
        }
        for left_out in projected.left_out.get(segment.left_out.clone()).unwrap_or_default() {
            let Some(place) = projection.places.get(left_out.place) else { continue };
            self.frames.push((place, indices(place, projected.indices_of(left_out))));
            self.errors.null(&self.frames, &no_records(left_out.count));
            self.frames.pop();
        }
    }
}

/// As many of the indices as the place has.
fn indices<'a>(place: &Place, all: &'a [usize]) -> &'a [usize] {
    let count = place.0.iter().filter(|step| **step == Step::Index).count();
    all.get(..count).unwrap_or(all)
}

impl Withheld {
    fn failure(&self) -> GraphqlError {
        match &self.reason {
            WithheldReason::Denied(denied) => (*denied).into(),
            WithheldReason::Refused(failure) => failure.clone(),
        }
    }
}

fn no_records(count: usize) -> GraphqlError {
    let what = if count == 1 {
        "1 element of this list is no object".to_owned()
    } else {
        format!("{count} elements of this list are no objects")
    };
    let message = format!("{what}, as Auth0 sent it, and left out. If it stays so, report it.");
    ErrorCode::UpstreamUnavailable.log(&message, "");
    GraphqlError::new(ErrorCode::UpstreamUnavailable, message).with("leftOut", count)
}
