//! A survey of Redis, for whoever sets a fleet up.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use redis::ConnectionInfo;
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use super::connection::{self, Found, Probe, bounded};
use super::error::RedisCommandError;
use super::url::Route;
use super::{RedisUrl, prefix};

/// Number of commands that the latency is measured by.
const PINGS: usize = 10;

/// Longest wait for an answer. It is slower than an operation waits, so that a slow Redis is told from a dead one.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Findings about a Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Its name, `Redis` or `Valkey`, and version.
    pub version: String,
    /// Time from a command to its answer, at the median.
    pub latency: Duration,
    /// Bytes that it may take; `None` without a bound.
    pub max_memory: Option<u64>,
    /// Bytes that it takes.
    pub used_memory: u64,
    /// Policy by which it makes room, such as `noeviction`.
    pub memory_policy: String,
    /// True if it keeps a log of all writes.
    pub has_append_only_file: bool,
    /// True if it takes writes.
    pub is_writable: bool,
    /// True if it runs scripts for the user: most of what replicas share is written by one.
    pub runs_scripts: bool,
    /// The way in which it is kept up.
    pub deployment: Deployment,
    /// Number of addresses that are known of it.
    pub addresses: usize,
    /// Number of those that do not answer.
    pub silent_addresses: usize,
}

/// Way in which a Redis is kept up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployment {
    /// One server, as far as the gateway knows.
    Single,
    /// A node of a cluster, on which all of a tenant's keys are.
    Cluster,
    /// The primary that sentinels tell of.
    Sentinels,
}

/// Redis cannot be surveyed. `Display` holds no address and no secret.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// No answer, or none in time.
    #[error("Redis cannot be reached: {0}")]
    Unreachable(String),
    /// Credentials that it does not take, or that may do too little.
    #[error("Redis refuses what the gateway asks: it answers {0}")]
    Refused(String),
}

impl From<RedisCommandError> for SurveyError {
    fn from(failure: RedisCommandError) -> Self {
        match failure {
            RedisCommandError::Refused { code } => Self::Refused(code),
            failure => Self::Unreachable(failure.to_string()),
        }
    }
}

/// Surveys the Redis through which the gateways of a tenant share.
///
/// # Errors
///
/// See [`SurveyError`].
pub async fn survey(url: &RedisUrl, tenant: &str) -> Result<Survey, SurveyError> {
    let prefix = prefix(tenant);
    let Found { mut connection, written, is_redirected, .. } = connection::find(url, &prefix, TIMEOUT).await?;
    let runs_scripts = written.is_ok();
    let probe = Probe { prefix: &prefix, timeout: TIMEOUT };
    let is_writable = runs_scripts || matches!(probe.write(&mut connection).await, Ok(Ok(())));
    let latency = latency(&mut connection).await?;
    // The gateway itself can do without it, and its user may not be allowed to ask.
    let info = bounded(TIMEOUT, redis::cmd("INFO").query_async::<String>(&mut connection)).await.unwrap_or_default();
    let survey = Survey { runs_scripts, ..read(&info, latency, is_writable) };
    let (addresses, deployment) = match url.route() {
        Route::Sentinels(sentinels) => (&sentinels.addresses, Deployment::Sentinels),
        Route::Nodes(nodes) if is_redirected || nodes.len() > 1 => (nodes, Deployment::Cluster),
        Route::Nodes(nodes) => (nodes, survey.deployment),
    };
    let silent_addresses = join_all(addresses.iter().map(is_silent)).await.into_iter().filter(|silent| *silent).count();
    Ok(Survey { deployment, addresses: addresses.len(), silent_addresses, ..survey })
}

async fn is_silent(address: &ConnectionInfo) -> bool {
    let Ok(mut connection) = connection::open(address.clone()).await else { return true };
    bounded(TIMEOUT, redis::cmd("PING").query_async::<()>(&mut connection)).await.is_err()
}

async fn latency(connection: &mut MultiplexedConnection) -> Result<Duration, RedisCommandError> {
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let start = Instant::now();
        bounded(TIMEOUT, redis::cmd("PING").query_async::<()>(connection)).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(PINGS / 2).copied().unwrap_or_default())
}

/// Reads the answer to `INFO`: lines of `name:value`. What is missing is taken for its default.
fn read(info: &str, latency: Duration, is_writable: bool) -> Survey {
    let values: HashMap<_, _> = info.lines().filter_map(|line| line.split_once(':')).collect();
    let text = |name: &str| values.get(name).map(|value| value.trim()).unwrap_or_default();
    let number = |name: &str| text(name).parse::<u64>().unwrap_or_default();
    let version = match (text("valkey_version"), text("redis_version")) {
        ("", "") => "Redis".to_owned(),
        ("", version) => format!("Redis {version}"),
        (version, _) => format!("Valkey {version}"),
    };
    let policy = text("maxmemory_policy");
    Survey {
        version,
        latency,
        max_memory: Some(number("maxmemory")).filter(|bytes| *bytes > 0),
        used_memory: number("used_memory"),
        memory_policy: if policy.is_empty() { "noeviction" } else { policy }.to_owned(),
        has_append_only_file: number("aof_enabled") == 1,
        is_writable,
        runs_scripts: true,
        deployment: if number("cluster_enabled") == 1 { Deployment::Cluster } else { Deployment::Single },
        addresses: 1,
        silent_addresses: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_info_is_read_whichever_program_gives_it() {
        let latency = Duration::from_millis(1);
        let redis = "# Server\r\nredis_version:7.2.4\r\n# Memory\r\nused_memory:1024\r\nmaxmemory:0\r\n\
                     maxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:0\r\n";
        let survey = read(redis, latency, true);
        assert_eq!((&*survey.version, survey.used_memory, survey.max_memory), ("Redis 7.2.4", 1024, None));
        assert_eq!((&*survey.memory_policy, survey.has_append_only_file), ("noeviction", false));
        let valkey = "redis_version:7.2.4\nvalkey_version:8.1.0\nmaxmemory:2048\nmaxmemory_policy:allkeys-lru\naof_enabled:1\n\
                      cluster_enabled:1\n";
        assert_eq!(survey.deployment, Deployment::Single);
        let survey = read(valkey, latency, false);
        assert_eq!(survey.deployment, Deployment::Cluster);
        assert_eq!((&*survey.version, survey.max_memory), ("Valkey 8.1.0", Some(2048)));
        assert_eq!((&*survey.memory_policy, survey.has_append_only_file), ("allkeys-lru", true));
    }
}
