//! A sandbox tenant in this process, and a gateway to it in another.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auth0_graphql::sandbox::{Options, Plan, Sandbox};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::delivery_record::number;
use crate::process::{Process, free_address, pinned};

/// The program, and how it is run.
pub(crate) struct Environment {
    pub(crate) program: PathBuf,
    /// The cores that the gateway may use, where `taskset` can see to that.
    pub(crate) cores: Option<&'static str>,
    pub(crate) is_verbose: bool,
}

/// A tenant, and an access token to it.
pub(crate) struct Tenant {
    sandbox: Sandbox,
    http: reqwest::Client,
    token: String,
}

/// A call as the tenant saw it.
#[derive(Deserialize)]
struct Call {
    path: String,
}

impl Environment {
    /// Starts a gateway to the tenant.
    pub(crate) async fn gateway(&self, tenant: &Tenant) -> Result<Process> {
        self.gateway_at(tenant, free_address()?).await
    }

    /// Starts a gateway to the tenant at an address.
    pub(crate) async fn gateway_at(&self, tenant: &Tenant, address: SocketAddr) -> Result<Process> {
        let client = tenant.sandbox.client();
        let mut command = pinned(self.cores, &self.program);
        command
            // Without a `.env`.
            .current_dir(std::env::temp_dir())
            .env("AUTH0_DOMAIN", tenant.sandbox.url())
            .env("AUTH0_CLIENT_ID", &client.id)
            .env("AUTH0_CLIENT_SECRET", client.secret.expose_secret())
            .env("HOST", address.ip().to_string())
            .env("PORT", address.port().to_string())
            .env("MAX_CONNECTIONS", "20000");
        let mut gateway = Process::start(command, address, self.is_verbose)?;
        gateway.listening().await?;
        Ok(gateway)
    }
}

impl Tenant {
    /// A tenant that makes so many logs in a second, and has no rate limit to speak of.
    pub(crate) async fn start(logs_per_second: u32) -> Result<Self> {
        let options = Options {
            plan: Plan::PrivateCloud,
            logs: 1_000,
            logs_per_minute: logs_per_second * 60,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options, TcpListener::bind(("127.0.0.1", 0)).await?).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let client = sandbox.client();
        let grant = json!({
            "grant_type": "client_credentials",
            "client_id": client.id,
            "client_secret": client.secret.expose_secret(),
            "audience": sandbox.audience(),
        });
        let url = format!("{}/oauth/token", sandbox.url());
        let mut granted: Value = http.post(url).json(&grant).send().await?.error_for_status()?.json().await?;
        let Value::String(token) = granted["access_token"].take() else { anyhow::bail!("no token: {granted}") };
        Ok(Self { sandbox, http, token })
    }

    /// The newest log's id, and the others of a search, newest first.
    pub(crate) async fn newest(&self, q: Option<&str>, per_page: u32) -> Result<Vec<String>> {
        let mut query =
            vec![("page", "0".to_owned()), ("per_page", per_page.to_string()), ("sort", "date:-1".to_owned())];
        query.extend(q.map(|q| ("q", q.to_owned())));
        let url = format!("{}/api/v2/logs", self.sandbox.url());
        let request = self.http.get(url).query(&query).bearer_auth(&self.token);
        let logs: Vec<Value> = request.send().await?.error_for_status()?.json().await?;
        let ids = logs.iter().map(|log| log["log_id"].as_str().map(str::to_owned));
        ids.collect::<Option<_>>().context("a log without an id")
    }

    /// The number of the newest log.
    pub(crate) async fn head(&self) -> Result<u64> {
        // By `date` the newest may not be the last to arrive.
        let newest = self.newest(None, 10).await?;
        newest.iter().filter_map(|id| number(id)).max().context("the tenant has no logs")
    }

    /// The number of calls that read logs, so far.
    pub(crate) async fn calls(&self) -> Result<usize> {
        let url = format!("{}/_sandbox/calls", self.sandbox.url());
        let calls: Vec<Call> = self.http.get(url).send().await?.error_for_status()?.json().await?;
        Ok(calls.iter().filter(|call| call.path == "/api/v2/logs").count())
    }

    pub(crate) async fn forget_calls(&self) -> Result<()> {
        self.control(self.http.delete(self.control_url("calls"))).await
    }

    /// Has a log arrive late, by so much.
    pub(crate) async fn late_log(&self, delay: Duration) -> Result<()> {
        self.control(self.http.post(self.control_url("logs")).json(&json!({ "count": 2, "held": 1 }))).await?;
        tokio::time::sleep(delay).await;
        self.control(self.http.post(self.control_url("logs/release"))).await
    }

    /// Answers all reads of logs so, until it is mended.
    pub(crate) async fn fail(&self, status: u16) -> Result<()> {
        let order = json!({ "path": "/api/v2/logs", "times": u32::MAX, "fault": { "status": status } });
        self.control(self.http.post(self.control_url("faults")).json(&order)).await
    }

    pub(crate) async fn mend(&self) -> Result<()> {
        self.control(self.http.delete(self.control_url("faults"))).await
    }

    async fn control(&self, request: reqwest::RequestBuilder) -> Result<()> {
        let response = request.send().await?;
        ensure!(response.status().is_success(), "the sandbox answers {}", response.status());
        Ok(())
    }

    fn control_url(&self, what: &str) -> String {
        format!("{}/_sandbox/{what}", self.sandbox.url())
    }
}
