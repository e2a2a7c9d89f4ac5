//! Panics: each is counted and logged, whichever task it is in.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::LazyLock;

use prometheus_client::metrics::counter::Counter;

/// The count of the process: a panic does not tell which gateway it is of.
static PANICS: LazyLock<Counter> = LazyLock::new(Counter::default);

/// The count of panics.
pub(super) fn counter() -> Counter {
    PANICS.clone()
}

/// Counts and logs every panic from now on. The standard library's own lines would be no lines of the log, and have every message.
pub(super) fn watch() {
    panic::set_hook(Box::new(record));
}

fn record(panic: &PanicHookInfo<'_>) {
    PANICS.inc();
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    // Only a text that is in the program: one that was made when it happened can hold anything.
    let cause = panic.payload().downcast_ref::<&'static str>().copied();
    // As RUST_BACKTRACE says.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(cause, backtrace, "panicked at {location}");
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

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

    #[test]
    fn a_panic_of_any_task_is_counted_and_logged_by_its_location_without_what_it_was_about() {
        let written = Written::default();
        let log = written.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        // Other tests want the standard library's.
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            record(panic);
            before(panic);
        }));
        let count = counter().get();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tracing::subscriber::with_default(subscriber, || {
            for person in [None, Some("somebody's address")] {
                let task = async move {
                    match person {
                        None => panic!("a text of the program"),
                        Some(person) => panic!("{person} is odd"),
                    }
                };
                assert!(runtime.block_on(runtime.spawn(task)).unwrap_err().is_panic());
            }
        });
        assert!(counter().get() >= count + 2);
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> =
            written.lines().filter(|line| line.contains("panicked at src/telemetry/panics.rs:")).collect();
        assert_eq!(lines.len(), 2, "{written}");
        assert!(lines[0].contains("a text of the program") && !written.contains("somebody"), "{written}");
    }
}
