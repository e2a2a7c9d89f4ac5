//! The server: accepts connections until it is told to stop, and drains them then.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::connection;
use super::connection_info::{ConnectionInfo, PoolMember};
use super::pool::Pool;
use super::resource_limits::{ResourceLimits, raise_file_limit};
use super::settings::{Connections, SendLimits, Settings};
use super::shutdown::{Phase, Shutdown};
use super::tls::Certificate;
use super::{BuildError, Shared, admin_router, router};
use crate::auth::Authenticator;
use crate::graphql::Engine;
use crate::telemetry::{LogThrottle, Metrics, ServerMetrics};

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
    tls: Option<TlsAcceptor>,
    admin: Option<TcpListener>,
}

impl Server {
    /// A server of `engine` for callers whom `authenticator` lets in.
    ///
    /// # Errors
    ///
    /// When the origins or the certificate in `settings` cannot be used.
    pub fn new(
        engine: Engine,
        authenticator: Arc<Authenticator>,
        metrics: Metrics,
        settings: Settings,
    ) -> Result<Self, BuildError> {
        raise_file_limit();
        let tls = settings.certificate.clone().map(Certificate::acceptor).transpose()?;
        let shared = Shared::new(engine, authenticator, metrics, settings, Shutdown::new());
        let router = router(&shared)?;
        Ok(Self { shared, router, tls, admin: None })
    }

    /// The same server, with metrics and health on `listener` as well.
    #[must_use]
    pub fn with_admin(mut self, listener: TcpListener) -> Self {
        self.admin = Some(listener);
        self
    }

    /// Serves on `listener` until `stop` resolves, for the shutdown delay after, and until no connection waits with the system. Then
    /// requests under way are finished, and connections that take longer than any request may are cut off.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let Self { shared, router, tls, admin } = self;
        let Settings { connections, shutdown_delay, request_timeout, .. } = shared.settings;
        let shutdown = shared.shutdown.clone();
        let files = ResourceLimits::of_process().connections_by_files();
        if connections.most.get() > files && connections.most.get() < usize::MAX {
            tracing::warn!(
                most = connections.most,
                files,
                "MAX_CONNECTIONS is more than the limit of open files allows"
            );
        }
        let acceptor = Acceptor::new(router, tls, connections, &shared);
        let accept = async {
            acceptor.accept_until(&listener, stop).await;
            shutdown.enter(Phase::Stopping);
            if !shutdown_delay.is_zero() {
                tracing::info!(delay = ?shutdown_delay, "stopping: /readyz says so, and requests are still taken");
                acceptor.accept_until(&listener, sleep(shutdown_delay)).await;
            }
        };
        let accept_admin = async {
            let Some(listener) = admin else { return pending().await };
            let connections = Connections { most: ADMIN_CONNECTIONS, ..connections };
            let acceptor = Acceptor::new(admin_router(&shared), None, connections, &shared);
            acceptor.accept_until(&listener, pending()).await;
        };
        tokio::select! {
            () = accept => {}
            () = accept_admin => {}
        }
        acceptor.accept_queued(listener).await;
        let pool = Arc::clone(&acceptor.pool);
        drop(acceptor);
        shutdown.enter(Phase::Draining);
        tokio::select! {
            () = shutdown.drained() => {}
            () = sleep(request_timeout + connections.drain_timeout) => {
                tracing::warn!(connections = pool.len(), "cut off: they took too long to finish");
                shutdown.enter(Phase::Over);
                shutdown.drained().await;
            }
        }
    }
}

struct Acceptor {
    router: Router,
    tls: Option<TlsAcceptor>,
    protocols: Arc<Builder<TokioExecutor>>,
    connections: Connections,
    send: SendLimits,
    trusted_proxies: Vec<IpNet>,
    pool: Arc<Pool<PoolMember>>,
    reserved: Arc<Semaphore>,
    full: LogThrottle,
    shutdown: Shutdown,
    metrics: Arc<ServerMetrics>,
}

impl Acceptor {
    fn new(router: Router, tls: Option<TlsAcceptor>, connections: Connections, shared: &Shared) -> Self {
        Self {
            router,
            tls,
            protocols: Arc::new(connection::protocols()),
            connections,
            send: shared.settings.send,
            trusted_proxies: shared.settings.trusted_proxies.clone(),
            pool: Pool::new(connections.most, connections.replaceable_after),
            reserved: Arc::new(Semaphore::new(RESERVED)),
            full: LogThrottle::default(),
            shutdown: shared.shutdown.clone(),
            metrics: Arc::clone(shared.metrics.server()),
        }
    }

    async fn accept_until(&self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            let (stream, address) = tokio::select! {
                biased;
                () = &mut end => return,
                accepted = accept(listener) => accepted,
            };
            self.serve(stream, address).await;
        }
    }

    /// Accepts the connections that wait with the system, which would reset them with the listener's end.
    async fn accept_queued(&self, listener: TcpListener) {
        // Not through the runtime, which may not have been told yet of those that have just come.
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, address)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.serve(stream, address).await;
            }
        }
    }

    async fn serve(&self, stream: TcpStream, address: SocketAddr) {
        let connection = self.join(address).await;
        let (router, protocols, tls) = (self.router.clone(), Arc::clone(&self.protocols), self.tls.clone());
        let (limits, send) = (self.connections, self.send);
        tokio::spawn(async move {
            connection::serve(stream, tls.as_ref(), router, &protocols, &limits, &send, connection).await;
        });
    }

    /// Joins the pool. Clients that connect meanwhile wait with the system.
    async fn join(&self, address: SocketAddr) -> ConnectionInfo {
        let mut reserved = None;
        loop {
            let Self { pool, trusted_proxies, shutdown, metrics, .. } = self;
            let joined =
                ConnectionInfo::join(pool, address.ip(), trusted_proxies, shutdown, metrics, || reserved.take());
            if let Ok(connection) = joined {
                return connection;
            }
            if let Some(connections) = self.full.count() {
                tracing::warn!(connections, most = self.connections.most, "there are too many connections");
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
