//! The root field `node`, in whose place the field of the kind that the id is of stands in the normal form. Auth0's ids are global by
//! themselves, and tell of what they are.

use apollo_compiler::{Name, name};

use super::{SelectedField, Value};
use crate::graphql::error::{ErrorCode, GraphqlError};

/// The name of the field.
const NODE: &str = "node";

/// The kinds of records that have ids: the root field that looks one up, and its type.
const USER: (Name, Name) = (name!("user"), name!("User"));
const LOG: (Name, Name) = (name!("log"), name!("Log"));

/// Puts the field in place, if it is `node`.
pub(super) fn resolve(field: SelectedField) -> SelectedField {
    if field.name != NODE {
        return field;
    }
    let kind = match field.argument("id") {
        Some(Value::String(id)) => kind(id),
        _ => None,
    };
    let arguments = match (&kind, field.arguments) {
        (None, Ok(_)) => Err(unknown()),
        (_, arguments) => arguments,
    };
    // Which of the two makes no difference where there is nothing to ask.
    let (name, ty) = kind.unwrap_or(USER);
    let fields = field.fields.into_iter().filter(|selected| selected.parent == ty).collect();
    SelectedField { name, arguments, fields, ..field }
}

/// The kind of an id: a user's names the identity provider before a bar, a log's is a number of 56 digits.
fn kind(id: &str) -> Option<(Name, Name)> {
    match id {
        user if user.contains('|') => Some(USER),
        log if !log.is_empty() && log.bytes().all(|byte| byte.is_ascii_digit()) => Some(LOG),
        _ => None,
    }
}

fn unknown() -> GraphqlError {
    let message = "`id` is neither a user's, such as `auth0|…`, nor a log's, which has digits alone.";
    GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", "id")
}
