//! The normal form: what an operation comes to once its variables are known.
//!
//! Variables are coerced and put in place, defaults filled in, `@skip` and `@include` decided, fragments written out, and
//! fields under one response key merged at every level, in the document's order. What is planned, executed and shared is
//! this form: async-graphql's executor merges nothing, and ignores defaults where ordinary front ends rely on them.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection,
    SelectionSet, VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned, Value as ConstValue, Variables};
use async_graphql_value::Value;
use indexmap::IndexMap;

use super::coercion::{Misfit, Origin, coerce};
use super::error::{ErrorCode, Failure};
use super::signature::{Input, Signatures};

/// The response key that stands in for an empty selection. No document can write it, and the response writer drops it:
/// async-graphql answers `null` for an object of which nothing is selected, where the specification has `{}`.
pub(crate) const EMPTY: &str = "";

/// An operation in normal form.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) name: Option<Name>,
    pub(crate) definition: OperationDefinition,
}

impl Operation {
    /// Chooses the operation that is meant and brings it into normal form.
    pub(crate) fn new(
        signatures: &Signatures,
        document: &ExecutableDocument,
        name: Option<&str>,
        variables: Variables,
    ) -> Result<Self, Failure> {
        let (name, operation) = choose(&document.operations, name)?;
        let normal = Normal {
            signatures,
            fragments: &document.fragments,
            variables: coerce_variables(signatures, &operation.node.variable_definitions, variables)?,
        };
        let selection = &operation.node.selection_set;
        let fields = normal.merge(signatures.query(), &[&selection.node])?;
        let definition = OperationDefinition {
            ty: operation.node.ty,
            variable_definitions: Vec::new(),
            directives: Vec::new(),
            selection_set: Positioned::new(fields, selection.pos),
        };
        Ok(Self { name: name.cloned(), definition })
    }

    /// The root fields' response keys, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Name> {
        self.fields().map(|field| &field.response_key().node)
    }

    /// The root fields, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        fields(&self.definition.selection_set.node)
    }

    /// The root fields and where they stand, in order.
    pub(crate) fn positioned_fields(&self) -> impl Iterator<Item = &Positioned<Field>> {
        positioned_fields(&self.definition.selection_set.node)
    }
}

/// The fields of a selection in normal form.
pub(crate) fn fields(selection: &SelectionSet) -> impl Iterator<Item = &Field> {
    positioned_fields(selection).map(|field| &field.node)
}

fn positioned_fields(selection: &SelectionSet) -> impl Iterator<Item = &Positioned<Field>> {
    selection.items.iter().filter_map(|item| match &item.node {
        Selection::Field(field) => Some(field),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
    })
}

/// <https://spec.graphql.org/October2021/#GetOperation()>.
fn choose<'d>(
    operations: &'d DocumentOperations,
    name: Option<&str>,
) -> Result<(Option<&'d Name>, &'d Positioned<OperationDefinition>), Failure> {
    let mut all = operations.iter();
    let found = match name {
        Some(name) => all.find(|(known, _)| known.is_some_and(|known| known == name)),
        None if all.len() > 1 => {
            let message = "The document has several operations: say in `operationName` which one is meant.";
            return Err(Failure::new(ErrorCode::BadRequest, message));
        }
        None => all.next(),
    };
    found.ok_or_else(|| {
        Failure::new(ErrorCode::BadRequest, "The document has no operation of the name that `operationName` gives.")
    })
}

/// <https://spec.graphql.org/October2021/#CoerceVariableValues()>. A variable that is absent and has no default stays absent.
fn coerce_variables(
    signatures: &Signatures,
    definitions: &[Positioned<VariableDefinition>],
    mut given: Variables,
) -> Result<HashMap<Name, ConstValue>, Failure> {
    let mut coerced = HashMap::new();
    for definition in definitions {
        let Positioned { node: definition, pos } = definition;
        let name = &definition.name.node;
        let ty = &definition.var_type.node;
        let value = match (given.remove(name), &definition.default_value) {
            (Some(value), _) => coerce(signatures, ty, value, Origin::Variable),
            (None, Some(default)) => coerce(signatures, ty, default.node.clone(), Origin::Literal),
            (None, None) if ty.nullable => continue,
            (None, None) => {
                let message = format!("The variable `${name}` of type `{ty}` is required and was not given.");
                return Err(Failure::new(ErrorCode::ValidationFailed, message).at(*pos));
            }
        };
        let value = value.map_err(|Misfit { at, expected }| {
            let message = format!("The variable `${name}{at}` does not fit: {expected} is expected.");
            Failure::new(ErrorCode::ValidationFailed, message).at(*pos)
        })?;
        coerced.insert(name.clone(), value);
    }
    Ok(coerced)
}

type Argument = (Positioned<Name>, Positioned<Value>);

struct Normal<'d> {
    signatures: &'d Signatures,
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    variables: HashMap<Name, ConstValue>,
}

impl<'d> Normal<'d> {
    /// <https://spec.graphql.org/October2021/#CollectFields()>, and the same for what the fields select.
    fn merge(&self, parent: &Name, selections: &[&'d SelectionSet]) -> Result<SelectionSet, Failure> {
        let mut groups: IndexMap<&Name, Vec<&'d Positioned<Field>>> = IndexMap::new();
        let mut visited = HashSet::new();
        for selection in selections {
            self.collect(selection, &mut visited, &mut groups)?;
        }
        let items = groups.into_values().map(|group| Ok(self.field(parent, &group)?.map_item()));
        Ok(SelectionSet { items: items.collect::<Result<_, Failure>>()? })
    }

    fn collect(
        &self,
        selection: &'d SelectionSet,
        visited: &mut HashSet<&'d Name>,
        groups: &mut IndexMap<&'d Name, Vec<&'d Positioned<Field>>>,
    ) -> Result<(), Failure> {
        for item in &selection.items {
            if !self.is_included(item.node.directives())? {
                continue;
            }
            match &item.node {
                Selection::Field(field) => groups.entry(&field.node.response_key().node).or_default().push(field),
                Selection::InlineFragment(fragment) => {
                    self.collect(&fragment.node.selection_set.node, visited, groups)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.fragments.get(name).filter(|_| visited.insert(name)) {
                        self.collect(&fragment.node.selection_set.node, visited, groups)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Fields under one key are one field, of which everything is selected that any of them selects.
    fn field(&self, parent: &Name, group: &[&'d Positioned<Field>]) -> Result<Positioned<Field>, Failure> {
        let Some(first) = group.first() else { return Err(Failure::internal()) };
        let (arguments, inner) = match self.signatures.field(parent, &first.node.name.node) {
            Some(signature) => {
                let arguments = self.arguments(&signature.arguments, &first.node.arguments, first.pos)?;
                let selections: Vec<_> = group.iter().map(|field| &field.node.selection_set.node).collect();
                let mut inner = self.merge(&signature.ty, &selections)?;
                if inner.items.is_empty() && selections.iter().any(|selection| !selection.items.is_empty()) {
                    inner.items.push(empty(first.pos));
                }
                (arguments, inner)
            }
            // `__typename`, and the leaves of introspection.
            None => (Vec::new(), SelectionSet::default()),
        };
        let field = Field {
            alias: first.node.alias.clone(),
            name: first.node.name.clone(),
            arguments,
            directives: Vec::new(),
            selection_set: Positioned::new(inner, first.node.selection_set.pos),
        };
        Ok(Positioned::new(field, first.pos))
    }

    /// <https://spec.graphql.org/October2021/#CoerceArgumentValues()>.
    fn arguments(&self, inputs: &[Input], given: &[Argument], field: Pos) -> Result<Vec<Argument>, Failure> {
        let mut arguments = Vec::with_capacity(inputs.len());
        for input in inputs {
            let written = given.iter().find(|(name, _)| name.node == input.name);
            let pos = written.map_or(field, |(_, value)| value.pos);
            let value = match written.and_then(|(_, value)| self.value(&value.node)) {
                Some(value) => value,
                None => match &input.default {
                    Some(default) => default.clone(),
                    None if input.ty.nullable => continue,
                    None => ConstValue::Null,
                },
            };
            let value =
                coerce(self.signatures, &input.ty, value, Origin::Literal).map_err(|Misfit { at, expected }| {
                    let message = format!("The argument `{}{at}` does not fit: {expected} is expected.", input.name);
                    Failure::new(ErrorCode::ValidationFailed, message).at(pos)
                })?;
            arguments.push((Positioned::new(input.name.clone(), pos), Positioned::new(value.into_value(), pos)));
        }
        Ok(arguments)
    }

    /// A value with its variables put in place. None for an absent variable: so is then the argument or input field, while
    /// in a list it is null.
    fn value(&self, value: &Value) -> Option<ConstValue> {
        Some(match value {
            Value::Variable(name) => return self.variables.get(name).cloned(),
            Value::Null => ConstValue::Null,
            Value::Number(number) => ConstValue::Number(number.clone()),
            Value::String(text) => ConstValue::String(text.clone()),
            Value::Boolean(boolean) => ConstValue::Boolean(*boolean),
            Value::Binary(bytes) => ConstValue::Binary(bytes.clone()),
            Value::Enum(name) => ConstValue::Enum(name.clone()),
            Value::List(items) => {
                ConstValue::List(items.iter().map(|item| self.value(item).unwrap_or(ConstValue::Null)).collect())
            }
            Value::Object(fields) => {
                let given = fields.iter().filter_map(|(name, value)| Some((name.clone(), self.value(value)?)));
                ConstValue::Object(given.collect())
            }
        })
    }

    fn is_included(&self, directives: &[Positioned<Directive>]) -> Result<bool, Failure> {
        for directive in directives {
            let wanted = match directive.node.name.node.as_str() {
                "include" => true,
                "skip" => false,
                _ => continue,
            };
            let arguments = self.arguments(self.signatures.conditional(), &directive.node.arguments, directive.pos)?;
            if arguments.iter().any(|(_, value)| value.node != Value::Boolean(wanted)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

trait IntoItem {
    fn map_item(self) -> Positioned<Selection>;
}

impl IntoItem for Positioned<Field> {
    fn map_item(self) -> Positioned<Selection> {
        let pos = self.pos;
        Positioned::new(Selection::Field(self), pos)
    }
}

fn empty(pos: Pos) -> Positioned<Selection> {
    let typename = Field {
        alias: Some(Positioned::new(Name::new(EMPTY), pos)),
        name: Positioned::new(Name::new("__typename"), pos),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet::default(), pos),
    };
    Positioned::new(typename, pos).map_item()
}

#[cfg(test)]
mod tests;
