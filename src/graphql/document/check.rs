//! From text to a document that may run: bounded, parsed, validated.

use std::sync::Arc;

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, InlineFragment, Selection, SelectionSet,
};
use async_graphql::{EmptyMutation, EmptySubscription, Positioned, Request, Schema, ServerError};

use crate::graphql::definitions;
use crate::graphql::error::{ErrorCode, Failure};
use crate::graphql::limits::{Limiter, is_introspection};
use crate::graphql::query::Query;
use crate::graphql::rules;
use crate::graphql::signature::Signatures;

/// An operation name that no document can contain. async-graphql validates only on the way to executing: asked for this
/// operation it validates everything, finds nothing to run, and says so.
const NO_OPERATION: &str = "\0";

/// What it says, to the letter: no other error is to be taken for it, whatever text of the document it repeats.
const NOTHING_TO_RUN: &str = "Unknown operation named \"\0\"";

/// How many characters of what async-graphql says are passed on. It repeats names and values of any length.
const LONGEST_MESSAGE: usize = 400;

/// All that a document is held to.
pub(crate) struct Checks {
    pub(super) strict: Schema<Query, EmptyMutation, EmptySubscription>,
    pub(super) signatures: Arc<Signatures>,
    limiter: Limiter,
    introspection: bool,
}

impl Checks {
    /// `strict` must be in async-graphql's strict validation mode.
    pub(crate) fn new(
        strict: Schema<Query, EmptyMutation, EmptySubscription>,
        signatures: Arc<Signatures>,
        limiter: Limiter,
        introspection: bool,
    ) -> Self {
        Self { strict, signatures, limiter, introspection }
    }

    /// The document that `text` is, or everything that is wrong with it.
    pub(crate) async fn check(&self, text: &str) -> Result<ExecutableDocument, Vec<Failure>> {
        let single = |failure| vec![failure];
        self.limiter.check_text(text).map_err(single)?;
        let document = async_graphql::parser::parse_query(text).map_err(|error| vec![parse_failure(&error)])?;
        self.limiter.check(&document).map_err(single)?;
        self.check_support(&document).map_err(single)?;
        self.validate(document.clone()).await?;
        rules::check(&self.signatures, &document).map_err(single)?;
        Ok(document)
    }

    /// Refuses, in words of its own, what is GraphQL and not answered here.
    fn check_support(&self, document: &ExecutableDocument) -> Result<(), Failure> {
        let operations = definitions::operations(document).into_iter().map(|operation| {
            let operation = &operation.node;
            (&operation.directives, &operation.selection_set.node)
        });
        let fragments = definitions::fragments(document).into_iter().map(|(_, fragment)| {
            let fragment = &fragment.node;
            (&fragment.directives, &fragment.selection_set.node)
        });
        operations.chain(fragments).try_for_each(|(directives, selection)| {
            check_directives(directives)?;
            self.check_selection(selection)
        })
    }

    fn check_selection(&self, selection: &SelectionSet) -> Result<(), Failure> {
        for item in &selection.items {
            check_directives(item.node.directives())?;
            match &item.node {
                Selection::Field(field) => {
                    let name = &field.node.name;
                    if !self.introspection && is_introspection(&name.node) {
                        let message =
                            "Introspection is switched off here: ask whoever runs the gateway for its schema.";
                        return Err(Failure::new(ErrorCode::ValidationFailed, message).at(name.pos));
                    }
                    self.check_selection(&field.node.selection_set.node)?;
                }
                Selection::InlineFragment(fragment) => self.check_selection(&fragment.node.selection_set.node)?,
                Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }

    async fn validate(&self, mut document: ExecutableDocument) -> Result<(), Vec<Failure>> {
        let operations = match &mut document.operations {
            DocumentOperations::Single(operation) => vec![operation],
            DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
        };
        operations.into_iter().for_each(|operation| wrap_typenames(&mut operation.node.selection_set.node));
        document.fragments.values_mut().for_each(|fragment| wrap_typenames(&mut fragment.node.selection_set.node));
        let mut request = Request::new(String::new()).operation_name(NO_OPERATION);
        request.set_parsed_query(document);
        let errors = self.strict.execute(request).await.errors;
        if matches!(errors.as_slice(), [only] if only.message == NOTHING_TO_RUN) {
            return Ok(());
        }
        let mut failures: Vec<_> = errors.into_iter().map(validation_failure).collect();
        // It goes through the operations in no order.
        failures.sort_by(|one, other| (&one.locations, &one.message).cmp(&(&other.locations, &other.message)));
        // Some rules run twice.
        failures.dedup();
        Err(failures)
    }
}

/// <https://github.com/graphql/graphql-wg/blob/main/rfcs/DeferStream.md>.
fn check_directives(directives: &[Positioned<Directive>]) -> Result<(), Failure> {
    let incremental =
        directives.iter().find(|directive| matches!(directive.node.name.node.as_str(), "defer" | "stream"));
    incremental.map_or(Ok(()), |directive| {
        let name = &directive.node.name.node;
        let message = format!("`@{name}` is not supported: answers come in one piece. Leave it out.");
        Err(Failure::new(ErrorCode::ValidationFailed, message).at(directive.pos))
    })
}

/// Moves the directives of each `__typename` to an inline fragment around it: async-graphql does not look at them where they
/// are, and finds the variables in them unused.
fn wrap_typenames(selection: &mut SelectionSet) {
    for item in &mut selection.items {
        match &mut item.node {
            Selection::Field(field) if field.node.name.node == "__typename" && !field.node.directives.is_empty() => {
                let pos = field.pos;
                let directives = std::mem::take(&mut field.node.directives);
                let inner = Positioned::new(Selection::Field(field.clone()), pos);
                let selection_set = Positioned::new(SelectionSet { items: vec![inner] }, pos);
                let fragment = InlineFragment { type_condition: None, directives, selection_set };
                item.node = Selection::InlineFragment(Positioned::new(fragment, pos));
            }
            Selection::Field(field) => wrap_typenames(&mut field.node.selection_set.node),
            Selection::InlineFragment(fragment) => wrap_typenames(&mut fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => {}
        }
    }
}

/// The parser's message is a drawing of several lines, of which the last says what it expected.
fn parse_failure(error: &async_graphql::parser::Error) -> Failure {
    use async_graphql::parser::Error;
    let message = match error {
        Error::MultipleOperations { .. } => {
            "A document with an anonymous operation can have no other operation.".to_owned()
        }
        Error::OperationDuplicated { operation, .. } => format!("There are two operations named `{operation}`."),
        Error::FragmentDuplicated { fragment, .. } => format!("There are two fragments named `{fragment}`."),
        Error::MissingOperation => "The document has no operation.".to_owned(),
        Error::RecursionLimitExceeded => "The document nests too deeply.".to_owned(),
        Error::Syntax { message, .. } => {
            let expected = message.lines().rev().find_map(|line| line.trim_start().strip_prefix("= "));
            format!("The document is not GraphQL: {}.", expected.unwrap_or("see the place that is given"))
        }
        _ => "The document is not GraphQL.".to_owned(),
    };
    Failure { locations: error.positions().collect(), ..Failure::new(ErrorCode::ParseFailed, message) }
}

fn validation_failure(error: ServerError) -> Failure {
    let mut message = error.message;
    if let Some((at, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(at);
        message.push('…');
    }
    Failure { locations: error.locations, ..Failure::new(ErrorCode::ValidationFailed, message) }
}
