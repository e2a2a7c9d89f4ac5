//! Exports of many users: by a tenant that takes as many calls as come, and by one that is free.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auth0_graphql::sandbox::{Options, Plan};
use chrono::{DateTime, TimeDelta};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::environment::{Environment, keeping_nothing};
use super::pacing::capacity;
use super::report::{Figure, Report};

/// The users, of whom one has no date of creation, and is in no export; and those of them who came in one millisecond.
const USERS: usize = 25_000;
const IMPORTED: usize = 800;

/// The time in which a paced export finds out what the bucket gives.
const START: TimeDelta = TimeDelta::seconds(10);

/// The time between two looks at a running export.
const GLANCE: Duration = Duration::from_millis(10);

pub(crate) async fn measure(program: &Path, time: Duration, report: &mut Report) -> Result<()> {
    let title = format!("export of {USERS} users, {IMPORTED} of whom were created in one millisecond");
    report.add("export", &title, &[("unlimited", whole(program).await?)]);
    let title = format!("the same from a free tenant (2 calls/s), for {} s", time.as_secs());
    report.add("paced export", &title, &[("free", part(program, time).await?)]);
    Ok(())
}

/// An export that runs.
struct Export {
    child: Child,
    file: PathBuf,
}

impl Export {
    fn start(program: &Path, environment: &Environment, name: &str) -> Result<Self> {
        let file = std::env::temp_dir().join(format!("{name}-{}.ndjson", std::process::id()));
        let client = environment.sandbox.client();
        let child = Command::new(program)
            .args(["export", "users", "--out"])
            .arg(&file)
            .env_clear()
            .env("AUTH0_DOMAIN", environment.sandbox.url())
            .env("AUTH0_CLIENT_ID", client.id)
            .env("AUTH0_CLIENT_SECRET", client.secret.expose_secret())
            .current_dir(std::env::temp_dir())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { child, file })
    }

    /// The memory that it has, in MiB; none once it has ended.
    fn memory(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
        Some(kib.parse::<f64>().ok()? / 1024.0)
    }

    fn has_written(&self) -> bool {
        fs::metadata(&self.file).is_ok_and(|file| file.len() > 0)
    }

    fn users(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct User {
            user_id: String,
        }
        let lines = fs::read_to_string(&self.file)?;
        lines.lines().map(|line| Ok(serde_json::from_str::<User>(line)?.user_id)).collect()
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // It has ended by itself, unless something failed.
        _ = self.child.kill();
        _ = fs::remove_file(&self.file);
    }
}

async fn environment(plan: Plan) -> Result<Environment> {
    Environment::start(
        Options { users: USERS, imported: IMPORTED, logs: 0, plan, ..Options::default() },
        keeping_nothing(0.0),
    )
    .await
}

async fn whole(program: &Path) -> Result<Vec<Figure>> {
    let environment = environment(Plan::PrivateCloud).await?;
    let mut export = Export::start(program, &environment, "export")?;
    let (mut begun, mut memory) = (None, Vec::new());
    let status = loop {
        if let Some(status) = export.child.try_wait()? {
            break status;
        }
        if export.has_written() {
            begun.get_or_insert_with(Instant::now);
            memory.extend(export.memory());
        }
        sleep(GLANCE).await;
    };
    ensure!(status.success(), "the export failed");
    let time = begun.context("the export wrote nothing")?.elapsed();
    let users = export.users()?;
    let distinct = users.iter().collect::<BTreeSet<_>>().len();
    let calls = users_calls(&environment, 200).await? as f64 * 1e3 / users.len() as f64;
    let (first, last) = (memory.first().copied().unwrap_or_default(), memory.last().copied().unwrap_or_default());
    Ok(vec![
        Figure::new("lines", users.len()).mark("all but one", users.len() == USERS - 1),
        Figure::new("lines of distinct users", distinct).mark("as many", distinct == users.len()),
        Figure::new("calls per 1,000 users", calls).mark("at most 11", calls <= 11.0),
        Figure::new("lines a second", users.len() as f64 / time.as_secs_f64()),
        Figure::new("memory after the first lines, in MiB", first),
        Figure::new("memory at the end, in MiB", last).mark("within 8 MiB of that", last - first < 8.0),
    ])
}

async fn part(program: &Path, time: Duration) -> Result<Vec<Figure>> {
    let environment = environment(Plan::Free).await?;
    let mut export = Export::start(program, &environment, "paced-export")?;
    sleep(time).await;
    let (good, limited) = (users_calls(&environment, 200).await?, users_calls(&environment, 429).await?);
    kill_process(Pid::from_child(&export.child), Signal::TERM)?;
    ensure!(!export.child.wait()?.success(), "the export came to its end");
    let users = export.users()?;
    let distinct = users.iter().collect::<BTreeSet<_>>().len();
    let used = 100.0 * good as f64 / capacity(time);
    let steady = 100.0 * steady_rate(&environment).await? / 2.0;
    Ok(vec![
        Figure::new("calls answered", good),
        Figure::new("calls refused by Auth0 (429)", limited).mark("0", limited == 0),
        Figure::new("share of the bucket used, in %", used),
        Figure::new("share of the refill used once it runs, in %", steady).mark("at least 99", steady >= 99.0),
        Figure::new("lines", users.len()),
        Figure::new("lines of distinct users", distinct).mark("as many", distinct == users.len()),
    ])
}

/// The number of searches of users in a second, once it is known what the bucket gives.
async fn steady_rate(environment: &Environment) -> Result<f64> {
    let calls = environment.calls().await?;
    let searches = calls.iter().filter(|call| call.path == "/api/v2/users");
    let times = searches.map(|call| Ok(DateTime::parse_from_rfc3339(&call.at)?)).collect::<Result<Vec<_>>>()?;
    let begun = *times.first().context("nothing was asked")? + START;
    let steady: Vec<_> = times.into_iter().filter(|at| *at >= begun).collect();
    let (first, last) = steady.first().zip(steady.last()).context("the export is too short")?;
    Ok((steady.len() - 1) as f64 * 1e3 / (*last - *first).num_milliseconds() as f64)
}

/// The number of searches of users that were answered with this status.
async fn users_calls(environment: &Environment, status: u16) -> Result<usize> {
    let calls = environment.calls().await?;
    Ok(calls.iter().filter(|call| call.path == "/api/v2/users" && call.status == Some(status)).count())
}
