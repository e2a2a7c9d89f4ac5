//! Middleware around all routes: request ids, headers of every response, and the checks that a request passes before a handler
//! sees it.

use std::any::Any;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_SECURITY_POLICY, Entry, HeaderMap, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::compression::CompressionLayer;
use tower_http::compression::Predicate as _;
use tower_http::compression::predicate::{And, NotForContentType, SizeAbove};

use super::event_stream::EVENT_STREAM;
use super::peer::ConnectionInfo;
use super::responder::{RefusalReason, Responder};
use super::send_budget::Recipient;
use super::state::ServerState;
use super::{GRAPHQL, csrf, health, host, request_id};
use crate::graphql::{GraphqlError, refuse};
use crate::telemetry::{Metrics, TRACEPARENT, Trace};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The policy of a response that is opened as a page: it runs nothing, loads nothing and is in no frame.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Least size of a response that is compressed: below it, it fits into one packet either way.
const WORTH_COMPRESSING: SizeAbove = SizeAbove::new(1_024);

/// Gives a request its id and its trace, and its response the id and the security headers; counts refusals.
pub(crate) async fn identify(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let id = request_id::of(request.headers());
    let trace = trace(&request, &id);
    let mut response = request_id::scope(&id, trace.scope(next.run(request))).await;
    trace.record("http.response.status_code", || i64::from(response.status().as_u16()));
    if let Some(RefusalReason(reason)) = response.extensions().get() {
        metrics.server().refused(reason);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(request_id::HEADER, id);
    }
    set_security_headers(headers);
    response
}

/// The trace of a request, which may be the caller's.
fn trace(request: &Request, id: &str) -> Trace {
    let traceparent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let peer = request.extensions().get::<Arc<ConnectionInfo>>();
    let is_trusted = peer.is_some_and(|peer| peer.is_proxy());
    Trace::of_request(id, Some(request.method().as_str()), traceparent, is_trusted)
}

/// Sets the headers that are the same for all responses, and those on which a response has none of its own: the playground has.
fn set_security_headers(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not even allowed origins embed responses as images or scripts; what they fetch, CORS decides.
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Refuses a request that no handler is to see, and sends the response within the budget.
///
/// The checks are one middleware, since each that stands alone costs two allocations and a copy of all that is behind it.
pub(crate) async fn guard(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let sender = Recipient::of(&request, &state.send_budget, &state.settings.trusted_proxies);
    let path = request.uri().path();
    // Whoever probes a process does so by its address, and learns its health and nothing else.
    let refusal = if [health::LIVE, health::READY].contains(&path) {
        None
    } else {
        health::no_connection_left(&request)
            .or_else(|| host::refusal(&request, &state))
            .or_else(|| if path == GRAPHQL { csrf::refusal(&request, &state) } else { None })
    };
    let response = match refusal {
        Some(refusal) => Responder::of(request.headers()).refuse(refusal),
        None => next.run(request).await,
    };
    sender.send(response).await
}

/// Responses that are compressed: those that are large enough, but no streams, whose events would wait for each other.
pub(crate) type WorthCompressing = And<SizeAbove, NotForContentType>;

/// Compresses with gzip or br. Not with zstd, which JavaScript's fetch offers on versions of Node.js that cannot read it.
pub(crate) fn compression() -> CompressionLayer<WorthCompressing> {
    CompressionLayer::new().compress_when(WORTH_COMPRESSING.and(NotForContentType::const_new(EVENT_STREAM)))
}

/// Lets every response be sent uncompressed, too. The layer of compression puts the status 406 on responses for clients who rule that
/// out along with all else, although the operation has run; RFC 9110, section 12.5.3, leaves it to us.
pub(crate) fn allow_identity(mut request: Request) -> Request {
    if let Entry::Occupied(mut accepted) = request.headers_mut().entry(ACCEPT_ENCODING) {
        // The layer goes by the first of two weights where there is a wildcard, else by the greater one.
        let (identity, first) = (HeaderValue::from_static("identity;q=0.001"), accepted.get().clone());
        let rest: Vec<_> = accepted.iter().skip(1).cloned().collect();
        accepted.insert(identity);
        for value in [first].into_iter().chain(rest) {
            accepted.append(value);
        }
    }
    request
}

/// The response in place of a panic. Its message can hold anything; the panic hook has counted it, and logged where it was.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request panicked");
    let reply = refuse(&[GraphqlError::internal()], &request_id::current());
    Responder::default().reply(reply)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn_with_state;
    use axum::response::IntoResponse;
    use axum::routing::get;
    use tower::{ServiceBuilder, ServiceExt as _};
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_tells_nothing() {
        let layers = ServiceBuilder::new()
            .layer(from_fn_with_state(Metrics::default(), identify))
            .map_response(IntoResponse::into_response)
            .layer(CatchPanicLayer::custom(panicked));
        async fn fails() -> Response {
            panic!("somebody's address")
        }
        let router = Router::new().route("/", get(fails)).layer(layers);
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert!(response.headers().contains_key(request_id::HEADER));
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = str::from_utf8(&body).unwrap();
        assert!(body.contains("INTERNAL_SERVER_ERROR") && !body.contains("somebody"), "{body}");
    }
}
