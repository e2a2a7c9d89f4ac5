//! `export`: all users or logs, in lines of JSON or as CSV.
//!
//! It walks as the connections do, as bulk work: a gateway beside it goes first. What was written is written: whatever ends an
//! export, a line on standard error says how to go on.

mod csv;
mod progress;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};

use self::csv::CsvWriter;
use self::progress::ProgressLine;
use super::tenant::OpenTenant;
use super::{CommandError, USAGE, is_closed, print_to_stderr, shutdown_signal};
use crate::auth0::{
    CallBudget, CallContext, CallerKey, ClientPolicy, Direction, Error, Keyset, ManagementApi, Position, Priority,
    RateClass, Searched, Walk,
};
use crate::config::{Export, ExportFormat, ExportedRecords, Serve};
use crate::deadline::Deadline;
use crate::graphql::{self, ExportSelection};

/// Time for one call, its turn included: a busy tenant lets bulk work wait.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The most failures in a row.
const FAILURES: u32 = 6;

/// Exports until everything is written, or the program is asked to stop.
pub(super) async fn run(export: Export, serve: Serve) -> Result<(), CommandError> {
    // First, so that a signal that comes while starting is not lost.
    let mut shutdown = Box::pin(shutdown_signal()?);
    let selection = selection(&export).map_err(|error| CommandError::new(USAGE, error))?;
    let keyset = keyset(&export).map_err(|error| CommandError::new(USAGE, error))?;
    let start = match &export.after {
        None => keyset.start(),
        Some(cursor) => {
            let position = keyset.position(cursor).map_err(|invalid| anyhow!("--after {}", invalid.problem));
            position.map_err(|error| CommandError::new(USAGE, error))?
        }
    };
    let mut output = Output::open(&export, selection)?;
    let tenant = OpenTenant::open(serve.tenant).await?;
    // An answer that is kept would be one that was given.
    let policy = ClientPolicy { cache_ttl: Duration::ZERO, ..serve.policy };
    let api = ManagementApi::new(tenant.settings, &policy).context("cannot set up the client of Auth0")?;
    let mut end = start.clone();
    let exported = tokio::select! {
        exported = walk(&api, &keyset, start, &export, &mut output, &mut end) => exported,
        () = &mut shutdown => Err(anyhow!("interrupted")),
    };
    output.progress.finish();
    let go_on = export.given.resumed("--after", &keyset.cursor(&end));
    let (count, records) = (output.written, searched(&export).name());
    if !exported.as_ref().is_err_and(is_closed) {
        export.given.secrets().iter().for_each(|secrets| print_to_stderr(secrets));
    }
    match exported {
        Ok(()) => print_to_stderr(&format!("{count} {records}. Those that come later: {go_on}")),
        Err(error) if is_closed(&error) => {}
        Err(error) => {
            print_to_stderr(&format!("{count} {records}, and not all: {error:#}. To go on: {go_on}"));
            return Err(CommandError::new(1, error));
        }
    }
    Ok(())
}

fn selection(export: &Export) -> anyhow::Result<ExportSelection> {
    let Export { fields, other_fields, with_credentials, .. } = export;
    Ok(ExportSelection::new(searched(export), fields, other_fields, *with_credentials)?)
}

/// True if the file has something in it, which is what an export like this one wrote: whole lines, and of CSV the same columns.
fn begins_as_expected(path: &Path, format: ExportFormat, columns: &[&str]) -> anyhow::Result<bool> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut header = Vec::new();
    if matches!(format, ExportFormat::Csv) {
        drop(CsvWriter::new(&mut header, Some(columns))?);
    }
    let mut beginning = vec![0; header.len()];
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    file.seek(SeekFrom::Start(0))?;
    if length < header.len() as u64 || last != *b"\n" {
        bail!("{} ends within a line, which would be gone on with: take that line away first", path.display());
    }
    file.read_exact(&mut beginning)?;
    if beginning != header {
        bail!("{} does not begin with the columns of this export", path.display());
    }
    Ok(true)
}

fn searched(export: &Export) -> Searched {
    match export.records {
        ExportedRecords::Users => Searched::Users,
        ExportedRecords::Logs => Searched::Logs,
    }
}

fn keyset(export: &Export) -> anyhow::Result<Keyset> {
    let condition = graphql::search_condition(searched(export), export.q.as_deref(), export.filter.as_deref());
    let condition = condition.map_err(|failure| anyhow!("{}", failure.message))?;
    let keyset = match searched(export) {
        Searched::Users => Keyset::users(condition, Direction::Ascending),
        Searched::Logs => Keyset::logs(condition),
    };
    keyset.map_err(|invalid| anyhow!("{invalid}"))
}

/// Walks to the end. `end` is behind all that was written.
async fn walk(
    api: &ManagementApi,
    keyset: &Keyset,
    start: Position,
    export: &Export,
    output: &mut Output,
    end: &mut Position,
) -> anyhow::Result<()> {
    let fields = output.selection.fields();
    let is_whole = start == keyset.start();
    let mut walk = keyset.walk(start);
    // Records behind a cursor cannot be counted.
    if is_whole && output.progress.is_shown() {
        count(api, &walk, &mut output.progress).await;
    }
    let mut failures = 0;
    while !walk.is_done() {
        match walk.next(api, usize::MAX, false, &fields, &call_context()).await {
            Ok(batch) => {
                failures = 0;
                if batch.unplaced > 0 {
                    bail!("{} records have no id or no date of creation, and cannot be put in order", batch.unplaced);
                }
                for (record, _) in &batch.records {
                    output.write(record)?;
                }
                output.flush()?;
                output.progress.answered(output.written, calls_per_second(api, searched(export)));
                *end = walk.position();
            }
            Err(error) if is_transient(&error) && failures < FAILURES => {
                failures += 1;
                tokio::time::sleep(wait_after(&error, failures)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    *end = walk.position();
    Ok(())
}

/// Has Auth0 count the records, for the progress alone: an export goes on without.
async fn count(api: &ManagementApi, walk: &Walk<'_>, progress: &mut ProgressLine) {
    match walk.count(api, &call_context()).await {
        Ok(counted) => counted.into_iter().for_each(|counted| progress.count(counted)),
        Err(error) => tracing::debug!(%error, "the records are not counted"),
    }
}

/// The context of a call, as bulk work.
fn call_context() -> CallContext {
    let mut context = CallContext::new(Deadline::within(CALL_TIMEOUT), CallerKey::default(), CallBudget::new(u32::MAX));
    context.priority = Priority::Bulk;
    context
}

/// The number of calls that the tenant's rate limit gives in a second, if it is known.
fn calls_per_second(api: &ManagementApi, searched: Searched) -> Option<f64> {
    let class = match searched {
        Searched::Users => RateClass::Users,
        Searched::Logs => RateClass::Logs,
    };
    api.rate_limits().into_iter().find(|bucket| bucket.classes.contains(&class))?.refill_per_second
}

fn is_transient(error: &Error) -> bool {
    matches!(error, Error::Timeout | Error::Unavailable(_) | Error::RateLimited { .. })
}

fn wait_after(error: &Error, failures: u32) -> Duration {
    error.wait().unwrap_or_else(|| Duration::from_secs(1 << failures.min(5)))
}

/// The file or standard output, and how far it is.
struct Output {
    format: Format,
    selection: ExportSelection,
    progress: ProgressLine,
    count: u64,
    /// The records up to the last call's end.
    written: u64,
}

enum Format {
    Lines(Box<dyn Write + Send>),
    Csv(Box<CsvWriter<Box<dyn Write + Send>>>),
}

impl Output {
    /// Opens the file. One that goes on is added to; else it must not be there yet.
    fn open(export: &Export, selection: ExportSelection) -> anyhow::Result<Self> {
        let goes_on = export.after.is_some();
        let (out, is_begun): (Box<dyn Write + Send>, bool) = match &export.out {
            None => (Box::new(io::stdout()), goes_on),
            Some(path) => {
                let mut options = OpenOptions::new();
                options.append(true).create(goes_on).create_new(!goes_on);
                // Personal data: for nobody else on this machine.
                #[cfg(unix)]
                options.mode(0o600);
                let file = options.open(path).with_context(|| {
                    format!(
                        "cannot write to {}, which must not be there yet unless --after goes on with it",
                        path.display()
                    )
                })?;
                (Box::new(file), begins_as_expected(path, export.format, &selection.columns())?)
            }
        };
        let out: Box<dyn Write + Send> = Box::new(BufWriter::new(out));
        let format = match export.format {
            ExportFormat::Ndjson => Format::Lines(out),
            ExportFormat::Csv => {
                Format::Csv(Box::new(CsvWriter::new(out, (!is_begun).then_some(&selection.columns()))?))
            }
        };
        let is_shown = io::stderr().is_terminal() && (export.out.is_some() || !io::stdout().is_terminal());
        let progress = ProgressLine::new(is_shown, searched(export).name());
        Ok(Self { format, selection, progress, count: 0, written: 0 })
    }

    fn write(&mut self, record: &[u8]) -> anyhow::Result<()> {
        match &mut self.format {
            Format::Lines(out) => {
                let mut line = Vec::with_capacity(record.len() + 1);
                self.selection.write(record, &mut line)?;
                // Between values alone: within a text, a line end is written as `\n`.
                line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
                line.push(b'\n');
                out.write_all(&line)?;
            }
            Format::Csv(out) => out.write(self.selection.values(record)?)?,
        }
        self.count += 1;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.format {
            Format::Lines(out) => out.flush()?,
            Format::Csv(out) => out.flush()?,
        }
        self.written = self.count;
        Ok(())
    }
}
