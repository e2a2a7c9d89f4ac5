//! The one connection, kept for as long as the shared state is there.

use std::sync::Weak;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use tokio::sync::watch;
use tokio::time::sleep;

use super::error::Failure;
use super::{Inner, Link, RedisUrl};
use crate::deadline::Deadline;

/// Longest time that connecting takes, TLS and authentication included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between a failure and the next attempt. Up to half as much again is added at random, so that a fleet does not come back at once.
const PAUSE: Duration = Duration::from_secs(1);

/// Life of what an attempt writes.
const PROBE_LIFE_MS: u64 = 1_000;

/// Connects, and again whenever the connection is given up. Ends with the shared state.
pub(super) async fn keep(state: Weak<Inner>, url: RedisUrl, mut link: watch::Receiver<Link>) {
    let mut generation = 0;
    loop {
        let Some(inner) = state.upgrade() else { return };
        let (prefix, operation_timeout) = (inner.prefix.clone(), inner.operation_timeout);
        // Nothing is held while waiting: the state may end meanwhile.
        drop(inner);
        let opened = open_writable(&url, &prefix, operation_timeout).await;
        let Some(inner) = state.upgrade() else { return };
        match opened {
            Ok(connection) => {
                generation += 1;
                inner.connected(connection, generation);
                drop(inner);
                if link.wait_for(|link| matches!(link, Link::Down)).await.is_err() {
                    return;
                }
            }
            Err(failure) => {
                inner.not_connected(&failure);
                drop(inner);
            }
        }
        sleep(PAUSE + PAUSE.mul_f64(fastrand::f64() / 2.0)).await;
    }
}

/// A connection to a Redis that takes writes in time: one that is read-only, full or slow is as good as none.
async fn open_writable(
    url: &RedisUrl,
    prefix: &str,
    operation_timeout: Duration,
) -> Result<MultiplexedConnection, Failure> {
    let mut connection = open(url).await?;
    let mut probe = redis::cmd("SET");
    probe.arg(format!("{prefix}probe")).arg(1).arg("PX").arg(PROBE_LIFE_MS);
    let probed = Deadline::within(operation_timeout).limit(probe.query_async::<()>(&mut connection)).await;
    probed.map_err(|_| Failure::Timeout)??;
    Ok(connection)
}

/// Opens a connection, on which no answer is waited for longer than who asks does.
pub(super) async fn open(url: &RedisUrl) -> Result<MultiplexedConnection, Failure> {
    let client = Client::open(url.connection_info())?;
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let opened =
        Deadline::within(CONNECT_TIMEOUT).limit(client.get_multiplexed_async_connection_with_config(&config)).await;
    Ok(opened.map_err(|_| Failure::Timeout)??)
}
