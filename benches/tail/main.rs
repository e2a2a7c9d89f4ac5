//! The benchmark of the live tail: a crowd of subscribers, a gateway that is killed, an Auth0 that fails, ten thousand who wait,
//! and another way of tailing beside it. `benches/README.md` says how to read it.
//!
//! ```sh
//! cargo bench --bench tail
//! ```
//!
//! Subscribers and tenant are one process, kept to one core; the gateway has another to itself. Marks that are missed make it fail.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints tables")]

mod checkpointless;
mod delivery_record;
mod environment;
#[path = "../load/process.rs"]
mod process;
#[path = "../upstream/report.rs"]
mod report;
mod scenarios;
mod subscriber;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use self::report::Report;

// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The live tail: what it costs, and whether anything is lost or delivered twice.
#[derive(Parser)]
struct Options {
    /// Scenarios to run, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "crowd,restart,failing,idle,beside")]
    scenario: Vec<Scenario>,

    /// Length of a scenario, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=600))]
    seconds: u64,

    /// Subscribers, half of them by WebSocket and half by Server-Sent Events.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    subscribers: u32,

    /// Subscribers who wait where nothing comes.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=19_000))]
    idle: u32,

    /// Logs that the tenant makes in a second.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,

    /// The gateway to measure, instead of building it first.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,

    /// Write the figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Show what the gateway writes to standard error.
    #[arg(long)]
    verbose: bool,

    /// Given by `cargo bench`, and by nothing else.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Scenario {
    /// Many who subscribe to the same tenant.
    Crowd,
    /// The same, with a gateway that is killed and started again.
    Restart,
    /// The same, with an Auth0 that answers 429 and 503 for twenty seconds.
    Failing,
    /// Very many who wait for what does not come.
    Idle,
    /// The gateway, and a search for the newest again and again, at three rates.
    Beside,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` comes by here too.
        eprintln!("nothing is measured: run `cargo bench --bench tail`");
        return Ok(ExitCode::SUCCESS);
    }
    let program = match &options.gateway {
        Some(gateway) => gateway.canonicalize().context("there is no such gateway")?,
        None => process::build_gateway()?,
    };
    let has_cores = std::thread::available_parallelism()?.get() > 1 && process::pin_self("1");
    if !has_cores {
        eprintln!("nothing is pinned to a core: that needs two cores and taskset (util-linux)");
    }
    let environment =
        environment::Environment { program, cores: has_cores.then_some("0"), is_verbose: options.verbose };
    // Threads come only now, when the process is where it is to stay.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options, environment))
}

async fn run(options: Options, environment: environment::Environment) -> Result<ExitCode> {
    let mut report = Report::default();
    let time = Duration::from_secs(options.seconds);
    for scenario in &options.scenario {
        eprintln!("{scenario:?}");
        match scenario {
            Scenario::Crowd => {
                scenarios::crowd(&environment, options.subscribers, options.rate, time, &mut report).await?;
            }
            Scenario::Restart => {
                scenarios::restart(&environment, options.subscribers, options.rate, time, &mut report).await?;
            }
            Scenario::Failing => {
                scenarios::failing(&environment, options.subscribers, options.rate, time, &mut report).await?;
            }
            Scenario::Idle => scenarios::idle(&environment, options.idle, &mut report).await?,
            Scenario::Beside => scenarios::beside(&environment, time.min(Duration::from_secs(30)), &mut report).await?,
        }
    }
    if let Some(file) = &options.json {
        std::fs::write(file, report.json()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    println!("{}", report.verdict());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
