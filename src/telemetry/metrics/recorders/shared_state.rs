//! Metrics of the state that replicas share.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Counters, Labels};
use crate::telemetry::metrics::register;

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
    pub(in crate::telemetry::metrics) fn register(&self, registry: &mut Registry) {
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
