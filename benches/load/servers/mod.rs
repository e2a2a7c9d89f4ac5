//! The servers that are measured: the gateway, and those beside it that put its figures into proportion.

mod plain;
mod proxy;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::process::{Process, free_address, pinned};
use crate::scenario::{Lists, Scenario};
use crate::tenant::Tenant;

/// A server that can be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Server {
    /// This gateway, as it is shipped.
    Gateway,
    /// The same, with metrics, and traces of which one in a hundred is exported.
    Observed,
    /// A reverse proxy on hyper that knows nothing of GraphQL.
    Proxy,
    /// async-graphql as its book shows it.
    Plain,
    /// Mercurius on Fastify, with its JIT.
    Mercurius,
    /// tailcall, from its npm package.
    Tailcall,
}

/// Peers inside this very program, served when it is told to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Inner {
    Proxy,
    Plain,
}

/// The programs, and how they are run.
pub(crate) struct Environment {
    pub(crate) gateway: PathBuf,
    /// A tailcall other than its npm package's.
    pub(crate) tailcall: Option<PathBuf>,
    /// The cores that a server may use, where `taskset` can see to that.
    pub(crate) cores: Option<String>,
    pub(crate) is_verbose: bool,
    /// The address of Auth0's stand-in.
    pub(crate) upstream: String,
    /// An empty directory, without a `.env`.
    pub(crate) directory: PathBuf,
}

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const TAILCALL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/peers/tailcall/node_modules/@tailcallhq/core-linux-x64-gnu/bin/tailcall"
);

impl Server {
    pub(crate) const ALL: [Self; 6] =
        [Self::Gateway, Self::Observed, Self::Proxy, Self::Plain, Self::Mercurius, Self::Tailcall];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Observed => "observed",
            Self::Proxy => "proxy",
            Self::Plain => "async-graphql",
            Self::Mercurius => "Mercurius",
            Self::Tailcall => "tailcall",
        }
    }

    /// True if the answers to one operation are the same, byte by byte: async-graphql answers root fields in the order in
    /// which they are done.
    pub(crate) fn is_exact(self) -> bool {
        self != Self::Plain
    }

    fn lists(self) -> Lists {
        if self == Self::Tailcall { Lists::Bare } else { Lists::Pages }
    }

    /// The reason that the scenario cannot be asked of this server, if so.
    pub(crate) fn cannot(self, scenario: &Scenario) -> Option<&'static str> {
        match self {
            Self::Gateway => None,
            _ if scenario.is_page() => Some("it knows no lists of a user"),
            Self::Proxy if scenario.only_root().is_none() => Some("a proxy joins nothing"),
            Self::Proxy | Self::Mercurius | Self::Tailcall if scenario.joins() => Some("no join"),
            _ => None,
        }
    }

    /// The request of that number, as it goes over the wire.
    pub(crate) fn request(self, scenario: &Scenario, tenant: &Tenant, argument: usize, to: SocketAddr) -> Vec<u8> {
        match scenario.only_root().filter(|_| self == Self::Proxy) {
            Some(root) => format!("GET {} HTTP/1.1\r\nhost: {to}\r\n\r\n", root.target(tenant, argument)).into_bytes(),
            None => {
                let body = scenario.request(self.lists(), tenant, argument).to_string();
                format!(
                    "POST /graphql HTTP/1.1\r\n\
                     host: {to}\r\n\
                     content-type: application/json\r\n\
                     accept: application/graphql-response+json, application/json;q=0.9\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .into_bytes()
            }
        }
    }

    /// Compares an answer with the tenant's records.
    pub(crate) fn check(self, scenario: &Scenario, tenant: &Tenant, argument: usize, answer: &[u8]) -> Result<()> {
        match scenario.only_root().filter(|_| self == Self::Proxy) {
            Some(root) => root.check_pass_through(tenant, argument, answer),
            None => scenario.check(self.lists(), tenant, argument, answer),
        }
    }

    /// Fetches what the server is made of.
    pub(crate) fn prepare(self) -> Result<()> {
        match self {
            Self::Gateway | Self::Observed | Self::Proxy | Self::Plain => Ok(()),
            Self::Mercurius => npm_ci("mercurius"),
            Self::Tailcall => npm_ci("tailcall"),
        }
    }

    /// Starts it.
    pub(crate) fn start(self, environment: &Environment) -> Result<Process> {
        let address = free_address()?;
        let pinned = |program: &Path| {
            let mut command = pinned(environment.cores.as_deref(), program);
            command.current_dir(&environment.directory);
            command
        };
        let inner = |name: &str| -> Result<Command> {
            let mut command = pinned(&std::env::current_exe()?);
            command.args(["serve", name, &address.to_string(), &environment.upstream]);
            Ok(command)
        };
        let command = match self {
            Self::Gateway | Self::Observed => {
                let mut command = pinned(&environment.gateway);
                command
                    .env("AUTH0_DOMAIN", &environment.upstream)
                    .env("AUTH0_CLIENT_ID", format!("{:032x}", fastrand::u128(..)))
                    .env("AUTH0_CLIENT_SECRET", format!("{:032x}", fastrand::u128(..)))
                    .env("HOST", address.ip().to_string())
                    .env("PORT", address.port().to_string())
                    // More than scenarios have. The defaults go by what systems give a process, and by what Auth0 can answer.
                    .env("MAX_CONNECTIONS", "2000")
                    .env("MAX_CONCURRENT_REQUESTS", "2000");
                if self == Self::Observed {
                    command
                        .env("ADMIN_ADDRESS", free_address()?.to_string())
                        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &environment.upstream)
                        .env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
                        .env("OTEL_TRACES_SAMPLER_ARG", "0.01");
                }
                command
            }
            Self::Proxy => inner("proxy")?,
            Self::Plain => inner("plain")?,
            Self::Mercurius => {
                let mut command = pinned(Path::new("node"));
                command.arg(format!("{PEERS}/mercurius/server.mjs"));
                command.env("UPSTREAM", &environment.upstream).env("PORT", address.port().to_string());
                command
            }
            Self::Tailcall => {
                let configuration = std::fs::read_to_string(format!("{PEERS}/tailcall/schema.graphql"))?
                    .replace("UPSTREAM", &environment.upstream)
                    .replace("PORT", &address.port().to_string());
                let file = environment.directory.join("tailcall.graphql");
                std::fs::write(&file, configuration)?;
                let mut command = pinned(environment.tailcall.as_deref().unwrap_or(Path::new(TAILCALL)));
                command.arg("start").arg(file).env("TAILCALL_TRACKER", "false");
                command
            }
        };
        Process::start(command, address, environment.is_verbose)
    }
}

/// Install the packages of a peer, once.
fn npm_ci(peer: &str) -> Result<()> {
    let directory = Path::new(PEERS).join(peer);
    if directory.join("node_modules").exists() {
        return Ok(());
    }
    let npm = Command::new("npm").arg("ci").current_dir(directory).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(npm.context("there is no npm")?.success(), "npm ci failed");
    Ok(())
}

/// Serve a peer until the process is ended.
pub(crate) async fn serve(server: Inner, address: SocketAddr, upstream: String) -> Result<()> {
    match server {
        Inner::Proxy => proxy::serve(address, upstream).await,
        Inner::Plain => plain::serve(address, upstream).await,
    }
}
