//! A sandbox tenant in this process, and the processes of its gateways.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use auth0_graphql::sandbox::{Options, Plan, Sandbox};
use futures_util::future::try_join_all;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::process::free_address;

/// Time that a fleet may take to be in a state.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Most attempts at a replica: an address that was free may be taken by a connection before it is listened on.
const MOST_ATTEMPTS: u32 = 5;

/// The programs, and how they are run.
pub(crate) struct Environment {
    pub(crate) program: PathBuf,
    pub(crate) redis_server: PathBuf,
    pub(crate) is_verbose: bool,
}

/// Gateways of one tenant.
pub(crate) struct Fleet<'a> {
    environment: &'a Environment,
    sandbox: Sandbox,
    http: reqwest::Client,
    redis: Option<String>,
    settings: Vec<(&'static str, String)>,
    pub(crate) replicas: Vec<Replica>,
}

pub(crate) struct Replica {
    process: Child,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

/// A call as the tenant saw it.
#[derive(Deserialize)]
pub(crate) struct Call {
    pub(crate) path: String,
    /// None if it was cut off.
    pub(crate) status: Option<u16>,
}

impl<'a> Fleet<'a> {
    /// A fleet of no gateways yet, which share through that Redis, or do not share.
    pub(crate) async fn of(
        environment: &'a Environment,
        plan: Plan,
        logs_per_minute: u32,
        redis: Option<String>,
    ) -> Result<Self> {
        let options = Options { plan, logs: 1_000, logs_per_minute, ..Options::default() };
        let sandbox = Sandbox::start(options, TcpListener::bind(("127.0.0.1", 0)).await?).await?;
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { environment, sandbox, http, redis, settings: Vec::new(), replicas: Vec::new() })
    }

    /// The same with a setting.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Starts so many at once, and waits until they serve, and share if they are to.
    pub(crate) async fn start(&mut self, count: usize) -> Result<()> {
        let first = self.replicas.len();
        for _ in 0..count {
            self.replicas.push(self.spawn()?);
        }
        for index in first..first + count {
            let mut attempts = 1;
            while !self.replicas[index].listens().await? {
                ensure!(attempts < MOST_ATTEMPTS, "a replica ends instead of serving; --verbose shows what it says");
                attempts += 1;
                self.replicas[index] = self.spawn()?;
            }
        }
        if self.redis.is_some() {
            self.until_sharing().await?;
        }
        Ok(())
    }

    fn spawn(&self) -> Result<Replica> {
        let (address, admin) = (free_address()?, free_address()?);
        let mut command = self.command(address, admin);
        let stderr = if self.environment.is_verbose { Stdio::inherit() } else { Stdio::null() };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let process = command.spawn().context("the gateway cannot be run")?;
        Ok(Replica { process, address, admin })
    }

    fn command(&self, address: SocketAddr, admin: SocketAddr) -> Command {
        let client = self.sandbox.client();
        let mut command = Command::new(&self.environment.program);
        command
            // Without a `.env`.
            .current_dir(std::env::temp_dir())
            .env("AUTH0_DOMAIN", self.sandbox.url())
            .env("AUTH0_CLIENT_ID", &client.id)
            .env("AUTH0_CLIENT_SECRET", client.secret.expose_secret())
            .env("HOST", address.ip().to_string())
            .env("PORT", address.port().to_string())
            .env("ADMIN_ADDRESS", admin.to_string())
            .envs(self.settings.iter().map(|(name, value)| (*name, value)));
        if let Some(redis) = &self.redis {
            command.env("REDIS_URL", redis);
        }
        command
    }

    /// Waits until Redis is there for all.
    pub(crate) async fn until_sharing(&self) -> Result<()> {
        let start = Instant::now();
        for replica in &self.replicas {
            while self.metric(replica, "auth0_graphql_redis_state{state=\"up\"}").await? < 1.0 {
                ensure!(start.elapsed() < TIMEOUT, "a replica does not find Redis");
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// A gateway's answer to a document, with the code of its first error.
    pub(crate) async fn ask(&self, replica: usize, query: &str) -> Result<Option<String>> {
        let url = format!("http://{}/graphql", self.replicas[replica].address);
        let request = self.http.post(url).json(&json!({ "query": query }));
        let answer: Value = request.send().await?.json().await?;
        let code = &answer["errors"][0]["extensions"]["code"];
        ensure!(code.is_string() || answer.get("errors").is_none(), "{answer}");
        Ok(code.as_str().map(str::to_owned))
    }

    /// Has all answer a document, at the same time.
    pub(crate) async fn ask_all(&self, query: &str) -> Result<()> {
        let all = try_join_all((0..self.replicas.len()).map(|replica| self.ask(replica, query))).await?;
        ensure!(all.iter().all(Option::is_none), "{all:?}");
        Ok(())
    }

    /// The value of a series; 0 where it is not there.
    pub(crate) async fn metric(&self, replica: &Replica, series: &str) -> Result<f64> {
        let url = format!("http://{}/metrics", replica.admin);
        let metrics = self.http.get(url).send().await?.text().await?;
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(Ok(0.0), |value| value.parse().with_context(|| format!("not a number: {value}")))
    }

    /// The calls that the tenant has seen since they were forgotten.
    pub(crate) async fn calls(&self) -> Result<Vec<Call>> {
        Ok(self.http.get(self.control_url("calls")).send().await?.error_for_status()?.json().await?)
    }

    pub(crate) async fn forget_calls(&self) -> Result<()> {
        self.http.delete(self.control_url("calls")).send().await?.error_for_status()?;
        Ok(())
    }

    /// Number of tokens that the tenant was asked for.
    pub(crate) async fn grants(&self) -> Result<usize> {
        Ok(self.calls().await?.iter().filter(|call| call.path == "/oauth/token").count())
    }

    /// Has the tenant refuse all tokens that it has given out.
    pub(crate) async fn expire_tokens(&self) -> Result<()> {
        self.http.post(self.control_url("tokens/expire")).send().await?.error_for_status()?;
        Ok(())
    }

    fn control_url(&self, what: &str) -> String {
        format!("{}/_sandbox/{what}", self.sandbox.url())
    }
}

impl Replica {
    /// Waits until it takes connections. False if it ends before.
    async fn listens(&mut self) -> Result<bool> {
        let start = Instant::now();
        while TcpStream::connect(self.address).await.is_err() || TcpStream::connect(self.admin).await.is_err() {
            if self.process.try_wait()?.is_some() {
                return Ok(false);
            }
            ensure!(start.elapsed() < TIMEOUT, "a replica does not listen");
            sleep(Duration::from_millis(5)).await;
        }
        Ok(true)
    }

    /// Stops it (`STOP`), has it go on (`CONT`), or ends it (`KILL`).
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").args([&format!("-{signal}"), &self.process.id().to_string()]).status()?;
        ensure!(status.success(), "a replica cannot be sent SIG{signal}");
        Ok(())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
