//! The command line: commands and their flags.

use clap::{Args, Parser, Subcommand};

use super::auth0::{Auth0Args, PolicyArgs};
use super::callers::CallerArgs;
use super::documents::DocumentArgs;
use super::export::Export;
use super::log::{LogArgs, TelemetryArgs};
use super::replicas::ReplicaArgs;
use super::sandbox::{SandboxArgs, ServeSandboxArgs};
use super::server::{BoundsArgs, ServerArgs};
use super::tail::Tail;
use super::tls::TlsArgs;
use super::{HealthProbe, Problems};

/// A read-only GraphQL gateway for the Auth0 Management API.
///
/// Users and logs of an Auth0 tenant as one GraphQL schema. Without a tenant, `serve --sandbox` starts one that is made up.
///
/// Every setting is a flag and an environment variable of the same name. A flag wins over the environment, the
/// environment over the file `.env` in the working directory (copy .env.template), and that over the default.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_long_help = "\
Examples:
  auth0-graphql serve --sandbox            a tenant and its gateway, with nothing else to set up
  auth0-graphql                            serve the tenant that .env or the environment names
  auth0-graphql doctor                     whether that would work, and what to mend
  auth0-graphql export users --format csv  all users, as a spreadsheet takes them
  auth0-graphql tail --type f,fp           failed logins as they happen, a line each
  auth0-graphql config                     which settings are in effect, and where each comes from
  auth0-graphql serve --check              whether settings and files are sound, before a restart
  auth0-graphql sandbox --port 4000        the made-up tenant alone, for other clients
  auth0-graphql sandbox token --help       access tokens to try callers and their scopes with

Exit codes: 0 stopped on request or done, 64 wrong usage or settings, 69 the address cannot be listened on, 1 anything else."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Serve GraphQL. What happens when no command is given.
    Serve(ServeCommandArgs),
    /// Run the made-up tenant alone, for other clients. Prints their settings in the form of an .env file.
    Sandbox(SandboxArgs),
    /// Export all users or logs that a search finds, in lines of JSON or as CSV.
    ///
    /// It is safe to interrupt: a line on standard error is the command that goes on. A gateway beside it goes first.
    Export(ExportCommandArgs),
    /// Print logs as they happen, a line each: those of the tenant that is set, or with --url those that a gateway tells of.
    ///
    /// A line is to be read, in color on a terminal (`NO_COLOR` is honored), or with --json a JSON object. Conditions must all hold. What
    /// ends it, Ctrl-C too, has a line on standard error say how to go on without a gap. Control characters in a log are escaped.
    #[command(after_long_help = "\
Exit codes: 0 interrupted, or whoever reads has left; 64 wrong usage or settings; 69 the gateway cannot be reached; 1 anything else.")]
    Tail(TailCommandArgs),
    /// Print the GraphQL schema in SDL.
    Schema(SchemaArgs),
    /// Examine what `serve` would serve: can the tenant be reached, does it let the gateway in, are the scopes right?
    ///
    /// Asks each endpoint of Auth0 that the gateway reads from once; those of a single user or log, of the first that is found. Prints what
    /// is wrong with the remedy for it, and which scopes the gateway's application has: too few, or more than it needs. Prints no secret,
    /// no token and nothing of the tenant's users.
    #[command(after_long_help = "\
Exit codes: 0 nothing failed, though there may be warnings; 1 something failed; 64 settings are missing or wrong.")]
    Doctor(DoctorArgs),
    /// Ask the gateway that runs on this machine whether it is well; for the health check of a container.
    ///
    /// It is asked at the admin address, where others keep nobody waiting, or without one where HOST and PORT say that it listens.
    #[command(after_long_help = "\
Exit codes: 0 it is well, 1 it says that it is not, 64 HOST, PORT or ADMIN_ADDRESS is wrong, 69 nothing answers.")]
    Health(HealthArgs),
    /// Print the settings in effect and where each comes from. Secrets are not shown.
    Config(ConfigArgs),
}

#[derive(Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) auth0: Auth0Args,
    #[command(flatten)]
    pub(super) policy: PolicyArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
    #[command(flatten)]
    pub(super) callers: CallerArgs,
    #[command(flatten)]
    pub(super) bounds: BoundsArgs,
    #[command(flatten)]
    pub(super) documents: DocumentArgs,
    #[command(flatten)]
    pub(super) replicas: ReplicaArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
    #[command(flatten)]
    pub(super) telemetry: TelemetryArgs,
    #[command(flatten)]
    pub(super) sandbox: ServeSandboxArgs,
}

#[derive(Args)]
pub(super) struct SchemaArgs {
    /// Print it as a subgraph of Apollo Federation 2, with the keys of users and logs.
    #[arg(long)]
    pub(super) federation: bool,
}

#[derive(Args)]
pub(super) struct ServeCommandArgs {
    /// Read and check the settings and the files that they name, and exit: 0 if all is well, 64 if not. Asks nothing of Auth0.
    #[arg(long)]
    pub(super) check: bool,

    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

#[derive(Args)]
pub(super) struct ExportCommandArgs {
    #[command(flatten)]
    pub(super) export: Export,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

#[derive(Args)]
pub(super) struct TailCommandArgs {
    #[command(flatten)]
    pub(super) tail: Tail,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

#[derive(Args)]
pub(super) struct HealthArgs {
    /// Ask /readyz in place of /livez: also whether Auth0 answers, and whether the gateway is stopping.
    #[arg(long)]
    ready: bool,

    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    tls: TlsArgs,
}

impl HealthArgs {
    pub(super) fn probe(&self) -> Result<HealthProbe, Problems> {
        let mut problems = Problems::default();
        let address = self.server.address(&mut problems);
        let admin_address = self.server.admin_address(&mut problems);
        let path = if self.ready { "/readyz" } else { "/livez" };
        let has_tls = admin_address.is_none() && self.tls.is_given();
        let probe = HealthProbe { address: admin_address.unwrap_or(address), path, has_tls };
        if problems.is_empty() { Ok(probe) } else { Err(problems) }
    }
}

#[derive(Args)]
pub(super) struct DoctorArgs {
    /// Report in JSON: status, checks, scopes and rateLimits. A status is ok, warning, failed or skipped.
    #[arg(long)]
    pub(super) json: bool,

    /// Exit with 1 for warnings as well.
    #[arg(long)]
    pub(super) strict: bool,

    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

#[derive(Args)]
pub(super) struct ConfigArgs {
    /// Print .env.template instead: every setting, its meaning and its default.
    #[arg(long)]
    pub(super) template: bool,

    #[command(flatten)]
    pub(super) serve: ServeArgs,
}
