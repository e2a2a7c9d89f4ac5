//! Subscriptions: a response for each log, as it comes.
//!
//! Each subscriber reads the tail of logs at a place of its own. What is made of a batch of logs is made once for all who select
//! the same with the same authority (`projector`), however many they are.

mod matching;
mod projector;

use std::sync::{Arc, Weak};

use bytes::Bytes;
use chrono::Utc;
use parking_lot::Mutex;

use self::projector::{ProjectedLog, Projector, Shared};
use super::audit::StreamAudit;
use super::error::{ErrorCode, FieldError, GraphqlError, PathSegment, report};
use super::field_result::FieldResult;
use super::permission::{Upstream, authorize};
use super::prepared_operation::{PreparedField, PreparedOperation};
use super::response::{self, refuse};
use super::schema::root::Access;
use super::{GraphqlResponse, RequestContext};
use crate::auth0::{Delivery, LogId, LogReader, TailEvent};

/// All subscriptions of an engine.
pub(crate) struct Subscriptions {
    shared: Arc<Shared>,
    projectors: Mutex<Vec<Weak<Projector>>>,
}

/// The responses to a subscription: a response stream, as the specification calls it.
pub struct ResponseStream {
    reader: LogReader,
    projector: Arc<Projector>,
    request_id: Box<str>,
    /// Logs that were read, until their responses are made.
    pending: Option<Delivery>,
    /// The greatest id of all logs that are done with, be they delivered or not.
    position: Option<LogId>,
    /// The greatest id of a log that was delivered.
    delivered: Option<LogId>,
    audit: Option<StreamAudit>,
}

/// A response of a stream.
#[derive(Debug, Clone)]
pub struct StreamedResponse {
    /// The response, in JSON.
    pub body: Bytes,
    /// The greatest id of a log so far, this response's included.
    pub id: Option<LogId>,
}

impl Subscriptions {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        Self { shared: Arc::new(Shared::new(upstream)), projectors: Mutex::default() }
    }

    /// Begins the stream that a subscription asks for.
    pub(crate) fn begin(
        &self,
        prepared: &Arc<PreparedOperation>,
        context: &RequestContext<'_>,
    ) -> Result<ResponseStream, GraphqlError> {
        let Some((_, access, request)) = prepared.subscription() else {
            return Err(GraphqlError::bug("this is no subscription"));
        };
        let (Access::Of(scope) | Access::Strict(scope)) = access else {
            return Err(GraphqlError::bug("a subscription needs no scope"));
        };
        let api = authorize(self.shared.upstream(), &context.caller, scope)?;
        let request = request?;
        let resume_after = context.resume_after.map(|id| LogId::parse_position("Last-Event-ID", id)).transpose()?;
        let argument = if resume_after.is_some() { "Last-Event-ID" } else { "from" };
        let from = resume_after.or_else(|| request.from.clone());
        // Not when it is read, which is once for all who ask the same, but at the time of each.
        let from = from.map(|from| from.not_ahead_of(Utc::now(), argument)).transpose()?;
        let projector = self.projector(prepared, context);
        Ok(ResponseStream {
            reader: api.follow(from.clone()),
            projector,
            request_id: context.request_id.into(),
            pending: None,
            position: from.clone(),
            delivered: from,
            audit: None,
        })
    }

    /// The projector for what is selected: another subscription's, if there is one.
    fn projector(&self, prepared: &Arc<PreparedOperation>, context: &RequestContext<'_>) -> Arc<Projector> {
        let mut projectors = self.projectors.lock();
        projectors.retain(|projector| projector.strong_count() > 0);
        let mut known = projectors.iter().filter_map(Weak::upgrade);
        if let Some(projector) = known.find(|projector| projector.is_for(prepared, &context.caller)) {
            return projector;
        }
        let projector =
            Arc::new(Projector::new(Arc::clone(&self.shared), Arc::clone(prepared), context.caller.clone()));
        projectors.push(Arc::downgrade(&projector));
        projector
    }
}

impl ResponseStream {
    /// Has its end told in the audit trail.
    pub(crate) fn audit(&mut self, audit: Option<StreamAudit>) {
        self.audit = audit;
    }

    /// Waits for the next responses: those to logs that came together. Nothing is lost if it is dropped before.
    ///
    /// # Errors
    ///
    /// The end of the stream: an answer with the error, which says where to resume.
    pub async fn next(&mut self) -> Result<Vec<StreamedResponse>, GraphqlResponse> {
        loop {
            if self.pending.is_none() {
                match self.reader.next().await {
                    Ok(TailEvent::Logs(delivery)) => self.pending = Some(delivery),
                    Ok(TailEvent::Gap(after)) => return Ok(vec![self.gap(&after)]),
                    Err(error) => return Err(self.end(report(error))),
                }
            }
            let Some(delivery) = &self.pending else { continue };
            let projected = match self.projector.project(&delivery.batch).await {
                Ok(projected) => projected,
                Err(failure) => return Err(self.end(failure)),
            };
            let Some(delivery) = self.pending.take() else { continue };
            self.position = self.reader.position().cloned();
            let wanted = projected.iter().filter(|projected| delivery.wants(&projected.log));
            let responses: Vec<_> = wanted.map(|projected| self.response(projected)).collect();
            if !responses.is_empty() {
                self.reader.delivered(responses.len());
                if let Some(audit) = &mut self.audit {
                    audit.count_delivered(responses.len());
                }
                return Ok(responses);
            }
        }
    }

    /// The id of a log to resume after, so that nothing comes twice: of those that are done with, the greatest. None before it has begun.
    #[must_use]
    pub fn position(&self) -> Option<&LogId> {
        self.position.as_ref().or(self.reader.began_at())
    }

    fn response(&mut self, projected: &ProjectedLog) -> StreamedResponse {
        let id = &projected.log.id;
        if self.delivered.as_ref().is_none_or(|delivered| id > delivered) {
            self.delivered = Some(id.clone());
        }
        StreamedResponse {
            body: projected.response(self.projector.root(), &self.request_id),
            id: self.delivered.clone(),
        }
    }

    /// Ends the stream with an error, which says where to resume.
    #[must_use]
    pub fn end(&mut self, error: GraphqlError) -> GraphqlResponse {
        if let Some(audit) = &mut self.audit {
            audit.set_outcome(error.code);
        }
        let error = match self.position() {
            Some(position) => error.with("from", position.as_str()),
            None => error,
        };
        refuse(&[error], &self.request_id)
    }

    /// The response that tells of logs that may be missing.
    fn gap(&self, after: &LogId) -> StreamedResponse {
        let message = "The tenant does not keep the log to read on from any more: logs after it may be missing. What it keeps follows.";
        // One outage is a gap for all who follow.
        if let Some(subscriptions) = self.projector.shared().gaps.count() {
            ErrorCode::LogsMissed.log(message, &format!("subscriptions={subscriptions}"));
        }
        let error = GraphqlError::new(ErrorCode::LogsMissed, message).with("after", after.as_str());
        let root: &PreparedField = self.projector.root();
        let error = FieldError { error: error.at(root.location), path: vec![PathSegment::Key(root.key.clone())] };
        let answer = FieldResult { json: None, errors: vec![error] };
        let body = response::streamed(root, &answer, false, &self.request_id);
        StreamedResponse { body: body.into(), id: self.delivered.clone() }
    }
}
