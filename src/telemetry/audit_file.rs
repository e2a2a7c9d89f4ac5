//! The audit trail in a file of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;

use super::LogThrottle;

/// The number of lines that the file did not take, for the whole process, as the log is.
static LOST: AtomicU64 = AtomicU64::new(0);

static LOSSES: LazyLock<LogThrottle> = LazyLock::new(LogThrottle::default);

/// The number of lines of the audit that were lost since the start.
pub(super) fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Logs how many lines were lost since it was logged last, now and then. Not done where they are lost: an event within an
/// event would confuse the filters of the layers that are still to come.
pub(crate) fn report_lost_lines() {
    static REPORTED: AtomicU64 = AtomicU64::new(0);
    if lost_lines() > REPORTED.load(Ordering::Relaxed) && LOSSES.count().is_some() {
        let lost = lost_lines();
        let lines = lost.saturating_sub(REPORTED.swap(lost, Ordering::Relaxed));
        tracing::error!(lines, "AUDIT_FILE takes no lines, which are lost: is its disk full?");
    }
}

/// A file that lines are appended to. It can be opened anew, so that whoever rotates files may move it away before.
#[derive(Debug)]
pub(crate) struct AuditFile {
    path: PathBuf,
    file: ArcSwap<File>,
}

impl AuditFile {
    /// Opens the file, which is made for its owner alone if there is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: ArcSwap::from_pointee(append(path)?) })
    }

    /// Opens the file at its path anew. If that fails, the one from before stays.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        self.file.store(Arc::new(append(&self.path)?));
        Ok(())
    }
}

/// Opens a file to append to. A pipe by name is refused: whoever opens it waits for its reader, and whoever writes for its reading.
fn append(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    if is_named_pipe(path) {
        return Err(io::Error::other("it is a pipe: give it a file"));
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// True for a pipe in a folder. Standard output may be one, too, which is open already.
#[cfg(unix)]
fn is_named_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;

    const OPEN_FILES: [&str; 5] = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];
    let is_open = OPEN_FILES.iter().any(|open| path.starts_with(open));
    !is_open && path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// A line is one write, and appending is atomic: lines of several threads do not mix.
impl Write for &AuditFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = (&**self.file.load()).write(bytes);
        if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        (&**self.file.load()).flush()
    }
}
