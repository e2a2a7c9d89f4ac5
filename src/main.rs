//! The program: read the settings, start the runtime, run the command, exit.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use auth0_graphql::command::{self, CommandError};
use auth0_graphql::config;
use tokio::runtime::{Builder, Runtime};

// Measured: about a third of an operation's time against the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// Not `#[tokio::main]`: reading the settings puts .env into the environment, which must happen before there are threads.
fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        // There is nowhere to report that standard error is closed.
        let _ = writeln!(io::stderr(), "{error}");
        error.exit_code()
    })
}

fn run() -> Result<ExitCode, CommandError> {
    let invocation = match config::read() {
        Ok(invocation) => invocation,
        Err(error) => return command::refuse(error),
    };
    let runtime = runtime().context("cannot start the async runtime")?;
    let outcome = runtime.block_on(command::run(invocation));
    // Dropping the runtime would wait for name look-ups that nobody waits for any more.
    runtime.shutdown_background();
    outcome
}

/// A runtime for this machine. On a single core threads would do nothing but hand work to each other, for an eighth of what an operation
/// costs.
fn runtime() -> io::Result<Runtime> {
    let has_one_core = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder = if has_one_core { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}
