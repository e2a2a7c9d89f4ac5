//! Metrics of the client for Auth0.

use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Counters, Histograms, Labels, Number, TailMetrics, latencies, outcome};
use crate::telemetry::metrics::{register, seconds};

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
    pub(in crate::telemetry::metrics) fn register(&self, registry: &mut Registry) {
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
    pub(in crate::telemetry::metrics) fn register(&self, registry: &mut Registry) {
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
