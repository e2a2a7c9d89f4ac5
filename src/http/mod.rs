//! HTTP: from a request to the stages of an operation, and from their outcome to a status and a media type.
//!
//! `router` lists what a request meets, in order. Behind it are the transports, `graphql` and `websocket`, with the same
//! stages: admission, authentication, the engine.

mod activity;
mod admission;
mod authenticate;
mod body;
mod compression;
mod connection;
mod cors;
mod csrf;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod graphql;
mod health;
mod host;
mod machine;
mod media_type;
mod origins;
mod parameters;
mod peer;
mod playground;
mod pool;
mod rate_limit;
mod request_id;
mod request_options;
mod responder;
mod security_headers;
mod send_budget;
mod serve;
mod settings;
mod websocket;

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state, map_request, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower::ServiceBuilder;
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;

use self::admission::Admission;
use self::body::PendingBody;
use self::peer::Shutdown;
use self::pool::Pool;
use self::responder::Responder;
use self::send_budget::SendBudget;
use crate::auth::Authenticator;
use crate::graphql::{Engine, ErrorCode, GraphqlError};

pub use self::cors::{CorsHeaders, CorsHeadersError};
pub use self::origins::{Origin, OriginError, Origins};
pub use self::rate_limit::{Period, RateLimit};
pub use self::serve::Server;
pub use self::settings::{Connections, SendLimits, Settings, WebSocketSettings};

/// The server cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("an origin cannot be allowed: {0}")]
pub struct BuildError(#[from] tower_http::csrf::ConfigError);

/// The state of all handlers and layers. Cheap to clone.
#[derive(Clone)]
struct Shared(Arc<Parts>);

struct Parts {
    engine: Engine,
    authenticator: Arc<Authenticator>,
    settings: Settings,
    admission: Admission,
    bodies: Arc<Pool<PendingBody>>,
    send_budget: Arc<SendBudget>,
    shutdown: Shutdown,
}

impl Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Shared {
    fn new(engine: Engine, authenticator: Arc<Authenticator>, settings: Settings, shutdown: Shutdown) -> Self {
        Self(Arc::new(Parts {
            engine,
            authenticator,
            admission: Admission::new(&settings),
            bodies: body::pool(&settings),
            send_budget: SendBudget::new(settings.send),
            settings,
            shutdown,
        }))
    }
}

/// The routes, and the layers around them. Each list is in the order in which a request meets the layers.
fn router(shared: &Shared) -> Result<Router, BuildError> {
    let Settings { cors_origins: origins, cors_headers, playground, .. } = &shared.settings;

    let around_all = ServiceBuilder::new()
        .layer(from_fn(request_id::layer))
        .layer(map_response(security_headers::set))
        // Around all that refuses: a page that is allowed to ask is allowed to read why it gets no answer.
        .layer(option_layer(cors::layer(origins, cors_headers)))
        .map_response(IntoResponse::into_response)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(shared.clone(), send_budget::layer))
        .layer(from_fn(health::leave_spare_connections));
    let around_pages_and_graphql = ServiceBuilder::new().layer(from_fn_with_state(shared.clone(), host::layer));
    let around_graphql = ServiceBuilder::new()
        .layer(option_layer(csrf::layer(origins)?))
        .layer(from_fn_with_state(shared.clone(), csrf::foreign_get_layer))
        .layer(map_request(compression::allow_identity))
        .layer(compression::layer());

    let router = if *playground { playground::routes() } else { Router::new() };
    let router = router
        .route("/graphql", any(graphql::handle).layer(around_graphql))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(around_pages_and_graphql)
        // Whoever probes a process's health does so by its address, and learns nothing else.
        .route(health::LIVE, get(health::live))
        .route(health::READY, get(health::ready))
        .layer(around_all);
    Ok(router.with_state(shared.clone()))
}

async fn not_found(request: Request) -> Response {
    let message = "There is nothing here. GraphQL is served at /graphql.";
    let failure = GraphqlError::new(ErrorCode::BadRequest, message);
    Responder::of(request.headers()).refuse(StatusCode::NOT_FOUND, failure)
}

async fn wrong_method(request: Request) -> Response {
    let message = "This is not done here. GraphQL is served at /graphql.";
    let failure = GraphqlError::new(ErrorCode::BadRequest, message);
    Responder::of(request.headers()).refuse(StatusCode::METHOD_NOT_ALLOWED, failure)
}

/// The panic's own message can hold anything, and has gone to the log by the panic hook.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request panicked");
    Responder::default().reply(crate::graphql::refuse(&[GraphqlError::internal()], &request_id::current()))
}
