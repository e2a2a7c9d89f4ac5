//! HTTP: from a request to the stages of an operation, and from their outcome to a status and a media type.

mod authenticate;
mod envelope;
mod graphql;
mod health;
mod host;
mod media_type;
mod parameters;
mod playground;
mod request_id;
mod subscriptions;
mod wishes;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::catch_panic::CatchPanicLayer;

use self::envelope::Envelope;
use crate::auth::Authenticator;
use crate::graphql::{Engine, ErrorCode, Failure};

pub use self::subscriptions::{Settings as WebSocketSettings, WebSockets};

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
    /// How WebSockets are met.
    pub web_sockets: WebSocketSettings,
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
            web_sockets: WebSocketSettings::default(),
        }
    }
}

#[derive(Clone)]
struct Shared {
    engine: Arc<Engine>,
    authenticator: Arc<Authenticator>,
    settings: Arc<Settings>,
    sockets: WebSockets,
}

/// The gateway's routes and the layers around them. WebSockets that are opened there are among `sockets`.
pub fn router(engine: Engine, authenticator: Arc<Authenticator>, settings: Settings, sockets: WebSockets) -> Router {
    let shared = Shared { engine: Arc::new(engine), authenticator, settings: Arc::new(settings), sockets };
    let playground = if shared.settings.playground { playground::routes() } else { Router::new() };
    Router::new()
        .route("/graphql", any(answer))
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

async fn no_sniffing(mut response: Response) -> Response {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The panic's own message can hold anything, and has gone to the log by the panic hook.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request panicked");
    Envelope::default().reply(crate::graphql::refuse(vec![Failure::internal()], &request_id::current())).into_response()
}
