//! Commands of the program, a file each; the shorter ones are here.

mod banner;
mod doctor;
mod export;
mod health;
mod reload;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod tail;
mod tenant;

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{ConfigError, Invocation, Problems};
use crate::{graphql, telemetry};

/// `EX_USAGE` of sysexits.h: the command or its settings are wrong.
const USAGE: u8 = 64;
/// `EX_UNAVAILABLE` of sysexits.h: the address cannot be listened on, or nothing listens where something should.
const UNAVAILABLE: u8 = 69;

/// A command failed. `Display` is for the operator.
#[derive(Debug)]
pub struct CommandError {
    exit_code: u8,
    error: anyhow::Error,
}

impl CommandError {
    fn new(exit_code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { exit_code, error: error.into() }
    }

    /// The code that the program exits with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        self.exit_code.into()
    }
}

impl<E: Into<anyhow::Error>> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::new(1, error)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "auth0-graphql: {:#}", self.error)
    }
}

/// Runs a command to its end.
///
/// # Errors
///
/// Whatever keeps the command from its work, with the exit code for it.
pub async fn run(invocation: Invocation) -> Result<ExitCode, CommandError> {
    match invocation {
        Invocation::Schema { federation: false } => print(&graphql::sdl())?,
        Invocation::Schema { federation: true } => print(&graphql::subgraph_sdl())?,
        Invocation::Template(template) => print(&template)?,
        Invocation::Config { report, problems } => print_config(&report, problems)?,
        Invocation::Doctor { serve, json, strict } => return doctor::run(serve, json, strict).await,
        Invocation::Export(export, serve) => {
            telemetry::init(&serve.log)?;
            export::run(export, *serve).await?;
        }
        Invocation::Tail(tail, source) => tail::run(&tail, source).await?,
        Invocation::Health(probe) => return health::run(probe).await,
        Invocation::Check(serve) => serve::check(*serve)?,
        Invocation::Serve(serve) => {
            let telemetry = telemetry::init(&serve.log)?;
            serve::run(*serve, telemetry.log.clone()).await?;
        }
        #[cfg(feature = "sandbox")]
        Invocation::Sandbox(serve) => {
            telemetry::init(&serve.log)?;
            sandbox::run(serve).await?;
        }
        #[cfg(feature = "sandbox")]
        Invocation::SandboxToken { request, url } => sandbox::print_token(request, &url).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells that there is no command to run. Help and version, which clap counts as errors, are none.
///
/// # Errors
///
/// All others, to be told by the caller.
pub fn refuse(error: ConfigError) -> Result<ExitCode, CommandError> {
    match error {
        ConfigError::Usage(message) => {
            // A reader who left (`--help | head`) is no failure.
            let _ = message.print();
            Ok(if message.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS })
        }
        error => Err(CommandError::new(USAGE, error)),
    }
}

fn print_config(report: &str, problems: Option<Problems>) -> Result<(), CommandError> {
    print(report)?;
    let Some(problems) = problems else { return Ok(()) };
    // Apart from the report, should both go to a terminal.
    let _ = writeln!(io::stderr());
    Err(CommandError::new(USAGE, problems))
}

/// Writes to standard output. A reader who left (`schema | head`) is no failure; `print!` would panic.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Prints something beside what the command prints, for the operator.
fn print_to_stderr(text: &str) {
    // There is nowhere to report that standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

/// True if the reader left, as `head` does.
fn is_closed(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).await.map_err(|error| {
        let error = anyhow::anyhow!("cannot listen on {address}: {error}. --port takes another port");
        CommandError::new(UNAVAILABLE, error)
    })
}

/// Resolves when the program is asked to stop.
///
/// The handlers are set when this is called, not when the future is first polled.
fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut signals = ShutdownSignals::new()?;
    Ok(async move { signals.next().await })
}

/// The signals by which the program is asked to stop: Ctrl-C and SIGTERM.
#[cfg(unix)]
struct ShutdownSignals {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl ShutdownSignals {
    /// Sets the handlers: from now on a signal does not end the program by itself.
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signal by which the program is asked to stop: Ctrl-C.
#[cfg(not(unix))]
struct ShutdownSignals;

#[cfg(not(unix))]
impl ShutdownSignals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
