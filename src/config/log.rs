//! Settings of the log.
#![expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")]

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use url::Url;

use super::Problems;
use super::kinds::{Choice, quoted};
use super::row::{DerivedDefault, Redaction};
use super::setting::{Checked, GivenSetting as _, Setting, WithDefault};
use crate::telemetry::{Filter, Format, LogSettings};

#[derive(Args)]
#[command(next_help_heading = "Logging")]
pub(super) struct LogArgs {
    /// Log to standard error: off, error, warn, info, debug, trace, or a level for each module.
    ///
    /// The form for modules is a list such as warn,auth0_graphql=debug. The audit trail has a line for each operation, at info, under the name
    /// auth0_graphql::audit: warn,auth0_graphql::audit=info keeps it and little else. Libraries, which log whole messages at trace, are
    /// held at debug unless the list names them.
    #[arg(long, env, value_name = "FILTER", default_value_t = Checked::of(LogSettings::default().filter))]
    log: Checked<Filter>,

    /// Form of the log: text, json with one object a line, or pretty, in short lines. Default: pretty on a terminal, else text.
    #[arg(long, env, value_name = "FORM", add = DerivedDefault(|serve| Some(Format::show(&serve.log.format))))]
    log_format: Option<Checked<Format>>,
}

#[derive(Args)]
#[command(next_help_heading = "Logging")]
pub(super) struct TelemetryArgs {
    /// File that the audit trail goes to in place of standard error, whole and whatever LOG says.
    ///
    /// Lines are appended; json with LOG_FORMAT=json, else text. After a SIGHUP the file is opened anew: move the old one away, and send one.
    #[arg(long, env, value_name = "PATH", add = Redaction::OF_PATH)]
    audit_file: Option<Checked<AppendedFile>>,

    /// Collector that traces are exported to, by OTLP over HTTP. Off without it.
    ///
    /// The base of OTLP's paths, such as http://127.0.0.1:4318: /v1/traces is added. Of the other variables of OpenTelemetry some hold, such as
    /// OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, OTEL_EXPORTER_OTLP_HEADERS and OTEL_SERVICE_NAME: docs/operations.md lists them.
    #[arg(long, env, value_name = "URL")]
    otel_exporter_otlp_endpoint: Option<Checked<Collector>>,
}

impl TelemetryArgs {
    pub(super) fn set(&self, settings: &mut LogSettings, problems: &mut Problems) {
        self.audit_file.set_some(&mut settings.audit_file, problems);
        self.otel_exporter_otlp_endpoint.set_some(&mut settings.otlp_endpoint, problems);
        settings.opentelemetry = opentelemetry();
    }
}

#[expect(clippy::disallowed_methods, reason = "they are OpenTelemetry's, and have no flags")]
fn opentelemetry() -> Vec<(&'static str, String)> {
    LogSettings::OPENTELEMETRY.into_iter().filter_map(|name| Some((name, env::var(name).ok()?))).collect()
}

/// The URL of a collector.
struct Collector;

impl Setting for Collector {
    type Value = Url;

    fn parse(text: &str) -> Result<Url, String> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or_else(|| format!("must be an http or https URL such as http://127.0.0.1:4318, not {}", quoted(text)))
    }
}

/// A file to append to. Nothing is opened: whoever checks settings need not be the one who will own the file.
struct AppendedFile;

impl Setting for AppendedFile {
    type Value = PathBuf;

    fn parse(text: &str) -> Result<PathBuf, String> {
        let path = PathBuf::from(text);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.is_dir() || !folder.is_dir() {
            return Err(format!("must name a file in a folder that exists, not {}", quoted(text)));
        }
        Ok(path)
    }
}

impl LogArgs {
    pub(super) fn settings(&self, problems: &mut Problems) -> LogSettings {
        let mut settings = LogSettings::default();
        self.log.set(&mut settings.filter, problems);
        self.log_format.set(&mut settings.format, problems);
        settings
    }
}

impl Setting for Filter {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("cannot be {}: {error}", quoted(text)))
    }
}

impl WithDefault for Filter {
    fn show(filter: &Self) -> String {
        filter.to_string()
    }
}

impl Choice for Format {
    type Value = Self;
    const CHOICES: &'static [(&'static str, Self)] =
        &[("text", Self::Text), ("json", Self::Json), ("pretty", Self::Pretty)];
}
