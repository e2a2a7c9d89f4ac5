//! How an answer is wrapped: its status, media type and headers.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::media_type::MediaType;
use super::request_id;
use crate::graphql::{ErrorCode, GraphqlError, Outcome, Reply, refuse};

/// How many calls to Auth0 were made for an answer.
pub(crate) const UPSTREAM_CALLS: HeaderName = HeaderName::from_static("x-upstream-calls");

/// How many bytes an answer may hold beside its own.
const SPARE_CAPACITY: usize = 4 * 1024;

/// How many headers an answer has, about: these, and those that every answer gets on its way out.
const HEADERS: usize = 12;

/// The wrapping that a caller asked for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Responder {
    media_type: MediaType,
}

impl Responder {
    pub(crate) fn new(media_type: MediaType) -> Self {
        Self { media_type }
    }

    /// The wrapping for callers with these headers, whatever they accept.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self::new(MediaType::negotiate(headers).unwrap_or_default())
    }

    /// The answer to a GraphQL request.
    pub(crate) fn reply(self, reply: Reply) -> Response {
        self.wrap(status(self.media_type, reply.outcome), reply.body, reply.upstream_calls)
    }

    /// The answer to what is no GraphQL request: its status is HTTP's own business, whatever the media type.
    pub(crate) fn refuse(self, status: StatusCode, failure: GraphqlError) -> Response {
        self.wrap(status, refuse(&[failure], &request_id::current()).body, 0)
    }

    /// The same to what may be asked again after `wait`.
    pub(crate) fn refuse_for(self, wait: Duration, status: StatusCode, failure: GraphqlError) -> Response {
        let seconds = milliseconds(wait).div_ceil(1_000).max(1);
        let mut response = self.refuse(status, to_be_sent_again(failure, wait));
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        response
    }

    fn wrap(self, status: StatusCode, mut body: Vec<u8>, upstream_calls: u32) -> Response {
        // It may wait to be read, and a vector that grew holds up to twice of what it needs.
        if body.capacity() - body.len() > SPARE_CAPACITY {
            body.shrink_to_fit();
        }
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(header::CONTENT_TYPE, self.media_type.header());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(UPSTREAM_CALLS, upstream_calls.into());
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        response
    }
}

/// A failure that says after which time to send the request again.
pub(crate) fn to_be_sent_again(failure: GraphqlError, wait: Duration) -> GraphqlError {
    failure.with("retryAfterMs", milliseconds(wait))
}

/// Rounded up: whoever comes sooner is refused once more.
fn milliseconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// <https://graphql.github.io/graphql-over-http/draft/#sec-Status-Codes>.
fn status(media_type: MediaType, outcome: Outcome) -> StatusCode {
    let status = match outcome {
        Outcome::Executed => StatusCode::OK,
        Outcome::Refused(code) => match code {
            ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::UpstreamUnavailable | ErrorCode::UpstreamMisconfigured => StatusCode::BAD_GATEWAY,
            ErrorCode::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorCode::BadRequest
            | ErrorCode::ParseFailed
            | ErrorCode::ValidationFailed
            | ErrorCode::TooComplex
            | ErrorCode::PersistedQueryNotFound
            | ErrorCode::PersistedQueryNotSupported
            | ErrorCode::PersistedQueryOnly
            | ErrorCode::BadUserInput
            | ErrorCode::UpstreamRejected => StatusCode::BAD_REQUEST,
        },
    };
    match media_type {
        MediaType::GraphqlResponse => status,
        MediaType::Json if status == StatusCode::BAD_REQUEST => StatusCode::OK,
        MediaType::Json => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_media_type_hides_the_faults_of_documents_and_nothing_else() {
        for (code, new, old) in [
            (ErrorCode::ParseFailed, 400, 200),
            (ErrorCode::ValidationFailed, 400, 200),
            (ErrorCode::TooComplex, 400, 200),
            (ErrorCode::PersistedQueryNotFound, 400, 200),
            (ErrorCode::Unauthenticated, 401, 401),
            (ErrorCode::Forbidden, 403, 403),
            (ErrorCode::RateLimited, 429, 429),
            (ErrorCode::Internal, 500, 500),
        ] {
            let outcome = Outcome::Refused(code);
            assert_eq!(status(MediaType::GraphqlResponse, outcome).as_u16(), new, "{code:?}");
            assert_eq!(status(MediaType::Json, outcome).as_u16(), old, "{code:?}");
        }
        assert_eq!(status(MediaType::GraphqlResponse, Outcome::Executed), StatusCode::OK);
    }
}
