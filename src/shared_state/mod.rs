//! State that the replicas of a gateway share, in Redis or Valkey.
//!
//! Nothing in it is needed: whoever asks is told the answer or [`Unavailable`], within 20 ms, and then does what a
//! process does alone. One task for the process keeps the connection (`connection`); while there is none, asking costs nothing.
//!
//! Keys carry a version, so that replicas of different versions leave each other's alone, and the tenant as a hash tag: so all of them are on
//! one node of a cluster, and a connection to that one is enough.

mod compare_and_set;
mod connection;
mod error;
mod lease;
mod scripts;
mod stream;
mod survey;
mod url;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult};
use tokio::sync::watch;

pub(crate) use self::compare_and_set::{Step, ValueBounds};
pub use self::error::Unavailable;
use self::error::{Failure, log_away, log_back};
pub(crate) use self::lease::{BoundedStream, Fence, Holding, LeasedStream};
pub(crate) use self::scripts::{MapBounds, Rate};
pub(crate) use self::stream::{StreamEntry, StreamId, StreamReader};
pub use self::survey::{Deployment, Survey, SurveyError, survey};
pub use self::url::{RedisUrl, RedisUrlError};
use crate::deadline::Deadline;
use crate::telemetry::SharedStateMetrics;

/// Longest time that an operation waits for Redis. Within a data center it answers in one or two.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(20);

/// Number of answers in a row that do not come in time, after which Redis is taken for gone.
const MOST_TIMEOUTS: u32 = 3;

/// Longest time for which the first connection is waited for, by whoever would rather not do without.
const FIRST_CONNECTION_WAIT: Duration = Duration::from_millis(250);

/// Version of what is stored, in every key.
const VERSION: u32 = 1;

/// Settings of the shared state.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses of Redis, with the credentials.
    pub url: RedisUrl,
    /// Longest time that an operation waits for an answer.
    pub operation_timeout: Duration,
}

impl From<RedisUrl> for Settings {
    fn from(url: RedisUrl) -> Self {
        Self { url, operation_timeout: OPERATION_TIMEOUT }
    }
}

/// The shared state of a tenant's gateways. Cheap to clone; clones share the connection, which ends with the last of them.
#[derive(Clone)]
pub struct SharedState(Arc<Inner>);

struct Inner {
    /// Beginning of every key.
    prefix: String,
    url: RedisUrl,
    operation_timeout: Duration,
    link: watch::Sender<Link>,
    /// Answers in a row that did not come in time.
    timeouts: AtomicU32,
    metrics: SharedStateMetrics,
}

/// The way to Redis.
enum Link {
    /// Not known yet.
    Connecting,
    Up {
        connection: MultiplexedConnection,
        /// Counts connections, so that a failure on an old one does not end its successor.
        generation: u64,
    },
    Down,
}

/// A key, written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedState({}…)", self.0.prefix)
    }
}

impl SharedState {
    /// Begins to connect. Needs to be called within a runtime, where one task keeps the connection.
    ///
    /// `tenant` is the domain of the tenant whose gateways share.
    #[must_use]
    pub fn connect(settings: Settings, tenant: &str, metrics: SharedStateMetrics) -> Self {
        let Settings { url, operation_timeout } = settings;
        let (link, watched) = watch::channel(Link::Connecting);
        let prefix = prefix(tenant);
        let inner =
            Inner { prefix, url: url.clone(), operation_timeout, link, timeouts: AtomicU32::default(), metrics };
        let state = Self(Arc::new(inner));
        tokio::spawn(connection::keep(Arc::downgrade(&state.0), url, watched));
        state
    }

    /// True while Redis is gone, so that each process does what it does alone.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(*self.0.link.borrow(), Link::Down)
    }

    /// Longest time that an operation waits.
    pub(crate) fn operation_timeout(&self) -> Duration {
        self.0.operation_timeout
    }

    /// Metrics of what replicas share.
    pub(crate) fn metrics(&self) -> &SharedStateMetrics {
        &self.0.metrics
    }

    /// Waits until it is known whether Redis is there, but no longer than [`FIRST_CONNECTION_WAIT`].
    pub(crate) async fn settled(&self) {
        let mut link = self.0.link.subscribe();
        let settled = link.wait_for(|link| !matches!(link, Link::Connecting));
        // Without an answer by then the first command says so.
        let _ = Deadline::within(FIRST_CONNECTION_WAIT).limit(settled).await;
    }

    /// The key of something of a kind.
    pub(crate) fn key(&self, kind: &str, name: impl fmt::Display) -> Key {
        Key(format!("{}{kind}:{name}", self.0.prefix))
    }

    /// The value of a key.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Unavailable> {
        self.run(async |connection| redis::cmd("GET").arg(&key.0).query_async(connection).await).await
    }

    /// Sets the value of a key for a time.
    pub(crate) async fn set(&self, key: &Key, value: &[u8], life: Duration) -> Result<(), Unavailable> {
        let life = milliseconds(life);
        self.run(async |connection| {
            redis::cmd("SET").arg(&key.0).arg(value).arg("PX").arg(life).query_async(connection).await
        })
        .await
    }

    /// Sets the value of a key for a time, unless there is one. True if it was set.
    pub(crate) async fn set_if_absent(&self, key: &Key, value: &[u8], life: Duration) -> Result<bool, Unavailable> {
        let life = milliseconds(life);
        let answer: Option<String> = self
            .run(async |connection| {
                redis::cmd("SET").arg(&key.0).arg(value).arg("NX").arg("PX").arg(life).query_async(connection).await
            })
            .await?;
        Ok(answer.is_some())
    }

    /// Runs a command on the connection there is.
    async fn run<T: FromRedisValue>(
        &self,
        command: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, Unavailable> {
        let (mut connection, generation) = self.0.connection().ok_or(Unavailable)?;
        let outcome = Deadline::within(self.0.operation_timeout).limit(command(&mut connection)).await;
        let failure = match outcome {
            Ok(Ok(answer)) => {
                self.0.timeouts.store(0, Ordering::Relaxed);
                return Ok(answer);
            }
            Ok(Err(error)) => Failure::from(error),
            Err(_) => Failure::Timeout,
        };
        self.0.failed(&failure, generation);
        Err(Unavailable)
    }
}

impl Inner {
    fn connection(&self) -> Option<(MultiplexedConnection, u64)> {
        match &*self.link.borrow() {
            Link::Up { connection, generation } => Some((connection.clone(), *generation)),
            Link::Connecting | Link::Down => None,
        }
    }

    /// Counts a failure on a connection, which may be its end.
    fn failed(&self, failure: &Failure, generation: u64) {
        self.metrics.failed(failure.reason());
        if matches!(failure, Failure::Timeout) && self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 < MOST_TIMEOUTS {
            return;
        }
        let is_end = self.link.send_if_modified(|link| {
            let is_current = matches!(link, Link::Up { generation: current, .. } if *current == generation);
            if is_current {
                *link = Link::Down;
            }
            is_current
        });
        if is_end {
            self.metrics.is_up(false);
            log_away(failure);
        }
    }

    /// Takes note that there is no connection to be had.
    fn not_connected(&self, failure: &Failure) {
        self.metrics.failed(failure.reason());
        self.metrics.is_up(false);
        if matches!(self.link.send_replace(Link::Down), Link::Connecting) {
            log_away(failure);
        }
    }

    fn connected(&self, connection: MultiplexedConnection, generation: u64) {
        self.timeouts.store(0, Ordering::Relaxed);
        self.metrics.is_up(true);
        self.link.send_replace(Link::Up { connection, generation });
        log_back();
    }
}

/// Beginning of every key of a tenant.
fn prefix(tenant: &str) -> String {
    format!("auth0-graphql:{VERSION}:{{{tenant}}}:")
}

/// Whole milliseconds, of which Redis takes no fewer than one.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
