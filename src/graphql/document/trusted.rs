//! The documents that an operator trusts: read from manifests, and read again when those change.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, fs, io};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::manifest::{self, ManifestError};
use super::persisted::sha256;

/// Time between two looks at the files. A look costs a call to the system for each file.
const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// Largest manifest that is read, in bytes: some ten thousand documents.
const LARGEST: u64 = 32 << 20;

/// The treatment of documents that are not trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TrustedMode {
    /// They run too.
    #[default]
    Prefer,
    /// They are refused, introspection among them.
    Only,
}

/// The documents that an operator trusts. Clones share them.
#[derive(Clone)]
pub struct TrustedDocuments {
    manifests: Arc<Manifests>,
    mode: TrustedMode,
    looks_every: Duration,
}

struct Manifests {
    path: PathBuf,
    current: ArcSwap<Set>,
    /// The files as they were when they were last read, well or not.
    seen: Mutex<Vec<Stamp>>,
    look: Notify,
}

/// Manifests of which no document can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustedDocumentsError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A file is larger than any manifest.
    #[error("{} is larger than {LARGEST} bytes", .0.display())]
    TooLarge(PathBuf),
    /// A folder has no manifest in it.
    #[error("{} is a folder without a .json file", .0.display())]
    EmptyFolder(PathBuf),
    /// A file is no manifest.
    #[error("{} {fault}", path.display())]
    NoManifest {
        /// The file.
        path: PathBuf,
        /// Its fault.
        fault: ManifestError,
    },
    /// Two documents have one id.
    #[error("{} gives the id {id:?} to another document than a file before it, or an entry before", path.display())]
    Conflict {
        /// The later file.
        path: PathBuf,
        /// The id.
        id: String,
    },
}

/// Marks by which a change of a file is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
}

#[derive(Default)]
struct Set {
    /// Every id that the manifests give, and every document's hash.
    by_id: HashMap<Arc<str>, Arc<str>>,
    texts: HashSet<Arc<str>>,
}

impl Set {
    /// Adds a document. True if the id was free, or the same document's.
    fn add(&mut self, id: &str, text: &str) -> bool {
        let text = self.texts.get(text).cloned().unwrap_or_else(|| text.into());
        self.by_id.entry(sha256(&text).into()).or_insert_with(|| Arc::clone(&text));
        let known = self.by_id.entry(id.into()).or_insert_with(|| Arc::clone(&text));
        let fits = **known == *text;
        self.texts.insert(text);
        fits
    }

    fn read(path: &Path) -> Result<Self, TrustedDocumentsError> {
        let unreadable = |path: &Path, cause| TrustedDocumentsError::Unreadable { path: path.to_owned(), cause };
        let files = files(path).map_err(|cause| unreadable(path, cause))?;
        if files.is_empty() {
            return Err(TrustedDocumentsError::EmptyFolder(path.to_owned()));
        }
        let mut set = Self::default();
        for Stamp { path, length, .. } in files {
            if length > LARGEST {
                return Err(TrustedDocumentsError::TooLarge(path));
            }
            let json = fs::read_to_string(&path).map_err(|cause| unreadable(&path, cause))?;
            let entries = manifest::parse(&json)
                .map_err(|fault| TrustedDocumentsError::NoManifest { path: path.clone(), fault })?;
            for entry in entries {
                if !set.add(&entry.id, &entry.text) {
                    return Err(TrustedDocumentsError::Conflict { path, id: entry.id });
                }
            }
        }
        Ok(set)
    }
}

/// The manifests at `path`: a file, or the `.json` files in a folder, hidden ones left out.
fn files(path: &Path) -> io::Result<Vec<Stamp>> {
    let stamp = |path: PathBuf, metadata: &fs::Metadata| Stamp {
        path,
        modified: metadata.modified().ok(),
        length: metadata.len(),
    };
    // Links are followed: that is how Kubernetes puts new files in the place of old ones.
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(vec![stamp(path.to_owned(), &metadata)]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let metadata = fs::metadata(&path)?;
        if metadata.is_file() {
            files.push(stamp(path, &metadata));
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

impl TrustedDocuments {
    /// Reads the manifest at `path`, or all of them in that folder.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read or understood, when there is none, and when two give one id to different documents.
    pub fn read(path: &Path, mode: TrustedMode) -> Result<Self, TrustedDocumentsError> {
        // Before reading: what changes in between is then seen to have changed.
        let seen = Mutex::new(files(path).unwrap_or_default());
        let current = ArcSwap::from_pointee(Set::read(path)?);
        let manifests = Arc::new(Manifests { path: path.to_owned(), current, seen, look: Notify::new() });
        Ok(Self { manifests, mode, looks_every: LOOKS_EVERY })
    }

    /// The same, with the files looked at that often.
    #[must_use]
    pub fn look_every(self, time: Duration) -> Self {
        Self { looks_every: time, ..self }
    }

    pub(crate) fn mode(&self) -> TrustedMode {
        self.mode
    }

    /// The text of the document with this id. `sha256:` before its hash is how GraphQL over HTTP would have an id look.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<str>> {
        let set = self.manifests.current.load();
        set.by_id.get(id).or_else(|| set.by_id.get(id.strip_prefix("sha256:")?)).cloned()
    }

    /// True if a document of exactly this text is trusted.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.manifests.current.load().texts.contains(text)
    }

    /// All documents, each with one of its ids.
    pub(crate) fn all(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let set = self.manifests.current.load();
        let texts: HashMap<_, _> = set.by_id.iter().map(|(id, text)| (text, id)).collect();
        texts.into_iter().map(|(text, id)| (Arc::clone(id), Arc::clone(text))).collect()
    }

    /// Looks at the files at once.
    pub fn look(&self) {
        self.manifests.look.notify_one();
    }

    /// Waits for the next look at the files. True if they have changed and were read anew.
    pub(crate) async fn has_changed(&self) -> bool {
        let manifests = Arc::clone(&self.manifests);
        tokio::select! {
            () = tokio::time::sleep(self.looks_every) => {}
            () = manifests.look.notified() => {}
        }
        tokio::task::spawn_blocking(move || manifests.refresh()).await.unwrap_or(false)
    }
}

impl Manifests {
    /// Reads the files anew if they have changed. What cannot be read leaves everything as it is, and is told once.
    fn refresh(&self) -> bool {
        let Self { path, current, seen, look: _ } = self;
        let now = files(path).unwrap_or_default();
        let mut seen = seen.lock();
        if *seen == now {
            return false;
        }
        *seen = now;
        match Set::read(path) {
            Ok(set) => {
                current.store(Arc::new(set));
                true
            }
            Err(error) => {
                tracing::error!(%error, "the trusted documents cannot be read anew: those from before stay");
                false
            }
        }
    }
}

impl fmt::Debug for TrustedDocuments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let documents = self.manifests.current.load().texts.len();
        f.debug_struct("TrustedDocuments")
            .field("path", &self.manifests.path)
            .field("mode", &self.mode)
            .field("documents", &documents)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
