//! The benchmark of a fleet: gateways in processes of their own, one sandbox tenant and one Redis. `benches/README.md` says how to read it.
//!
//! ```sh
//! cargo bench --bench fleet
//! ```
//!
//! All is seen from outside: by HTTP, by metrics, by the tenant's own record of calls and by Redis' own statistics. It needs `redis-server`.
#![expect(dead_code, reason = "what is shared with the other benchmarks is more than is needed here")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints tables")]

#[path = "../tail/delivery_record.rs"]
mod delivery_record;
#[path = "../load/process.rs"]
mod process;
mod replicas;
#[path = "../upstream/report.rs"]
mod report;
mod scenarios;
mod server;
#[path = "../tail/subscriber.rs"]
mod subscriber;
mod tail;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use self::replicas::Environment;
use self::report::Report;

// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Many replicas of one tenant: what they share, and what sharing costs.
#[derive(Parser)]
struct Options {
    /// Scenarios to run, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "start,budget,latency,tail,outage")]
    scenario: Vec<Scenario>,

    /// Sizes of fleets, separated by commas; each is measured.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "4,16", value_parser = clap::value_parser!(u8).range(2..=32))]
    replicas: Vec<u8>,

    /// Length of a scenario under load, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..=600))]
    seconds: u64,

    /// The gateway to measure, instead of building it first.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,

    /// The Redis to share through, or a Valkey.
    #[arg(long, value_name = "FILE", default_value = "redis-server")]
    redis_server: PathBuf,

    /// Write the figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Tell of marks that are missed, and do not fail for them.
    #[arg(long)]
    look: bool,

    /// Show what the gateways write to standard error.
    #[arg(long)]
    verbose: bool,

    /// Given by `cargo bench`, and by nothing else.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Scenario {
    /// Tokens that are asked for by a fleet that starts, and by one of twenty that restarts.
    Start,
    /// A tenant whose plan allows less than is asked for.
    Budget,
    /// An operation of a gateway alone, and of one that shares.
    Latency,
    /// A replica that reads the tail is killed, and one is paused.
    Tail,
    /// Redis is killed under load, and is full.
    Outage,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --benches` comes by here too.
        eprintln!("nothing is measured: run `cargo bench --bench fleet`");
        return Ok(ExitCode::SUCCESS);
    }
    let program = match &options.gateway {
        Some(gateway) => gateway.canonicalize().context("there is no such gateway")?,
        None => process::build_gateway()?,
    };
    let environment = Environment { program, redis_server: options.redis_server.clone(), is_verbose: options.verbose };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options, environment))
}

async fn run(options: Options, environment: Environment) -> Result<ExitCode> {
    let mut report = Report::default();
    let time = Duration::from_secs(options.seconds);
    let sizes: Vec<_> = options.replicas.iter().map(|size| usize::from(*size)).collect();
    for scenario in &options.scenario {
        eprintln!("{scenario:?}");
        match scenario {
            Scenario::Start => scenarios::start(&environment, &sizes, &mut report).await?,
            Scenario::Budget => scenarios::budget(&environment, &sizes, time, &mut report).await?,
            Scenario::Latency => scenarios::latency(&environment, time, &mut report).await?,
            Scenario::Tail => tail::measure(&environment, &sizes, &mut report).await?,
            Scenario::Outage => {
                for &size in &sizes {
                    scenarios::outage(&environment, size, time, &mut report).await?;
                }
            }
        }
    }
    if let Some(file) = &options.json {
        std::fs::write(file, report.json()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    println!("{}", report.verdict());
    Ok(if report.is_good() || options.look { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
