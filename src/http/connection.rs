//! One connection, from its acceptance to its end.

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

use super::activity::Watched;
use super::peer::{ConnectionInfo, Phase};
use super::settings::{Connections, SendLimits};

/// How much of a request's head is taken, in bytes. More than its parts may have, so that the answer can say what is wrong;
/// beyond this there is no more than a bare 431.
const MAX_HEAD: u32 = 128 * 1024;

/// How many requests one HTTP/2 connection may have under way. Half of the least that RFC 9113, section 6.5.2, recommends: what
/// answers hold is counted by the connection, and proxies open another.
const MAX_STREAMS: u32 = 50;

/// How many bytes of bodies an HTTP/2 client may send ahead, on one stream and on all: a body of the default limit is here
/// after two round trips.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// How many bytes of an answer HTTP/2 takes from a stream ahead of its client's window.
const SEND_BUFFER: usize = 64 * 1024;

/// How long a connection that is over has for its last words, HTTP/2's GOAWAY.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection with a spare place may take to send a request, and how long it is kept after its answer.
const SPARE_HEAD_TIMEOUT: Duration = Duration::from_secs(2);
const SPARE_IDLE_TIMEOUT: Duration = Duration::from_millis(100);

/// How the two protocols are spoken. HTTP/2 is told by its first bytes, for without TLS there is nothing to negotiate it.
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

/// Serves `stream` until its client is gone, it is over by `limits`, another takes its place, or the phase says so. All that is
/// under way then is dropped, and with it the calls that nobody else waits for.
pub(crate) async fn serve(
    stream: TcpStream,
    router: Router,
    protocols: &Builder<TokioExecutor>,
    limits: &Connections,
    send: &SendLimits,
    connection: ConnectionInfo,
) {
    // Answers are written whole; held back for more, the last packet would wait for the client's acknowledgment.
    let _ = stream.set_nodelay(true);
    let limits = limits_for(&connection, limits);
    let (activity, peer, mut phase) =
        (connection.activity().clone(), Arc::clone(connection.peer()), connection.phase());
    let connection = Arc::new(connection);
    let stream = TokioIo::new(Watched::new(stream, activity.clone()));
    let service = service_fn({
        let activity = activity.clone();
        move |request: hyper::Request<Incoming>| {
            let guard = activity.begin(request.version());
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&connection));
            router.clone().oneshot(request).inspect_ok(move |_| drop(guard))
        }
    });
    // A WebSocket is an upgrade.
    let mut connection = pin!(protocols.serve_connection_with_upgrades(stream, service));
    let mut replaced = pin!(peer.replaced());
    let mut last_words = None;
    loop {
        let now = Instant::now();
        let over_at = activity.over_at(&limits).map(|over_at| last_words.unwrap_or(over_at));
        if over_at.is_some_and(|over_at| over_at <= now) {
            if last_words.is_some() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            last_words = Some(now + FAREWELL);
            continue;
        }
        // What begins and ends meanwhile moves the time, though never nearer than this.
        let soon = now + limits.head_timeout.min(limits.idle_timeout).min(send.grace);
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
                tracing::debug!("another connection takes its place");
                return;
            }
            () = sleep_until(over_at.map_or(soon, |over_at| over_at.min(soon))) => {}
        }
    }
}

fn limits_for(connection: &ConnectionInfo, limits: &Connections) -> Connections {
    if !connection.is_spare() {
        return *limits;
    }
    let head_timeout = limits.head_timeout.min(SPARE_HEAD_TIMEOUT);
    Connections { head_timeout, idle_timeout: limits.idle_timeout.min(SPARE_IDLE_TIMEOUT), ..*limits }
}
