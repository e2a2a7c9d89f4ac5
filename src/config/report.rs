//! The settings in effect as the `config` command prints them: each value, and its source.

use std::collections::HashSet;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::kinds::{OnOff, without_credentials};
use super::secret::names_no_file;
use super::setting::{WithDefault as _, given};
use super::{Serve, Tenant};
use crate::auth0::Domain;
use crate::telemetry::Format;

/// The settings, one a line. Of those that are hidden from `--help`, which are secrets, is told that they are set, and nothing else.
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
        .filter(|value| given(value).is_some());
    let ignored = is_ignored(name, serve);
    let (value, source) = match &text {
        Some(_) if arg.is_hide_env_values_set() => ("(set, not shown)".to_owned(), source(name, arg, matches, dotenv)),
        Some(value) if name.ends_with("_FILE") && names_no_file(value.trim()) => {
            ("(names no file, not shown)".to_owned(), source(name, arg, matches, dotenv))
        }
        // A value that is no domain may hold anything, a password without any mark of one too.
        Some(value) if name == "AUTH0_DOMAIN" && Domain::parse(value.trim()).is_err() => {
            ("(no domain, not shown)".to_owned(), source(name, arg, matches, dotenv))
        }
        Some(value) => {
            (without_credentials(value.trim()).escape_debug().to_string(), source(name, arg, matches, dotenv))
        }
        None => match default(name, arg, serve) {
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

/// The value that holds where none was given.
fn default(name: &str, arg: &Arg, serve: Option<&Serve>) -> Option<String> {
    let declared = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    declared.or_else(|| derived(name, serve?))
}

/// The value of a setting whose default depends on others, or on the machine.
fn derived(name: &str, serve: &Serve) -> Option<String> {
    let http = &serve.server.http;
    match (name, &serve.tenant) {
        ("AUTH0_AUDIENCE", Tenant::Auth0(settings)) => Some(settings.audience.clone()),
        #[cfg(feature = "sandbox")]
        ("JWT_ISSUER" | "JWT_AUDIENCE", Tenant::Sandbox { .. }) if serve.auth.tokens.is_none() => {
            Some("(the sandbox's)".to_owned())
        }
        ("LOG_FORMAT", _) => Some(Format::show(&serve.log.format)),
        ("PLAYGROUND", _) => Some(OnOff::show(&http.playground)),
        ("INTROSPECTION", _) => Some(OnOff::show(&serve.documents.introspection)),
        ("MAX_CONNECTIONS", _) => Some(http.connections.most.to_string()),
        ("MAX_CONCURRENT_REQUESTS", _) => Some(http.max_concurrent_requests.to_string()),
        _ => None,
    }
}
