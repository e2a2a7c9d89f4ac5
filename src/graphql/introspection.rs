//! Introspection, which apollo-compiler answers: <https://spec.graphql.org/September2025/#sec-Introspection>.
//!
//! It is given an operation made from the normal form, of one root field with all values in place.

use apollo_compiler::ast;
use apollo_compiler::executable::{self, Selection, SelectionSet};
use apollo_compiler::introspection::partial_execute;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node, name};
use serde::Serialize as _;
use serde_json::Value as Json;

use super::error::GraphqlError;
use super::operation::{Arguments, SelectedField, Value};
use super::type_system::TypeSystem;

/// The value of `field`, a `__schema`, a `__type` or a `__typename` at the root. It is the same for whoever asks.
pub(crate) fn answer(types: &TypeSystem, field: &SelectedField) -> Result<Json, GraphqlError> {
    let operation = executable::Operation {
        operation_type: ast::OperationType::Query,
        name: None,
        variables: Vec::new(),
        directives: Default::default(),
        selection_set: selection_set(types, types.query(), std::slice::from_ref(field)),
    };
    let document = Valid::assume_valid(ExecutableDocument::new());
    let variables = Valid::assume_valid(Default::default());
    let response = partial_execute(types.schema(), types.implementers(), &document, &operation, &variables)
        .map_err(|error| GraphqlError::bug(&error.message().to_string()))?;
    if let Some(error) = response.errors.first() {
        return Err(GraphqlError::bug(&error.message));
    }
    let mut data = response.data.unwrap_or_default();
    let value = data.remove(field.key.as_str()).unwrap_or_default();
    let mut value =
        value.serialize(serde_json::value::Serializer).map_err(|error| GraphqlError::bug(&error.to_string()))?;
    put_is_one_of(types, &field.fields, &mut value);
    Ok(value)
}

/// A field of `__Type` that apollo-compiler 1.33 does not answer; the name of the type tells.
const IS_ONE_OF: &str = "isOneOf";

fn selection_set(types: &TypeSystem, ty: &Name, fields: &[SelectedField]) -> SelectionSet {
    let mut set = SelectionSet::new(ty.clone());
    set.extend(fields.iter().filter_map(|field| Some(Selection::Field(Node::new(selected(types, field)?)))));
    set
}

fn selected(types: &TypeSystem, field: &SelectedField) -> Option<executable::Field> {
    let name = if field.name == IS_ONE_OF { name!("name") } else { field.name.clone() };
    let definition = types.field(&field.parent, &name)?.node.clone();
    let inner = selection_set(types, definition.ty.inner_named_type(), &field.fields);
    let arguments = field.arguments.iter().flat_map(Arguments::iter);
    let arguments = arguments
        .map(|(name, value)| Node::new(ast::Argument { name: name.clone(), value: Node::new(literal(value)) }));
    let selected = executable::Field::new(name, definition).with_alias(field.key.clone()).with_arguments(arguments);
    Some(executable::Field { selection_set: inner, ..selected })
}

fn literal(value: &Value) -> ast::Value {
    match value {
        Value::Null => ast::Value::Null,
        Value::Boolean(boolean) => ast::Value::Boolean(*boolean),
        Value::Int(int) => ast::Value::Int((*int).into()),
        Value::Float(float) => ast::Value::Float((*float).into()),
        Value::String(text) => ast::Value::String(text.clone()),
        Value::Enum(name) => ast::Value::Enum(name.clone()),
        Value::List(items) => ast::Value::List(items.iter().map(|item| Node::new(literal(item))).collect()),
        Value::Object(fields) => {
            ast::Value::Object(fields.iter().map(|(name, value)| (name.clone(), Node::new(literal(value)))).collect())
        }
    }
}

/// Puts the truth in place of the names that were asked for it.
fn put_is_one_of(types: &TypeSystem, fields: &[SelectedField], value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| put_is_one_of(types, fields, item)),
        Json::Object(values) => {
            for field in fields {
                match values.get_mut(field.key.as_str()) {
                    Some(name) if field.name == IS_ONE_OF => *name = is_one_of(types, name),
                    Some(value) => put_is_one_of(types, &field.fields, value),
                    None => {}
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn is_one_of(types: &TypeSystem, name: &Json) -> Json {
    match name.as_str().and_then(|name| types.get(name)) {
        Some(ExtendedType::InputObject(object)) => object.directives.has("oneOf").into(),
        _ => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::graphql::completion::complete;
    use crate::graphql::document::{DocumentSettings, Documents};
    use crate::graphql::limits::Limits;
    use crate::graphql::operation::{Operation, choose};
    use crate::graphql::sdl;
    use crate::graphql::type_system::TypeSystem;

    fn answer_to(text: &str) -> String {
        let types = Arc::new(TypeSystem::parse(&sdl()).unwrap());
        let documents = Documents::new(Arc::clone(&types), Limits::default(), DocumentSettings::default());
        let document = documents.get(text).unwrap();
        let operation = Operation::new(&types, &document, choose(&document, None).unwrap(), &[]).unwrap();
        let [field] = &*operation.fields else { unreachable!("one root field is asked for") };
        let value = super::answer(&types, field).unwrap();
        let json = complete(&types, field, Ok(&value)).json.unwrap_or_else(|| "null".into());
        String::from_utf8(json.into()).unwrap()
    }

    #[test]
    fn whether_a_type_is_one_of_several_fields_is_told_of_input_objects_alone() {
        let document = r#"{ __schema { queryType { isOneOf } types { kind isOneOf } } }"#;
        let answer: serde_json::Value = serde_json::from_str(&answer_to(document)).unwrap();
        assert_eq!(answer["queryType"]["isOneOf"], serde_json::Value::Null);
        let expected =
            |ty: &serde_json::Value| if ty["kind"] == "INPUT_OBJECT" { false.into() } else { serde_json::Value::Null };
        let types = answer["types"].as_array().unwrap();
        assert!(types.iter().all(|ty| ty["isOneOf"] == expected(ty)), "{answer}");
    }

    #[test]
    fn what_is_answered_has_the_documents_keys_in_its_order() {
        insta::assert_snapshot!(
            answer_to(r#"{ a: __type(name: "SortDirection") { values: enumValues { n: name __typename } k: kind name fields { name } } }"#),
            @r#"
            {"values":[{"n":"ASC","__typename":"__EnumValue"},{"n":"DESC","__typename":"__EnumValue"}],"k":"ENUM","name":"SortDirection","fields":null}
            "#
        );
        insta::assert_snapshot!(answer_to("{ __schema { queryType { name @skip(if: true) } description } }"), @r#"
        {"queryType":{},"description":"Users and logs of an Auth0 tenant, read through the Auth0 Management API. There are no mutations: the gateway cannot write."}
        "#);
        insta::assert_snapshot!(answer_to(r#"{ __type(name: "Nobody") { name } }"#), @r#"
        null
        "#);
        insta::assert_snapshot!(answer_to("{ __typename }"), @r#"
        "Query"
        "#);
    }
}
