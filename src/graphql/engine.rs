//! The engine: an operation's way through the stages.

use std::sync::Arc;

use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use super::audit::Audit;
use super::completion::complete;
use super::document::{Document, DocumentSettings, DocumentSource, Documents};
use super::error::{ErrorCode, GraphqlError};
use super::execution_context::ExecutionContext;
use super::limits::Limiter;
use super::operation::{self, Operation};
use super::permission::{ScopeMode, Upstream, authority};
use super::prepared_operation::{FieldSource, OperationCache, PreparedOperation};
use super::projection_cache::ProjectionCache;
use super::response::refuse;
use super::schema::federation::with_entities;
use super::schema::{self, Schema, write_sdl};
use super::subscription::{ResponseStream, Subscriptions};
use super::type_system::{SchemaError, TypeSystem};
use super::variables::Variables;
use super::{
    Explain, GraphqlRequest, GraphqlResponse, OperationKind, Readiness, RequestContext, Settings, execute, explain,
    response,
};
use crate::auth0::{BreakerStatus, ManagementApi, PushError};
use crate::shared_state::SharedState;
use crate::telemetry::TRACE_TARGET;

/// Runs GraphQL operations.
pub struct Engine {
    documents: Arc<Documents>,
    types: Arc<TypeSystem>,
    operations: OperationCache,
    schema: Schema,
    projections: ProjectionCache,
    subscriptions: Subscriptions,
    upstream: Arc<Upstream>,
}

/// The response to a request, or the stream of them.
pub enum EngineResponse {
    /// A single response.
    Reply(GraphqlResponse),
    /// The responses to a subscription.
    Stream(Box<ResponseStream>),
}

impl Engine {
    /// An engine that reads from `api` what `documents` ask for.
    pub fn new(api: ManagementApi, settings: Settings, documents: DocumentSettings) -> Result<Self, SchemaError> {
        let limiter = Limiter::from(settings.limits);
        let upstream = Arc::new(Upstream::new(api, settings, limiter.clone()));
        let schema = schema::schema().data(Arc::clone(&upstream)).finish();
        let sdl = write_sdl(&schema);
        let sdl = if documents.federation { with_entities(&sdl) } else { sdl };
        let types = Arc::new(TypeSystem::parse(&sdl)?);
        let shared = upstream.shared_state().cloned();
        let documents = Arc::new(Documents::new(Arc::clone(&types), limiter, documents).sharing(shared));
        let (operations, projections) = (OperationCache::default(), ProjectionCache::default());
        let subscriptions = Subscriptions::new(Arc::clone(&upstream));
        Ok(Self { documents, types, operations, schema, projections, subscriptions, upstream })
    }

    /// Readiness to run operations now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        match self.upstream.breaker() {
            BreakerStatus::Open => Readiness::UpstreamFailing,
            // A single call finds out whether Auth0 has recovered: without requests none would be made.
            BreakerStatus::Closed | BreakerStatus::HalfOpen => Readiness::Ready,
        }
    }

    /// The state that this replica shares with others, if there are any.
    pub(crate) fn shared_state(&self) -> Option<&SharedState> {
        self.upstream.shared_state()
    }

    /// Keeps the trusted documents as they are on disk, for as long as the engine is there. None if there are none.
    #[must_use]
    pub fn refresh_trusted_documents(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        self.documents.refresh_trusted_documents()
    }

    /// Takes in logs that Auth0 has pushed: the body of a request of a custom log stream.
    ///
    /// # Errors
    ///
    /// See [`PushError`].
    pub async fn push_logs(&self, body: &[u8]) -> Result<(), PushError> {
        self.upstream.push_logs(body).await
    }

    /// Answers `request`, for a client that takes one answer. A subscription is refused.
    pub async fn execute(&self, request: GraphqlRequest, context: &RequestContext<'_>) -> GraphqlResponse {
        let refuse_stream = |_: &_| {
            let message = "A subscription needs a WebSocket, or `Accept: text/event-stream`.";
            Err(GraphqlError::new(ErrorCode::BadRequest, message))
        };
        match self.execute_with(request, context, refuse_stream).await {
            EngineResponse::Reply(reply) => reply,
            EngineResponse::Stream(mut stream) => stream.end(GraphqlError::bug("a stream was begun for one answer")),
        }
    }

    /// Answers `request`, or begins the stream that it asks for.
    pub async fn execute_or_subscribe(&self, request: GraphqlRequest, context: &RequestContext<'_>) -> EngineResponse {
        self.execute_with(request, context, |prepared| self.subscriptions.begin(prepared, context)).await
    }

    async fn execute_with(
        &self,
        request: GraphqlRequest,
        context: &RequestContext<'_>,
        begin: impl FnOnce(&Arc<PreparedOperation>) -> Result<ResponseStream, GraphqlError>,
    ) -> EngineResponse {
        let span = info_span!(
            target: TRACE_TARGET,
            "operation",
            graphql.operation.name = Empty,
            graphql.document.hash = Empty,
            code = Empty,
            upstream_calls = Empty,
        );
        self.run_or_begin(request, context, begin).instrument(span).await
    }

    async fn run_or_begin(
        &self,
        request: GraphqlRequest,
        context: &RequestContext<'_>,
        begin: impl FnOnce(&Arc<PreparedOperation>) -> Result<ResponseStream, GraphqlError>,
    ) -> EngineResponse {
        let GraphqlRequest { document: source, operation_name, variables } = request;
        let mut audit = Audit::begin(&source, context);
        // In a box: most gateways are alone, and all operations would have its size.
        let registers = self.documents.is_shared() && Box::pin(self.documents.recall(&source)).await;
        let prepared = self.prepare(&source, operation_name.as_deref(), variables);
        if registers {
            Box::pin(self.documents.share(&source)).await;
        }
        let reply = match prepared {
            Ok((document, prepared)) => {
                let span = Span::current();
                span.record("graphql.operation.name", prepared.audit.operation.as_deref());
                span.record("graphql.document.hash", &*document.hash);
                if let Some(audit) = &mut audit {
                    audit.set_operation(document, Arc::clone(&prepared));
                }
                let kind = match prepared.subscription() {
                    Some(_) => OperationKind::Subscription,
                    None => OperationKind::Query,
                };
                let reply = match self.refusal(&prepared, context) {
                    Some(refusal) => refusal,
                    None if context.explain == Explain::Plan => self.plan(&prepared, context),
                    None if prepared.subscription().is_some() => match begin(&prepared) {
                        Ok(mut stream) => {
                            stream.audit(audit.as_mut().map(Audit::begin_stream));
                            return EngineResponse::Stream(Box::new(stream));
                        }
                        Err(failure) => refuse(&[failure], context.request_id),
                    },
                    None => self.run(prepared, context, audit.as_mut()).await,
                };
                GraphqlResponse { kind, ..reply }
            }
            Err(failures) => refuse(&failures, context.request_id),
        };
        if let Some(audit) = &mut audit {
            audit.set_outcome(&reply);
        }
        Span::current().record("code", reply.first_code()).record("upstream_calls", i64::from(reply.upstream_calls));
        EngineResponse::Reply(reply)
    }

    fn prepare(
        &self,
        source: &DocumentSource,
        operation_name: Option<&str>,
        variables: Variables,
    ) -> Result<(Arc<Document>, Arc<PreparedOperation>), Vec<GraphqlError>> {
        let (limiter, permissions) = (self.upstream.limiter(), self.upstream.settings().permissions);
        let document = info_span!(target: TRACE_TARGET, "document").in_scope(|| self.documents.find(source))?;
        let _span = info_span!(target: TRACE_TARGET, "prepare").entered();
        let operation = operation::choose(&document, operation_name).map_err(|failure| vec![failure])?;
        let prepared =
            self.operations.get(&document, operation, operation::values_of(operation, variables), |values| {
                let checked = values.iter().flatten().try_for_each(|value| limiter.check_variable(value));
                checked.map_err(|failure| vec![failure])?;
                let operation = Operation::new(&self.types, &document, operation, values)?;
                PreparedOperation::new(operation, &self.types, limiter, permissions).map_err(|failure| vec![failure])
            })?;
        Ok((document, prepared))
    }

    /// The answer to an operation that needs more scopes than its caller holds, where these are not run.
    fn refusal(&self, prepared: &PreparedOperation, context: &RequestContext<'_>) -> Option<GraphqlResponse> {
        if self.upstream.settings().permissions.scope_mode != ScopeMode::Reject {
            return None;
        }
        let held = context.caller.authority();
        let failure = prepared.requirements.check(held).err()?;
        let lacking = prepared.requirements.scopes().without(held);
        Some(GraphqlResponse { lacking, ..refuse(&[failure], context.request_id) })
    }

    /// The answer that tells what the operation would ask, and runs nothing.
    fn plan(&self, prepared: &PreparedOperation, context: &RequestContext<'_>) -> GraphqlResponse {
        let plan = prepared.plan(authority(&self.upstream, &context.caller));
        let explained = explain::explain(prepared, &plan, &context.caller, &self.upstream);
        response::executed(response::plan(&explained, context.request_id), 0, Vec::new())
    }

    async fn run(
        &self,
        prepared: Arc<PreparedOperation>,
        context: &RequestContext<'_>,
        audit: Option<&mut Audit<'_>>,
    ) -> GraphqlResponse {
        let most_calls = self.upstream.settings().limits.upstream_calls;
        let execution = ExecutionContext::new(
            Arc::clone(&prepared),
            context.caller.clone(),
            context.deadline,
            context.bypass_cache,
            most_calls,
        );
        let execution = Arc::new(execution);
        if let Some(audit) = audit {
            audit.set_execution(&execution);
        }
        let mut answers = execute::answer(&execution, &self.upstream, &self.projections).await;
        // Last, so that what the gateway says of itself has in it what the rest has taught it.
        if let Some(local) = &prepared.local {
            // In a box: most operations have none of it, and all would have its size.
            let mut local = Box::pin(local.execute(&self.schema, context.caller.clone())).await;
            let fields = prepared.roots.iter().zip(&prepared.operation.fields).zip(&mut answers);
            for ((_, field), answer) in fields.filter(|((root, _), _)| matches!(root.kind, FieldSource::Local)) {
                *answer = complete(&self.types, field, Ok(local.value(&field.key)));
                // The first has the errors of all, each of which has its path.
                answer.errors.append(&mut local.errors);
            }
        }
        let explanation = (context.explain == Explain::Run)
            .then(|| explain::entries(&execution.explain(), prepared.operation.fields.iter().map(|field| &field.key)));
        let answered = response::ExecutionResult { prepared: &prepared, answers: &answers };
        let body = answered.write(explanation.as_deref(), context.request_id);
        response::executed(body, execution.upstream_calls(), answered.codes())
    }
}
