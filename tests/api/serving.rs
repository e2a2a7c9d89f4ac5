//! Connections and requests within their bounds, health, and how serving ends.

mod bounds;
mod connections;
mod exhaustion;
mod held;
mod http2;
mod stopping;

use std::net::SocketAddr;
use std::time::Duration;

use auth0_graphql::app::{App, Settings};
use auth0_graphql::auth0::{self, Domain};
use auth0_graphql::http::{self, Connections};
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::held::HeldAuth0;
use crate::gateway::TestGateway;

/// So long that a test which waits for it does not end.
const NEVER: Duration = Duration::from_secs(3_600);
/// So short that a test can wait for it.
pub(crate) const SHORT: Duration = Duration::from_millis(250);

/// Connections that are kept for as long as their clients like.
pub(crate) const PATIENT: Connections = Connections {
    most: std::num::NonZeroUsize::MAX,
    replaceable_after: NEVER,
    head_timeout: NEVER,
    idle_timeout: NEVER,
    drain_timeout: NEVER,
};

pub(crate) fn patient() -> http::Settings {
    http::Settings { connections: PATIENT, metrics: true, ..http::Settings::default() }
}

/// A gateway in front of an Auth0 that holds calls back; it can be stopped.
pub(crate) struct Serving {
    address: SocketAddr,
    pub(crate) url: String,
    pub(crate) auth0: HeldAuth0,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: JoinHandle<()>,
}

impl Serving {
    pub(crate) async fn start(http: http::Settings) -> Self {
        Self::start_with(http, |app| app).await
    }

    /// The same, with something done to the gateway before it serves.
    pub(crate) async fn start_with(http: http::Settings, prepare: impl FnOnce(App) -> App) -> Self {
        let auth0 = HeldAuth0::start().await;
        let domain = Domain::parse(&auth0.url).unwrap();
        let settings = auth0::Settings {
            audience: domain.default_audience(),
            domain,
            client_id: "an-id".to_owned(),
            authentication: SecretString::from("a-secret").into(),
        };
        let app = prepare(App::build(Settings { http, ..Settings::new(settings) }).unwrap());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(app.serve(listener, async move {
            // A test that drops the handle does not want it stopped.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self { address, url: format!("http://{address}"), auth0, stop: Some(stop), ended }
    }

    /// Tells the gateway to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// The answer to a GET, by a client library and on a connection of its own.
    pub(crate) async fn get(&self, target: &str) -> reqwest::Result<reqwest::Response> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        client.get(format!("{}{target}", self.url)).send().await
    }

    async fn connect(&self) -> Client {
        Client::to(self.address).await
    }

    /// A connection on which a query for users is under way.
    async fn ask(&self) -> Client {
        let mut client = self.connect().await;
        client.write(&users()).await;
        client
    }
}

/// A POST that asks for users.
fn users() -> String {
    let body = json!({ "query": "{ users { nodes { userId } } }" }).to_string();
    let head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A connection to a gateway.
struct Client(TcpStream);

impl Client {
    async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The same, as far as the gateway takes it.
    async fn write_if_open(&mut self, text: &str) {
        let _ = self.0.write_all(text.as_bytes()).await;
    }

    /// Waits until the gateway ends the connection, and reads nothing.
    async fn until_closed(&mut self) {
        while self.0.write_all(b"\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// The bytes that come up to and with `end`; less if the connection is closed before.
    async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            if self.0.read_buf(&mut read).await.unwrap_or(0) == 0 {
                break;
            }
        }
        String::from_utf8(read).unwrap()
    }

    /// The bytes that come before the connection is closed.
    async fn rest(mut self) -> String {
        let mut read = String::new();
        // Closed with something unread is a reset.
        let _ = self.0.read_to_string(&mut read).await;
        read
    }
}

#[tokio::test]
async fn the_gateway_is_ready_while_auth0_answers() {
    let gateway = TestGateway::spawn().await;
    let ready = async || {
        let response = gateway.http.get(format!("{}/readyz", gateway.url)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(ready().await, (200, "ok\n".to_owned()));
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 1_000, "fault": { "status": 500 } })).await;
    let mut failures = 0;
    while ready().await.0 == 200 {
        gateway.query("{ logs { nodes { logId } } }").await;
        failures += 1;
        assert!(failures < 100, "the breaker does not open");
    }
    assert_eq!(ready().await, (503, "Auth0 has been failing\n".to_owned()));
    let live = gateway.http.get(format!("{}/livez", gateway.url)).send().await.unwrap();
    assert_eq!(live.status(), 200, "an outage elsewhere must not restart the gateway");
    // Someone has to find out whether Auth0 is well again.
    while ready().await.0 != 200 {}
}
