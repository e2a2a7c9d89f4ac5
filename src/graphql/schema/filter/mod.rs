//! Typed filters: what their tables are, and how they become input types of the schema.

mod operators;
mod read;
mod tables;

use async_graphql::registry::{MetaInputValue, MetaType, Registry};

pub(crate) use self::read::read;
pub(crate) use self::tables::{LOG_FILTER, LOG_TAIL_FILTER, USER_FILTER};
use super::input::{Argument, input_value};
use crate::auth0::Searched;

/// A filter of one kind of records.
pub(crate) struct Filter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// Description of `not`.
    pub(crate) negation: &'static str,
    pub(crate) searched: Searched,
    pub(crate) fields: &'static [FilterField],
}

/// A condition that a filter can have.
pub(crate) struct FilterField {
    pub(crate) name: &'static str,
    /// The field in Auth0's search.
    pub(crate) path: &'static str,
    pub(crate) kind: FilterKind,
    pub(crate) description: &'static str,
}

/// A kind of values, by which the operators are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FilterKind {
    Text,
    /// A value that is false where Auth0 has none.
    Flag,
    Moment,
    /// A number that is zero where Auth0 has none.
    Count,
    /// True where a count is zero.
    IsZero,
    LogOutcome,
    AppMetadata,
    /// Auth0 finds whole values only.
    UserMetadata,
}

/// A field of an input type.
struct InputField {
    name: &'static str,
    ty: &'static str,
    description: &'static str,
}

impl Filter {
    /// The argument `filter`.
    pub(crate) const fn argument(register: fn(&mut Registry) -> String) -> Argument {
        Argument::of_type(
            "filter",
            register,
            "Typed conditions, of which all must hold, beside `q`. An operator without a value is an error, so that one that was \
             forgotten does not find everybody.",
        )
    }

    /// The argument `filter` of a stream.
    pub(crate) const fn tail_argument(register: fn(&mut Registry) -> String) -> Argument {
        Argument::of_type(
            "filter",
            register,
            "Typed conditions, of which all must hold. An operator without a value is an error, so that one that was forgotten does not let \
             everything through.",
        )
    }

    /// Registers the filter and the types of its operators; returns its name.
    pub(crate) fn register(&self, registry: &mut Registry) -> String {
        let own = self.fields.iter().map(|field| {
            let ty = field.kind.register(registry);
            input_value(field.name, field.description, ty, None)
        });
        let list = format!("[{}!]", self.name);
        let mut fields: Vec<_> = own.collect();
        fields.push(input_value("and", "All of these.", list.clone(), None));
        fields.push(input_value("or", "At least one of these.", list, None));
        fields.push(input_value("not", self.negation, self.name.to_owned(), None));
        insert_input(registry, self.name, self.description, fields);
        self.name.to_owned()
    }
}

/// Adds an input type to the schema, unless it is there.
fn insert_input(registry: &mut Registry, name: &str, description: &str, fields: Vec<(String, MetaInputValue)>) {
    if registry.types.contains_key(name) {
        return;
    }
    let object = MetaType::InputObject {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        input_fields: fields.into_iter().collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: None,
        oneof: false,
        directive_invocations: Vec::new(),
    };
    registry.types.insert(name.to_owned(), object);
}
