//! Two rules of the specification that async-graphql 7.2.1 does not hold: which fields may share a response key, across
//! fragments and at every level, and which variables may stand where.
//!
//! Both look at operations with their fragments written out, which the limits have bounded before.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::BaseType;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet, Type,
    VariableDefinition,
};
use async_graphql::{Name, Positioned, Value as ConstValue};
use async_graphql_value::Value;
use indexmap::IndexMap;

use super::coercion::may_stand_in;
use super::definitions;
use super::error::{ErrorCode, Failure};
use super::signature::{Input, InputType, Signatures};

/// Holds every operation of `document` to both rules.
pub(crate) fn check(signatures: &Signatures, document: &ExecutableDocument) -> Result<(), Failure> {
    for operation in definitions::operations(document) {
        let rules = Rules::new(signatures, document, &operation.node);
        rules.merge(&[&operation.node.selection_set.node])?;
        rules.selection(signatures.query(), &operation.node.selection_set.node, &mut HashSet::new())?;
    }
    Ok(())
}

struct Rules<'d> {
    signatures: &'d Signatures,
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    variables: HashMap<&'d Name, &'d VariableDefinition>,
}

impl<'d> Rules<'d> {
    fn new(signatures: &'d Signatures, document: &'d ExecutableDocument, operation: &'d OperationDefinition) -> Self {
        let variables = operation.variable_definitions.iter();
        let variables = variables.map(|variable| (&variable.node.name.node, &variable.node)).collect();
        Self { signatures, fragments: &document.fragments, variables }
    }

    /// <https://spec.graphql.org/October2021/#FieldsInSetCanMerge()>. No type of this schema has subtypes, so that fields
    /// under one key always are of one parent.
    fn merge(&self, selections: &[&'d SelectionSet]) -> Result<(), Failure> {
        // In the document's order, so that of several conflicts always the same is told.
        let mut keys: IndexMap<&Name, Vec<&Positioned<Field>>> = IndexMap::new();
        for selection in selections {
            self.gather(selection, &mut HashSet::new(), &mut keys);
        }
        for (key, fields) in keys {
            let [first, others @ ..] = fields.as_slice() else { continue };
            for other in others {
                let difference = if first.node.name.node != other.node.name.node {
                    format!("`{}` and `{}` are different fields", first.node.name.node, other.node.name.node)
                } else if !same_arguments(&first.node, &other.node) {
                    "their arguments differ".to_owned()
                } else {
                    continue;
                };
                let message = format!("Fields cannot share the key `{key}`: {difference}. Give them aliases.");
                return Err(Failure::new(ErrorCode::ValidationFailed, message).at(first.pos).at(other.pos));
            }
            let inner: Vec<_> = fields.iter().map(|field| &field.node.selection_set.node).collect();
            if inner.iter().any(|selection| !selection.items.is_empty()) {
                self.merge(&inner)?;
            }
        }
        Ok(())
    }

    fn gather(
        &self,
        selection: &'d SelectionSet,
        visited: &mut HashSet<&'d Name>,
        keys: &mut IndexMap<&'d Name, Vec<&'d Positioned<Field>>>,
    ) {
        for item in &selection.items {
            match &item.node {
                Selection::Field(field) => keys.entry(&field.node.response_key().node).or_default().push(field),
                Selection::InlineFragment(fragment) => self.gather(&fragment.node.selection_set.node, visited, keys),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.fragments.get(name).filter(|_| visited.insert(name)) {
                        self.gather(&fragment.node.selection_set.node, visited, keys);
                    }
                }
            }
        }
    }

    /// <https://spec.graphql.org/October2021/#sec-All-Variable-Usages-are-Allowed>.
    fn selection(
        &self,
        parent: &Name,
        selection: &'d SelectionSet,
        visited: &mut HashSet<&'d Name>,
    ) -> Result<(), Failure> {
        for item in &selection.items {
            self.directives(item.node.directives())?;
            match &item.node {
                Selection::Field(field) => {
                    let Some(signature) = self.signatures.field(parent, &field.node.name.node) else { continue };
                    self.arguments(&signature.arguments, &field.node.arguments)?;
                    self.selection(&signature.ty, &field.node.selection_set.node, visited)?;
                }
                Selection::InlineFragment(fragment) => {
                    self.selection(parent, &fragment.node.selection_set.node, visited)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.fragments.get(name).filter(|_| visited.insert(name)) {
                        self.selection(parent, &fragment.node.selection_set.node, visited)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn directives(&self, directives: &[Positioned<Directive>]) -> Result<(), Failure> {
        directives
            .iter()
            .try_for_each(|directive| self.arguments(self.signatures.conditional(), &directive.node.arguments))
    }

    fn arguments(&self, inputs: &[Input], given: &[(Positioned<Name>, Positioned<Value>)]) -> Result<(), Failure> {
        for (name, value) in given {
            if let Some(input) = inputs.iter().find(|input| input.name == name.node) {
                self.value(&value.node, &input.ty, input.default.is_some()).map_err(|failure| failure.at(value.pos))?;
            }
        }
        Ok(())
    }

    fn value(&self, value: &Value, location: &Type, has_default: bool) -> Result<(), Failure> {
        match (value, &location.base) {
            (Value::Variable(name), _) => {
                let Some(variable) = self.variables.get(name) else { return Ok(()) };
                let variable_default = variable.default_value.as_ref().map(|default| &default.node);
                let has_default = has_default || variable_default.is_some_and(|default| *default != ConstValue::Null);
                let ty = &variable.var_type.node;
                if may_stand_in(ty, location, has_default) {
                    return Ok(());
                }
                let message = format!("The variable `${name}` of type `{ty}` stands where `{location}` is expected.");
                Err(Failure::new(ErrorCode::ValidationFailed, message).at(variable.name.pos))
            }
            (Value::List(items), BaseType::List(inner)) => {
                items.iter().try_for_each(|item| self.value(item, inner, false))
            }
            (value, BaseType::List(inner)) => self.value(value, inner, false),
            (Value::Object(given), BaseType::Named(name)) => {
                let Some(InputType::Object(fields)) = self.signatures.input(name) else { return Ok(()) };
                given.iter().try_for_each(|(name, value)| match fields.iter().find(|field| field.name == *name) {
                    Some(field) => self.value(value, &field.ty, field.default.is_some()),
                    None => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }
}

fn same_arguments(one: &Field, other: &Field) -> bool {
    one.arguments.len() == other.arguments.len()
        && one
            .arguments
            .iter()
            .all(|(name, value)| other.get_argument(&name.node).is_some_and(|other| other.node == value.node))
}

#[cfg(test)]
mod tests;
