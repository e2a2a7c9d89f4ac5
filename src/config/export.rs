//! `export` and its flags.
#![expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::resume::GivenCommand;

/// Flags of `export`.
#[derive(Args)]
pub(super) struct ExportArgs {
    /// Records to export: users in the order of their creation, or logs newest first.
    #[arg(value_enum)]
    records: ExportedRecords,

    /// Only what this search finds, in Auth0's syntax, but simple: `field:value` with AND, OR, NOT and parentheses.
    #[arg(long, value_name = "SEARCH")]
    q: Option<String>,

    /// Only what meets these conditions: a `UserFilter` or `LogFilter` of the schema, in JSON.
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,

    /// Only these fields of each record, by Auth0's names, commas between them: all that there are if none is named.
    ///
    /// A path leads into what applications store: app_metadata.plan. The order of an export needs user_id and created_at, or log_id: lines of
    /// JSON have them as well. A name that is not Auth0's own is refused, as it is a slip as a rule: see --other-fields.
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    fields: Vec<String>,

    /// These fields as well, which this program does not know, such as those that identity providers add to users.
    ///
    /// Records that lack them are written without.
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    other_fields: Vec<String>,

    /// Write the credentials of users at identity providers as well, if the application may read them.
    ///
    /// Without it they are left out of `identities`: tokens, and what is not known to be none.
    #[arg(long)]
    with_credentials: bool,

    /// A record as a line of JSON, or as a row of CSV.
    #[arg(long, value_enum, default_value_t = ExportFormat::Ndjson)]
    format: ExportFormat,

    /// Go on where an export ended: the cursor that it told.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,

    /// The file to write, in place of standard output. It must not be there yet, unless `--after` goes on with it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `export`, as it was asked for.
#[derive(Debug)]
pub struct Export {
    /// The records to export.
    pub records: ExportedRecords,
    /// The search that they meet.
    pub q: Option<String>,
    /// A filter in JSON that they meet.
    pub filter: Option<String>,
    /// The fields to export; all if there are none.
    pub fields: Vec<String>,
    /// Fields to export that need not be known.
    pub other_fields: Vec<String>,
    /// True if credentials at identity providers are exported as well.
    pub with_credentials: bool,
    /// The format.
    pub format: ExportFormat,
    /// The cursor to go on from.
    pub after: Option<String>,
    /// The file to write.
    pub out: Option<PathBuf>,
    /// The command itself.
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

impl ExportArgs {
    pub(super) fn export(&self, given: GivenCommand) -> Export {
        let Self { records, q, filter, fields, other_fields, with_credentials, format, after, out } = self;
        Export {
            records: *records,
            q: q.clone(),
            filter: filter.clone(),
            fields: fields.clone(),
            other_fields: other_fields.clone(),
            with_credentials: *with_credentials,
            format: *format,
            after: after.clone(),
            out: out.clone(),
            given,
        }
    }
}
