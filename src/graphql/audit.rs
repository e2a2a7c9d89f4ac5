//! The audit trail: a line in the log for each operation, however it ends, under a target of its own.
//!
//! It tells who asked for what, and never a value: no search, no address, no document, nothing of the answer.

use std::sync::Arc;

use async_graphql_value::Value;

use super::document::{Document, sha256};
use super::prepared::Prepared;
use super::session::Session;
use super::{DocumentSource, Outcome, Reply, Terms};
use crate::auth::{Identity, Scopes};

/// The target of the trail, for the log's filter.
const TARGET: &str = "auth0_graphql::audit";

/// Longest operation name that is written out.
const LONGEST_NAME: usize = 100;

/// What is to be told of an operation. It is told when this is dropped: whoever hangs up, or makes the gateway panic, is in the trail as well.
pub(crate) struct Audit<'t> {
    terms: &'t Terms<'t>,
    source: &'t DocumentSource,
    /// The document, if there is one.
    document: Option<Arc<Document>>,
    asked: Asked,
    session: Option<Arc<Session>>,
    outcome: Option<(&'static str, String)>,
}

/// What an operation asks for.
#[derive(Default)]
struct Asked {
    operation: Option<String>,
    fields: Vec<String>,
    ids: Vec<String>,
    used: Scopes,
    denied: Scopes,
}

impl<'t> Audit<'t> {
    /// None where nobody keeps a trail.
    pub(crate) fn begin(source: &'t DocumentSource, terms: &'t Terms<'t>) -> Option<Self> {
        let is_kept = tracing::enabled!(target: TARGET, tracing::Level::INFO);
        is_kept.then(|| Self { terms, source, document: None, asked: Asked::default(), session: None, outcome: None })
    }

    /// Takes in what the operation asks for, once that is known.
    pub(crate) fn asks(&mut self, document: Arc<Document>, prepared: &Prepared) {
        self.document = Some(document);
        let operation = &prepared.operation;
        let held = self.terms.caller.authority();
        let needed = prepared.requirements.scopes();
        let denied = needed.without(held);
        let mut fields: Vec<_> = operation.fields().map(|field| field.name.node.to_string()).collect();
        fields.sort_unstable();
        fields.dedup();
        let ids = operation.fields().flat_map(|field| {
            // Of the arguments, those that name single records.
            ["id", "from"].into_iter().filter_map(|argument| match &field.get_argument(argument)?.node {
                Value::String(id) => Some(showable(id)),
                _ => None,
            })
        });
        self.asked = Asked {
            operation: operation.name.as_ref().map(|name| name.chars().take(LONGEST_NAME).collect()),
            fields,
            ids: ids.collect(),
            used: needed.without(denied),
            denied,
        };
    }

    /// Takes in where the calls of the operation are noted.
    pub(crate) fn runs(&mut self, session: &Arc<Session>) {
        self.session = Some(Arc::clone(session));
    }

    /// Takes in how it ended.
    pub(crate) fn ends(&mut self, reply: &Reply) {
        let outcome = match reply.outcome {
            Outcome::Refused(_) => "refused",
            Outcome::Executed if reply.error_codes.is_empty() => "answered",
            Outcome::Executed => "answered with errors",
        };
        self.outcome = Some((outcome, reply.error_codes.join(",")));
    }
}

/// How the trail names a document: by the hash of its text, or by what its caller knows it by.
fn name_of(source: &DocumentSource, found: Option<&Document>) -> String {
    match (source, found) {
        (DocumentSource::Text(_), Some(document)) => document.hash.clone(),
        (DocumentSource::Text(text), None) => sha256(text),
        (DocumentSource::Id(name) | DocumentSource::Persisted { hash: name, .. }, Some(_)) => name.clone(),
        // A name that nothing goes by could be anything.
        (DocumentSource::Id(name) | DocumentSource::Persisted { hash: name, .. }, None) => short_hash(name),
    }
}

impl Drop for Audit<'_> {
    fn drop(&mut self) {
        let Self { terms, source, document, asked, session, outcome } = self;
        let (kind, name, subject) = match terms.caller.identity() {
            Identity::Anonymous => ("anonymous", None, None),
            Identity::ApiKey { name } => ("api key", Some(&**name), None),
            // An id and no address as a rule, and what an audit is for: a hash would have to be looked for in every user of the tenant.
            Identity::Token { subject, .. } => ("token", None, Some(showable(subject))),
        };
        let (outcome, errors) = outcome.take().unwrap_or(("abandoned", String::new()));
        // Of an operation that was abandoned, the calls that are still under way are not known.
        let calls = session.as_ref().map(|session| session.upstream_calls());
        let Asked { operation, fields, ids, used, denied } = asked;
        // It stands in no span: it has the request's id itself, and what it has nothing of it leaves out.
        let some = |text: String| (!text.is_empty()).then_some(text);
        tracing::info!(
            target: TARGET,
            parent: None,
            outcome,
            caller.kind = kind,
            caller.name = name,
            caller.sub = subject,
            operation = operation.as_deref(),
            document = name_of(source, document.as_deref()),
            fields = some(fields.join(",")),
            ids = some(ids.join(",")),
            scopes.used = some(used.to_string()),
            scopes.denied = some(denied.to_string()),
            errors = some(errors),
            upstream_calls = calls.unwrap_or_default(),
            request_id = terms.request_id,
            "operation {outcome}"
        );
    }
}

/// An id as it may stand in the trail: as it is if it looks like one, else its hash. Some connections make ids of addresses, and callers can
/// write anything where an id should be.
fn showable(id: &str) -> String {
    // Of a client that got a token for itself, Auth0 says `…@clients`.
    let name = id.strip_suffix("@clients").unwrap_or(id);
    let is_plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'|' | b'-' | b'_' | b'.' | b':'));
    // A number could be a telephone's, which has fifteen digits at the most (E.164); the shortest ids of logs have more.
    let is_id = name.contains('|') || name.len() < id.len() || name.len() > 20;
    if is_plain && is_id && id.len() <= 256 { id.to_owned() } else { short_hash(id) }
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
