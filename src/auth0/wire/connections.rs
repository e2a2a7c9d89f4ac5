//! The open connections to one tenant: any number of HTTP/1.1, each for one request at a time, or one of HTTP/2 for all of them.
//!
//! hyper-util has a client with a pool, for any number of hosts. To find the one host in it, to copy its settings for a connection
//! that may have to be made, and to have a task wait for each that is to be put back cost a twentieth of an operation's CPU.
//! What speaks HTTP, and knows when a connection is of no more use, is hyper here as there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use super::super::domain::Domain;
use super::Lost;
use super::connector::Connector;

/// Shorter than what proxies and address translators commonly keep an idle connection for (60 s and
/// up), so that a pooled connection is rarely found dead.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How soon a silent HTTP/2 connection is tested, and how long the test may take: a dead one would
/// otherwise swallow every call until its deadline.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

type Sending = Request<Full<Bytes>>;

/// One that a request can be sent on.
#[derive(Debug)]
pub(crate) enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    pub(super) async fn send(&mut self, request: Sending) -> Result<Response<Incoming>, TrySendError<Sending>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// The pool of one tenant.
#[derive(Debug)]
pub(super) struct Connections {
    connector: Connector,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    pool: Arc<Mutex<Pool>>,
}

#[derive(Debug, Default)]
struct Pool {
    /// Those that nobody uses, in the order in which they were put back.
    idle: VecDeque<Kept<http1::SendRequest<Full<Bytes>>>>,
    shared: Option<Kept<http2::SendRequest<Full<Bytes>>>>,
}

#[derive(Debug)]
struct Kept<S> {
    sender: S,
    /// When it was used last.
    since: Instant,
}

impl<S> Kept<S> {
    fn is_fresh(&self, now: Instant) -> bool {
        now.duration_since(self.since) < POOL_IDLE_TIMEOUT
    }
}

impl Connections {
    pub(super) fn new(domain: &Domain) -> Result<Self, rustls::Error> {
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL).keep_alive_timeout(PING_TIMEOUT);
        let mut http1 = http1::Builder::new();
        // A request without a body is in one piece anyway.
        http1.writev(false);
        Ok(Self { connector: Connector::new(domain)?, http1, http2, pool: Arc::default() })
    }

    /// One that is open already, if there is one: of HTTP/1.1 the one that was used last, so that those that are too many
    /// grow old.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut pool = lock(&self.pool);
        let now = Instant::now();
        if let Some(shared) = pool.shared.as_mut().filter(|shared| shared.is_fresh(now) && !shared.sender.is_closed()) {
            shared.since = now;
            return Some(Connection::Http2(shared.sender.clone()));
        }
        while let Some(idle) = pool.idle.pop_back() {
            if idle.is_fresh(now) && !idle.sender.is_closed() {
                return Some(Connection::Http1(idle.sender));
            }
        }
        None
    }

    /// Opens one, of the protocol that is agreed upon.
    pub(super) async fn open(&self) -> Result<Connection, Lost> {
        let stream = self.connector.connect().await.map_err(Lost::Connecting)?;
        if stream.connected().is_negotiated_h2() {
            let (sender, connection) = self.http2.handshake(stream).await.map_err(Lost::Sending)?;
            tokio::spawn(connection);
            // Of several that were opened at once, the last is kept. The others end with the request that they were opened for.
            lock(&self.pool).shared = Some(Kept { sender: sender.clone(), since: Instant::now() });
            Ok(Connection::Http2(sender))
        } else {
            let (sender, connection) = self.http1.handshake(stream).await.map_err(Lost::Sending)?;
            tokio::spawn(connection);
            Ok(Connection::Http1(sender))
        }
    }

    /// Takes one back whose answer is read.
    pub(super) fn put_back(&self, connection: Connection) {
        let Connection::Http1(mut sender) = connection else { return };
        if sender.is_ready() {
            return lock(&self.pool).put_back(sender);
        }
        // The task that reads has yet to notice that it is at the end.
        let pool = Arc::clone(&self.pool);
        tokio::spawn(async move {
            if sender.ready().await.is_ok() {
                lock(&pool).put_back(sender);
            }
        });
    }
}

impl Pool {
    fn put_back(&mut self, sender: http1::SendRequest<Full<Bytes>>) {
        let since = Instant::now();
        while self.idle.front().is_some_and(|idle| !idle.is_fresh(since)) {
            self.idle.pop_front();
        }
        self.idle.push_back(Kept { sender, since });
    }
}

fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    // Nothing in here is left half done by a panic.
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}
