//! The calls to Auth0 that an operation can come to, counted before the first of them is made.

use super::is_same_call;
use crate::graphql::operation::{LARGEST_PAGE, SelectedField, Value};
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

/// The count of an operation in normal form; each of `calls` is for the root fields at these places.
pub(crate) fn worst_case(fields: &[SelectedField], calls: &[Vec<usize>], limit: u64) -> CallCount {
    let count = |largest| {
        let calls = root_calls(fields, calls, largest);
        let mut count = Count { calls, is_per_parent: false, largest };
        for field in fields {
            if let Some(row) = root_field(field) {
                count.shape(row.shape, field.page_size().min(largest), &field.fields);
            }
        }
        count
    };
    let Count { calls, is_per_parent, .. } = count(u64::MAX);
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
            Shape::Connection(connection) => self.records(connection.object, rows, selection),
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

/// The calls of root fields by themselves, of which those at each of these places are answered together. Larger pages are
/// counted as if they had the size `largest`.
pub(crate) fn root_calls(fields: &[SelectedField], calls: &[Vec<usize>], largest: u64) -> u64 {
    let calls = calls.iter().map(|call| {
        let fields = call.iter().filter_map(|place| fields.get(*place));
        fields.map(|field| calls_of(field, largest)).max().unwrap_or(1)
    });
    calls.fold(0, u64::saturating_add)
}

/// The calls that a root field comes to by itself: of a connection, those that its page takes if each brings as much as it can.
fn calls_of(field: &SelectedField, largest: u64) -> u64 {
    match root_field(field).map(|row| row.shape) {
        Some(Shape::Connection(_)) => {
            let is_behind = !matches!(field.argument("after"), None | Some(Value::Null));
            let is_counted = is_behind && field.fields.iter().any(|field| field.name == "totalCount");
            field.page_size().min(largest).div_ceil(LARGEST_PAGE) + u64::from(is_counted)
        }
        _ => 1,
    }
}
