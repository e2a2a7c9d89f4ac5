//! The keys of records that a plan needs of Auth0.

use std::collections::BTreeSet;

use super::{Output, PageOutput, PagePlan, Projection, RecordPlan, ShapePlan, may_see_all_of};
use crate::auth::Scopes;
use crate::auth0::Fields;
use crate::graphql::schema::object::{Object, PageKind};

/// The keys of records that are needed of Auth0.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RequiredKeys {
    pub(crate) keys: BTreeSet<&'static str>,
    /// Every key that there is, those unknown to the table included; but not these, unless they are among `keys`: they are not for
    /// this caller to see.
    pub(crate) everything: bool,
    pub(crate) withheld: BTreeSet<&'static str>,
    /// True if the number of all records that match is needed.
    pub(crate) total: bool,
    /// The records of a connection.
    pub(crate) nodes: bool,
    /// The same with their cursors.
    pub(crate) edges: bool,
}

impl RequiredKeys {
    /// The keys as Auth0's `fields` parameter has them.
    pub(crate) fn fields(&self, object: &Object) -> Fields {
        let mut known = object.fields.iter().filter_map(|field| field.keys.first());
        if self.everything && !self.withheld.is_subset(&self.keys) {
            return Fields::AllBut(self.withheld.difference(&self.keys).copied().collect());
        }
        if self.everything || known.all(|key| self.keys.contains(key)) {
            return Fields::All;
        }
        if self.keys.is_empty() {
            // Nothing of the records is wanted but that they are there.
            return Fields::Only(vec![object.id_key()]);
        }
        Fields::Only(self.keys.iter().copied().collect())
    }
}

impl Projection {
    /// Adds what it needs of Auth0.
    pub(crate) fn add_keys(&self, required: &mut RequiredKeys) {
        match &self.shape {
            ShapePlan::Page(plan) => plan.add_keys(required),
            ShapePlan::List(plan, _) | ShapePlan::Record(plan) => plan.add_keys(required),
            ShapePlan::Entities(_) => {}
            ShapePlan::Connection(plan, connection) => {
                required.keys.extend(connection.order);
                required.total |= plan.slot("totalCount").is_some();
                required.nodes |= plan.slot("nodes").is_some();
                required.edges |= plan.slot("edges").is_some();
                plan.add_keys_of(connection.node, required);
            }
        }
    }
}

impl RecordPlan {
    /// Adds what is needed of the objects of this kind within it.
    fn add_keys_of(&self, object: &'static Object, required: &mut RequiredKeys) {
        if std::ptr::eq(self.object, object) {
            return self.add_keys(required);
        }
        for field in &self.fields {
            if let Output::Object(_, plan, _) | Output::Objects(_, plan, ..) = &field.output {
                plan.add_keys_of(object, required);
            }
        }
    }

    fn add_keys(&self, required: &mut RequiredKeys) {
        for field in &self.fields {
            match &field.output {
                // Only a field's first key is asked for: the others are forms that Auth0 sends by itself, if ever.
                Output::Value(slots, _)
                | Output::Object(slots, ..)
                | Output::Objects(slots, ..)
                | Output::Join(slots, _) => {
                    required.keys.extend(slots.first().map(|slot| self.keys[usize::from(*slot)]));
                }
                Output::Attributes(authority, _) => {
                    required.everything = true;
                    required.withheld.extend(withheld(self.object, *authority));
                }
                Output::Typename(_) | Output::Withheld(_) => {}
            }
        }
    }
}

impl PagePlan {
    fn add_keys(&self, required: &mut RequiredKeys) {
        for field in &self.fields {
            match &field.output {
                PageOutput::Nodes(plan, ..) => plan.add_keys(required),
                PageOutput::Fact(PageKind::Total) => required.total = true,
                PageOutput::Fact(PageKind::Next) => required.keys.extend(self.cursor.keys.first()),
                PageOutput::Fact(_) | PageOutput::Typename(_) => {}
            }
        }
    }
}

/// The keys whose values [`may_see_all_of`] keeps out of `attributes`.
fn withheld(object: &'static Object, authority: Scopes) -> impl Iterator<Item = &'static str> {
    let keys = object.fields.iter().flat_map(|field| field.keys.iter().copied());
    keys.filter(move |key| object.field_of_key(key).is_some_and(|field| !may_see_all_of(field, authority)))
}
