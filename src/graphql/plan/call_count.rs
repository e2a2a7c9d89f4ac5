//! The calls to Auth0 that an operation can come to, counted before the first of them is made.

use std::sync::Arc;

use super::is_same_call;
use crate::graphql::operation::{LARGEST_PAGE, Name, SelectedField, Value};
use crate::graphql::schema::federation::{lookups, representations};
use crate::graphql::schema::joins::{Fetch, Join, join};
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

/// The count of an operation in normal form, whose root fields are grouped so.
pub(crate) fn worst_case(fields: &[SelectedField], groups: &[Arc<[usize]>], limit: u64) -> CallCount {
    let count = |largest| {
        let mut count = Count::new(root_calls(fields, groups, largest), largest);
        count.roots(fields);
        count
    };
    let Count { calls, is_per_parent, .. } = count(u64::MAX);
    let fits = |size: &u64| count(*size).calls <= limit;
    let largest_page = if calls <= limit { Some(LARGEST_PAGE) } else { (1..LARGEST_PAGE).rev().find(fits) };
    CallCount { calls, is_per_parent, largest_page }
}

/// The calls of a join.
pub(crate) struct JoinCount<'f> {
    /// The response keys that lead to it, dots between them.
    pub(crate) path: String,
    /// The root field below which it stands.
    pub(crate) root: usize,
    /// The join below which it stands, by its place among all; none where there is no other.
    pub(crate) parent: Option<usize>,
    pub(crate) row: &'static Join,
    pub(crate) field: &'f SelectedField,
    pub(crate) calls: u64,
}

/// The calls of an operation's joins at worst. Those that ask what another asks are left out.
pub(crate) fn join_counts(fields: &[SelectedField]) -> Vec<JoinCount<'_>> {
    let mut count = Count::new(0, u64::MAX);
    count.roots(fields);
    count.joins
}

struct Count<'f> {
    calls: u64,
    is_per_parent: bool,
    /// Larger pages are counted as if they had this size.
    largest: u64,
    path: Vec<&'f Name>,
    root: usize,
    /// The join whose records are being counted.
    within: Option<usize>,
    joins: Vec<JoinCount<'f>>,
}

impl<'f> Count<'f> {
    fn new(calls: u64, largest: u64) -> Self {
        Self { calls, is_per_parent: false, largest, path: Vec::new(), root: 0, within: None, joins: Vec::new() }
    }

    fn roots(&mut self, fields: &'f [SelectedField]) {
        for (root, field) in fields.iter().enumerate() {
            self.root = root;
            self.path.push(&field.key);
            if let Some(row) = root_field(field) {
                self.shape(row.shape, field.page_size().min(self.largest), &field.fields);
            }
            for (row, count) in representations(field).iter().flat_map(|asked| lookups(asked)) {
                let records = count.min(self.largest);
                let join = self.add(row, field, calls_for(row, records));
                self.below(join, row.shape, records, &field.fields);
            }
            self.path.pop();
        }
    }

    /// Adds the calls of a join at the present path, and gives its place.
    fn add(&mut self, row: &'static Join, field: &'f SelectedField, calls: u64) -> Option<usize> {
        self.calls = self.calls.saturating_add(calls);
        self.is_per_parent |= matches!(row.fetch, Fetch::PerParent(_));
        let path = self.path.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(".");
        let (root, parent) = (self.root, self.within);
        self.joins.push(JoinCount { path, root, parent, row, field, calls });
        Some(self.joins.len() - 1)
    }

    /// Adds what is joined to `rows` records of a join.
    fn below(&mut self, join: Option<usize>, shape: Shape, rows: u64, selection: &'f [SelectedField]) {
        let outer = std::mem::replace(&mut self.within, join);
        self.shape(shape, rows, selection);
        self.within = outer;
    }

    fn shape(&mut self, shape: Shape, rows: u64, selection: &'f [SelectedField]) {
        match shape {
            Shape::Page(PageType { object, fields, .. }) => {
                let is_nodes = |field: &&SelectedField| {
                    fields.iter().any(|row| row.kind == PageKind::Nodes && field.name == row.name)
                };
                for nodes in selection.iter().filter(is_nodes) {
                    self.path.push(&nodes.key);
                    self.records(object, rows, &nodes.fields);
                    self.path.pop();
                }
            }
            Shape::List(object) => self.records(object, rows.saturating_mul(LIST_ROWS), selection),
            Shape::Record(object) => self.records(object, rows, selection),
            Shape::Connection(connection) => self.records(connection.object, rows, selection),
        }
    }

    /// The joins of `parents` records.
    fn records(&mut self, object: &'static Object, parents: u64, selection: &'f [SelectedField]) {
        let is_of = |field: &SelectedField| field.parent == object.name;
        for (index, field) in selection.iter().enumerate().filter(|(_, field)| is_of(field)) {
            self.path.push(&field.key);
            self.record_field(object, parents, field, &selection[..index]);
            self.path.pop();
        }
    }

    /// A field of `parents` records, behind these others.
    fn record_field(
        &mut self,
        object: &'static Object,
        parents: u64,
        field: &'f SelectedField,
        others: &[SelectedField],
    ) {
        if let Some(Kind::Object(inner) | Kind::Objects(inner)) = object.field(&field.name).map(|row| &row.kind) {
            self.records(inner, parents, &field.fields);
        }
        let Some(row) = join(object, &field.name) else { return };
        // Fields that ask the same share their calls.
        let known = others.iter().find(|other| other.parent == field.parent && is_same_call(other, field));
        let join = match known {
            Some(known) => self.joins.iter().rposition(|join| std::ptr::eq(join.field, known)),
            None => self.add(row, field, calls_for(row, parents)),
        };
        let rows = parents.saturating_mul(field.page_size().min(self.largest));
        self.below(join, row.shape, rows, &field.fields);
    }
}

/// The calls of a join to so many records.
fn calls_for(row: &Join, parents: u64) -> u64 {
    match &row.fetch {
        Fetch::ByIds(by_ids) => parents.div_ceil(by_ids.batch as u64),
        Fetch::PerParent(_) => parents,
    }
}

/// The calls of root fields that ask for records by their keys, by themselves.
pub(crate) fn entity_calls(fields: &[SelectedField]) -> u64 {
    let asked = fields.iter().filter_map(representations);
    asked.flat_map(|asked| lookups(&asked)).map(|(row, count)| calls_for(row, count)).sum()
}

/// The calls of root fields by themselves, which are grouped so. Larger pages are counted as if they had the size `largest`.
pub(crate) fn root_calls(fields: &[SelectedField], groups: &[Arc<[usize]>], largest: u64) -> u64 {
    groups.iter().map(|group| group_calls(fields, group, largest)).fold(0, u64::saturating_add)
}

/// The calls that the root fields of one group come to.
pub(crate) fn group_calls(fields: &[SelectedField], group: &[usize], largest: u64) -> u64 {
    let fields = group.iter().filter_map(|index| fields.get(*index));
    fields.map(|field| calls_of(field, largest)).max().unwrap_or(1)
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
