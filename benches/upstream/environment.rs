//! A sandbox tenant, a gateway to it, and those who ask.

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context, Result};
use auth0_graphql::app::{App, Settings};
use auth0_graphql::auth0::{self, ClientPolicy, Domain};
use auth0_graphql::http;
use auth0_graphql::sandbox::{Options, Sandbox};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The number of callers who are let in at once: a thousand is more than the defaults are for.
const CROWD: NonZeroUsize = NonZeroUsize::new(2_000).unwrap();

/// A tenant and its gateway.
pub(crate) struct Environment {
    pub(crate) sandbox: Sandbox,
    /// The address of the gateway: `127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) http: reqwest::Client,
}

/// The outcome of a question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Answered,
    /// Too much was asked; come back after this time, if it was said.
    Limited(Option<Duration>),
    /// Something else, by its code.
    Failed(String),
}

impl Outcome {
    /// The code, or `OK`.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Answered => "OK",
            Self::Limited(_) => "RATE_LIMITED",
            Self::Failed(code) => code,
        }
    }
}

/// No answers are kept: each question is to be a call.
pub(crate) fn keeping_nothing(rate_reserve: f64) -> ClientPolicy {
    ClientPolicy { cache_ttl: Duration::ZERO, rate_reserve, ..ClientPolicy::default() }
}

/// A call as the tenant saw it.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) path: String,
    /// None if it was cut off.
    pub(crate) status: Option<u16>,
    /// The time at which it came, by RFC 3339.
    pub(crate) at: String,
}

impl Environment {
    pub(crate) async fn start(options: Options, policy: ClientPolicy) -> Result<Self> {
        let sandbox = Sandbox::start(options, listener().await?).await?;
        let client = sandbox.client();
        let domain = Domain::parse(&sandbox.url())?;
        let tenant = auth0::Settings {
            audience: domain.default_audience(),
            domain,
            client_id: client.id,
            authentication: client.secret.into(),
        };
        let connections = http::Connections { most: CROWD, ..http::Connections::default() };
        let http = http::Settings { connections, max_concurrent_requests: CROWD, ..http::Settings::default() };
        let app = App::build(Settings { policy, http, ..Settings::new(tenant) })?;
        let listener = listener().await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(app.serve(listener, std::future::pending()));
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { sandbox, address, http })
    }

    /// Asks the gateway.
    pub(crate) async fn ask(&self, query: &str) -> Result<Outcome> {
        let url = format!("http://{}/graphql", self.address);
        let answer: Value = self.http.post(url).json(&json!({ "query": query })).send().await?.json().await?;
        let extensions = &answer["errors"][0]["extensions"];
        Ok(match extensions["code"].as_str() {
            None => Outcome::Answered,
            Some("RATE_LIMITED") => Outcome::Limited(extensions["retryAfterMs"].as_u64().map(Duration::from_millis)),
            Some(code) => Outcome::Failed(code.to_owned()),
        })
    }

    /// The calls that the tenant has seen.
    pub(crate) async fn calls(&self) -> Result<Vec<Call>> {
        Ok(self.http.get(self.control_url("calls")).send().await?.error_for_status()?.json().await?)
    }

    pub(crate) async fn forget_calls(&self) -> Result<()> {
        self.http.delete(self.control_url("calls")).send().await?.error_for_status()?;
        Ok(())
    }

    /// Makes the tenant misbehave at these paths until it is mended.
    pub(crate) async fn fault(&self, path: &str, fault: &Value) -> Result<()> {
        self.fault_some(path, fault, u32::MAX).await
    }

    /// Makes the tenant misbehave so often at these paths.
    pub(crate) async fn fault_some(&self, path: &str, fault: &Value, times: u32) -> Result<()> {
        let order = json!({ "path": path, "times": times, "fault": fault });
        self.http.post(self.control_url("faults")).json(&order).send().await?.error_for_status()?;
        Ok(())
    }

    pub(crate) async fn mend(&self) -> Result<()> {
        self.http.delete(self.control_url("faults")).send().await?.error_for_status()?;
        Ok(())
    }

    /// Makes the tenant refuse all tokens that it has given out.
    pub(crate) async fn expire_tokens(&self) -> Result<()> {
        self.http.post(self.control_url("tokens/expire")).send().await?.error_for_status()?;
        Ok(())
    }

    fn control_url(&self, what: &str) -> String {
        format!("{}/_sandbox/{what}", self.sandbox.url())
    }
}

/// A question that nobody else asks: how many it is about is of no interest.
pub(crate) fn search(number: usize) -> String {
    format!("logins_count:[{number} TO *]")
}

/// The same as a document.
pub(crate) fn question(number: usize) -> String {
    format!("{{ users(q: \"{}\", perPage: 1) {{ nodes {{ userId }} }} }}", search(number))
}

async fn listener() -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on the loopback interface")
}
