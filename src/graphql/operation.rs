//! The normal form: what an operation comes to once its variables are known.
//!
//! Variables are coerced and put in place, defaults filled in, `@skip` and `@include` decided, fragments written out, and
//! fields under one response key merged at every level, in the document's order. What is planned, executed and shared is
//! this form.

use std::collections::{HashMap, HashSet};

use apollo_compiler::Node;
use apollo_compiler::ast::{Argument, DirectiveList, InputValueDefinition};
use apollo_compiler::executable::{self, Selection, SelectionSet};
use indexmap::IndexMap;

pub(crate) use apollo_compiler::Name;
pub(crate) use apollo_compiler::ast::OperationType;

pub(crate) use super::coercion::Value;
use super::coercion::{ARGUMENT_BYTES, CoercionError, Input, VariableValues, coerce};
use super::document::{Document, Lines};
use super::error::{ErrorCode, GraphqlError, Location};
use super::type_system::TypeSystem;
use super::variables::Variables;
use crate::auth0;

/// Auth0's largest page.
pub(crate) const LARGEST_PAGE: u64 = auth0::LARGEST_PAGE.unsigned_abs();

/// The largest page of a connection, which takes several calls.
pub(crate) const LARGEST_FIRST: u64 = 5 * LARGEST_PAGE;

/// The arguments that size a page, with the largest.
const PAGE_SIZES: [(&str, u64); 3] = [("perPage", LARGEST_PAGE), ("take", LARGEST_PAGE), ("first", LARGEST_FIRST)];

/// The argument that lists the records which a federation gateway asks for.
pub(crate) const REPRESENTATIONS: &str = "representations";

/// An operation in normal form.
#[derive(Debug, PartialEq)]
pub(crate) struct Operation {
    pub(crate) name: Option<Name>,
    pub(crate) kind: OperationType,
    /// The root fields, in the order in which they are answered.
    pub(crate) fields: Vec<SelectedField>,
    /// The error for which nothing is answered: a condition among the root fields is null.
    pub(crate) failure: Option<GraphqlError>,
    /// Bytes that the values of variables come to in the arguments, about.
    pub(crate) argument_bytes: usize,
}

/// A field in normal form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SelectedField {
    /// The object type that it is a field of. Where a selection is of an interface, its fields are there for each of the types that
    /// implement it.
    pub(crate) parent: Name,
    /// The response key.
    pub(crate) key: Name,
    pub(crate) name: Name,
    /// Err where the value of a variable does not fit after all: then the field is null, with this error.
    pub(crate) arguments: Result<Arguments, GraphqlError>,
    pub(crate) location: Location,
    /// Empty for leaves, and where everything that was selected is skipped.
    pub(crate) fields: Vec<SelectedField>,
    /// The object types of whose fields a condition is null, each with the error that every such object is.
    pub(crate) failures: Vec<(Name, GraphqlError)>,
}

/// The arguments of a field, in the schema's order. Those that are absent and have no default are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Arguments(Vec<(Name, Value)>);

impl Arguments {
    /// The same without the argument of this name.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }

    /// The value of the argument of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl SelectedField {
    /// The value of the argument of this name. None where the arguments do not fit.
    pub(crate) fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.as_ref().ok()?.get(name)
    }

    /// The error that every object of this type is.
    pub(crate) fn failure(&self, object: &str) -> Option<&GraphqlError> {
        self.failures.iter().find_map(|(of, failure)| (of == object).then_some(failure))
    }

    /// The most records that it brings by its arguments: 1 where none of them sizes a page or lists them. A size beyond the greatest is refused where the
    /// argument is read, in clearer words.
    pub(crate) fn page_size(&self) -> u64 {
        if let Some(Value::List(records)) = self.argument(REPRESENTATIONS) {
            return records.len().max(1) as u64;
        }
        match PAGE_SIZES.iter().find_map(|(name, largest)| Some((self.argument(name)?, largest))) {
            Some((Value::Int(size), largest)) => u64::try_from(*size).unwrap_or(0).clamp(1, *largest),
            _ => 1,
        }
    }
}

/// The operation of `document` that is meant: <https://spec.graphql.org/September2025/#GetOperation()>.
pub(crate) fn choose<'d>(
    document: &'d Document,
    name: Option<&str>,
) -> Result<&'d Node<executable::Operation>, GraphqlError> {
    document.operations.get(name).map_err(|_| {
        let message = match name {
            Some(_) => "The document has no operation of the name that `operationName` gives.",
            None => "The document has several operations: say in `operationName` which one is meant.",
        };
        GraphqlError::new(ErrorCode::BadRequest, message)
    })
}

impl Operation {
    /// Brings an operation of `document` into normal form. `values` are those of its variables, in JSON, in the order of their
    /// definitions.
    pub(crate) fn new(
        types: &TypeSystem,
        document: &Document,
        operation: &executable::Operation,
        values: &[Option<Box<str>>],
    ) -> Result<Self, Vec<GraphqlError>> {
        let variables = coerce_variables(types, &document.lines, operation, values)?;
        let normal = Normalizer { types, document, variables: VariableValues::new(variables) };
        let root = &operation.selection_set;
        let selected = normal.merge(&root.ty, &[root]);
        let argument_bytes = normal.variables.copied();
        if argument_bytes > ARGUMENT_BYTES {
            return Err(vec![too_large(argument_bytes)]);
        }
        let (fields, mut failures) = selected.map_err(|failure| vec![failure])?;
        let fields = fields.into_iter().map(node::resolve).collect();
        let failure = failures.pop().map(|(_, failure)| failure);
        let (name, kind) = (operation.name.clone(), operation.operation_type);
        Ok(Self { name, kind, fields, failure, argument_bytes })
    }
}

fn too_large(argument_bytes: usize) -> GraphqlError {
    let message = format!(
        "The values of the variables come to {argument_bytes} bytes, each as often as it is named, and the limit is {ARGUMENT_BYTES}."
    );
    GraphqlError::new(ErrorCode::TooComplex, message)
        .with("measure", "argument bytes")
        .with("limit", ARGUMENT_BYTES)
        .with("value", argument_bytes)
}

/// The values that a request gives for the variables of `operation`, in the order of their definitions.
pub(crate) fn values_of(operation: &executable::Operation, mut given: Variables) -> Box<[Option<Box<str>>]> {
    operation.variables.iter().map(|variable| given.take(&variable.name)).collect()
}

/// <https://spec.graphql.org/September2025/#CoerceVariableValues()>. A variable that is absent and has no default stays
/// absent.
fn coerce_variables(
    types: &TypeSystem,
    lines: &Lines,
    operation: &executable::Operation,
    values: &[Option<Box<str>>],
) -> Result<HashMap<Name, Value>, Vec<GraphqlError>> {
    let none = VariableValues::default();
    let mut coerced = HashMap::new();
    let mut failures = Vec::new();
    for (definition, value) in operation.variables.iter().zip(values) {
        let (name, ty) = (&definition.name, &definition.ty);
        let mut fail = |message| {
            let failure = GraphqlError::new(ErrorCode::ValidationFailed, message);
            failures.push(failure.at(lines.location(definition.location())));
        };
        let expected = (&**ty, definition.default_value.as_deref());
        match coerce(types, &none, expected, value.as_deref().map(Input::Json)) {
            Ok(value) => coerced.extend(value.map(|value| (name.clone(), value))),
            Err(_) if value.is_none() && expected.1.is_none() => {
                fail(format!("The variable `${name}` of type `{ty}` is required and was not given."));
            }
            Err(errors) => errors.into_iter().for_each(|CoercionError { path, expected }| {
                fail(format!("The variable `${name}{path}` does not fit: {expected} is expected."));
            }),
        }
    }
    if failures.is_empty() { Ok(coerced) } else { Err(failures) }
}

struct Normalizer<'d> {
    types: &'d TypeSystem,
    document: &'d Document,
    variables: VariableValues,
}

/// Fields by their response keys.
type Groups<'d> = IndexMap<&'d Name, Vec<&'d Node<executable::Field>>>;

/// Merged selections: [`SelectedField::fields`] and [`SelectedField::failures`].
type Merged = (Vec<SelectedField>, Vec<(Name, GraphqlError)>);

impl<'d> Normalizer<'d> {
    /// The fields that `selections` come to, which are of the type `ty`.
    fn merge(&self, ty: &Name, selections: &[&'d SelectionSet]) -> Result<Merged, GraphqlError> {
        let (mut fields, mut failures) = Merged::default();
        if selections.iter().all(|selection| selection.is_empty()) {
            return Ok((fields, failures));
        }
        for object in self.types.possible_types(ty) {
            match self.group(&object, selections) {
                Ok(groups) => {
                    for (key, group) in groups {
                        fields.push(self.field(&object, key, &group)?);
                    }
                }
                Err(failure) => failures.push((object, failure)),
            }
        }
        Ok((fields, failures))
    }

    /// <https://spec.graphql.org/September2025/#CollectFields()>, and the same for what the fields select. An error if a condition is
    /// null.
    fn group(&self, object: &Name, selections: &[&'d SelectionSet]) -> Result<Groups<'d>, GraphqlError> {
        let (mut groups, mut visited) = (Groups::new(), HashSet::new());
        for selection in selections {
            self.collect(object, selection, &mut visited, &mut groups)?;
        }
        Ok(groups)
    }

    fn collect(
        &self,
        object: &Name,
        selection: &'d SelectionSet,
        visited: &mut HashSet<&'d Name>,
        groups: &mut Groups<'d>,
    ) -> Result<(), GraphqlError> {
        for item in &selection.selections {
            // As in graphql-js, whose conditions count where a fragment is spread first.
            if matches!(item, Selection::FragmentSpread(spread) if visited.contains(&spread.fragment_name)) {
                continue;
            }
            if !self.is_included(item.directives())? {
                continue;
            }
            let inner = match item {
                Selection::Field(field) => {
                    groups.entry(field.response_key()).or_default().push(field);
                    continue;
                }
                Selection::InlineFragment(fragment) => &fragment.selection_set,
                Selection::FragmentSpread(spread) => {
                    let name = &spread.fragment_name;
                    let fragment = self.document.fragments.get(name).filter(|_| visited.insert(name));
                    let Some(fragment) = fragment else { continue };
                    &fragment.selection_set
                }
            };
            if self.types.applies(&inner.ty, object) {
                self.collect(object, inner, visited, groups)?;
            }
        }
        Ok(())
    }

    /// Fields under one key are one field, of which everything is selected that any of them selects.
    fn field(
        &self,
        parent: &Name,
        key: &Name,
        group: &[&'d Node<executable::Field>],
    ) -> Result<SelectedField, GraphqlError> {
        let first = group.first().ok_or_else(|| GraphqlError::bug("a response key has no field"))?;
        let definition = self
            .types
            .field(parent, &first.name)
            .ok_or_else(|| GraphqlError::bug("a valid document has a field that its type has not"))?;
        let location = self.document.lines.location(first.location());
        let selections: Vec<_> = group.iter().map(|field| &field.selection_set).collect();
        let (fields, failures) = self.merge(definition.ty.inner_named_type(), &selections)?;
        Ok(SelectedField {
            parent: parent.clone(),
            key: key.clone(),
            name: first.name.clone(),
            arguments: self.arguments(&definition.arguments, &first.arguments),
            location,
            fields,
            failures,
        })
    }

    /// <https://spec.graphql.org/September2025/#CoerceArgumentValues()>.
    fn arguments(
        &self,
        definitions: &[Node<InputValueDefinition>],
        given: &[Node<Argument>],
    ) -> Result<Arguments, GraphqlError> {
        let mut arguments = Vec::with_capacity(definitions.len());
        for definition in definitions {
            let name = &definition.name;
            let written = given.iter().find(|argument| argument.name == *name);
            let expected = (&*definition.ty, definition.default_value.as_deref());
            let value = written.map(|argument| Input::Literal(&argument.value));
            let value = coerce(self.types, &self.variables, expected, value).map_err(|errors| misfit(name, &errors))?;
            arguments.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(Arguments(arguments))
    }

    fn is_included(&self, directives: &DirectiveList) -> Result<bool, GraphqlError> {
        for (name, wanted) in [("skip", false), ("include", true)] {
            let Some(directive) = directives.get(name) else { continue };
            let arguments = self.arguments(self.types.directive(name), &directive.arguments);
            let arguments =
                arguments.map_err(|failure| failure.at(self.document.lines.location(directive.location())))?;
            if arguments.get("if") != Some(&Value::Boolean(wanted)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn misfit(argument: &Name, errors: &[CoercionError]) -> GraphqlError {
    let parts = errors.iter().map(|CoercionError { path, expected }| {
        format!("The argument `{argument}{path}` does not fit: {expected} is expected.")
    });
    GraphqlError::new(ErrorCode::BadUserInput, parts.collect::<Vec<_>>().join(" ")).with("argument", argument.as_str())
}

mod node;
#[cfg(any(test, feature = "bench", feature = "fuzzing"))]
mod print;
#[cfg(test)]
mod tests;
