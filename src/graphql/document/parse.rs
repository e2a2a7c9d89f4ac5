//! Parsing of documents: the syntax of a text, within the limits, and nothing in it that is not answered here.

use std::collections::HashSet;

use apollo_compiler::Node;
use apollo_compiler::ast::{self, Argument, Definition, DirectiveList, Selection, Value};
use apollo_compiler::parser::{Parser, SourceSpan};

use super::lexical::{LexicalError, Scan};
use super::lines::Lines;
use super::suggestions::Suggestions;
use super::{failures, not_graphql};
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::limits::{Limiter, check_document, is_introspection};

/// The syntax of `text` and how many tokens it has, or everything that is wrong with it.
pub(super) fn parse(
    text: &str,
    lines: &Lines,
    limiter: &Limiter,
    introspection: bool,
) -> Result<(ast::Document, usize), Vec<GraphqlError>> {
    let single = |failure| vec![failure];
    limiter.check_length(text).map_err(single)?;
    let scan = Scan::of(text);
    limiter.check_tokens(&scan.measures).map_err(single)?;
    let document = Parser::new().parse_ast(scan.readable(text), "document").map_err(|invalid| {
        failures(ErrorCode::ParseFailed, lines, &invalid.errors, &Suggestions::default(), |_| true)
    })?;
    if let Some((offset, fault)) = scan.fault {
        let message = match fault {
            LexicalError::MissingColon => "Syntax error: expected a colon and a value.",
            LexicalError::UnterminatedString => "Syntax error: unterminated string value.",
        };
        return Err(vec![not_graphql(message).at(lines.at(offset))]);
    }
    check_document(limiter, &document, lines).map_err(single)?;
    let mut checks = Checks { lines, introspection, failures: Vec::new() };
    document.definitions.iter().for_each(|definition| checks.definition(definition));
    let tokens = usize::try_from(scan.measures.tokens).unwrap_or(usize::MAX);
    if checks.failures.is_empty() { Ok((document, tokens)) } else { Err(checks.failures) }
}

/// Checks for what apollo-compiler passes over, and for GraphQL that is not answered here. Nesting has been bounded.
struct Checks<'d> {
    lines: &'d Lines,
    introspection: bool,
    failures: Vec<GraphqlError>,
}

impl Checks<'_> {
    fn definition(&mut self, definition: &Definition) {
        match definition {
            Definition::OperationDefinition(operation) => {
                for variable in &operation.variables {
                    self.directives(&variable.directives);
                    variable.default_value.iter().for_each(|value| self.value(value));
                }
                self.directives(&operation.directives);
                self.selections(&operation.selection_set);
            }
            Definition::FragmentDefinition(fragment) => {
                self.directives(&fragment.directives);
                self.selections(&fragment.selection_set);
            }
            // Definitions of types are for validation to refuse.
            _ => {}
        }
    }

    fn selections(&mut self, selections: &[Selection]) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    if !self.introspection && is_introspection(&field.name) {
                        let message =
                            "Introspection is switched off here: ask whoever runs the gateway for its schema.";
                        self.fail(message.to_owned(), field.name.location());
                    }
                    self.arguments(&field.arguments);
                    self.directives(&field.directives);
                    self.selections(&field.selection_set);
                }
                Selection::FragmentSpread(spread) => self.directives(&spread.directives),
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives);
                    self.selections(&fragment.selection_set);
                }
            }
        }
    }

    /// <https://github.com/graphql/graphql-wg/blob/main/rfcs/DeferStream.md>.
    fn directives(&mut self, directives: &DirectiveList) {
        for directive in directives.iter() {
            let name = &directive.name;
            if matches!(name.as_str(), "defer" | "stream") {
                let message = format!("`@{name}` is not supported: answers come in one piece. Leave it out.");
                self.fail(message, directive.location());
            }
            self.arguments(&directive.arguments);
        }
    }

    fn arguments(&mut self, arguments: &[Node<Argument>]) {
        arguments.iter().for_each(|argument| self.value(&argument.value));
    }

    /// <https://spec.graphql.org/September2025/#sec-Input-Object-Field-Uniqueness>.
    fn value(&mut self, value: &Node<Value>) {
        match &**value {
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                let mut names = HashSet::new();
                for (name, value) in fields {
                    if !names.insert(name) {
                        self.fail(format!("The input field `{name}` is given twice."), name.location());
                    }
                    self.value(value);
                }
            }
            _ => {}
        }
    }

    fn fail(&mut self, message: String, span: Option<SourceSpan>) {
        let failure = GraphqlError::new(ErrorCode::ValidationFailed, message);
        self.failures.push(failure.at(self.lines.location(span)));
    }
}
