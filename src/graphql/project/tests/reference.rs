//! A reference projection of pages and records: slow, plain, and written from what the tables and their kinds promise, without a
//! look at how the projection does it.

use super::selection::{Picked, Selection};
use super::tree::Tree;
use crate::auth::{Scope, Scopes};
use crate::graphql::field_request::PageFacts;
use crate::graphql::plan::RequiredKeys;
use crate::graphql::schema::joins::join;
use crate::graphql::schema::log_type;
use crate::graphql::schema::object::{Field, FromString, Guard, Kind, Object, PageKind, PageType};

/// The reference for one caller.
pub(super) struct Reference<'s> {
    pub(super) authority: Scopes,
    pub(super) selection: &'s Selection,
}

impl Reference<'_> {
    /// None where the page has to be refused.
    pub(super) fn page(&self, page: &PageType, json: &[u8], facts: &PageFacts<'_>) -> Option<Tree> {
        let records = records(json)?;
        let entries = self.selection.picked().into_iter().map(|picked| {
            let value = match page.field(picked.field) {
                None => text(page.name),
                Some(field) if field.kind == PageKind::Nodes => self.list(page.object, &picked, &records),
                Some(field) => fact(field.kind, facts, &records),
            };
            (picked.key, value)
        });
        Some(Tree::Object(entries.collect()))
    }

    pub(super) fn records(&self, object: &Object, json: &[u8]) -> Option<Tree> {
        let picked = self.selection.picked();
        let records = records(json)?;
        Some(Tree::List(records.iter().filter_map(|record| self.object(object, &picked, record)).collect()))
    }

    pub(super) fn record(&self, object: &Object, json: &[u8]) -> Option<Tree> {
        self.object(object, &self.selection.picked(), &Tree::of_input(json)?)
    }

    fn list(&self, object: &Object, nodes: &Picked<'_>, records: &[Tree]) -> Tree {
        let picked = self.selection.inside(nodes);
        Tree::List(records.iter().filter_map(|record| self.object(object, &picked, record)).collect())
    }

    /// None where there is no object, or one that lacks what it cannot be without.
    fn object(&self, object: &Object, picked: &[Picked<'_>], record: &Tree) -> Option<Tree> {
        let entries = record.entries()?;
        let written = picked.iter().map(|picked| {
            let value = match object.field(picked.field) {
                None if picked.field == "__typename" => Some(text(object.name)),
                // A join, of which nothing comes here.
                None => None,
                Some(field) if !self.may_see(field.scope) => None,
                Some(Field { kind: Kind::Attributes(guard), .. }) => Some(self.attributes(object, *guard, &entries)),
                Some(field) => {
                    let find = |key: &&str| entries.iter().find(|(known, value)| known == key && **value != Tree::Null);
                    let value = field.keys.iter().find_map(find);
                    value.and_then(|(_, value)| self.value(&field.kind, Some(picked), value))
                }
            };
            let is_non_null = object.field(picked.field).is_some_and(|field| field.is_non_null);
            if value.is_none() && is_non_null { None } else { Some((picked.key.clone(), value.unwrap_or(Tree::Null))) }
        });
        Some(Tree::Object(written.collect::<Option<_>>()?))
    }

    fn attributes(&self, object: &Object, guard: Option<&Guard>, entries: &[(&str, &Tree)]) -> Tree {
        let kept =
            entries.iter().filter(|(key, value)| match object.fields.iter().find(|field| field.keys.contains(key)) {
                None => guard.is_none_or(|guard| guard.is_lifted_for(self.authority) || is_open(guard, key, value)),
                Some(row) => {
                    let find = |key: &&str| entries.iter().find(|(known, value)| known == key && **value != Tree::Null);
                    let given_out = row.keys.iter().find_map(find).and_then(|(_, it)| self.value(&row.kind, None, it));
                    let is_lost = given_out != self.value(&row.kind, None, value);
                    **value != Tree::Null && self.may_see_all_of(row) && (is_lost || !self.is_whole(&row.kind, value))
                }
            });
        let guard = guard.filter(|guard| !guard.is_lifted_for(self.authority));
        let shown = kept.map(|(key, value)| {
            let row = object.fields.iter().find(|field| field.keys.contains(key));
            let is_shown = guard.and(row).is_none_or(|row| !leaves_room(&row.kind, value));
            ((*key).to_owned(), if is_shown { (*value).clone() } else { Tree::Null })
        });
        Tree::Object(shown.collect())
    }

    fn may_see(&self, scope: Option<Scope>) -> bool {
        scope.is_none_or(|scope| self.authority.holds(scope))
    }

    /// True if nothing can stand in the field's raw value that the caller may not see.
    fn may_see_all_of(&self, field: &Field) -> bool {
        let inner = match &field.kind {
            Kind::Object(inner) | Kind::Objects(inner) => inner.fields,
            Kind::Guarded(guard) | Kind::Attributes(Some(guard)) if !guard.is_lifted_for(self.authority) => {
                return false;
            }
            _ => &[],
        };
        self.may_see(field.scope) && inner.iter().all(|field| self.may_see_all_of(field))
    }

    /// True if the field gives out all of `value`.
    fn is_whole(&self, kind: &Kind, value: &Tree) -> bool {
        let is_scalar = |value: &Tree| matches!(value, Tree::Text(_) | Tree::Number(_));
        match (kind, value) {
            (Kind::String, Tree::List(items)) => {
                let something: Vec<_> = items.iter().filter(|item| **item != Tree::Null).collect();
                matches!(something[..], [Tree::Text(_)])
            }
            (Kind::Strings(_), Tree::List(items)) => items.iter().all(|item| *item == Tree::Null || is_scalar(item)),
            (Kind::Objects(_), Tree::List(items)) => items.iter().all(|item| matches!(item, Tree::Object(_))),
            _ => self.value(kind, None, value).is_some(),
        }
    }

    /// `value`, which is not null, as `kind` gives it out. `picked` is what is wanted of objects in it.
    fn value(&self, kind: &Kind, picked: Option<&Picked<'_>>, value: &Tree) -> Option<Tree> {
        let inside = || picked.map(|picked| self.selection.inside(picked)).unwrap_or_default();
        match (kind, value) {
            (Kind::Id, Tree::Number(digits)) if digits.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) => {
                Some(text(digits))
            }
            (Kind::Id, Tree::Text(id)) => Some(text(id)),
            (Kind::String, value) => string(value),
            (Kind::Boolean, Tree::Boolean(_)) => Some(value.clone()),
            (Kind::Boolean, Tree::Text(word)) if word == "true" => Some(Tree::Boolean(true)),
            (Kind::Boolean, Tree::Text(word)) if word == "false" => Some(Tree::Boolean(false)),
            (Kind::Int, Tree::Number(digits)) => {
                let number: i64 = digits.parse().ok()?;
                Some(Tree::Number(i32::try_from(number).ok()?.to_string()))
            }
            (Kind::Float, Tree::Number(digits)) => {
                digits.parse::<f64>().is_ok_and(f64::is_finite).then(|| value.clone())
            }
            (Kind::Float, Tree::Text(digits)) => {
                let number: serde_json::Number = serde_json::from_str(digits).ok()?;
                (digits.trim() == digits && number.as_f64()?.is_finite()).then(|| Tree::Number(digits.clone()))
            }
            (Kind::Guarded(guard), value) => match value.entries() {
                _ if guard.is_lifted_for(self.authority) => Some(value.clone()),
                None => None,
                Some(entries) => {
                    let open = entries.iter().filter(|(key, value)| is_open(guard, key, value));
                    Some(Tree::Object(open.map(|(key, value)| ((*key).to_owned(), (*value).clone())).collect()))
                }
            },
            (Kind::DateTime, Tree::Text(date)) => {
                chrono::DateTime::parse_from_rfc3339(date).is_ok().then(|| value.clone())
            }
            (Kind::Json, value) => Some(value.clone()),
            (Kind::Strings(_), Tree::List(items)) => {
                let scalars = items.iter().filter(|item| !matches!(item, Tree::List(_)));
                Some(Tree::List(scalars.filter_map(string).collect()))
            }
            (Kind::Strings(FromString::Whole), Tree::Text(_)) => Some(Tree::List(vec![value.clone()])),
            (Kind::Strings(FromString::Words), Tree::Text(words)) => {
                Some(Tree::List(words.split(' ').filter(|word| !word.is_empty()).map(text).collect()))
            }
            (Kind::Object(object), Tree::Object(_)) => self.object(object, &inside(), value),
            (Kind::Objects(object), Tree::List(items)) => {
                Some(Tree::List(items.iter().filter_map(|item| self.object(object, &inside(), item)).collect()))
            }
            (Kind::LogTypeDescription, Tree::Text(code)) => log_type::description(code).map(text),
            (Kind::LogOutcome, Tree::Text(code)) => Some(text(log_type::outcome(code).name())),
            (Kind::LogOutcome, _) => Some(text("OTHER")),
            // Nothing is joined here: each join gives null.
            _ => None,
        }
    }

    /// The fields that are refused for want of a scope, by their path.
    pub(super) fn forbidden(
        &self,
        object: &Object,
        above: &[&str],
        picked: &[Picked<'_>],
    ) -> Vec<(Vec<String>, Scope)> {
        let mut forbidden = Vec::new();
        for picked in picked {
            let path: Vec<&str> = above.iter().copied().chain([picked.key.as_str()]).collect();
            let Some(field) = object.field(picked.field) else {
                let scopes = join(object, picked.field).map_or(&[][..], |join| join.scopes);
                let denied = scopes.iter().find(|scope| !self.authority.holds(**scope));
                forbidden.extend(denied.map(|scope| (path.iter().map(ToString::to_string).collect(), *scope)));
                continue;
            };
            match (field.scope, &field.kind) {
                (Some(scope), _) if !self.authority.holds(scope) => {
                    forbidden.push((path.iter().map(ToString::to_string).collect(), scope));
                }
                (_, Kind::Object(inner) | Kind::Objects(inner)) => {
                    forbidden.extend(self.forbidden(inner, &path, &self.selection.inside(picked)));
                }
                _ => {}
            }
        }
        forbidden
    }

    /// Adds what has to be asked of Auth0 for these fields.
    pub(super) fn needs(&self, object: &Object, picked: &[Picked<'_>], needs: &mut RequiredKeys) {
        let joins = picked.iter().filter_map(|picked| join(object, picked.field));
        let joins = joins.filter(|join| join.scopes.iter().all(|scope| self.authority.holds(*scope)));
        needs.keys.extend(joins.filter_map(|join| join.keys.first()));
        let fields = picked.iter().filter_map(|picked| object.field(picked.field));
        for field in fields.filter(|field| self.may_see(field.scope)) {
            match field.kind {
                Kind::Attributes(_) => {
                    needs.everything = true;
                    let mut known = std::collections::BTreeSet::new();
                    for (row, key) in object.fields.iter().flat_map(|row| row.keys.iter().map(move |key| (row, *key))) {
                        if known.insert(key) && !self.may_see_all_of(row) {
                            needs.withheld.insert(key);
                        }
                    }
                }
                _ => needs.keys.extend(field.keys.first()),
            }
        }
    }
}

/// True if there can be anything in `value`, which is no value of the kind.
fn leaves_room(kind: &Kind, value: &Tree) -> bool {
    let is_tree = |value: &Tree| matches!(value, Tree::List(_) | Tree::Object(_));
    match value {
        Tree::List(items) => matches!(kind, Kind::Object(_) | Kind::Objects(_)) || items.iter().any(is_tree),
        value => is_tree(value),
    }
}

fn is_open(guard: &Guard, key: &str, value: &Tree) -> bool {
    guard.open.contains(&key) && !matches!(value, Tree::List(_) | Tree::Object(_))
}

fn records(json: &[u8]) -> Option<Vec<Tree>> {
    match Tree::of_input(json)? {
        Tree::List(records) => Some(records),
        _ => None,
    }
}

fn text(text: impl AsRef<str>) -> Tree {
    Tree::Text(text.as_ref().to_owned())
}

fn string(value: &Tree) -> Option<Tree> {
    match value {
        Tree::Text(_) => Some(value.clone()),
        Tree::Number(digits) => Some(text(digits)),
        Tree::List(items) => items.iter().find(|item| matches!(item, Tree::Text(_))).cloned(),
        _ => None,
    }
}

fn fact(kind: PageKind, facts: &PageFacts<'_>, records: &[Tree]) -> Tree {
    let number = |number: u32| Tree::Number(number.to_string());
    match kind {
        PageKind::Nodes => unreachable!("the records are no fact"),
        PageKind::Total => match facts.total {
            Some(total) if total <= 2_147_483_647 => Tree::Number(total.to_string()),
            _ => Tree::Null,
        },
        PageKind::Page => number(facts.page),
        PageKind::PerPage => number(facts.per_page),
        PageKind::HasNextPage => {
            let end_of_page = (u128::from(facts.page) + 1) * u128::from(facts.per_page);
            let more = match facts.total {
                Some(total) => u128::from(total) > end_of_page,
                None => records.len() >= facts.per_page as usize,
            };
            Tree::Boolean(more && !facts.is_last_reachable)
        }
        PageKind::Checkpoint => facts.next.map_or(Tree::Null, text),
        PageKind::Next => {
            let ids = records.iter().filter_map(Tree::entries).flatten();
            let ids = ids.filter(|(key, _)| matches!(*key, "log_id" | "_id")).filter_map(|(_, id)| match id {
                Tree::Text(id) => Some(id.clone()),
                Tree::Number(id) if !id.contains(['.', 'e', 'E']) => Some(id.clone()),
                _ => None,
            });
            let next = facts.next.map(str::to_owned).or(ids.max()).or(facts.from.map(str::to_owned));
            next.map_or(Tree::Null, text)
        }
    }
}
