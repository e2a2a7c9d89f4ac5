//! GraphQL: from the text of an operation to the bytes of its answer. Knows no header and no status.
//!
//! An operation passes these stages, each a file: a text becomes a valid [`document`](self::document); with its variables it
//! becomes an operation in [normal form](self::operation); the [root resolvers](self::query) check, authorize and call; what
//! Auth0 answers is [projected](self::project) by a [plan](self::plan); the [response](self::response) is written.

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod coercion;
mod document;
mod error;
mod gateway;
mod json;
mod limits;
mod log;
mod log_type;
mod object;
mod operation;
mod outcome;
mod plan;
mod project;
mod query;
mod response;
mod rules;
mod scalar;
mod signature;
mod user;

use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument};
use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Positioned, Request as Execution, Response, SDLExportOptions, Schema,
    SchemaBuilder, ValidationMode, Value,
};

use self::document::Documents;
use self::operation::Operation;
use self::query::{Query, Session};
use self::signature::Signatures;
use crate::auth::{Caller, Scope};
use crate::auth0::ManagementApi;

pub use self::error::{ErrorCode, Failure};
pub use self::gateway::GatewayMode;
pub use self::limits::Limits;
pub use crate::auth0::Deadline;
pub use async_graphql::Variables;

/// The schema in GraphQL's schema definition language.
#[must_use]
pub fn sdl() -> String {
    write_sdl(&schema(ValidationMode::Strict).finish())
}

fn write_sdl(schema: &Schema<Query, EmptyMutation, EmptySubscription>) -> String {
    schema.sdl_with_options(SDLExportOptions::new().include_specified_by().prefer_single_line_descriptions())
}

/// How deeply async-graphql may recurse, as a last fence behind [`Limits`]. The standard introspection query needs 17.
const RECURSION: usize = 20;

fn schema(mode: ValidationMode) -> SchemaBuilder<Query, EmptyMutation, EmptySubscription> {
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription).limit_recursive_depth(RECURSION);
    match mode {
        ValidationMode::Strict => schema,
        ValidationMode::Fast => schema.validation_mode(ValidationMode::Fast),
    }
}

/// Runs GraphQL operations.
pub struct Engine {
    documents: Documents,
    signatures: Arc<Signatures>,
    schema: Schema<Query, EmptyMutation, EmptySubscription>,
}

/// What a client wants run.
pub struct Request {
    /// The document.
    pub query: String,
    /// Which of the document's operations, if it has several.
    pub operation_name: Option<String>,
    /// Values for the operation's variables.
    pub variables: Variables,
}

/// On whose behalf, and for how long.
pub struct Terms<'a> {
    /// Who asks.
    pub caller: Caller,
    /// When the answer is worth nothing any more.
    pub deadline: Deadline,
    /// What every error of the answer carries.
    pub request_id: &'a str,
}

/// The answer.
#[derive(Debug)]
pub struct Reply {
    /// Whether anything ran.
    pub outcome: Outcome,
    /// The response, in JSON.
    pub body: Vec<u8>,
}

/// Whether anything ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The operation ran. Fields of it may have failed all the same.
    Executed,
    /// Nothing ran.
    Refused(ErrorCode),
}

/// The upstream. Private to this room, and handed out by [`authorize`] alone: a resolver that forgets to ask for permission
/// has nothing to call.
pub(crate) struct Upstream {
    api: ManagementApi,
    mode: GatewayMode,
}

/// The one way from a resolver to Auth0.
pub(crate) fn authorize<'a>(ctx: &Context<'a>, scope: Scope) -> Result<&'a ManagementApi, Failure> {
    let session = ctx.data::<Arc<Session>>().map_err(|_| Failure::internal())?;
    if !session.caller.holds(scope) {
        let message = format!("This field needs the scope `{scope}`, which you do not hold.");
        return Err(Failure::new(ErrorCode::Forbidden, message).with("scope", scope.as_str()));
    }
    ctx.data::<Upstream>().map(|upstream| &upstream.api).map_err(|_| Failure::internal())
}

/// The schema and the code around it do not fit together: a bug, seen at start.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BuildError(#[from] signature::UnreadableSchema);

impl Engine {
    /// An engine that reads from `api`.
    pub fn new(api: ManagementApi, mode: GatewayMode, limits: Limits) -> Result<Self, BuildError> {
        let strict = schema(ValidationMode::Strict).finish();
        let signatures = Arc::new(Signatures::read(&write_sdl(&strict))?);
        let documents = Documents::new(strict, Arc::clone(&signatures), limits);
        let schema = schema(ValidationMode::Fast).data(Upstream { api, mode }).finish();
        Ok(Self { documents, signatures, schema })
    }

    /// Answers `request`.
    pub async fn execute(&self, request: Request, terms: &Terms<'_>) -> Reply {
        match self.prepare(request).await {
            Ok(operation) => self.run(operation, terms).await,
            Err(failures) => refuse(failures, terms.request_id),
        }
    }

    async fn prepare(&self, request: Request) -> Result<Operation, Vec<Failure>> {
        let document = self.documents.get(&request.query).await?;
        Operation::new(&self.signatures, &document, request.operation_name.as_deref(), request.variables)
            .map_err(|failure| vec![failure])
    }

    async fn run(&self, operation: Operation, terms: &Terms<'_>) -> Reply {
        let keys: Vec<_> = operation.keys().cloned().collect();
        let response = if keys.is_empty() {
            Response::new(Value::Null)
        } else {
            let mut execution =
                Execution::new(String::new()).data(Arc::new(Session::new(terms.caller, terms.deadline)));
            let definition = Positioned::new(operation.definition, Default::default());
            execution.set_parsed_query(ExecutableDocument {
                operations: DocumentOperations::Single(definition),
                fragments: Default::default(),
            });
            self.schema.execute(execution).await
        };
        Reply { outcome: Outcome::Executed, body: response::executed(&response, keys.iter(), terms.request_id) }
    }
}

/// An answer that says why nothing ran. The first failure's code stands for all.
#[must_use]
pub fn refuse(failures: Vec<Failure>, request_id: &str) -> Reply {
    let code = failures.first().map_or(ErrorCode::Internal, |failure| failure.code);
    Reply { outcome: Outcome::Refused(code), body: response::refusal(failures, request_id) }
}
