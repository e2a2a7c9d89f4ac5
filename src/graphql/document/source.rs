//! Sources of documents: a text that is sent, one that was kept by its hash, or a manifest that the operator trusts.

use std::borrow::Cow;
use std::sync::Arc;

use super::persisted::{PersistedQueries, sha256};
use super::trusted::{TrustedDocuments, TrustedMode};
use crate::graphql::error::{ErrorCode, GraphqlError};

/// A client's reference to the document that it wants run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentSource {
    /// The text of the document.
    Text(String),
    /// The id of a document that the operator trusts.
    Id(String),
    /// Apollo's protocol for automatic persisted queries: a hash, with the text where the hash alone was not enough.
    /// <https://www.apollographql.com/docs/apollo-server/performance/apq>
    Persisted {
        /// The text's SHA-256 in hexadecimal, or the id of a document that the operator trusts.
        hash: String,
        /// The document.
        text: Option<String>,
    },
}

/// A document's text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FoundDocument<'s> {
    pub(crate) text: Cow<'s, str>,
    /// The hash to keep it by, once it is found valid.
    pub(crate) keep_as: Option<&'s str>,
}

/// The texts of documents that are known.
pub(crate) struct Sources {
    persisted: Option<PersistedQueries>,
    trusted: Option<TrustedDocuments>,
}

impl Sources {
    /// The sources of an engine. If nothing but trusted documents may run, none is kept for clients: the hashes of those are known anyhow.
    pub(crate) fn new(persists: bool, trusted: Option<TrustedDocuments>) -> Self {
        let is_open = trusted.as_ref().is_none_or(|trusted| trusted.mode() == TrustedMode::Prefer);
        Self { persisted: (persists && is_open).then(PersistedQueries::default), trusted }
    }

    pub(crate) fn trusted(&self) -> Option<&TrustedDocuments> {
        self.trusted.as_ref()
    }

    /// Finds the text of a document, if it may run here.
    pub(crate) fn find<'s>(&self, source: &'s DocumentSource) -> Result<FoundDocument<'s>, GraphqlError> {
        match source {
            DocumentSource::Text(text) => self.admit(text),
            DocumentSource::Id(id) => self.by_id(id),
            DocumentSource::Persisted { hash, text: None } => self.by_hash(hash),
            DocumentSource::Persisted { hash, text: Some(text) } => self.by_both(hash, text),
        }
    }

    /// Keeps a document that was found valid, by the hash that it was found under.
    pub(crate) fn keep(&self, hash: &str, text: &str) {
        if let Some(persisted) = &self.persisted {
            persisted.keep(hash, text);
        }
    }

    /// True if documents are kept for clients.
    pub(super) fn persists(&self) -> bool {
        self.persisted.is_some()
    }

    /// True if a document is known by this hash.
    pub(super) fn knows(&self, hash: &str) -> bool {
        let is_trusted = self.trusted.as_ref().is_some_and(|trusted| trusted.get(hash).is_some());
        is_trusted || self.persisted.as_ref().is_some_and(|persisted| persisted.get(hash).is_some())
    }

    fn admit<'s>(&self, text: &'s str) -> Result<FoundDocument<'s>, GraphqlError> {
        match &self.trusted {
            Some(trusted) if trusted.mode() == TrustedMode::Only && !trusted.has(text) => {
                let message = "Only documents that the gateway's operator has registered are run here: send the `documentId` \
                               of one, or its text to the letter.";
                Err(GraphqlError::new(ErrorCode::PersistedQueryOnly, message))
            }
            _ => Ok(FoundDocument { text: Cow::Borrowed(text), keep_as: None }),
        }
    }

    fn by_id<'s>(&self, id: &str) -> Result<FoundDocument<'s>, GraphqlError> {
        let Some(trusted) = &self.trusted else {
            let message = "No documents are registered here: send the `query` itself.";
            return Err(GraphqlError::new(ErrorCode::PersistedQueryNotSupported, message));
        };
        trusted.get(id).as_ref().map(kept).ok_or_else(|| {
            let message = "No document is registered here under this `documentId`.";
            GraphqlError::new(ErrorCode::PersistedQueryNotFound, message)
        })
    }

    /// The messages are those of Apollo's protocol, by which clients know what to do next: send the text too, or send no
    /// hashes any more.
    fn by_hash<'s>(&self, hash: &str) -> Result<FoundDocument<'s>, GraphqlError> {
        let trusted = self.trusted.as_ref().and_then(|trusted| trusted.get(hash));
        let text = trusted.or_else(|| self.persisted.as_ref()?.get(hash));
        text.as_ref().map(kept).ok_or_else(|| {
            if self.trusted.is_none() && self.persisted.is_none() {
                GraphqlError::new(ErrorCode::PersistedQueryNotSupported, "PersistedQueryNotSupported")
            } else {
                GraphqlError::new(ErrorCode::PersistedQueryNotFound, "PersistedQueryNotFound")
            }
        })
    }

    fn by_both<'s>(&self, hash: &'s str, text: &'s str) -> Result<FoundDocument<'s>, GraphqlError> {
        let trusted = self.trusted.as_ref().and_then(|trusted| trusted.get(hash));
        let fits = match &trusted {
            Some(trusted) => **trusted == *text,
            None => sha256(text) == hash,
        };
        if !fits {
            let message = "The hash in `extensions.persistedQuery` is not that of the `query`: it is its SHA-256, in \
                           lower-case hexadecimal.";
            return Err(GraphqlError::new(ErrorCode::BadRequest, message));
        }
        let keep_as = (trusted.is_none() && self.persisted.is_some()).then_some(hash);
        Ok(FoundDocument { keep_as, ..self.admit(text)? })
    }
}

fn kept<'s>(text: &Arc<str>) -> FoundDocument<'s> {
    FoundDocument { text: Cow::Owned(text.to_string()), keep_as: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{ __typename }";
    const OTHER: &str = "{ gateway { version } }";

    fn trusted(mode: TrustedMode) -> Option<TrustedDocuments> {
        Some(TrustedDocuments::of(mode, &[("an-id", TEXT)]))
    }

    fn persisted(hash: &str, text: Option<&str>) -> DocumentSource {
        DocumentSource::Persisted { hash: hash.to_owned(), text: text.map(str::to_owned) }
    }

    /// The text that is found, or the code of the refusal.
    fn find(sources: &Sources, source: &DocumentSource) -> Result<String, &'static str> {
        let found = sources.find(source).map_err(|failure| failure.code.as_str())?;
        if let Some(hash) = found.keep_as {
            sources.keep(hash, &found.text);
        }
        Ok(found.text.into_owned())
    }

    #[test]
    fn a_hash_is_known_once_its_text_was_sent_with_it() {
        let sources = Sources::new(true, None);
        let hash = sha256(TEXT);
        let found = Ok(TEXT.to_owned());
        assert_eq!(find(&sources, &persisted(&hash, None)), Err("PERSISTED_QUERY_NOT_FOUND"));
        assert_eq!(find(&sources, &persisted(&hash, Some(OTHER))), Err("BAD_REQUEST"));
        assert_eq!(find(&sources, &persisted(&hash.to_uppercase(), Some(TEXT))), Err("BAD_REQUEST"));
        assert_eq!(find(&sources, &persisted(&hash, None)), Err("PERSISTED_QUERY_NOT_FOUND"));
        assert_eq!(find(&sources, &persisted(&hash, Some(TEXT))), found);
        assert_eq!(find(&sources, &persisted(&hash, None)), found);
    }

    #[test]
    fn where_nothing_is_kept_clients_are_told_to_send_texts() {
        let sources = Sources::new(false, None);
        let hash = sha256(TEXT);
        assert_eq!(find(&sources, &persisted(&hash, None)), Err("PERSISTED_QUERY_NOT_SUPPORTED"));
        assert_eq!(find(&sources, &persisted(&hash, Some(TEXT))), Ok(TEXT.to_owned()));
        assert_eq!(find(&sources, &persisted(&hash, None)), Err("PERSISTED_QUERY_NOT_SUPPORTED"));
        assert_eq!(find(&sources, &DocumentSource::Id("an-id".to_owned())), Err("PERSISTED_QUERY_NOT_SUPPORTED"));
    }

    #[test]
    fn a_trusted_document_is_found_by_its_id_and_by_its_hash() {
        for mode in [TrustedMode::Prefer, TrustedMode::Only] {
            let sources = Sources::new(true, trusted(mode));
            let hash = sha256(TEXT);
            for source in [
                DocumentSource::Id("an-id".to_owned()),
                DocumentSource::Id(hash.clone()),
                DocumentSource::Id(format!("sha256:{hash}")),
                DocumentSource::Text(TEXT.to_owned()),
                persisted("an-id", None),
                persisted("an-id", Some(TEXT)),
                persisted(&hash, None),
                persisted(&hash, Some(TEXT)),
            ] {
                assert_eq!(find(&sources, &source), Ok(TEXT.to_owned()), "{source:?} in {mode:?}");
            }
            assert_eq!(find(&sources, &DocumentSource::Id("another".to_owned())), Err("PERSISTED_QUERY_NOT_FOUND"));
            assert_eq!(find(&sources, &persisted("an-id", Some(OTHER))), Err("BAD_REQUEST"));
        }
    }

    #[test]
    fn other_documents_run_unless_only_trusted_ones_may() {
        let hash = sha256(OTHER);
        let text = DocumentSource::Text(OTHER.to_owned());
        let prefer = Sources::new(true, trusted(TrustedMode::Prefer));
        assert_eq!(find(&prefer, &text), Ok(OTHER.to_owned()));
        assert_eq!(find(&prefer, &persisted(&hash, Some(OTHER))), Ok(OTHER.to_owned()));
        assert_eq!(find(&prefer, &persisted(&hash, None)), Ok(OTHER.to_owned()));
        let only = Sources::new(true, trusted(TrustedMode::Only));
        assert_eq!(find(&only, &text), Err("PERSISTED_QUERY_ONLY"));
        assert_eq!(find(&only, &persisted(&hash, Some(OTHER))), Err("PERSISTED_QUERY_ONLY"));
        assert_eq!(find(&only, &persisted(&hash, None)), Err("PERSISTED_QUERY_NOT_FOUND"));
    }
}
