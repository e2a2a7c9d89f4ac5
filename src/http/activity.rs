//! What happens on a connection, and when nothing has happened for too long.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::http::Version;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::settings::Connections;

/// What happens on a connection. Clones watch the same one.
#[derive(Clone, Debug)]
pub(crate) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Requests whose answers are being made.
    under_way: usize,
    /// Whether it is HTTP/2, where bytes that come between requests need not belong to the next one's head.
    is_http2: bool,
    /// Since when a head is awaited of which something is there. A new connection owes its first.
    head_since: Option<Instant>,
    /// When the last request was answered or the last byte was written, whichever is later.
    quiet_since: Instant,
}

impl State {
    fn new(now: Instant) -> Self {
        Self { under_way: 0, is_http2: false, head_since: Some(now), quiet_since: now }
    }

    fn has_read(&mut self, now: Instant) {
        if self.under_way == 0 && !self.is_http2 {
            self.head_since.get_or_insert(now);
        }
    }

    fn has_written(&mut self, now: Instant) {
        self.quiet_since = now;
    }

    fn begin(&mut self, version: Version) {
        self.under_way += 1;
        self.is_http2 = version == Version::HTTP_2;
        self.head_since = None;
    }

    fn end(&mut self, now: Instant) {
        self.under_way -= 1;
        self.quiet_since = now;
    }

    /// When the connection is over, should nothing more happen. Never while an answer is being made: that has a deadline of
    /// its own.
    fn over_at(&self, limits: &Connections) -> Option<Instant> {
        if self.under_way > 0 {
            return None;
        }
        let head = self.head_since.map(|since| since + limits.head_timeout);
        Some(head.unwrap_or(self.quiet_since + limits.idle_timeout))
    }
}

impl Activity {
    /// That of a connection that was just made.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::new(Instant::now()))))
    }

    /// Notes that a request is under way, until what is given back is dropped.
    pub(crate) fn begin(&self, version: Version) -> UnderWay {
        self.state().begin(version);
        UnderWay(self.clone())
    }

    /// When the connection is over, should nothing more happen.
    pub(crate) fn over_at(&self, limits: &Connections) -> Option<Instant> {
        self.state().over_at(limits)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way.
pub(crate) struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.state().end(Instant::now());
    }
}

/// A stream that is watched.
pub(crate) struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }

    fn note(&self, written: usize) {
        if written > 0 {
            self.activity.state().has_written(Instant::now());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.activity.state().has_read(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.note(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.note(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> Connections {
        let (head_timeout, idle_timeout) = (Duration::from_secs(10), Duration::from_secs(75));
        Connections { head_timeout, idle_timeout, ..Connections::default() }
    }

    /// What happens to a connection, at a second after it was made.
    enum Event {
        Reads(u64),
        Writes(u64),
        Begins(Version),
        Ends(u64),
    }

    #[test]
    fn a_connection_is_over_when_it_owes_something_or_has_nothing_to_do() {
        use Event::{Begins, Ends, Reads, Writes};
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        for (what, events, expected) in [
            ("silence from the start", &[][..], Some(10)),
            ("a head that comes byte by byte", &[Reads(1), Reads(5), Reads(9)], Some(10)),
            ("a request under way", &[Reads(1), Begins(one)], None),
            ("the same, with a body that comes", &[Reads(1), Begins(one), Reads(90)], None),
            ("nothing after an answer", &[Reads(1), Begins(one), Ends(3)], Some(78)),
            ("an answer that is being read", &[Reads(1), Begins(one), Ends(3), Writes(70)], Some(145)),
            ("a second head byte by byte", &[Begins(one), Ends(3), Writes(3), Reads(50), Reads(59)], Some(60)),
            ("a second request under way", &[Begins(one), Ends(3), Reads(50), Begins(one)], None),
            ("one of two requests answered", &[Begins(two), Begins(two), Ends(3)], None),
            ("both answered", &[Begins(two), Begins(two), Ends(3), Ends(4)], Some(79)),
            ("frames without a request", &[Begins(two), Ends(3), Reads(50), Reads(77)], Some(78)),
        ] {
            let start = Instant::now();
            let at = |seconds| start + Duration::from_secs(seconds);
            let mut state = State::new(start);
            for event in events {
                match *event {
                    Reads(seconds) => state.has_read(at(seconds)),
                    Writes(seconds) => state.has_written(at(seconds)),
                    Begins(version) => state.begin(version),
                    Ends(seconds) => state.end(at(seconds)),
                }
            }
            assert_eq!(state.over_at(&limits()), expected.map(at), "{what}");
        }
    }
}
