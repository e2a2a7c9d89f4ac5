//! From text to a document that may run: parsed, bounded, validated once, kept.

use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, InlineFragment, Selection, SelectionSet};
use async_graphql::{EmptyMutation, EmptySubscription, Positioned, Request, Schema, ServerError};
use moka::sync::Cache;

use super::error::{ErrorCode, Failure};
use super::limits::Limits;
use super::query::Query;
use super::rules;
use super::signature::Signatures;

/// How many bytes of text the cache holds. An operation of a front end has about 1 kB, and its parsed form takes some ten
/// times its text.
const CACHED_TEXT: u64 = 4 << 20;

/// An operation name that no document can contain. async-graphql validates only on the way to executing: asked for this
/// operation it validates everything, finds nothing to run, and says so.
const NO_OPERATION: &str = "\0";

/// Documents that were found valid.
pub(crate) struct Documents {
    strict: Schema<Query, EmptyMutation, EmptySubscription>,
    signatures: Arc<Signatures>,
    limits: Limits,
    valid: Cache<Box<str>, Arc<ExecutableDocument>>,
}

impl Documents {
    /// `strict` must be in async-graphql's strict validation mode.
    pub(crate) fn new(
        strict: Schema<Query, EmptyMutation, EmptySubscription>,
        signatures: Arc<Signatures>,
        limits: Limits,
    ) -> Self {
        let weight = |text: &Box<str>, _: &Arc<ExecutableDocument>| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let valid = Cache::builder().weigher(weight).max_capacity(CACHED_TEXT).build();
        Self { strict, signatures, limits, valid }
    }

    /// The document that `text` is, or everything that is wrong with it.
    pub(crate) async fn get(&self, text: &str) -> Result<Arc<ExecutableDocument>, Vec<Failure>> {
        if let Some(document) = self.valid.get(text) {
            return Ok(document);
        }
        let document = Arc::new(self.check(text).await?);
        self.valid.insert(text.into(), Arc::clone(&document));
        Ok(document)
    }

    async fn check(&self, text: &str) -> Result<ExecutableDocument, Vec<Failure>> {
        let single = |failure| vec![failure];
        self.limits.check_text(text).map_err(single)?;
        let document = async_graphql::parser::parse_query(text).map_err(|error| vec![parse_failure(&error)])?;
        self.limits.check(&document).map_err(single)?;
        self.validate(document.clone()).await?;
        rules::check(&self.signatures, &document).map_err(single)?;
        Ok(document)
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
        if matches!(errors.as_slice(), [only] if only.message.contains(NO_OPERATION)) {
            return Ok(());
        }
        let mut failures: Vec<_> = errors.into_iter().map(validation_failure).collect();
        // Some rules run twice.
        failures.dedup();
        Err(failures)
    }
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
    Failure { locations: error.locations, ..Failure::new(ErrorCode::ValidationFailed, error.message) }
}

#[cfg(test)]
mod tests;
