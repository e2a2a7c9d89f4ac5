//! The operators that each kind of values has.

use async_graphql::InputType;
use async_graphql::registry::Registry;

use super::{FilterKind, InputField, insert_input};
use crate::graphql::schema::input::input_value;
use crate::graphql::schema::outcome::LogOutcome;
use crate::graphql::schema::scalar::DateTime;

const fn field(name: &'static str, ty: &'static str, description: &'static str) -> InputField {
    InputField { name, ty, description }
}

const EQ: InputField = field("eq", "String", "The whole value.");
const IN: InputField = field("in", "[String!]", "The whole value, one of these.");
const STARTS_WITH: InputField = field("startsWith", "String", "The beginning of the value.");
const ENDS_WITH: InputField = field("endsWith", "String", "The end of the value: three characters or more.");

static TEXT: &[InputField] = &[EQ, IN, STARTS_WITH, ENDS_WITH];

static FLAG: &[InputField] = &[field("eq", "Boolean", "The value.")];

static MOMENT: &[InputField] = &[
    field("gt", "DateTime", "After this moment."),
    field("gte", "DateTime", "At this moment or after it."),
    field("lt", "DateTime", "Before this moment."),
    field("lte", "DateTime", "At this moment or before it."),
];

static COUNT: &[InputField] = &[
    field("eq", "Int", "This number."),
    field("gt", "Int", "More than this."),
    field("gte", "Int", "This or more."),
    field("lt", "Int", "Less than this."),
    field("lte", "Int", "This or less."),
];

static OUTCOME: &[InputField] =
    &[field("eq", "LogOutcome", "This outcome."), field("in", "[LogOutcome!]", "One of these outcomes.")];

const PATH: InputField = field(
    "path",
    "String!",
    "The way to the value, such as `plan.name`: names of letters, digits, `_` and `-` between dots. Lists are passed through.",
);

static APP_METADATA: &[InputField] = &[
    PATH,
    field("eq", "String", "The whole value; a number or a boolean as JSON writes it."),
    IN,
    STARTS_WITH,
    ENDS_WITH,
    field("gt", "Float", "More than this number."),
    field("gte", "Float", "This number or more."),
    field("lt", "Float", "Less than this number."),
    field("lte", "Float", "This number or less."),
];

static USER_METADATA: &[InputField] =
    &[PATH, field("eq", "String", "The whole value; a number or a boolean as JSON writes it."), IN];

impl FilterKind {
    /// Registers the type of the operators; returns its name.
    pub(super) fn register(self, registry: &mut Registry) -> String {
        let (name, description, fields) = match self {
            Self::IsZero => return "Boolean".to_owned(),
            Self::Text => ("StringFilter", "Conditions on a text.", TEXT),
            Self::Flag => ("BooleanFilter", "A condition on a flag. Where Auth0 has none, it is false.", FLAG),
            Self::Moment => {
                <DateTime as InputType>::create_type_info(registry);
                ("DateTimeFilter", "Conditions on a moment. Where Auth0 has none, none holds.", MOMENT)
            }
            Self::Count => ("IntFilter", "Conditions on a number. Where Auth0 has none, it is 0.", COUNT),
            Self::LogOutcome => {
                <LogOutcome as InputType>::create_type_info(registry);
                ("LogOutcomeFilter", "Conditions on an outcome.", OUTCOME)
            }
            Self::AppMetadata => ("AppMetadataFilter", "Conditions on a value in `appMetadata`.", APP_METADATA),
            Self::UserMetadata => (
                "UserMetadataFilter",
                "Conditions on a value in `userMetadata`, in which Auth0 finds whole values only.",
                USER_METADATA,
            ),
        };
        let fields = fields.iter().map(|field| input_value(field.name, field.description, field.ty.to_owned(), None));
        insert_input(registry, name, description, fields.collect());
        name.to_owned()
    }
}
