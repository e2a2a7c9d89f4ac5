//! What can be asked of the program: its commands, flags and environment variables, as text.
//!
//! Settings are taken as unread text, so that all that are wrong can be listed at once; clap would stop at the first. The
//! comments of the fields are the words of `--help` and of `.env.template`.
#![expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")]

mod sandbox;

use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;

#[cfg(feature = "sandbox")]
pub(super) use self::sandbox::SandboxCommand;
pub(super) use self::sandbox::{SandboxArgs, ServeSandboxArgs};
use super::documents::DocumentArgs;

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
  auth0-graphql config                     which settings are in effect, and where each comes from
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
    Serve(ServeArgs),
    /// Run the made-up tenant alone, for other clients. Prints their settings in the form of an .env file.
    Sandbox(SandboxArgs),
    /// Print the GraphQL schema in SDL.
    Schema,
    /// Examine what `serve` would serve: can the tenant be reached, does it let the gateway in, are the scopes right?
    ///
    /// Asks each endpoint of Auth0 that the gateway reads from once. Prints what is wrong with the remedy for it, and which scopes
    /// the gateway's application has: too few, or more than it needs. Prints no secret, no token and nothing of the tenant's users.
    #[command(after_long_help = "\
Exit codes: 0 nothing failed, though there may be warnings; 1 something failed; 64 settings are missing or wrong.")]
    Doctor(DoctorArgs),
    /// Print the settings in effect and where each comes from. Secrets are not shown.
    Config(ServeArgs),
}

#[derive(Args, Default)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) auth0: Auth0Args,
    #[command(flatten)]
    pub(super) care: CareArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) callers: CallerArgs,
    #[command(flatten)]
    pub(super) bounds: BoundsArgs,
    #[command(flatten)]
    pub(super) documents: DocumentArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
    #[command(flatten)]
    pub(super) sandbox: ServeSandboxArgs,
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

#[derive(Args, Default)]
#[command(next_help_heading = "Auth0")]
pub(super) struct Auth0Args {
    /// Domain of the tenant: a host name such as example.us.auth0.com, or the tenant's custom domain.
    ///
    /// In Auth0's dashboard: Applications > your machine-to-machine application > Settings > Domain. An http:// URL is taken for
    /// loopback hosts only, for the sandbox and other stand-ins for Auth0.
    #[arg(long, env, value_name = "HOST")]
    pub(super) auth0_domain: Option<String>,

    /// Client ID of a machine-to-machine application that is authorized for the Auth0 Management API.
    #[arg(long, env, value_name = "ID", allow_hyphen_values = true)]
    pub(super) auth0_client_id: Option<String>,

    /// Client secret of that application.
    ///
    /// Prefer the environment or .env: other users of a machine can read the flags of its programs.
    #[arg(long, env, value_name = "SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub(super) auth0_client_secret: Option<SecretString>,

    /// Identifier of the Management API. Default: the domain as a URL, with /api/v2/ after it.
    ///
    /// Needed with a custom domain, for the identifier keeps the tenant's own, such as `https://example.us.auth0.com/api/v2/`.
    #[arg(long, env, value_name = "URL")]
    pub(super) auth0_audience: Option<String>,
}

#[derive(Args, Default)]
#[command(next_help_heading = "Sparing Auth0")]
pub(super) struct CareArgs {
    /// How long an answer of a user search or a log search may be served again, from 0 to 60s; 0 switches that off. Default: 1s.
    ///
    /// Auth0's searches lag behind by themselves. Single users and logs are always read anew.
    #[arg(long, env, value_name = "TIME")]
    pub(super) cache_ttl: Option<String>,

    /// Share of the tenant's rate limit that is left to others, from 0 to 0.9. Default: 0.
    ///
    /// The limit is the tenant's: logins' own scripts and other clients of the Management API draw on it too.
    #[arg(long, env, value_name = "SHARE")]
    pub(super) rate_reserve: Option<String>,

    /// Most calls to Auth0 that one GraphQL operation may make, from 1 to 1000. Default: 20.
    #[arg(long, env, value_name = "NUMBER")]
    pub(super) upstream_calls_per_operation: Option<String>,
}

#[derive(Args, Default)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// Address to listen on: an IP address or localhost. Default: 127.0.0.1.
    ///
    /// An address that other machines reach is refused unless callers have to show credentials, or ALLOW_ANONYMOUS is yes.
    #[arg(long, env, value_name = "ADDRESS")]
    pub(super) host: Option<String>,

    /// TCP port to listen on; 0 takes any free one. Default: 3000.
    #[arg(long, env, value_name = "PORT")]
    pub(super) port: Option<String>,

    /// Host names that requests may name in their Host header, separated by commas, without ports. Default: none.
    ///
    /// Asked for while anonymous callers are let in: localhost and the loopback addresses are always allowed, any other name is answered
    /// 421, so that a web page cannot reach the gateway through its visitor's browser (DNS rebinding). Where credentials are needed a
    /// web page has none, and every name is answered.
    #[arg(long, env, value_name = "NAMES")]
    pub(super) allowed_hosts: Option<String>,

    /// Origins whose web pages may use the gateway, such as `https://app.example.com`, separated by commas, or * for all. Default: none.
    ///
    /// For front ends that are served from elsewhere (CORS). Browsers are never told to send cookies. With *, and without
    /// authentication, every web page that a user opens can read the tenant through that user's browser.
    #[arg(long, env, value_name = "ORIGINS")]
    pub(super) cors_origins: Option<String>,

    /// Request headers that these pages may send beside the usual ones, separated by commas. Default: none.
    ///
    /// Usual are those that the gateway reads, Apollo's client awareness and the headers of tracing libraries.
    #[arg(long, env, value_name = "HEADERS")]
    pub(super) cors_headers: Option<String>,

    /// Whether GET / is the GraphQL playground: on or off. Default: on with the sandbox and on loopback addresses, else off.
    #[arg(long, env, value_name = "on|off")]
    pub(super) playground: Option<String>,

    /// Time that a request may take, from 100ms to 120s: 10s, 500ms, or a number of seconds. Default: 10s.
    #[arg(long, env, value_name = "TIME")]
    pub(super) request_timeout: Option<String>,

    /// Greatest size of a GraphQL request's body in bytes, from 1000 to 10000000. Default: 100000.
    #[arg(long, env, value_name = "BYTES")]
    pub(super) max_body_bytes: Option<String>,

    /// How long to take requests still once told to stop (SIGTERM, Ctrl-C), from 0 to 60s. Default: 0.
    ///
    /// In this time /readyz answers 503, so that a load balancer learns of it and sends its requests elsewhere. Then the requests
    /// under way are finished.
    #[arg(long, env, value_name = "TIME")]
    pub(super) shutdown_delay: Option<String>,
}

#[derive(Args, Default)]
#[command(next_help_heading = "Bounds")]
pub(super) struct BoundsArgs {
    /// Most connections at once, from 1 to 100000. Default: 10000, or what memory and the limit of open files allow.
    ///
    /// The next replaces the longest idle one of the address that holds most. A WebSocket is one, too. Each takes an open file, of
    /// which the gateway allows itself as many as the system lets it have (ulimit -Hn).
    #[arg(long, env, value_name = "NUMBER")]
    pub(super) max_connections: Option<String>,

    /// Most GraphQL requests at once, from 1 to 100000; the next is answered 503. Default: 4000, or what memory allows.
    ///
    /// Requests mostly wait for Auth0. More of them than it answers within REQUEST_TIMEOUT would wait in vain.
    #[arg(long, env, value_name = "NUMBER")]
    pub(super) max_concurrent_requests: Option<String>,

    /// Most GraphQL requests of one caller, such as 100/s, 600/m or 5000/h; the next is answered 429. Default: no limit.
    ///
    /// Whoever paused may send as many at once. Callers without credentials are told apart by their addresses, those of IPv6 by
    /// the network (/64).
    #[arg(long, env, value_name = "RATE")]
    pub(super) rate_limit: Option<String>,

    /// Proxies in front of the gateway, as addresses or networks such as 10.0.0.0/8, separated by commas. Default: none.
    ///
    /// Behind a proxy all callers come from its address, and share one RATE_LIMIT. A proxy that is named here is believed when it
    /// says in X-Forwarded-For whom it speaks for.
    #[arg(long, env, value_name = "ADDRESSES")]
    pub(super) trusted_proxies: Option<String>,
}

#[derive(Args, Default)]
#[command(next_help_heading = "Callers")]
pub(super) struct CallerArgs {
    /// Issuer of the access tokens that callers send, such as `https://example.us.auth0.com/`. Default: none.
    ///
    /// A token's iss is compared with it letter by letter; Auth0's ends with a slash. Tokens are JWTs in an Authorization: Bearer header.
    /// Their scopes (scope, permissions) decide what a caller may read. With it or API_KEYS set, callers have to show credentials.
    #[arg(long, env, value_name = "URL")]
    pub(super) jwt_issuer: Option<String>,

    /// Identifier of the API that the tokens must be for (aud), or several, separated by commas. Default: none.
    ///
    /// Needed with JWT_ISSUER, for else any token of the issuer would do. In Auth0's dashboard: Applications > APIs > Create API, with an
    /// identifier of your choice such as `https://gateway.example.com` and the permissions read:users, read:logs and so on.
    #[arg(long, env, value_name = "IDENTIFIERS")]
    pub(super) jwt_audience: Option<String>,

    /// Address of the issuer's keys. Default: what the issuer's .well-known/openid-configuration says.
    #[arg(long, env, value_name = "URL")]
    pub(super) jwt_jwks_url: Option<String>,

    /// API keys for callers without tokens: name:hash:scopes, separated by commas. Default: none.
    ///
    /// Callers send the key itself in an X-API-Key header. The hash is its SHA-256 in hexadecimal, and scopes are separated by spaces:
    /// reports:HASH:read:users read:logs. This makes a key and prints it, with its hash after it:
    ///
    /// key=$(openssl rand -hex 32); echo "$key"; printf %s "$key" | openssl dgst -sha256 -r
    ///
    /// A key of fewer than 20 characters is not taken, since it could be guessed from its hash.
    #[arg(long, env, value_name = "KEYS", hide_env_values = true)]
    pub(super) api_keys: Option<SecretString>,

    /// Whether to let in callers without credentials where that is not the default: yes or no. Default: no.
    ///
    /// Without JWT_ISSUER and API_KEYS every caller is anonymous, on loopback addresses only; yes allows any address. With them, yes lets in
    /// those who show no credentials as well. An anonymous caller can read all of the tenant's users and logs.
    #[arg(long, env, value_name = "yes|no")]
    pub(super) allow_anonymous: Option<String>,

    /// What becomes of an operation that needs a scope which its caller does not hold: filter or reject. Default: filter.
    ///
    /// filter leaves out what the caller may not see: it is null, with an error beside it, and is not asked of Auth0. reject refuses the
    /// operation as a whole, with status 403, before any call.
    #[arg(long, env, value_name = "filter|reject")]
    pub(super) scope_mode: Option<String>,

    /// Whether callers can read their own user (the field me) though they do not hold read:users: on or off. Default: off.
    ///
    /// Their own user is the one that the sub of their token names. So this is for tokens of the very tenant that is read: another issuer could
    /// give somebody else the same sub.
    #[arg(long, env, value_name = "on|off")]
    pub(super) self_access: Option<String>,
}

#[derive(Args, Default)]
#[command(next_help_heading = "Logging")]
pub(super) struct LogArgs {
    /// What to log, to standard error: off, error, warn, info, debug, trace, or a level for each module. Default: info.
    ///
    /// The form for modules is a list such as warn,auth0_graphql=debug. The audit trail has a line for each operation, at info, under the name
    /// auth0_graphql::audit: warn,auth0_graphql::audit=info keeps it and little else.
    #[arg(long, env, value_name = "FILTER")]
    pub(super) log: Option<String>,

    /// Form of the log: text, or json with one object a line. Default: text.
    #[arg(long, env, value_name = "text|json")]
    pub(super) log_format: Option<String>,
}

#[cfg(test)]
mod tests;
