//! The audit trail: a line in the log for each operation, however it ends, under a target of its own.
//!
//! It tells who asked for what, and never a value: no search, no address, no document, nothing of the answer.

pub(crate) mod summary;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use self::summary::{short_hash, showable};
use super::document::{Document, sha256};
use super::error::ErrorCode;
use super::execution_context::ExecutionContext;
use super::prepared_operation::PreparedOperation;
use super::{DocumentSource, GraphqlResponse, Outcome, RequestContext};
use crate::auth::{Caller, Identity};
use crate::telemetry::{AUDIT_TARGET, report_lost_lines, trace_id};

/// The end of an operation, as the trail names it, and in a sentence.
type Ending = (&'static str, &'static str);

const ANSWERED: Ending = ("answered", "operation answered");
const ANSWERED_WITH_ERRORS: Ending = ("answered with errors", "operation answered with errors");
const SUBSCRIBED: Ending = ("subscribed", "subscription begun");
const REFUSED: Ending = ("refused", "operation refused");
const ABANDONED: Ending = ("abandoned", "operation abandoned");

/// The reason of an end that is the client's own doing.
const UNSUBSCRIBED: &str = "unsubscribed";

/// The line of an operation. It is written when this is dropped: whoever hangs up, or makes the gateway panic, is in the trail as well.
pub(crate) struct Audit<'t> {
    context: &'t RequestContext<'t>,
    source: &'t DocumentSource,
    /// The document and the operation that are run, if anything can be.
    found: Option<(Arc<Document>, Arc<PreparedOperation>)>,
    execution: Option<Arc<ExecutionContext>>,
    begun: Instant,
    ending: Ending,
    errors: String,
}

impl<'t> Audit<'t> {
    /// None where nobody keeps a trail.
    pub(crate) fn begin(source: &'t DocumentSource, context: &'t RequestContext<'t>) -> Option<Self> {
        let is_kept = tracing::enabled!(target: AUDIT_TARGET, tracing::Level::INFO);
        is_kept.then(|| Self {
            context,
            source,
            found: None,
            execution: None,
            begun: Instant::now(),
            ending: ABANDONED,
            errors: String::new(),
        })
    }

    /// Sets the operation, once that is known.
    pub(crate) fn set_operation(&mut self, document: Arc<Document>, prepared: Arc<PreparedOperation>) {
        self.found = Some((document, prepared));
    }

    /// Sets where its calls are counted.
    pub(crate) fn set_execution(&mut self, execution: &Arc<ExecutionContext>) {
        self.execution = Some(Arc::clone(execution));
    }

    /// Begins a subscription; returns the line of its end.
    pub(crate) fn begin_stream(&mut self) -> StreamAudit {
        self.ending = SUBSCRIBED;
        let (document, prepared) = self.found.as_ref().map(|(document, prepared)| (&**document, &**prepared)).unzip();
        StreamAudit {
            caller: self.context.caller.clone(),
            operation: prepared.and_then(|prepared| prepared.audit.operation.clone()),
            document: name_of(self.source, document).into(),
            request_id: self.context.request_id.into(),
            begun: Instant::now(),
            delivered: 0,
            reason: UNSUBSCRIBED,
        }
    }

    /// Sets how it ended.
    pub(crate) fn set_outcome(&mut self, reply: &GraphqlResponse) {
        self.ending = match reply.outcome {
            Outcome::Refused(_) => REFUSED,
            Outcome::Executed if reply.error_codes.is_empty() => ANSWERED,
            Outcome::Executed => ANSWERED_WITH_ERRORS,
        };
        self.errors = reply.error_codes.join(",");
    }
}

/// The document's name in the trail: the hash of its text, or by what its caller knows it by.
fn name_of<'a>(source: &'a DocumentSource, found: Option<&'a Document>) -> Cow<'a, str> {
    match (source, found) {
        (DocumentSource::Text(_), Some(document)) => (&*document.hash).into(),
        (DocumentSource::Text(text), None) => sha256(text).into(),
        (DocumentSource::Id(name) | DocumentSource::Persisted { hash: name, .. }, Some(_)) => name.into(),
        // A name that nothing goes by could be anything.
        (DocumentSource::Id(name) | DocumentSource::Persisted { hash: name, .. }, None) => short_hash(name).into(),
    }
}

/// The caller, as the trail names it: kind, name of an API key, subject of a token.
fn named(caller: &Caller) -> (&'static str, Option<&str>, Option<Cow<'_, str>>) {
    match caller.identity() {
        Identity::Anonymous => ("anonymous", None, None),
        Identity::ApiKey { name } => ("api key", Some(&**name), None),
        // An id and no address as a rule, and what an audit is for: a hash would have to be looked for in every user of the tenant.
        Identity::Token { subject, .. } => ("token", None, Some(showable(subject))),
    }
}

/// The line of a subscription's end, which is written when this is dropped.
pub(crate) struct StreamAudit {
    caller: Caller,
    operation: Option<String>,
    document: Box<str>,
    request_id: Box<str>,
    begun: Instant,
    delivered: u64,
    reason: &'static str,
}

impl StreamAudit {
    /// Counts logs that were delivered.
    pub(crate) fn count_delivered(&mut self, logs: usize) {
        self.delivered += logs as u64;
    }

    /// Sets why the gateway ended it.
    pub(crate) fn set_outcome(&mut self, code: ErrorCode) {
        self.reason = code.as_str();
    }
}

impl Drop for StreamAudit {
    fn drop(&mut self) {
        let Self { caller, operation, document, request_id, begun, delivered, reason } = self;
        let (kind, name, subject) = named(caller);
        tracing::info!(
            target: AUDIT_TARGET,
            parent: None,
            message = "subscription ended",
            outcome = "ended",
            reason,
            caller.kind = kind,
            caller.name = name,
            caller.sub = subject.as_deref(),
            operation = operation.as_deref(),
            document = &**document,
            delivered,
            duration_ms = milliseconds_since(*begun),
            request_id = &**request_id,
        );
        report_lost_lines();
    }
}

impl Drop for Audit<'_> {
    fn drop(&mut self) {
        let Self { context, source, found, execution, begun, ending: (outcome, message), errors } = self;
        let (kind, name, subject) = named(&context.caller);
        let (document, prepared) = found.as_ref().map(|(document, prepared)| (&**document, &**prepared)).unzip();
        let told = prepared.map(|prepared| &prepared.audit);
        let needed = prepared.map(|prepared| prepared.requirements.scopes()).unwrap_or_default();
        let denied = needed.without(context.caller.authority());
        let used = needed.without(denied);
        // Of an operation that was abandoned, the calls that are still under way are not known.
        let calls = execution.as_ref().map(|execution| execution.upstream_calls());
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
            duration_ms = milliseconds_since(*begun),
            request_id = context.request_id,
            trace_id = trace_id().as_deref(),
        );
        report_lost_lines();
    }
}

fn milliseconds_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
