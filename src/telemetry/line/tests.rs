//! That lines are what the library would have written.

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::with_default;
use tracing::{Subscriber, debug, debug_span, error, info, info_span, trace, warn};
use tracing_log::format_trace;
use tracing_log::log::{Level, Record};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{DefaultFields, Format};
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use super::*;

/// What is written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Events of every kind, in spans of every kind.
fn log() {
    let failure = io::Error::other("a failure, \"quoted\"");
    let failure: &(dyn Error + 'static) = &failure;
    info!("a message");
    info!(target: "a target", parent: None, message = "another", text = "plain", none = None::<&str>, number = 7_u32);
    warn!(text = "\"two\"\nlines\u{1}", failure, path = "C:\\", "a {} message\u{1b}[31m", "\"quoted\"");
    let outer = info_span!("outer", id = "7f");
    let entered = outer.enter();
    error!(%failure, debug = ?Some("\u{8}\u{c}\n\r\t\u{1}é"), is = true, below = -1, float = 1.5, huge = u128::MAX);
    let inner = debug_span!("inner", until = Empty, text = "é\u{7f}");
    let _entered = inner.enter();
    debug!("in two spans");
    inner.record("until", "recorded");
    trace!(parent: &outer, r#type = "raw", float = f64::NAN, "");
    drop(entered);
    trace!(parent: None, empty = "");
    info_span!("without fields").in_scope(|| info!("in it"));
    let record =
        Record::builder().level(Level::Warn).target("library").line(Some(7)).args(format_args!("logs")).build();
    format_trace(&record).unwrap();
}

type Builder = SubscriberBuilder<DefaultFields, Format, LevelFilter, BoxMakeWriter>;

/// What is logged to a subscriber, without the time.
fn lines<S: Subscriber + Send + Sync + 'static>(finish: impl FnOnce(Builder) -> S) -> Vec<String> {
    let written = Written::default();
    let writer = written.clone();
    let builder = fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
    with_default(finish(builder.with_writer(BoxMakeWriter::new(move || writer.clone()))), log);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let is_of_time = |c: char| c.is_ascii_digit() || "-:.TZ".contains(c);
    let untimed = |line: &str| {
        let (before, time) = line.split_at(line.find("20").unwrap());
        format!("{before}{}", time.trim_start_matches(is_of_time))
    };
    text.lines().map(untimed).collect()
}

#[test]
fn a_line_for_people_is_what_the_library_writes() {
    let expected = lines(Builder::finish);
    assert!(expected.len() > 8, "{expected:#?}");
    assert_eq!(lines(|builder| builder.fmt_fields(Text).event_format(Text).finish()), expected);
}

#[test]
fn a_line_for_programs_is_what_the_library_writes() {
    let expected = lines(|builder| builder.json().finish());
    assert!(expected.iter().all(|line| serde_json::from_str::<Map<String, Value>>(line).is_ok()), "{expected:#?}");
    assert_eq!(lines(|builder| builder.fmt_fields(Json).event_format(Json).finish()), expected);
}
