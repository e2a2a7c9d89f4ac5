//! `/_sandbox/`: what a test, or a person, may do to the tenant. Nothing of it is Auth0's.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::State as Shared;
use super::assertion::PublicKey;
use super::clock::rfc3339;
use super::envelope;
use super::faults::Order;
use super::token::Rights;
use super::user_token::TokenRequest;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_sandbox/calls", get(calls).delete(forget_calls))
        .route("/_sandbox/faults", post(add_fault).delete(clear_faults))
        .route("/_sandbox/tokens", post(issue_token))
        .route("/_sandbox/tokens/expire", post(expire_tokens))
        .route("/_sandbox/clients", post(add_client))
        .route("/_sandbox/clock", post(advance_clock))
        .route("/_sandbox/logs", post(make_logs))
        .route("/_sandbox/logs/release", post(release_logs))
}

async fn calls(State(shared): State<Arc<Shared>>) -> Response<Body> {
    envelope::json(StatusCode::OK, &shared.request_log.list())
}

async fn forget_calls(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.request_log.clear();
    StatusCode::NO_CONTENT
}

async fn add_fault(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    match Order::parse(&body) {
        Ok(order) => {
            shared.faults.add(order);
            envelope::json(StatusCode::CREATED, &json!({}))
        }
        Err(message) => refused(StatusCode::BAD_REQUEST, &message),
    }
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

async fn issue_token(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    let request: TokenRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match shared.issuer.user_token(&request, &shared.somebody, shared.clock.now()) {
        Ok(token) => envelope::json(StatusCode::CREATED, &json!({"access_token": token})),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn expire_tokens(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.issuer.expire_all();
    StatusCode::NO_CONTENT
}

/// A client to create. `audience: false` leaves it without a grant for the Management API.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClient {
    scopes: Vec<String>,
    #[serde(default = "client_credentials")]
    grants: Vec<String>,
    #[serde(default = "yes")]
    audience: bool,
    /// A public key in PEM, with which the client shows who it is in place of a secret.
    public_key: Option<String>,
}

fn client_credentials() -> Vec<String> {
    vec!["client_credentials".to_owned()]
}

fn yes() -> bool {
    true
}

async fn add_client(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    let new: NewClient = match serde_json::from_slice(&body) {
        Ok(new) => new,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let key = match new.public_key.as_deref().map(PublicKey::parse).transpose() {
        Ok(key) => key,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let rights = Rights { scopes: new.scopes, grants: new.grants, audience: new.audience };
    match shared.issuer.register(rights, key) {
        Ok(client) => envelope::json(
            StatusCode::CREATED,
            &json!({"client_id": client.id, "client_secret": client.secret.expose_secret()}),
        ),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Advance {
    advance_ms: u64,
}

async fn advance_clock(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    let advance: Advance = match serde_json::from_slice(&body) {
        Ok(advance) => advance,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if shared.clock.advance(Duration::from_millis(advance.advance_ms)) {
        envelope::json(StatusCode::OK, &json!({"now": rfc3339(shared.clock.now())}))
    } else {
        refused(StatusCode::CONFLICT, "this sandbox follows the system's clock, which cannot be moved")
    }
}

/// The most logs that are made by one request.
const MOST_LOGS: u64 = 10_000;

/// Logs that arrive now, before their time. The first `held` of them are visible only once they are released: as if Auth0 had
/// been late with them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLogs {
    count: u64,
    #[serde(default)]
    held: u64,
}

async fn make_logs(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    match serde_json::from_slice(&body) {
        Ok(NewLogs { count, held }) if count <= MOST_LOGS => {
            envelope::json(StatusCode::CREATED, &json!({"ids": shared.tenant.make_logs(count, held, shared.now())}))
        }
        Ok(_) => refused(StatusCode::BAD_REQUEST, &format!("at most {MOST_LOGS} logs are made at once")),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn release_logs(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.tenant.release_logs();
    StatusCode::NO_CONTENT
}

fn refused(status: StatusCode, message: &str) -> Response<Body> {
    envelope::json(status, &Value::from_iter([("error", message)]))
}
