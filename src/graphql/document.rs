//! Documents that may run: found, parsed, bounded, validated once, kept.

mod lexical;
mod lines;
mod manifest;
mod parse;
mod persisted;
mod shared;
mod source;
mod suggestions;
mod trusted;
mod validate;

use std::ops::Deref;
use std::sync::{Arc, Weak};

use apollo_compiler::ExecutableDocument;
use apollo_compiler::diagnostic::ToCliReport as _;
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::validation::{DiagnosticData, DiagnosticList, Valid};
use moka::sync::Cache;

use self::source::{FoundDocument, Sources};
use self::suggestions::Suggestions;
use super::error::{ErrorCode, GraphqlError};
use super::limits::Limiter;
use super::type_system::TypeSystem;
use crate::shared_state::SharedState;

#[cfg(test)]
pub(crate) use self::lexical::Scan;
pub(crate) use self::lexical::TokenMeasures;
pub(crate) use self::lines::Lines;
pub(crate) use self::persisted::sha256;
pub use self::source::DocumentSource;
pub use self::trusted::{TrustedDocuments, TrustedDocumentsError, TrustedMode};

/// The bytes that the documents in the cache may take, about. An operation of a front end takes some 40 kB.
const CACHED: u64 = 64 << 20;

/// The most bytes that a document takes, whatever is in it: by what apollo-compiler allocates for the smallest.
const FIXED_SIZE: usize = 2 << 10;

/// The most bytes that a token of a document comes to. Selections without arguments take the most.
const TOKEN_SIZE: usize = 256;

/// The most characters of a message of apollo-compiler's that are passed on. It repeats names of any length.
const LONGEST_MESSAGE: usize = 400;

/// Settings of documents: those that are run.
#[derive(Clone, Debug)]
pub struct DocumentSettings {
    /// True if `__schema` and `__type` are answered. `__typename` always is.
    pub introspection: bool,
    /// True if they may ask as a gateway of Apollo Federation asks its subgraphs.
    pub federation: bool,
    /// True if clients may have the gateway keep their documents by their hash (automatic persisted queries).
    pub persisted_queries: bool,
    /// The documents that the operator trusts.
    pub trusted: Option<TrustedDocuments>,
}

impl Default for DocumentSettings {
    fn default() -> Self {
        Self { introspection: true, federation: false, persisted_queries: true, trusted: None }
    }
}

/// A document that was found valid.
#[derive(Debug)]
pub(crate) struct Document {
    parsed: Valid<ExecutableDocument>,
    pub(crate) lines: Lines,
    /// The SHA-256 of its text, as [`sha256`] writes it.
    pub(crate) hash: String,
    /// The bytes that it takes in memory at the most.
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
    types: Arc<TypeSystem>,
    limiter: Limiter,
    introspection: bool,
    sources: Sources,
    /// The state in which replicas share what clients have them keep.
    shared: Option<SharedState>,
    valid: Cache<Arc<str>, Arc<Document>>,
}

impl Documents {
    pub(crate) fn new(types: Arc<TypeSystem>, limiter: impl Into<Limiter>, settings: DocumentSettings) -> Self {
        let weight = |_: &Arc<str>, document: &Arc<Document>| u32::try_from(document.size).unwrap_or(u32::MAX);
        Self {
            types,
            limiter: limiter.into(),
            introspection: settings.introspection,
            sources: Sources::new(settings.persisted_queries, settings.trusted),
            shared: None,
            valid: Cache::builder().weigher(weight).max_capacity(CACHED).build(),
        }
    }

    /// The same, shared with other replicas.
    pub(crate) fn sharing(self, shared: Option<SharedState>) -> Self {
        Self { shared, ..self }
    }

    /// True if other replicas may know documents that are not known here.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Makes a document known here that is asked for by its hash alone, if another replica knows it. True if the request registers one,
    /// which is to be shared once it was found.
    pub(crate) async fn recall(&self, source: &DocumentSource) -> bool {
        match &self.shared {
            Some(shared) => self.sources.recall(shared, source).await,
            None => false,
        }
    }

    /// Shares a document that a request has registered.
    pub(crate) async fn share(&self, source: &DocumentSource) {
        if let Some(shared) = &self.shared {
            self.sources.share(shared, source).await;
        }
    }

    /// The document that a client asks for, or everything that is wrong with it.
    pub(crate) fn find(&self, source: &DocumentSource) -> Result<Arc<Document>, Vec<GraphqlError>> {
        let FoundDocument { text, keep_as } = self.sources.find(source).map_err(|failure| vec![failure])?;
        let document = self.get(&text)?;
        // Only now: what cannot run is not worth keeping.
        if let Some(hash) = keep_as {
            self.sources.keep(hash, &text);
        }
        Ok(document)
    }

    /// The document that `text` is, or everything that is wrong with it.
    pub(crate) fn get(&self, text: &str) -> Result<Arc<Document>, Vec<GraphqlError>> {
        if let Some(document) = self.valid.get(text) {
            return Ok(document);
        }
        let document = Arc::new(self.read(text)?);
        self.valid.insert(text.into(), Arc::clone(&document));
        Ok(document)
    }

    fn read(&self, text: &str) -> Result<Document, Vec<GraphqlError>> {
        let lines = Lines::of(text);
        let (syntax, tokens) = parse::parse(text, &lines, &self.limiter, self.introspection)?;
        let parsed = validate::validate(&self.types, text, &syntax, &lines, self.introspection)?;
        // The text stands in the cache and in the document.
        let size = FIXED_SIZE + 2 * text.len() + tokens * TOKEN_SIZE;
        Ok(Document { parsed, lines, hash: sha256(text), size })
    }

    /// Keeps the trusted documents as they are on disk, until nobody else has the documents any more. None if there are none
    /// to be kept.
    pub(crate) fn refresh_trusted_documents(self: &Arc<Self>) -> Option<impl Future<Output = ()> + Send + use<>> {
        let trusted = self.sources.trusted()?.clone();
        let documents = Arc::downgrade(self);
        Some(async move {
            validate_all(&documents, &trusted).await;
            while documents.strong_count() > 0 {
                if trusted.has_changed().await {
                    validate_all(&documents, &trusted).await;
                }
            }
        })
    }
}

/// The errors that apollo-compiler finds in places that count, in the document's order.
fn failures(
    code: ErrorCode,
    lines: &Lines,
    errors: &DiagnosticList,
    suggestions: &Suggestions,
    counts: impl Fn(SourceSpan) -> bool,
) -> Vec<GraphqlError> {
    let errors = errors.iter().map(|diagnostic| diagnostic.error);
    let mut errors: Vec<_> = errors.filter(|error| error.location().is_none_or(&counts)).collect();
    errors.sort_by_key(|error| error.location().map(|span| span.offset()));
    let failure = |error: &DiagnosticData| {
        let mut message = error.to_string();
        let suggestion = error.location().and_then(|place| suggestions.get(place, &message));
        message = sentence(&message);
        message.push_str(suggestion.unwrap_or_default());
        let failure = match code {
            ErrorCode::ParseFailed => not_graphql(&message),
            _ => GraphqlError::new(code, message),
        };
        match error.location() {
            Some(span) => failure.at(lines.at(span.offset())),
            None => failure,
        }
    };
    let mut failures: Vec<_> = errors.into_iter().map(failure).collect();
    if code == ErrorCode::ParseFailed {
        // Errors after the first are as a rule of its making.
        failures.truncate(1);
    }
    failures
}

fn not_graphql(reason: &str) -> GraphqlError {
    GraphqlError::new(ErrorCode::ParseFailed, format!("The document is not GraphQL. {reason}"))
}

/// A message of apollo-compiler's as this gateway writes them, and no longer than it should be.
fn sentence(message: &str) -> String {
    let mut letters = message.trim_end_matches('.').chars();
    let first = letters.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(letters.by_ref().take(LONGEST_MESSAGE)).collect();
    sentence.push_str(if letters.next().is_some() { "…" } else { "." });
    sentence
}

/// Logs which of the trusted documents cannot run, before somebody asks for them.
async fn validate_all(documents: &Weak<Documents>, trusted: &TrustedDocuments) {
    let all = trusted.all();
    tracing::info!(documents = all.len(), "read the trusted documents");
    for (id, text) in all {
        let Some(documents) = documents.upgrade() else { return };
        if let Err(failures) = documents.get(&text) {
            let reason = failures.first().map(|failure| failure.message.as_str()).unwrap_or_default();
            tracing::warn!(id = &*id, reason, "a trusted document cannot run");
        }
        // Validation never waits: without this, thousands of documents would keep others from the thread.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests;
