//! The settings in effect as the `config` command prints them: each value, and its source.

use std::collections::HashSet;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::auth0::TENANT;
use super::kinds::without_credentials;
use super::row::{DerivedDefault, Redaction, text};
use super::{Serve, Tenant};

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
    let text = text(arg, matches);
    let ignored = is_ignored(arg, serve);
    let (value, source) = match &text {
        Some(_) if arg.is_hide_env_values_set() => ("(set, not shown)".to_owned(), source(name, arg, matches, dotenv)),
        Some(value) => {
            let redacted = arg.get::<Redaction>().and_then(|Redaction(redact)| redact(value.trim()));
            let shown = || without_credentials(value.trim()).escape_debug().to_string();
            (redacted.map_or_else(shown, str::to_owned), source(name, arg, matches, dotenv))
        }
        None => match default(arg, serve) {
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

fn is_ignored(arg: &Arg, serve: Option<&Serve>) -> bool {
    let real = matches!(serve.map(|serve| &serve.tenant), None | Some(Tenant::Auth0(_)));
    !real && arg.get_help_heading() == Some(TENANT)
}

/// The value that holds where none was given.
fn default(arg: &Arg, serve: Option<&Serve>) -> Option<String> {
    let declared = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    declared.or_else(|| arg.get::<DerivedDefault>().and_then(|DerivedDefault(derive)| derive(serve?)))
}
