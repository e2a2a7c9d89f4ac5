//! A log that a test can read.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::MakeWriter;

/// A log that is kept in memory.
#[derive(Clone, Default)]
pub(crate) struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for CapturedLog {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl CapturedLog {
    /// Keeps what this thread logs, until the guards are dropped. A test's runtime has one thread.
    pub(crate) fn keep(&self, level: Level) -> (DefaultGuard, Dispatch) {
        let subscriber =
            tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(self.clone()).finish();
        // A process's only subscriber is asked by the thread that first comes by an event whether anybody wants it, and for the
        // threads of other tests nobody does. When there are two, all are asked.
        let other = Dispatch::new(NoSubscriber::default());
        (tracing::subscriber::set_default(subscriber), other)
    }

    /// The log so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The log since the last time.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}
