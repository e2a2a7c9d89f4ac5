//! Completion of values that are there whole, which are the gateway's own and introspection's: what was selected of them, and an
//! error for each object that is one. <https://spec.graphql.org/September2025/#CompleteValue()>.

use apollo_compiler::ast::Type;
use serde_json::{Map, Value};

use super::error::GraphqlError;
use super::field_result::{FieldErrors, FieldResult};
use super::operation::SelectedField;
use super::plan::{PathStep, PathTemplate};
use super::project::json;
use super::type_system::TypeSystem;

/// The result of a root field that has this value, with what was selected under its response keys.
pub(crate) fn complete(types: &TypeSystem, field: &SelectedField, value: Result<&Value, GraphqlError>) -> FieldResult {
    let errors = FieldErrors::new(&field.key, field.location);
    let mut completion = Completion { types, errors, path: Vec::new(), indices: Vec::new(), out: Vec::new() };
    let completed = value.map(|value| completion.field(field, value));
    let Completion { errors, out, .. } = completion;
    errors.result(completed.map(|_| out))
}

struct Completion<'a> {
    types: &'a TypeSystem,
    errors: FieldErrors<'a>,
    /// The path of the present value, and the indices in it.
    path: Vec<PathStep>,
    indices: Vec<usize>,
    out: Vec<u8>,
}

impl Completion<'_> {
    fn field(&mut self, field: &SelectedField, value: &Value) -> bool {
        let definition = self.types.field(&field.parent, &field.name);
        definition.is_some_and(|definition| self.value(field, &definition.ty, value))
    }

    /// Appends a value of this type, which is null where it cannot be completed. False if it may not be null. Depth is bounded:
    /// values are the schema's own.
    fn value(&mut self, field: &SelectedField, ty: &Type, value: &Value) -> bool {
        let start = self.out.len();
        let is_complete = match value {
            Value::Null => false,
            Value::Object(entries) => self.object(field, ty, entries),
            Value::Array(items) => self.list(field, ty.item_type(), items),
            Value::String(text) => {
                json::write_string(text, &mut self.out);
                true
            }
            Value::Bool(_) | Value::Number(_) => {
                self.out.extend_from_slice(value.to_string().as_bytes());
                true
            }
        };
        if !is_complete {
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
        }
        is_complete || !ty.is_non_null()
    }

    fn list(&mut self, field: &SelectedField, ty: &Type, items: &[Value]) -> bool {
        self.out.push(b'[');
        self.path.push(PathStep::Index);
        let is_complete = items.iter().enumerate().all(|(index, item)| {
            json::write_comma(index, &mut self.out);
            self.indices.push(index);
            let is_complete = self.value(field, ty, item);
            self.indices.pop();
            is_complete
        });
        self.path.pop();
        self.out.push(b']');
        is_complete
    }

    fn object(&mut self, field: &SelectedField, ty: &Type, entries: &Map<String, Value>) -> bool {
        if let Some(failure) = field.failure(ty.inner_named_type()) {
            let path = PathTemplate(self.path.clone().into());
            self.errors.null(&vec![(&path, &*self.indices)], failure);
            return false;
        }
        self.out.push(b'{');
        let is_complete = field.fields.iter().enumerate().all(|(index, field)| {
            json::write_comma(index, &mut self.out);
            json::write_string(&field.key, &mut self.out);
            self.out.push(b':');
            self.path.push(PathStep::Key(field.key.clone(), field.location));
            let is_complete = self.field(field, entries.get(field.key.as_str()).unwrap_or(&Value::Null));
            self.path.pop();
            is_complete
        });
        self.out.push(b'}');
        is_complete
    }
}
