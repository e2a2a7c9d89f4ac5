//! Lines for programs: an object of JSON each.

use std::fmt::{self, Debug, Display, Write};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::{LONG, all, clock, with_metadata};

/// Writes lines for programs.
pub(crate) struct Json;

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, Self> for Json {
    fn format_event(&self, context: &FmtContext<'_, S, Self>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::with_capacity(LONG);
        line.push_str(r#"{"timestamp":""#);
        clock::write_now(&mut line);
        with_metadata(event, |metadata| {
            line.extend([r#"","level":""#, metadata.level().as_str(), r#"","fields":{"#]);
            event.record(&mut Fields { line: &mut line, is_first: true });
            line.push_str(r#"},"target":"#);
            write_string(&mut line, metadata.target());
        });
        if let Some(current) = context.parent_span().or_else(|| context.lookup_current()) {
            line.push_str(r#","span":"#);
            write_span(&mut line, &current);
        }
        if let Some(current) = context.lookup_current() {
            line.push_str(r#","spans":"#);
            for (place, span) in current.scope().from_root().enumerate() {
                line.push(if place == 0 { '[' } else { ',' });
                write_span(&mut line, &span);
            }
            line.push(']');
        }
        line.push_str("}\n");
        out.write_str(&line)
    }
}

fn write_span<S: for<'a> LookupSpan<'a>>(line: &mut String, span: &SpanRef<'_, S>) {
    line.push('{');
    if let Some(fields) = span.extensions().get::<FormattedFields<Json>>().filter(|fields| !fields.is_empty()) {
        line.extend([fields, ","]);
    }
    line.push_str(r#""name":"#);
    write_string(line, span.name());
    line.push('}');
}

/// Writes what stands in the braces of an object.
impl<'w> FormatFields<'w> for Json {
    fn format_fields<R: RecordFields>(&self, mut out: Writer<'w>, fields: R) -> fmt::Result {
        let mut text = String::new();
        fields.record(&mut Fields { line: &mut text, is_first: true });
        out.write_str(&text)
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let is_first = current.is_empty();
        fields.record(&mut Fields { line: &mut current.fields, is_first });
        Ok(())
    }
}

struct Fields<'l> {
    line: &'l mut String,
    is_first: bool,
}

impl Fields<'_> {
    fn name(&mut self, field: &Field) {
        if !self.is_first {
            self.line.push(',');
        }
        write_string(self.line, field.name());
        self.line.push(':');
        self.is_first = false;
    }

    /// Writes a field whose value is the same in JSON.
    fn write(&mut self, field: &Field, value: impl Display) {
        self.name(field);
        // Strings take everything.
        let _ = write!(self.line, "{value}");
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.write(field, format_args!("{value:?}"));
        } else {
            self.write(field, "null");
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        write_string(self.line, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn write_string(line: &mut String, text: &str) {
    line.push('"');
    if all(text, |byte| (byte > 31) & (byte != b'"') & (byte != b'\\')) {
        line.push_str(text);
    } else {
        text.chars().for_each(|c| write_escaped(line, c));
    }
    line.push('"');
}

fn write_escaped(line: &mut String, c: char) {
    match c {
        '"' => line.push_str("\\\""),
        '\\' => line.push_str("\\\\"),
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        '\u{8}' => line.push_str("\\b"),
        '\u{c}' => line.push_str("\\f"),
        '\0'..='\u{1f}' => line.push_str(&format!("\\u{:04x}", u32::from(c))),
        _ => line.push(c),
    }
}
