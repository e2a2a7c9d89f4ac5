//! For those who watch the process.

use axum::extract::State;
use axum::http::StatusCode;

use super::Shared;
use crate::graphql::Readiness;

/// Says that the process serves. Auth0's health is not its own, so that an outage there restarts nothing here.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Says whether requests are better sent here than elsewhere.
pub(crate) async fn ready(State(shared): State<Shared>) -> (StatusCode, &'static str) {
    if shared.stopping.is_set() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match shared.engine.readiness() {
        Readiness::Ready => (StatusCode::OK, "ok\n"),
        Readiness::UpstreamFailing => (StatusCode::SERVICE_UNAVAILABLE, "Auth0 has been failing\n"),
    }
}
