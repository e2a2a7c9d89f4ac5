//! The normal form: what an operation comes to once its variables are known.
//!
//! Variables are coerced and put in place, defaults filled in, `@skip` and `@include` decided, fragments written out, and
//! fields under one response key merged at every level, in the document's order. What is planned, executed and shared is
//! this form: async-graphql's executor merges nothing, and ignores defaults where ordinary front ends rely on them.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field as ParsedField, FragmentDefinition, OperationDefinition,
    Selection, SelectionSet, VariableDefinition,
};
use async_graphql::{Name as ParsedName, Pos, Positioned, Value as ConstValue, Variables};
use async_graphql_value::Value as ParsedValue;
use indexmap::IndexMap;

pub(crate) use apollo_compiler::Name;

use super::coercion::{Misfit, Origin, coerce};
use super::error::{ErrorCode, Failure};
use super::signature::{Input, Signatures};

/// An operation in normal form.
#[derive(Debug, PartialEq)]
pub(crate) struct Operation {
    pub(crate) name: Option<Name>,
    /// The root fields, in the order in which they are answered.
    pub(crate) fields: Vec<Field>,
}

/// A field in normal form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// The response key.
    pub(crate) key: Name,
    pub(crate) name: Name,
    /// Err where a variable's value turned out not to fit: then the field is null, with this error.
    pub(crate) arguments: Result<Arguments, Failure>,
    pub(crate) location: Location,
    /// Empty for leaves, and where everything that was selected is skipped.
    pub(crate) fields: Vec<Field>,
}

/// The arguments of a field, in the schema's order. Those that are absent and have no default are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Arguments(Vec<(Name, Value)>);

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
    /// In the order of the type's fields, defaults filled in.
    Object(Vec<(Name, Value)>),
}

/// A place in a document's text. Both are counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Arguments {
    /// The value of the argument of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl Field {
    /// The value of the argument of this name. None where the arguments do not fit.
    pub(crate) fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.as_ref().ok()?.get(name)
    }
}

impl From<Pos> for Location {
    fn from(Pos { line, column }: Pos) -> Self {
        Self { line, column }
    }
}

impl From<Location> for Pos {
    fn from(Location { line, column }: Location) -> Self {
        Self { line, column }
    }
}

/// A coerced value as async-graphql has it.
impl From<ConstValue> for Value {
    fn from(value: ConstValue) -> Self {
        match value {
            ConstValue::Number(number) => match number.as_i64().and_then(|int| i32::try_from(int).ok()) {
                Some(int) => Self::Int(int),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            ConstValue::String(text) => Self::String(text),
            ConstValue::Boolean(boolean) => Self::Boolean(boolean),
            ConstValue::Enum(name) => Self::Enum(Name::new_unchecked(&name)),
            ConstValue::List(items) => Self::List(items.into_iter().map(Into::into).collect()),
            ConstValue::Object(fields) => Self::Object(
                fields.into_iter().map(|(name, value)| (Name::new_unchecked(&name), value.into())).collect(),
            ),
            ConstValue::Null | ConstValue::Binary(_) => Self::Null,
        }
    }
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
        let fields = normal.merge(signatures.query(), &[&operation.node.selection_set.node])?;
        Ok(Self { name: name.map(|name| Name::new_unchecked(name)), fields })
    }
}

/// <https://spec.graphql.org/October2021/#GetOperation()>.
fn choose<'d>(
    operations: &'d DocumentOperations,
    name: Option<&str>,
) -> Result<(Option<&'d ParsedName>, &'d Positioned<OperationDefinition>), Failure> {
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
) -> Result<HashMap<ParsedName, ConstValue>, Failure> {
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

type ParsedArgument = (Positioned<ParsedName>, Positioned<ParsedValue>);

struct Normal<'d> {
    signatures: &'d Signatures,
    fragments: &'d HashMap<ParsedName, Positioned<FragmentDefinition>>,
    variables: HashMap<ParsedName, ConstValue>,
}

impl<'d> Normal<'d> {
    /// <https://spec.graphql.org/October2021/#CollectFields()>, and the same for what the fields select.
    fn merge(&self, parent: &ParsedName, selections: &[&'d SelectionSet]) -> Result<Vec<Field>, Failure> {
        let mut groups: IndexMap<&ParsedName, Vec<&'d Positioned<ParsedField>>> = IndexMap::new();
        let mut visited = HashSet::new();
        for selection in selections {
            self.collect(selection, &mut visited, &mut groups)?;
        }
        groups.into_values().map(|group| self.field(parent, &group)).collect()
    }

    fn collect(
        &self,
        selection: &'d SelectionSet,
        visited: &mut HashSet<&'d ParsedName>,
        groups: &mut IndexMap<&'d ParsedName, Vec<&'d Positioned<ParsedField>>>,
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
    fn field(&self, parent: &ParsedName, group: &[&'d Positioned<ParsedField>]) -> Result<Field, Failure> {
        let Some(first) = group.first() else { return Err(Failure::internal()) };
        let (arguments, fields) = match self.signatures.field(parent, &first.node.name.node) {
            Some(signature) => {
                let arguments = self.arguments(&signature.arguments, &first.node.arguments, first.pos)?;
                let selections: Vec<_> = group.iter().map(|field| &field.node.selection_set.node).collect();
                (arguments, self.merge(&signature.ty, &selections)?)
            }
            // `__typename`, and the leaves of introspection.
            None => (Arguments::default(), Vec::new()),
        };
        Ok(Field {
            key: Name::new_unchecked(&first.node.response_key().node),
            name: Name::new_unchecked(&first.node.name.node),
            arguments: Ok(arguments),
            location: first.pos.into(),
            fields,
        })
    }

    /// <https://spec.graphql.org/October2021/#CoerceArgumentValues()>.
    fn arguments(&self, inputs: &[Input], given: &[ParsedArgument], field: Pos) -> Result<Arguments, Failure> {
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
            arguments.push((Name::new_unchecked(&input.name), value.into()));
        }
        Ok(Arguments(arguments))
    }

    /// A value with its variables put in place. None for an absent variable: so is then the argument or input field, while
    /// in a list it is null.
    fn value(&self, value: &ParsedValue) -> Option<ConstValue> {
        Some(match value {
            ParsedValue::Variable(name) => return self.variables.get(name).cloned(),
            ParsedValue::Null => ConstValue::Null,
            ParsedValue::Number(number) => ConstValue::Number(number.clone()),
            ParsedValue::String(text) => ConstValue::String(text.clone()),
            ParsedValue::Boolean(boolean) => ConstValue::Boolean(*boolean),
            ParsedValue::Binary(bytes) => ConstValue::Binary(bytes.clone()),
            ParsedValue::Enum(name) => ConstValue::Enum(name.clone()),
            ParsedValue::List(items) => {
                ConstValue::List(items.iter().map(|item| self.value(item).unwrap_or(ConstValue::Null)).collect())
            }
            ParsedValue::Object(fields) => {
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
            if arguments.iter().any(|(_, value)| *value != Value::Boolean(wanted)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
