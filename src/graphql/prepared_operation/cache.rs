//! The operations that are kept: front ends send the same few all day, and poll with the same variables.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use apollo_compiler::executable;
use moka::sync::Cache;

use super::PreparedOperation;
use crate::graphql::document::Document;
use crate::graphql::error::GraphqlError;
use crate::graphql::operation::{Name, SelectedField};

/// The bytes that the operations in the cache may take, about.
const CAPACITY: u64 = 64 << 20;

/// The bytes that a field of an operation takes, about: in the normal form, in a plan and in the requirements.
const FIELD: usize = 600;

/// A cache of operations, by what they were prepared from. Those that may not run are not among them.
pub(crate) struct OperationCache(Cache<OperationKey, Arc<PreparedOperation>>);

/// The key of an operation: everything that it is prepared from.
#[derive(PartialEq, Eq, Hash)]
struct OperationKey {
    document: ByAddress,
    name: Option<Name>,
    /// The JSON of the variables that the operation declares, in the order of their definitions.
    values: Box<[Option<Box<str>>]>,
}

impl OperationKey {
    /// The bytes in it, about. The document is counted as if nothing else kept it: many can be small operations of large ones.
    fn size(&self) -> usize {
        let values = self
            .values
            .iter()
            .map(|value| size_of::<Option<Box<str>>>() + value.as_ref().map_or(0, |value| value.len()));
        self.document.0.size + values.sum::<usize>()
    }
}

/// A document, told from others by where it is. Whoever has the key keeps it there.
struct ByAddress(Arc<Document>);

impl PartialEq for ByAddress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ByAddress {}

impl Hash for ByAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Default for OperationCache {
    fn default() -> Self {
        let weight = |asked: &OperationKey, prepared: &Arc<PreparedOperation>| {
            let fields = count(&prepared.operation.fields) * FIELD;
            // Of values, what a request is made of holds another copy or two.
            let arguments = prepared.operation.argument_bytes * 3;
            u32::try_from(asked.size() + fields + arguments + prepared.known_bytes()).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().weigher(weight).max_capacity(CAPACITY).build())
    }
}

impl OperationCache {
    /// The operation with these values for its variables: the one that is kept, or the one that `prepare` makes of the values.
    pub(crate) fn get(
        &self,
        document: &Arc<Document>,
        operation: &executable::Operation,
        values: Box<[Option<Box<str>>]>,
        prepare: impl FnOnce(&[Option<Box<str>>]) -> Result<PreparedOperation, Vec<GraphqlError>>,
    ) -> Result<Arc<PreparedOperation>, Vec<GraphqlError>> {
        let asked = OperationKey { document: ByAddress(Arc::clone(document)), name: operation.name.clone(), values };
        if let Some(prepared) = self.0.get(&asked) {
            return Ok(prepared);
        }
        let prepared = Arc::new(prepare(&asked.values)?);
        self.0.insert(asked, Arc::clone(&prepared));
        Ok(prepared)
    }
}

/// The number of fields of a selection, inner ones and errors included.
fn count(fields: &[SelectedField]) -> usize {
    fields.iter().map(|field| 1 + field.failures.len() + count(&field.fields)).sum()
}
