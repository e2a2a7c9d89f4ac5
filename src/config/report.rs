//! The settings in effect as the `config` command prints them: each value, and where it comes from.

use std::collections::HashSet;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::parse::{given, without_user_info};
use super::{Serve, Server, Tenant};
use crate::auth0::ClientPolicy;
use crate::graphql::Limits;
use crate::telemetry::{Filter, Format};

/// One line a setting. Settings that are hidden from `--help` are secrets: whether they are set is told, and nothing else.
///
/// `serve` is what came of the settings, or `None` when something is wrong with them.
pub(super) fn settings(
    command: &clap::Command,
    matches: &ArgMatches,
    dotenv: &HashSet<String>,
    serve: Option<&Serve>,
) -> String {
    let rows: Vec<[String; 3]> = command.get_arguments().filter_map(|arg| row(arg, matches, dotenv, serve)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (names, values) = (width(0), width(1));
    rows.iter().map(|[name, value, source]| format!("{name:names$}  {value:values$}  {source}\n")).collect()
}

fn row(arg: &Arg, matches: &ArgMatches, dotenv: &HashSet<String>, serve: Option<&Serve>) -> Option<[String; 3]> {
    let name = arg.get_env()?.to_str()?;
    let text = matches
        .get_raw(arg.get_id().as_str())
        .and_then(|mut values| values.next())
        .map(|value| value.to_string_lossy())
        .filter(|value| given(Some(value)).is_some());
    let ignored = is_ignored(name, serve);
    let (value, source) = match &text {
        Some(_) if arg.is_hide_env_values_set() => ("(set, not shown)".to_owned(), source(name, arg, matches, dotenv)),
        Some(value) => (without_user_info(value.trim()).escape_debug().to_string(), source(name, arg, matches, dotenv)),
        None => match default(name, serve) {
            Some(value) => (value, "default"),
            None if ignored => ("-".to_owned(), "not needed with the sandbox"),
            None => ("-".to_owned(), "not set"),
        },
    };
    let source = match &text {
        Some(_) if ignored => "ignored with the sandbox",
        _ => source,
    };
    Some([name.to_owned(), value, source.to_owned()])
}

fn source(name: &str, arg: &Arg, matches: &ArgMatches, dotenv: &HashSet<String>) -> &'static str {
    match matches.value_source(arg.get_id().as_str()) {
        Some(ValueSource::CommandLine) => "flag",
        Some(ValueSource::EnvVariable) if dotenv.contains(name) => ".env",
        Some(ValueSource::EnvVariable) => "environment",
        _ => "default",
    }
}

fn is_ignored(name: &str, serve: Option<&Serve>) -> bool {
    let real = matches!(serve.map(|serve| &serve.tenant), None | Some(Tenant::Auth0(_)));
    !real && name.starts_with("AUTH0_")
}

/// What holds where nothing was given.
fn default(name: &str, serve: Option<&Serve>) -> Option<String> {
    let server = Server::default();
    match name {
        "AUTH0_AUDIENCE" => match &serve?.tenant {
            Tenant::Auth0(settings) => Some(settings.audience.clone()),
            #[cfg(feature = "sandbox")]
            Tenant::Sandbox { .. } => None,
        },
        #[cfg(feature = "sandbox")]
        "JWT_ISSUER" | "JWT_AUDIENCE" => match serve? {
            Serve { tenant: Tenant::Sandbox { .. }, auth, .. } if auth.tokens.is_none() => {
                Some("(the sandbox's)".to_owned())
            }
            _ => None,
        },
        "CACHE_TTL" => Some(format!("{}s", ClientPolicy::default().cache_ttl.as_secs())),
        "RATE_RESERVE" => Some(ClientPolicy::default().rate_reserve.to_string()),
        "UPSTREAM_CALLS_PER_OPERATION" => Some(Limits::default().upstream_calls.to_string()),
        "HOST" => Some(server.address.ip().to_string()),
        "PORT" => Some(server.address.port().to_string()),
        "ALLOW_ANONYMOUS" => Some("no".to_owned()),
        "SCOPE_MODE" => Some("filter".to_owned()),
        "SELF_ACCESS" => Some("off".to_owned()),
        "PLAYGROUND" => Some(if serve?.server.http.playground { "on" } else { "off" }.to_owned()),
        "REQUEST_TIMEOUT" => Some(format!("{}s", server.http.request_timeout.as_secs())),
        "MAX_BODY_BYTES" => Some(server.http.max_body_bytes.to_string()),
        "SHUTDOWN_DELAY" => Some(format!("{}s", server.http.shutdown_delay.as_secs())),
        "MAX_CONNECTIONS" => Some(server.http.connections.most.to_string()),
        "MAX_CONCURRENT_REQUESTS" => Some(server.http.max_concurrent_requests.to_string()),
        "LIMITS" => Some("enforce".to_owned()),
        "MAX_COST" => Some(Limits::default().cost.to_string()),
        "MAX_DEPTH" => Some(Limits::default().depth.to_string()),
        "INTROSPECTION" => Some(if serve?.documents.introspection { "on" } else { "off" }.to_owned()),
        "PERSISTED_QUERIES" => Some("on".to_owned()),
        "TRUSTED_DOCUMENTS_MODE" => Some("prefer".to_owned()),
        "LOG" => Some(Filter::default().to_string()),
        "LOG_FORMAT" => Some(Format::default().to_string()),
        _ => None,
    }
}
