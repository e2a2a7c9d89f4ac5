//! The load: connections that each ask, wait for the whole answer, compare it, and ask again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http;

/// A request, and the answer to it that was found right.
pub(crate) struct Question {
    pub(crate) request: Bytes,
    pub(crate) answer: Bytes,
}

/// The outcome of a stretch of load.
pub(crate) struct Yield {
    pub(crate) operations: u64,
    pub(crate) elapsed: Duration,
    /// The latency of every operation, in microseconds, sorted.
    latencies: Vec<u32>,
}

impl Yield {
    pub(crate) fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency in milliseconds that this share of the operations kept.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let place = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(place.min(self.latencies.len().saturating_sub(1))).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

/// A connection to a server under load.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and waits for the whole answer, which is then the body that is returned.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            if let Some((head, whole)) = http::message(&self.buffer)? {
                ensure!(
                    self.buffer.starts_with(b"HTTP/1.1 200"),
                    "a request was answered with {}",
                    String::from_utf8_lossy(&self.buffer[..whole.min(400)])
                );
                return Ok(&self.buffer[head..whole]);
            }
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed a connection in the middle of an answer");
        }
    }
}

/// Asks for `time`. The connections take the questions in turn, one line for all, so that no two ask the same at once;
/// every answer must be as expected, byte by byte if `is_exact`, else in length.
pub(crate) async fn load(
    connections: Vec<Connection>,
    questions: &Arc<Vec<Question>>,
    is_exact: bool,
    time: Duration,
) -> Result<(Vec<Connection>, Yield)> {
    let start = Instant::now();
    let end = start + time;
    let turn = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let (questions, turn) = (Arc::clone(questions), Arc::clone(&turn));
        tasks.spawn(async move {
            let mut latencies = Vec::with_capacity(4096);
            while Instant::now() < end {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let Question { request, answer } = &questions[turn % questions.len()];
                let asked = Instant::now();
                let given = connection.ask(request).await?;
                latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                let is_right = if is_exact { given == answer } else { given.len() == answer.len() };
                ensure!(is_right, "under load an answer was another than the one that had been checked");
            }
            Ok((connection, latencies))
        });
    }
    let mut connections = Vec::new();
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let (connection, some) = task.context("a connection's task ended early")??;
        connections.push(connection);
        latencies.extend(some);
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Ok((connections, Yield { operations: latencies.len() as u64, elapsed, latencies }))
}
