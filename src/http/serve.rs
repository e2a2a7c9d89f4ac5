//! The server: accepts connections until it is told to stop, and drains them then.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::connection::ConnectionServer;
use super::peer::{ConnectionInfo, Peer, Phase, Shutdown};
use super::pool::Pool;
use super::resource_limits::{ResourceLimits, raise_file_limit};
use super::settings::{Connections, Settings};
use super::{BuildError, Shared, admin_router, router};
use crate::auth::Authenticator;
use crate::graphql::Engine;
use crate::telemetry::{LogThrottle, Metrics};

/// Pause after the system cannot give another connection, as when a process has too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Connections beside all others: for health probes, and to tell others that there are too many.
const RESERVED: usize = 32;

/// Time after which a connection that waits tries to join the pool again.
const REJOIN_INTERVAL: Duration = Duration::from_millis(100);

/// Connections to the admin address at once: those of a few Prometheus servers, and of probes.
const ADMIN_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// The gateway's HTTP server.
pub struct Server {
    shared: Shared,
    router: Router,
    admin: Option<TcpListener>,
}

impl Server {
    /// A server of `engine` for callers whom `authenticator` lets in.
    ///
    /// # Errors
    ///
    /// When the origins in `settings` cannot be used.
    pub fn new(
        engine: Engine,
        authenticator: Arc<Authenticator>,
        metrics: Metrics,
        settings: Settings,
    ) -> Result<Self, BuildError> {
        raise_file_limit();
        let shared = Shared::new(engine, authenticator, metrics, settings, Shutdown::new());
        let router = router(&shared)?;
        Ok(Self { shared, router, admin: None })
    }

    /// The same server, with metrics and health on `listener` as well.
    #[must_use]
    pub fn with_admin(mut self, listener: TcpListener) -> Self {
        self.admin = Some(listener);
        self
    }

    /// Serves on `listener` until `stop` resolves, and for the shutdown delay after. Then no connection is accepted, requests under
    /// way are finished, and connections that take longer than any request may are cut off.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let Self { shared, router, admin } = self;
        let Settings { connections, shutdown_delay, request_timeout, .. } = shared.settings;
        let shutdown = shared.shutdown.clone();
        let drain = request_timeout + connections.drain_timeout;
        let files = ResourceLimits::of_process().connections_by_files();
        if connections.most.get() > files && connections.most.get() < usize::MAX {
            tracing::warn!(
                most = connections.most,
                files,
                "MAX_CONNECTIONS is more than the limit of open files allows"
            );
        }
        let acceptor = Acceptor::new(listener, router, connections, &shared);
        let admin = admin.map(|listener| {
            let connections = Connections { most: ADMIN_CONNECTIONS, ..connections };
            Acceptor::new(listener, admin_router(&shared), connections, &shared)
        });
        accept_until(stop, &acceptor, admin.as_ref()).await;
        shutdown.enter(Phase::Stopping);
        if !shutdown_delay.is_zero() {
            tracing::info!(delay = ?shutdown_delay, "stopping: /readyz says so, and requests are still taken");
            accept_until(sleep(shutdown_delay), &acceptor, admin.as_ref()).await;
        }
        let pool = Arc::clone(&acceptor.pool);
        drop((acceptor, admin));
        shutdown.enter(Phase::Draining);
        tokio::select! {
            () = shutdown.drained() => {}
            () = sleep(drain) => {
                tracing::warn!(connections = pool.len(), "cut off: they took too long to finish");
                shutdown.enter(Phase::Over);
                shutdown.drained().await;
            }
        }
    }
}

/// Accepts connections until `end` resolves.
async fn accept_until(end: impl Future<Output = ()>, acceptor: &Acceptor, admin: Option<&Acceptor>) {
    let (accept, end) = (pin!(acceptor.accept_all()), pin!(end));
    let admin = pin!(async {
        match admin {
            Some(admin) => admin.accept_all().await,
            None => pending().await,
        }
    });
    tokio::select! {
        biased;
        () = end => {}
        never = accept => match never {},
        never = admin => match never {},
    }
}

struct Acceptor {
    listener: TcpListener,
    server: Arc<ConnectionServer>,
    most: NonZeroUsize,
    trusted_proxies: Vec<IpNet>,
    pool: Arc<Pool<Peer>>,
    reserved: Arc<Semaphore>,
    full: LogThrottle,
    shutdown: Shutdown,
}

impl Acceptor {
    fn new(listener: TcpListener, router: Router, connections: Connections, shared: &Shared) -> Self {
        let metrics = Arc::clone(shared.metrics.server());
        Self {
            listener,
            server: Arc::new(ConnectionServer::new(router, connections, shared.settings.send, metrics)),
            most: connections.most,
            trusted_proxies: shared.settings.trusted_proxies.clone(),
            pool: Pool::new(connections.most, connections.replaceable_after),
            reserved: Arc::new(Semaphore::new(RESERVED)),
            full: LogThrottle::default(),
            shutdown: shared.shutdown.clone(),
        }
    }

    async fn accept_all(&self) -> Infallible {
        loop {
            let (stream, address) = accept(&self.listener).await;
            let connection = self.join(address).await;
            let server = Arc::clone(&self.server);
            tokio::spawn(async move { server.serve(stream, connection).await });
        }
    }

    /// Joins the pool. Clients that connect meanwhile wait with the system.
    async fn join(&self, address: SocketAddr) -> ConnectionInfo {
        let mut reserved = None;
        loop {
            let joined = ConnectionInfo::join(&self.pool, address.ip(), &self.trusted_proxies, &self.shutdown, || {
                reserved.take()
            });
            if let Ok(connection) = joined {
                return connection;
            }
            if let Some(connections) = self.full.count() {
                tracing::warn!(connections, most = self.most, "there are too many connections");
            }
            tokio::select! {
                permit = Arc::clone(&self.reserved).acquire_owned() => reserved = permit.ok(),
                () = sleep(REJOIN_INTERVAL) => {}
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client's fault, who is gone already.
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
