//! Input coercion: <https://spec.graphql.org/September2025/#sec-Input-Values>.
//!
//! A value that went through here has the type that it stands for: enum values are enums, a single value in a list's place
//! is a list, defaults are filled in. Messages name places, never values: what a caller sends can be personal data.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use apollo_compiler::Name;
use apollo_compiler::ast::{self, Type};
use apollo_compiler::collections::IndexMap;
use apollo_compiler::schema::{Component, ExtendedType, InputValueDefinition};
use serde_json::value::RawValue;

use super::type_system::TypeSystem;

/// A coerced input value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Int(i32),
    Float(f64),
    /// An ID, too.
    String(String),
    Enum(Name),
    List(Vec<Value>),
    /// An input object, in the order of the type's fields, defaults filled in.
    Object(Vec<(Name, Value)>),
}

/// The most bytes that the values of variables may come to in an operation's arguments, each as often as it is named: a
/// variable costs a few letters and can stand for a hundred kilobytes.
pub(crate) const ARGUMENT_BYTES: usize = 512 << 10;

/// Values of an operation's variables.
#[derive(Default)]
pub(crate) struct VariableValues {
    values: HashMap<Name, Value>,
    copied: Cell<usize>,
}

impl VariableValues {
    pub(crate) fn new(values: HashMap<Name, Value>) -> Self {
        Self { values, copied: Cell::new(0) }
    }

    /// Bytes that the values come to, about, in all places that they were put in.
    pub(crate) fn copied(&self) -> usize {
        self.copied.get()
    }

    /// The value of a variable, to be put in a place. Beyond [`ARGUMENT_BYTES`] there is none: the operation will not run.
    fn copy(&self, name: &Name) -> Option<Value> {
        let value = self.values.get(name)?;
        self.copied.set(self.copied.get().saturating_add(size(value)));
        (self.copied.get() <= ARGUMENT_BYTES).then(|| value.clone())
    }
}

/// The bytes that a value takes, about.
fn size(value: &Value) -> usize {
    size_of::<(Name, Value)>()
        + match value {
            Value::Null | Value::Boolean(_) | Value::Int(_) | Value::Float(_) | Value::Enum(_) => 0,
            Value::String(text) => text.len(),
            Value::List(items) => items.iter().map(size).sum(),
            Value::Object(fields) => fields.iter().map(|(_, value)| size(value)).sum(),
        }
}

/// A value as it was written.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// JSON: a variable's.
    Json(&'a str),
    /// GraphQL's own notation: an argument's, or a default.
    Literal(&'a ast::Value),
}

/// A value that does not fit its type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CoercionError {
    /// The place in the value, such as `.field` or `[2]`; empty for the value itself.
    pub(crate) path: String,
    /// The type that is expected there, in words.
    pub(crate) expected: String,
}

/// The coerced value of a variable, an argument or an input field of the type `ty`; none if it is absent and there is no
/// `default`. All errors are told.
pub(crate) fn coerce(
    types: &TypeSystem,
    variables: &VariableValues,
    (ty, default): (&Type, Option<&ast::Value>),
    given: Option<Input<'_>>,
) -> Result<Option<Value>, Vec<CoercionError>> {
    let mut coercion = Coercion { types, variables, path: Vec::new(), errors: Vec::new() };
    let value = coercion.given_or_default((ty, default), given);
    if coercion.errors.is_empty() { Ok(value) } else { Err(coercion.errors) }
}

struct Coercion<'a> {
    types: &'a TypeSystem,
    variables: &'a VariableValues,
    /// The place in the value.
    path: Vec<Step>,
    errors: Vec<CoercionError>,
}

enum Step {
    Field(Name),
    Item(usize),
}

/// One level of a value, in whichever notation.
enum ShallowValue<'a> {
    Null,
    Boolean(bool),
    /// An integer with all its digits.
    Integer(&'a str),
    Decimal(&'a str),
    String(String),
    Enum(&'a Name),
    List(Vec<Input<'a>>),
    Object(Vec<(String, Input<'a>)>),
    Variable(&'a Name),
    /// A JSON string that is no Unicode.
    Unreadable,
}

impl Coercion<'_> {
    /// The coerced value; null where it does not fit, which then is among the errors.
    fn value(&mut self, ty: &Type, input: Input<'_>) -> Value {
        let shallow = match input.shallow() {
            ShallowValue::Variable(name) => match self.variables.copy(name) {
                // It has been coerced to a type that may stand here, but for null.
                Some(value) if value != Value::Null => return value,
                _ => ShallowValue::Null,
            },
            shallow => shallow,
        };
        match (ty, shallow) {
            (Type::Named(_) | Type::List(_), ShallowValue::Null) => Value::Null,
            (Type::NonNullNamed(_) | Type::NonNullList(_), ShallowValue::Null) => self.misfit(ty),
            (Type::List(item) | Type::NonNullList(item), ShallowValue::List(inputs)) => {
                let items = inputs.into_iter().enumerate();
                Value::List(
                    items
                        .map(|(index, input)| self.inside(Step::Item(index), |this| this.value(item, input)))
                        .collect(),
                )
            }
            (Type::List(item) | Type::NonNullList(item), _) => Value::List(vec![self.value(item, input)]),
            (Type::Named(name) | Type::NonNullNamed(name), shallow) => {
                let types = self.types;
                let value = match types.get(name) {
                    Some(ExtendedType::InputObject(object)) => match shallow {
                        ShallowValue::Object(given) => Some(self.object(name, &object.fields, &given)),
                        _ => None,
                    },
                    Some(ExtendedType::Enum(definition)) => {
                        let chosen = match &shallow {
                            ShallowValue::Enum(name) => Some(name.as_str()),
                            // JSON has no enums.
                            ShallowValue::String(name) if matches!(input, Input::Json(_)) => Some(name.as_str()),
                            _ => None,
                        };
                        let known = chosen.and_then(|chosen| definition.values.get_key_value(chosen));
                        known.map(|(name, _)| Value::Enum(name.clone()))
                    }
                    _ if name == ANY => self.any(input),
                    _ => scalar(name, shallow, input),
                };
                value.unwrap_or_else(|| self.misfit(ty))
            }
        }
    }

    /// A value that has no type within. Its nesting is bounded by the document's and the variables'.
    fn any(&self, input: Input<'_>) -> Option<Value> {
        Some(match input.shallow() {
            ShallowValue::Null => Value::Null,
            ShallowValue::Boolean(boolean) => Value::Boolean(boolean),
            ShallowValue::Integer(digits) | ShallowValue::Decimal(digits) => Value::Float(digits.parse().ok()?),
            ShallowValue::String(text) => Value::String(text),
            ShallowValue::Enum(name) => Value::Enum(name.clone()),
            ShallowValue::List(items) => {
                Value::List(items.into_iter().map(|item| self.any(item)).collect::<Option<_>>()?)
            }
            ShallowValue::Object(fields) => {
                let field = |(name, value): (String, Input<'_>)| Some((Name::new(&name).ok()?, self.any(value)?));
                Value::Object(fields.into_iter().map(field).collect::<Option<_>>()?)
            }
            ShallowValue::Variable(name) => self.variables.copy(name).unwrap_or(Value::Null),
            ShallowValue::Unreadable => return None,
        })
    }

    fn object(
        &mut self,
        ty: &Name,
        fields: &IndexMap<Name, Component<InputValueDefinition>>,
        given: &[(String, Input<'_>)],
    ) -> Value {
        let mut unknown = given.iter().filter(|(name, _)| !fields.contains_key(name.as_str())).peekable();
        if unknown.peek().is_some() {
            for (name, _) in unknown {
                self.unknown_field(ty, name);
            }
            return Value::Null;
        }
        let fields = fields.iter().filter_map(|(name, field)| {
            let given = given.iter().find(|(given, _)| *given == name.as_str()).map(|(_, input)| *input);
            let expected = (&*field.ty, field.default_value.as_deref());
            let value = self.inside(Step::Field(name.clone()), |this| this.given_or_default(expected, given))?;
            Some((name.clone(), value))
        });
        Value::Object(fields.collect())
    }

    /// Notes a field that the type has not, by its name if that can be one: anything else may be somebody's data.
    fn unknown_field(&mut self, ty: &Name, name: &str) {
        let expected = format!("a field of `{ty}`");
        match Name::new(name).ok().filter(|name| name.len() <= LONGEST_NAME) {
            Some(name) => self.inside(Step::Field(name), |this| this.error(expected)),
            None => self.error(expected),
        };
    }

    /// An absent variable makes absent what it stands for.
    fn given_or_default(
        &mut self,
        (ty, default): (&Type, Option<&ast::Value>),
        given: Option<Input<'_>>,
    ) -> Option<Value> {
        let is_absent = |input: &Input<'_>| matches!(input, Input::Literal(ast::Value::Variable(name)) if !self.variables.values.contains_key(name));
        match given.filter(|input| !is_absent(input)).or(default.map(Input::Literal)) {
            Some(input) => Some(self.value(ty, input)),
            None if ty.is_non_null() => Some(self.misfit(ty)),
            None => None,
        }
    }

    fn inside<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let value = read(self);
        self.path.pop();
        value
    }

    fn misfit(&mut self, ty: &Type) -> Value {
        self.error(format!("a value of type `{ty}`"))
    }

    fn error(&mut self, expected: String) -> Value {
        let path = self.path.iter().map(|step| match step {
            Step::Field(name) => format!(".{name}"),
            Step::Item(index) => format!("[{index}]"),
        });
        self.errors.push(CoercionError { path: path.collect(), expected });
        Value::Null
    }
}

/// The longest name of an unknown field that is told.
const LONGEST_NAME: usize = 60;

/// The scalar of Apollo Federation that takes any value.
const ANY: &str = "_Any";

/// GraphQL's own scalars, the only ones that this schema takes in beside [`ANY`].
fn scalar(name: &Name, shallow: ShallowValue<'_>, input: Input<'_>) -> Option<Value> {
    match (name.as_str(), shallow) {
        ("Int", ShallowValue::Integer(digits)) => digits.parse().ok().map(Value::Int),
        // JSON has one kind of number: `1.0` is an Int too.
        ("Int", ShallowValue::Decimal(digits)) if matches!(input, Input::Json(_)) => {
            whole(digits.parse().ok()?).map(Value::Int)
        }
        ("Float", ShallowValue::Integer(digits) | ShallowValue::Decimal(digits)) => {
            digits.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float)
        }
        // The reader of the argument checks that it is a moment.
        ("String" | "ID" | "DateTime", ShallowValue::String(text)) => Some(Value::String(text)),
        ("ID", ShallowValue::Integer(digits)) => Some(Value::String(digits.to_owned())),
        ("Boolean", ShallowValue::Boolean(boolean)) => Some(Value::Boolean(boolean)),
        _ => None,
    }
}

fn whole(number: f64) -> Option<i32> {
    let fits = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    #[expect(clippy::cast_possible_truncation, reason = "checked on the line above")]
    fits.then_some(number as i32)
}

impl<'a> Input<'a> {
    fn shallow(self) -> ShallowValue<'a> {
        match self {
            Self::Json(text) => shallow_json(text.trim_ascii_start()).unwrap_or(ShallowValue::Unreadable),
            Self::Literal(literal) => shallow_literal(literal),
        }
    }
}

fn shallow_literal(literal: &ast::Value) -> ShallowValue<'_> {
    match literal {
        ast::Value::Null => ShallowValue::Null,
        ast::Value::Boolean(boolean) => ShallowValue::Boolean(*boolean),
        ast::Value::Int(number) => ShallowValue::Integer(number.as_str()),
        ast::Value::Float(number) => ShallowValue::Decimal(number.as_str()),
        ast::Value::String(text) => ShallowValue::String(text.clone()),
        ast::Value::Enum(name) => ShallowValue::Enum(name),
        ast::Value::List(items) => ShallowValue::List(items.iter().map(|item| Input::Literal(item)).collect()),
        ast::Value::Object(fields) => {
            ShallowValue::Object(fields.iter().map(|(name, value)| (name.to_string(), Input::Literal(value))).collect())
        }
        ast::Value::Variable(name) => ShallowValue::Variable(name),
    }
}

fn shallow_json(text: &str) -> serde_json::Result<ShallowValue<'_>> {
    Ok(match text.as_bytes().first() {
        Some(b'"') => ShallowValue::String(serde_json::from_str(text)?),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            ShallowValue::List(items.into_iter().map(|item| Input::Json(item.get())).collect())
        }
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            ShallowValue::Object(fields.into_iter().map(|(name, value)| (name, Input::Json(value.get()))).collect())
        }
        Some(b't' | b'f') => ShallowValue::Boolean(serde_json::from_str(text)?),
        Some(b'n') => ShallowValue::Null,
        _ if text.contains(['.', 'e', 'E']) => ShallowValue::Decimal(text.trim_ascii_end()),
        _ => ShallowValue::Integer(text.trim_ascii_end()),
    })
}
