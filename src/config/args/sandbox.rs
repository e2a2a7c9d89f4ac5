//! What can be asked of the sandbox.

use clap::Args;
#[cfg(feature = "sandbox")]
use clap::Subcommand;

use super::LogArgs;
#[cfg(feature = "sandbox")]
use crate::sandbox::{GATEWAY_AUDIENCE, Plan};

#[derive(Args, Default)]
#[command(next_help_heading = "Sandbox")]
pub(in crate::config) struct ServeSandboxArgs {
    /// Serve a made-up tenant instead of Auth0. The AUTH0_ settings are not needed, and ignored.
    #[arg(long)]
    pub(in crate::config) sandbox: bool,

    /// Plan whose rate limits the made-up tenant keeps.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "PLAN", requires = "sandbox", default_value = "enterprise")]
    pub(in crate::config) sandbox_plan: Plan,

    /// Number that the made-up people and logs are drawn from; the same number gives the same tenant.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "NUMBER", requires = "sandbox")]
    pub(in crate::config) sandbox_seed: Option<u64>,

    /// Let some of the made-up tenant's answers misbehave: slow, cut off, refused, rate limited.
    #[cfg(feature = "sandbox")]
    #[arg(long, requires = "sandbox")]
    pub(in crate::config) chaos: bool,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::config) struct SandboxArgs {
    #[cfg(feature = "sandbox")]
    #[command(subcommand)]
    pub(in crate::config) command: Option<SandboxCommand>,

    /// Port of 127.0.0.1 to listen on; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 4000)]
    pub(in crate::config) port: u16,

    /// Plan whose rate limits the tenant keeps.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "PLAN", default_value = "enterprise")]
    pub(in crate::config) plan: Plan,

    /// Number that the people and logs are drawn from; the same number gives the same tenant.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "NUMBER")]
    pub(in crate::config) seed: Option<u64>,

    /// Let some answers misbehave: slow, cut off, refused, rate limited.
    #[cfg(feature = "sandbox")]
    #[arg(long)]
    pub(in crate::config) chaos: bool,

    #[command(flatten)]
    pub(in crate::config) log: LogArgs,
}

#[cfg(feature = "sandbox")]
#[derive(Subcommand)]
pub(in crate::config) enum SandboxCommand {
    /// Print an access token of a sandbox that runs, as one of its users would have it.
    ///
    /// A gateway that is started with `serve --sandbox`, or has the sandbox for its JWT_ISSUER, takes it in an Authorization: Bearer
    /// header.
    Token(TokenArgs),
}

#[cfg(feature = "sandbox")]
#[derive(Args)]
pub(in crate::config) struct TokenArgs {
    /// Scopes of the token, separated by spaces.
    #[arg(long, value_name = "SCOPES", default_value = "read:users read:logs")]
    pub(in crate::config) scope: String,

    /// Id of the user whom the token is for. Default: the first of the people that the sandbox prints.
    #[arg(long, value_name = "USER_ID")]
    pub(in crate::config) sub: Option<String>,

    /// Identifier of the API that the token is for: the gateway's JWT_AUDIENCE.
    #[arg(long, value_name = "IDENTIFIER", default_value = GATEWAY_AUDIENCE)]
    pub(in crate::config) audience: String,

    /// Seconds that the token lives; a negative number gives one that has expired.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, allow_negative_numbers = true)]
    pub(in crate::config) expires_in: i64,

    /// Where the sandbox is.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4000")]
    pub(in crate::config) url: String,
}
