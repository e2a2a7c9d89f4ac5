//! The record of what was delivered to a subscriber: each log should come once, and in order, but for those marked as late.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, Utc};
use memchr::memmem;

/// The number of a log among all of the tenant: the sandbox counts up in the last digits of an id.
pub(crate) fn number(log_id: &str) -> Option<u64> {
    log_id.get(log_id.len().checked_sub(19)?..)?.parse().ok()
}

/// The record of what was delivered to a subscriber.
#[derive(Default)]
pub(crate) struct DeliveryRecord {
    /// The number of the log that should come next; none before the first.
    next: Option<u64>,
    /// Logs before that which have not come.
    missing: BTreeSet<u64>,
    /// The greatest id so far.
    newest: Option<String>,
    pub(crate) received: u64,
    pub(crate) repeated: u64,
    /// Logs that came behind later ones, and were marked.
    pub(crate) late: u64,
    /// Logs that came behind later ones, and were not.
    pub(crate) unmarked: u64,
    /// Errors that ended a subscription.
    pub(crate) errors: Vec<String>,
    /// Milliseconds from a log's arrival at the tenant until it was told, if this subscriber takes the time.
    pub(crate) latencies: Option<Vec<f64>>,
}

impl DeliveryRecord {
    pub(crate) fn new(takes_time: bool) -> Self {
        Self { latencies: takes_time.then(Vec::new), ..Self::default() }
    }

    /// Records a message, or an event.
    pub(crate) fn record(&mut self, text: &[u8]) {
        const KEY: &[u8] = br#""logId":""#;
        let Some(start) = memmem::find(text, KEY).map(|at| at + KEY.len()) else {
            self.errors.push(String::from_utf8_lossy(text).into_owned());
            return;
        };
        let id = text[start..].split(|byte| *byte == b'"').next().unwrap_or_default();
        let Some((id, number)) = std::str::from_utf8(id).ok().and_then(|id| Some((id, number(id)?))) else {
            self.errors.push(format!("not an id of the sandbox: {}", String::from_utf8_lossy(id)));
            return;
        };
        let is_late = memmem::find(text, br#""late":true"#).is_some();
        self.see(id, number, is_late);
    }

    fn see(&mut self, id: &str, number: u64, is_late: bool) {
        self.received += 1;
        let next = self.next.unwrap_or(number);
        if number >= next {
            self.missing.extend(next..number);
            self.next = Some(number + 1);
            self.newest.replace(id.to_owned());
            self.time(id);
        } else if !self.missing.remove(&number) {
            self.repeated += 1;
        } else if is_late {
            self.late += 1;
        } else {
            self.unmarked += 1;
        }
    }

    fn time(&mut self, id: &str) {
        let Some(latencies) = &mut self.latencies else { return };
        let Some(arrived) = id.get(3..20) else { return };
        let Ok(arrived) = NaiveDateTime::parse_from_str(arrived, "%Y%m%d%H%M%S%3f") else { return };
        let latency = (Utc::now().naive_utc() - arrived).num_milliseconds();
        // A log that was ordered comes a moment before its time.
        if latency >= 0 {
            latencies.push(latency as f64);
        }
    }

    /// The id to resume from; none before the first log.
    pub(crate) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// The number of the log that should come next; none before the first.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next
    }

    /// Logs that did not come, of all up to the last that did.
    pub(crate) fn missing(&self) -> u64 {
        self.missing.len() as u64
    }
}
