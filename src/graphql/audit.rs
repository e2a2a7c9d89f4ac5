//! The audit trail: a line in the log for each operation, however it ends, under a target of its own.
//!
//! It tells who asked for what, and never a value: no search, no address, no document, nothing of the answer.

use std::borrow::Cow;
use std::sync::Arc;

use super::document::{Document, sha256};
use super::operation::{Operation, Value};
use super::prepared::Prepared;
use super::session::Session;
use super::{DocumentSource, Outcome, Reply, RequestContext};
use crate::auth::Identity;
use crate::telemetry::AUDIT_TARGET;

/// Longest operation name that is written out.
const LONGEST_NAME: usize = 100;

/// How an operation ends: as the trail has it, and in a sentence.
type Ending = (&'static str, &'static str);

const ANSWERED: Ending = ("answered", "operation answered");
const ANSWERED_WITH_ERRORS: Ending = ("answered with errors", "operation answered with errors");
const REFUSED: Ending = ("refused", "operation refused");
const ABANDONED: Ending = ("abandoned", "operation abandoned");

/// What is to be told of an operation. It is told when this is dropped: whoever hangs up, or makes the gateway panic, is in the trail as well.
pub(crate) struct Audit<'t> {
    terms: &'t RequestContext<'t>,
    source: &'t DocumentSource,
    /// What is run, if anything can be.
    found: Option<(Arc<Document>, Arc<Prepared>)>,
    session: Option<Arc<Session>>,
    ending: Ending,
    errors: String,
}

/// What is told of an operation whoever asks it.
pub(crate) struct AuditSummary {
    operation: Option<String>,
    fields: String,
    /// Of the arguments, those that name single records.
    ids: String,
}

impl AuditSummary {
    pub(crate) fn of(operation: &Operation) -> Self {
        let mut fields: Vec<_> = operation.fields.iter().map(|field| field.name.as_str()).collect();
        fields.sort_unstable();
        fields.dedup();
        let ids = operation.fields.iter().flat_map(|field| {
            ["id", "from"].into_iter().filter_map(|argument| match field.argument(argument)? {
                Value::String(id) => Some(showable(id)),
                _ => None,
            })
        });
        Self {
            operation: operation.name.as_ref().map(|name| name.chars().take(LONGEST_NAME).collect()),
            fields: fields.join(","),
            ids: ids.collect::<Vec<_>>().join(","),
        }
    }
}

impl<'t> Audit<'t> {
    /// None where nobody keeps a trail.
    pub(crate) fn begin(source: &'t DocumentSource, terms: &'t RequestContext<'t>) -> Option<Self> {
        let is_kept = tracing::enabled!(target: AUDIT_TARGET, tracing::Level::INFO);
        is_kept.then(|| Self { terms, source, found: None, session: None, ending: ABANDONED, errors: String::new() })
    }

    /// Takes in what the operation is, once that is known.
    pub(crate) fn asks(&mut self, document: Arc<Document>, prepared: Arc<Prepared>) {
        self.found = Some((document, prepared));
    }

    /// Takes in where the calls of the operation are noted.
    pub(crate) fn runs(&mut self, session: &Arc<Session>) {
        self.session = Some(Arc::clone(session));
    }

    /// Takes in how it ended.
    pub(crate) fn ends(&mut self, reply: &Reply) {
        self.ending = match reply.outcome {
            Outcome::Refused(_) => REFUSED,
            Outcome::Executed if reply.error_codes.is_empty() => ANSWERED,
            Outcome::Executed => ANSWERED_WITH_ERRORS,
        };
        self.errors = reply.error_codes.join(",");
    }
}

/// How the trail names a document: by the hash of its text, or by what its caller knows it by.
fn name_of<'a>(source: &'a DocumentSource, found: Option<&'a Document>) -> Cow<'a, str> {
    match (source, found) {
        (DocumentSource::Text(_), Some(document)) => (&*document.hash).into(),
        (DocumentSource::Text(text), None) => sha256(text).into(),
        (DocumentSource::Id(name) | DocumentSource::Persisted { hash: name, .. }, Some(_)) => name.into(),
        // A name that nothing goes by could be anything.
        (DocumentSource::Id(name) | DocumentSource::Persisted { hash: name, .. }, None) => short_hash(name).into(),
    }
}

impl Drop for Audit<'_> {
    fn drop(&mut self) {
        let Self { terms, source, found, session, ending: (outcome, message), errors } = self;
        let (kind, name, subject) = match terms.caller.identity() {
            Identity::Anonymous => ("anonymous", None, None),
            Identity::ApiKey { name } => ("api key", Some(&**name), None),
            // An id and no address as a rule, and what an audit is for: a hash would have to be looked for in every user of the tenant.
            Identity::Token { subject, .. } => ("token", None, Some(showable(subject))),
        };
        let (document, prepared) = found.as_ref().map(|(document, prepared)| (&**document, &**prepared)).unzip();
        let told = prepared.map(|prepared| &prepared.told);
        let needed = prepared.map(|prepared| prepared.requirements.scopes()).unwrap_or_default();
        let denied = needed.without(terms.caller.authority());
        let used = needed.without(denied);
        // Of an operation that was abandoned, the calls that are still under way are not known.
        let calls = session.as_ref().map(|session| session.upstream_calls());
        // It stands in no span: it has the request's id itself, and what it has nothing of it leaves out.
        tracing::info!(
            target: AUDIT_TARGET,
            parent: None,
            message,
            outcome,
            caller.kind = kind,
            caller.name = name,
            caller.sub = subject.as_deref(),
            operation = told.and_then(|told| told.operation.as_deref()),
            document = &*name_of(source, document),
            fields = told.and_then(|told| some(&told.fields)),
            ids = told.and_then(|told| some(&told.ids)),
            scopes.used = some(&used.to_string()),
            scopes.denied = some(&denied.to_string()),
            errors = some(errors),
            upstream_calls = calls.unwrap_or_default(),
            request_id = terms.request_id,
        );
    }
}

/// An id as it may stand in the trail: as it is if it looks like one, else its hash. Some connections make ids of addresses, and callers can
/// write anything where an id should be.
fn showable(id: &str) -> Cow<'_, str> {
    // Of a client that got a token for itself, Auth0 says `…@clients`.
    let name = id.strip_suffix("@clients").unwrap_or(id);
    let is_plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'|' | b'-' | b'_' | b'.' | b':'));
    // A number could be a telephone's, which has fifteen digits at the most (E.164); the shortest ids of logs have more.
    let is_id = name.contains('|') || name.len() < id.len() || name.len() > 20;
    if is_plain && is_id && id.len() <= 256 { id.into() } else { short_hash(id).into() }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn short_hash(text: &str) -> String {
    format!("sha256:{}", &sha256(text)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_and_what_may_be_an_address_is_not() {
        for id in ["auth0|64b1f0c2a7d9e83f5c6b1a20", "samlp|corp|jdoe", "an-id@clients", &"9002".repeat(14)] {
            assert_eq!(showable(id), id);
        }
        for text in [
            "ada@example.com",
            "samlp|corp|ada@example.com",
            "ada@example.com@clients",
            "+15550100",
            "15550100",
            "sms|+15550100",
            "Ada Lovelace",
            "Ada",
            "auth0|a\nb",
            "auth0|é",
            "",
            &"x".repeat(257),
        ] {
            let shown = showable(text);
            assert!(shown.starts_with("sha256:") && shown.len() == 23, "{text}: {shown}");
        }
        // `printf %s ada@example.com | sha256sum` tells whose it is.
        assert_eq!(showable("ada@example.com"), short_hash("ada@example.com"));
    }
}
