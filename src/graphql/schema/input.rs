//! Inputs: the arguments of fields, and how they are read.

use async_graphql::registry::{Deprecation, MetaInputValue, Registry};
use async_graphql::{Enum, InputObject, InputType};

use super::local::const_value;
use crate::auth0::Direction;
use crate::graphql::error::GraphqlError;
use crate::graphql::operation::{Arguments, Value};

/// An argument of a field.
pub(crate) struct Argument {
    pub(super) name: &'static str,
    /// Registers the argument's type and returns its name.
    pub(super) ty: fn(&mut Registry) -> String,
    /// The default as SDL writes it.
    pub(super) default: Option<&'static str>,
    pub(super) description: &'static str,
}

impl Argument {
    pub(crate) const fn new<T: InputType>(name: &'static str, description: &'static str) -> Self {
        Self { name, ty: T::create_type_info, default: None, description }
    }

    /// An argument of a type that is registered by hand.
    pub(super) const fn of_type(
        name: &'static str,
        ty: fn(&mut Registry) -> String,
        description: &'static str,
    ) -> Self {
        Self { name, ty, default: None, description }
    }

    pub(crate) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

/// An argument or an input field, as the registry has it.
pub(super) fn input_value(
    name: &str,
    description: &str,
    ty: String,
    default: Option<&str>,
) -> (String, MetaInputValue) {
    let value = MetaInputValue {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        ty,
        deprecation: Deprecation::NoDeprecated,
        default_value: default.map(ToOwned::to_owned),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        is_secret: false,
        directive_invocations: Vec::new(),
    };
    (name.to_owned(), value)
}

/// The value of an argument, which is known to fit its type.
pub(crate) fn read<T: InputType>(arguments: &Arguments, name: &str) -> Result<T, GraphqlError> {
    T::parse(arguments.get(name).map(const_value)).map_err(|_| GraphqlError::bug("an argument does not fit its type"))
}

/// The `sort` of users: a key on the wire, which is the enum value in small letters, and a direction. Auth0's own order where it is absent.
pub(crate) fn user_sort(arguments: &Arguments) -> Option<(String, Direction)> {
    let Some(Value::Enum(key)) = sort(arguments, "field") else { return None };
    Some((key.to_ascii_lowercase(), direction(arguments, Direction::Ascending)))
}

/// The direction of a `sort` of logs; newest first where it is absent.
pub(crate) fn log_direction(arguments: &Arguments) -> Direction {
    direction(arguments, Direction::Descending)
}

fn direction(arguments: &Arguments, default: Direction) -> Direction {
    match sort(arguments, "direction") {
        Some(Value::Enum(name)) if name == "ASC" => Direction::Ascending,
        Some(Value::Enum(name)) if name == "DESC" => Direction::Descending,
        _ => default,
    }
}

/// A field of the argument `sort`. Coercion has filled in its defaults.
fn sort<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a Value> {
    let Some(Value::Object(fields)) = arguments.get("sort") else { return None };
    fields.iter().find_map(|(field, value)| (field == name).then_some(value))
}

/// The order of users.
#[derive(InputObject)]
#[graphql(name = "UserSort")]
pub(crate) struct UserOrder {
    /// The field that they are ordered by.
    field: UserOrderField,
    /// The direction.
    #[graphql(default_with = "SortDirection::Asc")]
    direction: SortDirection,
}

/// The fields that users can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "UserSortField")]
enum UserOrderField {
    /// Time of their creation.
    CreatedAt,
    /// Time of the last change to their profile.
    UpdatedAt,
    /// Time of their last login.
    LastLogin,
    /// Number of their logins.
    LoginsCount,
    /// Their e-mail address.
    Email,
    /// Their full name.
    Name,
    /// Their id.
    UserId,
    /// Their user name.
    Username,
    /// Their given name.
    GivenName,
    /// Their family name.
    FamilyName,
    /// Their nickname.
    Nickname,
}

/// The order of logs.
#[derive(InputObject)]
#[graphql(name = "LogSort")]
pub(crate) struct LogOrder {
    /// The field that they are ordered by.
    #[graphql(default_with = "LogOrderField::Date")]
    field: LogOrderField,
    /// The direction.
    #[graphql(default_with = "SortDirection::Desc")]
    direction: SortDirection,
}

/// The fields that logs can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "LogSortField")]
enum LogOrderField {
    /// Time of the event.
    Date,
}

/// The direction of an order.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortDirection {
    /// Ascending: the least first.
    Asc,
    /// Descending: the greatest first.
    Desc,
}
