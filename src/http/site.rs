//! What answers requests: the routes, and what stands around them.
//!
//! Each layer of an axum router costs every request two allocations and a copy of it, which for six of them was a seventh of
//! a small operation. So what stands before GraphQL is called by its handler, and what stands around all routes is wrapped
//! around the router as a whole.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any_service, get};
use futures_util::FutureExt as _;
use tower::util::Either;
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::cors::Cors;

use super::admission::Admission;
use super::envelope::Envelope;
use super::serve::Stopping;
use super::settings::Settings;
use super::{
    BuildError, Parts, Shared, compression, cors, csrf, graphql, hardening, health, host, playground, request_id,
    subscriptions,
};
use crate::auth::Authenticator;
use crate::graphql::{Engine, ErrorCode, Failure};

/// What answers requests.
///
/// CORS is around all that refuses: a page that is allowed to ask is allowed to read why it gets no answer.
pub(crate) type Site = Either<Cors<Routes>, Routes>;

/// The gateway's site.
pub(crate) fn site(
    engine: Engine,
    authenticator: Arc<Authenticator>,
    settings: Settings,
    stopping: Stopping,
) -> Result<Site, BuildError> {
    let admission = Admission::new(&settings);
    let shared = Shared(Arc::new(Parts { engine, authenticator, settings, admission, stopping }));
    let origins = &shared.settings.cors_origins;

    let answering = shared.clone();
    let graphql = ServiceBuilder::new()
        .map_request(|mut request: Request| {
            compression::allow_identity(request.headers_mut());
            request
        })
        .layer(compression::layer())
        .option_layer(csrf::layer(origins)?)
        .service(service_fn(move |request| {
            let shared = answering.clone();
            async move { Ok::<_, Infallible>(graphql(shared, request).await) }
        }));
    let playground = if shared.settings.playground { playground::routes() } else { Router::new() };
    let router = playground
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(shared.clone(), of_known_host))
        .route("/graphql", any_service(graphql))
        // Whoever probes a process's health does so by its address, and learns nothing else: these are past the host check.
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready));
    let routes = Routes(router.with_state(shared.clone()));
    Ok(match cors::layer(origins) {
        Some(layer) => Either::Left(layer.layer(routes)),
        None => Either::Right(routes),
    })
}

/// Answers a request. The outermost: every answer carries an id, and tells browsers what not to do with it, a panic's too.
pub(crate) async fn answer(site: Site, request: Request) -> Response {
    let answer = request_id::attach(request, |request| {
        site.oneshot(request).map(|answer| answer.unwrap_or_else(|never: Infallible| match never {}))
    });
    let mut answer = answer.await;
    hardening::harden(answer.headers_mut());
    answer
}

/// GraphQL, over HTTP or over a WebSocket, with what stands before it.
async fn graphql(shared: Shared, request: Request) -> Response {
    if let Some(refusal) = host::refusal(&shared, &request) {
        return refusal;
    }
    if csrf::is_foreign_get(&request, &shared.settings.cors_origins) {
        return csrf::refuse(Envelope::of(request.headers()));
    }
    // Held until the answer is made, or its client is gone.
    let _place = match shared.admission.place() {
        Ok(place) => place,
        Err(too_many) => return too_many.reply(Envelope::of(request.headers())),
    };
    if subscriptions::is_asked_for(&request) {
        subscriptions::open(shared.clone(), request).await
    } else {
        graphql::answer(&shared, request).await
    }
}

async fn of_known_host(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match host::refusal(&shared, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
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

/// The routes. A panic in one of them ends the request that it was about, and nothing else.
#[derive(Clone)]
pub(crate) struct Routes(Router);

impl Service<Request> for Routes {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(
            AssertUnwindSafe(answer)
                .catch_unwind()
                .map(|outcome| outcome.unwrap_or_else(|panic| Ok(panicked(&*panic)))),
        )
    }
}

/// The panic's own message can hold anything, and has gone to the log by the panic hook.
fn panicked(_: &(dyn Any + Send)) -> Response {
    tracing::error!("a request panicked");
    Envelope::default().reply(crate::graphql::refuse(vec![Failure::internal()], &request_id::current()))
}
