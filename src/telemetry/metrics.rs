//! Metrics, for Prometheus.
//!
//! A module counts with the recorder that is its own (`recorders`), and knows nothing of the others. State that can be asked for,
//! such as the breaker's or the process's, is counted nowhere: it is read when the metrics are. `TABLE` holds all of them.

mod process;
mod recorders;

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use self::process::ProcessMetrics;
pub(crate) use self::recorders::{CONTENT_TYPE, OpenGuard, TailMetrics, timed};
pub use self::recorders::{KeyMetrics, ServerMetrics, SharedStateMetrics, UpstreamMetrics, UpstreamStatus};

/// A metric: its name, its type, its labels, and its meaning.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: &'static str,
    kind: MetricType,
    labels: &'static [&'static str],
    help: &'static str,
}

const fn row(name: &'static str, kind: MetricType, labels: &'static [&'static str], help: &'static str) -> Row {
    Row { name, kind, labels, help }
}

/// Every metric. Names and units follow Prometheus' conventions; a label takes one of a few values, whatever is asked for.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    row("auth0_graphql_build_info", MetricType::Info, &["version"], "Version of the gateway"),
    row("auth0_graphql_operations_total", MetricType::Counter, &["transport", "kind", "code"], "Operations by transport (http, sse, websocket), kind (query, subscription; unknown where there was none to run), and the code of their first error, or OK"),
    row("auth0_graphql_operation_duration_seconds", MetricType::Histogram, &[], "Time from an operation to its response, that for Auth0 included"),
    row("auth0_graphql_operation_busy_seconds", MetricType::Histogram, &[], "Time of it in which the gateway worked on the operation itself, and waited for nothing"),
    row("auth0_graphql_refusals_total", MetricType::Counter, &["reason"], "Requests that were refused before they were operations"),
    row("auth0_graphql_panics_total", MetricType::Counter, &[], "Panics of the process, whatever they were of: each is a bug"),
    row("auth0_graphql_audit_lost_lines_total", MetricType::Counter, &[], "Lines of the audit that AUDIT_FILE did not take"),
    row("auth0_graphql_connections", MetricType::Gauge, &[], "Open connections"),
    row("auth0_graphql_connections_opened_total", MetricType::Counter, &[], "Connections that were accepted"),
    row("auth0_graphql_connection_bytes_total", MetricType::Counter, &["direction"], "Bytes that were received and sent"),
    row("auth0_graphql_websockets", MetricType::Gauge, &[], "Open WebSockets"),
    row("auth0_graphql_upstream_requests_total", MetricType::Counter, &["endpoint", "outcome"], "Requests to Auth0 (ok, rate_limited, client_error, server_error, timeout, failed), retries included"),
    row("auth0_graphql_upstream_request_duration_seconds", MetricType::Histogram, &["endpoint"], "Time from a request to Auth0 to its response, that before its turn not included"),
    row("auth0_graphql_upstream_retries_total", MetricType::Counter, &["endpoint"], "Requests to Auth0 that repeat one that failed"),
    row("auth0_graphql_upstream_calls_saved_total", MetricType::Counter, &["by"], "Calls to Auth0 that were not made: an answer was kept (cache), or a call for another could be shared (sharing)"),
    row("auth0_graphql_upstream_tokens_total", MetricType::Counter, &["outcome"], "Access tokens that were asked for at Auth0 (ok, failed)"),
    row("auth0_graphql_upstream_token_expiry_timestamp_seconds", MetricType::Gauge, &[], "Time at which the access token for Auth0 expires; 0 without one"),
    row("auth0_graphql_upstream_breaker_state", MetricType::Gauge, &["state"], "1 for the breaker's state (closed, open, half_open), 0 for the others"),
    row("auth0_graphql_pacing_wait_seconds", MetricType::Histogram, &["class"], "Time that calls waited for their turn, by rate class (users, logs, other)"),
    row("auth0_graphql_tail_subscribers", MetricType::Gauge, &[], "Subscriptions to logs that are open"),
    row("auth0_graphql_tail_pollers_started_total", MetricType::Counter, &[], "Times that the poller of logs began, with the first who followed"),
    row("auth0_graphql_tail_polls_total", MetricType::Counter, &["outcome"], "Reads of the poller of logs (ok, failed)"),
    row("auth0_graphql_tail_history_reads_total", MetricType::Counter, &["outcome"], "Reads of past logs for those who resume (ok, failed)"),
    row("auth0_graphql_tail_logs_total", MetricType::Counter, &["source"], "Logs that came while somebody followed, each once, by what brought it first (poll, push, replica: one that read it for all)"),
    row("auth0_graphql_tail_late_logs_total", MetricType::Counter, &[], "Those of them that became visible behind others"),
    row("auth0_graphql_tail_pushed_logs_total", MetricType::Counter, &["outcome"], "Logs that Auth0 pushed (new; known, or too old to tell; passed_on to the replica that reads, since nobody followed here; no_subscribers, since nobody followed yet)"),
    row("auth0_graphql_tail_delivered_logs_total", MetricType::Counter, &[], "Logs that subscribers were told of, all together"),
    row("auth0_graphql_tail_left_out_records_total", MetricType::Counter, &[], "Records that reads brought and that no subscriber was told of, since they are no logs or have no id; one that is read again counts again"),
    row("auth0_graphql_tail_gaps_total", MetricType::Counter, &[], "Times that a subscriber was told that logs may be missing"),
    row("auth0_graphql_tail_overflows_total", MetricType::Counter, &[], "Subscribers that read so slowly that what came next was not kept for them"),
    row("auth0_graphql_tail_leads", MetricType::Gauge, &[], "1 while this replica reads logs for all that share, 0 otherwise"),
    row("auth0_graphql_tail_takeovers_total", MetricType::Counter, &[], "Times that it went on reading where another replica did not"),
    row("auth0_graphql_tail_shared_entries_total", MetricType::Counter, &["outcome"], "Entries by which replicas tell each other of logs (published, received; fenced: not written, since another reads by now; missed: read from Auth0 instead; unreadable)"),
    row("auth0_graphql_pacing_limit", MetricType::Gauge, &["bucket"], "Calls that a bucket of the tenant's rate limits holds; it is called after its rate classes"),
    row("auth0_graphql_pacing_remaining", MetricType::Gauge, &["bucket"], "Calls that could be made now, at the least"),
    row("auth0_graphql_pacing_refill_per_second", MetricType::Gauge, &["bucket"], "Calls that come back each second, at the least; 0 until that is known"),
    row("auth0_graphql_pacing_queued", MetricType::Gauge, &["bucket"], "Calls that wait for their turn"),
    row("auth0_graphql_jwks_fetches_total", MetricType::Counter, &["outcome"], "Fetches of the issuer's keys (ok, failed)"),
    row("auth0_graphql_jwks_keys", MetricType::Gauge, &[], "Keys of the issuer that are kept"),
    row("auth0_graphql_jwks_fetched_timestamp_seconds", MetricType::Gauge, &[], "Time of the last fetch of the issuer's keys that succeeded; 0 before"),
    row("auth0_graphql_redis_state", MetricType::Gauge, &["state"], "1 for the state of what replicas share (alone without REDIS_URL or until it is known, up, late, down), 0 for the others"),
    row("auth0_graphql_redis_failures_total", MetricType::Counter, &["reason"], "Commands and connections that failed (timeout, unreachable, refused)"),
    row("auth0_graphql_budget_exchanges_total", MetricType::Counter, &["outcome"], "Exchanges with other replicas about the tenant's rate limits (taken; conflict, when another was first; unavailable)"),
    row("auth0_graphql_budget_leases_granted_total", MetricType::Counter, &[], "Calls that were granted by them"),
    row("auth0_graphql_budget_leases", MetricType::Gauge, &[], "Those of them that have not been made yet, as of the last exchange"),
    row("auth0_graphql_replicas", MetricType::Gauge, &[], "Replicas that were heard of in the last seconds, with this one; 0 while it is alone"),
    row("process_cpu_seconds_total", MetricType::Counter, &[], "CPU time of the process"),
    row("process_resident_memory_bytes", MetricType::Gauge, &[], "Resident memory of the process"),
    row("process_virtual_memory_bytes", MetricType::Gauge, &[], "Virtual memory of the process"),
    row("process_open_fds", MetricType::Gauge, &[], "Open file descriptors of the process"),
    row("process_max_fds", MetricType::Gauge, &[], "Most file descriptors that the process may have open; 0 for no limit"),
    row("process_start_time_seconds", MetricType::Gauge, &[], "Start of the process"),
];

/// All metrics of one gateway. Cheap to clone: all clones are of the same gateway.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    server: Arc<ServerMetrics>,
    status: UpstreamStatus,
    read_status: Box<dyn Fn(&UpstreamStatus) + Send + Sync>,
    process: ProcessMetrics,
}

impl Metrics {
    /// The metrics of a gateway whose modules count with these recorders. `read_status` brings the status of its client for Auth0 up to
    /// date whenever the metrics are read.
    #[must_use]
    pub fn new(
        upstream: &UpstreamMetrics,
        keys: &KeyMetrics,
        shared: &SharedStateMetrics,
        read_status: impl Fn(&UpstreamStatus) + Send + Sync + 'static,
    ) -> Self {
        let mut registry = Registry::default();
        let (server, status) = (ServerMetrics::default(), UpstreamStatus::default());
        let process = ProcessMetrics::default();
        register(&mut registry, "auth0_graphql_build_info", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        server.register(&mut registry);
        upstream.register(&mut registry);
        status.register(&mut registry);
        keys.register(&mut registry);
        shared.register(&mut registry);
        process.register(&mut registry);
        let (server, read_status) = (Arc::new(server), Box::new(read_status));
        Self(Arc::new(Inner { registry, server, status, read_status, process }))
    }

    pub(crate) fn server(&self) -> &Arc<ServerMetrics> {
        &self.0.server
    }

    /// The metrics as they are now, in Prometheus' text format.
    pub(crate) fn render(&self) -> Result<String, fmt::Error> {
        let Inner { registry, status, read_status, process, .. } = &*self.0;
        read_status(status);
        process.read();
        let mut text = String::new();
        encode(&mut text, registry)?;
        Ok(text)
    }

    /// The list of all metrics, in Markdown.
    #[must_use]
    pub fn list() -> String {
        let mut list = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
        for Row { name, kind, labels, help } in TABLE {
            let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            // Writing to a string does not fail.
            let _ = writeln!(list, "| `{name}` | {} | {labels} | {help} |", type_name(*kind));
        }
        list
    }
}

impl Default for Metrics {
    /// The metrics of a gateway that nobody watches.
    fn default() -> Self {
        Self::new(&UpstreamMetrics::default(), &KeyMetrics::default(), &SharedStateMetrics::default(), |_| {})
    }
}

fn type_name(kind: MetricType) -> &'static str {
    match kind {
        MetricType::Counter => "counter",
        MetricType::Histogram => "histogram",
        // Prometheus' text format has no type of its own for what never changes.
        MetricType::Gauge | MetricType::Info | MetricType::Unknown => "gauge",
    }
}

/// Registers the metric of a row.
fn register(registry: &mut Registry, name: &'static str, metric: impl Metric) {
    let row = TABLE.iter().find(|row| row.name == name);
    debug_assert!(row.is_some_and(|row| row.kind == metric.metric_type()), "{name} is not in the table");
    let help = row.map_or("", |row| row.help);
    // The library adds the endings.
    let name = name.strip_suffix("_total").or_else(|| name.strip_suffix("_info")).unwrap_or(name);
    registry.register(name, help, metric);
}

/// Whole and fractional seconds.
fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Metrics of which each has a series: those with labels have none until something is counted.
    async fn counted() -> Metrics {
        let (upstream, keys) = (UpstreamMetrics::default(), KeyMetrics::default());
        upstream.request("users", "ok", Duration::ZERO, true);
        upstream.saved_by_cache();
        upstream.token(true);
        upstream.waited("users", Duration::ZERO);
        keys.fetched(Some(1));
        let metrics = Metrics::new(&upstream, &keys, &SharedStateMetrics::default(), |status| {
            status.set_breaker("closed", &["closed"]);
            status.set_bucket("users", [1.0; 4]);
        });
        metrics.server().operation("http", "query", None, timed(std::pin::pin!(async {})).await.1);
        metrics.server().refused("host");
        metrics
    }

    #[tokio::test]
    async fn what_is_rendered_are_the_rows_of_the_table_and_nothing_else() {
        let text = counted().await.render().unwrap();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let rendered: BTreeMap<_, _> = types.collect();
        let table: BTreeMap<_, _> = TABLE.iter().map(|row| (row.name, type_name(row.kind))).collect();
        assert_eq!(rendered, table);
        for row in TABLE {
            assert!(text.contains(&format!("# HELP {} {}.\n", row.name, row.help)), "{}: {text}", row.name);
        }
    }

    #[test]
    fn names_follow_prometheus_conventions() {
        for Row { name, kind, labels, .. } in TABLE {
            assert_eq!(name.ends_with("_total"), matches!(kind, MetricType::Counter), "{name}");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
            assert!(!labels.contains(&"le") && !name.contains("milliseconds"), "{name}");
        }
    }
}
