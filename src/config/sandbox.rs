//! Settings of the sandbox.
#![cfg_attr(
    feature = "sandbox",
    expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")
)]

#[cfg(feature = "sandbox")]
use std::path::PathBuf;

use clap::Args;
#[cfg(feature = "sandbox")]
use clap::Subcommand;

use super::log::LogArgs;
#[cfg(feature = "sandbox")]
use crate::sandbox::{GATEWAY_AUDIENCE, Options, Plan, TokenRequest};

#[derive(Args)]
#[command(next_help_heading = "Sandbox")]
pub(super) struct ServeSandboxArgs {
    /// Serve a made-up tenant instead of Auth0. The AUTH0_ settings are not needed, and ignored.
    #[arg(long)]
    pub(super) sandbox: bool,

    /// Plan whose rate limits the made-up tenant keeps.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "PLAN", requires = "sandbox", default_value = "enterprise")]
    pub(super) sandbox_plan: Plan,

    /// Number that the made-up people and logs are drawn from; the same number gives the same tenant.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "NUMBER", requires = "sandbox")]
    pub(super) sandbox_seed: Option<u64>,

    /// Let some of the made-up tenant's answers misbehave: slow, cut off, refused, rate limited.
    #[cfg(feature = "sandbox")]
    #[arg(long, requires = "sandbox")]
    pub(super) chaos: bool,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct SandboxArgs {
    #[cfg(feature = "sandbox")]
    #[command(subcommand)]
    pub(super) command: Option<SandboxCommand>,

    /// Port of 127.0.0.1 to listen on; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 4000)]
    pub(super) port: u16,

    /// Plan whose rate limits the tenant keeps.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "PLAN", default_value = "enterprise")]
    pub(super) plan: Plan,

    /// Number that the people and logs are drawn from; the same number gives the same tenant.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<u64>,

    /// Let some answers misbehave: slow, cut off, refused, rate limited.
    #[cfg(feature = "sandbox")]
    #[arg(long)]
    pub(super) chaos: bool,

    /// File of a private key (PEM) by which the client shows who it is, in place of its secret. Made if there is none.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "PATH")]
    pub(super) assertion_key_file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[cfg(feature = "sandbox")]
#[derive(Subcommand)]
pub(super) enum SandboxCommand {
    /// Print an access token of a sandbox that runs, as one of its users would have it.
    ///
    /// A gateway that is started with `serve --sandbox`, or has the sandbox for its JWT_ISSUER, takes it in an Authorization: Bearer
    /// header.
    Token(TokenArgs),
}

#[cfg(feature = "sandbox")]
#[derive(Args)]
pub(super) struct TokenArgs {
    /// Scopes of the token, separated by spaces.
    #[arg(long, value_name = "SCOPES", default_value = "read:users read:logs")]
    pub(super) scope: String,

    /// Id of the user whom the token is for. Default: the first of the people that the sandbox prints.
    #[arg(long, value_name = "USER_ID")]
    pub(super) sub: Option<String>,

    /// Identifier of the API that the token is for: the gateway's JWT_AUDIENCE.
    #[arg(long, value_name = "IDENTIFIER", default_value = GATEWAY_AUDIENCE)]
    pub(super) audience: String,

    /// Seconds that the token lives; a negative number gives one that has expired.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, allow_negative_numbers = true)]
    pub(super) expires_in: i64,

    /// URL of the sandbox.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4000")]
    pub(super) url: String,
}

#[cfg(feature = "sandbox")]
impl ServeSandboxArgs {
    pub(super) fn options(&self) -> Options {
        options(self.sandbox_plan, self.sandbox_seed, self.chaos)
    }
}

#[cfg(feature = "sandbox")]
impl SandboxArgs {
    pub(super) fn options(&self) -> Options {
        options(self.plan, self.seed, self.chaos)
    }
}

#[cfg(feature = "sandbox")]
impl TokenArgs {
    pub(super) fn request(self) -> TokenRequest {
        let Self { scope, sub, audience, expires_in, url: _ } = self;
        TokenRequest { scope, sub, audience, expires_in }
    }
}

#[cfg(feature = "sandbox")]
fn options(plan: Plan, seed: Option<u64>, chaos: bool) -> Options {
    let mut options = Options::default();
    options.plan = plan;
    options.seed = seed.unwrap_or(options.seed);
    options.chaos = chaos;
    options
}
