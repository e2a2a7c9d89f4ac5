//! For those who watch the process.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Shared;
use super::admission::SOON;
use super::peer::{ConnectionInfo, Phase};
use super::responder::Responder;
use crate::graphql::{ErrorCode, GraphqlError, Readiness};

pub(crate) const LIVE: &str = "/livez";
pub(crate) const READY: &str = "/readyz";

/// Says that the process serves. Auth0's health is not its own, so that an outage there restarts nothing here.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Says whether requests are better sent here than elsewhere.
pub(crate) async fn ready(State(shared): State<Shared>) -> (StatusCode, &'static str) {
    if shared.shutdown.phase() != Phase::Serving {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match shared.engine.readiness() {
        Readiness::Ready => (StatusCode::OK, "ok\n"),
        Readiness::UpstreamFailing => (StatusCode::SERVICE_UNAVAILABLE, "Auth0 has been failing\n"),
    }
}

/// Leaves the connections beside the last place to probes: everybody else is told that there are too many.
pub(crate) async fn leave_spare_connections(request: Request, next: Next) -> Response {
    let is_spare = request.extensions().get::<Arc<ConnectionInfo>>().is_some_and(|connection| connection.is_spare());
    if !is_spare || [LIVE, READY].contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let message = "There are too many connections. Try again after `retryAfterMs`.";
    let failure = GraphqlError::new(ErrorCode::RateLimited, message);
    let mut response = Responder::of(request.headers()).refuse_for(SOON, StatusCode::SERVICE_UNAVAILABLE, failure);
    if request.version() < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
