//! A Redis of the benchmark's own, on loopback, and what it tells of its work.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use redis::{Client, Connection};

use crate::process::{Process, free_address};
use crate::replicas::Environment;

/// Commands of this benchmark, and of connections as they begin.
const OWN: [&str; 4] = ["info", "config", "client", "hello"];

/// A Redis that ends with the benchmark.
pub(crate) struct Server {
    program: PathBuf,
    process: Option<Process>,
    address: SocketAddr,
}

/// Work of a Redis since its statistics were reset.
pub(crate) struct Work {
    pub(crate) commands: BTreeMap<String, u64>,
    /// Bytes that it read and wrote.
    pub(crate) bytes: u64,
    /// Memory that it takes now, in bytes.
    pub(crate) memory: u64,
}

impl Work {
    /// Commands, all together.
    pub(crate) fn total(&self) -> u64 {
        self.commands.values().sum()
    }

    /// Commands per operation, those that are run most first.
    pub(crate) fn each(&self, operations: u64) -> String {
        let mut commands: Vec<_> = self.commands.iter().collect();
        commands.sort_by_key(|(_, calls)| std::cmp::Reverse(**calls));
        let each = |(name, calls): (&String, &u64)| format!("{name} {:.2}", *calls as f64 / operations.max(1) as f64);
        commands.into_iter().take(6).map(each).collect::<Vec<_>>().join(", ")
    }
}

impl Server {
    pub(crate) async fn start(environment: &Environment) -> Result<Self> {
        let mut server = Self { program: environment.redis_server.clone(), process: None, address: free_address()? };
        server.restart().await?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Ends it, as a machine does that loses power.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it where it was, empty.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]);
        command.arg(self.address.port().to_string()).current_dir(std::env::temp_dir());
        let mut process = Process::start(command, self.address, false).context("a redis-server is needed")?;
        process.listening().await?;
        self.process = Some(process);
        Ok(())
    }

    /// Sets a bound on its memory; 0 for none.
    pub(crate) fn set_max_memory(&self, bytes: u64) -> Result<()> {
        let mut command = redis::cmd("CONFIG");
        Ok(command.arg("SET").arg("maxmemory").arg(bytes).query(&mut self.connection()?)?)
    }

    pub(crate) fn reset(&self) -> Result<()> {
        Ok(redis::cmd("CONFIG").arg("RESETSTAT").query(&mut self.connection()?)?)
    }

    /// The work since the last reset, without these questions themselves.
    pub(crate) fn work(&self) -> Result<Work> {
        let mut connection = self.connection()?;
        let info: String = redis::cmd("INFO").arg("everything").query(&mut connection)?;
        let number = |name: &str| -> Result<u64> {
            let line = info.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            Ok(line.trim().parse()?)
        };
        Ok(Work {
            commands: commands(&info)?,
            bytes: number("total_net_input_bytes:")? + number("total_net_output_bytes:")?,
            memory: number("used_memory:")?,
        })
    }

    fn connection(&self) -> Result<Connection> {
        Ok(Client::open(self.url())?.get_connection()?)
    }
}

/// Commands by their name, those that scripts run among them.
fn commands(info: &str) -> Result<BTreeMap<String, u64>> {
    let lines = info.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    let commands = lines.map(|(name, rest)| Ok((name.to_owned(), rest.split(',').next().unwrap_or_default().parse()?)));
    let mut commands: BTreeMap<_, _> = commands.collect::<Result<_>>()?;
    commands.retain(|name, _| !OWN.iter().any(|own| name.starts_with(own)));
    Ok(commands)
}
