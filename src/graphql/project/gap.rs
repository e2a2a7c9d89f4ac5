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
    /// Of a page, the key of the list that the record is in. Keys are written as the answer has them, quotes and colon
    /// included.
    pub(crate) list: Option<&'p [u8]>,
    /// The record's place in its list.
    pub(crate) index: Option<usize>,
    /// The key that the null stands under.
    pub(crate) key: &'p [u8],
}

impl Gap<'_, '_> {
    /// What stands in the gap meanwhile.
    pub(crate) const NULL: &'static [u8] = b"null";

    /// The path from the root field's own selection down.
    pub(crate) fn path(&self) -> Vec<PathSegment> {
        let field = |key| PathSegment::Field(name(key).to_owned());
        let list = self.list.map(field);
        list.into_iter().chain(self.index.map(PathSegment::Index)).chain([field(self.key)]).collect()
    }
}

/// The name in a key of the answer. Names have nothing to escape.
fn name(key: &[u8]) -> &str {
    let quoted = key.get(1..key.len().saturating_sub(2)).unwrap_or_default();
    std::str::from_utf8(quoted).unwrap_or_default()
}
