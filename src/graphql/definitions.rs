//! The definitions of a document, in the order in which they stand there. Its own maps have none, and of several faults
//! always the same is to be told first.

use async_graphql::parser::types::{ExecutableDocument, FragmentDefinition, OperationDefinition};
use async_graphql::{Name, Positioned};

/// The operations.
pub(crate) fn operations(document: &ExecutableDocument) -> Vec<&Positioned<OperationDefinition>> {
    let mut operations: Vec<_> = document.operations.iter().map(|(_, operation)| operation).collect();
    operations.sort_by_key(|operation| operation.pos);
    operations
}

/// The fragments, by their names.
pub(crate) fn fragments(document: &ExecutableDocument) -> Vec<(&Name, &Positioned<FragmentDefinition>)> {
    let mut fragments: Vec<_> = document.fragments.iter().collect();
    fragments.sort_by_key(|(_, fragment)| fragment.pos);
    fragments
}
