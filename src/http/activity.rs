//! The activity of a connection, and the moment at which nothing has happened for too long.

use std::sync::Arc;

use axum::http::Version;
use parking_lot::{Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::io::{InspectReader, InspectWriter};

use super::settings::{Connections, SendLimits};
use crate::telemetry::ServerMetrics;

/// The activity of one connection. Cheap to clone: all clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Requests whose responses are being made.
    under_way: usize,
    /// The ones among them whose bodies have not arrived.
    awaiting_body: usize,
    /// WebSockets, which are open for as long as their clients like.
    web_sockets: usize,
    /// True for HTTP/2, where bytes that come between requests need not belong to the next one's head.
    is_http2: bool,
    /// The moment since which the rest of a head is awaited. A new connection owes its first.
    head_since: Option<Instant>,
    /// Arrival of the last request or body, or the last time that something of a response went out, whichever is later. HTTP/2's
    /// pings and settings are none of these.
    quiet_since: Instant,
    unsent: Vec<UnsentResponse>,
    next_id: u64,
}

/// A response that is not written whole.
#[derive(Debug)]
struct UnsentResponse {
    id: u64,
    bytes: usize,
    /// The moment by which it has to be written.
    due: Option<Instant>,
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            under_way: 0,
            awaiting_body: 0,
            web_sockets: 0,
            is_http2: false,
            head_since: Some(now),
            quiet_since: now,
            unsent: Vec::new(),
            next_id: 0,
        }
    }

    fn has_read(&mut self, now: Instant) {
        if self.under_way == 0 && self.unsent.is_empty() && !self.is_http2 {
            self.head_since.get_or_insert(now);
        }
    }

    fn begin(&mut self, version: Version, now: Instant) {
        self.under_way += 1;
        self.is_http2 = version == Version::HTTP_2;
        self.head_since = None;
        self.quiet_since = now;
    }

    fn end(&mut self, now: Instant) {
        self.under_way -= 1;
        self.quiet_since = now;
    }

    fn unsent_bytes(&self) -> usize {
        self.unsent.iter().map(|answer| answer.bytes).sum()
    }

    /// Begins a response of so many bytes. It has its time, and that of those which are sent along with it.
    fn send(&mut self, bytes: usize, limits: Option<&SendLimits>, now: Instant) -> u64 {
        let due = limits.map(|limits| now + limits.time_for(self.unsent_bytes() + bytes));
        let id = self.next_id;
        self.next_id += 1;
        self.unsent.push(UnsentResponse { id, bytes, due });
        id
    }

    fn has_sent(&mut self, id: u64, now: Instant) {
        self.unsent.retain(|answer| answer.id != id);
        self.quiet_since = now;
    }

    /// The moment at which the connection is over, should nothing more happen; none while a response is being made, which has a
    /// deadline of its own.
    fn over_at(&self, limits: &Connections) -> Option<Instant> {
        let due = self.unsent.iter().filter_map(|answer| answer.due).min();
        if due.is_some() || self.under_way > 0 || self.web_sockets > 0 || !self.unsent.is_empty() {
            return due;
        }
        let head = self.head_since.map(|since| since + limits.head_timeout);
        Some(head.unwrap_or(self.quiet_since + limits.idle_timeout))
    }

    /// The moment since which the client is waited for; none while a response is being made.
    fn idle_since(&self) -> Option<Instant> {
        (self.under_way == self.awaiting_body).then_some(self.quiet_since)
    }
}

impl Activity {
    /// The activity of a new connection.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::new(Instant::now()))))
    }

    /// Counts a request as under way, until the guard is dropped.
    pub(crate) fn begin(&self, version: Version) -> RequestGuard {
        self.state().begin(version, Instant::now());
        RequestGuard(self.clone())
    }

    /// Counts the body of a request as awaited, until the guard is dropped.
    pub(crate) fn await_body(&self) -> BodyGuard {
        self.state().awaiting_body += 1;
        BodyGuard(self.clone())
    }

    /// Counts a WebSocket as open, until the guard is dropped.
    pub(crate) fn open_web_socket(&self) -> WebSocketGuard {
        self.state().web_sockets += 1;
        WebSocketGuard(self.clone())
    }

    /// Counts a response of so many bytes as being sent, until the guard is dropped. If that takes longer than `limits` allow,
    /// the connection is over.
    pub(crate) fn send(&self, bytes: usize, limits: Option<&SendLimits>) -> SendGuard {
        let id = self.state().send(bytes, limits, Instant::now());
        SendGuard { activity: self.clone(), id }
    }

    /// Notes that a part of a large response goes out.
    pub(crate) fn send_part(&self) {
        self.state().quiet_since = Instant::now();
    }

    /// Bytes of responses that are not sent.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.state().unsent_bytes()
    }

    /// The moment at which the connection is over, should nothing more happen.
    pub(crate) fn over_at(&self, limits: &Connections) -> Option<Instant> {
        self.state().over_at(limits)
    }

    /// The moment since which the client is waited for; none while a response is being made.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.state().idle_since()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

/// A request that is under way.
pub(crate) struct RequestGuard(Activity);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.state().end(Instant::now());
    }
}

/// A body that is awaited.
pub(crate) struct BodyGuard(Activity);

impl Drop for BodyGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.awaiting_body -= 1;
        state.quiet_since = Instant::now();
    }
}

/// A WebSocket that is open.
pub(crate) struct WebSocketGuard(Activity);

impl Drop for WebSocketGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.web_sockets -= 1;
        state.quiet_since = Instant::now();
    }
}

/// A response that is being sent.
pub(crate) struct SendGuard {
    activity: Activity,
    id: u64,
}

impl Drop for SendGuard {
    fn drop(&mut self) {
        self.activity.state().has_sent(self.id, Instant::now());
    }
}

/// The stream of a connection, whose reads are activity, and whose bytes are counted.
pub(crate) fn watched<S: AsyncRead + AsyncWrite>(
    stream: S,
    activity: Activity,
    metrics: Arc<ServerMetrics>,
) -> impl AsyncRead + AsyncWrite + use<S> {
    let received = Arc::clone(&metrics);
    let reader = InspectReader::new(stream, move |bytes: &[u8]| {
        if !bytes.is_empty() {
            received.received(bytes.len());
            activity.state().has_read(Instant::now());
        }
    });
    InspectWriter::new(reader, move |bytes: &[u8]| metrics.sent(bytes.len()))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::*;

    fn limits() -> Connections {
        let (head_timeout, idle_timeout) = (Duration::from_secs(10), Duration::from_secs(75));
        Connections { head_timeout, idle_timeout, ..Connections::default() }
    }

    /// An event of a connection, at a second after it was made.
    enum Event {
        Reads(u64),
        Begins(Version),
        Ends(u64),
        /// A response of so many seconds, at the least rate.
        Sends(usize, u64),
        HasSent(u64, u64),
    }

    #[test]
    fn a_connection_is_over_when_it_owes_something_or_has_nothing_to_do() {
        use Event::{Begins, Ends, HasSent, Reads, Sends};
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        for (what, events, expected) in [
            ("silence from the start", &[][..], Some(10)),
            ("a head that comes byte by byte", &[Reads(1), Reads(5), Reads(9)], Some(10)),
            ("a request under way", &[Reads(1), Begins(one)], None),
            ("the same, with a body that comes", &[Reads(1), Begins(one), Reads(90)], None),
            ("nothing after an answer", &[Reads(1), Begins(one), Ends(3)], Some(78)),
            ("an answer that is being read", &[Begins(one), Ends(3), Sends(4, 3)], Some(17)),
            ("the same, byte by byte", &[Begins(one), Ends(3), Sends(4, 3), Reads(16)], Some(17)),
            ("an answer that was read", &[Begins(one), Ends(3), Sends(4, 3), HasSent(0, 9)], Some(84)),
            ("two answers at once", &[Begins(two), Sends(4, 3), Sends(4, 3), HasSent(0, 9)], Some(21)),
            ("a second head byte by byte", &[Begins(one), Ends(3), Reads(50), Reads(59)], Some(60)),
            ("a second request under way", &[Begins(one), Ends(3), Reads(50), Begins(one)], None),
            ("one of two requests answered", &[Begins(two), Begins(two), Ends(3)], None),
            ("both answered", &[Begins(two), Begins(two), Ends(3), Ends(4)], Some(79)),
            ("frames without a request", &[Begins(two), Ends(3), Reads(50), Reads(77)], Some(78)),
        ] {
            let start = Instant::now();
            let at = |seconds| start + Duration::from_secs(seconds);
            let send = SendLimits {
                grace: Duration::from_secs(10),
                bytes_per_second: NonZeroUsize::new(100).unwrap(),
                ..SendLimits::default()
            };
            let mut state = State::new(start);
            for event in events {
                match *event {
                    Reads(seconds) => state.has_read(at(seconds)),
                    Begins(version) => state.begin(version, start),
                    Ends(seconds) => state.end(at(seconds)),
                    Sends(length, seconds) => drop(state.send(100 * length, Some(&send), at(seconds))),
                    HasSent(id, seconds) => state.has_sent(id, at(seconds)),
                }
            }
            assert_eq!(state.over_at(&limits()), expected.map(at), "{what}");
        }
    }

    #[test]
    fn a_connection_is_idle_while_its_client_is_waited_for() {
        let activity = Activity::new();
        assert!(activity.idle_since().is_some());
        let request = activity.begin(Version::HTTP_2);
        assert!(activity.idle_since().is_none());
        let body = activity.await_body();
        assert!(activity.idle_since().is_some());
        drop(body);
        assert!(activity.idle_since().is_none());
        drop(request);
        let _web_socket = activity.open_web_socket();
        assert!(activity.idle_since().is_some());
    }
}
