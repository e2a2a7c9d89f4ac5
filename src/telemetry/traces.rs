//! Traces: spans of requests by OTLP over HTTP, and W3C's trace context in and out.
//!
//! Spans have nothing in them that a caller or Auth0 wrote but the names of operations, and no events: what the log tells stays there.
//!
//! The first span of a trace is OpenTelemetry's own, in a [`Context`] that goes with the work, also into tasks. Those below it are
//! tracing's, and there are none unless it is sampled: what is not sampled costs one decision.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::Either;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    FutureExt as _, Link, Span as _, SpanBuilder, SpanContext, SpanKind, TraceContextExt as _, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, Key, KeyValue, Value};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, layer};
use url::Url;

use super::{TRACE_TARGET, TRACEPARENT};

/// The tracer that begins traces, once they are exported, as they are for the whole process.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Time for what is still to be sent when the program ends: a collector that hangs is not waited for.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

const SERVICE_NAME: Key = Key::from_static_str("service.name");

/// The export of traces. What is still to be sent is sent when this is dropped, within [`FLUSH_TIMEOUT`].
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to export to the collector at `endpoint`, the base of OTLP's paths, if there is one to export to.
    pub(super) fn start(endpoint: Option<&Url>, variables: &[(&str, String)]) -> Result<Option<Self>, StartError> {
        let Some(url) = destination(endpoint, variables)? else { return Ok(None) };
        let exporter = SpanExporter::builder().with_http().with_endpoint(url).build()?;
        let provider = SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
        TRACER.get_or_init(|| tracer(&provider));
        Ok(Some(Self(provider)))
    }

    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(tracer(&self.0))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            // Of the spans below the first, nobody asks OpenTelemetry for the present one but this module, which asks tracing.
            .with_context_activation(false)
            .with_filter(filter_fn(is_of_traces).with_max_level_hint(LevelFilter::INFO))
    }
}

/// Traces cannot be exported.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// A variable of OpenTelemetry's asks for something that this program cannot do, and the SDK would pass over.
    #[error("{variable} can be {known}, not {value:?}")]
    Unsupported { variable: &'static str, known: &'static str, value: String },
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
}

/// Samplers that the SDK knows. For others it takes its default, without a word.
const SAMPLERS: &str =
    "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio";

/// The URL that traces go to, as OpenTelemetry's variables have it; none if there are to be no traces.
/// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>
fn destination(endpoint: Option<&Url>, variables: &[(&str, String)]) -> Result<Option<String>, StartError> {
    let variable = |name: &str| {
        let value = variables.iter().find_map(|(known, value)| (*known == name).then_some(value.as_str()));
        value.filter(|value| !value.is_empty())
    };
    let of_traces = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(str::to_owned);
    let url = of_traces.or_else(|| Some(format!("{}/v1/traces", endpoint?.as_str().trim_end_matches('/'))));
    let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || variable("OTEL_TRACES_EXPORTER") == Some("none");
    if url.is_none() || is_off {
        return Ok(None);
    }
    for (name, known) in [
        ("OTEL_TRACES_EXPORTER", "otlp, none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_TRACES_SAMPLER", SAMPLERS),
    ] {
        if let Some(value) = variable(name).filter(|value| !known.split(", ").any(|word| word == *value)) {
            return Err(StartError::Unsupported { variable: name, known, value: value.to_owned() });
        }
    }
    Ok(url)
}

fn tracer(provider: &SdkTracerProvider) -> SdkTracer {
    provider.tracer(env!("CARGO_PKG_NAME"))
}

/// The layer that lets spans of traces be where a trace is sampled. A filter of the export's alone would have the rest made all the same.
pub(super) fn sampling<S: Subscriber>(is_exporting: bool) -> impl Layer<S> {
    Sampling { is_exporting }
}

struct Sampling {
    is_exporting: bool,
}

impl<S: Subscriber> Layer<S> for Sampling {
    fn enabled(&self, metadata: &Metadata<'_>, _: layer::Context<'_, S>) -> bool {
        !is_of_traces(metadata) || Context::map_current(|present| present.span().span_context().is_sampled())
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
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH_TIMEOUT) {
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

/// A trace, which ends when this is dropped: that of a request, or of work of the gateway's own. Nothing where none is exported, and
/// where it began here and is not sampled.
pub(crate) struct Trace(Option<Context>);

impl Trace {
    /// Begins the trace of a request. It continues the trace that a `traceparent` belongs to, if a trusted proxy sends it. A
    /// stranger's is linked to a trace of our own: else strangers would decide what is sampled.
    pub(crate) fn of_request(id: &str, method: Option<&str>, traceparent: Option<&str>, is_trusted: bool) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let remote = traceparent.and_then(context_of);
        let (parent, linked) = if is_trusted { (remote, None) } else { (None, remote) };
        let mut builder = SpanBuilder::from_name("request").with_kind(SpanKind::Server);
        if let Some(linked) = linked {
            builder = builder.with_links(vec![Link::with_context(linked.span().span_context().clone())]);
        }
        let trace = Self::begin(tracer, builder, parent);
        trace.record("request_id", || id.to_owned());
        if let Some(method) = method {
            trace.record("http.request.method", || method.to_owned());
        }
        trace
    }

    /// Begins the trace of work that no request asks for.
    pub(crate) fn of_work(name: &'static str) -> Self {
        TRACER.get().map_or(Self(None), |tracer| Self::begin(tracer, SpanBuilder::from_name(name), None))
    }

    fn begin(tracer: &SdkTracer, span: SpanBuilder, parent: Option<Context>) -> Self {
        let is_own = parent.is_none();
        let parent = parent.unwrap_or_default();
        let span = tracer.build_with_context(span, &parent);
        let is_wanted = !is_own || span.span_context().is_sampled();
        Self(is_wanted.then(|| parent.with_span(span)))
    }

    /// Sets an attribute of its first span.
    pub(crate) fn record<V: Into<Value>>(&self, key: &'static str, value: impl FnOnce() -> V) {
        let span = self.0.as_ref().map(|context| context.span()).filter(|span| span.is_recording());
        if let Some(span) = span {
            span.set_attribute(KeyValue::new(key, value()));
        }
    }

    /// Makes it the present trace of `work`.
    pub(crate) fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        in_context(self.0.clone(), work)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            // Tasks that it has left behind may hold it for long.
            context.span().end();
        }
    }
}

/// Takes the present trace along into a task.
pub(crate) fn in_present_trace<F: Future>(task: F) -> impl Future<Output = F::Output> + use<F> {
    in_context(is_present().then(Context::current), task)
}

fn in_context<F: Future>(context: Option<Context>, work: F) -> impl Future<Output = F::Output> + use<F> {
    match context {
        Some(context) => Either::Left(work.with_context(context)),
        None => Either::Right(work),
    }
}

fn is_present() -> bool {
    TRACER.get().is_some() && Context::map_current(Context::has_active_span)
}

/// The trace that a `traceparent` belongs to, if it is one.
fn context_of(traceparent: &str) -> Option<Context> {
    let remote = TraceContextPropagator::new().extract_with_context(&Context::new(), &Carrier(traceparent));
    remote.has_active_span().then_some(remote)
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
    if !is_present() {
        return None;
    }
    // The present span may be one that only the log has.
    let below = Span::current().with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        span.scope().find_map(|span| get_otel_context(&span.id(), dispatch))
    });
    let present = below.flatten().unwrap_or_else(Context::current);
    Some(present.span().span_context().clone()).filter(SpanContext::is_valid)
}

/// A `traceparent` as the propagator reads it.
struct Carrier<'a>(&'a str);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_to(endpoint: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let endpoint = endpoint.map(|url| url.parse().unwrap());
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        destination(endpoint.as_ref(), &variables).map_err(|error| error.to_string())
    }

    #[test]
    fn the_variables_of_opentelemetry_say_whether_and_where_to() {
        let base = Some("http://collector:4318/otlp/");
        let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/traces");
        for (endpoint, variables, expected) in [
            (None, &[][..], None),
            (base, &[], Some("http://collector:4318/otlp/v1/traces")),
            (base, &[of_traces], Some("http://other/traces")),
            (None, &[of_traces], Some("http://other/traces")),
            (base, &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")], Some("http://collector:4318/otlp/v1/traces")),
            (base, &[("OTEL_SDK_DISABLED", "TRUE")], None),
            (base, &[("OTEL_SDK_DISABLED", "false")], Some("http://collector:4318/otlp/v1/traces")),
            (base, &[("OTEL_TRACES_EXPORTER", "none"), of_traces], None),
            (base, &[("OTEL_TRACES_EXPORTER", "otlp")], Some("http://collector:4318/otlp/v1/traces")),
            (base, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], Some("http://collector:4318/otlp/v1/traces")),
            (base, &[("OTEL_TRACES_SAMPLER", "traceidratio")], Some("http://collector:4318/otlp/v1/traces")),
            // Nothing is exported, so that nothing can be wrong with how.
            (None, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], None),
        ] {
            assert_eq!(sent_to(endpoint, variables), Ok(expected.map(str::to_owned)), "{endpoint:?} {variables:?}");
        }
    }

    #[test]
    fn a_variable_that_the_sdk_would_pass_over_is_refused() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "jaeger"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_TRACES_SAMPLER", "or"),
        ] {
            let refusal = sent_to(Some("http://collector:4318"), &[(name, value)]).unwrap_err();
            assert!(refusal.starts_with(name) && refusal.contains(value), "{refusal}");
        }
    }
}
