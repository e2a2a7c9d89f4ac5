//! Metrics of the process, under the names that Prometheus' own clients give them. Read from `/proc`, so only on Linux.

use std::fs;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{register, seconds};
use crate::telemetry::audit_file::lost_lines;

/// Metrics of the process.
#[derive(Debug, Default)]
pub(super) struct ProcessMetrics {
    cpu: Counter<f64, AtomicU64>,
    resident: Gauge,
    virtual_memory: Gauge,
    open_files: Gauge,
    max_files: Gauge,
    start: Gauge<f64, AtomicU64>,
    audit_lost: Counter,
}

/// Figures of `/proc/self/stat`, in clock ticks, bytes and pages.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    virtual_bytes: i64,
    resident_pages: i64,
}

impl Stat {
    /// Reads the fields behind the program's name, which can hold spaces and parentheses (proc(5)).
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split_ascii_whitespace().collect();
        // The state is the third field.
        let field = |number: usize| fields.get(number - 3)?.parse::<i64>().ok();
        let cpu_ticks = u64::try_from(field(14)? + field(15)?).ok()?;
        Some(Self { cpu_ticks, virtual_bytes: field(23)?, resident_pages: field(24)? })
    }
}

impl ProcessMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        // Metrics are made when the process starts.
        self.start.set(seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()));
        register(registry, "process_cpu_seconds_total", self.cpu.clone());
        register(registry, "process_resident_memory_bytes", self.resident.clone());
        register(registry, "process_virtual_memory_bytes", self.virtual_memory.clone());
        register(registry, "process_open_fds", self.open_files.clone());
        register(registry, "process_max_fds", self.max_files.clone());
        register(registry, "process_start_time_seconds", self.start.clone());
        register(registry, "auth0_graphql_audit_lost_lines_total", self.audit_lost.clone());
    }

    /// Brings the figures up to date.
    pub(super) fn read(&self) {
        self.audit_lost.inc_by(lost_lines().saturating_sub(self.audit_lost.get()));
        self.read_proc();
    }

    #[cfg(target_os = "linux")]
    fn read_proc(&self) {
        use rustix::param::{clock_ticks_per_second, page_size};
        use rustix::process::{Resource, getrlimit};

        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            let cpu = stat.cpu_ticks as f64 / clock_ticks_per_second() as f64;
            self.cpu.inc_by((cpu - self.cpu.get()).max(0.0));
            self.resident.set(stat.resident_pages.saturating_mul(i64::try_from(page_size()).unwrap_or_default()));
            self.virtual_memory.set(stat.virtual_bytes);
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory itself.
            self.open_files.set(i64::try_from(files.count()).unwrap_or(i64::MAX) - 1);
        }
        let most = getrlimit(Resource::Nofile).current;
        self.max_files.set(most.and_then(|most| i64::try_from(most).ok()).unwrap_or_default());
    }

    /// There is no `/proc`.
    #[cfg(not(target_os = "linux"))]
    fn read_proc(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_s_name_can_hold_anything() {
        let text = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 123 8388608 2048 1";
        let expected = Stat { cpu_ticks: 200, virtual_bytes: 8_388_608, resident_pages: 2_048 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }
}
