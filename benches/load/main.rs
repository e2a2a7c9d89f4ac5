//! The load benchmark: what an operation costs the gateway, and servers beside it. `benches/README.md` says how to read it.
//!
//! ```sh
//! cargo bench --bench load -- --quick
//! ```
//!
//! One process is the load and Auth0's stand-in, kept to one core; the server that is measured has another to itself. CPU
//! time is read from the server's process, so that what else the machine does matters little.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod answer;
mod client;
mod http;
mod process;
mod report;
mod scenario;
mod servers;
mod standin;
mod tenant;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::{Args, Parser, Subcommand};

use self::client::{Connection, Question, load};
use self::process::Process;
use self::report::{Report, Row, Start, median};
use self::scenario::Scenario;
use self::servers::{Environment, Inner, Server};
use self::standin::StandIn;
use self::tenant::Tenant;

// The gateway's own, so that the peers in this program have it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The cost of an operation to the gateway, and to servers beside it.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    serve: Option<Serve>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Serve {
    /// Serve a peer, for the benchmark itself.
    #[command(hide = true)]
    Serve { server: Inner, address: SocketAddr, upstream: String },
}

#[derive(Args)]
struct Options {
    /// One short round of everything: a look, not a measurement.
    #[arg(long)]
    quick: bool,

    /// Scenarios to run, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    scenario: Vec<String>,

    /// Run the scenarios that show how the cost grows with pages and connections.
    #[arg(long, conflicts_with = "scenario")]
    growth: bool,

    /// Measure every server that can be had on this machine beside the gateway.
    #[arg(long)]
    peers: bool,

    /// Servers to measure, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "gateway", conflicts_with = "peers")]
    servers: Vec<Server>,

    /// Write the figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Length of a round, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    seconds: u64,

    /// Rounds of every scenario; the median is reported.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    rounds: usize,

    /// The cores that servers run on, as taskset takes them.
    #[arg(long, value_name = "LIST", default_value = "0")]
    server_cores: String,

    /// The cores that the load and the upstream run on.
    #[arg(long, value_name = "LIST", default_value = "1")]
    load_cores: String,

    /// The gateway to measure, instead of building it first.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,

    /// The tailcall to measure, where that of its npm package does not run: it needs glibc 2.39.
    #[arg(long, value_name = "FILE")]
    tailcall: Option<PathBuf>,

    /// Show what servers write to standard error.
    #[arg(long)]
    verbose: bool,

    /// Given by `cargo bench`, and by nothing else.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let Cli { serve, options } = Cli::parse();
    let runtime = |workers: bool| {
        let mut builder = if workers {
            tokio::runtime::Builder::new_multi_thread()
        } else {
            tokio::runtime::Builder::new_current_thread()
        };
        builder.enable_all().build()
    };
    if let Some(Serve::Serve { server, address, upstream }) = serve {
        // As the gateway runs: a thread for every core that it may use.
        runtime(true)?.block_on(servers::serve(server, address, upstream))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !options.bench {
        // `cargo test --benches` comes by here too.
        eprintln!("nothing is measured: run `cargo bench --bench load`");
        return Ok(ExitCode::SUCCESS);
    }
    let gateway = match &options.gateway {
        Some(gateway) => gateway.canonicalize().context("there is no such gateway")?,
        None => process::build_gateway()?,
    };
    let has_cores = std::thread::available_parallelism()?.get() > 1 && process::pin_self(&options.load_cores);
    if !has_cores {
        eprintln!("nothing is pinned to a core: that needs two cores and taskset (util-linux)");
    }
    // Threads come only now, when the process is where it is to stay.
    runtime(false)?.block_on(run(options, gateway, has_cores))
}

async fn run(options: Options, gateway: PathBuf, has_cores: bool) -> Result<ExitCode> {
    let tenant = Arc::new(Tenant::read().await.context("cannot read the sandbox's tenant")?);
    let stand_in = StandIn::start(Arc::clone(&tenant))?;
    let directory = std::env::temp_dir().join(format!("auth0-graphql-load-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let bench = Bench {
        environment: Environment {
            gateway,
            tailcall: options.tailcall.clone(),
            cores: has_cores.then(|| options.server_cores.clone()),
            is_verbose: options.verbose,
            upstream: stand_in.url(),
            directory: directory.clone(),
        },
        tenant,
        stand_in,
        rounds: if options.quick { 1 } else { options.rounds.max(1) },
        time: if options.quick { Duration::from_secs(1) } else { Duration::from_secs(options.seconds.max(1)) },
    };
    let report = bench.measure(&options).await;
    // Nothing but what was put there is in it.
    let _ = std::fs::remove_dir_all(directory);
    let report = report?;
    println!("\n{}", report.text());
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report.json())?)?;
    }
    Ok(if report.gateway_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Bench {
    environment: Environment,
    tenant: Arc<Tenant>,
    stand_in: StandIn,
    rounds: usize,
    time: Duration,
}

impl Bench {
    async fn measure(&self, options: &Options) -> Result<Report> {
        let scenarios = chosen(options)?;
        let mut servers = if options.peers { Server::ALL.to_vec() } else { options.servers.clone() };
        let mut report = Report::new(&self.environment, self.rounds, self.time);
        servers.retain(|server| {
            let prepared = server.prepare();
            if let Err(error) = &prepared {
                report.note(format!("{} is left out: {error:#}", server.name()));
            }
            prepared.is_ok()
        });
        for &server in &servers {
            eprintln!("{}: start-up", server.name());
            match self.start_up(server).await {
                Ok(start) => report.starts.push(start),
                Err(error) => report.note(format!("{} does not start: {error:#}", server.name())),
            }
        }
        servers.retain(|server| report.starts.iter().any(|start| start.server == *server));
        for scenario in scenarios {
            for &server in &servers {
                if let Some(why) = server.cannot(scenario) {
                    report.note(format!("{} is not asked {}: {why}", server.name(), scenario.name));
                    continue;
                }
                eprintln!("{}: {}, {}", server.name(), scenario.name, scenario.about);
                match self.scenario(server, scenario).await {
                    Ok(row) => report.rows.push(row),
                    Err(error) => report.fail(server, scenario, &error),
                }
            }
        }
        Ok(report)
    }

    /// Measures the time from nothing to the first right answer, several times.
    async fn start_up(&self, server: Server) -> Result<Start> {
        let Some(scenario) = scenario::ALL.first() else { bail!("there are no scenarios") };
        self.stand_in.delay(Duration::ZERO);
        let (mut times, mut resident) = (Vec::new(), Vec::new());
        for _ in 0..if self.rounds == 1 { 3 } else { 7 } {
            let mut process = server.start(&self.environment)?;
            process.listening().await?;
            let request = server.request(scenario, &self.tenant, 0, process.address);
            let mut connection = Connection::open(process.address).await?;
            let answer = connection.ask(&request).await?;
            times.push(process.started.elapsed().as_secs_f64() * 1000.0);
            server.check(scenario, &self.tenant, 0, answer)?;
            resident.push(process.resident()?);
        }
        Ok(Start { server, first_answer_ms: median(&mut times), idle_mib: median(&mut resident) })
    }

    async fn scenario(&self, server: Server, scenario: &'static Scenario) -> Result<Row> {
        self.stand_in.delay(Duration::ZERO);
        let mut process = server.start(&self.environment)?;
        process.listening().await?;
        let questions = Arc::new(self.questions(server, scenario, &process).await?);
        self.stand_in.delay(scenario.latency);

        let mut connections = Vec::new();
        for _ in 0..scenario.connections {
            connections.push(Connection::open(process.address).await?);
        }
        let warm_up = self.time.min(Duration::from_secs(2));
        let (mut connections, _) = load(connections, &questions, server.is_exact(), warm_up).await?;
        let mut row = Row::new(server, scenario);
        row.answer_bytes = questions.iter().map(|question| question.answer.len()).sum::<usize>() / questions.len();
        for _ in 0..self.rounds {
            let (cpu, calls) = (process.cpu()?, self.stand_in.calls());
            let outcome = load(connections, &questions, server.is_exact(), self.time).await?;
            let (cpu, calls) = (process.cpu()? - cpu, self.stand_in.calls() - calls);
            connections = outcome.0;
            row.add(&outcome.1, cpu, calls, process.resident()?);
        }
        row.peak_mib = process.peak()?;
        Ok(row)
    }

    /// Asks everything once, and holds each answer to the tenant's records.
    async fn questions(&self, server: Server, scenario: &Scenario, process: &Process) -> Result<Vec<Question>> {
        let mut connection = Connection::open(process.address).await?;
        let mut questions = Vec::new();
        for argument in 0..scenario.arguments() {
            let request = Bytes::from(server.request(scenario, &self.tenant, argument, process.address));
            let answer = Bytes::copy_from_slice(connection.ask(&request).await?);
            server
                .check(scenario, &self.tenant, argument, &answer)
                .with_context(|| format!("the answer to number {argument} is wrong"))?;
            questions.push(Question { request, answer });
        }
        Ok(questions)
    }
}

fn chosen(options: &Options) -> Result<Vec<&'static Scenario>> {
    let names: Vec<&str> = match options {
        Options { growth: true, .. } => scenario::GROWTH.to_vec(),
        Options { scenario, .. } if scenario.is_empty() => scenario::USUAL.to_vec(),
        Options { scenario, .. } => scenario.iter().map(String::as_str).collect(),
    };
    let find = |name: &str| {
        let known = || scenario::ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
        let found = scenario::ALL.iter().find(|scenario| scenario.name.eq_ignore_ascii_case(name));
        found.with_context(|| format!("there is no scenario {name}; there are {}", known()))
    };
    names.into_iter().map(find).collect()
}
