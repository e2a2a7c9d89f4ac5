//! HTTP: from a request to the stages of an operation, and from their outcome to a status and a media type.

mod envelope;
mod graphql;
mod health;
mod host;
mod media_type;
mod parameters;
mod playground;
mod request_id;
mod wishes;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::catch_panic::CatchPanicLayer;

use self::envelope::Envelope;
use crate::graphql::{Engine, ErrorCode, Failure};

/// How requests are met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Host names, beside those of loopback, that a `Host` header may hold: in lower case, IPv6 addresses in brackets, no
    /// ports.
    pub allowed_hosts: Vec<String>,
    /// Whether `GET /` is the playground.
    pub playground: bool,
    /// Time that a request may take, its reading included.
    pub request_timeout: Duration,
    /// Greatest size of a GraphQL request's body, in bytes.
    pub max_body_bytes: usize,
    /// Whether every answer tells what it took upstream, and not only those of which that is asked.
    pub explains: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            playground: true,
            request_timeout: Duration::from_secs(10),
            // Documents of front ends have a few kB, and GraphiQL's introspection query 2.
            max_body_bytes: 100_000,
            explains: false,
        }
    }
}

#[derive(Clone)]
struct Shared {
    engine: Arc<Engine>,
    settings: Arc<Settings>,
}

/// The gateway's routes and the layers around them.
pub fn router(engine: Engine, settings: Settings) -> Router {
    let shared = Shared { engine: Arc::new(engine), settings: Arc::new(settings) };
    let playground = if shared.settings.playground { playground::routes() } else { Router::new() };
    Router::new()
        .route("/graphql", any(graphql::answer))
        .merge(playground)
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        // Whoever probes a process's health does so by its address, and learns nothing else: these are past the host check.
        .layer(from_fn_with_state(shared.clone(), host::check))
        .route("/livez", get(health::live))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(no_sniffing))
        // The outermost: every answer carries an id, a panic's too.
        .layer(from_fn(request_id::attach))
        .with_state(shared)
}

async fn not_found(request: Request) -> Response {
    let message = "There is nothing here. GraphQL is served at /graphql.";
    Envelope::of(request.headers()).refuse(StatusCode::NOT_FOUND, Failure::new(ErrorCode::BadRequest, message))
}

async fn wrong_method(request: Request) -> Response {
    let message = "This is not done here. GraphQL is served at /graphql.";
    Envelope::of(request.headers()).refuse(StatusCode::METHOD_NOT_ALLOWED, Failure::new(ErrorCode::BadRequest, message))
}

async fn no_sniffing(mut response: Response) -> Response {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The panic's own message can hold anything, and has gone to the log by the panic hook.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request panicked");
    Envelope::default().reply(crate::graphql::refuse(vec![Failure::internal()], &request_id::current())).into_response()
}
