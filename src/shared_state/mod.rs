//! State that the replicas of a gateway share, in Redis or Valkey.
//!
//! Nothing in it is needed: whoever asks is told the answer or [`SharedStateError`], within 20 ms, and then does what a
//! process does alone. One task for the process keeps the connection (`connection`); while there is none, asking costs nothing.
//!
//! Redis that answers late is none to those who wait for an answer, and still one to work in the background, for which nobody waits. Whoever
//! waits for a new token waits for an answer a little longer, since a grant takes as long.
//!
//! Keys carry a version, so that replicas of different versions leave each other's alone, and the tenant as a hash tag: so all of them are on
//! one node of a cluster, and a connection to that one is enough.

mod availability;
mod compare_and_set;
mod connection;
mod connection_state;
mod error;
mod lease;
mod map;
mod rate_limit;
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

pub use self::availability::Availability;
use self::availability::AvailabilityLog;
pub(crate) use self::compare_and_set::{CompareAndSetResult, ValueBounds};
use self::connection_state::{Connection, ConnectionState};
use self::error::RedisCommandError;
pub use self::error::SharedStateError;
pub(crate) use self::lease::{BoundedStream, Fence, Holding, LeasedStream};
pub(crate) use self::map::MapBounds;
pub(crate) use self::rate_limit::Rate;
pub(crate) use self::stream::{StreamEntry, StreamId, StreamReader};
pub use self::survey::{Deployment, Survey, SurveyError, survey};
pub use self::url::{RedisUrl, RedisUrlError};
use crate::deadline::Deadline;
use crate::telemetry::SharedStateMetrics;

/// Longest time that an operation waits for Redis. Within a data center it answers in one or two.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(20);

/// Longest time that whoever needs a new token waits for an answer: about as long as for one of Auth0's.
const TOKEN_TIMEOUT: Duration = Duration::from_millis(100);

/// Longest time that work in the background waits for Redis. Nobody's request is kept waiting by it.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(1);

/// Number of answers in a row that do not come in time, after which Redis is not asked for those who wait.
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
    /// The same for an operation that needs a new token. The first answer that is missed is the last that it waits for.
    pub token_timeout: Duration,
    /// The same for work in the background.
    pub background_timeout: Duration,
}

impl From<RedisUrl> for Settings {
    fn from(url: RedisUrl) -> Self {
        Self {
            url,
            operation_timeout: OPERATION_TIMEOUT,
            token_timeout: TOKEN_TIMEOUT,
            background_timeout: BACKGROUND_TIMEOUT,
        }
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
    token_timeout: Duration,
    background_timeout: Duration,
    connection: watch::Sender<ConnectionState>,
    /// Answers in a row that did not come in time.
    timeouts: AtomicU32,
    log: AvailabilityLog,
    metrics: SharedStateMetrics,
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
        let Settings { url, operation_timeout, token_timeout, background_timeout } = settings;
        let (connection, watched) = watch::channel(ConnectionState::Connecting { is_overdue: false });
        let prefix = prefix(tenant);
        let inner = Inner {
            prefix,
            url: url.clone(),
            operation_timeout,
            token_timeout: token_timeout.max(operation_timeout),
            background_timeout: background_timeout.max(operation_timeout),
            connection,
            timeouts: AtomicU32::default(),
            log: AvailabilityLog::default(),
            metrics,
        };
        let state = Self(Arc::new(inner));
        tokio::spawn(connection::keep(Arc::downgrade(&state.0), url, watched));
        state
    }

    /// Availability of Redis to this process.
    #[must_use]
    pub fn availability(&self) -> Availability {
        self.0.connection.borrow().availability()
    }

    /// True while Redis is gone: it refuses connections or commands, or none has been had.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(*self.0.connection.borrow(), ConnectionState::Down)
    }

    /// True while there is a connection, however late the answers on it come.
    pub(crate) fn is_connected(&self) -> bool {
        self.0.background_connection().is_some()
    }

    /// Longest time that work in the background waits for an answer.
    pub(crate) fn background_timeout(&self) -> Duration {
        self.0.background_timeout
    }

    /// Longest time that an operation waits for an answer that it needs for a new token.
    pub(crate) fn token_timeout(&self) -> Duration {
        self.0.token_timeout
    }

    /// Longest time that an operation waits.
    pub(crate) fn operation_timeout(&self) -> Duration {
        self.0.operation_timeout
    }

    /// Metrics of what replicas share.
    pub(crate) fn metrics(&self) -> &SharedStateMetrics {
        &self.0.metrics
    }

    /// Waits until it is known whether Redis is there, but no longer than [`FIRST_CONNECTION_WAIT`], which nobody waits for twice in vain.
    pub(crate) async fn settled(&self) {
        let mut state = self.0.connection.subscribe();
        let settled = state.wait_for(|state| !matches!(state, ConnectionState::Connecting { is_overdue: false }));
        if Deadline::within(FIRST_CONNECTION_WAIT).limit(settled).await.is_err() {
            self.0.is_overdue();
        }
    }

    /// Waits until it is known whether Redis is there, but no longer than that.
    pub(crate) async fn settled_within(&self, wait: Duration) {
        let mut state = self.0.connection.subscribe();
        let settled = state.wait_for(|state| !matches!(state, ConnectionState::Connecting { .. }));
        // Without an answer by then the first command says so.
        let _ = Deadline::within(wait).limit(settled).await;
    }

    /// The key of something of a kind.
    pub(crate) fn key(&self, kind: &str, name: impl fmt::Display) -> Key {
        Key(format!("{}{kind}:{name}", self.0.prefix))
    }

    /// The value of a key, of a Redis that is late, too, within `timeout`. One that is longer than `most` bytes is none, and is not read.
    pub(crate) async fn get(
        &self,
        key: &Key,
        most: usize,
        timeout: Duration,
    ) -> Result<Option<Vec<u8>>, SharedStateError> {
        let value: Vec<u8> = self
            .run_within(timeout, async |connection| {
                redis::cmd("GETRANGE").arg(&key.0).arg(0).arg(most).query_async(connection).await
            })
            .await?;
        Ok(Some(value).filter(|value| (1..=most).contains(&value.len())))
    }

    /// Sets the value of a key for a time, in the background.
    pub(crate) async fn set(&self, key: &Key, value: &[u8], life: Duration) -> Result<(), SharedStateError> {
        let life = milliseconds(life);
        self.run_in_background(async |connection| {
            redis::cmd("SET").arg(&key.0).arg(value).arg("PX").arg(life).query_async(connection).await
        })
        .await
    }

    /// Sets the value of a key for a time, unless there is one, of a Redis that is late, too, within `timeout`. True if it was set.
    pub(crate) async fn set_if_absent(
        &self,
        key: &Key,
        value: &[u8],
        life: Duration,
        timeout: Duration,
    ) -> Result<bool, SharedStateError> {
        let life = milliseconds(life);
        let answer: Option<String> = self
            .run_within(timeout, async |connection| {
                redis::cmd("SET").arg(&key.0).arg(value).arg("NX").arg("PX").arg(life).query_async(connection).await
            })
            .await?;
        Ok(answer.is_some())
    }

    /// Runs a command for somebody who waits.
    async fn run<T: FromRedisValue>(
        &self,
        command: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, SharedStateError> {
        self.run_on(self.0.connection(), command).await
    }

    /// Runs a command on a connection, for no longer than those wait who wait.
    async fn run_on<T: FromRedisValue>(
        &self,
        connection: Option<Connection>,
        command: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, SharedStateError> {
        let Connection { mut connection, generation } = connection.ok_or(SharedStateError)?;
        let outcome = connection::bounded(self.0.operation_timeout, command(&mut connection)).await;
        let timeouts = match &outcome {
            Ok(_) => self.0.timeouts.swap(0, Ordering::Relaxed),
            Err(RedisCommandError::Timeout) => self.0.timeouts.fetch_add(1, Ordering::Relaxed) + 1,
            Err(_) => 0,
        };
        self.0.judge(outcome, generation, timeouts >= MOST_TIMEOUTS)
    }

    /// Runs a command for which nobody waits.
    async fn run_in_background<T: FromRedisValue>(
        &self,
        command: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, SharedStateError> {
        self.run_within(self.background_timeout(), command).await
    }

    /// Runs a command on a connection that may be late, for no longer than that. Less than the time for work in the background shows nothing.
    async fn run_within<T: FromRedisValue>(
        &self,
        timeout: Duration,
        command: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, SharedStateError> {
        let Connection { mut connection, generation } = self.0.background_connection().ok_or(SharedStateError)?;
        let outcome = connection::bounded(timeout, command(&mut connection)).await;
        self.0.judge(outcome, generation, timeout >= self.background_timeout())
    }
}

impl Inner {
    fn connection(&self) -> Option<Connection> {
        self.connection.borrow().connection()
    }

    fn background_connection(&self) -> Option<Connection> {
        self.connection.borrow().background_connection()
    }

    /// Takes note of a failure, which ends the connection unless it is a timeout that shows nothing.
    fn judge<T>(
        &self,
        outcome: Result<T, RedisCommandError>,
        generation: u64,
        timeout_shows: bool,
    ) -> Result<T, SharedStateError> {
        outcome.map_err(|failure| {
            if timeout_shows || !matches!(failure, RedisCommandError::Timeout) {
                self.failed(&failure, generation);
            } else {
                self.metrics.failed(failure.reason());
            }
            SharedStateError
        })
    }

    /// Takes note of a failure that ends a connection, or makes it one for work in the background.
    fn failed(&self, failure: &RedisCommandError, generation: u64) {
        self.metrics.failed(failure.reason());
        self.change_connection(Some(failure), |state| match state {
            ConnectionState::Up(current) | ConnectionState::Late(current) if current.generation == generation => {
                Some(if matches!(failure, RedisCommandError::Timeout) {
                    ConnectionState::Late(current.clone())
                } else {
                    ConnectionState::Down
                })
            }
            _ => None,
        });
    }

    /// Takes note that the first connection has been waited for in vain.
    fn is_overdue(&self) {
        self.change_connection(Some(&RedisCommandError::Timeout), |state| {
            matches!(state, ConnectionState::Connecting { is_overdue: false })
                .then_some(ConnectionState::Connecting { is_overdue: true })
        });
    }

    /// Takes note that there is no connection to be had. One that answers late is better than none.
    fn not_connected(&self, failure: &RedisCommandError) {
        self.metrics.failed(failure.reason());
        self.change_connection(Some(failure), |state| {
            let is_kept = matches!((state, failure), (ConnectionState::Late(_), RedisCommandError::Timeout));
            (!is_kept).then_some(ConnectionState::Down)
        });
    }

    /// Takes note of a connection, and of what became of a write on it.
    fn connected(&self, connection: MultiplexedConnection, generation: u64, written: &Result<(), RedisCommandError>) {
        let connection = Connection { connection, generation };
        match written {
            Ok(()) => {
                self.timeouts.store(0, Ordering::Relaxed);
                self.change_connection(None, |_| Some(ConnectionState::Up(connection)));
            }
            Err(failure @ RedisCommandError::Timeout) => {
                self.metrics.failed(failure.reason());
                self.change_connection(Some(failure), |_| Some(ConnectionState::Late(connection)));
            }
            Err(failure) => self.not_connected(failure),
        }
    }

    /// Changes the way to Redis, for the worse if there is a failure, and tells what is news.
    fn change_connection(
        &self,
        failure: Option<&RedisCommandError>,
        change: impl FnOnce(&ConnectionState) -> Option<ConnectionState>,
    ) {
        let mut availability = Availability::Unknown;
        self.connection.send_if_modified(|state| {
            let changed = change(state);
            let is_changed = changed.is_some();
            if let Some(changed) = changed {
                *state = changed;
            }
            availability = state.availability();
            // In here, so that of two changes the later one is shown.
            self.metrics.set_state(availability.name());
            is_changed
        });
        self.log.log(availability, failure);
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
