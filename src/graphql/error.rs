//! Errors of GraphQL responses: their codes, and what callers are told.

use std::sync::LazyLock;

use apollo_compiler::Name;
use serde_json::Value;

use crate::auth0;
use crate::telemetry::LogThrottle;

/// The stable code that every error carries in `extensions.code`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorCode {
    /// The HTTP request is not a GraphQL request.
    BadRequest,
    /// The document is not GraphQL.
    ParseFailed,
    /// The document does not fit the schema, or a variable does not fit the document.
    ValidationFailed,
    /// A limit said no.
    TooComplex,
    /// No document is kept under the hash or the id that was sent.
    PersistedQueryNotFound,
    /// Documents cannot be asked for by a hash or an id here.
    PersistedQueryNotSupported,
    /// Only documents that the operator trusts are run here, and this is none of them.
    PersistedQueryOnly,
    /// An argument's value is out of bounds.
    BadUserInput,
    /// No credentials, or bad ones.
    Unauthenticated,
    /// The caller may not see this.
    Forbidden,
    /// Too much was asked, of the gateway or of Auth0.
    RateLimited,
    /// Auth0 refused a request that the caller can mend.
    UpstreamRejected,
    /// Auth0 cannot be reached, or its answer cannot be read.
    UpstreamUnavailable,
    /// Auth0 did not answer in time.
    UpstreamTimeout,
    /// Auth0 refuses the gateway itself: an operator has to act.
    UpstreamMisconfigured,
    /// Logs of a subscription may be missing: the tenant does not keep them any more.
    LogsMissed,
    /// A subscriber reads more slowly than logs come.
    SlowConsumer,
    /// The gateway stops: a subscription ends.
    Stopping,
    /// A bug.
    Internal,
}

impl ErrorCode {
    /// Every code in its order, with the text that clients see.
    pub const ALL: [(Self, &'static str); 19] = [
        (Self::BadRequest, "BAD_REQUEST"),
        (Self::ParseFailed, "GRAPHQL_PARSE_FAILED"),
        (Self::ValidationFailed, "GRAPHQL_VALIDATION_FAILED"),
        (Self::TooComplex, "QUERY_TOO_COMPLEX"),
        (Self::PersistedQueryNotFound, "PERSISTED_QUERY_NOT_FOUND"),
        (Self::PersistedQueryNotSupported, "PERSISTED_QUERY_NOT_SUPPORTED"),
        (Self::PersistedQueryOnly, "PERSISTED_QUERY_ONLY"),
        (Self::BadUserInput, "BAD_USER_INPUT"),
        (Self::Unauthenticated, "UNAUTHENTICATED"),
        (Self::Forbidden, "FORBIDDEN"),
        (Self::RateLimited, "RATE_LIMITED"),
        (Self::UpstreamRejected, "UPSTREAM_REJECTED"),
        (Self::UpstreamUnavailable, "UPSTREAM_UNAVAILABLE"),
        (Self::UpstreamTimeout, "UPSTREAM_TIMEOUT"),
        (Self::UpstreamMisconfigured, "UPSTREAM_MISCONFIGURED"),
        (Self::LogsMissed, "LOGS_MISSED"),
        (Self::SlowConsumer, "SLOW_CONSUMER"),
        (Self::Stopping, "GATEWAY_STOPPING"),
        (Self::Internal, "INTERNAL_SERVER_ERROR"),
    ];

    /// The code that clients see as `code`. Any other text is the bug of whoever wrote it.
    pub(crate) fn parse(code: &str) -> Self {
        Self::ALL.into_iter().find_map(|(known, text)| (text == code).then_some(known)).unwrap_or(Self::Internal)
    }

    /// The code as clients see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Logs a failure of this kind as loudly as it deserves.
    pub(crate) fn log(self, message: &str, cause: &str) {
        let code = self.as_str();
        match self {
            Self::RateLimited | Self::UpstreamUnavailable | Self::UpstreamTimeout | Self::LogsMissed => {
                tracing::warn!(code, cause, "{message}");
            }
            Self::UpstreamMisconfigured | Self::Internal => tracing::error!(code, cause, "{message}"),
            // The caller can mend it.
            _ => tracing::info!(code, cause, "{message}"),
        }
    }
}

/// A place in a document's text. Both are counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// An error that stands for a null in a response.
#[derive(Debug, Clone)]
pub(crate) struct FieldError {
    pub(crate) error: GraphqlError,
    /// The way to the field that is null.
    pub(crate) path: Vec<PathSegment>,
}

impl FieldError {
    /// The error of a field that stands at a place in the document, unless it has a nearer one.
    pub(crate) fn at(error: GraphqlError, path: Vec<PathSegment>, location: Location) -> Self {
        let error = if error.locations.is_empty() { error.at(location) } else { error };
        Self { error, path }
    }
}

/// A step on the way to a field of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathSegment {
    /// A response key.
    Key(Name),
    /// A place in a list, counted from 0.
    Index(usize),
}

/// An error as a caller is told of it: what happened, and what to do.
///
/// It holds no secret, no token, no upstream address and no personal data; nor does it implement `Display`, so that nothing
/// becomes a GraphQL error without a code.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphqlError {
    /// The kind of failure.
    pub code: ErrorCode,
    /// A sentence or two: what happened and what to do.
    pub message: String,
    /// Places in the document.
    pub locations: Vec<Location>,
    /// More for programs to read, by name.
    pub details: Vec<(&'static str, Value)>,
}

impl GraphqlError {
    /// A failure with nothing but its message.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), locations: Vec::new(), details: Vec::new() }
    }

    /// The same, at a place in the document.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.locations.push(location);
        self
    }

    /// The same, with one more thing for programs to read.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// A bug, which is logged with its cause.
    pub(crate) fn bug(cause: &str) -> Self {
        ErrorCode::Internal.log("the gateway failed", cause);
        Self::internal()
    }

    /// A bug that has been logged.
    pub(crate) fn internal() -> Self {
        Self::new(ErrorCode::Internal, "The gateway failed. Report the request id to whoever runs it.")
    }
}

impl From<auth0::ArgumentError> for GraphqlError {
    fn from(invalid: auth0::ArgumentError) -> Self {
        Self::new(ErrorCode::BadUserInput, invalid.to_string()).with("argument", invalid.argument)
    }
}

/// Calls that met the tenant's rate limit, for the log of the process.
static RATE_LIMITED: LazyLock<LogThrottle> = LazyLock::new(LogThrottle::default);

/// Logs a failed read of Auth0, cause and all, and gives what the caller is told: the error's `Display`.
pub(crate) fn report(error: auth0::Error) -> GraphqlError {
    let code = match &error {
        auth0::Error::Timeout => ErrorCode::UpstreamTimeout,
        auth0::Error::Unavailable(_) | auth0::Error::Disordered => ErrorCode::UpstreamUnavailable,
        auth0::Error::RateLimited { .. } => ErrorCode::RateLimited,
        auth0::Error::Rejected { .. } | auth0::Error::Crowded { .. } => ErrorCode::UpstreamRejected,
        auth0::Error::OverBudget { .. } => ErrorCode::TooComplex,
        auth0::Error::Internal => return GraphqlError::bug("the work on a call panicked"),
        auth0::Error::Misconfigured { .. } => ErrorCode::UpstreamMisconfigured,
        auth0::Error::Lagged => ErrorCode::SlowConsumer,
    };
    let mut message = error.to_string();
    let (summary, cause) = match &error {
        auth0::Error::Rejected { error_code, .. } => (error.summary(), error_code.clone().unwrap_or_default()),
        auth0::Error::Crowded { .. } | auth0::Error::Disordered => {
            let cause = message.clone();
            message.push('.');
            ("a connection cannot go on".to_owned(), cause)
        }
        _ => (error.summary(), error.causes()),
    };
    match &error {
        // The breaker has logged, once, that Auth0 is not asked for a while.
        _ if error.is_breaker_open() => tracing::debug!(code = code.as_str(), cause, "{summary}"),
        // One that is over its rate limit refuses many; the audit has a line for each.
        auth0::Error::RateLimited { .. } => {
            if let Some(calls) = RATE_LIMITED.count() {
                tracing::warn!(code = code.as_str(), cause, calls, "{summary}");
            }
        }
        // The subscriber is slow, and nothing failed: the audit has a line for the end of each stream.
        auth0::Error::Lagged => {}
        _ => code.log(&summary, &cause),
    }
    let failure = GraphqlError::new(code, message);
    if let Some(wait) = error.wait() {
        // Rounded up: whoever comes sooner is refused once more.
        return failure.with("retryAfterMs", u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX));
    }
    match error {
        auth0::Error::OverBudget { limit } => failure.with("measure", "upstream calls").with("limit", limit),
        auth0::Error::Rejected { error_code: Some(code), .. } => failure.with("auth0Code", code),
        auth0::Error::Misconfigured { missing_scopes, .. } if !missing_scopes.is_empty() => {
            failure.with("missingScopes", missing_scopes)
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_text_of_its_own() {
        for (index, (code, text)) in ErrorCode::ALL.into_iter().enumerate() {
            assert_eq!((code as usize, code.as_str(), ErrorCode::parse(text)), (index, text, code));
        }
    }
}
