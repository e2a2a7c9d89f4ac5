//! Metrics of the HTTP server, and the time of an operation.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Counters, LATENCY, OpenGuard};
use crate::telemetry::metrics::{register, seconds};
use crate::telemetry::panics;

/// Bounds of the buckets of the gateway's own work, in seconds: it is as short as no wait for Auth0 is. The greatest are far above what
/// `Auth0GraphqlBusy` asks for, since a quantile is never above the greatest bound.
const BUSY: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Time of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OperationTimes {
    /// Time from its start to its end.
    total: Duration,
    /// The part of it in which it was worked on.
    busy: Duration,
}

/// Measures the time of `operation`. The caller pins it: pinned here, it would take its size twice.
pub(crate) async fn timed<T>(mut operation: Pin<&mut impl Future<Output = T>>) -> (T, OperationTimes) {
    let (start, mut busy) = (Instant::now(), Duration::ZERO);
    let outcome = poll_fn(|context| {
        let since = Instant::now();
        let polled = operation.as_mut().poll(context);
        busy += since.elapsed();
        polled
    });
    let outcome = outcome.await;
    (outcome, OperationTimes { total: start.elapsed(), busy })
}

/// Metrics of the HTTP server.
#[derive(Debug)]
pub struct ServerMetrics {
    operations: Counters<3>,
    duration: Histogram,
    busy: Histogram,
    refusals: Counters<1>,
    panics: Counter,
    connections: Gauge,
    opened: Counter,
    bytes: Counters<1>,
    received: Counter,
    sent: Counter,
    web_sockets: Gauge,
}

impl Default for ServerMetrics {
    fn default() -> Self {
        let bytes = Counters::default();
        Self {
            operations: Family::default(),
            duration: Histogram::new(LATENCY),
            busy: Histogram::new(BUSY),
            refusals: Family::default(),
            panics: panics::counter(),
            connections: Gauge::default(),
            opened: Counter::default(),
            // Looked up once, since there are several reads and writes to a request.
            received: bytes.get_or_create_owned(&[("direction", "received")]),
            sent: bytes.get_or_create_owned(&[("direction", "sent")]),
            bytes,
            web_sockets: Gauge::default(),
        }
    }
}

impl ServerMetrics {
    pub(in crate::telemetry::metrics) fn register(&self, registry: &mut Registry) {
        register(registry, "auth0_graphql_operations_total", self.operations.clone());
        register(registry, "auth0_graphql_operation_duration_seconds", self.duration.clone());
        register(registry, "auth0_graphql_operation_busy_seconds", self.busy.clone());
        register(registry, "auth0_graphql_refusals_total", self.refusals.clone());
        register(registry, "auth0_graphql_panics_total", self.panics.clone());
        register(registry, "auth0_graphql_connections", self.connections.clone());
        register(registry, "auth0_graphql_connections_opened_total", self.opened.clone());
        register(registry, "auth0_graphql_connection_bytes_total", self.bytes.clone());
        register(registry, "auth0_graphql_websockets", self.web_sockets.clone());
    }

    /// Counts an operation of a kind, with the code of its first error.
    pub(crate) fn operation(
        &self,
        transport: &'static str,
        kind: &'static str,
        code: Option<&'static str>,
        times: OperationTimes,
    ) {
        let labels = [("transport", transport), ("kind", kind), ("code", code.unwrap_or("OK"))];
        self.operations.get_or_create(&labels).inc();
        self.duration.observe(seconds(times.total));
        self.busy.observe(seconds(times.busy));
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a connection, as an open one until the guard is dropped.
    pub(crate) fn connection(&self) -> OpenGuard {
        self.opened.inc();
        OpenGuard::new(&self.connections)
    }

    /// Counts a WebSocket as open, until the guard is dropped.
    pub(crate) fn web_socket(&self) -> OpenGuard {
        OpenGuard::new(&self.web_sockets)
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }
}
