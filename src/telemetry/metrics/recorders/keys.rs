//! Metrics of the issuer's keys.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Counters, Number, outcome};
use crate::telemetry::metrics::{register, seconds};

/// Metrics of the issuer's keys. Cheap to clone: all clones count together.
#[derive(Clone, Debug, Default)]
pub struct KeyMetrics {
    fetches: Counters<1>,
    keys: Gauge,
    fetched_at: Number,
}

impl KeyMetrics {
    pub(in crate::telemetry::metrics) fn register(&self, registry: &mut Registry) {
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
