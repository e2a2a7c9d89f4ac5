//! Connections: the one that is kept for as long as the shared state is there, and the search for the server that it is to.

use std::sync::Weak;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::watch;
use tokio::time::sleep;

use super::availability::Availability;
use super::connection_state::ConnectionState;
use super::error::RedisCommandError;
use super::url::{Route, Sentinels, at};
use super::{Inner, RedisUrl};
use crate::deadline::Deadline;

/// Longest time that connecting takes, TLS and authentication included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between a failure and the next attempt. Up to half as much again is added at random, so that a fleet does not come back at once.
const PAUSE: Duration = Duration::from_secs(1);

/// Time between two looks whether Redis takes writes, so that it is known of a replica that asks for nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Life of what an attempt writes.
const PROBE_LIFE_MS: u64 = 1_000;

/// Number of writes in a row that a Redis that was late has to answer in time before it is used again, and the time between them: one that
/// answers in about the time that an operation waits would come and go.
const LEAST_WRITES: u32 = 5;
const WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// A write as operations have it done: by a script, which takes the time. ARGV: life in ms.
const SCRIPTED_WRITE: &str = "
local now = redis.call('TIME')
redis.call('SET', KEYS[1], now[1], 'PX', ARGV[1])
return 1";

/// Most nodes of a cluster to which one after the other sends on. A cluster that is at peace does so once.
const MOST_REDIRECTIONS: usize = 4;

/// A connection that has been found, and what became of the first write.
pub(super) struct Found {
    pub(super) connection: MultiplexedConnection,
    pub(super) written: Result<(), RedisCommandError>,
    /// True if a node of a cluster sent on to it.
    pub(super) is_redirected: bool,
}

/// Connects, and again whenever the connection is given up. Ends with the shared state.
pub(super) async fn keep(state: Weak<Inner>, url: RedisUrl, mut watched: watch::Receiver<ConnectionState>) {
    let mut generation = 0;
    loop {
        let Some(inner) = state.upgrade() else { return };
        let prefix = inner.prefix.clone();
        let (operation_timeout, background_timeout) = (inner.operation_timeout, inner.background_timeout);
        let was_late = inner.connection.borrow().availability() == Availability::Late;
        // Nothing is held while waiting: the state may end meanwhile.
        drop(inner);
        let mut found = find(&url, &prefix, operation_timeout).await;
        if was_late && let Ok(Found { connection, written, .. }) = &mut found {
            let probe = Probe { prefix: &prefix, timeout: operation_timeout };
            for _ in 1..LEAST_WRITES {
                if written.is_err() {
                    break;
                }
                sleep(WRITE_INTERVAL).await;
                *written = probe.write_as_operations_do(connection).await.unwrap_or_else(|moved| Err(moved.into()));
            }
        }
        let Some(inner) = state.upgrade() else { return };
        let connection = match found {
            Ok(Found { connection, written, .. }) => {
                generation += 1;
                inner.connected(connection.clone(), generation, &written);
                Some(connection)
            }
            Err(failure) => {
                inner.not_connected(&failure);
                None
            }
        };
        drop(inner);
        if let Some(mut connection) = connection {
            let probe = Probe { prefix: &prefix, timeout: background_timeout };
            loop {
                tokio::select! {
                    down = watched.wait_for(ConnectionState::is_down) => match down {
                        Ok(_) => break,
                        Err(_) => return,
                    },
                    () = sleep(LOOK_INTERVAL) => {}
                }
                let written = probe.write(&mut connection).await.unwrap_or_else(|moved| Err(moved.into()));
                if let Err(failure) = written {
                    let Some(inner) = state.upgrade() else { return };
                    inner.failed(&failure, generation);
                }
            }
        }
        sleep(PAUSE + PAUSE.mul_f64(fastrand::f64() / 2.0)).await;
    }
}

/// A connection to the server that takes writes of keys with this prefix, in time: one that is read-only, full or slow is as good as none.
pub(super) async fn open_writable(
    url: &RedisUrl,
    prefix: &str,
    write_timeout: Duration,
) -> Result<MultiplexedConnection, RedisCommandError> {
    let Found { connection, written, .. } = find(url, prefix, write_timeout).await?;
    written.map(|()| connection)
}

/// Finds the server that the keys with this prefix are on. All addresses are tried at once, and the first that leads to one that takes a write
/// is enough; if none does, one that answers is found.
///
/// All keys of a tenant have its hash tag: of a cluster, too, they are on one server.
pub(super) async fn find(url: &RedisUrl, prefix: &str, write_timeout: Duration) -> Result<Found, RedisCommandError> {
    let probe = Probe { prefix, timeout: write_timeout };
    match url.route() {
        Route::Nodes(nodes) => {
            let attempts: FuturesUnordered<_> = nodes.iter().map(|node| follow(node.clone(), &probe)).collect();
            first(attempts).await
        }
        Route::Sentinels(sentinels) => {
            let addresses = sentinels.addresses.iter();
            let attempts: FuturesUnordered<_> = addresses.map(|address| through(address, sentinels, &probe)).collect();
            first(attempts).await
        }
    }
}

/// Opens a connection to one server, on which no answer is waited for longer than who asks does.
pub(super) async fn open(info: ConnectionInfo) -> Result<MultiplexedConnection, RedisCommandError> {
    let client = Client::open(info)?;
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    bounded(CONNECT_TIMEOUT, client.get_multiplexed_async_connection_with_config(&config)).await
}

/// A write of no meaning.
pub(super) struct Probe<'a> {
    pub(super) prefix: &'a str,
    pub(super) timeout: Duration,
}

impl Probe<'_> {
    /// Writes, and once more by a script. The first tells a Redis that takes no writes from one that runs no scripts.
    async fn write_as_operations_do(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<Result<(), RedisCommandError>> {
        if let Err(failure) = self.write(connection).await? {
            return Ok(Err(failure));
        }
        let mut command = redis::cmd("EVAL");
        command.arg(SCRIPTED_WRITE).arg(1).arg(self.key()).arg(PROBE_LIFE_MS);
        self.send(command, connection).await
    }

    pub(super) async fn write(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<Result<(), RedisCommandError>> {
        let mut command = redis::cmd("SET");
        command.arg(self.key()).arg(1).arg("PX").arg(PROBE_LIFE_MS);
        self.send(command, connection).await
    }

    fn key(&self) -> String {
        format!("{}probe", self.prefix)
    }

    async fn send(
        &self,
        command: redis::Cmd,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<Result<(), RedisCommandError>> {
        match Deadline::within(self.timeout).limit(command.query_async::<()>(connection)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::Moved) => Err(error),
            Ok(written) => Ok(written.map_err(RedisCommandError::from)),
            Err(_) => Ok(Err(RedisCommandError::Timeout)),
        }
    }
}

async fn first(
    mut attempts: FuturesUnordered<impl Future<Output = Result<Found, RedisCommandError>>>,
) -> Result<Found, RedisCommandError> {
    let mut best = Err(RedisCommandError::Timeout);
    while let Some(attempt) = attempts.next().await {
        if attempt.as_ref().is_ok_and(|found| found.written.is_ok()) {
            return attempt;
        }
        if rank(&attempt) > rank(&best) {
            best = attempt;
        }
    }
    best
}

/// Rank of an attempt in vain: an answer tells more than none.
fn rank(attempt: &Result<Found, RedisCommandError>) -> u8 {
    match attempt {
        Ok(_) => 3,
        Err(RedisCommandError::Refused { .. } | RedisCommandError::NoPrimary) => 2,
        Err(RedisCommandError::Unreachable(_)) => 1,
        Err(RedisCommandError::Timeout) => 0,
    }
}

/// Connects to a node, and to those that one after the other names for the keys.
async fn follow(mut node: ConnectionInfo, probe: &Probe<'_>) -> Result<Found, RedisCommandError> {
    let mut redirections = 0;
    loop {
        let mut connection = open(node.clone()).await?;
        match probe.write_as_operations_do(&mut connection).await {
            Ok(written) => return Ok(Found { connection, written, is_redirected: redirections > 0 }),
            Err(moved) => match target(&moved) {
                Some((host, port)) if redirections < MOST_REDIRECTIONS => node = at(&node, host, port),
                _ => return Err(moved.into()),
            },
        }
        redirections += 1;
    }
}

/// Host and port in `MOVED SLOT HOST:PORT`. No host means that of who says so.
fn target(moved: &RedisError) -> Option<(&str, u16)> {
    let (host, port) = moved.redirect_node()?.0.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Connects to the primary that a sentinel tells of.
async fn through(
    sentinel: &ConnectionInfo,
    sentinels: &Sentinels,
    probe: &Probe<'_>,
) -> Result<Found, RedisCommandError> {
    let mut connection = open(sentinel.clone()).await?;
    let mut question = redis::cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(&sentinels.service);
    let told = bounded(CONNECT_TIMEOUT, question.query_async::<Option<(String, u16)>>(&mut connection)).await?;
    let (host, port) = told.ok_or(RedisCommandError::NoPrimary)?;
    follow(at(&sentinels.primary, &host, port), probe).await
}

/// Waits for an answer, but no longer than that.
pub(super) async fn bounded<T>(
    timeout: Duration,
    query: impl Future<Output = RedisResult<T>>,
) -> Result<T, RedisCommandError> {
    Ok(Deadline::within(timeout).limit(query).await.map_err(|_| RedisCommandError::Timeout)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> RedisCommandError {
        RedisCommandError::Refused { code: "WRONGPASS".to_owned() }
    }

    #[tokio::test]
    async fn of_attempts_in_vain_the_one_that_tells_most_is_told() {
        let unreachable = || RedisCommandError::Unreachable(RedisError::from((ErrorKind::Io, "refused")));
        for failures in [
            [RedisCommandError::Timeout, unreachable(), refused()],
            [refused(), unreachable(), RedisCommandError::Timeout],
            [unreachable(), refused(), unreachable()],
        ] {
            let attempts = failures.map(|failure| std::future::ready(Err(failure)));
            let found = first(attempts.into_iter().collect()).await;
            assert!(matches!(found, Err(RedisCommandError::Refused { code }) if code == "WRONGPASS"));
        }
    }
}
