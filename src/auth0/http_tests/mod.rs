//! The client against HTTP servers that answer what a test tells them to.

mod connections;
mod faults;
mod grants;
mod reads;
mod retries;

use std::error::Error as StdError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::retry::RetryPolicy;
use super::tail::TailSettings;
use super::{CallBudget, CallContext, CallerKey, ClientPolicy, Domain, ManagementApi, Settings};
use crate::deadline::{Deadline, SharedDeadline};

type TestResult = Result<(), Box<dyn StdError>>;

/// More than any test takes; a test that hangs ends here.
fn ample() -> CallContext {
    within(Duration::from_secs(20))
}

fn within(time: Duration) -> CallContext {
    CallContext::new(Deadline::within(time), CallerKey::default(), CallBudget::new(u32::MAX))
}

fn some_time() -> SharedDeadline {
    Deadline::within(Duration::from_secs(20)).into()
}

fn settings(address: &str) -> Result<Settings, Box<dyn StdError>> {
    let domain = Domain::parse(address)?;
    Ok(Settings {
        audience: domain.default_audience(),
        client_id: "gateway".to_owned(),
        authentication: SecretString::from(format!("{:x}", fastrand::u128(..))).into(),
        domain,
    })
}

const KEEPING_NOTHING: ClientPolicy =
    ClientPolicy { cache_ttl: Duration::ZERO, rate_reserve: 0.0, tail: TailSettings::DEFAULT };

/// A client that keeps nothing, so that every read is a call, and tries again at once, for nothing is to be waited for here.
fn client(address: &str) -> Result<ManagementApi, Box<dyn StdError>> {
    let policy = RetryPolicy { backoff: Duration::ZERO, ..RetryPolicy::default() };
    Ok(ManagementApi::with_retries(settings(address)?, &KEEPING_NOTHING, policy, None)?)
}

/// Moves the client's clock. It stands still for no longer than that: with a paused clock every
/// wait for the server would make time leap.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A tenant's address that behaves as a test says, and a client of it.
struct Tenant {
    server: MockServer,
    api: ManagementApi,
}

impl Tenant {
    /// A tenant that has nothing yet, not even tokens.
    async fn empty() -> Result<Self, Box<dyn StdError>> {
        let server = MockServer::start().await;
        let api = client(&server.uri())?;
        Ok(Self { server, api })
    }

    /// A tenant that grants `token-1`, `token-2` and so on, each for a day.
    async fn granting() -> Result<Self, Box<dyn StdError>> {
        let tenant = Self::empty().await?;
        tenant.grants(json!(86_400)).await;
        Ok(tenant)
    }

    async fn grants(&self, expires_in: serde_json::Value) {
        let count = AtomicUsize::new(0);
        let grant = move |_: &Request| {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            ResponseTemplate::new(200)
                .set_body_json(json!({"access_token": format!("token-{number}"), "expires_in": expires_in}))
        };
        Mock::given(method("POST")).and(path("/oauth/token")).respond_with(grant).mount(&self.server).await;
    }

    /// Answers every read of this path so.
    async fn answers(&self, at: &str, response: ResponseTemplate) {
        Mock::given(method("GET")).and(path(at)).respond_with(response).mount(&self.server).await;
    }

    async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap_or_default()
    }

    /// The reads, as they stood in the request line.
    async fn reads(&self) -> Vec<String> {
        let requests = self.requests().await;
        let reads = requests.iter().filter(|request| request.method == "GET");
        reads.map(|request| request.url[url::Position::BeforePath..].to_owned()).collect()
    }

    async fn grants_given(&self) -> usize {
        self.requests().await.iter().filter(|request| request.url.path() == "/oauth/token").count()
    }

    /// The `Authorization` of each read.
    async fn bearers(&self) -> Vec<String> {
        let requests = self.requests().await;
        let bearers = requests.iter().filter_map(|request| request.headers.get("authorization"));
        bearers.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    }
}

fn array(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json; charset=utf-8")
}
