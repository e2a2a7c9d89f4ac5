//! Metrics of the tail of logs.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Counters, OpenGuard, counters, outcome};
use crate::telemetry::metrics::register;

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
    left_out: Counter,
    gaps: Counter,
    overflows: Counter,
    leads: Gauge,
    takeovers: Counter,
    shared: Counters<1>,
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
            logs: counters("source", &["poll", "push", "replica"]),
            late: Counter::default(),
            pushed: counters("outcome", &["new", "known", "passed_on", "no_subscribers"]),
            delivered: Counter::default(),
            left_out: Counter::default(),
            gaps: Counter::default(),
            overflows: Counter::default(),
            leads: Gauge::default(),
            takeovers: Counter::default(),
            shared: counters("outcome", &["published", "received", "fenced", "missed", "unreadable"]),
        }
    }
}

impl TailMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        register(registry, "auth0_graphql_tail_subscribers", self.subscribers.clone());
        register(registry, "auth0_graphql_tail_pollers_started_total", self.pollers.clone());
        register(registry, "auth0_graphql_tail_polls_total", self.polls.clone());
        register(registry, "auth0_graphql_tail_history_reads_total", self.history_reads.clone());
        register(registry, "auth0_graphql_tail_logs_total", self.logs.clone());
        register(registry, "auth0_graphql_tail_late_logs_total", self.late.clone());
        register(registry, "auth0_graphql_tail_pushed_logs_total", self.pushed.clone());
        register(registry, "auth0_graphql_tail_delivered_logs_total", self.delivered.clone());
        register(registry, "auth0_graphql_tail_left_out_records_total", self.left_out.clone());
        register(registry, "auth0_graphql_tail_gaps_total", self.gaps.clone());
        register(registry, "auth0_graphql_tail_overflows_total", self.overflows.clone());
        register(registry, "auth0_graphql_tail_leads", self.leads.clone());
        register(registry, "auth0_graphql_tail_takeovers_total", self.takeovers.clone());
        register(registry, "auth0_graphql_tail_shared_entries_total", self.shared.clone());
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

    /// Counts records that have no place in the stream.
    pub(crate) fn left_out(&self, records: usize) {
        self.left_out.inc_by(records as u64);
    }

    pub(crate) fn gap(&self) {
        self.gaps.inc();
    }

    pub(crate) fn overflow(&self) {
        self.overflows.inc();
    }

    /// Sets whether this replica reads for all.
    pub(crate) fn leads(&self, leads: bool) {
        self.leads.set(i64::from(leads));
    }

    /// Counts that it went on where another did not.
    pub(crate) fn took_over(&self) {
        self.takeovers.inc();
    }

    /// Counts an entry of what replicas tell each other.
    pub(crate) fn shared(&self, outcome: &'static str) {
        self.shared.get_or_create(&[("outcome", outcome)]).inc();
    }
}
