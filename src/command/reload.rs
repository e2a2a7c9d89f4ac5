//! SIGHUP: what can be read anew is, while requests go on.

use std::io;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::app::{Reload, Reloader};
use crate::config::{self, ConfigError, Serve, Tenant};
use crate::deadline::Deadline;
use crate::telemetry::Log;

/// Longest time for reading the files: a disk may hang, and each secret may come from a pipe that nobody writes to.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// Reloads at each SIGHUP, for as long as it is polled.
///
/// The handler is set when this is called, not when the future is first polled: without one the signal would end the program.
#[cfg(unix)]
pub(super) fn on_hangup() -> io::Result<impl FnOnce(Reloader, Log) -> tokio::task::JoinHandle<()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())?;
    Ok(move |reloader: Reloader, log: Log| {
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                // A task of its own: the next signal is heeded, whatever becomes of this one.
                if let Err(error) = tokio::spawn(reload(reloader.clone(), log.clone())).await {
                    tracing::error!(is_panic = error.is_panic(), "the reload failed");
                }
            }
        })
    })
}

/// There is no such signal here.
#[cfg(not(unix))]
pub(super) fn on_hangup() -> io::Result<impl FnOnce(Reloader, Log) -> tokio::task::JoinHandle<()>> {
    Ok(|_: Reloader, _: Log| tokio::spawn(std::future::pending()))
}

/// Opens the audit's file anew, and takes what the other files hold: all of it, or none if anything is wrong with it.
async fn reload(reloader: Reloader, log: Log) {
    // Requests go on meanwhile, on a single core, too.
    let read = spawn_blocking(move || (log.reopen(), config::read_again()));
    let (reopened, read) = match Deadline::within(READ_TIMEOUT).limit(read).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            tracing::error!(is_panic = error.is_panic(), "cannot reload: everything stays as it was");
            return;
        }
        Err(_) => {
            tracing::error!(timeout = ?READ_TIMEOUT, "cannot reload, for the files cannot be read in time: secrets stay as they were");
            return;
        }
    };
    if let Err(error) = reopened {
        tracing::error!(%error, "AUDIT_FILE cannot be opened anew: the file from before is written on");
    }
    match read {
        Ok(serve) => {
            for warning in serve.warnings() {
                tracing::warn!("{warning}");
            }
            reloader.reload(replaceable(serve));
            tracing::info!("reloaded: credentials for Auth0, API keys, INGEST_TOKEN, certificate, trusted documents");
        }
        Err(ConfigError::Problems(problems)) => {
            for (setting, fault) in problems.iter() {
                tracing::error!(setting, fault, "cannot reload: everything stays as it was");
            }
        }
        Err(error) => tracing::error!(%error, "cannot reload: everything stays as it was"),
    }
}

fn replaceable(serve: Serve) -> Reload {
    let authentication = match serve.tenant {
        Tenant::Auth0(settings) => Some(settings.authentication),
        #[cfg(feature = "sandbox")]
        Tenant::Sandbox { .. } => None,
    };
    let http = serve.server.http;
    Reload {
        authentication,
        api_keys: serve.auth.api_keys,
        certificate: http.certificate,
        ingest_token: http.ingest_token,
    }
}
