//! The life of a connection.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode, Version};
use futures_util::TryFutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::activity::watched;
use super::peer::{ConnectionInfo, Phase};
use super::settings::{Connections, SendLimits};

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

/// Time for a last request on a connection that is idle when the server stops: one may be on its way, and on a new connection it is the
/// first.
const IDLE_DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Time for the head of a request, and idle time, of a connection that is reserved for health probes.
const RESERVED_HEAD_TIMEOUT: Duration = Duration::from_secs(2);
const RESERVED_IDLE_TIMEOUT: Duration = Duration::from_millis(100);

/// Both protocols. HTTP/2 is told by its first bytes, for without TLS there is nothing to negotiate it.
pub(crate) fn protocols() -> Builder<TokioExecutor> {
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

/// Serves `stream` until its client is gone, its time by `limits` is over, a newcomer replaces it, or the server stops. Requests
/// under way are dropped then, and with them the calls that nobody else waits for.
pub(crate) async fn serve(
    stream: TcpStream,
    tls: Option<&TlsAcceptor>,
    router: Router,
    protocols: &Builder<TokioExecutor>,
    limits: &Connections,
    send: &SendLimits,
    connection: ConnectionInfo,
) {
    // Responses are written whole; held back for more, the last packet would wait for the client's acknowledgment.
    let _ = stream.set_nodelay(true);
    let limits = limits_for(&connection, limits);
    let Some(tls) = tls else { return serve_http(stream, router, protocols, &limits, send, connection).await };
    let mut phase = connection.phase();
    let handshake = tokio::select! {
        handshake = tls.accept(stream) => handshake,
        () = sleep(limits.head_timeout) => {
            tracing::debug!("a TLS handshake took too long");
            return;
        }
        () = connection.peer().replaced() => return,
        _ = phase.wait_for(|phase| *phase == Phase::Over) => return,
    };
    match handshake {
        Ok(stream) => serve_http(stream, router, protocols, &limits, send, connection).await,
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

async fn serve_http<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    router: Router,
    protocols: &Builder<TokioExecutor>,
    limits: &Connections,
    send: &SendLimits,
    connection: ConnectionInfo,
) {
    let (activity, peer, mut phase) =
        (connection.activity().clone(), Arc::clone(connection.peer()), connection.phase());
    if connection.is_stopping() {
        // It was accepted last, and is told like those from before.
        phase.mark_changed();
    }
    let connection = Arc::new(connection);
    let stream = TokioIo::new(watched(stream, activity.clone(), Arc::clone(connection.metrics())));
    let service = service_fn({
        let activity = activity.clone();
        move |request: hyper::Request<Incoming>| {
            let guard = activity.begin(request.version());
            let has_http1 = request.version() < Version::HTTP_2;
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&connection));
            let connection = Arc::clone(&connection);
            router.clone().oneshot(request).map_ok(move |mut response| {
                drop(guard);
                // A client that keeps its connection would send the next request into its end. HTTP/2 has GOAWAY for that.
                if has_http1 && connection.is_stopping() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            })
        }
    });
    // A WebSocket is an upgrade.
    let mut connection = pin!(protocols.serve_connection_with_upgrades(stream, service));
    let mut replaced = pin!(peer.replaced());
    let mut closes_at = None;
    let mut last_call: Option<Instant> = None;
    loop {
        let now = Instant::now();
        if last_call.is_some_and(|last_call| last_call <= now) {
            connection.as_mut().graceful_shutdown();
            last_call = None;
        }
        let over_at = activity.over_at(limits).map(|over_at| closes_at.unwrap_or(over_at));
        if over_at.is_some_and(|over_at| over_at <= now) {
            if closes_at.is_some() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            closes_at = Some(now + GOAWAY_TIMEOUT);
            continue;
        }
        // Activity that begins and ends meanwhile moves the time, though never nearer than this.
        let soon = now + limits.head_timeout.min(limits.idle_timeout).min(send.grace);
        tokio::select! {
            // Bytes that have come are read before they are judged to have come too late.
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection ended early");
                }
                return;
            }
            changed = phase.changed() => match (changed, *phase.borrow()) {
                (Ok(()), Phase::Serving | Phase::Stopping) => {}
                (Ok(()), Phase::Draining) => {
                    let is_idle = activity.idle_since().is_some();
                    last_call = Some(if is_idle { Instant::now() + IDLE_DRAIN_GRACE } else { Instant::now() });
                }
                // Whoever accepted it is gone.
                (Ok(()), Phase::Over) | (Err(_), _) => return,
            },
            () = replaced.as_mut() => {
                tracing::debug!("replaced by another connection");
                return;
            }
            () = sleep_until([over_at, last_call].into_iter().flatten().fold(soon, Instant::min)) => {}
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
