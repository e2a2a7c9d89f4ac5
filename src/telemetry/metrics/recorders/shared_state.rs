//! Metrics of the state that replicas share.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Counters, Labels, counters};
use crate::telemetry::metrics::register;

/// Metrics of the state that replicas share. Cheap to clone: all clones count together.
#[derive(Clone, Debug)]
pub struct SharedStateMetrics {
    state: Family<Labels<1>, Gauge>,
    failures: Counters<1>,
    exchanges: Counters<1>,
    leases_granted: Counter,
    leases: Gauge,
    replicas: Gauge,
}

impl Default for SharedStateMetrics {
    /// The metrics of a process that is alone.
    fn default() -> Self {
        let metrics = Self {
            state: Family::default(),
            failures: counters("reason", &["timeout", "unreachable", "refused"]),
            exchanges: counters("outcome", &["taken", "conflict", "unavailable"]),
            leases_granted: Counter::default(),
            leases: Gauge::default(),
            replicas: Gauge::default(),
        };
        metrics.set_state("alone");
        metrics
    }
}

impl SharedStateMetrics {
    pub(in crate::telemetry::metrics) fn register(&self, registry: &mut Registry) {
        register(registry, "auth0_graphql_redis_state", self.state.clone());
        register(registry, "auth0_graphql_redis_failures_total", self.failures.clone());
        register(registry, "auth0_graphql_budget_exchanges_total", self.exchanges.clone());
        register(registry, "auth0_graphql_budget_leases_granted_total", self.leases_granted.clone());
        register(registry, "auth0_graphql_budget_leases", self.leases.clone());
        register(registry, "auth0_graphql_replicas", self.replicas.clone());
    }

    /// Sets how the state is shared.
    pub(crate) fn set_state(&self, state: &'static str) {
        for name in ["alone", "up", "late", "down"] {
            self.state.get_or_create(&[("state", name)]).set(i64::from(name == state));
        }
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts an exchange with other replicas about the tenant's rate limits, and the calls that were granted by it.
    pub(crate) fn exchanged(&self, outcome: &'static str, granted: usize) {
        self.exchanges.get_or_create(&[("outcome", outcome)]).inc();
        self.leases_granted.inc_by(granted as u64);
    }

    /// Sets the replicas that are heard of, and the calls that were granted to this one and not made yet.
    pub(crate) fn set_replicas(&self, replicas: usize, leases: usize) {
        self.replicas.set(i64::try_from(replicas).unwrap_or(i64::MAX));
        self.leases.set(i64::try_from(leases).unwrap_or(i64::MAX));
    }
}
