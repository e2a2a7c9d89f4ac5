//! One connection, from its acceptance to its end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Version;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use super::activity::{Activity, UnderWay, Watched};
use super::settings::Connections;
use super::site::{self, Site};

/// How much of a request's head is taken, in bytes. More than its parts may have, so that the answer can say what is wrong;
/// beyond this there is no more than a bare 431.
const MAX_HEAD: u32 = 128 * 1024;

/// How many requests one HTTP/2 connection may have under way: the least that RFC 9113, section 6.5.2, recommends.
const MAX_STREAMS: u32 = 100;

/// How many bytes of bodies an HTTP/2 client may send ahead, on one stream and on all: a body of the default limit is here
/// after two round trips, and a full house of connections holds no more than 200 MB.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// How long a connection that is over has for its last words, HTTP/2's GOAWAY.
const FAREWELL: Duration = Duration::from_secs(1);

/// Whether connections are served on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Requests are taken.
    Serving,
    /// What is under way is finished, and nothing is begun.
    Draining,
    /// Nothing is waited for.
    Over,
}

/// What a connection is to the requests that come by it. A WebSocket goes on when its request is over: it keeps what it needs
/// of this.
#[derive(Debug)]
pub(crate) struct Carrier {
    /// Who is at the other end.
    peer: IpAddr,
    activity: Activity,
    /// Those of all connections.
    places: Arc<Semaphore>,
    /// The connection's own.
    place: Arc<OwnedSemaphorePermit>,
    phase: watch::Receiver<Phase>,
}

impl Carrier {
    /// That of a connection that was just accepted from `peer` and has this place.
    pub(crate) fn new(
        peer: IpAddr,
        places: Arc<Semaphore>,
        place: OwnedSemaphorePermit,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self { peer, activity: Activity::new(), places, place: Arc::new(place), phase }
    }

    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The place of a WebSocket that is opened by a request of this version. It takes over the connection's own where there
    /// is nothing else on it, and one more beside others of HTTP/2. None if there is none.
    pub(crate) fn place(&self, version: Version) -> Option<Arc<OwnedSemaphorePermit>> {
        match version {
            Version::HTTP_2 => Arc::clone(&self.places).try_acquire_owned().ok().map(Arc::new),
            _ => Some(Arc::clone(&self.place)),
        }
    }

    /// Whether connections are served on.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.clone()
    }

    /// Keeps the connection from being idle, until what is given back is dropped.
    pub(crate) fn begin(&self, version: Version) -> UnderWay {
        self.activity.begin(version)
    }
}

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
        // For WebSockets (RFC 8441).
        .enable_connect_protocol();
    protocols
}

/// Serves `stream` until its client is gone, it is over by `limits`, or the phase says so. All that is under way then is
/// dropped, and with it the calls that nobody else waits for.
pub(crate) async fn serve(
    stream: TcpStream,
    site: Site,
    protocols: &Builder<TokioExecutor>,
    limits: &Connections,
    carrier: Carrier,
) {
    // Answers are written whole; held back for more, the last packet would wait for the client's acknowledgment.
    let _ = stream.set_nodelay(true);
    let (activity, mut phase) = (carrier.activity.clone(), carrier.phase());
    let carrier = Arc::new(carrier);
    let stream = TokioIo::new(Watched::new(stream, activity.clone()));
    let service = service_fn({
        let activity = activity.clone();
        move |request: hyper::Request<Incoming>| {
            let under_way = activity.begin(request.version());
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&carrier));
            site::answer(site.clone(), request).map(|answer| {
                drop(under_way);
                Ok::<_, Infallible>(answer)
            })
        }
    });
    // A WebSocket is an upgrade.
    let mut connection = pin!(protocols.serve_connection_with_upgrades(stream, service));
    let mut last_words = None;
    loop {
        let now = Instant::now();
        let over_at = activity.over_at(limits).map(|over_at| last_words.unwrap_or(over_at));
        if over_at.is_some_and(|over_at| over_at <= now) {
            if last_words.is_some() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            last_words = Some(now + FAREWELL);
            continue;
        }
        // What begins and ends meanwhile moves the time, though never nearer than this.
        let soon = now + limits.head_timeout.min(limits.idle_timeout);
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
                (Ok(()), Phase::Serving) => {}
                (Ok(()), Phase::Draining) => connection.as_mut().graceful_shutdown(),
                // Whoever accepted it is gone.
                (Ok(()), Phase::Over) | (Err(_), _) => return,
            },
            () = sleep_until(over_at.map_or(soon, |over_at| over_at.min(soon))) => {}
        }
    }
}
