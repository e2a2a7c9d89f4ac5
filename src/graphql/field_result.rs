//! The result of a root field, with an error for each null that should not be one.

use bytes::Bytes;

use crate::graphql::error::{FieldError, GraphqlError, Location, PathSegment};
use crate::graphql::operation::Name;
use crate::graphql::plan::{PathStep, PathTemplate};

/// The most nulls below a root field that have an error each. Of the rest it is told how many there are.
const MOST_NULLS: usize = 50;

/// Bytes that an error takes in memory, about.
const ERROR_BYTES: usize = 1_024;

/// The result of a root field: JSON, or null where there is none, and its errors.
#[derive(Clone, Default)]
pub(crate) struct FieldResult {
    pub(crate) json: Option<Bytes>,
    pub(crate) errors: Vec<FieldError>,
}

impl FieldResult {
    /// Bytes that it takes in memory, about.
    pub(crate) fn size(&self) -> usize {
        self.json.as_ref().map_or(0, Bytes::len) + self.errors.len() * ERROR_BYTES
    }
}

/// A root field's errors.
pub(crate) struct FieldErrors<'r> {
    key: &'r Name,
    location: Location,
    errors: Vec<FieldError>,
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

/// The paths to a projection, each in the projection of the one before, with their list indices.
pub(crate) type Frames<'a> = Vec<(&'a PathTemplate, &'a [usize])>;

impl<'r> FieldErrors<'r> {
    pub(crate) fn new(key: &'r Name, location: Location) -> Self {
        Self { key, location, errors: Vec::new(), nulls: 0, rest: Vec::new() }
    }

    /// The result of the field, whose value this is. Where it has none, no other error counts.
    pub(crate) fn result(self, value: Result<Vec<u8>, GraphqlError>) -> FieldResult {
        match value {
            Ok(json) => {
                let json = (json != b"null").then(|| json.into());
                FieldResult { json, errors: self.finish() }
            }
            Err(failure) => {
                let errors = vec![FieldError::at(failure, self.start(), self.location)];
                FieldResult { json: None, errors }
            }
        }
    }

    /// All errors.
    fn finish(self) -> Vec<FieldError> {
        let rest = self.rest.into_iter().map(|Rest { mut failure, path, location, count }| {
            failure.message = format!("{} There are {count} more of these.", failure.message);
            FieldError::at(failure.with("count", count), path, location)
        });
        self.errors.into_iter().chain(rest).collect()
    }

    /// A null at the end of `frames`.
    pub(crate) fn null(&mut self, frames: &Frames<'_>, failure: &GraphqlError) {
        self.nulls += 1;
        if self.nulls <= MOST_NULLS {
            let (path, location) = self.path(frames, usize::MAX);
            return self.errors.push(FieldError::at(failure.clone(), path, location));
        }
        // Seldom more than a handful.
        if let Some(rest) = self.rest.iter_mut().find(|rest| rest.failure == *failure) {
            rest.count += 1;
            return;
        }
        let steps = frames.iter().flat_map(|(path, _)| &path.0);
        let before_list = steps.take_while(|step| **step != PathStep::Index).count();
        let (path, location) = self.path(frames, before_list.saturating_sub(1));
        self.rest.push(Rest { failure: failure.clone(), path, location, count: 1 });
    }

    fn start(&self) -> Vec<PathSegment> {
        vec![PathSegment::Key(self.key.clone())]
    }

    /// The first so many steps of a path, and where in the document its last field stands.
    fn path(&self, frames: &Frames<'_>, most: usize) -> (Vec<PathSegment>, Location) {
        let (mut path, mut location) = (self.start(), self.location);
        let steps = frames.iter().flat_map(|(path, indices)| {
            let mut indices = indices.iter();
            path.0.iter().map(move |step| match step {
                PathStep::Key(key, location) => (PathSegment::Key(key.clone()), Some(*location)),
                PathStep::Index => (PathSegment::Index(indices.next().copied().unwrap_or_default()), None),
            })
        });
        for (segment, of_field) in steps.take(most) {
            path.push(segment);
            location = of_field.unwrap_or(location);
        }
        (path, location)
    }
}
