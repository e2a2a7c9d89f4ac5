//! Health probes, and the few connections that are reserved for them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Version, header};

use super::error::HttpError;
use super::peer::{ConnectionInfo, Phase};
use super::state::ServerState;
use crate::graphql::Readiness;

pub(crate) const LIVE: &str = "/livez";
pub(crate) const READY: &str = "/readyz";

/// Liveness: the process serves. Auth0's health is not its own, so that an outage there restarts nothing here.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Readiness: requests are better sent here than elsewhere.
pub(crate) async fn ready(State(state): State<ServerState>) -> (StatusCode, &'static str) {
    if state.shutdown.phase() != Phase::Serving {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match state.engine.readiness() {
        Readiness::Ready => (StatusCode::OK, "ok\n"),
        Readiness::UpstreamFailing => (StatusCode::SERVICE_UNAVAILABLE, "Auth0 has been failing\n"),
    }
}

/// The refusal of a request on a connection that is reserved for probes: there are too many others.
pub(crate) fn no_connection_left(request: &Request) -> Option<HttpError> {
    let connection = request.extensions().get::<Arc<ConnectionInfo>>();
    if !connection.is_some_and(|connection| connection.is_reserved()) {
        return None;
    }
    let refusal = HttpError::busy("connections", "There are too many connections. Try again after `retryAfterMs`.");
    let is_last = request.version() < Version::HTTP_2;
    Some(if is_last { refusal.with(header::CONNECTION, HeaderValue::from_static("close")) } else { refusal })
}
