//! The operations that are kept: front ends send the same few all day, and poll with the same variables.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_graphql::{Value, Variables};
use moka::sync::Cache;

use super::Prepared;
use crate::graphql::document::Document;
use crate::graphql::error::Failure;
use crate::graphql::operation::Field;

/// How many bytes the operations that are kept take, about.
const CAPACITY: u64 = 16 << 20;

/// What a field of an operation takes, about: its normal form, its place in a plan and in what is needed.
const FIELD: usize = 600;

/// Operations that have been prepared, by what they were prepared from. Those that may not run are not among them.
pub(crate) struct Operations(Cache<Asked, Arc<Prepared>>);

/// What an operation is prepared from.
#[derive(PartialEq, Eq)]
struct Asked {
    document: ByAddress,
    name: Option<String>,
    variables: Variables,
}

impl Hash for Asked {
    /// Of variables only what front ends vary: the rest is left to comparison.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.document.hash(state);
        self.name.hash(state);
        for (name, value) in &*self.variables {
            name.hash(state);
            match value {
                Value::String(text) => text.hash(state),
                Value::Number(number) => number.hash(state),
                _ => {}
            }
        }
    }
}

impl Asked {
    /// The bytes in it, about. The document is counted as if nothing else kept it: many can be small operations of large ones.
    fn size(&self) -> usize {
        let variables = self.variables.iter().map(|(name, value)| name.len() + size(value));
        self.document.0.size + variables.sum::<usize>()
    }
}

/// The bytes in a value, about. Values nest no deeper than the JSON that they came in.
fn size(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + inner
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

impl Default for Operations {
    fn default() -> Self {
        let weight = |asked: &Asked, prepared: &Arc<Prepared>| {
            let fields = count(&prepared.operation.fields);
            u32::try_from(asked.size() + fields * FIELD).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().weigher(weight).max_capacity(CAPACITY).build())
    }
}

impl Operations {
    /// The operation that is asked for: the one that is kept, or the one that `prepare` makes.
    pub(crate) fn get(
        &self,
        document: &Arc<Document>,
        name: Option<String>,
        variables: Variables,
        prepare: impl FnOnce(&Document, Option<&str>, Variables) -> Result<Prepared, Failure>,
    ) -> Result<Arc<Prepared>, Failure> {
        let asked = Asked { document: ByAddress(Arc::clone(document)), name, variables };
        if let Some(prepared) = self.0.get(&asked) {
            return Ok(prepared);
        }
        let prepared = prepare(&asked.document.0, asked.name.as_deref(), asked.variables.clone())?;
        let prepared = Arc::new(prepared);
        self.0.insert(asked, Arc::clone(&prepared));
        Ok(prepared)
    }
}

/// How many fields a selection has in all.
fn count(fields: &[Field]) -> usize {
    fields.iter().map(|field| 1 + count(&field.fields)).sum()
}
