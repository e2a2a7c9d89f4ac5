//! Who is connected, and until when: the address behind a request, its connection, and the phases of a stop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Version};
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, RequestGuard, WebSocketGuard};
use super::pool::{Full, Membership, Pool, Replaceable};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How far the server is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Requests are taken.
    Serving,
    /// Requests are taken, and `/readyz` says that they soon will not be.
    Stopping,
    /// What is under way is finished, and nothing is begun.
    Draining,
    /// Nothing is waited for.
    Over,
}

/// The stop signal. Clones are one.
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

    /// Waits until the last connection is gone.
    pub(crate) async fn drained(&self) {
        self.0.closed().await;
    }
}

/// A connection, or a WebSocket on a stream of one, as a member of the pool of connections.
#[derive(Debug)]
pub(crate) struct Peer {
    activity: Activity,
    replaced: CancellationToken,
}

impl Peer {
    fn new() -> Self {
        Self { activity: Activity::new(), replaced: CancellationToken::new() }
    }

    /// Waits until another takes its place.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }
}

impl Replaceable for Peer {
    fn idle_since(&self) -> Option<Instant> {
        self.activity.idle_since()
    }

    fn replace(&self) {
        self.replaced.cancel();
    }
}

/// A connection, to the requests that come by it. A WebSocket goes on when its request is over, and keeps this.
pub(crate) struct ConnectionInfo {
    address: IpAddr,
    /// Whether its client speaks for others, so that it counts as many.
    is_proxy: bool,
    peer: Arc<Peer>,
    pool: Arc<Pool<Peer>>,
    /// Its place among all connections.
    _membership: Option<Membership<Peer>>,
    /// Its place beside them, one of the few for health probes.
    spare: Option<OwnedSemaphorePermit>,
    phase: watch::Receiver<Phase>,
}

impl ConnectionInfo {
    /// Take a place for a connection from `address`, or the one beside the others that `spare` has.
    pub(crate) fn join(
        pool: &Arc<Pool<Peer>>,
        address: IpAddr,
        trusted: &[IpNet],
        shutdown: &Shutdown,
        spare: impl FnOnce() -> Option<OwnedSemaphorePermit>,
    ) -> Result<Self, Full> {
        let peer = Arc::new(Peer::new());
        let is_proxy = is_trusted(address.to_canonical(), trusted);
        let (membership, spare) = match pool.join((!is_proxy).then(|| network(address)), Arc::clone(&peer)) {
            Ok(membership) => (Some(membership), None),
            Err(Full) => (None, Some(spare().ok_or(Full)?)),
        };
        let phase = shutdown.0.subscribe();
        Ok(Self { address, is_proxy, peer, pool: Arc::clone(pool), _membership: membership, spare, phase })
    }

    /// Whether it has one of the few places for health probes.
    pub(crate) fn is_spare(&self) -> bool {
        self.spare.is_some()
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.peer.activity
    }

    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// How far the server is from its end.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.clone()
    }

    /// Take a place for a WebSocket. It takes over the connection's own where there is nothing else on it, and one more beside
    /// the other streams of HTTP/2.
    pub(crate) fn join_web_socket(self: &Arc<Self>, version: Version) -> Result<WebSocketPlace, Full> {
        let (peer, membership) = if version == Version::HTTP_2 {
            let peer = Arc::new(Peer::new());
            let address = (!self.is_proxy).then(|| network(self.address));
            let membership = self.pool.join(address, Arc::clone(&peer))?;
            (peer, Some(membership))
        } else {
            (Arc::clone(&self.peer), None)
        };
        let open = [self.activity().open_web_socket(), peer.activity.open_web_socket()];
        Ok(WebSocketPlace { connection: Arc::clone(self), peer, version, _membership: membership, _open: open })
    }
}

/// The place of a WebSocket among the connections. It is counted, and waited for when the gateway stops, until this is dropped.
pub(crate) struct WebSocketPlace {
    connection: Arc<ConnectionInfo>,
    peer: Arc<Peer>,
    version: Version,
    _membership: Option<Membership<Peer>>,
    _open: [WebSocketGuard; 2],
}

impl WebSocketPlace {
    /// Note that an operation is under way, until what is given back is dropped.
    pub(crate) fn begin(&self) -> [RequestGuard; 2] {
        [self.connection.activity(), &self.peer.activity].map(|activity| activity.begin(self.version))
    }

    pub(crate) fn activity(&self) -> &Activity {
        self.connection.activity()
    }

    /// Waits until the gateway is to stop.
    pub(crate) async fn stopping(&self) {
        // Without a server there is nothing to serve either.
        let _ = self.connection.phase().wait_for(|phase| *phase >= Phase::Draining).await;
    }

    /// Waits until there is no time left, or another takes the place.
    pub(crate) async fn over(&self) {
        let mut phase = self.connection.phase();
        tokio::select! {
            _ = phase.wait_for(|phase| *phase == Phase::Over) => {}
            () = self.peer.replaced() => {}
        }
    }
}

/// The address that a request comes from.
pub(crate) fn address(request: &Request, trusted: &[IpNet]) -> IpAddr {
    // Every connection knows who is at its other end.
    let peer = request.extensions().get::<Arc<ConnectionInfo>>().map(|connection| connection.address);
    behind(peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), request.headers(), trusted)
}

/// Follows `X-Forwarded-For` backwards for as long as a trusted proxy speaks. Every proxy adds the address that it was asked
/// from, so the first one that is not a trusted proxy's own is the last that can be believed; what stands before it anyone
/// can write.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    while is_trusted(address, trusted) {
        let Some(hop) = hops.next().and_then(|hop| parse(hop.trim())) else { break };
        address = hop.to_canonical();
    }
    address
}

/// What stands for whoever has this address: whoever has one of IPv6 has its whole network of 2^64.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Some proxies add the port, and put IPv6 addresses into brackets.
fn parse(hop: &str) -> Option<IpAddr> {
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(|| hop.parse().ok().as_ref().map(SocketAddr::ip)).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let trusted = ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"].map(|network| network.parse().unwrap());
        for (peer, lines, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7 ,10.1.1.1"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7", "10.1.1.1"], "198.51.100.7"),
            ("10.0.0.1", &["10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["198.51.100.7:51234"], "198.51.100.7"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7,"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7", "\u{fc}"], "10.0.0.1"),
            ("127.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let address = behind(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address, expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
    }
}
