//! The calls to Auth0 that an operation can come to, counted before the first of them is made.

use super::is_same_call;
use crate::graphql::operation::{LARGEST_PAGE, SelectedField};
use crate::graphql::schema::joins::{Fetch, join};
use crate::graphql::schema::object::{Kind, Object, PageKind, PageType, Shape};
use crate::graphql::schema::root::root_field;

/// The most accounts that a single e-mail address is taken to have: one for each connection.
const LIST_ROWS: u64 = 10;

/// The calls that an operation comes to at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallCount {
    /// Look-ups of single records that a search did not find left out: those are made with what is left.
    pub(crate) calls: u64,
    /// True if a join makes a call for each record that it is joined to.
    pub(crate) is_per_parent: bool,
    /// The largest page size that keeps within the limit, if any does.
    pub(crate) largest_page: Option<u64>,
}

/// The calls of an operation in normal form of which `calls` are its root fields'.
pub(crate) fn worst_case(fields: &[SelectedField], calls: usize, limit: u64) -> CallCount {
    let calls = u64::try_from(calls).unwrap_or(u64::MAX);
    let count = |largest| {
        let mut count = Count { calls, is_per_parent: false, largest };
        for field in fields {
            if let Some(row) = root_field(&field.name) {
                count.shape(row.shape, field.page_size().min(largest), &field.fields);
            }
        }
        count
    };
    let Count { calls, is_per_parent, .. } = count(LARGEST_PAGE);
    let fits = |size: &u64| count(*size).calls <= limit;
    let largest_page = if calls <= limit { Some(LARGEST_PAGE) } else { (1..LARGEST_PAGE).rev().find(fits) };
    CallCount { calls, is_per_parent, largest_page }
}

struct Count {
    calls: u64,
    is_per_parent: bool,
    /// Larger pages are counted as if they had this size.
    largest: u64,
}

impl Count {
    fn shape(&mut self, shape: Shape, rows: u64, selection: &[SelectedField]) {
        match shape {
            Shape::Page(PageType { object, fields, .. }) => {
                let is_nodes = |field: &&SelectedField| {
                    fields.iter().any(|row| row.kind == PageKind::Nodes && field.name == row.name)
                };
                for nodes in selection.iter().filter(is_nodes) {
                    self.records(object, rows, &nodes.fields);
                }
            }
            Shape::List(object) => self.records(object, rows.saturating_mul(LIST_ROWS), selection),
            Shape::Record(object) => self.records(object, rows, selection),
        }
    }

    /// The joins of `parents` records.
    fn records(&mut self, object: &'static Object, parents: u64, selection: &[SelectedField]) {
        for (index, field) in selection.iter().enumerate() {
            if let Some(Kind::Object(inner) | Kind::Objects(inner)) = object.field(&field.name).map(|row| &row.kind) {
                self.records(inner, parents, &field.fields);
            }
            let Some(row) = join(object, &field.name) else { continue };
            // Fields that ask the same share their calls.
            let is_first = !selection[..index].iter().any(|other| is_same_call(other, field));
            let calls = match &row.fetch {
                Fetch::ByIds(by_ids) => parents.div_ceil(by_ids.batch as u64),
                Fetch::PerParent(_) => {
                    self.is_per_parent = true;
                    parents
                }
            };
            self.calls = self.calls.saturating_add(if is_first { calls } else { 0 });
            let rows = parents.saturating_mul(field.page_size().min(self.largest));
            self.shape(row.shape, rows, &field.fields);
        }
    }
}
