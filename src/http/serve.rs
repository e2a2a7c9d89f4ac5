//! Accepts connections until it is told to stop, and then lets what is under way finish.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::BuildError;
use super::connection::{self, Carrier, Phase};
use super::settings::{Connections, Settings};
use super::site::{Site, site};
use crate::auth::Authenticator;
use crate::graphql::Engine;
use crate::telemetry::LogThrottle;

/// How long not to accept when the system cannot give another connection, as when a process has too many files open.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether the gateway has been told to stop. Clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The gateway's HTTP server.
pub struct Server {
    site: Site,
    stopping: Stopping,
    connections: Connections,
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
        let stopping = Stopping::default();
        let Settings { connections, shutdown_delay, request_timeout, .. } = settings;
        let site = site(engine, authenticator, settings, stopping.clone())?;
        Ok(Self { site, stopping, connections, shutdown_delay, drain: request_timeout + connections.drain_timeout })
    }

    /// Serves on `listener` until `shutdown` resolves, and for as long after as is set. Then nothing more is accepted, what is
    /// under way is finished, and what takes longer than any request may is cut off.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Self { site, stopping, connections, shutdown_delay, drain } = self;
        let (phase, _) = watch::channel(Phase::Serving);
        let acceptor = Acceptor {
            site,
            protocols: Arc::new(connection::protocols()),
            connections,
            places: Arc::new(Semaphore::new(most(&connections))),
            refused: LogThrottle::default(),
            phase: phase.clone(),
        };
        acceptor.accept_until(&listener, shutdown).await;
        stopping.set();
        if !shutdown_delay.is_zero() {
            tracing::info!(delay = ?shutdown_delay, "stopping: /readyz says so, and requests are still taken");
            acceptor.accept_until(&listener, sleep(shutdown_delay)).await;
        }
        drop(listener);
        phase.send_replace(Phase::Draining);
        tokio::select! {
            () = phase.closed() => {}
            () = sleep(drain) => {
                tracing::warn!(connections = acceptor.taken(), "cut off: they took too long to finish");
                phase.send_replace(Phase::Over);
                phase.closed().await;
            }
        }
    }
}

struct Acceptor {
    site: Site,
    protocols: Arc<Builder<TokioExecutor>>,
    connections: Connections,
    places: Arc<Semaphore>,
    refused: LogThrottle,
    phase: watch::Sender<Phase>,
}

impl Acceptor {
    async fn accept_until(&self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                (stream, peer) = accept(listener) => self.serve(stream, peer),
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            if let Some(connections) = self.refused.count() {
                tracing::warn!(connections, most = self.connections.most, "refused: there are too many connections");
            }
            return;
        };
        let (site, protocols, limits) = (self.site.clone(), Arc::clone(&self.protocols), self.connections);
        let carrier = Carrier::new(peer.ip(), Arc::clone(&self.places), place, self.phase.subscribe());
        tokio::spawn(async move { connection::serve(stream, site, &protocols, &limits, carrier).await });
    }

    /// How many places are taken.
    fn taken(&self) -> usize {
        most(&self.connections) - self.places.available_permits()
    }
}

fn most(connections: &Connections) -> usize {
    connections.most.get().min(Semaphore::MAX_PERMITS)
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
