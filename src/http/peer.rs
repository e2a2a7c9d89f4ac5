//! Peers: who is connected, as a member of the pool of connections or on a WebSocket of one; and the phases of a shutdown, which each is told.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Version;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::activity::{Activity, RequestGuard, WebSocketGuard};
use super::address::{client_address, is_trusted, network};
use super::pool::{Membership, Pool, PoolFullError, Replaceable};
use crate::telemetry::{OpenGuard, ServerMetrics};

/// A connection, or a WebSocket on a stream of one, as a member of the pool of connections.
#[derive(Debug)]
pub(crate) struct PoolMember {
    activity: Activity,
    replaced: CancellationToken,
}

impl PoolMember {
    fn new() -> Self {
        Self { activity: Activity::new(), replaced: CancellationToken::new() }
    }

    /// Waits until a newcomer takes its place in the pool.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }
}

impl Replaceable for PoolMember {
    fn idle_since(&self) -> Option<Instant> {
        self.activity.idle_since()
    }

    fn replace(&self) {
        self.replaced.cancel();
    }
}

/// A connection, as an extension of its requests. A WebSocket keeps it, and goes on when its request is over.
pub(crate) struct ConnectionInfo {
    address: IpAddr,
    /// True for a trusted proxy, whose clients are many: no network's share is counted for it.
    is_proxy: bool,
    peer: Arc<PoolMember>,
    pool: Arc<Pool<PoolMember>>,
    _membership: Option<Membership<PoolMember>>,
    /// A permit of the few that are kept for health probes, in place of a membership.
    reserved: Option<OwnedSemaphorePermit>,
    phase: watch::Receiver<Phase>,
    metrics: Arc<ServerMetrics>,
    _open: OpenGuard,
}

impl ConnectionInfo {
    /// Joins the pool with a connection from `address`, or takes the permit that `reserved` has.
    pub(crate) fn join(
        pool: &Arc<Pool<PoolMember>>,
        address: IpAddr,
        trusted: &[IpNet],
        shutdown: &Shutdown,
        metrics: &Arc<ServerMetrics>,
        reserved: impl FnOnce() -> Option<OwnedSemaphorePermit>,
    ) -> Result<Self, PoolFullError> {
        let peer = Arc::new(PoolMember::new());
        let is_proxy = is_trusted(address, trusted);
        let (membership, reserved) = match pool.join((!is_proxy).then(|| network(address)), Arc::clone(&peer)) {
            Ok(membership) => (Some(membership), None),
            Err(PoolFullError) => (None, Some(reserved().ok_or(PoolFullError)?)),
        };
        let phase = shutdown.subscribe();
        Ok(Self {
            address,
            is_proxy,
            peer,
            pool: Arc::clone(pool),
            _membership: membership,
            reserved,
            phase,
            metrics: Arc::clone(metrics),
            _open: metrics.connection(),
        })
    }

    pub(crate) fn metrics(&self) -> &Arc<ServerMetrics> {
        &self.metrics
    }

    /// True for a trusted proxy's.
    pub(crate) fn is_proxy(&self) -> bool {
        self.is_proxy
    }

    /// True if it holds one of the few permits for health probes.
    pub(crate) fn is_reserved(&self) -> bool {
        self.reserved.is_some()
    }

    /// True once the server was told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.phase.borrow() != Phase::Serving
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.peer.activity
    }

    pub(crate) fn peer(&self) -> &Arc<PoolMember> {
        &self.peer
    }

    /// Changes of the server's phase.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.clone()
    }

    /// Joins the pool with a WebSocket. It takes over its connection's membership, but has its own beside other streams of HTTP/2.
    pub(crate) fn join_web_socket(self: &Arc<Self>, version: Version) -> Result<WebSocketMembership, PoolFullError> {
        let (peer, membership) = if version == Version::HTTP_2 {
            let peer = Arc::new(PoolMember::new());
            let address = (!self.is_proxy).then(|| network(self.address));
            let membership = self.pool.join(address, Arc::clone(&peer))?;
            (peer, Some(membership))
        } else {
            (Arc::clone(&self.peer), None)
        };
        let open = [self.activity().open_web_socket(), peer.activity.open_web_socket()];
        Ok(WebSocketMembership { connection: Arc::clone(self), peer, version, _membership: membership, _open: open })
    }
}

/// The membership of a WebSocket. It is counted, and waited for when the gateway stops, until this is dropped.
pub(crate) struct WebSocketMembership {
    connection: Arc<ConnectionInfo>,
    peer: Arc<PoolMember>,
    version: Version,
    _membership: Option<Membership<PoolMember>>,
    _open: [WebSocketGuard; 2],
}

impl WebSocketMembership {
    /// Count an operation as under way, until the guards are dropped.
    pub(crate) fn begin(&self) -> [RequestGuard; 2] {
        [self.connection.activity(), &self.peer.activity].map(|activity| activity.begin(self.version))
    }

    pub(crate) fn activity(&self) -> &Activity {
        self.connection.activity()
    }

    /// A guard that ends the connection when it is dropped, unless it is disarmed before: a stream of HTTP/2 is not ended by the
    /// WebSocket on it while hyper has something to send. None for HTTP/1.1, whose connection ends with its WebSocket.
    pub(crate) fn stream_guard(&self) -> Option<DropGuard> {
        (self.version == Version::HTTP_2).then(|| self.connection.peer.replaced.clone().drop_guard())
    }

    /// Waits until the gateway is to stop.
    pub(crate) async fn stopping(&self) {
        // Without a server there is nothing to serve either.
        let _ = self.connection.phase().wait_for(|phase| *phase >= Phase::Draining).await;
    }

    /// Waits until no time is left, or a newcomer takes its place in the pool.
    pub(crate) async fn over(&self) {
        let mut phase = self.connection.phase();
        tokio::select! {
            _ = phase.wait_for(|phase| *phase == Phase::Over) => {}
            () = self.peer.replaced() => {}
        }
    }
}

/// The address of the client that sends a request.
pub(crate) fn client_of(request: &Request, trusted: &[IpNet]) -> IpAddr {
    // Only within the process does a request come without a connection.
    let peer = request.extensions().get::<Arc<ConnectionInfo>>().map(|connection| connection.address);
    client_address(peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), request.headers(), trusted)
}

/// Phase of a server's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Requests are taken.
    Serving,
    /// Requests are taken, and `/readyz` says that they soon will not be.
    Stopping,
    /// Requests under way are finished, and no other is begun.
    Draining,
    /// No request is waited for any more.
    Over,
}

/// The shutdown signal. Cheap to clone: all clones share the phase.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Sender<Phase>);

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// The phases to come, for a connection. It is waited for until this is dropped.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.0.subscribe()
    }

    /// Waits until the last connection is gone.
    pub(crate) async fn drained(&self) {
        self.0.closed().await;
    }
}
