//! Traces: spans of requests by OTLP over HTTP, and W3C's trace context in and out.
//!
//! Spans have nothing in them that a caller or Auth0 wrote but the names of operations, and no events: what the log tells stays there.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, Key, KeyValue, Value};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetrySpanExt as _, get_otel_context};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use tracing_subscriber::{Layer, Registry, layer};
use url::Url;

use super::TRACE_TARGET;

/// True once traces are exported, as they are for the whole process.
static IS_EXPORTING: AtomicBool = AtomicBool::new(false);

const SERVICE_NAME: Key = Key::from_static_str("service.name");

/// The export of traces. What is still to be sent is sent when this is dropped.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to export to the collector at `endpoint`, the base of OTLP's paths. The SDK reads the other `OTEL_` variables itself.
    pub(super) fn start(endpoint: &Url) -> Result<Self, ExporterBuildError> {
        let url = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let exporter = SpanExporter::builder().with_http().with_endpoint(url).build()?;
        IS_EXPORTING.store(true, Ordering::Relaxed);
        Ok(Self(SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build()))
    }

    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            // Nobody asks OpenTelemetry for the present span but this module, which asks tracing.
            .with_context_activation(false)
            .with_filter(filter_fn(is_of_traces).with_max_level_hint(LevelFilter::INFO))
    }
}

/// The spans that there are: of a trace that is not sampled only the first, which passes on what a proxy began. A filter of the export's alone would have
/// the rest made all the same.
pub(super) fn sampling<S: Subscriber + for<'a> LookupSpan<'a>>(is_exporting: bool) -> impl Layer<S> {
    Sampling { is_exporting }
}

struct Sampling {
    is_exporting: bool,
}

/// The mark of the first span of a trace that is not sampled.
#[derive(Clone, Copy)]
struct NotSampled {
    /// True if the trace began here, so that nobody has it.
    is_own: bool,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Sampling {
    fn enabled(&self, metadata: &Metadata<'_>, context: layer::Context<'_, S>) -> bool {
        // By a mark, for to ask OpenTelemetry here has events of its own judged meanwhile, whose verdict would be this span's.
        let is_marked = |span: SpanRef<'_, S>| span.scope().any(|span| span.extensions().get::<NotSampled>().is_some());
        !is_of_traces(metadata) || !context.lookup_current().is_some_and(is_marked)
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match (is_of_traces(metadata), self.is_exporting) {
            (false, _) => Interest::always(),
            (true, true) => Interest::sometimes(),
            (true, false) => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // It wants nothing for itself. Without a hint, all that libraries write would be worked out.
        Some(LevelFilter::OFF)
    }
}

fn is_of_traces(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TRACE_TARGET
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

fn resource() -> Resource {
    let given = Resource::builder().build();
    let is_named = given.get(&SERVICE_NAME).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let name = is_named.then(|| given.get(&SERVICE_NAME)).flatten().unwrap_or(Value::from(env!("CARGO_PKG_NAME")));
    Resource::builder()
        .with_attribute(KeyValue::new(SERVICE_NAME, name))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Begins the trace of a request with its span. It continues the trace that a `traceparent` belongs to, if a trusted proxy sends it. A
/// stranger's is linked to a trace of our own: else strangers would decide what is sampled.
pub(crate) fn begin_trace(span: &Span, traceparent: Option<&str>, is_trusted: bool) {
    if span.is_disabled() {
        return;
    }
    let mut is_own = true;
    if let Some(traceparent) = traceparent {
        let remote = TraceContextPropagator::new().extract_with_context(&Context::new(), &Carrier(traceparent));
        if is_trusted && remote.has_active_span() {
            // Where nothing is exported, it fails.
            is_own = span.set_parent(remote).is_err();
        } else if remote.has_active_span() {
            span.add_link(remote.span().span_context().clone());
        }
    }
    if !span.context().span().span_context().is_sampled() {
        span.with_subscriber(|(id, dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>()?;
            registry.span(id)?.extensions_mut().insert(NotSampled { is_own });
            Some(())
        });
    }
}

/// The present trace's id, if it is exported.
pub(crate) fn trace_id() -> Option<String> {
    present().filter(SpanContext::is_sampled).map(|present| present.trace_id().to_string())
}

/// The present span as a `traceparent`, if there is a trace: <https://www.w3.org/TR/trace-context/#traceparent-header>.
pub(crate) fn traceparent() -> Option<String> {
    let present = present()?;
    let (trace, span, flags) = (present.trace_id(), present.span_id(), present.trace_flags().to_u8());
    Some(format!("00-{trace}-{span}-{flags:02x}"))
}

fn present() -> Option<SpanContext> {
    // Not by `span_enabled!`, which would leave its verdict to the event whose fields are being worked out.
    if !IS_EXPORTING.load(Ordering::Relaxed) {
        return None;
    }
    // The present span may be one that only the log has, or none that is kept of a trace that is not sampled.
    let present = Span::current().with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        let mark = span.scope().find_map(|span| span.extensions().get::<NotSampled>().copied());
        if mark.is_some_and(|NotSampled { is_own }| is_own) {
            return None;
        }
        let context = span.scope().find_map(|span| get_otel_context(&span.id(), dispatch))?;
        Some(context.span().span_context().clone())
    });
    present.flatten().filter(SpanContext::is_valid)
}

/// A `traceparent` as the propagator reads it.
struct Carrier<'a>(&'a str);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}
