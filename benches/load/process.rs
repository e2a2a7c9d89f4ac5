//! A server as a process: pinned to a core, watched through `/proc`, ended with the benchmark.

use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::time::sleep;

/// Ticks per second in `/proc/PID/stat`: Linux tells user space 100 whatever its own clock does.
const TICKS: f64 = 100.0;

/// The longest time that a server may take to start.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running server. Dropping it ends it.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The time at which it was told to start.
    pub(crate) started: Instant,
}

impl Process {
    /// Starts `command`, which is to listen on `address`.
    pub(crate) fn start(mut command: Command, address: SocketAddr, is_verbose: bool) -> Result<Self> {
        let stderr = if is_verbose { Stdio::inherit() } else { Stdio::null() };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot run {}", command.get_program().display()))?;
        Ok(Self { child, address, started })
    }

    /// Waits until the server takes connections.
    pub(crate) async fn listening(&mut self) -> Result<()> {
        loop {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status}) instead of serving; --verbose shows what it says");
            }
            if self.started.elapsed() > TIMEOUT {
                bail!("it did not listen within {} s", TIMEOUT.as_secs());
            }
            sleep(Duration::from_micros(500)).await;
        }
    }

    /// The CPU time that it has used, all threads together.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        // The second field is a name in brackets, which may hold blanks; user and system time are the 14th and 15th.
        let behind = stat.rsplit_once(')').context("unreadable /proc/PID/stat")?.1;
        let ticks = behind.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_secs_f64(ticks as f64 / TICKS))
    }

    /// Resident memory now, in MiB.
    pub(crate) fn resident(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    /// The most resident memory that it ever had, in MiB.
    pub(crate) fn peak(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> Result<f64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)).context("unreadable /proc/PID/status")?;
        let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kibibytes / 1024.0)
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(file)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs `program` on `cores` only, where `taskset` can see to that.
pub(crate) fn pinned(cores: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    match cores {
        Some(cores) => {
            let mut command = Command::new("taskset");
            command.arg("-c").arg(cores).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Keeps this process, and the threads that it will start, to `cores`. False where that cannot be had.
pub(crate) fn pin_self(cores: &str) -> bool {
    let id = std::process::id().to_string();
    let taskset =
        Command::new("taskset").args(["-cp", cores, &id]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    taskset.is_ok_and(|status| status.success())
}

/// An address of the loopback interface that is free, or was a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Builds the gateway as it is shipped, and returns its path.
///
/// Cargo builds binaries for a benchmark too, but with what the features of development dependencies add to shared
/// libraries (tokio's clock for tests, for one): not what is shipped.
pub(crate) fn build_gateway() -> Result<PathBuf> {
    let cargo = Command::new(env!("CARGO"))
        .args(["build", "--profile", "dist", "--bin", "auth0-graphql", "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(cargo.status.success(), "the gateway cannot be built");
    let executable = |line: &[u8]| {
        let message: Value = serde_json::from_slice(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    };
    cargo.stdout.split(|byte| *byte == b'\n').find_map(executable).context("cargo does not say where the gateway is")
}
