//! The figures, as a table for people and as JSON for the record.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::client::Yield;
use crate::scenario::Scenario;
use crate::servers::{Environment, Server};

/// Everything that was measured.
pub(crate) struct Report {
    machine: String,
    cores: Option<String>,
    rounds: usize,
    time: Duration,
    pub(crate) starts: Vec<Start>,
    pub(crate) rows: Vec<Row>,
    notes: Vec<String>,
    gateway_failed: bool,
}

/// The start of a server.
pub(crate) struct Start {
    pub(crate) server: Server,
    /// The time from the start of the process to the first right answer, in milliseconds.
    pub(crate) first_answer_ms: f64,
    /// Resident memory after that answer, in MiB.
    pub(crate) idle_mib: f64,
}

/// A server in a scenario.
pub(crate) struct Row {
    server: Server,
    scenario: &'static Scenario,
    rounds: Vec<Round>,
    pub(crate) answer_bytes: usize,
    /// The most resident memory since the process began, in MiB.
    pub(crate) peak_mib: f64,
}

struct Round {
    cpu_us: f64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    calls: f64,
    /// Resident memory at its end, in MiB.
    resident_mib: f64,
}

impl Row {
    pub(crate) fn new(server: Server, scenario: &'static Scenario) -> Self {
        Self { server, scenario, rounds: Vec::new(), answer_bytes: 0, peak_mib: 0.0 }
    }

    pub(crate) fn add(&mut self, load: &Yield, cpu: Duration, calls: u64, resident_mib: f64) {
        let operations = load.operations as f64;
        self.rounds.push(Round {
            cpu_us: cpu.as_secs_f64() * 1e6 / operations,
            per_second: load.per_second(),
            p50_ms: load.percentile(0.50),
            p99_ms: load.percentile(0.99),
            calls: calls as f64 / operations,
            resident_mib,
        });
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(&mut self.rounds.iter().map(of).collect::<Vec<_>>())
    }

    fn cpu_us(&self) -> f64 {
        self.median(|round| round.cpu_us)
    }

    /// The spread of the rounds, as a share of the median.
    fn spread(&self) -> f64 {
        let all = || self.rounds.iter().map(|round| round.cpu_us);
        (all().fold(0.0, f64::max) - all().fold(f64::INFINITY, f64::min)) / self.cpu_us()
    }
}

/// The median; zero of nothing.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

impl Report {
    pub(crate) fn new(environment: &Environment, rounds: usize, time: Duration) -> Self {
        Self {
            machine: machine(),
            cores: environment.cores.clone(),
            rounds,
            time,
            starts: Vec::new(),
            rows: Vec::new(),
            notes: Vec::new(),
            gateway_failed: false,
        }
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(crate) fn fail(&mut self, server: Server, scenario: &Scenario, error: &anyhow::Error) {
        self.gateway_failed |= server == Server::Gateway;
        self.note(format!("{} failed in {}: {error:#}", server.name(), scenario.name));
    }

    pub(crate) fn gateway_failed(&self) -> bool {
        self.gateway_failed || self.starts.is_empty()
    }

    /// The gateway's cost in the same scenario, in this run.
    fn gateway(&self, scenario: &Scenario) -> Option<f64> {
        let row = |row: &&Row| row.server == Server::Gateway && row.scenario.name == scenario.name;
        self.rows.iter().find(row).map(Row::cpu_us)
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{}; server on {}; {} of {} s, medians\n\n",
            self.machine,
            self.cores.as_ref().map_or("any core".to_owned(), |cores| format!("core {cores}")),
            if self.rounds == 1 { "one round".to_owned() } else { format!("{} rounds", self.rounds) },
            self.time.as_secs(),
        );
        let mut line = |line: String| {
            text.push_str(line.trim_end());
            text.push('\n');
        };
        line(format!("{:<14} {:>15} {:>10}", "server", "first answer ms", "idle MiB"));
        for Start { server, first_answer_ms, idle_mib } in &self.starts {
            line(format!("{:<14} {first_answer_ms:>15.1} {idle_mib:>10.1}", server.name()));
        }
        line(String::new());
        line(format!(
            "{:<6} {:<14} {:>9} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "load", "server", "CPU us/op", "spread", "x", "op/s", "p50 ms", "p99 ms", "calls/op", "bytes", "peak MiB"
        ));
        for row in &self.rows {
            let times =
                self.gateway(row.scenario).map_or(String::new(), |gateway| format!("{:.2}", row.cpu_us() / gateway));
            line(format!(
                "{:<6} {:<14} {:>9.1} {:>6.0}% {times:>6} {:>9.0} {:>9.2} {:>9.2} {:>9} {:>9} {:>9.1}",
                row.scenario.name,
                row.server.name(),
                row.cpu_us(),
                row.spread() * 100.0,
                row.median(|round| round.per_second),
                row.median(|round| round.p50_ms),
                row.median(|round| round.p99_ms),
                calls(row.median(|round| round.calls)),
                row.answer_bytes,
                row.peak_mib,
            ));
        }
        let asked = self.rows.iter().filter(|row| row.server == Server::Gateway);
        for row in asked.filter(|row| row.scenario.budget.is_some_and(|budget| row.cpu_us() > budget)) {
            let budget = row.scenario.budget.unwrap_or_default();
            line(format!("{} takes {:.0} us where {budget:.0} are asked", row.scenario.name, row.cpu_us()));
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let starts = self.starts.iter().map(|start| {
            json!({
                "server": start.server.name(),
                "first_answer_ms": start.first_answer_ms,
                "idle_mib": start.idle_mib,
            })
        });
        let rows = self.rows.iter().map(|row| {
            json!({
                "scenario": row.scenario.name,
                "about": row.scenario.about,
                "identical": row.scenario.is_identical,
                "connections": row.scenario.connections,
                "upstream_latency_ms": row.scenario.latency.as_millis() as u64,
                "server": row.server.name(),
                "cpu_us_per_operation": row.cpu_us(),
                "cpu_us_per_operation_rounds": row.rounds.iter().map(|round| round.cpu_us).collect::<Vec<_>>(),
                "cpu_us_per_operation_asked": row.scenario.budget,
                "times_the_gateway": self.gateway(row.scenario).map(|gateway| row.cpu_us() / gateway),
                "operations_per_second": row.median(|round| round.per_second),
                "p50_ms": row.median(|round| round.p50_ms),
                "p99_ms": row.median(|round| round.p99_ms),
                "upstream_calls_per_operation": row.median(|round| round.calls),
                "answer_bytes": row.answer_bytes,
                "resident_mib_rounds": row.rounds.iter().map(|round| round.resident_mib).collect::<Vec<_>>(),
                "peak_mib": row.peak_mib,
            })
        });
        json!({
            "date": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            "machine": self.machine,
            "server_cores": self.cores,
            "rounds": self.rounds,
            "seconds": self.time.as_secs(),
            "starts": starts.collect::<Vec<_>>(),
            "scenarios": rows.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

fn calls(per_operation: f64) -> String {
    if per_operation > 0.0 && per_operation < 0.01 {
        format!("{per_operation:.5}")
    } else {
        format!("{per_operation:.2}")
    }
}

fn machine() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<_> = information
        .lines()
        .filter_map(|line| Some(line.strip_prefix("model name")?.trim_start().strip_prefix(':')?.trim()))
        .collect();
    format!("{} x {}", models.len(), models.first().unwrap_or(&"unknown processor"))
}
