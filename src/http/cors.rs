//! Cross-origin resource sharing: <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::origins::{Origin, Origins};
use super::{authenticate, request_id, request_options, responder};

/// Time for which a browser may remember a preflight: the longest that Chromium takes. Firefox takes a day.
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Sent by Apollo's clients and by libraries for tracing, and read by what stands between them and the gateway: client awareness,
/// trace context (W3C and B3), Sentry's, Datadog's.
const CLIENT_HEADERS: [&str; 16] = [
    "apollographql-client-name",
    "apollographql-client-version",
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "x-apollo-operation-id",
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
    "sentry-trace",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
];

/// Request headers that pages may send, beside those that the gateway reads or that clients are known to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsHeaders(Vec<HeaderName>);

/// Not a list of names of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must list names of request headers, such as X-Client-Name, separated by commas")]
pub struct CorsHeadersError;

impl FromStr for CorsHeaders {
    type Err = CorsHeadersError;

    fn from_str(text: &str) -> Result<Self, CorsHeadersError> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names = names.map(|name| name.parse::<HeaderName>().ok().filter(|name| *name != "*"));
        names.collect::<Option<_>>().map(Self).ok_or(CorsHeadersError)
    }
}

/// Lets pages of `origins` send GraphQL requests and read the answers; nothing where there are none.
///
/// Never with a browser's own credentials, its cookies and certificates: callers show theirs in headers.
pub(crate) fn layer(origins: &Origins, more_headers: &CorsHeaders) -> Option<CorsLayer> {
    let origins = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::These(origins) if origins.is_empty() => return None,
        Origins::These(origins) => AllowOrigin::list(origins.iter().map(Origin::header).map(HeaderValue::clone)),
    };
    let sent = [
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::CONTENT_TYPE,
        authenticate::API_KEY,
        request_options::EXPLAIN,
        request_options::TIMEOUT,
        request_id::HEADER,
    ];
    let known = CLIENT_HEADERS.map(HeaderName::from_static);
    let sent: Vec<_> = sent.into_iter().chain(known).chain(more_headers.0.iter().cloned()).collect();
    let shown = [header::RETRY_AFTER, responder::UPSTREAM_CALLS, request_id::HEADER];
    let layer = CorsLayer::new().allow_origin(origins).allow_methods([Method::GET, Method::POST]);
    Some(layer.allow_headers(sent).expose_headers(shown).max_age(MAX_AGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_listed_by_their_names() {
        let names = |text: &str| text.parse::<CorsHeaders>().map(|headers| headers.0);
        assert_eq!(
            names("X-Client-Name, b3,,"),
            Ok(vec![HeaderName::from_static("x-client-name"), HeaderName::from_static("b3")])
        );
        for text in ["*", "two words", "x-a: b", "é"] {
            assert_eq!(names(text), Err(CorsHeadersError), "{text}");
        }
    }
}
