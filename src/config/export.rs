//! `export` and its flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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

    /// Only these keys of each record, by Auth0's names, commas between them. The order of an export needs `user_id` and `created_at`, or
    /// `log_id`: lines of JSON have them as well.
    ///
    /// Without it records are whole: those of users have the tokens of identity providers in `identities`, if the application may read them.
    #[arg(long, value_delimiter = ',', value_name = "KEYS")]
    fields: Vec<String>,

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
    /// The keys to export; all if there are none.
    pub fields: Vec<String>,
    /// The format.
    pub format: ExportFormat,
    /// The cursor to go on from.
    pub after: Option<String>,
    /// The file to write.
    pub out: Option<PathBuf>,
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
    pub(super) fn export(&self) -> Export {
        let Self { records, q, filter, fields, format, after, out } = self;
        Export {
            records: *records,
            q: q.clone(),
            filter: filter.clone(),
            fields: fields.clone(),
            format: *format,
            after: after.clone(),
            out: out.clone(),
        }
    }
}

impl Export {
    /// The command that goes on from a cursor, as a shell takes it.
    #[must_use]
    pub fn resumed(&self, cursor: &str) -> String {
        let Self { records, q, filter, fields, format, after: _, out } = self;
        let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            value().map(|value| value.get_name().to_owned()).unwrap_or_default()
        };
        let mut words = vec![super::program_name(), "export".to_owned(), name(&|| records.to_possible_value())];
        let fields = (!fields.is_empty()).then(|| fields.join(","));
        let out = out.as_ref().map(|out| out.display().to_string());
        for (flag, value) in [
            ("--q", q.clone()),
            ("--filter", filter.clone()),
            ("--fields", fields),
            ("--format", Some(name(&|| format.to_possible_value()))),
            ("--out", out),
            ("--after", Some(cursor.to_owned())),
        ] {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        shell_line(&words)
    }
}

/// These words as a shell takes them.
pub(super) fn shell_line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b',' | b':');
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_word_for_what_it_is() {
        for (word, expected) in [("users", "users"), ("", "''"), ("a b", "'a b'"), ("it's $HOME", r"'it'\''s $HOME'")] {
            assert_eq!(quoted(word), expected);
        }
    }
}
