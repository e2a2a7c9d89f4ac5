//! Input coercion, by the specification: <https://spec.graphql.org/October2021/#sec-Input-Values>.
//!
//! A value that went through here has the type that it stands for: enum values are enums, a single value in a list's place
//! is a list, defaults are filled in. Messages name places, never values: what a caller sends can be personal data.

use async_graphql::parser::types::{BaseType, Type};
use async_graphql::{Name, Value};
use serde_json::Number;

use super::signature::{Input, InputType, Signatures};

/// Where a value comes from: JSON has no enums, and GraphQL's own notation tells them from strings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Variable,
    Literal,
}

/// A value does not fit its type. `at` is where in the value, such as `.field` or `[2]`; empty for the value itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) at: String,
    pub(crate) expected: String,
}

impl Misfit {
    fn new(ty: &Type) -> Self {
        Self { at: String::new(), expected: format!("a value of type `{ty}`") }
    }

    fn inside(mut self, step: &str) -> Self {
        self.at.insert_str(0, step);
        self
    }
}

/// Coerces `value` to `ty`.
pub(crate) fn coerce(signatures: &Signatures, ty: &Type, value: Value, origin: Origin) -> Result<Value, Misfit> {
    if value == Value::Null {
        return if ty.nullable { Ok(Value::Null) } else { Err(Misfit::new(ty)) };
    }
    match (&ty.base, value) {
        (BaseType::List(inner), Value::List(items)) => {
            let items = items.into_iter().enumerate().map(|(place, item)| {
                coerce(signatures, inner, item, origin).map_err(|misfit| misfit.inside(&format!("[{place}]")))
            });
            items.collect::<Result<_, _>>().map(Value::List)
        }
        (BaseType::List(inner), item) => Ok(Value::List(vec![coerce(signatures, inner, item, origin)?])),
        (BaseType::Named(name), value) => match (signatures.input(name), value) {
            (Some(InputType::Enum(values)), value) => {
                let chosen = match (value, origin) {
                    (Value::Enum(name), _) => name,
                    (Value::String(name), Origin::Variable) => Name::new(name),
                    _ => return Err(Misfit::new(ty)),
                };
                if values.contains(&chosen) { Ok(Value::Enum(chosen)) } else { Err(Misfit::new(ty)) }
            }
            (Some(InputType::Object(fields)), Value::Object(given)) => input_object(signatures, fields, given, origin),
            (Some(InputType::Object(_)), _) => Err(Misfit::new(ty)),
            (None, value) => scalar(name, value).ok_or_else(|| Misfit::new(ty)),
        },
    }
}

fn input_object(
    signatures: &Signatures,
    fields: &[Input],
    mut given: indexmap::IndexMap<Name, Value>,
    origin: Origin,
) -> Result<Value, Misfit> {
    let mut object = indexmap::IndexMap::new();
    for field in fields {
        let value = match given.shift_remove(&field.name) {
            Some(value) => coerce(signatures, &field.ty, value, origin),
            None => match &field.default {
                Some(default) => coerce(signatures, &field.ty, default.clone(), Origin::Literal),
                None if field.ty.nullable => continue,
                None => Err(Misfit::new(&field.ty)),
            },
        };
        let value = value.map_err(|misfit| misfit.inside(&format!(".{}", field.name)))?;
        object.insert(field.name.clone(), value);
    }
    if !given.is_empty() {
        return Err(Misfit { at: String::new(), expected: "only fields that its type has".to_owned() });
    }
    Ok(Value::Object(object))
}

/// GraphQL's own scalars, the only ones that this schema takes in.
fn scalar(name: &Name, value: Value) -> Option<Value> {
    match (name.as_str(), value) {
        ("Int", Value::Number(number)) => int(&number).map(|int| Value::Number(int.into())),
        ("Float", Value::Number(number)) => Some(Value::Number(number)),
        ("String" | "ID", Value::String(text)) => Some(Value::String(text)),
        ("ID", Value::Number(number)) if number.is_i64() || number.is_u64() => Some(Value::String(number.to_string())),
        ("Boolean", Value::Boolean(boolean)) => Some(Value::Boolean(boolean)),
        _ => None,
    }
}

/// JSON has one kind of number: `1.0` is an Int too.
fn int(number: &Number) -> Option<i32> {
    if let Some(int) = number.as_i64() {
        return i32::try_from(int).ok();
    }
    let float = number.as_f64()?;
    let fits = float.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&float);
    #[expect(clippy::cast_possible_truncation, reason = "checked on the line above")]
    fits.then_some(float as i32)
}

/// Whether a variable of type `variable` may stand where `location` is expected:
/// <https://spec.graphql.org/October2021/#IsVariableUsageAllowed()>. `has_default` is about either of the two.
pub(crate) fn may_stand_in(variable: &Type, location: &Type, has_default: bool) -> bool {
    if !location.nullable && variable.nullable {
        let nullable = Type { base: location.base.clone(), nullable: true };
        return has_default && may_stand_in(variable, &nullable, false);
    }
    match (&variable.base, &location.base) {
        (BaseType::Named(variable), BaseType::Named(location)) => variable == location,
        (BaseType::List(variable), BaseType::List(location)) => may_stand_in(variable, location, false),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    fn signatures() -> Signatures {
        Signatures::read(
            "enum Color { RED GREEN }
             input Paint { color: Color! = RED coats: Int layers: [Paint!] }
             type Query { paint(with: Paint): Int }",
        )
        .unwrap()
    }

    fn coerced(ty: &str, value: Value, origin: Origin) -> Result<Value, Misfit> {
        coerce(&signatures(), &Type::new(ty).unwrap(), value, origin)
    }

    #[test]
    fn values_of_variables_are_coerced() {
        let color = |name: &str| Value::Enum(Name::new(name));
        for (ty, given, expected) in [
            ("Int", value!(5), Some(value!(5))),
            ("Int", value!(5.0), Some(value!(5))),
            ("Int", value!(5.5), None),
            ("Int", value!(2_147_483_648_i64), None),
            ("Int", value!("5"), None),
            ("Int!", value!(null), None),
            ("Int", value!(null), Some(value!(null))),
            ("ID", value!(7), Some(value!("7"))),
            ("ID", value!(7.5), None),
            ("String", value!(7), None),
            ("Boolean", value!("true"), None),
            ("[Int!]", value!(1), Some(value!([1]))),
            ("[Int!]", value!([1, null]), None),
            ("Color", value!("RED"), Some(color("RED"))),
            ("Color", value!("BLUE"), None),
            ("Paint", value!({"color": "BLUE"}), None),
            ("Paint", value!({"colour": "RED"}), None),
            ("Paint", value!([]), None),
        ] {
            assert_eq!(coerced(ty, given.clone(), Origin::Variable).ok(), expected, "{given} as {ty}");
        }
    }

    #[test]
    fn defaults_of_input_fields_are_filled_in_at_every_level() {
        let coerced = coerced("Paint", value!({"layers": {"coats": 2}}), Origin::Variable).unwrap();
        assert_eq!(coerced.to_string(), "{color: RED, layers: [{color: RED, coats: 2}]}");
    }

    #[test]
    fn a_literal_enum_is_no_string() {
        assert!(coerced("Color", value!("RED"), Origin::Literal).is_err());
        assert!(coerced("Color", Value::Enum(Name::new("RED")), Origin::Literal).is_ok());
    }

    #[test]
    fn a_misfit_says_where() {
        let misfit =
            coerced("Paint", value!({"layers": [{"coats": 1}, {"coats": "two"}]}), Origin::Variable).unwrap_err();
        assert_eq!((misfit.at.as_str(), misfit.expected.as_str()), (".layers[1].coats", "a value of type `Int`"));
    }

    #[test]
    fn variables_stand_where_their_type_fits() {
        for (variable, location, has_default, expected) in [
            ("Int", "Int", false, true),
            ("Int!", "Int", false, true),
            ("Int", "Int!", false, false),
            ("Int", "Int!", true, true),
            ("String", "Int", true, false),
            ("[Int!]", "[Int]", false, true),
            ("[Int]", "[Int!]", true, false),
            ("Int", "[Int]", false, false),
        ] {
            let (variable, location) = (Type::new(variable).unwrap(), Type::new(location).unwrap());
            assert_eq!(may_stand_in(&variable, &location, has_default), expected, "{variable} in {location}");
        }
    }
}
