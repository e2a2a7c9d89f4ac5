//! `tail`: logs as they happen, a line each.
//!
//! A single subscription serves either way: an engine of this process answers it with the tenant's own logs, or a gateway by Server-Sent
//! Events. Whatever ends it, a line on standard error says how to go on.

mod event_parser;
mod gateway;
mod line;
mod response;
mod tenant;

use std::io::{self, Write as _};
use std::pin::Pin;

use anstream::{AutoStream, ColorChoice};
use anyhow::{Context as _, anyhow};
use serde_json::{Map, Value, json};

use self::gateway::GatewayStream;
use self::line::{LineFormat, printable};
use self::response::{Ending, ParsedResponse, Received};
use self::tenant::TenantStream;
use super::{CommandError, USAGE, is_closed, print_to_stderr, shutdown_signal};
use crate::config::{Tail, TailSource};
use crate::graphql::is_known_log_type;
use crate::telemetry;

/// Prints logs until the program is asked to stop, or nobody reads any more.
pub(super) async fn run(tail: &Tail, source: TailSource) -> Result<(), CommandError> {
    // First, so that a signal that comes while starting is not lost.
    let mut shutdown = Box::pin(shutdown_signal()?);
    let format = match tail.json {
        true => LineFormat::Json,
        false => LineFormat::Text { has_colors: AutoStream::choice(&io::stdout()) != ColorChoice::Never },
    };
    for kind in tail.types.iter().filter(|kind| !is_known_log_type(kind)) {
        print_to_stderr(&format!(
            "Warning: --type {} is no type of log that this program knows. It may be misspelled.",
            printable(kind)
        ));
    }
    let subscription = Subscription::new(tail, format);
    let mut source = match source {
        TailSource::Tenant(serve) => {
            telemetry::init(&serve.log.of_command())?;
            Source::Tenant(Box::new(TenantStream::open(*serve, subscription).await?))
        }
        TailSource::Gateway(endpoint, log) => {
            telemetry::init(&log.of_command())?;
            Source::Gateway(Box::new(GatewayStream::new(endpoint, subscription)?))
        }
    };
    let mut position = tail.from.clone();
    let ended = follow(&mut source, format, &mut position, shutdown.as_mut()).await;
    if ended.as_ref().is_err_and(|ended| is_closed(&ended.error)) {
        return Ok(());
    }
    // Nothing goes on from what was refused.
    let is_refused = ended.as_ref().is_err_and(|ended| ended.exit_code == USAGE);
    if let Some(position) = position.filter(|_| !is_refused) {
        tail.given.secrets().iter().for_each(|secrets| print_to_stderr(secrets));
        print_to_stderr(&format!("To go on: {}", tail.given.resumed("--from", &printable(&position))));
    }
    ended
}

/// Prints what comes. `position` is the log to resume after, all before which has been printed.
async fn follow(
    source: &mut Source,
    format: LineFormat,
    position: &mut Option<String>,
    mut shutdown: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), CommandError> {
    loop {
        let received = tokio::select! {
            received = source.next() => received?,
            () = &mut shutdown => {
                // Logs that were left out since the last line need not be read again.
                *position = source.position().or(position.take());
                return Ok(());
            }
        };
        tokio::select! {
            // Whoever stops reading must not keep the program from being stopped.
            ended = print(received, format) => {
                *position = source.position().or(position.take());
                if let Some(ending) = ended? {
                    go_on_after(&ending, source, position)?;
                }
            }
            () = &mut shutdown => return Ok(()),
        }
    }
}

/// Prints responses; returns the end of the stream, if it is among them.
async fn print(received: Vec<Received>, format: LineFormat) -> anyhow::Result<Option<Ending>> {
    let mut lines = String::new();
    for Received { body, .. } in received {
        match ParsedResponse::read(&body)? {
            ParsedResponse::Log { record, is_late } => format.write(record, is_late, &mut lines),
            ParsedResponse::Notice(message) => {
                write(std::mem::take(&mut lines)).await?;
                print_to_stderr(&printable(&message));
            }
            ParsedResponse::End(ending) => {
                write(lines).await?;
                return Ok(Some(ending));
            }
        }
    }
    write(lines).await?;
    Ok(None)
}

/// Writes lines that came together, at once.
async fn write(lines: String) -> anyhow::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let written = tokio::task::spawn_blocking(move || {
        let mut stdout = io::stdout().lock();
        stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush())
    });
    written.await?.context("cannot write to standard output")
}

/// Has a stream that ended go on, if that is of any use.
fn go_on_after(ending: &Ending, source: &mut Source, position: &mut Option<String>) -> Result<(), CommandError> {
    if let Some(from) = &ending.from {
        *position = Some(from.clone());
    }
    if ending.can_go_on() {
        return source.resume(position.clone(), &ending.message);
    }
    let error = anyhow!("{}", printable(&ending.message));
    Err(if ending.is_of_request() { CommandError::new(USAGE, error) } else { error.into() })
}

/// The subscription, without the place to begin at.
struct Subscription {
    document: String,
    filter: Map<String, Value>,
    from: Option<String>,
}

impl Subscription {
    fn new(tail: &Tail, format: LineFormat) -> Self {
        let document = format!(
            "subscription Tail($from: ID, $filter: LogTailFilter) {{ logs(from: $from, filter: $filter) {{ {} }} }}",
            format.selection()
        );
        let Tail { from, types, outcomes, users, clients, connections, ips, .. } = tail;
        let outcomes: Vec<_> = outcomes.iter().map(|outcome| outcome.name().to_owned()).collect();
        let conditions = [
            ("type", types),
            ("outcome", &outcomes),
            ("userId", users),
            ("clientId", clients),
            ("connection", connections),
            ("ip", ips),
        ];
        let conditions = conditions.into_iter().filter(|(_, values)| !values.is_empty());
        let filter = conditions.map(|(name, values)| (name.to_owned(), json!({ "in": values }))).collect();
        Self { document, filter, from: from.clone() }
    }

    /// Its variables. A filter with nothing in it would be refused.
    fn variables(&self) -> Value {
        let filter = (!self.filter.is_empty()).then_some(&self.filter);
        json!({ "from": self.from, "filter": filter })
    }
}

/// A place where the subscription is answered.
enum Source {
    Tenant(Box<TenantStream>),
    Gateway(Box<GatewayStream>),
}

impl Source {
    /// Waits for the next responses. Nothing is lost if it is dropped before.
    async fn next(&mut self) -> Result<Vec<Received>, CommandError> {
        match self {
            Self::Tenant(stream) => stream.next().await,
            Self::Gateway(stream) => stream.next().await,
        }
    }

    /// The log to resume after, as far as it is known.
    fn position(&self) -> Option<String> {
        match self {
            Self::Tenant(stream) => stream.position(),
            Self::Gateway(stream) => stream.position(),
        }
    }

    /// Begins anew after a log, since the stream has ended for `reason`.
    fn resume(&mut self, from: Option<String>, reason: &str) -> Result<(), CommandError> {
        match self {
            Self::Tenant(stream) => {
                stream.resume(from);
                Ok(())
            }
            Self::Gateway(stream) => stream.resume(from, reason),
        }
    }
}
