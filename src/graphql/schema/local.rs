//! Root fields that the gateway answers itself, on their way to async-graphql and back. It is given AST made from the normal
//! form, never text.

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field as AstField, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::{Name as AstName, PathSegment as AstSegment, Pos, Positioned, Request, Value as AstValue};

use super::Schema;
use crate::auth::Caller;
use crate::graphql::error::{FieldError, GraphqlError, Location, PathSegment};
use crate::graphql::operation::{Arguments, Name, SelectedField, Value};
use crate::graphql::project::json;
use crate::graphql::type_system::TypeSystem;

/// The root fields of an operation that the gateway answers itself.
pub(crate) struct LocalDocument(ExecutableDocument);

/// The answer to a [`LocalDocument`].
#[derive(Default)]
pub(crate) struct LocalAnswer {
    data: AstValue,
    pub(crate) errors: Vec<FieldError>,
}

impl LocalDocument {
    /// The document of `fields`, which stand at the root of the schema. None if there are none.
    pub(crate) fn new<'f>(types: &TypeSystem, fields: impl Iterator<Item = &'f SelectedField>) -> Option<Self> {
        let selection_set = selection(types, fields);
        (!selection_set.node.items.is_empty()).then(|| {
            let operation = OperationDefinition {
                ty: OperationType::Query,
                variable_definitions: Vec::new(),
                directives: Vec::new(),
                selection_set,
            };
            let operations = DocumentOperations::Single(position(operation));
            Self(ExecutableDocument { operations, fragments: Default::default() })
        })
    }

    /// Has async-graphql answer `caller`.
    pub(crate) async fn execute(&self, schema: &Schema, caller: Caller) -> LocalAnswer {
        let mut request = Request::new(String::new()).data(caller);
        request.set_parsed_query(self.0.clone());
        let response = schema.execute(request).await;
        let errors = response.errors.iter().map(|error| {
            tracing::error!(message = error.message, "the gateway cannot tell of itself");
            let at = error.locations.iter().map(|pos| Location { line: pos.line, column: pos.column });
            let path = error.path.iter().filter_map(|segment| match segment {
                AstSegment::Field(key) => Name::new(key).ok().map(PathSegment::Key),
                AstSegment::Index(index) => Some(PathSegment::Index(*index)),
            });
            FieldError { error: at.fold(GraphqlError::internal(), GraphqlError::at), path: path.collect() }
        });
        LocalAnswer { errors: errors.collect(), data: response.data }
    }
}

impl LocalAnswer {
    /// Writes the answer under `key`, of which `fields` were selected.
    pub(crate) fn write(&self, key: &Name, fields: &[SelectedField], out: &mut Vec<u8>) {
        write(&self.data, key, fields, out);
    }
}

fn selection<'f>(types: &TypeSystem, fields: impl Iterator<Item = &'f SelectedField>) -> Positioned<SelectionSet> {
    let items = fields.map(|field| {
        let Location { line, column } = field.location;
        let pos = Pos { line, column };
        Positioned::new(Selection::Field(Positioned::new(ast(types, field), pos)), pos)
    });
    position(SelectionSet { items: items.collect() })
}

fn ast(types: &TypeSystem, field: &SelectedField) -> AstField {
    let mut selection_set = selection(types, field.fields.iter());
    let definition = types.field(&field.parent, &field.name);
    let is_composite = definition.is_some_and(|definition| types.is_composite(definition.ty.inner_named_type()));
    if is_composite && field.fields.is_empty() {
        // async-graphql answers `null` for an object of which nothing is selected, where the specification has `{}`.
        let typename = AstField {
            alias: None,
            name: position(AstName::new("__typename")),
            arguments: Vec::new(),
            directives: Vec::new(),
            selection_set: position(SelectionSet::default()),
        };
        selection_set.node.items.push(position(Selection::Field(position(typename))));
    }
    let arguments = field.arguments.iter().flat_map(Arguments::iter);
    AstField {
        alias: (field.key != field.name).then(|| position(AstName::new(&field.key))),
        name: position(AstName::new(&field.name)),
        arguments: arguments
            .map(|(name, value)| (position(AstName::new(name)), position(const_value(value).into())))
            .collect(),
        directives: Vec::new(),
        selection_set,
    }
}

fn position<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Pos::default())
}

/// A value in async-graphql's type for it.
pub(super) fn const_value(value: &Value) -> AstValue {
    match value {
        Value::Null => AstValue::Null,
        Value::Boolean(boolean) => AstValue::Boolean(*boolean),
        Value::Int(int) => AstValue::Number((*int).into()),
        Value::Float(float) => AstValue::from(*float),
        Value::String(text) => AstValue::String(text.clone()),
        Value::Enum(name) => AstValue::Enum(AstName::new(name)),
        Value::List(items) => AstValue::List(items.iter().map(const_value).collect()),
        Value::Object(fields) => {
            AstValue::Object(fields.iter().map(|(name, value)| (AstName::new(name), const_value(value))).collect())
        }
    }
}

fn write(answer: &AstValue, key: &Name, fields: &[SelectedField], out: &mut Vec<u8>) {
    match answer {
        AstValue::Object(answers) => match answers.get(key.as_str()) {
            Some(value) => write_value(value, fields, out),
            None => out.extend_from_slice(b"null"),
        },
        _ => out.extend_from_slice(b"null"),
    }
}

/// Depth is bounded: values that async-graphql builds are the schema's own.
fn write_value(value: &AstValue, fields: &[SelectedField], out: &mut Vec<u8>) {
    match value {
        AstValue::Object(_) => {
            out.push(b'{');
            for (index, field) in fields.iter().enumerate() {
                json::write_comma(index, out);
                json::write_string(&field.key, out);
                out.push(b':');
                write(value, &field.key, &field.fields, out);
            }
            out.push(b'}');
        }
        AstValue::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                json::write_comma(index, out);
                write_value(item, fields, out);
            }
            out.push(b']');
        }
        AstValue::Null | AstValue::Binary(_) => out.extend_from_slice(b"null"),
        AstValue::Boolean(boolean) => out.extend_from_slice(if *boolean { b"true" } else { b"false" }),
        AstValue::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        AstValue::String(text) => json::write_string(text, out),
        AstValue::Enum(name) => json::write_string(name, out),
    }
}
