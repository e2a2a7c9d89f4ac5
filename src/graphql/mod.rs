//! GraphQL: from the text of an operation to the bytes of its answer. Knows no header and no status.
//!
//! An operation passes these stages, each a file: a text becomes a valid `document`; with its variables it becomes an
//! `operation` in normal form, of which everything that is the same each time is a `prepared_operation`: the requests of its root fields,
//! and for each authority a `plan` of calls, fields and joins. `execute` runs it: calls are made, what Auth0 answers is
//! `project`ed with slots left open for what is joined, joins are resolved level by level and spliced in, and the `response` is
//! written. apollo-compiler answers introspection; async-graphql has the schema, and answers what the gateway says of itself. What
//! comes from Auth0 does not pass through its executor, which would cost more than all the rest.

mod audit;
mod coercion;
mod completion;
mod document;
mod engine;
mod error;
mod execute;
mod execution_context;
mod explain;
mod export;
mod field_request;
mod field_result;
mod guarded_fields;
mod introspection;
mod limits;
mod operation;
mod permission;
mod plan;
mod prepared_operation;
mod project;
mod projection_cache;
mod required_scopes;
mod response;
mod schema;
mod search_query;
mod subscription;
#[cfg(any(test, feature = "bench", feature = "fuzzing"))]
pub mod testing;
mod type_system;
mod variables;

use crate::auth::{Caller, Scopes};
use crate::deadline::Deadline;

pub use self::document::{DocumentSettings, DocumentSource, TrustedDocuments, TrustedDocumentsError, TrustedMode};
pub use self::engine::{Engine, EngineResponse};
pub use self::error::{ErrorCode, GraphqlError, Location};
pub(crate) use self::export::{ExportSelection, is_known_log_type};
pub use self::export::{log_selection, search_condition};
pub use self::limits::{Enforcement, Limits};
pub use self::permission::{Permissions, ScopeMode};
pub use self::response::refuse;
pub use self::schema::federation::subgraph_sdl;
pub use self::schema::gateway::GatewayMode;
pub use self::schema::sdl;
pub use self::subscription::{ResponseStream, StreamedResponse};
pub use self::type_system::SchemaError;
pub use self::variables::Variables;
pub use crate::auth0::PushError;

/// Settings by which operations are run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The tenant or the sandbox that is read from.
    pub mode: GatewayMode,
    /// Limits on the cost of an operation.
    pub limits: Limits,
    /// The effect of scopes.
    pub permissions: Permissions,
    /// True if callers without credentials are let in, which callers are told.
    pub admits_anonymous: bool,
}

/// Readiness to run operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// Operations can run, as far as is known.
    Ready,
    /// Auth0 has been failing, and is not even called for now.
    UpstreamFailing,
}

/// A GraphQL request: an operation to run.
pub struct GraphqlRequest {
    /// The document.
    pub document: DocumentSource,
    /// The name of the operation, if the document has several.
    pub operation_name: Option<String>,
    /// Values for the operation's variables.
    pub variables: Variables,
}

/// The context of a request: its caller, and the time that it has.
pub struct RequestContext<'a> {
    /// The caller, who has been authenticated.
    pub caller: Caller,
    /// The moment at which the answer is worth nothing any more.
    pub deadline: Deadline,
    /// The id that every error of the response carries.
    pub request_id: &'a str,
    /// True if only answers from after the request will do: none that is kept, none of a call that is under way.
    pub bypass_cache: bool,
    /// The explanation that the response holds.
    pub explain: Explain,
    /// The id of the last log that the client had, which goes before a subscription's `from`.
    pub resume_after: Option<&'a str>,
}

/// The explanation that a response holds beside its data, or in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Explain {
    /// None.
    #[default]
    Nothing,
    /// The calls that the operation took.
    Run,
    /// The calls that the operation would take at the most. None is made.
    Plan,
}

/// The answer.
#[derive(Debug)]
pub struct GraphqlResponse {
    /// The kind of the operation.
    pub kind: OperationKind,
    /// The outcome of the operation as a whole.
    pub outcome: Outcome,
    /// The response, in JSON.
    pub body: Vec<u8>,
    /// The number of calls to the Management API that were made for it.
    pub upstream_calls: u32,
    /// The codes of its errors, each once.
    pub error_codes: Vec<String>,
    /// The scopes for want of which nothing ran.
    pub lacking: Scopes,
}

/// The kind of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OperationKind {
    /// None: there was nothing that could be run.
    #[default]
    Unknown,
    /// A query.
    Query,
    /// A subscription.
    Subscription,
}

impl OperationKind {
    /// The name that GraphQL has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Query => "query",
            Self::Subscription => "subscription",
        }
    }
}

/// The outcome of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The operation ran. Fields of it may have failed all the same.
    Executed,
    /// Nothing ran.
    Refused(ErrorCode),
}

impl GraphqlResponse {
    /// The code of the first error, if there are any.
    #[must_use]
    pub fn first_code(&self) -> Option<&'static str> {
        match self.outcome {
            Outcome::Refused(code) => Some(code.as_str()),
            Outcome::Executed => self.error_codes.first().map(|code| ErrorCode::parse(code).as_str()),
        }
    }
}
