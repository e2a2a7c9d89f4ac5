//! Validation of documents: <https://spec.graphql.org/September2025/#sec-Validation>.

use std::collections::HashSet;

use apollo_compiler::ast::{self, Argument, DirectiveList, InputValueDefinition, Type, Value, VariableDefinition};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node};

use super::failures;
use super::lines::Lines;
use super::suggestions::Suggestions;
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::type_system::TypeSystem;

/// The document that `syntax` is, or everything that is wrong with it. Suggestions tell of the schema: there are none without
/// introspection.
pub(super) fn validate(
    types: &TypeSystem,
    text: &str,
    syntax: &ast::Document,
    lines: &Lines,
    introspection: bool,
) -> Result<Valid<ExecutableDocument>, Vec<GraphqlError>> {
    let document = syntax.to_executable_validate(types.schema()).map_err(|invalid| {
        let mut emptied = HashSet::new();
        let sets = invalid.partial.operations.iter().map(|operation| &operation.selection_set);
        let sets = sets.chain(invalid.partial.fragments.values().map(|fragment| &fragment.selection_set));
        sets.for_each(|set| note_emptied(text, set, &mut emptied));
        let errors = &invalid.errors;
        let suggestions = if introspection { Suggestions::find(types, syntax, errors) } else { Suggestions::default() };
        failures(ErrorCode::ValidationFailed, lines, errors, &suggestions, |span| !emptied.contains(&span))
    })?;
    let misplaced: Vec<_> = document
        .operations
        .iter()
        .flat_map(|operation| VariableUsages::misplaced(types, &document, operation, lines))
        .collect();
    if misplaced.is_empty() { Ok(document) } else { Err(misplaced) }
}

/// Notes the fields that select something in the text, of which nothing is left because it is wrong: that they select nothing
/// is then said of them too.
fn note_emptied(text: &str, set: &SelectionSet, emptied: &mut HashSet<SourceSpan>) {
    for selection in &set.selections {
        let inner = match selection {
            Selection::Field(field) => &field.selection_set,
            Selection::InlineFragment(fragment) => &fragment.selection_set,
            Selection::FragmentSpread(_) => continue,
        };
        if let (Selection::Field(field), true) = (selection, inner.is_empty()) {
            let written = |span: &SourceSpan| text.get(span.offset()..span.end_offset()).unwrap_or_default();
            emptied.extend(field.location().filter(|span| written(span).ends_with('}')));
        }
        note_emptied(text, inner, emptied);
    }
}

/// The rule "All Variable Usages Are Allowed": <https://spec.graphql.org/September2025/#sec-All-Variable-Usages-Are-Allowed>.
///
/// apollo-compiler 1.33 looks at variables that are a whole argument, not at those inside lists and input objects, and takes a
/// default of null for one that makes up for an absent value.
struct VariableUsages<'d> {
    types: &'d TypeSystem,
    document: &'d ExecutableDocument,
    variables: &'d [Node<VariableDefinition>],
    lines: &'d Lines,
    visited: HashSet<&'d Name>,
    failures: Vec<GraphqlError>,
}

impl<'d> VariableUsages<'d> {
    fn misplaced(
        types: &'d TypeSystem,
        document: &'d ExecutableDocument,
        operation: &'d Operation,
        lines: &'d Lines,
    ) -> Vec<GraphqlError> {
        let variables = &operation.variables;
        if variables.is_empty() {
            return Vec::new();
        }
        let mut usages = Self { types, document, variables, lines, visited: HashSet::new(), failures: Vec::new() };
        usages.directives(&operation.directives);
        usages.selections(&operation.selection_set);
        usages.failures
    }

    fn selections(&mut self, set: &'d SelectionSet) {
        for selection in &set.selections {
            self.directives(selection.directives());
            match selection {
                Selection::Field(field) => {
                    self.arguments(&field.definition.arguments, &field.arguments);
                    self.selections(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.fragment_name;
                    if let Some(fragment) = self.document.fragments.get(name).filter(|_| self.visited.insert(name)) {
                        self.directives(&fragment.directives);
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn directives(&mut self, directives: &'d DirectiveList) {
        for directive in directives.iter() {
            self.arguments(self.types.directive(&directive.name), &directive.arguments);
        }
    }

    fn arguments(&mut self, definitions: &'d [Node<InputValueDefinition>], given: &'d [Node<Argument>]) {
        for argument in given {
            if let Some(definition) = definitions.iter().find(|definition| definition.name == argument.name) {
                self.value(&argument.value, &definition.ty, definition.default_value.is_some());
            }
        }
    }

    fn value(&mut self, value: &'d Node<Value>, location: &'d Type, has_default: bool) {
        match (&**value, location) {
            (Value::Variable(name), _) => self.usage(name, value, location, has_default),
            (Value::List(items), Type::List(item) | Type::NonNullList(item)) => {
                items.iter().for_each(|value| self.value(value, item, false));
            }
            (_, Type::List(item) | Type::NonNullList(item)) => self.value(value, item, false),
            (Value::Object(given), Type::Named(name) | Type::NonNullNamed(name)) => {
                let Some(ExtendedType::InputObject(object)) = self.types.get(name) else { return };
                for (name, value) in given {
                    if let Some(field) = object.fields.get(name) {
                        self.value(value, &field.ty, field.default_value.is_some());
                    }
                }
            }
            _ => {}
        }
    }

    /// <https://spec.graphql.org/September2025/#IsVariableUsageAllowed()>.
    fn usage(&mut self, name: &Name, usage: &Node<Value>, location: &Type, has_default: bool) {
        let Some(variable) = self.variables.iter().find(|variable| variable.name == *name) else { return };
        let has_default = has_default || variable.default_value.as_ref().is_some_and(|default| !default.is_null());
        let is_allowed = if location.is_non_null() && !variable.ty.is_non_null() {
            has_default && variable.ty.is_assignable_to(&location.clone().nullable())
        } else {
            variable.ty.is_assignable_to(location)
        };
        if !is_allowed {
            let ty = &variable.ty;
            let message = format!("The variable `${name}` of type `{ty}` stands where `{location}` is expected.");
            let locations = [variable.location(), usage.location()].map(|span| self.lines.location(span));
            let failure = GraphqlError::new(ErrorCode::ValidationFailed, message);
            self.failures.push(locations.into_iter().fold(failure, GraphqlError::at));
        }
    }
}
