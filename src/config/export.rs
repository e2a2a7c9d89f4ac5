//! `export` and its flags.
#![expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::resume::GivenCommand;

/// `export`, as it was asked for.
#[derive(Debug, Args)]
pub struct Export {
    /// Records to export: users in the order of their creation, or logs newest first.
    #[arg(value_enum)]
    pub records: ExportedRecords,

    /// Only what this search finds, in Auth0's syntax, but simple: `field:value` with AND, OR, NOT and parentheses.
    #[arg(long, value_name = "SEARCH")]
    pub q: Option<String>,

    /// Only what meets these conditions: a `UserFilter` or `LogFilter` of the schema, in JSON.
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,

    /// Only these fields of each record, by Auth0's names, commas between them: all that there are if none is named.
    ///
    /// A path leads into what applications store: app_metadata.plan. The order of an export needs user_id and created_at, or log_id: lines of
    /// JSON have them as well. A name that is not Auth0's own is refused, as it is a slip as a rule: see --other-fields.
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    pub fields: Vec<String>,

    /// These fields as well, which this program does not know, such as those that identity providers add to users.
    ///
    /// Records that lack them are written without.
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    pub other_fields: Vec<String>,

    /// Write the credentials of users at identity providers as well, if the application may read them.
    ///
    /// Without it they are left out of `identities`: tokens, and what is not known to be none.
    #[arg(long)]
    pub with_credentials: bool,

    /// A record as a line of JSON, or as a row of CSV.
    #[arg(long, value_enum, default_value_t = ExportFormat::Ndjson)]
    pub format: ExportFormat,

    /// Go on where an export ended: the cursor that it told.
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,

    /// The file to write, in place of standard output. It must not be there yet, unless `--after` goes on with it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// The command itself.
    #[arg(skip)]
    pub given: GivenCommand,
}

/// A kind of records that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportedRecords {
    /// Users.
    Users,
    /// Logs.
    Logs,
}

/// A format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A line of JSON for each record.
    Ndjson,
    /// Comma-separated values under a header.
    Csv,
}
