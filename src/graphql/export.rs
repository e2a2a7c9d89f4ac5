//! Conditions, keys and selections of the schema, for commands.

mod selection;
mod shown;

use apollo_compiler::ast::Type;
use apollo_compiler::{Name, name};

pub(crate) use self::selection::ExportSelection;
use super::coercion::{CoercionError, Input, Value, VariableValues, coerce};
use super::error::{ErrorCode, GraphqlError};
use super::schema::filter::{LOG_FILTER, USER_FILTER};
use super::schema::log::LOG;
use super::schema::log_type;
use super::schema::object::{Kind, Object};
use super::schema::root::condition_of;
use super::schema::sdl;
use super::type_system::TypeSystem;
use crate::auth0::{Condition, Searched};

/// The condition that `q` and a `UserFilter` or `LogFilter` in JSON come to together.
///
/// # Errors
///
/// Arguments that a connection would refuse, with its reason.
pub fn search_condition(
    searched: Searched,
    q: Option<&str>,
    filter: Option<&str>,
) -> Result<Option<Condition>, GraphqlError> {
    let (table, ty) = match searched {
        Searched::Users => (&USER_FILTER, name!("UserFilter")),
        Searched::Logs => (&LOG_FILTER, name!("LogFilter")),
    };
    let given = filter.map(|json| filter_value(json, ty)).transpose()?;
    condition_of(q.map(ToOwned::to_owned), given.as_ref(), table)
}

fn filter_value(json: &str, ty: Name) -> Result<Value, GraphqlError> {
    let refuse = |message: String| GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", "filter");
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return Err(refuse("`filter` is no JSON.".to_owned()));
    }
    let types = TypeSystem::parse(&sdl()).map_err(|error| GraphqlError::bug(&error.to_string()))?;
    let value = coerce(&types, &VariableValues::default(), (&Type::Named(ty), None), Some(Input::Json(json)));
    let value = value.map_err(|errors| {
        let parts = errors
            .iter()
            .map(|CoercionError { path, expected }| format!("`filter{path}` does not fit: {expected} is expected."));
        refuse(parts.collect::<Vec<_>>().join(" "))
    })?;
    value.filter(|value| *value != Value::Null).ok_or_else(|| refuse("`filter` is null: leave it out.".to_owned()))
}

/// True if the table of log types has this code.
pub(crate) fn is_known_log_type(code: &str) -> bool {
    log_type::description(code).is_some()
}

/// The selection of all that a log has of its own, which needs no scope beyond that of logs.
#[must_use]
pub fn log_selection() -> String {
    // `id` is `logId` once more.
    selection(&LOG, &["id"])
}

fn selection(object: &Object, without: &[&str]) -> String {
    let fields = object.fields.iter().filter(|field| field.scope.is_none() && !without.contains(&field.name));
    let fields = fields.map(|field| match field.kind {
        Kind::Object(inner) | Kind::Objects(inner) => format!("{} {{ {} }}", field.name, selection(inner, &[])),
        _ => field.name.to_owned(),
    });
    fields.collect::<Vec<_>>().join(" ")
}
