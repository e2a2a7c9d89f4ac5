//! The refusal of a request, in HTTP's terms.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};

use crate::graphql::{ErrorCode, GraphqlError};

/// The wait that a busy gateway tells. Most requests are answered within a second.
pub(crate) const BUSY_WAIT: Duration = Duration::from_secs(1);

/// A refusal: its status, the error that its client is told, and the headers that belong to both.
#[derive(Debug)]
pub(crate) struct HttpError {
    pub(crate) status: StatusCode,
    pub(crate) error: Box<GraphqlError>,
    /// A name for metrics.
    pub(crate) reason: &'static str,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl HttpError {
    pub(crate) fn new(status: StatusCode, error: GraphqlError) -> Self {
        Self { status, error: Box::new(error), reason: reason(status), headers: Vec::new() }
    }

    /// A request that is no GraphQL request.
    pub(crate) fn bad(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, GraphqlError::new(ErrorCode::BadRequest, message))
    }

    /// A request that may be sent again after `wait`.
    pub(crate) fn temporary(status: StatusCode, code: ErrorCode, message: &str, wait: Duration) -> Self {
        // Rounded up: whoever comes sooner is refused once more.
        let milliseconds = u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        let error = GraphqlError::new(code, message).with("retryAfterMs", milliseconds);
        Self::new(status, error).with(header::RETRY_AFTER, milliseconds.div_ceil(1_000).max(1).into())
    }

    /// A request for which the gateway has no room now.
    pub(crate) fn busy(reason: &'static str, message: &str) -> Self {
        let busy = Self::temporary(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::RateLimited, message, BUSY_WAIT);
        Self { reason, ..busy }
    }

    /// The same refusal with one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// True if the same request may be answered later.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
    }
}

/// The reason of a refusal with this status, where it has none of its own.
fn reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthenticated",
        StatusCode::FORBIDDEN => "foreign_page",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method",
        StatusCode::NOT_ACCEPTABLE => "not_acceptable",
        StatusCode::REQUEST_TIMEOUT => "slow_body",
        StatusCode::PAYLOAD_TOO_LARGE => "large_body",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
        StatusCode::MISDIRECTED_REQUEST => "host",
        StatusCode::TOO_MANY_REQUESTS => "rate_limited",
        // Of those that can be sent again, only the issuer's keys have no name of their own.
        StatusCode::SERVICE_UNAVAILABLE => "no_keys",
        _ => "bad_request",
    }
}

impl From<GraphqlError> for HttpError {
    /// An error in what a well-sent request says.
    fn from(error: GraphqlError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}
