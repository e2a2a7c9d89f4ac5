//! Auth0's real answers, as far as they were recorded: the gateway takes them in, and the sandbox answers alike.
//!
//! The recordings are not part of this project. Where they do not lie beside it, these tests say so and pass.

mod decoding;
mod sandbox;

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A request, and what Auth0 answered.
struct Recording {
    name: String,
    method: String,
    path: String,
    query: Value,
    status: u16,
    headers: Value,
    body: Value,
}

impl Recording {
    fn read(path: &Path) -> Self {
        let mut recording: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let mut take = |pointer: &str| recording.pointer_mut(pointer).unwrap().take();
        let text = |value: Value| value.as_str().unwrap().to_owned();
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            method: text(take("/request/method")),
            path: text(take("/request/path")),
            query: take("/request/query"),
            status: take("/response/status").as_u64().unwrap().try_into().unwrap(),
            headers: take("/response/headers"),
            body: take("/response/body"),
        }
    }

    /// The path below the Management API's.
    fn endpoint(&self) -> &str {
        self.path.strip_prefix("/api/v2/").unwrap_or(&self.path)
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// All recordings, or nothing where there are none.
fn recordings() -> Vec<Recording> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).map(|above| above.join("shared/recordings"));
    let Some(folder) = beside.into_iter().find(|folder| folder.is_dir()) else {
        eprintln!("skipped: there are no recordings in ../shared/recordings");
        return Vec::new();
    };
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    files.iter().map(|path| Recording::read(path)).collect()
}
