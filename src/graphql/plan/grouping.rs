//! Fields that ask Auth0 the same, and so are answered by one call.

use std::sync::Arc;

use crate::graphql::operation::{Arguments, Name, SelectedField, Value};
use crate::graphql::schema::root::root_field;

/// The root fields that ask Auth0, by their indices: those of a group are answered by one call.
pub(crate) fn root_field_groups(fields: &[SelectedField]) -> Vec<Arc<[usize]>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, field) in fields.iter().enumerate().filter(|(_, field)| root_field(field).is_some()) {
        match groups.iter_mut().find(|group| is_same_call(&fields[group[0]], field)) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups.into_iter().map(Arc::from).collect()
}

/// True if two fields in normal form are answered by one call.
pub(super) fn is_same_call(one: &SelectedField, other: &SelectedField) -> bool {
    one.name == other.name
        && match (&one.arguments, &other.arguments) {
            (Ok(one), Ok(other)) => non_null(one).eq(non_null(other)),
            (one, other) => one == other,
        }
}

/// The arguments that are not null: an optional one that is asks the same as one that is absent.
pub(super) fn non_null(arguments: &Arguments) -> impl Iterator<Item = (&Name, &Value)> {
    arguments.iter().filter(|(_, value)| **value != Value::Null)
}
