//! The server: accepts connections until it is told to stop, and drains them then.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;

use super::connection;
use super::peer::{ConnectionInfo, Phase, PoolMember, Shutdown};
use super::pool::Pool;
use super::resource_limits::{ResourceLimits, raise_file_limit};
use super::settings::{Connections, SendLimits, Settings};
use super::state::ServerState;
use super::tls::Certificate;
use super::{BuildError, admin_router, router};
use crate::auth::Authenticator;
use crate::graphql::Engine;
use crate::telemetry::{LogThrottle, Metrics, ServerMetrics};

/// Pause after the system cannot give another connection, as when a process has too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Connections beside all others: for health probes, and to tell others that there are too many.
const RESERVED: usize = 32;

/// Time after which a connection that waits tries to join the pool again.
const REJOIN_INTERVAL: Duration = Duration::from_millis(100);

/// Time for the connections that wait with the system when the server stops. It is longer than idle ones take to make room, and an
/// end where strangers connect faster than connections are accepted.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections to the admin address at once: those of a few Prometheus servers, and of probes.
const ADMIN_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// The gateway's HTTP server.
pub struct Server {
    state: ServerState,
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
        let state = ServerState::new(engine, authenticator, metrics, settings, Shutdown::new());
        let router = router(&state)?;
        Ok(Self { state, router, tls, admin: None })
    }

    /// The same server, with metrics and health on `listener` as well.
    #[must_use]
    pub fn with_admin(mut self, listener: TcpListener) -> Self {
        self.admin = Some(listener);
        self
    }

    /// Serves on `listener` until `stop` resolves, and for the shutdown delay after. Then the connections that wait with the system are
    /// accepted, as far as there is room for them within `QUEUE_TIMEOUT`, requests under way are finished, and connections that take
    /// longer than any request may are cut off. The admin address is served to the end.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let Self { state, router, tls, admin } = self;
        let Settings { connections, shutdown_delay, request_timeout, .. } = state.settings;
        let shutdown = state.shutdown.clone();
        let files = ResourceLimits::of_process().connections_by_files();
        if connections.most.get() > files && connections.most.get() < usize::MAX {
            tracing::warn!(
                most = connections.most,
                files,
                "MAX_CONNECTIONS is more than the limit of open files allows"
            );
        }
        let serve_admin = async {
            let Some(listener) = admin else { return pending().await };
            let connections = Connections { most: ADMIN_CONNECTIONS, ..connections };
            let acceptor = Acceptor::new(admin_router(&state), None, connections, &state);
            // Its connections are not waited for, but end with this.
            let acceptor = Acceptor { shutdown: Shutdown::new(), ..acceptor };
            acceptor.accept_until(&listener, None, pending()).await;
        };
        let serve = async {
            let acceptor = Acceptor::new(router, tls, connections, &state);
            let mut waiting = acceptor.accept_until(&listener, None, stop).await;
            shutdown.enter(Phase::Stopping);
            if !shutdown_delay.is_zero() {
                tracing::info!(delay = ?shutdown_delay, "stopping: /readyz says so, and requests are still taken");
                waiting = acceptor.accept_until(&listener, waiting, sleep(shutdown_delay)).await;
            }
            // First, since those who are told to leave make room for those who wait.
            shutdown.enter(Phase::Draining);
            let pool = Arc::clone(&acceptor.pool);
            let drain = async {
                acceptor.accept_queued(listener, waiting).await;
                drop(acceptor);
                shutdown.drained().await;
            };
            tokio::select! {
                () = drain => {}
                () = sleep(request_timeout + connections.drain_timeout) => {
                    tracing::warn!(connections = pool.len(), "cut off: they took too long to finish");
                    shutdown.enter(Phase::Over);
                    shutdown.drained().await;
                }
            }
        };
        tokio::select! {
            () = serve => {}
            () = serve_admin => {}
        }
    }
}

/// A connection that was accepted.
type Accepted = (TcpStream, SocketAddr);

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
    fn new(router: Router, tls: Option<TlsAcceptor>, connections: Connections, state: &ServerState) -> Self {
        Self {
            router,
            tls,
            protocols: Arc::new(connection::protocols()),
            connections,
            send: state.settings.send,
            trusted_proxies: state.settings.trusted_proxies.clone(),
            pool: Pool::new(connections.most, connections.replaceable_after),
            reserved: Arc::new(Semaphore::new(RESERVED)),
            full: LogThrottle::default(),
            shutdown: state.shutdown.clone(),
            metrics: Arc::clone(state.metrics.server()),
        }
    }

    /// Accepts connections until `end` resolves, and serves them, `waiting` first. Gives back the one for which there was no room by then.
    async fn accept_until(
        &self,
        listener: &TcpListener,
        mut waiting: Option<Accepted>,
        end: impl Future<Output = ()>,
    ) -> Option<Accepted> {
        let mut end = pin!(end);
        loop {
            let accepted = match waiting.take() {
                Some(waiting) => waiting,
                None => tokio::select! {
                    biased;
                    () = &mut end => return None,
                    accepted = accept(listener) => accepted,
                },
            };
            if let Err(accepted) = self.serve_or_end(accepted, end.as_mut()).await {
                return Some(accepted);
            }
        }
    }

    /// Accepts the connections that wait with the system, which would reset them with the listener's end, `waiting` first. Those for
    /// which there is no room in time are dropped.
    async fn accept_queued(&self, listener: TcpListener, waiting: Option<Accepted>) {
        // Not through the runtime, which may not have been told yet of those that have just come.
        let Ok(listener) = listener.into_std() else { return };
        let queued = std::iter::from_fn(|| listener.accept().ok()).filter_map(|(stream, address)| {
            stream.set_nonblocking(true).ok()?;
            Some((TcpStream::from_std(stream).ok()?, address))
        });
        let until = Instant::now() + QUEUE_TIMEOUT;
        let mut end = pin!(sleep_until(until));
        for accepted in waiting.into_iter().chain(queued) {
            // There may always be room, and another one.
            let is_over = Instant::now() >= until;
            if is_over || self.serve_or_end(accepted, end.as_mut()).await.is_err() {
                tracing::warn!(most = self.connections.most, "connections that waited are dropped: there are too many");
                return;
            }
            consume_budget().await;
        }
    }

    /// Serves a connection once there is room for it, or gives it back if `end` resolves before.
    async fn serve_or_end(
        &self,
        (stream, address): Accepted,
        end: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Accepted> {
        let connection = tokio::select! {
            biased;
            connection = self.join(address) => connection,
            () = end => return Err((stream, address)),
        };
        let (router, protocols, tls) = (self.router.clone(), Arc::clone(&self.protocols), self.tls.clone());
        let (limits, send) = (self.connections, self.send);
        tokio::spawn(async move {
            connection::serve(stream, tls.as_ref(), router, &protocols, &limits, &send, connection).await;
        });
        Ok(())
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
