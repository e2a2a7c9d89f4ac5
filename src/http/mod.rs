//! HTTP: the server, its routes and layers, and the transports of GraphQL.
//!
//! `router` lists the layers that a request meets, in order. Behind them are the transports, `graphql`, `event_stream` and `websocket`, with the
//! same stages: admission, which has credentials verified, and the engine.

mod activity;
mod address;
mod admission;
mod authenticate;
mod body;
mod connection;
mod cors;
mod csrf;
mod error;
mod event_stream;
mod graphql;
mod health;
mod host;
mod ingest;
mod ingest_token;
mod media_type;
mod middleware;
mod origins;
mod parameters;
mod peer;
mod playground;
mod pool;
mod rate_limit;
mod request_id;
mod request_options;
mod resource_limits;
mod responder;
mod send_budget;
mod serve;
mod settings;
mod state;
mod subscription;
mod subscription_counter;
#[cfg(any(test, feature = "bench", feature = "fuzzing"))]
pub mod testing;
mod tls;
mod websocket;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use tower::ServiceBuilder;
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;

use self::error::HttpError;
use self::responder::Responder;
use self::state::ServerState;
use crate::telemetry;

pub use self::cors::{CorsHeaders, CorsHeadersError};
pub use self::ingest_token::{IngestToken, IngestTokenError};
pub use self::origins::{Origin, OriginError, Origins};
pub use self::rate_limit::{Period, RateLimit};
pub use self::serve::Server;
pub use self::settings::{Connections, SendLimits, Settings, SubscriptionSettings, WebSocketSettings};
pub use self::tls::{Certificate, CertificateError};

/// The server cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An origin.
    #[error("an origin cannot be allowed: {0}")]
    Origin(#[from] tower_http::csrf::ConfigError),
    /// The means of TLS.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// The path of the GraphQL endpoint.
const GRAPHQL: &str = "/graphql";

/// The path of the metrics.
const METRICS: &str = "/metrics";

/// The routes, and the layers around them. Each list is in the order in which a request meets the layers.
fn router(state: &ServerState) -> Result<Router, BuildError> {
    let Settings { cors_origins: origins, cors_headers, playground, metrics, ingest_token, .. } = &state.settings;

    let around_all = ServiceBuilder::new()
        .layer(from_fn_with_state(state.metrics.clone(), middleware::identify))
        // Around all that refuses: a page that is allowed to ask is allowed to read why it gets no answer.
        .layer(option_layer(cors::layer(origins, cors_headers)))
        .map_response(IntoResponse::into_response)
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(from_fn_with_state(state.clone(), middleware::guard));
    let around_graphql = ServiceBuilder::new()
        .map_request(middleware::allow_identity)
        .layer(middleware::compression())
        .layer(option_layer(csrf::layer(origins)?));

    let router = if *playground { playground::routes() } else { Router::new() };
    let router = if *metrics { router.route(METRICS, get(render_metrics)) } else { router };
    let router = if ingest_token.is_some() { router.route(ingest::PATH, post(ingest::handle)) } else { router };
    let router = router
        .route(GRAPHQL, any(graphql::handle).layer(around_graphql))
        .route(health::LIVE, get(health::live))
        .route(health::READY, get(health::ready))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(around_all);
    Ok(router.with_state(state.clone()))
}

/// The routes for whoever runs the gateway, on an address of their own.
fn admin_router(state: &ServerState) -> Router {
    let around_all = ServiceBuilder::new()
        .layer(from_fn_with_state(state.metrics.clone(), middleware::identify))
        .map_response(IntoResponse::into_response)
        .layer(CatchPanicLayer::custom(middleware::panicked));
    Router::new()
        .route(METRICS, get(render_metrics))
        .route(health::LIVE, get(health::live))
        .route(health::READY, get(health::ready))
        .layer(around_all)
        .with_state(state.clone())
}

async fn render_metrics(State(state): State<ServerState>) -> Response {
    match state.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, telemetry::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn not_found(request: Request) -> Response {
    let message = "There is nothing here. GraphQL is served at /graphql.";
    Responder::of(request.headers()).refuse(HttpError::bad(StatusCode::NOT_FOUND, message))
}

async fn wrong_method(request: Request) -> Response {
    let message = "This is not done here. GraphQL is served at /graphql.";
    Responder::of(request.headers()).refuse(HttpError::bad(StatusCode::METHOD_NOT_ALLOWED, message))
}
