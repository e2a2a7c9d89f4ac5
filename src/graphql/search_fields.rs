//! Field names in searches. To ask which users have `app_metadata.plan:gold` is to read their `app_metadata`, one question at a time: what a
//! caller may not see, they may not search or sort by.
//!
//! Auth0's search is not ours, and its parser is not known. So nothing here depends on reading a query as Auth0 does: a guarded name is
//! found wherever it stands, in a value too. Only two things need a look at the query's grammar, [`Names`]: names with wildcards, and terms
//! without a field. In doubt either is taken to be there.

use super::error::{ErrorCode, Failure};
use super::log::LOG;
use super::object::{Field, Kind, Object};
use super::operation::{Field as SelectedField, Value};
use super::user::USER;
use crate::auth::Scope;

mod names;

use self::names::Names;

/// An argument names a field that not everybody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mention {
    argument: &'static str,
    /// The field's key on the wire; of several under one scope, any.
    key: &'static str,
    pub(crate) scope: Scope,
    is_bare: bool,
}

/// What the arguments of a root field in normal form mention.
pub(crate) fn mentions(field: &SelectedField) -> Vec<Mention> {
    let object = match field.name.as_str() {
        "users" => &USER,
        "searchLogs" => &LOG,
        _ => return Vec::new(),
    };
    let mut mentions = Vec::new();
    if let Some(Value::String(q)) = field.argument("q") {
        mentions.extend(in_query(object, q));
    }
    if let Some(Value::Object(sort)) = field.argument("sort")
        && let Some((_, Value::Enum(name))) = sort.iter().find(|(name, _)| name == "field")
    {
        mentions.extend(in_sort(object, name));
    }
    mentions
}

/// A key that has a scope of its own.
struct Guard {
    key: &'static str,
    /// The whole path that a search names it by.
    path: String,
    scope: Scope,
    is_nested: bool,
}

fn guards(object: &'static Object) -> Vec<Guard> {
    let mut guards = Vec::new();
    for field in object.fields {
        for key in field.keys {
            if let Some(scope) = scope_of(object, key, field) {
                guards.push(Guard { key, path: (*key).to_owned(), scope, is_nested: false });
            }
            let (Kind::Object(inner) | Kind::Objects(inner)) = &field.kind else { continue };
            guards.extend(self::guards(inner).into_iter().map(|guard| Guard {
                path: format!("{key}.{}", guard.path),
                is_nested: true,
                ..guard
            }));
        }
    }
    guards
}

/// The scope that the value under a key needs: what a field derives from it, such as a join, may need more.
fn scope_of(object: &Object, key: &str, field: &Field) -> Option<Scope> {
    field.scope.filter(|_| object.field_of_key(key).is_some_and(|giver| giver.name == field.name))
}

fn in_query(object: &'static Object, q: &str) -> Vec<Mention> {
    let guards = guards(object);
    if guards.is_empty() {
        return Vec::new();
    }
    let names = Names::read(q);
    let mut mentions: Vec<Mention> = Vec::new();
    for Guard { key, path, scope, is_nested } in guards {
        // A nested key counts by its last part alone: paths can be written in more ways than one.
        let is_named = names.text.contains(key) || names.has_pattern_for(&path);
        // Auth0 looks for a term without a field in all fields that can be searched but `user_metadata`, and lists which can be: `app_metadata`,
        // and nothing of the identities' tokens. <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>
        let is_bare = !is_named && names.has_bare_term && !is_nested;
        if (is_named || is_bare) && !mentions.iter().any(|mention| mention.scope == scope) {
            mentions.push(Mention { argument: "q", key, scope, is_bare });
        }
    }
    mentions
}

/// `name` is an enum value, which is the key in capitals.
fn in_sort(object: &'static Object, name: &str) -> Option<Mention> {
    let name = name.to_ascii_lowercase();
    let guard = guards(object).into_iter().find(|guard| guard.key == name && !guard.is_nested)?;
    Some(Mention { argument: "sort", key: guard.key, scope: guard.scope, is_bare: false })
}

impl From<Mention> for Failure {
    fn from(mention: Mention) -> Self {
        let Mention { argument, key, scope, is_bare } = mention;
        let message = if is_bare {
            format!(
                "`{argument}` has a term without a field, which is looked for in `{key}` too, and that needs the scope `{scope}`, which you do not \
                 hold. Name the field that you mean, as in `name:ada`."
            )
        } else {
            format!("`{argument}` names `{key}`, which needs the scope `{scope}`, which you do not hold.")
        };
        Self::new(ErrorCode::Forbidden, message).with("scope", scope.as_str()).with("argument", argument)
    }
}

#[cfg(test)]
mod tests;
