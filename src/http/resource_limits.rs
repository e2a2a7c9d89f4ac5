//! Resource limits of the process, and the defaults of settings that follow from them.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::LazyLock;

/// Defaults where nothing is short.
const MAX_CONNECTIONS: usize = 10_000;
const MAX_REQUESTS: usize = 4_000;
const MAX_ANSWER_BYTES: usize = 256 << 20;
const MIN_ANSWER_BYTES: usize = 8 << 20;

/// Bytes that a connection and a request take while they wait, rounded up.
const CONNECTION: usize = 32 << 10;
const REQUEST: usize = 64 << 10;

/// Open files beside those of connections: to Auth0 and issuers, for health probes, logs and the process itself.
const OTHER_FILES: usize = 200;

static OF_PROCESS: LazyLock<ResourceLimits> = LazyLock::new(ResourceLimits::read);

/// Limits of the process. Unknown is unlimited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceLimits {
    /// Open files.
    files: usize,
    /// Bytes of memory.
    memory: usize,
}

impl ResourceLimits {
    /// The limits of this process. The one of open files counts as it will be once it is raised.
    pub(crate) fn of_process() -> Self {
        *OF_PROCESS
    }

    fn read() -> Self {
        let limits = [cgroup_memory(), physical_memory()];
        Self { files: open_files(), memory: limits.into_iter().flatten().min().unwrap_or(usize::MAX) }
    }

    /// Connections, which take a quarter of the memory at the most.
    pub(crate) fn connections(self) -> NonZeroUsize {
        let allowed = self.connections_by_files().min(self.memory / 4 / CONNECTION);
        at_least_one(allowed.min(MAX_CONNECTIONS))
    }

    /// Connections for which there are files.
    pub(crate) fn connections_by_files(self) -> usize {
        self.files.saturating_sub(OTHER_FILES).max(self.files / 2)
    }

    /// Requests, which take a quarter of the memory at the most.
    pub(crate) fn requests(self) -> NonZeroUsize {
        at_least_one((self.memory / 4 / REQUEST).min(MAX_REQUESTS))
    }

    /// Answers that wait to be read, which take an eighth of the memory at the most.
    pub(crate) fn answer_bytes(self) -> usize {
        (self.memory / 8).clamp(MIN_ANSWER_BYTES, MAX_ANSWER_BYTES)
    }
}

fn at_least_one(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

/// Raises the number of files that may be open to the most that the system allows this process.
#[cfg(unix)]
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, current = limit.current, "the limit of open files cannot be raised");
    }
}

#[cfg(not(unix))]
pub(crate) fn raise_file_limit() {}

#[cfg(unix)]
fn open_files() -> usize {
    let maximum = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    maximum.and_then(|maximum| maximum.try_into().ok()).unwrap_or(usize::MAX)
}

#[cfg(not(unix))]
fn open_files() -> usize {
    usize::MAX
}

#[cfg(target_os = "linux")]
fn physical_memory() -> Option<usize> {
    let info = rustix::system::sysinfo();
    usize::try_from(info.totalram).ok()?.checked_mul(usize::try_from(info.mem_unit).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn physical_memory() -> Option<usize> {
    None
}

/// The least limit of the control groups that the process is in (Linux, version 2): a container's own memory.
fn cgroup_memory() -> Option<usize> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let groups = Path::new("/sys/fs/cgroup");
    let own = groups.join(own);
    let with_ancestors = own.ancestors().take_while(|group| group.starts_with(groups));
    with_ancestors.filter_map(|group| fs::read_to_string(group.join("memory.max")).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_follow_the_limits() {
        for (files, memory, expected) in [
            (usize::MAX, usize::MAX, (10_000, 4_000, 256 << 20)),
            (20_000, 24 << 30, (10_000, 4_000, 256 << 20)),
            (1_024, 24 << 30, (824, 4_000, 256 << 20)),
            (256, 24 << 30, (128, 4_000, 256 << 20)),
            (1 << 20, 512 << 20, (4_096, 2_048, 64 << 20)),
            (1 << 20, 64 << 20, (512, 256, 8 << 20)),
            (0, 0, (1, 1, 8 << 20)),
        ] {
            let limits = ResourceLimits { files, memory };
            let defaults = (limits.connections().get(), limits.requests().get(), limits.answer_bytes());
            assert_eq!(defaults, expected, "{files} files, {memory} bytes");
        }
    }
}
