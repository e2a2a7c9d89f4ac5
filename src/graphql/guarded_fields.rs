//! Guarded fields in arguments. To ask for the users that have `app_metadata.plan:gold` is to read their `app_metadata`, one
//! question at a time: what a caller may not see, they may not search or sort by.

use std::collections::HashMap;

use super::error::{ErrorCode, GraphqlError};
use super::operation::{SelectedField, Value};
use super::schema::joins::joins_of;
use super::schema::object::{Kind, Object};
use super::schema::root::root_field;
use super::search_query::SearchQuery;
use crate::auth::Scope;

/// The use of a field, by an argument, that not everybody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GuardedFieldUse {
    argument: &'static str,
    cause: Cause,
    pub(crate) scope: Scope,
}

/// The key on the wire is that of the field; of several under one scope, any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Named(&'static str),
    /// A term without a field is looked for in it.
    BareTerm(&'static str),
    /// The query is outside the grammar that is read here: it may use anything.
    OutsideGrammar,
}

/// Names that Auth0's search has for joined records, and the joins.
/// <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>
const SEARCHED_JOINS: &[(&str, &str)] = &[("organization_id", "organizations")];

/// A key that has a scope of its own.
type Guarded = (&'static str, Scope);

/// The uses of guarded fields by each of the root fields. A query that several of them have is read once.
pub(crate) fn guarded_field_uses<'f>(fields: impl Iterator<Item = &'f SelectedField>) -> Vec<Vec<GuardedFieldUse>> {
    let mut queries: HashMap<(&str, &str), Vec<GuardedFieldUse>> = HashMap::new();
    let uses = fields.map(|field| {
        let Some(object) = root_field(field).map(|row| row.shape.object()) else { return Vec::new() };
        let mut uses = Vec::new();
        if let Some(Value::String(q)) = field.argument("q") {
            uses.clone_from(queries.entry((object.name, q)).or_insert_with(|| in_query(object, q)));
        }
        if let Some(Value::Object(sort)) = field.argument("sort")
            && let Some((_, Value::Enum(name))) = sort.iter().find(|(name, _)| name == "field")
        {
            uses.extend(in_sort(object, name));
        }
        uses
    });
    uses.collect()
}

/// The uses of guarded fields by a search.
pub(crate) fn in_query(object: &'static Object, q: &str) -> Vec<GuardedFieldUse> {
    let all = guarded_below(object);
    if all.is_empty() {
        return Vec::new();
    }
    let Some(SearchQuery { names, has_bare_term }) = SearchQuery::read(q) else {
        return one_a_scope("q", all.into_iter().map(|(_, scope)| (Cause::OutsideGrammar, scope)));
    };
    let named = names
        .into_iter()
        .flat_map(|name| guarded_at(object, object.name, name))
        .map(|(key, scope)| (Cause::Named(key), scope));
    // Auth0 looks for a term without a field in all fields that can be searched but `user_metadata`, and lists which can be: `app_metadata`,
    // and nothing of the identities' tokens. <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>
    let bare = guarded_keys(object).filter(|_| has_bare_term).map(|(key, scope)| (Cause::BareTerm(key), scope));
    one_a_scope("q", named.chain(bare))
}

/// The uses of guarded fields by a `filter` that names these paths.
pub(crate) fn in_filter(object: &'static Object, paths: &[String]) -> Vec<GuardedFieldUse> {
    let guarded = paths.iter().flat_map(|path| guarded_at(object, object.name, path));
    one_a_scope("filter", guarded.map(|(key, scope)| (Cause::Named(key), scope)))
}

fn one_a_scope(argument: &'static str, uses: impl Iterator<Item = (Cause, Scope)>) -> Vec<GuardedFieldUse> {
    let mut found: Vec<GuardedFieldUse> = Vec::new();
    for (cause, scope) in uses {
        if !found.iter().any(|found| found.scope == scope) {
            found.push(GuardedFieldUse { argument, cause, scope });
        }
    }
    found
}

/// `name` is an enum value, which is the key in capitals.
fn in_sort(object: &'static Object, name: &str) -> Option<GuardedFieldUse> {
    let (key, scope) = guarded_keys(object).find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(GuardedFieldUse { argument: "sort", cause: Cause::Named(key), scope })
}

/// The guarded keys of an object itself, and those by which its joins can be searched.
fn guarded_keys(object: &'static Object) -> impl Iterator<Item = Guarded> {
    let own = object.fields.iter().flat_map(|field| field.keys.iter().filter_map(|key| Some((*key, field.scope?))));
    own.chain(SEARCHED_JOINS.iter().flat_map(move |row| searched_join(object, row)))
}

fn searched_join(object: &'static Object, row: &'static (&str, &str)) -> impl Iterator<Item = Guarded> {
    let joins = joins_of(object).filter(|join| join.name == row.1);
    joins.flat_map(|join| join.scopes.iter().map(|scope| (row.0, *scope)))
}

/// Everything guarded in an object and in the objects within it.
fn guarded_below(object: &'static Object) -> Vec<Guarded> {
    let within = object.fields.iter().flat_map(|field| match (&field.kind, field.keys.first()) {
        (Kind::Object(inner) | Kind::Objects(inner), _) => guarded_below(inner),
        (Kind::Guarded(guard), Some(key)) => guard.scope.map(|scope| (*key, scope)).into_iter().collect(),
        _ => Vec::new(),
    });
    guarded_keys(object).chain(within).collect()
}

/// The guarded fields that a dotted path leads to. Auth0 compares names by case, as far as is known; this does not rely
/// on it. `within` is the key that the object itself stands under.
fn guarded_at(object: &'static Object, within: &'static str, path: &str) -> Vec<Guarded> {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let matching = |known: &&&str| known.eq_ignore_ascii_case(key);
    let mut known =
        object.fields.iter().filter_map(|field| Some((field, *field.keys.iter().find(matching)?))).peekable();
    if let Some(row) = SEARCHED_JOINS.iter().find(|row| row.0.eq_ignore_ascii_case(key)) {
        return searched_join(object, row).collect();
    }
    if known.peek().is_none() {
        // Where secrets live, what is unknown is one.
        let guards = object.fields.iter().filter_map(|field| match field.kind {
            Kind::Attributes(Some(guard)) if rest.is_some() || !guard.open.contains(&key) => guard.scope,
            _ => None,
        });
        return guards.map(|scope| (within, scope)).collect();
    }
    let guarded = known.flat_map(|(field, known)| {
        let mut guarded = Vec::new();
        guarded.extend(field.scope.map(|scope| (known, scope)));
        match (&field.kind, rest) {
            (Kind::Object(inner) | Kind::Objects(inner), Some(rest)) => guarded.extend(guarded_at(inner, known, rest)),
            (Kind::Object(inner) | Kind::Objects(inner), None) => guarded.extend(guarded_below(inner)),
            (Kind::Guarded(guard), rest) if rest.is_none_or(|rest| !guard.open.contains(&rest)) => {
                guarded.extend(guard.scope.map(|scope| (known, scope)));
            }
            (Kind::Guarded(_), _) => {}
            // A value that has no form for its field has room for what is unknown.
            (_, Some(_)) => guarded.extend(object.guard().and_then(|guard| guard.scope).map(|scope| (known, scope))),
            _ => {}
        }
        guarded
    });
    guarded.collect()
}

impl From<GuardedFieldUse> for GraphqlError {
    fn from(GuardedFieldUse { argument, cause, scope }: GuardedFieldUse) -> Self {
        let message = match cause {
            Cause::Named(key) => {
                format!(
                    "`{argument}` names `{key}`, or something in it, that needs the scope `{scope}`, which you do not hold."
                )
            }
            Cause::BareTerm(key) => format!(
                "`{argument}` has a term without a field, which is looked for in `{key}` too, and that needs the scope `{scope}`, which you do not \
                 hold. Name the field that you mean, as in `name:ada`."
            ),
            Cause::OutsideGrammar => format!(
                "`{argument}` can search fields that need the scope `{scope}`, which you do not hold. Without it, write nothing but `field:value` \
                 with AND, OR, NOT and parentheses, no blank after the colon; a value is a word, a \"phrase\" or a range such as `[1 TO 5]`."
            ),
        };
        Self::new(ErrorCode::Forbidden, message).with("scope", scope.as_str()).with("argument", argument)
    }
}

#[cfg(test)]
mod tests;
