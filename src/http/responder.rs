//! Responses with a body of GraphQL: status, media type and headers.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::error::HttpError;
use super::media_type::MediaType;
use super::request_id;
use crate::graphql::{ErrorCode, GraphqlResponse, Outcome, refuse};

/// The header of the number of calls to Auth0 that a response took.
pub(crate) const UPSTREAM_CALLS: HeaderName = HeaderName::from_static("x-upstream-calls");

/// Most bytes of memory that a response may hold beside those of its body.
const SPARE_CAPACITY: usize = 4 * 1024;

/// About the number of headers of a response: these, and those that every response gets on its way out.
const HEADERS: usize = 12;

/// The reason of a refusal, as an extension of its response.
#[derive(Clone, Copy)]
pub(crate) struct RefusalReason(pub(crate) &'static str);

/// The form of responses that a caller asked for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Responder {
    media_type: MediaType,
}

impl Responder {
    pub(crate) fn new(media_type: MediaType) -> Self {
        Self { media_type }
    }

    /// The form for callers with these headers. One that rules both media types out gets the older one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self::new(MediaType::negotiate(headers).unwrap_or_default())
    }

    /// The response to a GraphQL request.
    pub(crate) fn reply(self, reply: GraphqlResponse) -> Response {
        self.wrap(status(self.media_type, reply.outcome), reply.body, reply.upstream_calls)
    }

    /// The response to a request that is refused: its status is HTTP's own business, whatever the media type.
    pub(crate) fn refuse(self, refusal: HttpError) -> Response {
        let HttpError { status, error, reason, headers } = refusal;
        let mut response = self.wrap(status, refuse(&[*error], &request_id::current()).body, 0);
        response.headers_mut().extend(headers);
        response.extensions_mut().insert(RefusalReason(reason));
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

/// <https://graphql.github.io/graphql-over-http/draft/#sec-Status-Codes>.
fn status(media_type: MediaType, outcome: Outcome) -> StatusCode {
    let status = match outcome {
        Outcome::Executed => StatusCode::OK,
        Outcome::Refused(code) => match code {
            ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Stopping => StatusCode::SERVICE_UNAVAILABLE,
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
            | ErrorCode::LogsMissed
            | ErrorCode::SlowConsumer
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
