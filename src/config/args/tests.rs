//! What the command line, its help and `.env.template` owe one another.

use clap::{Arg, CommandFactory};

use super::*;
use crate::config::check;

const TEMPLATE: &str = include_str!("../../../.env.template");

/// A setting in the template: the comment above it, whether its line is commented out, name and value.
struct Entry {
    comment: String,
    optional: bool,
    name: String,
    value: String,
}

fn template() -> Vec<Entry> {
    let paragraphs = TEMPLATE.split("\n\n").skip(1);
    paragraphs
        .map(|paragraph| {
            let (comment, setting) = paragraph.trim_end().rsplit_once('\n').unwrap();
            let optional = setting.starts_with('#');
            let (name, value) = setting.trim_start_matches('#').split_once('=').unwrap();
            let words = comment.split_whitespace().filter(|word| *word != "#");
            Entry {
                comment: words.collect::<Vec<_>>().join(" "),
                optional,
                name: name.to_owned(),
                value: value.to_owned(),
            }
        })
        .collect()
}

fn words_of_help(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help()).unwrap();
    let help = help.to_string();
    let words: Vec<_> = help.split_whitespace().collect();
    // clap takes the full stop off a help of one paragraph.
    format!("{}.", words.join(" ").trim_end_matches('.'))
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_setting_s_flag_and_variable_are_of_the_same_name() {
    for arg in Cli::command().get_arguments() {
        if let Some(variable) = arg.get_env() {
            let flag = arg.get_long().unwrap().replace('-', "_").to_uppercase();
            assert_eq!(variable.to_str(), Some(flag.as_str()));
        }
    }
}

#[test]
fn the_template_holds_every_setting_in_the_words_of_help() {
    let command = Cli::command();
    let settings: Vec<_> =
        command.get_arguments().filter_map(|arg| Some((arg.get_env()?.to_str()?, words_of_help(arg)))).collect();
    let template = template();
    let entries: Vec<_> = template.iter().map(|entry| (entry.name.as_str(), entry.comment.clone())).collect();
    assert_eq!(entries, settings);
}

#[test]
fn what_the_template_comments_out_is_the_default() {
    let some = |entry: &Entry| Some(entry.value.clone());
    let mut plain = ServeArgs::default();
    plain.auth0.auth0_domain = Some("example.us.auth0.com".to_owned());
    plain.auth0.auth0_client_id = Some("an-id".to_owned());
    plain.auth0.auth0_client_secret = Some("a-secret".into());
    let defaults = format!("{:?}", check::serve(&plain).unwrap());
    let mut args = plain;
    for entry in template().iter().filter(|entry| entry.optional) {
        match entry.name.as_str() {
            "AUTH0_AUDIENCE" => args.auth0.auth0_audience = some(entry),
            "CACHE_TTL" => args.care.cache_ttl = some(entry),
            "RATE_RESERVE" => args.care.rate_reserve = some(entry),
            "UPSTREAM_CALLS_PER_OPERATION" => args.care.upstream_calls_per_operation = some(entry),
            "HOST" => args.server.host = some(entry),
            "PORT" => args.server.port = some(entry),
            "JWT_ISSUER" => args.callers.jwt_issuer = some(entry),
            "JWT_AUDIENCE" => args.callers.jwt_audience = some(entry),
            "JWT_JWKS_URL" => args.callers.jwt_jwks_url = some(entry),
            "API_KEYS" => args.callers.api_keys = some(entry).map(SecretString::from),
            "ALLOW_ANONYMOUS" => args.callers.allow_anonymous = some(entry),
            "SCOPE_MODE" => args.callers.scope_mode = some(entry),
            "SELF_ACCESS" => args.callers.self_access = some(entry),
            "ALLOWED_HOSTS" => args.server.allowed_hosts = some(entry),
            "CORS_ORIGINS" => args.server.cors_origins = some(entry),
            "CORS_HEADERS" => args.server.cors_headers = some(entry),
            "PLAYGROUND" => args.server.playground = some(entry),
            "REQUEST_TIMEOUT" => args.server.request_timeout = some(entry),
            "MAX_BODY_BYTES" => args.server.max_body_bytes = some(entry),
            "SHUTDOWN_DELAY" => args.server.shutdown_delay = some(entry),
            "MAX_CONNECTIONS" => args.bounds.max_connections = some(entry),
            "MAX_CONCURRENT_REQUESTS" => args.bounds.max_concurrent_requests = some(entry),
            "RATE_LIMIT" => args.bounds.rate_limit = some(entry),
            "TRUSTED_PROXIES" => args.bounds.trusted_proxies = some(entry),
            "LIMITS" => args.documents.limits = some(entry),
            "MAX_COST" => args.documents.max_cost = some(entry),
            "MAX_DEPTH" => args.documents.max_depth = some(entry),
            "INTROSPECTION" => args.documents.introspection = some(entry),
            "PERSISTED_QUERIES" => args.documents.persisted_queries = some(entry),
            "TRUSTED_DOCUMENTS" => args.documents.trusted_documents = some(entry),
            "TRUSTED_DOCUMENTS_MODE" => args.documents.trusted_documents_mode = some(entry),
            "LOG" => args.log.log = some(entry),
            "LOG_FORMAT" => args.log.log_format = some(entry),
            other => panic!("{other} has no default"),
        }
    }
    assert_eq!(format!("{:?}", check::serve(&args).unwrap()), defaults);
}
