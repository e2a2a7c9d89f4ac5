//! Files that settings name: their text, and who can read them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Greatest size of a file that holds a setting, in bytes: keys and secrets are a few thousand at most.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Time for whoever writes into a pipe, from which a secret may come as well as from a file.
const PIPE_WAIT: Duration = Duration::from_secs(2);

/// The text of a file. The error completes a sentence that begins with the path.
pub(super) fn read(path: &Path) -> Result<String, String> {
    if !path.exists() || path.is_file() {
        return read_file(path);
    }
    // Opening a pipe waits for its writer, who may never come.
    let (sender, receiver) = mpsc::channel();
    let path = path.to_owned();
    thread::spawn(move || sender.send(read_file(&path)));
    let seconds = PIPE_WAIT.as_secs();
    receiver
        .recv_timeout(PIPE_WAIT)
        .unwrap_or_else(|_| Err(format!("is no file, and nothing came from it in {seconds} s")))
}

fn read_file(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("is larger than 64 KiB".to_owned());
    }
    // The library's error would hold the bytes.
    String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())
}

/// True if every user of the machine can read the file.
#[cfg(unix)]
pub(super) fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_exposed(_: &Path) -> bool {
    false
}

/// True if a text in a path's place may be a secret that was put there: it is long enough for one, and nothing is where it leads.
pub(super) fn names_no_file(text: &str) -> bool {
    const SHORTEST_SECRET: usize = 24;
    let path = Path::new(text);
    let is_in_folder = path.parent().is_some_and(|folder| folder != Path::new("") && folder.is_dir());
    let is_long = text.len() >= SHORTEST_SECRET || text.contains(char::is_control);
    is_long && !is_in_folder && !path.exists()
}
