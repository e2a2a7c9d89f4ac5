//! Settings: read from flags, the environment and `.env`, which nothing else reads.
//!
//! A setting is declared once, as a row of the arguments: its flag and variable, its help, its default (which the module has whose setting it
//! is) and its kind, which reads its text (`setting`, `kinds`). The rows stand with the modules' settings that they fill in (`auth0`,
//! `server`, `callers`, `documents`, `log`). `--help`, the `report` of `config` and `.env.template` are made from them. Checks that span
//! several settings are in `check`. All problems are told at once.

mod args;
mod auth0;
mod callers;
mod check;
mod documents;
mod dotenv;
mod export;
mod file;
mod kinds;
mod log;
mod problems;
mod replicas;
mod report;
mod resume;
mod row;
mod sandbox;
mod secret;
mod server;
mod setting;
mod tail;
mod template;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
#[cfg(feature = "sandbox")]
use std::path::PathBuf;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use self::args::{Cli, Command, ServeArgs, ServeCommandArgs, TailCommandArgs};
pub use self::dotenv::DotEnvError;
pub use self::export::{Export, ExportFormat, ExportedRecords};
pub use self::problems::Problems;
pub use self::resume::GivenCommand;
use self::sandbox::SandboxArgs;
#[cfg(feature = "sandbox")]
use self::sandbox::SandboxCommand;
use self::server::is_loopback;
use self::setting::GivenSetting as _;
pub use self::tail::{GatewayEndpoint, Tail, TailOutcome, TailSource};
use crate::auth::Settings as AuthSettings;
use crate::auth0::{ClientPolicy, Settings};
use crate::graphql::{DocumentSettings, Limits, Permissions};
use crate::http::Settings as HttpSettings;
#[cfg(feature = "sandbox")]
use crate::sandbox::{Options, TokenRequest};
use crate::shared_state::RedisUrl;
use crate::telemetry::LogSettings;

/// Settings of the server. The defaults are those that `--help` tells.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port to listen on; port 0 takes any free one.
    pub address: SocketAddr,
    /// Address and port for metrics and health.
    pub admin_address: Option<SocketAddr>,
    /// Handling of requests.
    pub http: HttpSettings,
}

impl Default for Server {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 3000));
        Self { address, admin_address: None, http: HttpSettings::default() }
    }
}

/// A command, with its settings.
#[derive(Debug)]
pub enum Invocation {
    /// Serve GraphQL.
    Serve(Box<Serve>),
    /// Run the sandbox alone.
    #[cfg(feature = "sandbox")]
    Sandbox(ServeSandbox),
    /// Print an access token of a sandbox that runs.
    #[cfg(feature = "sandbox")]
    SandboxToken {
        /// Content of the token.
        request: TokenRequest,
        /// URL of the sandbox.
        url: String,
    },
    /// Check what `serve` would be started with, and serve nothing.
    Check(Box<Serve>),
    /// Ask a gateway on this machine for its health.
    Health(HealthProbe),
    /// Export users or logs.
    Export(Export, Box<Serve>),
    /// Print logs as they happen.
    Tail(Tail, TailSource),
    /// Print the schema.
    Schema {
        /// True if it is printed as a subgraph of Apollo Federation.
        federation: bool,
    },
    /// Examine the gateway that `serve` would start.
    Doctor {
        /// Its settings, or the problems with them.
        serve: Result<Box<Serve>, Problems>,
        /// Reports in JSON.
        json: bool,
        /// Counts warnings as failures.
        strict: bool,
    },
    /// Print the settings in effect.
    Config {
        /// The settings, one a line, secrets redacted.
        report: String,
        /// Problems for which `serve` would refuse them.
        problems: Option<Problems>,
    },
    /// Print `.env.template`.
    Template(String),
}

/// A question to a gateway on this machine.
#[derive(Debug)]
pub struct HealthProbe {
    /// Address that is asked.
    pub address: SocketAddr,
    /// Path that answers: `/livez` or `/readyz`.
    pub path: &'static str,
    /// True if it speaks TLS.
    pub has_tls: bool,
}

/// `serve`, with its settings.
#[derive(Debug)]
pub struct Serve {
    /// The tenant to serve.
    pub tenant: Tenant,
    /// Policy of the client that reads it.
    pub policy: ClientPolicy,
    /// Limits of an operation.
    pub limits: Limits,
    /// Documents that are run.
    pub documents: DocumentSettings,
    /// The server.
    pub server: Server,
    /// Authentication of callers. With a sandbox and nothing said of tokens, those of the sandbox may be taken.
    pub auth: AuthSettings,
    /// Rules for their scopes.
    pub permissions: Permissions,
    /// Address of the state that replicas share.
    pub redis: Option<RedisUrl>,
    /// The log.
    pub log: LogSettings,
    /// Names of the settings whose files hold a secret and can be read by every user of the machine.
    pub exposed_files: Vec<String>,
}

/// The tenant to serve.
#[derive(Debug)]
pub enum Tenant {
    /// A tenant that runs already, as a rule at Auth0.
    Auth0(Settings),
    /// A sandbox tenant, which is yet to be started.
    #[cfg(feature = "sandbox")]
    Sandbox {
        /// The tenant to start.
        options: Options,
        /// Names of the settings of a real tenant that were given all the same.
        ignored: Vec<String>,
    },
}

/// `sandbox`, with its settings.
#[cfg(feature = "sandbox")]
#[derive(Debug)]
pub struct ServeSandbox {
    /// Address and port to listen on; port 0 takes any free one.
    pub address: SocketAddr,
    /// The tenant to start.
    pub options: Options,
    /// File of the key by which its client shows who it is; to be made if there is none.
    pub assertion_key_file: Option<PathBuf>,
    /// The log.
    pub log: LogSettings,
}

/// The program cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not a command and flags that exist, or a request for help, which is none to refuse: clap knows what to print.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file `.env` is unusable.
    #[error(transparent)]
    DotEnv(#[from] DotEnvError),
    /// Settings are missing or wrong.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// Reads `.env` in the working directory, the program's arguments and its environment.
///
/// Must be called before there are threads: `.env` goes into the process's environment.
///
/// # Errors
///
/// See [`ConfigError`].
pub fn read() -> Result<Invocation, ConfigError> {
    let dotenv = dotenv::load(Path::new(".env"));
    let matches = without_env_values(Cli::command()).try_get_matches()?;
    let Cli { command, serve } = Cli::from_arg_matches(&matches)?;
    let command = command.unwrap_or(Command::Serve(ServeCommandArgs { check: false, serve }));
    match &command {
        Command::Schema(args) => return Ok(Invocation::Schema { federation: args.federation }),
        Command::Config(args) if args.template => return Ok(Invocation::Template(template::template(&Cli::command()))),
        _ => {}
    }
    let from_dotenv = dotenv?;
    let given = of_command(&matches);
    Ok(match command {
        Command::Schema(args) => Invocation::Schema { federation: args.federation },
        Command::Serve(args) => {
            let serve = Box::new(Serve::new(&args.serve, given)?);
            if args.check { Invocation::Check(serve) } else { Invocation::Serve(serve) }
        }
        Command::Export(args) => {
            let serve = Box::new(Serve::new(&args.serve, given)?);
            let given = GivenCommand::of(&Cli::command(), &matches, "export", "after");
            Invocation::Export(Export { given, ..args.export }, serve)
        }
        Command::Tail(args) => {
            let source = tail_source(&args, given)?;
            let given = GivenCommand::of(&Cli::command(), &matches, "tail", "from");
            Invocation::Tail(Tail { given, ..args.tail }, source)
        }
        Command::Health(args) => Invocation::Health(args.probe()?),
        Command::Sandbox(args) => sandbox_invocation(args)?,
        Command::Doctor(args) => {
            let serve = Serve::new(&args.serve, given).map(Box::new);
            Invocation::Doctor { serve, json: args.json, strict: args.strict }
        }
        Command::Config(args) => {
            let serve = Serve::new(&args.serve, given);
            let report = report::settings(&Cli::command(), given, &from_dotenv, serve.as_ref().ok());
            Invocation::Config { report, problems: serve.err() }
        }
    })
}

/// The command with a help that tells no value of the environment: any of them can hold a password, by right or by mistake.
fn without_env_values(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(without_env_values)
}

/// Reads the settings of `serve` once more: from the program's arguments and its environment as they were, and the files that they
/// name as they are.
///
/// # Errors
///
/// Files that are missing or wrong by now.
pub fn read_again() -> Result<Serve, ConfigError> {
    let matches = Cli::command().try_get_matches()?;
    let Cli { command, serve } = Cli::from_arg_matches(&matches)?;
    let args = if let Some(Command::Serve(args)) = command { args.serve } else { serve };
    Ok(Serve::new(&args, of_command(&matches))?)
}

/// Arguments of the command, which is `serve` where none is named.
fn of_command(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, matches)| matches)
}

/// The name by which the program was called.
#[must_use]
pub fn program_name() -> String {
    std::env::args().next().unwrap_or_else(|| "auth0-graphql".to_owned())
}

impl Serve {
    fn new(args: &ServeArgs, given: &ArgMatches) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        check::note_problems(args, &mut problems);
        let is_sandbox = args.sandbox.sandbox;
        let mut limits = Limits::default();
        let tenant = tenant(args, given, &mut problems);
        let policy = args.policy.settings(&mut limits, &mut problems);
        let auth = args.callers.settings(&mut problems);
        let permissions = args.callers.permissions(&mut problems);
        let mut server = args.server.settings(&args.bounds, is_sandbox, &mut problems);
        server.http.certificate = args.tls.certificate(&mut problems);
        args.documents.limits(&mut limits, &mut problems);
        let is_open = is_sandbox || is_loopback(server.address.ip());
        let documents = args.documents.settings(is_open, &mut problems);
        let redis = args.replicas.redis_url.take(&mut problems);
        let mut log = args.log.settings(&mut problems);
        args.telemetry.set(&mut log, &mut problems);
        let exposed_files = row::exposed_files(&Cli::command(), given);
        match tenant {
            Some(tenant) if problems.is_empty() => {
                Ok(Self { tenant, policy, limits, documents, server, auth, permissions, redis, log, exposed_files })
            }
            _ => Err(problems),
        }
    }

    /// Sentences about settings that are allowed, and hardly meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        check::warnings(self)
    }
}

#[cfg(feature = "sandbox")]
fn tenant(args: &ServeArgs, given: &ArgMatches, problems: &mut Problems) -> Option<Tenant> {
    if args.sandbox.sandbox {
        let ignored = row::given_under(auth0::TENANT, &Cli::command(), given);
        return Some(Tenant::Sandbox { options: args.sandbox.options(), ignored });
    }
    args.auth0.settings(problems).map(Tenant::Auth0)
}

#[cfg(not(feature = "sandbox"))]
fn tenant(args: &ServeArgs, _: &ArgMatches, problems: &mut Problems) -> Option<Tenant> {
    args.auth0.settings(problems).map(Tenant::Auth0)
}

fn tail_source(args: &TailCommandArgs, given: &ArgMatches) -> Result<TailSource, Problems> {
    if !args.tail.is_of_gateway() {
        return Ok(TailSource::Tenant(Box::new(Serve::new(&args.serve, given)?)));
    }
    let mut problems = Problems::default();
    let log = args.serve.log.settings(&mut problems);
    match args.tail.endpoint(&mut problems) {
        Some(endpoint) if problems.is_empty() => Ok(TailSource::Gateway(endpoint, Box::new(log))),
        _ => Err(problems),
    }
}

#[cfg(feature = "sandbox")]
fn sandbox_invocation(args: SandboxArgs) -> Result<Invocation, Problems> {
    let mut problems = Problems::default();
    let (options, log) = (args.options(), args.log.settings(&mut problems));
    match args.command {
        Some(SandboxCommand::Token(args)) => {
            Ok(Invocation::SandboxToken { url: args.url.clone(), request: args.request() })
        }
        None if problems.is_empty() => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
            let assertion_key_file = args.assertion_key_file;
            Ok(Invocation::Sandbox(ServeSandbox { address, options, assertion_key_file, log }))
        }
        None => Err(problems),
    }
}

#[cfg(not(feature = "sandbox"))]
#[expect(clippy::needless_pass_by_value, reason = "as the one with the sandbox")]
fn sandbox_invocation(args: SandboxArgs) -> Result<Invocation, Problems> {
    let mut problems = Problems::default();
    args.log.settings(&mut problems);
    problems.add("sandbox", check::NO_SANDBOX);
    Err(problems)
}

#[cfg(test)]
mod tests;
