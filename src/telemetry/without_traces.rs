//! The stand-in for traces in a build without them.

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Identity;
use url::Url;

/// No export.
pub(super) enum Traces {}

/// The build exports no traces.
#[derive(Debug, thiserror::Error)]
#[error("this build has no OTLP: build with the feature `otlp`, or leave OTEL_EXPORTER_OTLP_ENDPOINT out")]
pub(super) struct NotBuiltError;

impl Traces {
    pub(super) fn start(endpoint: Option<&Url>, _: &[(&str, String)]) -> Result<Option<Self>, NotBuiltError> {
        endpoint.map_or(Ok(None), |_| Err(NotBuiltError))
    }

    pub(super) fn layer(&self) -> Identity {
        match *self {}
    }
}

/// A layer that wants nothing. Without a hint that says so, all that libraries write would be worked out.
struct Nothing;

impl<S: Subscriber> Layer<S> for Nothing {
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }
}

pub(super) fn sampling<S: Subscriber>(_: bool) -> impl Layer<S> {
    Nothing
}

/// No trace.
pub(crate) struct Trace;

impl Trace {
    pub(crate) fn of_request(_: &str, _: Option<&str>, _: Option<&str>, _: bool) -> Self {
        Self
    }

    pub(crate) fn of_work(_: &'static str) -> Self {
        Self
    }

    pub(crate) fn record<V>(&self, _: &'static str, _: impl FnOnce() -> V) {}

    pub(crate) fn scope<F: Future>(&self, work: F) -> F {
        work
    }
}

pub(crate) fn in_present_trace<F: Future>(task: F) -> F {
    task
}

pub(crate) fn trace_id() -> Option<String> {
    None
}

pub(crate) fn traceparent() -> Option<String> {
    None
}
