//! From unread text to settings that fit together, or everything that is wrong with them. Pure, but for the trusted
//! documents, which are read.

use std::net::{IpAddr, SocketAddr};

use secrecy::{ExposeSecret, SecretString};

#[cfg(feature = "sandbox")]
use super::args::SandboxCommand;
use super::args::{Auth0Args, CareArgs, LogArgs, SandboxArgs, ServeArgs, ServerArgs};
use super::bounds::bounds;
use super::parse::{self, given};
use super::{Invocation, Problems, Serve, Server, Tenant, callers, documents};
use crate::auth::Settings as AuthSettings;
use crate::auth0::{ClientPolicy, Domain, Settings};
use crate::graphql::Limits;
use crate::http::Settings as HttpSettings;
#[cfg(feature = "sandbox")]
use crate::sandbox::TokenRequest;
use crate::telemetry::{Filter, Format, LogSettings};

pub(super) fn serve(args: &ServeArgs) -> Result<Serve, Problems> {
    let mut problems = Problems::default();
    let tenant = tenant(args, &mut problems);
    let (policy, limits) = policy(&args.care, &mut problems);
    let auth = callers::check(&args.callers, &mut problems);
    let permissions = callers::permissions(&args.callers, args.sandbox.sandbox, &mut problems);
    let server = server(&args.server, args.sandbox.sandbox, &auth, &mut problems);
    let server = Server { http: bounds(&args.bounds, server.http, &mut problems), ..server };
    let is_open = args.sandbox.sandbox || parse::is_loopback(server.address.ip());
    let (limits, documents) = documents::check(&args.documents, limits, is_open, &mut problems);
    let log = log(&args.log, &mut problems);
    match tenant {
        Some(tenant) if problems.is_empty() => {
            Ok(Serve { tenant, policy, limits, server, auth, permissions, documents, log })
        }
        _ => Err(problems),
    }
}

#[cfg(feature = "sandbox")]
pub(super) fn sandbox(args: &SandboxArgs) -> Result<Invocation, Problems> {
    if let Some(SandboxCommand::Token(args)) = &args.command {
        let (scope, sub, audience) = (args.scope.clone(), args.sub.clone(), args.audience.clone());
        let request = TokenRequest { scope, sub, audience, expires_in: args.expires_in };
        return Ok(Invocation::SandboxToken { request, url: args.url.clone() });
    }
    let mut problems = Problems::default();
    let log = log(&args.log, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Invocation::Sandbox(super::ServeSandbox {
        address: SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, args.port)),
        options: options(args.plan, args.seed, args.chaos),
        log,
    }))
}

#[cfg(not(feature = "sandbox"))]
pub(super) fn sandbox(args: &SandboxArgs) -> Result<Invocation, Problems> {
    let mut problems = Problems::default();
    log(&args.log, &mut problems);
    problems.add("sandbox", NO_SANDBOX);
    Err(problems)
}

#[cfg(feature = "sandbox")]
fn tenant(args: &ServeArgs, problems: &mut Problems) -> Option<Tenant> {
    let sandbox = &args.sandbox;
    if !sandbox.sandbox {
        return auth0(&args.auth0, problems).map(Tenant::Auth0);
    }
    let auth0 = &args.auth0;
    let ignored = [
        ("AUTH0_DOMAIN", auth0.auth0_domain.as_deref()),
        ("AUTH0_CLIENT_ID", auth0.auth0_client_id.as_deref()),
        ("AUTH0_CLIENT_SECRET", exposed(auth0.auth0_client_secret.as_ref())),
        ("AUTH0_AUDIENCE", auth0.auth0_audience.as_deref()),
    ];
    Some(Tenant::Sandbox {
        options: options(sandbox.sandbox_plan, sandbox.sandbox_seed, sandbox.chaos),
        ignored: ignored.into_iter().filter_map(|(setting, text)| given(text).map(|_| setting)).collect(),
    })
}

#[cfg(not(feature = "sandbox"))]
fn tenant(args: &ServeArgs, problems: &mut Problems) -> Option<Tenant> {
    if args.sandbox.sandbox {
        problems.add("--sandbox", NO_SANDBOX);
        return None;
    }
    auth0(&args.auth0, problems).map(Tenant::Auth0)
}

#[cfg(not(feature = "sandbox"))]
const NO_SANDBOX: &str =
    "is not part of this build: build with the cargo feature `sandbox`, or name a tenant of your own";

#[cfg(feature = "sandbox")]
fn options(plan: crate::sandbox::Plan, seed: Option<u64>, chaos: bool) -> crate::sandbox::Options {
    let mut options = crate::sandbox::Options::default();
    options.plan = plan;
    options.seed = seed.unwrap_or(options.seed);
    options.chaos = chaos;
    options
}

fn auth0(args: &Auth0Args, problems: &mut Problems) -> Option<Settings> {
    let domain = required(
        problems,
        "AUTH0_DOMAIN",
        args.auth0_domain.as_deref(),
        "is missing: the tenant's domain, such as example.us.auth0.com (Auth0's dashboard > Applications > your \
         machine-to-machine application > Settings)",
        |text| Domain::parse(text).map_err(|error| error.to_string()),
    );
    let client_id = required(
        problems,
        "AUTH0_CLIENT_ID",
        args.auth0_client_id.as_deref(),
        "is missing: the Client ID of a machine-to-machine application that is authorized for the Auth0 Management API",
        parse::copied,
    );
    let client_secret = required(
        problems,
        "AUTH0_CLIENT_SECRET",
        exposed(args.auth0_client_secret.as_ref()),
        "is missing: the Client Secret of the same application",
        |text| parse::copied(text).map(SecretString::from),
    );
    let audience = optional(problems, "AUTH0_AUDIENCE", args.auth0_audience.as_deref(), parse::audience);
    let domain = domain?;
    Some(Settings {
        audience: audience.unwrap_or_else(|| domain.default_audience()),
        domain,
        client_id: client_id?,
        client_secret: client_secret?,
    })
}

fn policy(args: &CareArgs, problems: &mut Problems) -> (ClientPolicy, Limits) {
    let defaults = (ClientPolicy::default(), Limits::default());
    let cache_ttl = optional(problems, "CACHE_TTL", args.cache_ttl.as_deref(), parse::cache_ttl);
    let rate_reserve = optional(problems, "RATE_RESERVE", args.rate_reserve.as_deref(), parse::rate_reserve);
    let upstream_calls = optional(
        problems,
        "UPSTREAM_CALLS_PER_OPERATION",
        args.upstream_calls_per_operation.as_deref(),
        parse::upstream_calls,
    );
    let policy = ClientPolicy {
        cache_ttl: cache_ttl.unwrap_or(defaults.0.cache_ttl),
        rate_reserve: rate_reserve.unwrap_or(defaults.0.rate_reserve),
    };
    let limits = Limits { upstream_calls: upstream_calls.unwrap_or(defaults.1.upstream_calls), ..defaults.1 };
    (policy, limits)
}

fn server(args: &ServerArgs, sandbox: bool, auth: &AuthSettings, problems: &mut Problems) -> Server {
    let defaults = Server::default();
    let host = optional(problems, "HOST", args.host.as_deref(), parse::host).unwrap_or_else(|| defaults.address.ip());
    let port = optional(problems, "PORT", args.port.as_deref(), parse::port).unwrap_or_else(|| defaults.address.port());
    let loopback = parse::is_loopback(host);
    if !loopback && !auth.takes_credentials() && !auth.allow_anonymous {
        problems.add("HOST", exposed_address(host));
    }
    let allowed_hosts = optional(problems, "ALLOWED_HOSTS", args.allowed_hosts.as_deref(), parse::allowed_hosts);
    let cors_origins = optional(problems, "CORS_ORIGINS", args.cors_origins.as_deref(), parse::cors_origins);
    let playground =
        optional(problems, "PLAYGROUND", args.playground.as_deref(), |text| parse::switch(text, "on", "off"));
    let request_timeout =
        optional(problems, "REQUEST_TIMEOUT", args.request_timeout.as_deref(), parse::request_timeout);
    let max_body_bytes = optional(problems, "MAX_BODY_BYTES", args.max_body_bytes.as_deref(), parse::max_body_bytes);
    let shutdown_delay = optional(problems, "SHUTDOWN_DELAY", args.shutdown_delay.as_deref(), parse::shutdown_delay);
    Server {
        address: SocketAddr::from((host, port)),
        http: HttpSettings {
            allowed_hosts: allowed_hosts.unwrap_or(defaults.http.allowed_hosts),
            cors_origins: cors_origins.unwrap_or(defaults.http.cors_origins),
            playground: playground.unwrap_or(sandbox || loopback),
            request_timeout: request_timeout.unwrap_or(defaults.http.request_timeout),
            max_body_bytes: max_body_bytes.unwrap_or(defaults.http.max_body_bytes),
            shutdown_delay: shutdown_delay.unwrap_or(defaults.http.shutdown_delay),
            explains: sandbox,
            ..defaults.http
        },
    }
}

fn exposed_address(host: IpAddr) -> String {
    format!(
        "cannot be {host}, which other machines can reach, while everyone who reaches the port can read the tenant: set JWT_ISSUER \
         and JWT_AUDIENCE, or API_KEYS, so that callers have to show credentials. Or leave it at 127.0.0.1, or set \
         ALLOW_ANONYMOUS=yes if something in front of the gateway keeps strangers out"
    )
}

fn log(args: &LogArgs, problems: &mut Problems) -> LogSettings {
    let filter = optional(problems, "LOG", args.log.as_deref(), |text| {
        Filter::parse(text).map_err(|error| format!("cannot be {}: {error}", parse::quoted(text)))
    });
    let format = optional(problems, "LOG_FORMAT", args.log_format.as_deref(), |text| {
        Format::parse(text).ok_or_else(|| format!("must be text or json, not {}", parse::quoted(text)))
    });
    LogSettings { filter: filter.unwrap_or_default(), format: format.unwrap_or_default() }
}

/// The value of a setting that has a default: `None` when it is not given, or wrong.
pub(super) fn optional<T>(
    problems: &mut Problems,
    setting: &'static str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    problems.note(setting, parse(given(text)?))
}

/// The value of a setting that has no default.
fn required<T>(
    problems: &mut Problems,
    setting: &'static str,
    text: Option<&str>,
    missing: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let value = given(text).ok_or_else(|| missing.to_owned());
    problems.note(setting, value.and_then(parse))
}

pub(super) fn exposed(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(ExposeSecret::expose_secret)
}

#[cfg(test)]
mod tests {
    use super::super::args::BoundsArgs;
    use super::*;
    use crate::config::args::CallerArgs;

    fn a_tenant() -> ServeArgs {
        let some = |text: &str| Some(text.to_owned());
        ServeArgs {
            auth0: Auth0Args {
                auth0_domain: some("example.us.auth0.com"),
                auth0_client_id: some("an-id"),
                auth0_client_secret: Some("a-secret".into()),
                auth0_audience: None,
            },
            ..ServeArgs::default()
        }
    }

    fn real(tenant: Tenant) -> Settings {
        match tenant {
            Tenant::Auth0(settings) => settings,
            #[cfg(feature = "sandbox")]
            Tenant::Sandbox { .. } => panic!("not the tenant that was named"),
        }
    }

    fn faults(args: &ServeArgs) -> String {
        serve(args).unwrap_err().to_string()
    }

    #[test]
    fn three_settings_are_enough() {
        let serve = serve(&a_tenant()).unwrap();
        assert_eq!(format!("{:?}", serve.server), format!("{:?}", Server::default()));
        let settings = real(serve.tenant);
        assert_eq!(settings.audience, "https://example.us.auth0.com/api/v2/");
        assert_eq!(settings.client_secret.expose_secret(), "a-secret");
    }

    #[test]
    fn every_fault_is_listed() {
        let some = |text: &str| Some(text.to_owned());
        let args = ServeArgs {
            auth0: Auth0Args {
                auth0_domain: some("YOUR_TENANT.us.auth0.com"),
                auth0_client_secret: Some("hush hush".into()),
                auth0_audience: some("nonsense"),
                ..Auth0Args::default()
            },
            server: ServerArgs {
                host: some("example.com"),
                port: some("http"),
                allowed_hosts: some("https://example.com"),
                playground: some("maybe"),
                request_timeout: some("1h"),
                max_body_bytes: some("1"),
                cors_origins: some("example.com"),
                shutdown_delay: some("1h"),
            },
            bounds: BoundsArgs {
                max_connections: some("0"),
                max_concurrent_requests: some("many"),
                rate_limit: some("fast"),
                trusted_proxies: some("a proxy"),
            },
            callers: CallerArgs {
                jwt_issuer: some("example.us.auth0.com"),
                jwt_audience: some(" , "),
                jwt_jwks_url: some("http://example.com/keys"),
                api_keys: Some("hush-hush".into()),
                allow_anonymous: some("perhaps"),
                scope_mode: some("strict"),
                self_access: some("yes"),
            },
            log: LogArgs { log: some("chatty"), log_format: some("xml") },
            ..ServeArgs::default()
        };
        let faults = faults(&args);
        assert!(faults.starts_with("25 settings"), "{faults}");
        for setting in [
            "AUTH0_DOMAIN is missing",
            "AUTH0_CLIENT_ID is missing",
            "AUTH0_CLIENT_SECRET holds",
            "AUTH0_AUDIENCE must",
            "HOST must",
            "PORT must",
            "JWT_ISSUER must",
            "JWT_AUDIENCE must",
            "JWT_JWKS_URL must",
            "API_KEYS holds",
            "ALLOW_ANONYMOUS must",
            "SCOPE_MODE must",
            "SELF_ACCESS must",
            "ALLOWED_HOSTS must",
            "PLAYGROUND must",
            "REQUEST_TIMEOUT must",
            "MAX_BODY_BYTES must",
            "CORS_ORIGINS must",
            "SHUTDOWN_DELAY must",
            "MAX_CONNECTIONS must",
            "MAX_CONCURRENT_REQUESTS must",
            "RATE_LIMIT must",
            "TRUSTED_PROXIES must",
            "LOG cannot",
            "LOG_FORMAT must",
        ] {
            assert!(faults.contains(&format!("\n  {setting}")), "{setting}: {faults}");
        }
        assert!(!faults.contains("hush"), "{faults}");
    }

    #[test]
    fn an_address_that_others_reach_must_be_meant() {
        let mut args = a_tenant();
        args.server.host = Some("0.0.0.0".to_owned());
        assert!(faults(&args).contains("ALLOW_ANONYMOUS=yes"));
        args.callers.allow_anonymous = Some("no".to_owned());
        assert!(faults(&args).contains("JWT_ISSUER"));
        args.callers.allow_anonymous = Some("yes".to_owned());
        let server = serve(&args).unwrap().server;
        assert_eq!(server.address, SocketAddr::from(([0, 0, 0, 0], 3000)));
        assert!(!server.http.playground, "strangers get no playground unasked");
        assert!(!serve(&args).unwrap().documents.introspection, "nor the schema");
    }

    #[test]
    fn an_address_that_others_reach_is_fine_where_credentials_are_needed() {
        let mut args = a_tenant();
        args.server.host = Some("0.0.0.0".to_owned());
        args.callers.api_keys = Some(format!("reports:{}:read:logs", "0".repeat(64)).into());
        let serve = serve(&args).unwrap();
        assert!(!serve.auth.admits_anonymous());
    }

    #[test]
    fn an_audience_of_its_own_goes_with_a_custom_domain() {
        let mut args = a_tenant();
        args.auth0.auth0_domain = Some("login.example.com".to_owned());
        args.auth0.auth0_audience = Some("https://example.us.auth0.com/api/v2/".to_owned());
        let settings = real(serve(&args).unwrap().tenant);
        assert_eq!(settings.audience, "https://example.us.auth0.com/api/v2/");
    }

    #[cfg(feature = "sandbox")]
    #[test]
    fn the_sandbox_needs_no_tenant_and_says_what_it_ignores() {
        let mut args = a_tenant();
        args.auth0.auth0_client_id = Some("YOUR_CLIENT_ID".to_owned());
        args.sandbox.sandbox = true;
        let Tenant::Sandbox { ignored, .. } = serve(&args).unwrap().tenant else {
            panic!("not the sandbox");
        };
        assert_eq!(ignored, ["AUTH0_DOMAIN", "AUTH0_CLIENT_SECRET"]);
    }
}
