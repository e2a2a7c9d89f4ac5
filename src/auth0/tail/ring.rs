//! The most recent batches, by which subscribers follow and resume. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::ids::LogId;
use super::batch::LogBatch;

/// Something that is told to all who follow.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Batch(Arc<LogBatch>),
    /// Logs after this one may be missing.
    Gap(LogId),
}

impl Entry {
    fn size(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.size(),
            Self::Gap(after) => after.as_str().len(),
        }
    }
}

/// An entry is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EvictedError;

/// Recent entries, bounded in bytes, numbered as they came.
#[derive(Debug)]
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    /// The number of the first entry that is there.
    first: u64,
    bytes: usize,
    most_bytes: usize,
    /// Every log after this one is in the ring, as far as it is known. None while that is not so of any.
    low: Option<LogId>,
}

impl Ring {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), first: 0, bytes: 0, most_bytes, low: None }
    }

    /// The number of the first entry that is there.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the next entry.
    pub(super) fn head(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(super) fn low(&self) -> Option<&LogId> {
        self.low.as_ref()
    }

    /// True if every log after `id` is in the ring.
    pub(super) fn covers(&self, id: &LogId) -> bool {
        self.low.as_ref().is_some_and(|low| id >= low)
    }

    /// Says that every log after `low` will be in the ring from here on.
    pub(super) fn cover_from(&mut self, low: LogId) {
        self.low = Some(low);
    }

    /// The entry of this number; none if it is yet to come.
    pub(super) fn get(&self, number: u64) -> Result<Option<&Entry>, EvictedError> {
        let index = number.checked_sub(self.first).ok_or(EvictedError)?;
        Ok(usize::try_from(index).ok().and_then(|index| self.entries.get(index)))
    }

    /// Adds an entry. The oldest give way, but for one that is too large for the ring by itself.
    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += entry.size();
        self.entries.push_back(entry);
        while self.bytes > self.most_bytes && self.entries.len() > 1 {
            let Some(evicted) = self.entries.pop_front() else { break };
            self.first += 1;
            self.bytes -= evicted.size();
            if let Entry::Batch(batch) = evicted {
                self.low = self.low.take().max(batch.last().cloned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch;
    use super::*;

    fn id(number: usize) -> LogId {
        LogId::parse(&format!("{number:04}")).unwrap()
    }

    fn entry(number: usize) -> Entry {
        let text = format!(r#"[{{"_id":"{number:04}","x":"{}"}}]"#, "x".repeat(1_000));
        Entry::Batch(Arc::new(LogBatch::new(batch::read(&text).unwrap().iter().map(|log| (log, false)))))
    }

    #[test]
    fn it_is_bounded_in_bytes_and_knows_what_it_covers() {
        let mut ring = Ring::new(10_000);
        assert!(!ring.covers(&id(0)));
        ring.cover_from(id(0));
        for number in 1..=100 {
            ring.push(entry(number));
            assert!(ring.bytes <= 10_000);
        }
        assert_eq!(ring.head(), 100);
        assert!(ring.get(ring.first() - 1).is_err());
        assert!(matches!(ring.get(99), Ok(Some(_))) && matches!(ring.get(100), Ok(None)));
        let low = ring.low().unwrap().clone();
        assert_eq!(low, id(usize::try_from(ring.first()).unwrap()), "the newest of those that gave way");
        assert!(ring.covers(&low) && !ring.covers(&id(1)));
    }

    #[test]
    fn the_newest_entry_is_there_however_large_it_is() {
        let mut ring = Ring::new(10);
        ring.push(entry(1));
        ring.push(entry(2));
        assert_eq!((ring.first(), ring.head()), (1, 2));
    }
}
