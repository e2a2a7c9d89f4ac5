//! A gateway of its own for each test, on a sandbox tenant of its own.

use std::time::Duration;

use auth0_graphql::app::{App, Settings};
use auth0_graphql::auth;
use auth0_graphql::auth0::{self, ClientPolicy, Domain};
use auth0_graphql::graphql::{DocumentSettings, Limits, Permissions};
use auth0_graphql::http;
use auth0_graphql::sandbox::{Client, Clock, GATEWAY_AUDIENCE, Options, Sandbox};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The present in a test's tenant: what the sandbox makes up depends on nothing else.
pub(crate) const NOW: &str = "2026-11-02T08:00:00Z";

/// The setup of a test's gateway and tenant.
pub(crate) struct Setup {
    pub(crate) sandbox: Options,
    pub(crate) http: http::Settings,
    pub(crate) auth: auth::Settings,
    /// True if the access tokens of its sandbox are taken. A caller who shows none is let in all the same.
    pub(crate) takes_sandbox_tokens: bool,
    pub(crate) permissions: Permissions,
    pub(crate) policy: ClientPolicy,
    pub(crate) limits: Limits,
    pub(crate) documents: DocumentSettings,
    /// The credentials that the gateway uses, in place of those of the sandbox's all-powerful client.
    pub(crate) client: Option<Client>,
    /// An Auth0 that is not the sandbox, such as a mock of one that misbehaves.
    pub(crate) upstream: Option<String>,
    /// The audience that tokens are asked for, in place of the tenant's own.
    pub(crate) audience: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        let now: DateTime<Utc> = NOW.parse().unwrap();
        Self {
            sandbox: Options { clock: Clock::manual(now), ..Options::default() },
            http: http::Settings::default(),
            auth: auth::Settings::default(),
            takes_sandbox_tokens: false,
            permissions: Permissions::default(),
            policy: ClientPolicy::default(),
            limits: Limits::default(),
            documents: DocumentSettings::default(),
            client: None,
            upstream: None,
            audience: None,
        }
    }
}

impl Setup {
    /// Keeps no answers, so that each search is a call that can be counted.
    pub(crate) fn uncached() -> Self {
        Self { policy: ClientPolicy { cache_ttl: Duration::ZERO, ..ClientPolicy::default() }, ..Self::default() }
    }
}

/// A running gateway.
pub(crate) struct TestGateway {
    pub(crate) url: String,
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
}

/// An upstream call as the sandbox saw it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) query: Option<String>,
    /// None while it is under way, and when it was cut off.
    pub(crate) status: Option<u16>,
}

impl Call {
    /// Path and query, as they stood in the request line.
    pub(crate) fn target(&self) -> String {
        match self.query.as_deref().unwrap_or_default() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }
}

impl TestGateway {
    pub(crate) async fn spawn() -> Self {
        Self::spawn_with(Setup::default()).await
    }

    pub(crate) async fn spawn_with(setup: Setup) -> Self {
        Self::spawn_until(setup, std::future::pending()).await
    }

    /// A gateway that stops when `stop` resolves.
    pub(crate) async fn spawn_until(setup: Setup, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        let sandbox = Sandbox::start(setup.sandbox, listener().await).await.unwrap();
        let client = setup.client.unwrap_or_else(|| sandbox.client());
        let domain = Domain::parse(setup.upstream.as_deref().unwrap_or(&sandbox.url())).unwrap();
        let settings = auth0::Settings {
            audience: setup.audience.unwrap_or_else(|| domain.default_audience()),
            domain,
            client_id: client.id,
            authentication: client.secret.into(),
        };
        let auth = if setup.takes_sandbox_tokens { setup.auth.or_tokens(tokens_of(&sandbox)) } else { setup.auth };
        let app = App::build(Settings {
            policy: setup.policy,
            limits: setup.limits,
            auth,
            permissions: setup.permissions,
            documents: setup.documents,
            http: setup.http,
            ..Settings::new(settings)
        })
        .unwrap();
        let listener = listener().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(app.serve(listener, stop));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { url, sandbox, http }
    }

    /// A gateway that keeps no answers.
    pub(crate) async fn uncached() -> Self {
        Self::spawn_with(Setup::uncached()).await
    }

    /// A gateway whose client at Auth0 has just these scopes.
    pub(crate) async fn spawn_with_scopes(scopes: &[&str]) -> Self {
        let gateway = Self::spawn().await;
        let created = gateway.control("clients", json!({ "scopes": scopes })).await;
        let client = Client {
            id: created["client_id"].as_str().unwrap().to_owned(),
            secret: SecretString::from(created["client_secret"].as_str().unwrap()),
        };
        let Self { sandbox, .. } = gateway;
        Self::in_front_of(sandbox, client).await
    }

    /// A gateway in front of a sandbox that runs already.
    pub(crate) async fn in_front_of(sandbox: Sandbox, client: Client) -> Self {
        let domain = Domain::parse(&sandbox.url()).unwrap();
        let settings = auth0::Settings {
            audience: domain.default_audience(),
            domain,
            client_id: client.id,
            authentication: client.secret.into(),
        };
        let app = App::build(Settings::new(settings)).unwrap();
        let listener = listener().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(app.serve(listener, std::future::pending()));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { url, sandbox, http }
    }

    /// Sends an operation and gives back the whole response, which must be JSON.
    pub(crate) async fn send(&self, request: Value) -> Value {
        let response = self.http.post(format!("{}/graphql", self.url)).json(&request).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// Sends a document without variables.
    pub(crate) async fn query(&self, query: &str) -> Value {
        self.send(json!({ "query": query })).await
    }

    /// Sends a document that must succeed, and gives back its data.
    pub(crate) async fn data(&self, query: &str) -> Value {
        let mut response = self.query(query).await;
        assert_eq!(response.get("errors"), None, "{query}: {response}");
        response["data"].take()
    }

    /// The calls that the sandbox has served, those for tokens left out.
    pub(crate) async fn calls(&self) -> Vec<Call> {
        let mut calls = self.all_calls().await;
        calls.retain(|call| call.path != "/oauth/token");
        calls
    }

    /// The calls that the sandbox has served, in order.
    pub(crate) async fn all_calls(&self) -> Vec<Call> {
        let url = format!("{}/_sandbox/calls", self.sandbox.url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn forget_calls(&self) {
        let url = format!("{}/_sandbox/calls", self.sandbox.url());
        self.http.delete(url).send().await.unwrap().error_for_status().unwrap();
    }

    /// The requests to the sandbox since the last time, those for tokens left out.
    pub(crate) async fn asked(&self) -> Vec<String> {
        let targets = self.calls().await.iter().map(Call::target).collect();
        self.forget_calls().await;
        targets
    }

    /// Makes the sandbox misbehave.
    pub(crate) async fn fault(&self, fault: Value) {
        self.control("faults", fault).await;
    }

    /// Has the sandbox behave again.
    pub(crate) async fn mend(&self) {
        let url = format!("{}/_sandbox/faults", self.sandbox.url());
        self.http.delete(url).send().await.unwrap().error_for_status().unwrap();
    }

    /// Does something to the sandbox.
    pub(crate) async fn control(&self, what: &str, body: Value) -> Value {
        let url = format!("{}/_sandbox/{what}", self.sandbox.url());
        let response = self.http.post(url).json(&body).send().await.unwrap().error_for_status().unwrap();
        let text = response.text().await.unwrap();
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }
}

fn tokens_of(sandbox: &Sandbox) -> auth::TokenSettings {
    auth::TokenSettings {
        issuer: auth::Issuer::parse(&sandbox.issuer()).unwrap(),
        audiences: vec![GATEWAY_AUDIENCE.to_owned()],
        keys: None,
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap()
}

/// The codes of a response's errors.
pub(crate) fn codes(response: &Value) -> Vec<&str> {
    let errors = response["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("no code")).collect()
}
