//! The server: accepts connections until it is told to stop, and then lets what is under way finish.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
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

use super::connection;
use super::machine::{Machine, raise_file_limit};
use super::peer::{ConnectionInfo, Peer, Phase, Shutdown};
use super::pool::Pool;
use super::settings::{Connections, SendLimits, Settings};
use super::{BuildError, Shared, router};
use crate::auth::Authenticator;
use crate::graphql::Engine;
use crate::telemetry::LogThrottle;

/// How long not to accept when the system cannot give another connection, as when a process has too many files open.
const PAUSE: Duration = Duration::from_millis(500);

/// Connections beside all others, for health probes and for saying that there are too many.
const SPARE: usize = 32;

/// How long a connection waits for a place until those of others are looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The gateway's HTTP server.
pub struct Server {
    router: Router,
    shutdown: Shutdown,
    connections: Connections,
    send: SendLimits,
    trusted_proxies: Vec<IpNet>,
    shutdown_delay: Duration,
    /// How long what is under way may take to finish.
    drain: Duration,
}

impl Server {
    /// A server that has `engine` answer whom `authenticator` lets in.
    ///
    /// # Errors
    ///
    /// When the origins in `settings` cannot be used.
    pub fn new(engine: Engine, authenticator: Arc<Authenticator>, settings: Settings) -> Result<Self, BuildError> {
        raise_file_limit();
        let shutdown = Shutdown::new();
        let Settings { connections, send, shutdown_delay, request_timeout, .. } = settings;
        let trusted_proxies = settings.trusted_proxies.clone();
        let router = router(&Shared::new(engine, authenticator, settings, shutdown.clone()))?;
        let drain = request_timeout + connections.drain_timeout;
        Ok(Self { router, shutdown, connections, send, trusted_proxies, shutdown_delay, drain })
    }

    /// Serves on `listener` until `shutdown` resolves, and for as long after as is set. Then nothing more is accepted, what is
    /// under way is finished, and what takes longer than any request may is cut off.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let Self { router, shutdown, connections, send, trusted_proxies, shutdown_delay, drain } = self;
        let files = Machine::this().connections_by_files();
        if connections.most.get() > files && connections.most.get() < usize::MAX {
            tracing::warn!(
                most = connections.most,
                files,
                "MAX_CONNECTIONS is more than the limit of open files allows"
            );
        }
        let acceptor = Acceptor {
            listener,
            router,
            protocols: Arc::new(connection::protocols()),
            connections,
            send,
            trusted_proxies,
            pool: Pool::new(connections.most, connections.replaceable_after),
            spare: Arc::new(Semaphore::new(SPARE)),
            full: LogThrottle::default(),
            shutdown: shutdown.clone(),
        };
        acceptor.accept_until(stop).await;
        shutdown.enter(Phase::Stopping);
        if !shutdown_delay.is_zero() {
            tracing::info!(delay = ?shutdown_delay, "stopping: /readyz says so, and requests are still taken");
            acceptor.accept_until(sleep(shutdown_delay)).await;
        }
        let pool = Arc::clone(&acceptor.pool);
        drop(acceptor);
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

struct Acceptor {
    listener: TcpListener,
    router: Router,
    protocols: Arc<Builder<TokioExecutor>>,
    connections: Connections,
    send: SendLimits,
    trusted_proxies: Vec<IpNet>,
    pool: Arc<Pool<Peer>>,
    spare: Arc<Semaphore>,
    full: LogThrottle,
    shutdown: Shutdown,
}

impl Acceptor {
    async fn accept_until(&self, end: impl Future<Output = ()>) {
        let accept = pin!(self.accept_all());
        tokio::select! {
            biased;
            () = end => {}
            never = accept => match never {},
        }
    }

    async fn accept_all(&self) -> Infallible {
        loop {
            let (stream, address) = accept(&self.listener).await;
            let connection = self.join(address).await;
            let (router, protocols) = (self.router.clone(), Arc::clone(&self.protocols));
            let (limits, send) = (self.connections, self.send);
            tokio::spawn(
                async move { connection::serve(stream, router, &protocols, &limits, &send, connection).await },
            );
        }
    }

    /// Waits for a place. Whoever connects meanwhile waits with the system.
    async fn join(&self, address: SocketAddr) -> ConnectionInfo {
        let mut spare = None;
        loop {
            let joined =
                ConnectionInfo::join(&self.pool, address.ip(), &self.trusted_proxies, &self.shutdown, || spare.take());
            if let Ok(connection) = joined {
                return connection;
            }
            if let Some(connections) = self.full.count() {
                tracing::warn!(connections, most = self.connections.most, "there are too many connections");
            }
            tokio::select! {
                permit = Arc::clone(&self.spare).acquire_owned() => spare = permit.ok(),
                () = sleep(LOOK_AGAIN) => {}
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
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
