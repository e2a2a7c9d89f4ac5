//! The life of a connection.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::TryFutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt as _;

use super::activity::WatchedStream;
use super::peer::{ConnectionInfo, Phase};
use super::settings::{Connections, SendLimits};
use crate::telemetry::ServerMetrics;

/// Most bytes of a request's head. More than its parts may have, so that the response can say what is wrong; beyond this there
/// is no more than a bare 431.
const MAX_HEAD: u32 = 128 * 1024;

/// Most requests that one HTTP/2 connection may have under way. Half of the least that RFC 9113, section 6.5.2, recommends: what
/// answers hold is counted by the connection, and proxies open another.
const MAX_STREAMS: u32 = 50;

/// Bytes of bodies that an HTTP/2 client may send ahead, on one stream and on all: a body of the default limit is here after two
/// round trips.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Most bytes of a response that HTTP/2 takes from a stream ahead of its client's window.
const SEND_BUFFER: usize = 64 * 1024;

/// Time for HTTP/2's GOAWAY on a connection that is over.
const GOAWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for the head of a request, and idle time, of a connection that is reserved for health probes.
const RESERVED_HEAD_TIMEOUT: Duration = Duration::from_secs(2);
const RESERVED_IDLE_TIMEOUT: Duration = Duration::from_millis(100);

/// A server of the connections of one listener.
pub(crate) struct ConnectionServer {
    router: Router,
    protocols: Builder<TokioExecutor>,
    limits: Connections,
    send: SendLimits,
    metrics: Arc<ServerMetrics>,
}

/// Both protocols. HTTP/2 is told by its first bytes, for without TLS there is nothing to negotiate it.
fn protocols() -> Builder<TokioExecutor> {
    let mut protocols = Builder::new(TokioExecutor::new());
    // hyper's own time for a head runs while none has begun, too, and would be the time that idle connections are kept.
    protocols.http1().header_read_timeout(None).max_buf_size(MAX_HEAD as usize);
    // Left as they are, since they are what holds: at most 20 streams reset before they were accepted, and 1024 by us for a
    // client's faults (h2). There are no pings: a client who is gone is found by the answer that it does not read.
    protocols
        .http2()
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        // For WebSockets (RFC 8441).
        .enable_connect_protocol();
    protocols
}

impl ConnectionServer {
    pub(crate) fn new(router: Router, limits: Connections, send: SendLimits, metrics: Arc<ServerMetrics>) -> Self {
        Self { router, protocols: protocols(), limits, send, metrics }
    }

    /// Serves `stream` until its client is gone, its time by `limits` is over, a newcomer replaces it, or the server stops. Requests
    /// under way are dropped then, and with them the calls that nobody else waits for.
    pub(crate) async fn serve(&self, stream: TcpStream, connection: ConnectionInfo) {
        // Responses are written whole; held back for more, the last packet would wait for the client's acknowledgment.
        let _ = stream.set_nodelay(true);
        let limits = limits_for(&connection, &self.limits);
        let (activity, peer, mut phase) =
            (connection.activity().clone(), Arc::clone(connection.peer()), connection.phase());
        let connection = Arc::new(connection.counted(self.metrics.connection()));
        let stream = TokioIo::new(WatchedStream::new(stream, activity.clone(), Arc::clone(&self.metrics)));
        let service = service_fn({
            let (activity, router) = (activity.clone(), self.router.clone());
            move |request: hyper::Request<Incoming>| {
                let guard = activity.begin(request.version());
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Arc::clone(&connection));
                router.clone().oneshot(request).inspect_ok(move |_| drop(guard))
            }
        });
        // A WebSocket is an upgrade.
        let mut connection = pin!(self.protocols.serve_connection_with_upgrades(stream, service));
        let mut replaced = pin!(peer.replaced());
        let mut closes_at = None;
        loop {
            let now = Instant::now();
            let over_at = activity.over_at(&limits).map(|over_at| closes_at.unwrap_or(over_at));
            if over_at.is_some_and(|over_at| over_at <= now) {
                if closes_at.is_some() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                closes_at = Some(now + GOAWAY_TIMEOUT);
                continue;
            }
            // What begins and ends meanwhile moves the time, though never nearer than this.
            let soon = now + limits.head_timeout.min(limits.idle_timeout).min(self.send.grace);
            tokio::select! {
                // What has come is read before it is judged to have come too late.
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "a connection ended early");
                    }
                    return;
                }
                changed = phase.changed() => match (changed, *phase.borrow()) {
                    (Ok(()), Phase::Serving | Phase::Stopping) => {}
                    (Ok(()), Phase::Draining) => connection.as_mut().graceful_shutdown(),
                    // Whoever accepted it is gone.
                    (Ok(()), Phase::Over) | (Err(_), _) => return,
                },
                () = replaced.as_mut() => {
                    tracing::debug!("replaced by another connection");
                    return;
                }
                () = sleep_until(over_at.map_or(soon, |over_at| over_at.min(soon))) => {}
            }
        }
    }
}

fn limits_for(connection: &ConnectionInfo, limits: &Connections) -> Connections {
    if !connection.is_reserved() {
        return *limits;
    }
    let head_timeout = limits.head_timeout.min(RESERVED_HEAD_TIMEOUT);
    Connections { head_timeout, idle_timeout: limits.idle_timeout.min(RESERVED_IDLE_TIMEOUT), ..*limits }
}
