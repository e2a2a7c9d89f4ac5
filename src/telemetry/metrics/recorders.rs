//! Recorders: for each module the metrics that it counts.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{register, seconds};

/// Media type of Prometheus' text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bounds of the buckets of whole operations and of requests to Auth0, in seconds.
const LATENCY: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Bounds of the buckets of the gateway's own work: it is as short as no wait for Auth0 is.
const BUSY: [f64; 11] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1];

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;
type Number = Gauge<f64, AtomicU64>;

fn latencies() -> Histograms {
    Family::new_with_constructor(|| Histogram::new(LATENCY))
}

/// Counters that have a series for each of these values of a label.
fn counters(label: &'static str, values: &[&'static str]) -> Counters<1> {
    let counters = Counters::default();
    for value in values {
        drop(counters.get_or_create(&[(label, *value)]));
    }
    counters
}

fn outcome(is_ok: bool) -> &'static str {
    if is_ok { "ok" } else { "failed" }
}

/// Time of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OperationTimes {
    /// Time from its start to its end.
    total: Duration,
    /// The part of it in which it was worked on.
    busy: Duration,
}

/// Measures the time of `operation`.
pub(crate) async fn timed<T>(operation: impl Future<Output = T>) -> (T, OperationTimes) {
    let (start, mut busy) = (Instant::now(), Duration::ZERO);
    let mut operation = pin!(operation);
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
            panics: Counter::default(),
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
    pub(super) fn register(&self, registry: &mut Registry) {
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

    pub(crate) fn panicked(&self) {
        self.panics.inc();
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

/// One of something that is open.
#[derive(Debug)]
pub(crate) struct OpenGuard(Gauge);

impl OpenGuard {
    fn new(open: &Gauge) -> Self {
        open.inc();
        Self(open.clone())
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Metrics of the client for Auth0. Cheap to clone: all clones count together.
#[derive(Clone, Debug)]
pub struct UpstreamMetrics {
    requests: Counters<2>,
    duration: Histograms,
    retries: Counters<1>,
    saved: Counters<1>,
    tokens: Counters<1>,
    waits: Histograms,
    tail: TailMetrics,
}

impl Default for UpstreamMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            duration: latencies(),
            retries: Family::default(),
            saved: Family::default(),
            tokens: Family::default(),
            waits: latencies(),
            tail: TailMetrics::default(),
        }
    }
}

impl UpstreamMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        register(registry, "auth0_graphql_upstream_requests_total", self.requests.clone());
        register(registry, "auth0_graphql_upstream_request_duration_seconds", self.duration.clone());
        register(registry, "auth0_graphql_upstream_retries_total", self.retries.clone());
        register(registry, "auth0_graphql_upstream_calls_saved_total", self.saved.clone());
        register(registry, "auth0_graphql_upstream_tokens_total", self.tokens.clone());
        register(registry, "auth0_graphql_pacing_wait_seconds", self.waits.clone());
        self.tail.register(registry);
    }

    /// Metrics of the tail of logs.
    pub(crate) fn tail(&self) -> &TailMetrics {
        &self.tail
    }

    /// Counts a request to Auth0 that ended after `took`.
    pub(crate) fn request(&self, endpoint: &'static str, outcome: &'static str, took: Duration, is_retry: bool) {
        self.requests.get_or_create(&[("endpoint", endpoint), ("outcome", outcome)]).inc();
        self.duration.get_or_create(&[("endpoint", endpoint)]).observe(seconds(took));
        if is_retry {
            self.retries.get_or_create(&[("endpoint", endpoint)]).inc();
        }
    }

    /// Counts a read that was answered from the cache.
    pub(crate) fn saved_by_cache(&self) {
        self.saved.get_or_create(&[("by", "cache")]).inc();
    }

    /// Counts a read that shared a call for another.
    pub(crate) fn saved_by_sharing(&self) {
        self.saved.get_or_create(&[("by", "sharing")]).inc();
    }

    pub(crate) fn token(&self, is_ok: bool) {
        self.tokens.get_or_create(&[("outcome", outcome(is_ok))]).inc();
    }

    /// Counts a call of a rate class that has waited for its turn.
    pub(crate) fn waited(&self, class: &'static str, time: Duration) {
        self.waits.get_or_create(&[("class", class)]).observe(seconds(time));
    }
}

/// Metrics of the tail of logs. Cheap to clone: all clones count together.
#[derive(Clone, Debug)]
pub(crate) struct TailMetrics {
    subscribers: Gauge,
    pollers: Counter,
    polls: Counters<1>,
    history_reads: Counters<1>,
    logs: Counters<1>,
    late: Counter,
    pushed: Counters<1>,
    delivered: Counter,
    gaps: Counter,
    overflows: Counter,
}

impl Default for TailMetrics {
    /// Metrics whose series are all there: a rate of what has not happened yet is zero, and not unknown.
    fn default() -> Self {
        let outcomes = || counters("outcome", &["ok", "failed"]);
        Self {
            subscribers: Gauge::default(),
            pollers: Counter::default(),
            polls: outcomes(),
            history_reads: outcomes(),
            logs: counters("source", &["poll", "push"]),
            late: Counter::default(),
            pushed: counters("outcome", &["new", "known", "unheard"]),
            delivered: Counter::default(),
            gaps: Counter::default(),
            overflows: Counter::default(),
        }
    }
}

impl TailMetrics {
    fn register(&self, registry: &mut Registry) {
        register(registry, "auth0_graphql_tail_subscribers", self.subscribers.clone());
        register(registry, "auth0_graphql_tail_pollers_started_total", self.pollers.clone());
        register(registry, "auth0_graphql_tail_polls_total", self.polls.clone());
        register(registry, "auth0_graphql_tail_history_reads_total", self.history_reads.clone());
        register(registry, "auth0_graphql_tail_logs_total", self.logs.clone());
        register(registry, "auth0_graphql_tail_late_logs_total", self.late.clone());
        register(registry, "auth0_graphql_tail_pushed_logs_total", self.pushed.clone());
        register(registry, "auth0_graphql_tail_delivered_logs_total", self.delivered.clone());
        register(registry, "auth0_graphql_tail_gaps_total", self.gaps.clone());
        register(registry, "auth0_graphql_tail_overflows_total", self.overflows.clone());
    }

    /// Counts a subscriber, as one who follows until the guard is dropped.
    pub(crate) fn subscriber(&self) -> OpenGuard {
        OpenGuard::new(&self.subscribers)
    }

    pub(crate) fn poller_started(&self) {
        self.pollers.inc();
    }

    pub(crate) fn polled(&self, is_ok: bool) {
        self.polls.get_or_create(&[("outcome", outcome(is_ok))]).inc();
    }

    pub(crate) fn read_history(&self, is_ok: bool) {
        self.history_reads.get_or_create(&[("outcome", outcome(is_ok))]).inc();
    }

    /// Counts logs that nothing had brought before, `late` of them behind others.
    pub(crate) fn came(&self, source: &'static str, logs: usize, late: usize) {
        self.logs.get_or_create(&[("source", source)]).inc_by(logs as u64);
        self.late.inc_by(late as u64);
    }

    /// Counts pushed logs of one outcome.
    pub(crate) fn pushed(&self, outcome: &'static str, logs: usize) {
        self.pushed.get_or_create(&[("outcome", outcome)]).inc_by(logs as u64);
    }

    pub(crate) fn delivered(&self, logs: usize) {
        self.delivered.inc_by(logs as u64);
    }

    pub(crate) fn gap(&self) {
        self.gaps.inc();
    }

    pub(crate) fn overflow(&self) {
        self.overflows.inc();
    }
}

/// Status of the client for Auth0, as it is when the metrics are read.
#[derive(Clone, Debug, Default)]
pub struct UpstreamStatus {
    token_expiry: Number,
    breaker: Family<Labels<1>, Gauge>,
    limit: Family<[(&'static str, String); 1], Number>,
    remaining: Family<[(&'static str, String); 1], Number>,
    refill: Family<[(&'static str, String); 1], Number>,
    queued: Family<[(&'static str, String); 1], Number>,
}

impl UpstreamStatus {
    pub(super) fn register(&self, registry: &mut Registry) {
        register(registry, "auth0_graphql_upstream_token_expiry_timestamp_seconds", self.token_expiry.clone());
        register(registry, "auth0_graphql_upstream_breaker_state", self.breaker.clone());
        register(registry, "auth0_graphql_pacing_limit", self.limit.clone());
        register(registry, "auth0_graphql_pacing_remaining", self.remaining.clone());
        register(registry, "auth0_graphql_pacing_refill_per_second", self.refill.clone());
        register(registry, "auth0_graphql_pacing_queued", self.queued.clone());
    }

    /// Sets the expiry of the access token, in seconds since 1970.
    pub(crate) fn set_token_expiry(&self, seconds: f64) {
        self.token_expiry.set(seconds);
    }

    /// Sets the state of the breaker, one of `states`.
    pub(crate) fn set_breaker(&self, state: &'static str, states: &[&'static str]) {
        for name in states {
            self.breaker.get_or_create(&[("state", name)]).set(i64::from(*name == state));
        }
    }

    /// Forgets the buckets: answers may have told that rate classes share one.
    pub(crate) fn clear_buckets(&self) {
        for family in [&self.limit, &self.remaining, &self.refill, &self.queued] {
            family.clear();
        }
    }

    /// Sets the figures of a bucket: limit, calls remaining, refill per second, calls queued.
    pub(crate) fn set_bucket(&self, name: &str, figures: [f64; 4]) {
        for (family, figure) in [&self.limit, &self.remaining, &self.refill, &self.queued].into_iter().zip(figures) {
            family.get_or_create(&[("bucket", name.to_owned())]).set(figure);
        }
    }
}

/// Metrics of the issuer's keys. Cheap to clone: all clones count together.
#[derive(Clone, Debug, Default)]
pub struct KeyMetrics {
    fetches: Counters<1>,
    keys: Gauge,
    fetched_at: Number,
}

impl KeyMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        register(registry, "auth0_graphql_jwks_fetches_total", self.fetches.clone());
        register(registry, "auth0_graphql_jwks_keys", self.keys.clone());
        register(registry, "auth0_graphql_jwks_fetched_timestamp_seconds", self.fetched_at.clone());
    }

    /// Counts a fetch, with the number of keys that it brought if it succeeded.
    pub(crate) fn fetched(&self, keys: Option<usize>) {
        self.fetches.get_or_create(&[("outcome", outcome(keys.is_some()))]).inc();
        if let Some(keys) = keys {
            self.keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
            self.fetched_at.set(seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()));
        }
    }
}

/// Metrics of the state that replicas share. Cheap to clone: all clones count together.
#[derive(Clone, Debug)]
pub struct SharedStateMetrics {
    state: Family<Labels<1>, Gauge>,
    failures: Counters<1>,
}

impl Default for SharedStateMetrics {
    /// The metrics of a process that is alone.
    fn default() -> Self {
        let metrics = Self { state: Family::default(), failures: Family::default() };
        metrics.set("alone");
        for reason in ["timeout", "unreachable", "refused"] {
            drop(metrics.failures.get_or_create(&[("reason", reason)]));
        }
        metrics
    }
}

impl SharedStateMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        register(registry, "auth0_graphql_redis_state", self.state.clone());
        register(registry, "auth0_graphql_redis_failures_total", self.failures.clone());
    }

    /// Sets whether the state is shared.
    pub(crate) fn is_up(&self, is_up: bool) {
        self.set(if is_up { "up" } else { "down" });
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&[("reason", reason)]).inc();
    }

    fn set(&self, state: &'static str) {
        for name in ["alone", "up", "down"] {
            self.state.get_or_create(&[("state", name)]).set(i64::from(name == state));
        }
    }
}
