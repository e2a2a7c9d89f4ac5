//! From what a client asks for to a document that may run: found, parsed, bounded, validated once, kept.

mod check;
mod manifest;
mod persisted;
mod source;
mod trusted;

use std::ops::Deref;
use std::sync::{Arc, Weak};

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{EmptyMutation, EmptySubscription, Schema};
use moka::sync::Cache;

use self::check::Checks;
use self::source::{Found, Sources};
use super::error::Failure;
use super::limits::Limiter;
use super::query::Query;
use super::signature::Signatures;

pub(crate) use self::persisted::sha256;
pub use self::source::DocumentSource;
pub use self::trusted::{TrustedDocuments, TrustedDocumentsError, TrustedMode};

/// How many bytes of text the cache holds. An operation of a front end has about 1 kB.
const CACHED_TEXT: u64 = 4 << 20;

/// How many times its text the parsed form of a document takes, about.
const PARSED: usize = 10;

/// Which documents are run.
#[derive(Clone, Debug)]
pub struct DocumentSettings {
    /// Whether `__schema` and `__type` are answered, and names that are nearly right suggested. `__typename` always is.
    pub introspection: bool,
    /// Whether clients may have the gateway keep their documents by their hash (automatic persisted queries).
    pub persisted_queries: bool,
    /// The documents that the operator trusts.
    pub trusted: Option<TrustedDocuments>,
}

impl Default for DocumentSettings {
    fn default() -> Self {
        Self { introspection: true, persisted_queries: true, trusted: None }
    }
}

/// A document that was found valid.
#[derive(Debug)]
pub(crate) struct Document {
    parsed: ExecutableDocument,
    /// The SHA-256 of its text, as [`sha256`] writes it.
    pub(crate) hash: String,
    /// The bytes that it takes in memory, about.
    pub(crate) size: usize,
}

impl Deref for Document {
    type Target = ExecutableDocument;

    fn deref(&self) -> &ExecutableDocument {
        &self.parsed
    }
}

/// Documents that were found valid, and where others are found.
pub(crate) struct Documents {
    checks: Checks,
    sources: Sources,
    valid: Cache<Arc<str>, Arc<Document>>,
}

impl Documents {
    /// `strict` must be in async-graphql's strict validation mode.
    pub(crate) fn new(
        strict: Schema<Query, EmptyMutation, EmptySubscription>,
        signatures: Arc<Signatures>,
        limiter: impl Into<Limiter>,
        settings: DocumentSettings,
    ) -> Self {
        let weight = |text: &Arc<str>, _: &Arc<Document>| u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self {
            checks: Checks::new(strict, signatures, limiter.into(), settings.introspection),
            sources: Sources::new(settings.persisted_queries, settings.trusted),
            valid: Cache::builder().weigher(weight).max_capacity(CACHED_TEXT).build(),
        }
    }

    /// The document that a client asks for, or everything that is wrong with it.
    pub(crate) async fn find(&self, source: &DocumentSource) -> Result<Arc<Document>, Vec<Failure>> {
        let Found { text, keep_as } = self.sources.find(source).map_err(|failure| vec![failure])?;
        let document = self.get(&text).await?;
        // Only now: what cannot run is not worth keeping.
        if let Some(hash) = keep_as {
            self.sources.keep(hash, &text);
        }
        Ok(document)
    }

    /// The document that `text` is, or everything that is wrong with it.
    pub(crate) async fn get(&self, text: &str) -> Result<Arc<Document>, Vec<Failure>> {
        if let Some(document) = self.valid.get(text) {
            return Ok(document);
        }
        // In a box: it is rare, and would make the future of every operation three times as large.
        let parsed = Box::pin(self.checks.check(text)).await?;
        let document = Arc::new(Document { parsed, hash: sha256(text), size: text.len() * PARSED });
        self.valid.insert(text.into(), Arc::clone(&document));
        Ok(document)
    }

    /// Keeps the trusted documents as they are on disk, until nobody else has the documents any more. None if there are none
    /// to be kept.
    pub(crate) fn keep_up(self: &Arc<Self>) -> Option<impl Future<Output = ()> + Send + use<>> {
        let trusted = self.sources.trusted()?.clone();
        let documents = Arc::downgrade(self);
        Some(async move {
            vet(&documents, &trusted).await;
            while documents.strong_count() > 0 {
                if trusted.has_changed().await {
                    vet(&documents, &trusted).await;
                }
            }
        })
    }
}

/// Logs which of the trusted documents cannot run, before somebody asks for them.
async fn vet(documents: &Weak<Documents>, trusted: &TrustedDocuments) {
    let all = trusted.all();
    tracing::info!(documents = all.len(), "read the trusted documents");
    for (id, text) in all {
        let Some(documents) = documents.upgrade() else { return };
        if let Err(failures) = documents.get(&text).await {
            let reason = failures.first().map(|failure| failure.message.as_str()).unwrap_or_default();
            tracing::warn!(id = &*id, reason, "a trusted document cannot run");
        }
        // Validation never waits: without this, thousands of documents would keep others from the thread.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests;
