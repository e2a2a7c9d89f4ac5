//! From a selection to a plan: what to ask of Auth0 and what to make of its answer.
//!
//! Plans are made from the normal form, in which a selection holds nothing but fields with distinct response keys.

use std::collections::BTreeSet;

use super::json;
use super::object::{Field, Guard, Kind, Object, Page, PageKind};
use super::operation::{Field as SelectedField, Name};
use super::permission::{Authority, Denied};
use crate::auth::Scopes;
use crate::auth0::Fields;

/// What to make of one record.
pub(crate) struct Plan {
    pub(crate) object: &'static Object,
    pub(crate) emits: Vec<Emit<What>>,
    /// The keys whose values are needed; a key's place here is its slot.
    pub(crate) keys: Vec<&'static str>,
}

/// What to make of records that are joined to others.
pub(crate) struct JoinPlan {
    pub(crate) record: Plan,
    /// The slot of the id by which they are asked for.
    pub(crate) id: usize,
}

/// What to make of a page.
pub(crate) struct PagePlan {
    pub(crate) emits: Vec<Emit<PageWhat>>,
}

/// One entry of the answer.
pub(crate) struct Emit<W> {
    /// What stands before its value: the response key, between the brace or the comma in front of it and the colon.
    pub(crate) lead: Box<[u8]>,
    pub(crate) what: W,
}

impl<W> Emit<W> {
    fn push(emits: &mut Vec<Self>, field: &SelectedField, what: W) {
        let mut lead = vec![if emits.is_empty() { b'{' } else { b',' }];
        json::write_string(&field.key, &mut lead);
        lead.push(b':');
        emits.push(Self { lead: lead.into(), what });
    }

    /// The end of the object that has these entries.
    pub(crate) fn end(emits: &[Self]) -> &'static [u8] {
        if emits.is_empty() { b"{}" } else { b"}" }
    }
}

/// What stands under a key of a record.
pub(crate) enum What {
    Typename(&'static str),
    /// The first of these slots that holds a value, as this kind gives it out.
    Value(Slots, &'static Kind),
    Object(Slots, Plan),
    Objects(Slots, Plan),
    /// The record that the id in these slots names, as this one of the planner's joins has it.
    Join(Slots, usize),
    /// What the table does not know, as far as there is no guard, and of what it knows only that which this caller may see.
    Attributes(Scopes, Option<&'static Guard>),
    /// Not to be shown.
    Forbidden,
}

/// What stands under a key of a page.
pub(crate) enum PageWhat {
    Typename(&'static str),
    Nodes(Plan),
    Fact(PageKind),
}

/// Places in [`Plan::keys`], the preferred one first.
pub(crate) type Slots = Box<[u16]>;

/// A field that was left out because it may not be shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forbidden {
    /// Where it was selected: response keys from the root field's own selection down, list indices left out.
    pub(crate) path: Vec<Name>,
    pub(crate) denied: Denied,
}

/// What is needed of Auth0.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The keys of the record.
    pub(crate) keys: BTreeSet<&'static str>,
    /// Every key that there is, those unknown to the table included; but not these, unless they are among `keys`: they are not for
    /// this caller to see.
    pub(crate) everything: bool,
    pub(crate) withheld: BTreeSet<&'static str>,
    /// How many records match in all.
    pub(crate) total: bool,
}

/// A plan of either kind.
pub(crate) trait Plans {
    /// Adds what the plan needs of Auth0.
    fn add_needs(&self, needs: &mut Needs);
}

/// Makes plans for what one caller may be shown and notes what had to be left out.
pub(crate) struct Planner {
    authority: Authority,
    path: Vec<Name>,
    pub(crate) forbidden: Vec<Forbidden>,
    /// What to make of the records that are joined, by join.
    pub(crate) joins: Vec<JoinPlan>,
}

impl Planner {
    pub(crate) fn new(authority: impl Into<Authority>) -> Self {
        Self { authority: authority.into(), path: Vec::new(), forbidden: Vec::new(), joins: Vec::new() }
    }

    /// The plan for the records of `object` from which `selection` is wanted.
    pub(crate) fn record(&mut self, object: &'static Object, selection: &[SelectedField]) -> Plan {
        let mut plan = Plan { object, emits: Vec::new(), keys: Vec::new() };
        for field in selection {
            let name = field.name.as_str();
            let what = if name == "__typename" {
                What::Typename(object.name)
            } else if let Some(row) = object.field(name) {
                self.path.push(field.key.clone());
                let denied = row.scope.and_then(|scope| self.authority.check(scope).err());
                let what = match (denied, &row.kind) {
                    (Some(denied), _) => {
                        self.forbidden.push(Forbidden { path: self.path.clone(), denied });
                        What::Forbidden
                    }
                    (_, Kind::Attributes(guard)) => {
                        let guard = guard.filter(|guard| !self.authority.caller.holds(guard.scope));
                        What::Attributes(self.authority.caller, guard)
                    }
                    (_, Kind::Object(inner)) => {
                        let inner = self.record(inner, &field.fields);
                        What::Object(plan.slots(row.keys), inner)
                    }
                    (_, Kind::Objects(inner)) => {
                        let inner = self.record(inner, &field.fields);
                        What::Objects(plan.slots(row.keys), inner)
                    }
                    (_, Kind::Join(other)) => {
                        let mut record = self.record(other, &field.fields);
                        let id = record.slot_for(other.id_key());
                        self.joins.push(JoinPlan { record, id });
                        What::Join(plan.slots(row.keys), self.joins.len() - 1)
                    }
                    (_, Kind::Guarded(guard)) if self.authority.caller.holds(guard.scope) => {
                        What::Value(plan.slots(row.keys), &Kind::Json)
                    }
                    (_, kind) => What::Value(plan.slots(row.keys), kind),
                };
                self.path.pop();
                what
            } else {
                // Validation has refused fields that the type does not have.
                continue;
            };
            Emit::push(&mut plan.emits, field, what);
        }
        plan
    }

    /// The plan for the `page` from which `selection` is wanted.
    pub(crate) fn page(&mut self, page: &'static Page, selection: &[SelectedField]) -> PagePlan {
        let mut emits = Vec::new();
        for field in selection {
            let name = field.name.as_str();
            let what = match page.field(name) {
                Some(row) if row.kind == PageKind::Nodes => {
                    self.path.push(field.key.clone());
                    let plan = self.record(page.object, &field.fields);
                    self.path.pop();
                    PageWhat::Nodes(plan)
                }
                Some(row) => PageWhat::Fact(row.kind),
                None if name == "__typename" => PageWhat::Typename(page.name),
                None => continue,
            };
            Emit::push(&mut emits, field, what);
        }
        PagePlan { emits }
    }
}

impl Plan {
    fn slots(&mut self, keys: &'static [&'static str]) -> Slots {
        // A table has some fifty keys.
        keys.iter().map(|key| u16::try_from(self.slot_for(key)).unwrap_or(u16::MAX)).collect()
    }

    /// The slot of `key`, whose value is needed.
    fn slot_for(&mut self, key: &'static str) -> usize {
        self.slot(key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// The slot of `key`, if its value is needed.
    pub(crate) fn slot(&self, key: &str) -> Option<usize> {
        self.keys.iter().position(|known| *known == key)
    }

    /// Whether the answer takes in keys that the table does not know.
    pub(crate) fn keeps_unknown(&self) -> bool {
        self.emits.iter().any(|emit| matches!(emit.what, What::Attributes(..)))
    }
}

impl Needs {
    /// As Auth0's `fields` parameter has it.
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

impl Plans for Plan {
    fn add_needs(&self, needs: &mut Needs) {
        for emit in &self.emits {
            match &emit.what {
                // Only a field's first key is asked for: the others are forms that Auth0 sends by itself, if ever.
                What::Value(slots, _) | What::Object(slots, _) | What::Objects(slots, _) | What::Join(slots, _) => {
                    needs.keys.extend(slots.first().map(|slot| self.keys[usize::from(*slot)]));
                }
                What::Attributes(authority, _) => {
                    needs.everything = true;
                    needs.withheld.extend(withheld(self.object, *authority));
                }
                What::Typename(_) | What::Forbidden => {}
            }
        }
    }
}

impl Plans for PagePlan {
    fn add_needs(&self, needs: &mut Needs) {
        for emit in &self.emits {
            match &emit.what {
                PageWhat::Nodes(plan) => plan.add_needs(needs),
                PageWhat::Fact(PageKind::Total) => needs.total = true,
                PageWhat::Fact(PageKind::Next) => {
                    needs.keys.insert("log_id");
                }
                PageWhat::Fact(_) | PageWhat::Typename(_) => {}
            }
        }
    }
}

/// The keys whose values [`may_see_all_of`] keeps out of `attributes`.
fn withheld(object: &'static Object, authority: Scopes) -> impl Iterator<Item = &'static str> {
    let keys = object.fields.iter().flat_map(|field| field.keys.iter().copied());
    keys.filter(move |key| object.field_of_key(key).is_some_and(|field| !may_see_all_of(field, authority)))
}

/// Whether nothing that may stand in the field's value is kept from whoever may see this much. An identity where a list of them should be has
/// tokens in it all the same.
pub(crate) fn may_see_all_of(field: &Field, authority: Scopes) -> bool {
    let inner = match &field.kind {
        Kind::Object(inner) | Kind::Objects(inner) => inner.fields,
        Kind::Guarded(guard) | Kind::Attributes(Some(guard)) if !authority.holds(guard.scope) => return false,
        _ => &[],
    };
    field.scope.is_none_or(|scope| authority.holds(scope)) && inner.iter().all(|field| may_see_all_of(field, authority))
}
