//! A fake Auth0 tenant that behaves: in memory, on a loopback port, on the same wire.
//!
//! It serves `/oauth/token`, the users and logs of the Management API and the issuer's
//! `/.well-known/` documents, and enforces what Auth0 enforces: scopes, limits of paging,
//! rate limits, strict parameters, the bodies of errors. Under `/_sandbox/` it can be told to
//! misbehave and asked what it was called for.
//!
//! Nothing is stored that can be computed. People depend on the seed, logs on the seed and the
//! time of the start, and how many logs there are depends on the [`Clock`]; so a sandbox starts
//! at once, and with a manual clock it is the same tenant every time. Ids and secrets of
//! clients are random, so nothing that looks like a key is ever a constant.
//!
//! The module knows no other module. That the client under test and the sandbox share no type is
//! the point: a wrong field name cannot agree with itself.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::serve::ListenerExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use assertion::PublicKey;
pub use clock::Clock;
pub use limits::Plan;
pub use people::Person;
pub use token::Client;
pub use user_token::{GATEWAY_AUDIENCE, TokenRequest};

use clock::{http_date, rfc3339};
use events::Events;
use faults::Faults;
use limits::Limits;
use people::People;
use request_log::RequestLog;
use tenant::Tenant;
use token::{Issuer, Rights, SCOPES};

mod assertion;
mod clock;
mod control;
mod envelope;
mod events;
mod faults;
mod fixtures;
mod keys;
mod limits;
mod parameters;
mod people;
mod request_log;
mod routes;
mod search;
mod tenant;
#[cfg(feature = "fuzzing")]
pub mod testing;
mod token;
mod user_lists;
mod user_token;

/// The longest request target that is read, in bytes; Auth0 answers 414 to longer ones, from
/// a length that it does not document.
const LONGEST_TARGET: usize = 8 * 1_024;

/// The settings of a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides about people, logs and chaos. The same seed gives the same tenant.
    pub seed: u64,
    /// Decides about rate limits.
    pub plan: Plan,
    /// The tenant's present.
    pub clock: Clock,
    /// The number of users. The first dozen are always the same people.
    pub users: usize,
    /// The number of users, the last of all, who were created in the same millisecond, as by an import.
    pub imported: usize,
    /// The number of logs at the start, over the month before it (less for fewer).
    pub logs: usize,
    /// The logs that arrive in a minute while the sandbox runs, from 0 to 60,000.
    pub logs_per_minute: u32,
    /// Makes one call in twenty fail or be late, at random.
    pub chaos: bool,
    /// The `expires_in` of a token, in seconds. Anything but a sensible whole number is
    /// sent as it is, and the tokens live for a day.
    pub token_lifetime: Value,
    /// The key by which the client shows who it is, in place of its secret.
    pub client_key: Option<PublicKey>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            plan: Plan::default(),
            clock: Clock::system(),
            users: 2_500,
            imported: 0,
            logs: 20_000,
            logs_per_minute: 40,
            chaos: false,
            token_lifetime: 86_400.into(),
            client_key: None,
        }
    }
}

/// A running tenant. Dropping it stops the server.
pub struct Sandbox {
    state: Arc<State>,
    url: String,
    audience: String,
    client: Client,
    people: Vec<Person>,
    /// Closed when dropped, which every task of the server watches.
    _running: watch::Sender<()>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sandbox({})", self.url)
    }
}

/// The state that handlers share.
struct State {
    audience: String,
    /// The id of a user whose tokens are issued when nobody is named.
    somebody: String,
    clock: Clock,
    issuer: Issuer,
    tenant: Tenant,
    limits: Limits,
    faults: Faults,
    request_log: RequestLog,
    running: watch::Receiver<()>,
}

impl State {
    /// The tenant's present, in milliseconds since the Unix epoch.
    fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }
}

impl Sandbox {
    /// Starts a tenant on a listener.
    ///
    /// # Errors
    ///
    /// Fails if the listener has no address, or the machine gives no random numbers for keys.
    pub async fn start(options: Options, listener: TcpListener) -> std::io::Result<Self> {
        let url = format!("http://{}", reachable(listener.local_addr()?));
        let audience = format!("{url}/api/v2/");
        let issuer = Issuer::new(&url, audience.clone(), options.token_lifetime)?;
        let rights = Rights {
            scopes: SCOPES.map(str::to_owned).to_vec(),
            grants: vec!["client_credentials".to_owned()],
            audience: true,
        };
        let client = issuer.register(rights, options.client_key)?;
        let people = People::of(options.seed, options.users, options.imported);
        let introduced = people.introduce();
        let now = options.clock.now().timestamp_millis();
        // They come in pairs.
        let period = 120_000_i64.checked_div(options.logs_per_minute.into()).map(|period| period.max(2));
        let events = Events::new(options.seed, now, options.logs as u64, period, Arc::clone(&people));
        let (stop, running) = watch::channel(());
        let state = Arc::new(State {
            audience: audience.clone(),
            somebody: introduced.first().map(|person| person.user_id.clone()).unwrap_or_default(),
            clock: options.clock,
            issuer,
            tenant: Tenant::new(people, events),
            limits: Limits::new(options.plan, now),
            faults: Faults::new(options.chaos, options.seed),
            request_log: RequestLog::default(),
            running: running.clone(),
        });
        let api = routes::router().layer(middleware::from_fn_with_state(Arc::clone(&state), serve));
        let app = Router::new()
            .merge(control::router())
            .fallback_service(api.with_state(Arc::clone(&state)))
            .with_state(Arc::clone(&state));
        // Else the end of a long answer may wait for the client to acknowledge its beginning.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        tokio::spawn(async move {
            let stopped = stopped(running);
            // It ends by being stopped, and says nothing else.
            let _ = axum::serve(listener, app).with_graceful_shutdown(stopped).await;
        });
        Ok(Self { state, url, audience, client, people: introduced, _running: stop })
    }

    /// The tenant's address: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The issuer of the tenant's tokens, as their `iss` has it: the URL with a slash.
    pub fn issuer(&self) -> String {
        format!("{}/", self.url)
    }

    /// The audience of the Management API: `http://127.0.0.1:PORT/api/v2/`.
    pub fn audience(&self) -> String {
        self.audience.clone()
    }

    /// A client that may read everything.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Issues an access token to a user of the tenant, as `POST /_sandbox/tokens` does.
    ///
    /// # Errors
    ///
    /// The machine gives no random numbers to sign it with.
    pub fn user_token(&self, request: &TokenRequest) -> std::io::Result<String> {
        self.state.issuer.user_token(request, &self.state.somebody, self.state.clock.now())
    }

    /// People worth looking up, each for something that is special about them. They have the
    /// same ids in every sandbox of a seed.
    pub fn people(&self) -> Vec<Person> {
        self.people.clone()
    }
}

/// The address at which a client of this machine reaches a listener.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Waits until the sandbox is dropped.
async fn stopped(mut running: watch::Receiver<()>) {
    while running.changed().await.is_ok() {}
}

/// The way of every call that is not one of control: it is noted, and answered wrongly if
/// that was ordered.
async fn serve(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    // Nothing of control is there, since it came this far.
    if path.starts_with("/_sandbox/") {
        return next.run(request).await;
    }
    let number =
        state.request_log.arrived(request.method().as_str(), &path, request.uri().query(), &rfc3339(state.clock.now()));
    let fault = state.faults.next(&path);
    if let Some(delay) = fault.as_ref().and_then(faults::Fault::delay) {
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stopped(state.running.clone()) => {}
        }
    }
    let mut response = match fault.as_ref().and_then(|fault| fault.instead(&path)) {
        Some(wrong) => wrong,
        None if request.uri().to_string().len() > LONGEST_TARGET => too_long(),
        None => next.run(request).await,
    };
    // Else the server takes the machine's time, beside which a rate limit's `reset` by the tenant's clock makes no sense.
    if let Ok(date) = HeaderValue::from_str(&http_date(state.clock.now())) {
        response.headers_mut().insert(header::DATE, date);
    }
    if !fault.as_ref().is_some_and(faults::Fault::is_reset) {
        state.request_log.answered(number, response.status().as_u16());
    }
    match fault {
        Some(fault) => fault.corrupt(response).await,
        None => response,
    }
}

fn too_long() -> Response<Body> {
    let mut response = Response::new(Body::from("414 Request-URI Too Large"));
    *response.status_mut() = StatusCode::URI_TOO_LONG;
    response
}
