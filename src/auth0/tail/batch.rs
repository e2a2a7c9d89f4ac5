//! Batches of logs: what one read or push brought, and its JSON as Auth0 gave it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chrono::DateTime;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::error::{Error, UnavailableReason};
use super::super::ids::LogId;
use super::checkpoint::LogMark;

/// Bytes that a log takes beside its JSON, about.
const OVERHEAD: usize = 128;

/// Logs that came together, in the order of their ids.
#[derive(Debug)]
pub struct LogBatch {
    number: u64,
    /// A JSON array of the logs, each exactly as Auth0 sent it.
    records: Bytes,
    logs: Box<[BatchedLog]>,
}

/// A log of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchedLog {
    /// Its id.
    pub id: LogId,
    /// True if it became visible behind others.
    pub is_late: bool,
    /// Its place in the batch's records.
    range: Range<usize>,
}

/// A log of an answer.
pub(super) struct RawLog<'a> {
    pub(super) mark: LogMark,
    pub(super) json: &'a str,
}

impl LogBatch {
    /// The batch of these logs.
    pub(super) fn new<'a>(logs: impl Iterator<Item = (&'a RawLog<'a>, bool)>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut logs: Vec<_> = logs.collect();
        logs.sort_by(|(one, _), (other, _)| one.mark.id.cmp(&other.mark.id));
        logs.dedup_by(|(one, _), (other, _)| one.mark.id == other.mark.id);
        let bytes = logs.iter().map(|(log, _)| log.json.len() + 1).sum::<usize>();
        let mut records = Vec::with_capacity(bytes + 2);
        records.push(b'[');
        let logs = logs.into_iter().map(|(log, is_late)| {
            if records.len() > 1 {
                records.push(b',');
            }
            let start = records.len();
            records.extend_from_slice(log.json.as_bytes());
            BatchedLog { id: log.mark.id.clone(), is_late, range: start..records.len() }
        });
        let logs = logs.collect();
        records.push(b']');
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), records: records.into(), logs }
    }

    /// A number that no other batch has in the life of the process.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A log of this batch: a JSON object, exactly as Auth0 sent it.
    #[must_use]
    pub fn record(&self, log: &BatchedLog) -> &[u8] {
        self.records.get(log.range.clone()).unwrap_or_default()
    }

    /// The logs, in the order of their ids.
    #[must_use]
    pub fn logs(&self) -> &[BatchedLog] {
        &self.logs
    }

    /// The greatest id.
    pub(super) fn last(&self) -> Option<&LogId> {
        self.logs.last().map(|log| &log.id)
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn size(&self) -> usize {
        self.records.len() + self.logs.iter().map(|log| log.id.as_str().len() + OVERHEAD).sum::<usize>()
    }
}

/// A batch, and the logs of it that are wanted.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The batch, which many may share.
    pub batch: Arc<LogBatch>,
    /// Only logs after this one are wanted, where there is one.
    pub(super) after: Option<LogId>,
    /// True if those that became visible late are wanted in any case.
    pub(super) with_late: bool,
}

impl Delivery {
    /// True if this log of the batch is wanted.
    #[must_use]
    pub fn wants(&self, log: &BatchedLog) -> bool {
        self.after.as_ref().is_none_or(|after| log.id > *after) || (self.with_late && log.is_late)
    }

    /// The greatest id that is wanted.
    pub(super) fn last(&self) -> Option<&LogId> {
        self.batch.logs.last().filter(|log| self.wants(log)).map(|log| &log.id)
    }
}

/// The logs of an answer.
pub(super) struct RawLogs<'a> {
    pub(super) logs: Vec<RawLog<'a>>,
    /// The number of records beside them that are no logs, or have no id: they have no place in the stream.
    pub(super) left_out: usize,
}

/// The logs in a JSON array.
pub(super) fn read(records: &str) -> Result<Vec<RawLog<'_>>, Error> {
    read_all(records).map(|read| read.logs)
}

/// The logs in a JSON array, and the number of records that are left out.
pub(super) fn read_all(records: &str) -> Result<RawLogs<'_>, Error> {
    let unreadable = |error| Error::unavailable_because(UnavailableReason::NotJson, error);
    let records: Vec<&RawValue> = serde_json::from_str(records).map_err(unreadable)?;
    let count = records.len();
    let logs = records.into_iter().filter_map(|record| {
        let json = Some(record.get()).filter(|json| json.starts_with('{'))?;
        // A key that is there twice, or holds something else, is no reason to lose the log.
        let Entries(entries) = serde_json::from_str(json).ok()?;
        let text = |key: &str| -> Option<Cow<'_, str>> {
            let (_, value) = entries.iter().rev().find(|(name, _)| name == key)?;
            serde_json::from_str(value.get()).ok()
        };
        let id = LogId::parse(&text("log_id").or_else(|| text("_id"))?).ok()?;
        let date = text("date").and_then(|date| DateTime::parse_from_rfc3339(&date).ok());
        Some(RawLog { mark: LogMark { id, date: date.map(|date| date.timestamp_millis()) }, json })
    });
    let logs: Vec<_> = logs.collect();
    let left_out = count - logs.len();
    Ok(RawLogs { logs, left_out })
}

/// The entries of an object, in their order.
pub(super) struct Entries<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor).map(Self)
    }
}

/// A key, borrowed where it can be.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_read_whatever_else_they_hold() {
        let records = r#"[{"log_id":"9002","date":"2026-11-02T08:00:00.250Z","x":"\ud800"},{"_id":"9001","date":{}},{"date":"soon"},null,7,["9","9","9"],{"log_id":""},
            {"_id":5,"log_id":"9003","date":"soon","date":"2026-11-02T08:00:00.250Z"},{"log_id":7,"_id":"9004"}]"#;
        let RawLogs { logs, left_out } = read_all(records).unwrap();
        assert_eq!(left_out, 5);
        let marks: Vec<_> = logs.iter().map(|log| (log.mark.id.as_str(), log.mark.date)).collect();
        assert_eq!(
            marks,
            [("9002", Some(1_793_606_400_250)), ("9001", None), ("9003", Some(1_793_606_400_250)), ("9004", None),]
        );
        assert!(read("{}").is_err() && read("[{]").is_err());
    }

    #[test]
    fn a_batch_has_its_logs_in_order_and_each_once() {
        let logs = read(r#"[{"_id":"3"},{"_id":"1"},{"_id":"3","again":1}]"#).unwrap();
        let batch = LogBatch::new(logs.iter().map(|log| (log, log.mark.id.as_str() == "1")));
        let logs: Vec<_> = batch.logs().iter().map(|log| (log.id.as_str(), log.is_late, batch.record(log))).collect();
        assert_eq!(logs, [("1", true, &br#"{"_id":"1"}"#[..]), ("3", false, br#"{"_id":"3"}"#)]);
    }
}
