//! GraphQL: from the text of an operation to the bytes of its answer. Knows no header and no status.
//!
//! An operation passes these stages, each a file: a text becomes a valid `document`; with its variables it becomes an
//! `operation` in normal form, of which everything that is the same each time is `prepared`: the requests of its root fields,
//! and for each authority a `plan` of calls, fields and joins. `execute` runs it: calls are made, what Auth0 answers is
//! `project`ed with slots left open for what is joined, `joins` are resolved level by level, the parts are `splice`d, and the
//! `response` is written. apollo-compiler answers introspection; async-graphql has the schema, and answers what the gateway says of itself. What
//! comes from Auth0 does not pass through its executor, which would cost more than all the rest.

mod audit;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod coercion;
mod document;
mod error;
mod execute;
mod explain;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod guarded_fields;
mod introspection;
mod joins;
mod limits;
mod operation;
mod permission;
mod plan;
mod prepared;
mod project;
mod projection_cache;
mod required_scopes;
mod response;
mod schema;
mod search_query;
mod session;
mod splice;
mod type_system;
mod variables;

use std::sync::Arc;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request as Execution, Response};

use self::audit::Audit;
use self::document::{Document, Documents};
use self::limits::Limiter;
use self::operation::Operation;
use self::permission::Upstream;
use self::prepared::{Operations, Prepared};
use self::projection_cache::ProjectionCache;
use self::schema::{Schema, write_sdl};
use self::session::Session;
use self::type_system::TypeSystem;
use crate::auth::{Caller, Scopes};
use crate::auth0::{BreakerStatus, ManagementApi};

pub use self::document::{DocumentSettings, DocumentSource, TrustedDocuments, TrustedDocumentsError, TrustedMode};
pub use self::error::{ErrorCode, GraphqlError};
pub use self::limits::{Enforcement, Limits};
pub use self::permission::{Permissions, ScopeMode};
pub use self::schema::gateway::GatewayMode;
pub use self::schema::sdl;
pub use self::type_system::SchemaError;
pub use self::variables::Variables;
pub use crate::deadline::Deadline;

/// How operations are run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What is read from.
    pub mode: GatewayMode,
    /// What an operation may cost.
    pub limits: Limits,
    /// How scopes are held to.
    pub permissions: Permissions,
    /// Whether callers without credentials are let in, which callers are told.
    pub admits_anonymous: bool,
}

/// Runs GraphQL operations.
pub struct Engine {
    documents: Arc<Documents>,
    types: Arc<TypeSystem>,
    operations: Operations,
    schema: Schema,
    projections: ProjectionCache,
    upstream: Arc<Upstream>,
}

/// Whether operations can be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// They can, as far as is known.
    Ready,
    /// Auth0 has been failing, and is not even called for now.
    UpstreamFailing,
}

/// What a client wants run.
pub struct Request {
    /// The document.
    pub document: DocumentSource,
    /// Which of the document's operations, if it has several.
    pub operation_name: Option<String>,
    /// Values for the operation's variables.
    pub variables: Variables,
}

/// On whose behalf, and for how long.
pub struct RequestContext<'a> {
    /// Who asks.
    pub caller: Caller,
    /// When the answer is worth nothing any more.
    pub deadline: Deadline,
    /// What every error of the answer carries.
    pub request_id: &'a str,
    /// Whether only answers from after the question will do: none that is kept, none of a call that is under way.
    pub is_fresh: bool,
    /// Whether the answer tells what it took upstream.
    pub explains: bool,
}

/// The answer.
#[derive(Debug)]
pub struct Reply {
    /// Whether anything ran.
    pub outcome: Outcome,
    /// The response, in JSON.
    pub body: Vec<u8>,
    /// How many calls to the Management API were made for it.
    pub upstream_calls: u32,
    /// The codes of its errors, each once.
    pub error_codes: Vec<String>,
    /// The scopes for want of which nothing ran.
    pub lacking: Scopes,
}

/// Whether anything ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The operation ran. Fields of it may have failed all the same.
    Executed,
    /// Nothing ran.
    Refused(ErrorCode),
}

impl Reply {
    /// The code of the first error, if there are any.
    #[must_use]
    pub fn first_code(&self) -> Option<&'static str> {
        match self.outcome {
            Outcome::Refused(code) => Some(code.as_str()),
            Outcome::Executed => self.error_codes.first().map(|code| ErrorCode::parse(code).as_str()),
        }
    }
}

impl Engine {
    /// An engine that reads from `api` what `documents` ask for.
    pub fn new(api: ManagementApi, settings: Settings, documents: DocumentSettings) -> Result<Self, SchemaError> {
        let limiter = Limiter::from(settings.limits);
        let upstream = Arc::new(Upstream { api, settings, limiter: limiter.clone() });
        let schema = schema::schema().data(Arc::clone(&upstream)).finish();
        let types = Arc::new(TypeSystem::parse(&write_sdl(&schema))?);
        let documents = Arc::new(Documents::new(Arc::clone(&types), limiter, documents));
        let (operations, projections) = (Operations::default(), ProjectionCache::default());
        Ok(Self { documents, types, operations, schema, projections, upstream })
    }

    /// Whether operations can be run now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        match self.upstream.api.breaker() {
            BreakerStatus::Open => Readiness::UpstreamFailing,
            // One call is to find out whether Auth0 has recovered: without requests none would be made.
            BreakerStatus::Closed | BreakerStatus::HalfOpen => Readiness::Ready,
        }
    }

    /// Keeps the trusted documents as they are on disk, for as long as the engine is there. None if there are none.
    #[must_use]
    pub fn keep_up(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        self.documents.keep_up()
    }

    /// Answers `request`.
    pub async fn execute(&self, request: Request, terms: &RequestContext<'_>) -> Reply {
        let Request { document: source, operation_name, variables } = request;
        let mut audit = Audit::begin(&source, terms);
        let reply = match self.prepare(&source, operation_name.as_deref(), variables) {
            Ok((document, prepared)) => {
                if let Some(audit) = &mut audit {
                    audit.asks(document, Arc::clone(&prepared));
                }
                match self.refusal(&prepared, terms) {
                    Some(refusal) => refusal,
                    None => self.run(prepared, terms, audit.as_mut()).await,
                }
            }
            Err(failures) => refuse(failures, terms.request_id),
        };
        if let Some(audit) = &mut audit {
            audit.ends(&reply);
        }
        reply
    }

    fn prepare(
        &self,
        source: &DocumentSource,
        operation_name: Option<&str>,
        variables: Variables,
    ) -> Result<(Arc<Document>, Arc<Prepared>), Vec<GraphqlError>> {
        let Upstream { settings: Settings { permissions, .. }, limiter, .. } = &*self.upstream;
        let document = self.documents.find(source)?;
        let operation = operation::choose(&document, operation_name).map_err(|failure| vec![failure])?;
        let prepared =
            self.operations.get(&document, operation, operation::values_of(operation, variables), |values| {
                let checked = values.iter().flatten().try_for_each(|value| limiter.check_variable(value));
                checked.map_err(|failure| vec![failure])?;
                let operation = Operation::new(&self.types, &document, operation, values)?;
                Prepared::new(operation, &self.types, limiter, *permissions).map_err(|failure| vec![failure])
            })?;
        Ok((document, prepared))
    }

    /// The answer to an operation that needs more scopes than its caller holds, where these are not run.
    fn refusal(&self, prepared: &Prepared, terms: &RequestContext<'_>) -> Option<Reply> {
        if self.upstream.settings.permissions.scope_mode != ScopeMode::Reject {
            return None;
        }
        let held = terms.caller.authority();
        let failure = prepared.requirements.check(held).err()?;
        let lacking = prepared.requirements.scopes().without(held);
        Some(Reply { lacking, ..refuse(vec![failure], terms.request_id) })
    }

    async fn run(&self, prepared: Arc<Prepared>, terms: &RequestContext<'_>, audit: Option<&mut Audit<'_>>) -> Reply {
        let most_calls = self.upstream.settings.limits.upstream_calls;
        let session =
            Session::new(Arc::clone(&prepared), terms.caller.clone(), terms.deadline, terms.is_fresh, most_calls);
        let session = Arc::new(session);
        if let Some(audit) = audit {
            audit.runs(&session);
        }
        let answers = execute::answer(&session, &self.upstream, &self.projections).await;
        // Last, so that what the gateway says of itself has in it what the rest has taught it.
        let own = match &prepared.own {
            // In a box: most operations have none of it, and all would have its size.
            Some(own) => Box::pin(self.execute_own(own.clone(), &session)).await,
            None => Response::default(),
        };
        let explanation = terms
            .explains
            .then(|| explain::entries(&session.explain(), prepared.operation.fields.iter().map(|field| &field.key)));
        let answered = response::Answered { prepared: &prepared, answers: &answers, own: &own };
        Reply {
            outcome: Outcome::Executed,
            body: answered.write(explanation.as_ref(), terms.request_id),
            upstream_calls: session.upstream_calls(),
            error_codes: answered.codes(),
            lacking: Scopes::default(),
        }
    }

    /// Has async-graphql answer what asks nothing of Auth0.
    async fn execute_own(&self, own: ExecutableDocument, session: &Arc<Session>) -> Response {
        let mut execution = Execution::new(String::new()).data(Arc::clone(session));
        execution.set_parsed_query(own);
        self.schema.execute(execution).await
    }
}

/// An answer that says why nothing ran. The first failure's code stands for all.
#[must_use]
pub fn refuse(failures: Vec<GraphqlError>, request_id: &str) -> Reply {
    let code = failures.first().map_or(ErrorCode::Internal, |failure| failure.code);
    let mut error_codes: Vec<_> = failures.iter().map(|failure| failure.code.as_str().to_owned()).collect();
    error_codes.dedup();
    Reply {
        outcome: Outcome::Refused(code),
        body: response::refusal(failures, request_id),
        upstream_calls: 0,
        error_codes,
        lacking: Scopes::default(),
    }
}
