//! The entries of the stream by which the replica that polls tells the others. Pure.
//!
//! An entry says its position among the others, and what the read behind it has found out: so a replica that misses one, or comes from
//! elsewhere, knows that it has to read by itself.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::super::ids::LogId;
use crate::shared_state::Fence;

/// Most bytes of logs in an entry. With their number it bounds the stream.
pub(super) const MOST_BYTES: usize = 48 << 10;

/// Something that the others are to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The read that brought it, if one did.
    pub(crate) range: Option<ReadRange>,
    /// Logs after this one may be missing.
    pub(crate) gap: Option<LogId>,
    /// The logs that the others may not know.
    pub(crate) logs: Vec<SharedLog>,
}

/// A read of all logs behind one and up to another. Those that were visible to it are told by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadRange {
    /// The log behind which it began; the first of all if there is none.
    pub(crate) from: Option<LogId>,
    /// The log up to which it got.
    pub(crate) up_to: LogId,
}

/// A log that is told to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedLog {
    /// Its id.
    pub(crate) id: LogId,
    /// A JSON object.
    pub(crate) json: Box<str>,
}

/// A position behind an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryPosition {
    /// The fence of the lease under which that was written.
    pub(super) fence: Fence,
    /// The number of the next under that lease.
    pub(super) next: u64,
}

/// A chunk of a report, no larger than an entry may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ReportChunk {
    pub(super) range: Option<ReadRange>,
    pub(super) gap: Option<LogId>,
    pub(super) logs: Vec<SharedLog>,
    /// True if a log is left out, which is larger than an entry may be.
    pub(super) is_incomplete: bool,
}

/// An entry that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SharedEntry {
    /// Its number among those under one lease.
    pub(super) number: u64,
    /// The position that the first under a lease was written behind, if that is known.
    pub(super) previous: Option<EntryPosition>,
    pub(super) range: Option<ReadRange>,
    pub(super) gap: Option<LogId>,
    pub(super) is_incomplete: bool,
    /// A JSON array of logs.
    pub(super) records: String,
}

/// The text of an entry.
#[derive(Serialize, Deserialize)]
struct Text {
    number: u64,
    previous: Option<(String, u64)>,
    from: Option<String>,
    up_to: Option<String>,
    gap: Option<String>,
    is_incomplete: bool,
    logs: Box<RawValue>,
}

impl Report {
    /// The chunks, in their order. What was read is told with the last of them: before it, not all is.
    pub(super) fn into_chunks(self) -> Vec<ReportChunk> {
        let Self { range, gap, logs } = self;
        let mut chunks = vec![ReportChunk { gap, ..ReportChunk::default() }];
        let mut bytes = 0;
        for log in logs {
            let Some(chunk) = chunks.last_mut() else { break };
            if log.json.len() > MOST_BYTES {
                chunk.is_incomplete = true;
                continue;
            }
            if bytes + log.json.len() > MOST_BYTES {
                bytes = 0;
                chunks.push(ReportChunk::default());
            }
            bytes += log.json.len();
            if let Some(chunk) = chunks.last_mut() {
                chunk.logs.push(log);
            }
        }
        if let Some(chunk) = chunks.last_mut() {
            chunk.range = range;
        }
        chunks
    }
}

impl ReportChunk {
    /// Bytes of its logs.
    pub(super) fn size(&self) -> usize {
        self.logs.iter().map(|log| log.json.len()).sum()
    }

    /// The text of the entry. `None` is not known to happen.
    pub(super) fn write(&self, number: u64, previous: Option<&EntryPosition>) -> Option<Vec<u8>> {
        let logs: Vec<_> = self.logs.iter().map(|log| &*log.json).collect();
        let logs = RawValue::from_string(format!("[{}]", logs.join(","))).ok()?;
        let range = self.range.as_ref();
        let text = |id: &LogId| id.as_str().to_owned();
        let text = Text {
            number,
            previous: previous.map(|position| (position.fence.as_str().to_owned(), position.next)),
            from: range.and_then(|range| range.from.as_ref()).map(text),
            up_to: range.map(|range| text(&range.up_to)),
            gap: self.gap.as_ref().map(text),
            is_incomplete: self.is_incomplete,
            logs,
        };
        serde_json::to_vec(&text).ok()
    }
}

impl SharedEntry {
    /// Reads the text of an entry. `None` if it is of another form.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let Text { number, previous, from, up_to, gap, is_incomplete, logs } = serde_json::from_slice(text).ok()?;
        let id = |text: Option<String>| text.map(|text| LogId::parse(&text)).transpose().ok();
        let previous = match previous {
            Some((fence, next)) => Some(EntryPosition { fence: Fence::parse(&fence)?, next }),
            None => None,
        };
        let (from, up_to, gap) = (id(from)?, id(up_to)?, id(gap)?);
        let range = up_to.map(|up_to| ReadRange { from, up_to });
        Some(Self { number, previous, range, gap, is_incomplete, records: logs.get().to_owned() })
    }

    /// True if it tells all that was read since a replica had read all up to `read_up_to`.
    pub(super) fn continues(&self, read_up_to: Option<&LogId>) -> bool {
        let begins = self.range.as_ref().is_none_or(|range| range.from.as_ref() <= read_up_to);
        begins && !self.is_incomplete
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn id(number: usize) -> LogId {
        LogId::parse(&format!("900{number:09}")).unwrap()
    }

    fn log(number: usize, size: usize) -> SharedLog {
        let id = id(number);
        SharedLog { json: format!(r#"{{"log_id":"{id}","x":"{}"}}"#, "é".repeat(size / 2)).into(), id }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let range = Some(ReadRange { from: Some(id(1)), up_to: id(9) });
        for chunk in [
            ReportChunk::default(),
            ReportChunk { range, gap: Some(id(3)), logs: vec![log(4, 8), log(5, 0)], is_incomplete: true },
            ReportChunk { range: Some(ReadRange { from: None, up_to: id(9) }), ..ReportChunk::default() },
        ] {
            for (number, previous) in
                [(0, None), (7, Some(EntryPosition { fence: Fence::parse("17").unwrap(), next: 3 }))]
            {
                let entry = SharedEntry::read(&chunk.write(number, previous.as_ref()).unwrap()).unwrap();
                let logs: Vec<_> = chunk.logs.iter().map(|log| &*log.json).collect();
                assert_eq!((entry.number, entry.previous), (number, previous));
                assert_eq!((&entry.range, &entry.gap), (&chunk.range, &chunk.gap));
                assert_eq!(
                    (entry.is_incomplete, entry.records),
                    (chunk.is_incomplete, format!("[{}]", logs.join(",")))
                );
            }
        }
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"number":0,"is_incomplete":false,"logs":[],"gap":""}"#,
            r#"{"number":0,"is_incomplete":1,"logs":[]}"#,
            r#"{"is_incomplete":false,"logs":[]}"#,
        ] {
            assert_eq!(SharedEntry::read(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn who_has_not_read_up_to_where_a_read_began_misses_something() {
        let from = |from: Option<LogId>| ReportChunk {
            range: Some(ReadRange { from, up_to: id(9) }),
            ..ReportChunk::default()
        };
        let entry = |chunk: ReportChunk| SharedEntry::read(&chunk.write(0, None).unwrap()).unwrap();
        let read = entry(from(Some(id(5))));
        assert!(read.continues(Some(&id(5))) && read.continues(Some(&id(6))));
        assert!(!read.continues(Some(&id(4))) && !read.continues(None));
        assert!(entry(from(None)).continues(None), "a tenant's first logs");
        assert!(entry(ReportChunk::default()).continues(None), "what was pushed says nothing of what was read");
        assert!(!entry(ReportChunk { is_incomplete: true, ..ReportChunk::default() }).continues(Some(&id(9))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn chunks_are_bounded_and_have_all_logs_in_order(sizes in vec(prop_oneof![0_usize..2_000, 20_000_usize..60_000], 0..40)) {
            let logs: Vec<_> = sizes.iter().enumerate().map(|(number, size)| log(number, *size)).collect();
            let range = Some(ReadRange { from: None, up_to: id(99) });
            let report = Report { range: range.clone(), gap: Some(id(0)), logs: logs.clone() };
            let chunks = report.into_chunks();
            prop_assert!(chunks.iter().all(|chunk| chunk.size() <= MOST_BYTES));
            prop_assert!(chunks.windows(2).all(|pair| pair[0].size() + pair[1].size() > MOST_BYTES / 2));
            let (fit, large): (Vec<_>, Vec<_>) = logs.into_iter().partition(|log| log.json.len() <= MOST_BYTES);
            prop_assert_eq!(chunks.iter().any(|chunk| chunk.is_incomplete), !large.is_empty());
            prop_assert_eq!(chunks.iter().flat_map(|chunk| chunk.logs.clone()).collect::<Vec<_>>(), fit);
            let (last, others) = chunks.split_last().unwrap();
            prop_assert_eq!(&last.range, &range);
            prop_assert!(others.iter().all(|chunk| chunk.range.is_none()));
            prop_assert_eq!(&chunks[0].gap, &Some(id(0)));
        }
    }
}
