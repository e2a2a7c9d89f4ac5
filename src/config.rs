//! Every setting; nothing else reads the environment.
//!
//! [`read`] loads `.env`, takes commands, flags and variables as text (`args`) and judges them all at once: what comes out is
//! ready to use, or a list of [`Problems`] (`check`).

mod args;
mod bounds;
mod callers;
mod check;
mod documents;
mod dotenv;
mod parse;
mod problems;
mod report;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};

use self::args::{Cli, Command};
pub use self::dotenv::DotEnvError;
pub use self::problems::Problems;
use crate::auth::Settings as AuthSettings;
use crate::auth0::{ClientPolicy, Settings};
use crate::graphql::{DocumentSettings, Limits, Permissions};
use crate::http::Settings as HttpSettings;
#[cfg(feature = "sandbox")]
use crate::sandbox::{Options, TokenRequest};
use crate::telemetry::LogSettings;

/// Where to listen, and how requests are met. The defaults are those that `--help` tells.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port to listen on; port 0 takes any free one.
    pub address: SocketAddr,
    /// How requests are met.
    pub http: HttpSettings,
}

impl Default for Server {
    fn default() -> Self {
        Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)), http: HttpSettings::default() }
    }
}

/// What the program was asked to do.
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
        /// What it shall say.
        request: TokenRequest,
        /// Where the sandbox is.
        url: String,
    },
    /// Print the schema.
    Schema,
    /// Examine the gateway that `serve` would start.
    Doctor {
        /// Its settings, or what is wrong with them.
        serve: Result<Box<Serve>, Problems>,
        /// Whether to report in JSON.
        json: bool,
        /// Whether warnings count as failures.
        strict: bool,
    },
    /// Print the settings in effect.
    Config {
        /// The settings, one a line, secrets redacted.
        report: String,
        /// What `serve` would refuse.
        problems: Option<Problems>,
    },
}

/// `serve`, with its settings.
#[derive(Debug)]
pub struct Serve {
    /// The tenant to serve.
    pub tenant: Tenant,
    /// How the tenant is spared.
    pub policy: ClientPolicy,
    /// What an operation may cost.
    pub limits: Limits,
    /// Which documents are run.
    pub documents: DocumentSettings,
    /// How requests are met.
    pub server: Server,
    /// How callers are told apart. With a sandbox and nothing said of tokens, those of the sandbox may be taken.
    pub auth: AuthSettings,
    /// How their scopes are held to.
    pub permissions: Permissions,
    /// What to log.
    pub log: LogSettings,
}

/// The tenant to serve.
#[derive(Debug)]
pub enum Tenant {
    /// A tenant that runs already, as a rule at Auth0.
    Auth0(Settings),
    /// A sandbox tenant, which is yet to be started.
    #[cfg(feature = "sandbox")]
    Sandbox {
        /// What tenant to start.
        options: Options,
        /// Names of the settings of a real tenant that were given all the same.
        ignored: Vec<&'static str>,
    },
}

/// `sandbox`, with its settings.
#[cfg(feature = "sandbox")]
#[derive(Debug)]
pub struct ServeSandbox {
    /// Address and port to listen on; port 0 takes any free one.
    pub address: SocketAddr,
    /// What tenant to start.
    pub options: Options,
    /// What to log.
    pub log: LogSettings,
}

/// Why the program does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
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
/// See [`Refusal`].
pub fn read() -> Result<Invocation, Refusal> {
    let dotenv = dotenv::load(Path::new(".env"));
    let matches = Cli::command().try_get_matches()?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok(match cli.command {
        Some(Command::Schema) => Invocation::Schema,
        None => {
            dotenv?;
            Invocation::Serve(Box::new(check::serve(&cli.serve)?))
        }
        Some(Command::Serve(args)) => {
            dotenv?;
            Invocation::Serve(Box::new(check::serve(&args)?))
        }
        Some(Command::Sandbox(args)) => {
            dotenv?;
            check::sandbox(&args)?
        }
        Some(Command::Doctor(args)) => {
            dotenv?;
            let serve = check::serve(&args.serve).map(Box::new);
            Invocation::Doctor { serve, json: args.json, strict: args.strict }
        }
        Some(Command::Config(args)) => {
            let serve = check::serve(&args);
            let matches = matches.subcommand_matches("config").unwrap_or(&matches);
            Invocation::Config {
                report: report::settings(&Cli::command(), matches, &dotenv?, serve.as_ref().ok()),
                problems: serve.err(),
            }
        }
    })
}
