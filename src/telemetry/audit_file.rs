//! The audit trail in a file of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

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

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A line is one write, and appending is atomic: lines of several threads do not mix.
impl Write for &AuditFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&**self.file.load()).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&**self.file.load()).flush()
    }
}
