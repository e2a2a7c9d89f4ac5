//! Lines for people.

use std::error::Error;
use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::{LONG, all, clock, with_metadata};

/// Writes lines for people, without color.
pub(crate) struct Text;

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, Self> for Text {
    fn format_event(&self, context: &FmtContext<'_, S, Self>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::with_capacity(LONG);
        clock::write_now(&mut line);
        with_metadata(event, |metadata| {
            line.push_str(match *metadata.level() {
                Level::ERROR => " ERROR ",
                Level::WARN => "  WARN ",
                Level::INFO => "  INFO ",
                Level::DEBUG => " DEBUG ",
                Level::TRACE => " TRACE ",
            });
            if let Some(spans) = context.event_scope() {
                for span in spans.from_root() {
                    line.push_str(span.name());
                    if let Some(fields) = span.extensions().get::<FormattedFields<Self>>().filter(|it| !it.is_empty()) {
                        line.extend(["{", fields, "}"]);
                    }
                    line.push(':');
                }
                line.push(' ');
            }
            line.extend([metadata.target(), ": "]);
        });
        let mut fields = Fields { line: &mut line, is_first: true, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        line.push('\n');
        out.write_str(&line)
    }
}

impl<'w> FormatFields<'w> for Text {
    fn format_fields<R: RecordFields>(&self, mut out: Writer<'w>, fields: R) -> fmt::Result {
        let mut text = String::new();
        let mut visitor = Fields { line: &mut text, is_first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result?;
        out.write_str(&text)
    }
}

struct Fields<'l> {
    line: &'l mut String,
    is_first: bool,
    result: fmt::Result,
}

impl Fields<'_> {
    fn write<const PIECES: usize>(&mut self, pieces: [&str; PIECES]) {
        if !self.is_first {
            self.line.push(' ');
        }
        self.line.extend(pieces);
        self.is_first = false;
    }

    /// Has the library write what is not as simple as most.
    fn delegate(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        let mut visitor = DefaultVisitor::new(Writer::new(self.line), self.is_first);
        record(&mut visitor);
        self.result = self.result.and(visitor.finish());
        self.is_first = false;
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" if is_plain(value) => self.write([value]),
            name if is_own(name) && is_plain(value) => self.write([name, "=\"", value, "\""]),
            _ => self.delegate(|visitor| visitor.record_str(field, value)),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            name if is_own(name) => self.write([name, "=", &value.to_string()]),
            _ => self.delegate(|visitor| visitor.record_u64(field, value)),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.delegate(|visitor| visitor.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.delegate(|visitor| visitor.record_debug(field, value));
    }
}

/// Whether a field goes by its name: neither a raw identifier nor one of those that the crate `log` comes with.
fn is_own(name: &str) -> bool {
    !name.starts_with("r#") && !name.starts_with("log.")
}

/// Whether a text is the same in quotes.
fn is_plain(text: &str) -> bool {
    all(text, |byte| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\'))
}
