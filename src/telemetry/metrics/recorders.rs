//! Recorders: for each module the metrics that it counts.

mod keys;
mod server;
mod shared_state;
mod tail;
mod upstream;

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

pub use self::keys::KeyMetrics;
pub use self::server::ServerMetrics;
pub(crate) use self::server::timed;
pub use self::shared_state::SharedStateMetrics;
pub(crate) use self::tail::TailMetrics;
pub use self::upstream::{UpstreamMetrics, UpstreamStatus};

/// Media type of Prometheus' text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bounds of the buckets of whole operations and of requests to Auth0, in seconds.
const LATENCY: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

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

/// A thing that is open, counted until it is dropped.
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
