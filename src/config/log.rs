//! Settings of the log.
#![expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")]

use clap::Args;

use super::Problems;
use super::kinds::{Words, quoted};
use super::setting::{Checked, Given as _, Setting, Shown};
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

    /// Form of the log: text, or json with one object a line.
    #[arg(long, env, value_name = "FORM", default_value_t = Checked::of(LogSettings::default().format))]
    log_format: Checked<Format>,
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

impl Shown for Filter {
    fn show(filter: &Self) -> String {
        filter.to_string()
    }
}

impl Words for Format {
    type Value = Self;
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}
