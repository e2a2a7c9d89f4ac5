//! The log, on standard error, metrics, and traces.

mod audit_file;
mod metrics;
mod panics;
mod throttle;
#[cfg(feature = "otlp")]
mod traces;
#[cfg(not(feature = "otlp"))]
mod without_traces;

use std::fmt;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::time::ChronoLocal;
use tracing_subscriber::layer::{self, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, registry};
use url::Url;

use self::audit_file::AuditFile;
pub(crate) use self::audit_file::report_lost_lines;
pub(crate) use self::metrics::{CONTENT_TYPE, OpenGuard, TailMetrics, timed};
pub use self::metrics::{KeyMetrics, Metrics, ServerMetrics, SharedStateMetrics, UpstreamMetrics, UpstreamStatus};
pub(crate) use self::throttle::LogThrottle;
use self::trace::Traces;
pub(crate) use self::trace::{Trace, in_present_trace, trace_id, traceparent};
#[cfg(feature = "otlp")]
use self::traces as trace;
#[cfg(not(feature = "otlp"))]
use self::without_traces as trace;

/// Beginning of the targets of this program's own events.
const OWN_TARGET: &str = "auth0_graphql";

/// Target of the audit trail, a line for each operation.
pub(crate) const AUDIT_TARGET: &str = "auth0_graphql::audit";

/// Target of the spans of traces. They cost nothing where nothing is exported, for nothing else takes them.
pub(crate) const TRACE_TARGET: &str = "auth0_graphql::trace";

/// Name of the header of W3C's trace context: <https://www.w3.org/TR/trace-context/#traceparent-header>.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// Settings of the log and of traces.
#[derive(Debug, Clone, Default)]
pub struct LogSettings {
    /// Filter of the events.
    pub filter: Filter,
    /// Form of the lines.
    pub format: Format,
    /// File that the audit trail goes to in place of standard error.
    pub audit_file: Option<PathBuf>,
    /// Collector that traces are exported to, the base of OTLP's paths.
    pub otlp_endpoint: Option<Url>,
    /// The [variables of OpenTelemetry's](Self::OPENTELEMETRY) that are set, with their values.
    pub opentelemetry: Vec<(&'static str, String)>,
}

impl LogSettings {
    /// Variables of OpenTelemetry's that say whether and where traces are exported, or how, where the SDK would pass over what it cannot do.
    /// The SDK reads others itself.
    pub const OPENTELEMETRY: [&str; 8] = [
        "OTEL_SDK_DISABLED",
        "OTEL_TRACES_EXPORTER",
        "OTEL_TRACES_SAMPLER",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    ];

    /// The settings for a command that answers nobody: it leaves no audit trail and exports no traces.
    #[must_use]
    pub(crate) fn of_command(&self) -> Self {
        let filter = Filter(format!("{},{AUDIT_TARGET}=off", self.filter));
        Self { filter, audit_file: None, otlp_endpoint: None, opentelemetry: Vec::new(), ..self.clone() }
    }
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Short lines for people at a terminal.
    Pretty,
    /// Lines for people and their tools.
    Text,
    /// Lines for programs, a JSON object each.
    Json,
}

impl Default for Format {
    fn default() -> Self {
        if io::stderr().is_terminal() { Self::Pretty } else { Self::Text }
    }
}

/// Filter of what is logged: the directives of a [`tracing_subscriber::EnvFilter`], checked. The default is `info`.
///
/// Libraries write messages whole at trace: callers' tokens and searches, and Auth0's answers. So they are held at debug, whatever
/// the directives say of everything, except where a directive names the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

/// A text is no [`Filter`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a level (off, error, warn, info, debug, trace) or a list such as warn,auth0_graphql=debug")]
pub struct FilterError;

impl Default for Filter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl Filter {
    /// Checks the directives.
    ///
    /// # Errors
    ///
    /// If they are of no form that the filter knows, or when a word stands where a level should. The library would take `inof` for a
    /// module of that name, and silence everything else.
    pub fn parse(directives: &str) -> Result<Self, FilterError> {
        // The library takes no space after a comma.
        let parts: Vec<_> = directives.split(',').map(str::trim).collect();
        let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
        let is_spelled_out = |part: &str| part.contains(['=', '[', ']', '{', '}', ':']);
        if !parts.iter().all(|part| is_level(part) || is_spelled_out(part)) {
            return Err(FilterError);
        }
        let directives = parts.join(",");
        EnvFilter::builder().parse(&directives).map_err(|_| FilterError)?;
        Ok(Self(directives))
    }

    /// True if events of this target are logged at trace, should the directives ask for that.
    fn admits_trace(&self, target: &str) -> bool {
        let named = self.0.split(',').filter_map(|directive| {
            let end = directive.find(['=', '[']).unwrap_or(directive.len());
            Some(&directive[..end]).filter(|name| !name.is_empty() && name.parse::<LevelFilter>().is_err())
        });
        // As the library compares them.
        named.chain([OWN_TARGET]).any(|name| target.starts_with(name))
    }

    fn layer_filter<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl layer::Filter<S> + use<S> {
        let this = self.clone();
        let holds_back =
            filter_fn(move |metadata| *metadata.level() < Level::TRACE || this.admits_trace(metadata.target()));
        // Without a hint of its own, the whole would have none, and every event of a library would be looked up.
        EnvFilter::new(&self.0).and(holds_back.with_max_level_hint(LevelFilter::TRACE))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The log while it is written, and traces while they are exported: the last ones are sent when this is dropped.
pub struct Telemetry {
    /// The log.
    pub log: Log,
    _traces: Option<Traces>,
}

/// The log while it is written. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    audit_file: Option<Arc<AuditFile>>,
}

impl Log {
    /// Opens the audit's file anew, if it has one.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened: the one from before stays.
    pub fn reopen(&self) -> io::Result<()> {
        self.audit_file.as_ref().map_or(Ok(()), |file| file.reopen())
    }
}

/// The log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Something logs already.
    #[error(transparent)]
    TakenAlready(#[from] TryInitError),
    /// The audit's file cannot be opened.
    #[error("AUDIT_FILE ({}) cannot be opened: {cause}", path.display())]
    AuditFile {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Traces cannot be exported.
    #[error("traces cannot be exported: {0}")]
    Traces(Box<dyn std::error::Error + Send + Sync>),
}

/// Logs and traces from now on, for the whole process, and counts panics.
///
/// # Errors
///
/// See [`LogError`].
pub fn init(settings: &LogSettings) -> Result<Telemetry, LogError> {
    let audit_file = settings.audit_file.as_ref().map(|path| {
        AuditFile::open(path).map(Arc::new).map_err(|cause| LogError::AuditFile { path: path.clone(), cause })
    });
    let audit_file = audit_file.transpose()?;
    let traces = Traces::start(settings.otlp_endpoint.as_ref(), &settings.opentelemetry);
    let traces = traces.map_err(|error| LogError::Traces(error.into()))?;
    let layers = layers(settings, audit_file.as_ref(), traces.as_ref());
    registry().with(layers).with(trace::sampling(traces.is_some())).try_init()?;
    panics::watch();
    Ok(Telemetry { log: Log { audit_file }, _traces: traces })
}

/// The layers that there are: one that is `None` would take an interest in every event of every library.
fn layers(
    settings: &LogSettings,
    audit_file: Option<&Arc<AuditFile>>,
    traces: Option<&Traces>,
) -> Vec<Box<dyn Layer<Registry> + Send + Sync>> {
    let log = log_layer(settings).boxed();
    let audit = audit_file.map(|file| audit_layer(settings.format, Arc::clone(file)).boxed());
    let spans = traces.map(|traces| traces.layer().boxed());
    [log].into_iter().chain(audit).chain(spans).collect()
}

fn is_audit(metadata: &Metadata<'_>) -> bool {
    metadata.target() == AUDIT_TARGET
}

fn log_layer<S: Subscriber + for<'a> LookupSpan<'a>>(settings: &LogSettings) -> impl Layer<S> + use<S> {
    // There is nowhere to report that standard error is closed; the library would print it there, and panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    // In color on a terminal, unless NO_COLOR is set.
    let has_color = io::stderr().is_terminal();
    let lines = match settings.format {
        Format::Json => lines.json().boxed(),
        Format::Pretty => {
            let time = ChronoLocal::new("%H:%M:%S".to_owned());
            let lines = lines.compact().with_timer(time).with_target(false);
            if has_color { lines.boxed() } else { lines.with_ansi(false).boxed() }
        }
        Format::Text if has_color => lines.boxed(),
        Format::Text => lines.with_ansi(false).boxed(),
    };
    let has_audit = settings.audit_file.is_none();
    // Spans of traces are none of the log's, whatever LOG says.
    let is_wanted = filter_fn(move |metadata| (has_audit || !is_audit(metadata)) && metadata.target() != TRACE_TARGET);
    // Without a hint of its own, the whole would have none, here too.
    lines.with_filter(settings.filter.layer_filter().and(is_wanted.with_max_level_hint(LevelFilter::TRACE)))
}

/// The audit trail, whole: LOG has no say in it.
fn audit_layer<S: Subscriber + for<'a> LookupSpan<'a>>(format: Format, file: Arc<AuditFile>) -> impl Layer<S> + use<S> {
    let lines = tracing_subscriber::fmt::layer().with_writer(file);
    let lines = match format {
        Format::Json => lines.json().boxed(),
        Format::Pretty | Format::Text => lines.with_ansi(false).boxed(),
    };
    lines.with_filter(filter_fn(is_audit).with_max_level_hint(LevelFilter::INFO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_nobody_logs_is_not_even_looked_at() {
        let audit = Arc::new(AuditFile::open("/dev/null".as_ref()).unwrap());
        for (directives, audit, expected) in [
            ("info", None, LevelFilter::INFO),
            ("warn", None, LevelFilter::WARN),
            ("warn", Some(&audit), LevelFilter::INFO),
            ("warn,auth0_graphql=debug", None, LevelFilter::DEBUG),
        ] {
            let settings = LogSettings { filter: Filter::parse(directives).unwrap(), ..LogSettings::default() };
            let subscriber = registry().with(layers(&settings, audit, None)).with(trace::sampling(false));
            assert_eq!(subscriber.max_level_hint(), Some(expected), "{directives}");
        }
    }

    #[test]
    fn a_filter_is_a_level_or_a_list_of_modules() {
        for directives in [
            "off",
            "WARN",
            "info,auth0_graphql=debug",
            "warn, hyper=off",
            "auth0_graphql::auth0",
            "info,[request{id=7}]=trace",
        ] {
            assert!(Filter::parse(directives).is_ok(), "{directives}");
        }
        for directives in ["inof", "verbose", "info,chatty", "info=loud", "a=b=c"] {
            assert_eq!(Filter::parse(directives), Err(FilterError), "{directives:?}");
        }
    }

    #[test]
    fn libraries_are_held_at_debug_unless_they_are_named() {
        for (directives, target, expected) in [
            ("trace", "auth0_graphql::http", true),
            ("trace", "h2::codec::framed_read", false),
            ("trace", "tungstenite::protocol", false),
            ("trace,tungstenite=trace", "tungstenite::protocol", true),
            ("trace,tungstenite=trace", "h2::codec", false),
            ("h2[stream]=trace", "h2::proto", true),
            ("hyper::proto", "hyper::proto::h1", true),
            ("[request]=trace", "hyper::proto", false),
            ("trace,off", "tracer", false),
        ] {
            assert_eq!(Filter::parse(directives).unwrap().admits_trace(target), expected, "{directives} {target}");
        }
    }
}
