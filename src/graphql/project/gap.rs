//! Where joined records go: their ids are read while records are projected, and they are fetched when all of those are known.

use std::borrow::Cow;

use async_graphql::PathSegment;

/// A null that was written for a record that is joined, until that is there.
#[derive(Debug)]
pub(crate) struct Gap<'p, 'a> {
    /// Where in the output the null stands.
    pub(crate) at: usize,
    /// Which of the plan's joins it is for.
    pub(crate) join: usize,
    /// The id of the record that belongs there.
    pub(crate) id: Cow<'a, str>,
    /// Of a page, what stands before the list that the record is in.
    pub(crate) list: Option<&'p [u8]>,
    /// The record's place in its list.
    pub(crate) index: Option<usize>,
    /// What stands before the null.
    pub(crate) lead: &'p [u8],
}

impl Gap<'_, '_> {
    /// What stands in the gap meanwhile.
    pub(crate) const NULL: &'static [u8] = b"null";

    /// The path from the root field's own selection down.
    pub(crate) fn path(&self) -> Vec<PathSegment> {
        let field = |lead| PathSegment::Field(name(lead).to_owned());
        let list = self.list.map(field);
        list.into_iter().chain(self.index.map(PathSegment::Index)).chain([field(self.lead)]).collect()
    }
}

/// The key in what stands before a value: between a brace or a comma and a quote, and a quote and the colon. Names have
/// nothing to escape.
fn name(lead: &[u8]) -> &str {
    let name = lead.get(2..lead.len().saturating_sub(2)).unwrap_or_default();
    std::str::from_utf8(name).unwrap_or_default()
}
