//! Root fields that the gateway answers itself, on their way to async-graphql and back. It is given AST made from the normal
//! form, never text.

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field as AstField, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::{Name as AstName, PathSegment as AstSegment, Pos, Positioned, Request, Value as AstValue};
use serde_json::Value as Json;

use super::Schema;
use crate::auth::Caller;
use crate::graphql::error::{FieldError, GraphqlError, Location, PathSegment};
use crate::graphql::operation::{Arguments, Name, SelectedField, Value};
use crate::graphql::type_system::TypeSystem;

/// The root fields of an operation that the gateway answers itself.
pub(crate) struct LocalDocument(ExecutableDocument);

/// The answer to a [`LocalDocument`].
pub(crate) struct LocalAnswer {
    data: Json,
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
            let failure = GraphqlError::bug(&format!("the gateway cannot tell of itself: {}", error.message));
            let at = error.locations.iter().map(|pos| Location { line: pos.line, column: pos.column });
            let path = error.path.iter().filter_map(|segment| match segment {
                AstSegment::Field(key) => Name::new(key).ok().map(PathSegment::Key),
                AstSegment::Index(index) => Some(PathSegment::Index(*index)),
            });
            FieldError { error: at.fold(failure, GraphqlError::at), path: path.collect() }
        });
        // A float that is no number, which JSON cannot have, would be a bug.
        let data = response.data.into_json().unwrap_or_default();
        LocalAnswer { errors: errors.collect(), data }
    }
}

impl LocalAnswer {
    /// The value of the root field of this key.
    pub(crate) fn value(&self, key: &Name) -> &Json {
        self.data.get(key.as_str()).unwrap_or(&Json::Null)
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
