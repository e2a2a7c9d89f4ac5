//! HTTP: from a request to the stages of an operation, and from their outcome to a status and a media type.

mod activity;
mod admission;
mod authenticate;
mod client;
mod compression;
mod connection;
mod cors;
mod csrf;
mod envelope;
mod graphql;
mod hardening;
mod health;
mod host;
mod media_type;
mod origins;
mod parameters;
mod playground;
mod rate_limit;
mod request_id;
mod serve;
mod settings;
mod subscriptions;
mod tally;
mod wishes;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state, map_request, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::catch_panic::CatchPanicLayer;

use self::admission::Admission;
use self::envelope::Envelope;
use self::serve::Stopping;
use crate::auth::Authenticator;
use crate::graphql::{Engine, ErrorCode, Failure};

pub use self::origins::{Origin, OriginError, Origins};
pub use self::rate_limit::{Period, RateLimit};
pub use self::serve::Server;
pub use self::settings::{Connections, Settings};
pub use self::subscriptions::Settings as WebSocketSettings;

/// The server cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("an origin cannot be allowed: {0}")]
pub struct BuildError(#[from] tower_http::csrf::ConfigError);

#[derive(Clone)]
struct Shared {
    engine: Arc<Engine>,
    authenticator: Arc<Authenticator>,
    settings: Arc<Settings>,
    admission: Arc<Admission>,
    stopping: Stopping,
}

/// The gateway's routes and the layers around them, from the innermost outwards.
fn router(
    engine: Engine,
    authenticator: Arc<Authenticator>,
    settings: Settings,
    stopping: Stopping,
) -> Result<Router, BuildError> {
    let admission = Arc::new(Admission::new(&settings));
    let shared = Shared { engine: Arc::new(engine), authenticator, settings: Arc::new(settings), admission, stopping };
    let origins = &shared.settings.cors_origins;

    let mut graphql = any(answer)
        .layer(compression::layer())
        .layer(map_request(compression::allow_identity))
        .layer(from_fn_with_state(shared.clone(), admission::take_place))
        .layer(from_fn_with_state(shared.clone(), csrf::guard_get));
    if let Some(layer) = csrf::layer(origins)? {
        graphql = graphql.layer(layer);
    }
    let playground = if shared.settings.playground { playground::routes() } else { Router::new() };
    let mut router = Router::new()
        .route("/graphql", graphql)
        .merge(playground)
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        // Whoever probes a process's health does so by its address, and learns nothing else: these are past the host check.
        .layer(from_fn_with_state(shared.clone(), host::check))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .layer(CatchPanicLayer::custom(panicked));
    // Around all that refuses: a page that is allowed to ask is allowed to read why it gets no answer.
    if let Some(layer) = cors::layer(origins) {
        router = router.layer(layer);
    }
    // The outermost: every answer carries an id, a panic's too.
    let router = router.layer(map_response(hardening::harden)).layer(from_fn(request_id::attach));
    Ok(router.with_state(shared))
}

/// GraphQL, over HTTP or over a WebSocket.
async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    if subscriptions::is_asked_for(&request) {
        subscriptions::open(shared, request).await
    } else {
        graphql::answer(shared, request).await
    }
}

async fn not_found(request: Request) -> Response {
    let message = "There is nothing here. GraphQL is served at /graphql.";
    Envelope::of(request.headers()).refuse(StatusCode::NOT_FOUND, Failure::new(ErrorCode::BadRequest, message))
}

async fn wrong_method(request: Request) -> Response {
    let message = "This is not done here. GraphQL is served at /graphql.";
    Envelope::of(request.headers()).refuse(StatusCode::METHOD_NOT_ALLOWED, Failure::new(ErrorCode::BadRequest, message))
}

/// The panic's own message can hold anything, and has gone to the log by the panic hook.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request panicked");
    Envelope::default().reply(crate::graphql::refuse(vec![Failure::internal()], &request_id::current())).into_response()
}
