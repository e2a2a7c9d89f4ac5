//! Many who ask the same at once.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auth0_graphql::auth0::ClientPolicy;
use auth0_graphql::sandbox::Options;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::environment::{Environment, question};
use super::report::{Figure, Report, percentile};

const CLIENTS: usize = 1_000;
const LATENCY: Duration = Duration::from_millis(50);
const ROUNDS: usize = 9;

pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let title = format!(
        "{CLIENTS} clients ask the same at once; Auth0 takes {} ms (median of {ROUNDS} rounds)",
        LATENCY.as_millis()
    );
    let kept = rounds(Duration::from_secs(1)).await?;
    let unkept = rounds(Duration::ZERO).await?;
    report.add("sharing", &title, &[("gateway", kept), ("CACHE_TTL=0", unkept)]);
    Ok(())
}

/// Asks a new question in each round.
async fn rounds(cache_ttl: Duration) -> Result<Vec<Figure>> {
    let environment =
        Environment::start(Options::default(), ClientPolicy { cache_ttl, ..ClientPolicy::default() }).await?;
    // It gets its token, and learns its limits.
    environment.ask(&question(0)).await?;
    environment.fault("/api/v2/users", &json!({ "slow": LATENCY.as_millis() as u64 })).await?;
    let mut connections = Vec::new();
    for _ in 0..CLIENTS {
        let stream = TcpStream::connect(&environment.address).await?;
        stream.set_nodelay(true)?;
        connections.push(Connection { stream, buffer: Vec::new() });
    }
    // Each connection is taken, and everything has been done once.
    (connections, _) = round(connections, "{ gateway { version } }").await?;
    let (mut calls, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        environment.forget_calls().await?;
        let mut times;
        (connections, times) = round(connections, &question(number)).await?;
        calls.push(environment.calls().await?.len());
        p50.push(percentile(&mut times, 0.50));
        p99.push(percentile(&mut times, 0.99));
    }
    calls.sort_unstable();
    let median = calls.get(ROUNDS / 2).copied();
    let p99 = percentile(&mut p99, 0.5);
    let mut most = Figure::new("calls, in the round with the most", calls.last().copied());
    // Where nothing is kept, and the machine too busy to take all of them in while the call is under way, those who are late
    // need another.
    if !cache_ttl.is_zero() {
        most = most.mark("1", calls.last() == Some(&1));
    }
    Ok(vec![
        Figure::new("calls", median).mark("1", median == Some(1)),
        most,
        Figure::new("time to the answer, p50, in ms", percentile(&mut p50, 0.5)),
        Figure::new("time to the answer, p99, in ms", p99)
            .mark("below 150: three times Auth0's", p99 < 3.0 * LATENCY.as_secs_f64() * 1e3),
    ])
}

/// Sends the same on all connections; gives them back, and how long after the start the answers came, in milliseconds.
async fn round(connections: Vec<Connection>, query: &str) -> Result<(Vec<Connection>, Vec<f64>)> {
    let body = json!({ "query": query }).to_string();
    let head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let request: bytes::Bytes = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into();
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for mut connection in connections {
        let request = request.clone();
        clients.spawn(async move {
            connection.exchange(&request).await?;
            anyhow::Ok((connection, start.elapsed().as_secs_f64() * 1e3))
        });
    }
    let mut done = (Vec::new(), Vec::new());
    while let Some(client) = clients.join_next().await {
        let (connection, time) = client??;
        done.0.push(connection);
        done.1.push(time);
    }
    Ok(done)
}

/// A client that costs as little as can be: it shares the machine with what it measures.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a request, and reads its answer to the end.
    async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the gateway closed the connection");
            let text = String::from_utf8_lossy(&self.buffer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.context("the answer has no length")?.parse()?;
            if body.len() >= length {
                ensure!(head.starts_with("HTTP/1.1 200") && !body.contains("\"errors\""), "an answer is wrong: {body}");
                return Ok(());
            }
        }
    }
}
