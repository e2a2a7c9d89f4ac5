//! What browsers are told of other origins' pages: <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::origins::{Origin, Origins};
use super::{authenticate, envelope, request_id, wishes};

/// How long a browser may remember a preflight's answer: the longest that Chromium takes. Firefox takes a day.
const REMEMBERED: Duration = Duration::from_secs(2 * 60 * 60);

/// Lets pages of `origins` send GraphQL requests and read the answers; nothing where there are none.
///
/// Never with a browser's own credentials, its cookies and certificates: callers show theirs in headers.
pub(crate) fn layer(origins: &Origins) -> Option<CorsLayer> {
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
        wishes::EXPLAIN,
        wishes::TIMEOUT,
        request_id::HEADER,
    ];
    let shown = [header::RETRY_AFTER, envelope::UPSTREAM_CALLS, request_id::HEADER];
    let layer = CorsLayer::new().allow_origin(origins).allow_methods([Method::GET, Method::POST]);
    Some(layer.allow_headers(sent).expose_headers(shown).max_age(REMEMBERED))
}
