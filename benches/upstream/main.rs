//! Calls to Auth0 under load, in an outage and of exports, measured on sandbox tenants of this process: pacing, sharing, outages and exports.
//!
//! ```sh
//! cargo bench --bench upstream
//! ```
#![expect(clippy::print_stdout, reason = "a program that prints tables")]

mod environment;
mod export;
mod outage;
mod pacing;
mod report;
mod sharing;
mod soak;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use self::report::Report;

// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The gateway's calls to Auth0: pacing, sharing, outages and exports.
#[derive(Parser)]
struct Options {
    /// The time for which a crowd asks more than the plan gives, in seconds. A minute is the least: a gateway with a
    /// reserve makes some calls more at the start.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(60..=600))]
    seconds: u64,

    /// The time for which Auth0 is down, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(5..=600))]
    outage: u64,

    /// The program that exports.
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_auth0-graphql"))]
    program: PathBuf,

    /// Nothing but everything at once, with faults, for so many minutes.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(2..=60))]
    soak: Option<u64>,

    /// Write the figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Options { seconds, outage, soak, program, json, bench: _ } = Options::parse();
    let mut report = Report::default();
    if let Some(minutes) = soak {
        soak::measure(Duration::from_secs(minutes * 60), &mut report).await?;
    } else {
        pacing::measure(Duration::from_secs(seconds), &mut report).await?;
        sharing::measure(&mut report).await?;
        outage::measure(Duration::from_secs(outage), &mut report).await?;
        export::measure(&program, Duration::from_secs(seconds), &mut report).await?;
    }
    if let Some(file) = json {
        std::fs::write(&file, report.json()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    println!("{}", report.verdict());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
