//! What answers requests: the routes, and what stands around them.
//!
//! Each layer of an axum router costs every request two allocations and a copy of it, and so does the router. So what stands
//! before GraphQL is called by its handler, what stands around all routes is wrapped around the router as a whole, and a POST of
//! GraphQL goes past it.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any_service, get};
use futures_util::FutureExt as _;
use tower::util::{Either, option_layer};
use tower::{Layer as _, Service, ServiceExt as _};
use tower_http::cors::Cors;
use tower_http::csrf::Csrf;

use super::admission::Admission;
use super::compression::{Accepted, compress};
use super::csrf::Rejection;
use super::envelope::Envelope;
use super::serve::Stopping;
use super::settings::Settings;
use super::{
    BuildError, Parts, Shared, cors, csrf, graphql, hardening, health, host, playground, request_id, subscriptions,
};
use crate::auth::Authenticator;
use crate::graphql::{Engine, ErrorCode, Failure};

/// Where GraphQL is.
const GRAPHQL: &str = "/graphql";

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

    let graphql = option_layer(csrf::layer(origins)?).layer(GraphQl(shared.clone()));
    let playground = if shared.settings.playground { playground::routes() } else { Router::new() };
    let router = playground
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(shared.clone(), of_known_host))
        .route(GRAPHQL, any_service(graphql.clone()))
        // Whoever probes a process's health does so by its address, and learns nothing else: these are past the host check.
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready));
    let routes = Routes { graphql, others: router.with_state(shared.clone()) };
    Ok(match cors::layer(origins) {
        Some(layer) => Either::Left(layer.layer(routes)),
        None => Either::Right(routes),
    })
}

/// Answers a request. The outermost: every answer carries an id, and tells browsers what not to do with it, a panic's too.
///
/// A future put together, and no `async fn`: each of these that hands a request on has room for it twice, and is moved itself.
pub(crate) fn answer(site: Site, request: Request) -> impl Future<Output = Response> {
    let id = request_id::of(&request);
    let answer = site.oneshot(request).map(|answer| answer.unwrap_or_else(|never: Infallible| match never {}));
    request_id::attach(id, answer).map(|mut answer| {
        hardening::harden(answer.headers_mut());
        answer
    })
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
        return subscriptions::open(shared.clone(), request).await;
    }
    let accepted = Accepted::of(request.headers());
    compress(graphql::answer(&shared, request).await, accepted).await
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

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// What answers GraphQL.
#[derive(Clone)]
pub(crate) struct GraphQl(Shared);

impl Service<Request> for GraphQl {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(graphql(self.0.clone(), request).map(Ok))
    }
}

/// The routes. A panic in one of them ends the request that it was about, and nothing else.
#[derive(Clone)]
pub(crate) struct Routes {
    graphql: Either<Csrf<GraphQl, Rejection>, GraphQl>,
    others: Router,
}

impl Service<Request> for Routes {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        ready!(self.graphql.poll_ready(context))?;
        Service::<Request>::poll_ready(&mut self.others, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The router knows what answers to other methods must not have: a HEAD's no body.
        if request.method() == Method::POST && request.uri().path() == GRAPHQL {
            outlive_panics(self.graphql.call(request))
        } else {
            outlive_panics(self.others.call(request))
        }
    }
}

fn outlive_panics(answer: impl Future<Output = Result<Response, Infallible>> + Send + 'static) -> Answering {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    Box::pin(answer.map(|outcome| outcome.unwrap_or_else(|panic| Ok(panicked(&*panic)))))
}

/// The panic's own message can hold anything, and has gone to the log by the panic hook.
fn panicked(_: &(dyn Any + Send)) -> Response {
    tracing::error!("a request panicked");
    Envelope::default().reply(crate::graphql::refuse(vec![Failure::internal()], &request_id::current()))
}
