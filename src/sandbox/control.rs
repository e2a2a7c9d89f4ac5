//! `/_sandbox/`: what a test, or a person, may do to the tenant. Nothing of it is Auth0's.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::State as Shared;
use super::assertion::PublicKey;
use super::clock::rfc3339;
use super::envelope;
use super::faults::FaultRule;
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

async fn add_fault(State(shared): State<Arc<Shared>>, body: Bytes) -> Outcome {
    shared.faults.add(FaultRule::parse(&body).map_err(|error| bad_request(&error))?);
    Ok(envelope::json(StatusCode::CREATED, &json!({})))
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

async fn issue_token(State(shared): State<Arc<Shared>>, body: Bytes) -> Outcome {
    let request: TokenRequest = parsed(&body)?;
    let token =
        shared.issuer.user_token(&request, &shared.somebody, shared.clock.now()).map_err(|error| failed(&error))?;
    Ok(envelope::json(StatusCode::CREATED, &json!({"access_token": token})))
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

async fn add_client(State(shared): State<Arc<Shared>>, body: Bytes) -> Outcome {
    let NewClient { scopes, grants, audience, public_key } = parsed(&body)?;
    let key = public_key.as_deref().map(PublicKey::parse).transpose().map_err(|error| bad_request(&error))?;
    let client = shared.issuer.register(Rights { scopes, grants, audience }, key).map_err(|error| failed(&error))?;
    Ok(envelope::json(
        StatusCode::CREATED,
        &json!({"client_id": client.id, "client_secret": client.secret.expose_secret()}),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Advance {
    advance_ms: u64,
}

async fn advance_clock(State(shared): State<Arc<Shared>>, body: Bytes) -> Outcome {
    let Advance { advance_ms } = parsed(&body)?;
    if shared.clock.advance(Duration::from_millis(advance_ms)) {
        Ok(envelope::json(StatusCode::OK, &json!({"now": rfc3339(shared.clock.now())})))
    } else {
        let message = "this sandbox follows the system's clock, which cannot be moved";
        Err(ControlError { status: StatusCode::CONFLICT, message: message.to_owned() })
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

async fn make_logs(State(shared): State<Arc<Shared>>, body: Bytes) -> Outcome {
    let NewLogs { count, held } = parsed(&body)?;
    if count > MOST_LOGS {
        return Err(bad_request(&format_args!("at most {MOST_LOGS} logs are made at once")));
    }
    Ok(envelope::json(StatusCode::CREATED, &json!({"ids": shared.tenant.make_logs(count, held, shared.now())})))
}

async fn release_logs(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.tenant.release_logs();
    StatusCode::NO_CONTENT
}

type Outcome = Result<Response<Body>, ControlError>;

/// The refusal of a rule.
struct ControlError {
    status: StatusCode,
    message: String,
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response<Body> {
        envelope::json(self.status, &json!({"error": self.message}))
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body).map_err(|error| bad_request(&error))
}

fn bad_request(error: &impl ToString) -> ControlError {
    ControlError { status: StatusCode::BAD_REQUEST, message: error.to_string() }
}

fn failed(error: &impl ToString) -> ControlError {
    ControlError { status: StatusCode::INTERNAL_SERVER_ERROR, message: error.to_string() }
}
