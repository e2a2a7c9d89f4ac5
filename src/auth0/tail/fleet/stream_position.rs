//! The position of a replica in the stream: the lease as far as it knows, and the entry that it is behind. Pure.
//!
//! The entries that were written under a lease are numbered, and the first says behind which entry of an earlier lease it is. So a follower knows
//! that it has missed one, whatever became of that, and the same entry may be written until it is known to be there.

use std::time::Duration;

use super::entry::{EntryPosition, SharedEntry};
use crate::shared_state::{Fence, Holding, StreamId};

/// Time before the last entry from which on a replica reads that comes from elsewhere: what was pushed shortly before cannot be read from
/// Auth0 yet.
const LOOK_BACK: Duration = Duration::from_secs(15);

/// The position of a replica in the stream.
#[derive(Debug, Default)]
pub(super) struct StreamPosition {
    /// The fence of the lease, while it is held as far as is known.
    fence: Option<Fence>,
    /// The position behind the last entry that it has taken in, or is known to have written.
    position: Option<EntryPosition>,
    /// The id behind which it reads on. None before it has come.
    cursor: Option<StreamId>,
    /// The last entry there was when it came.
    joined_at: Option<StreamId>,
}

/// The order of an entry and those before it, as a follower sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryOrder {
    /// An entry that has been taken in before.
    Known,
    /// An entry before which nothing is missing.
    Continued,
    /// An entry before which something may be missing.
    Broken,
}

/// The state of the stream for a replica that has tried to hold the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    /// True if it holds a lease that is new to it: what its predecessors have told is to be taken in, and then it is [`StreamPosition::begin`].
    pub(super) is_new: bool,
    /// True if entries are not there any more that have been.
    pub(super) is_lost: bool,
}

impl StreamPosition {
    /// Takes note of an answer to an attempt to hold the lease.
    pub(super) fn attempt(&mut self, Holding { fence, is_own, last }: &Holding) -> Finding {
        let own = fence.as_ref().filter(|_| *is_own);
        let is_new = own.is_some() && own != self.fence.as_ref();
        let end = last.unwrap_or(StreamId::LOWEST);
        let is_lost = self.cursor.is_some_and(|cursor| cursor > end);
        if self.cursor.is_none() {
            self.joined_at = *last;
            // It has come before the first entry under that lease.
            let is_at_the_start = last.is_none() && !is_own;
            self.position = fence.clone().filter(|_| is_at_the_start).map(|fence| EntryPosition { fence, next: 0 });
        }
        if self.cursor.is_none() || is_lost {
            self.cursor = Some(end.earlier(LOOK_BACK));
        }
        if own.is_none() {
            self.fence = None;
        }
        if is_new && is_lost {
            self.position = None;
        }
        Finding { is_new, is_lost }
    }

    /// Begins to write under a lease, for which that was the answer, once it has taken in what there was to take in. Nobody else
    /// can write any more.
    pub(super) fn begin(&mut self, Holding { fence, last, .. }: &Holding, Finding { is_lost, .. }: Finding) {
        self.fence.clone_from(fence);
        if is_lost || self.cursor < *last {
            // Nobody is where it is: each follower has to read what it may not have been told.
            self.position = None;
        }
    }

    /// The fence of the lease, while it is held as far as is known.
    pub(super) fn fence(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }

    /// Forgets the lease, which is another's by now.
    pub(super) fn forget_lease(&mut self) -> Option<Fence> {
        self.fence.take()
    }

    /// The id behind which to read on.
    pub(super) fn after(&self) -> StreamId {
        self.cursor.unwrap_or(StreamId::LOWEST)
    }

    /// Takes its position behind an entry that was read, and tells whether one is missing before it. `entry` is none if it cannot be read.
    pub(super) fn pass(&mut self, id: StreamId, fence: &str, entry: Option<&SharedEntry>) -> EntryOrder {
        self.cursor = Some(id);
        let Some((fence, entry)) = Fence::parse(fence).zip(entry) else { return EntryOrder::Broken };
        let next = entry.number.saturating_add(1);
        let is_continued = match &self.position {
            Some(position) if position.fence == fence && entry.number < position.next => return EntryOrder::Known,
            Some(position) if position.fence == fence => entry.number == position.next,
            Some(position) => entry.number == 0 && entry.previous.as_ref() == Some(position),
            // Entries from before it came are read from Auth0, but for what was pushed lately.
            None => Some(id) <= self.joined_at,
        };
        self.position = Some(EntryPosition { fence, next });
        if is_continued { EntryOrder::Continued } else { EntryOrder::Broken }
    }

    /// The number of the entry to write next, and the position that it is behind if it is the lease's first.
    pub(super) fn next(&self) -> (u64, Option<&EntryPosition>) {
        match &self.position {
            Some(position) if Some(&position.fence) == self.fence.as_ref() => (position.next, None),
            position => (0, position.as_ref()),
        }
    }

    /// Takes note that the next entry is written.
    pub(super) fn written(&mut self, id: StreamId) {
        self.cursor = Some(id);
        self.advance(1);
    }

    /// Has each follower find that something is missing before the next entry. The one before it may be written, or not.
    pub(super) fn skip(&mut self) {
        self.advance(2);
    }

    fn advance(&mut self, by: u64) {
        let (number, _) = self.next();
        self.position = self.fence.clone().map(|fence| EntryPosition { fence, next: number + by });
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{self, ReportChunk};
    use super::super::{HOLD_INTERVAL, INBOX_BOUNDS, LEASE_LIFE, LONGEST_LATENESS, STREAM_BOUNDS};
    use super::*;

    fn id(text: &str) -> StreamId {
        StreamId::parse(text).unwrap()
    }

    fn fence(text: &str) -> Fence {
        Fence::parse(text).unwrap()
    }

    fn holding(lease: &str, is_own: bool, last: &str) -> Holding {
        Holding { fence: Fence::parse(lease), is_own, last: StreamId::parse(last) }
    }

    fn position(lease: &str, next: u64) -> Option<EntryPosition> {
        Some(EntryPosition { fence: fence(lease), next })
    }

    /// The order of an entry for a replica.
    fn pass(
        stream_position: &mut StreamPosition,
        at: &str,
        lease: &str,
        number: u64,
        previous: Option<&EntryPosition>,
    ) -> EntryOrder {
        let text = ReportChunk::default().write(number, previous).unwrap();
        stream_position.pass(id(at), lease, SharedEntry::read(&text).as_ref())
    }

    /// A replica that leads, has written so many entries, and nothing is lost.
    fn leader(lease: &str, count: u64) -> StreamPosition {
        let mut stream_position = StreamPosition::default();
        let answer = holding(lease, true, "");
        let finding = stream_position.attempt(&answer);
        assert!(finding.is_new && !finding.is_lost);
        stream_position.begin(&answer, finding);
        for number in 0..count {
            assert_eq!(stream_position.next(), (number, None));
            stream_position.written(StreamId::parse(&format!("20000-{number}")).unwrap());
        }
        stream_position
    }

    #[test]
    fn who_has_taken_in_an_entry_misses_nothing_if_the_next_has_the_next_number() {
        let mut stream_position = StreamPosition::default();
        stream_position.attempt(&holding("7", false, ""));
        assert_eq!(stream_position.after(), StreamId::LOWEST);
        assert_eq!(
            pass(&mut stream_position, "20000-0", "7", 0, None),
            EntryOrder::Continued,
            "it came before the first"
        );
        assert_eq!(pass(&mut stream_position, "20000-1", "7", 1, None), EntryOrder::Continued);
        assert_eq!(pass(&mut stream_position, "20000-2", "7", 1, None), EntryOrder::Known, "written twice");
        assert_eq!(pass(&mut stream_position, "20000-3", "7", 3, None), EntryOrder::Broken);
        assert_eq!(pass(&mut stream_position, "20000-4", "7", 4, None), EntryOrder::Continued);
        assert_eq!(stream_position.pass(id("20000-5"), "7", None), EntryOrder::Broken, "it may hide one");
        assert_eq!(stream_position.pass(id("20000-6"), "x", None), EntryOrder::Broken);
        assert_eq!(pass(&mut stream_position, "20000-7", "7", 5, None), EntryOrder::Continued, "it hid none");
        assert_eq!(stream_position.after(), id("20000-7"));
    }

    #[test]
    fn a_stream_that_was_empty_when_a_follower_came_may_have_been_emptied_since() {
        for (lease, number) in [("7", 1), ("8", 0)] {
            let mut stream_position = StreamPosition::default();
            stream_position.attempt(&holding("7", false, ""));
            assert_eq!(
                pass(&mut stream_position, "20000-1", lease, number, None),
                EntryOrder::Broken,
                "{lease} {number}"
            );
        }
    }

    #[test]
    fn who_comes_from_elsewhere_begins_some_time_before_the_end() {
        let mut stream_position = StreamPosition::default();
        stream_position.attempt(&holding("7", false, "20000-1"));
        assert_eq!(stream_position.after(), id("5000-0"));
        assert_eq!(pass(&mut stream_position, "6000-0", "7", 4, None), EntryOrder::Continued, "what is older is read");
        assert_eq!(pass(&mut stream_position, "7000-0", "7", 5, None), EntryOrder::Continued);
        let mut stream_position = StreamPosition::default();
        stream_position.attempt(&holding("7", false, "20000-1"));
        assert_eq!(
            pass(&mut stream_position, "20009-0", "7", 8, None),
            EntryOrder::Broken,
            "the last there was is gone"
        );
    }

    #[test]
    fn a_new_leader_writes_behind_what_it_has_taken_in_and_its_followers_go_on() {
        let answer = holding("8", true, "20000-1");
        let mut stream_position = StreamPosition::default();
        stream_position.attempt(&holding("7", false, ""));
        pass(&mut stream_position, "20000-0", "7", 0, None);
        let finding = stream_position.attempt(&answer);
        assert_eq!(finding, Finding { is_new: true, is_lost: false });
        pass(&mut stream_position, "20000-1", "7", 1, None);
        stream_position.begin(&answer, finding);
        assert_eq!(stream_position.next(), (0, position("7", 2).as_ref()));
        let mut follower = leader("7", 2);
        follower.attempt(&answer);
        assert_eq!(pass(&mut follower, "20000-2", "8", 0, position("7", 2).as_ref()), EntryOrder::Continued);
        assert_eq!(pass(&mut leader("7", 1), "20000-2", "8", 0, position("7", 2).as_ref()), EntryOrder::Broken);
        assert!(!stream_position.attempt(&answer).is_new, "it has held it before");
        stream_position.written(id("20000-2"));
        assert_eq!(stream_position.next(), (1, None));
    }

    #[test]
    fn a_new_leader_that_has_not_taken_in_all_there_was_has_its_followers_read() {
        for (last, is_lost) in [("30000-0", false), ("20000-0", true), ("", true)] {
            let mut stream_position = leader("7", 2);
            let answer = holding("8", true, last);
            let finding = stream_position.attempt(&answer);
            assert_eq!(finding, Finding { is_new: true, is_lost }, "{last}");
            stream_position.begin(&answer, finding);
            assert_eq!(stream_position.next(), (0, None), "{last}");
        }
    }

    #[test]
    fn a_leader_goes_on_counting_when_its_stream_is_lost_and_a_follower_reads_the_new_one_from_its_start() {
        let mut stream_position = leader("7", 2);
        assert_eq!(stream_position.attempt(&holding("7", true, "")), Finding { is_new: false, is_lost: true });
        assert_eq!(stream_position.next(), (2, None));
        stream_position.written(id("10000-0"));
        assert!(!stream_position.attempt(&holding("7", true, "10000-0")).is_lost);
        let mut follower = leader("6", 2);
        follower.attempt(&holding("7", false, "10000-0"));
        assert_eq!(follower.after(), StreamId::LOWEST);
    }

    #[test]
    fn nobody_follows_without_a_look_whom_something_was_kept_from() {
        let mut stream_position = leader("7", 2);
        stream_position.skip();
        for count in [2, 3] {
            assert_eq!(
                pass(&mut leader("7", count), "20009-0", "7", stream_position.next().0, None),
                EntryOrder::Broken
            );
        }
        assert_eq!(stream_position.forget_lease(), Some(fence("7")));
        stream_position.skip();
        assert_eq!(stream_position.next(), (0, None), "it has no lease to write under");
    }

    #[test]
    fn documents_tell_how_soon_another_goes_on_and_what_redis_has_to_hold() {
        let longest = LEASE_LIFE + HOLD_INTERVAL;
        assert!(longest + Duration::from_secs(1) <= Duration::from_secs(3), "{longest:?}, and a second to read");
        assert!(include_str!("../../../../README.md").contains("another goes on from there within three seconds"));
        // With what surrounds the logs of an entry.
        let megabytes = |entries: usize| entries * (entry::MOST_BYTES + 1_024) / 1_000_000 + 1;
        let claims = [
            format!("lately take {} MB at the most", megabytes(STREAM_BOUNDS.0)),
            format!("on their way to the replica that reads {} MB", megabytes(INBOX_BOUNDS.0)),
            format!("a replica waits for it for {} seconds", LONGEST_LATENESS.as_secs()),
        ];
        let operations = include_str!("../../../../docs/operations.md");
        assert!(claims.iter().all(|claim| operations.contains(claim)), "{claims:?}");
    }
}
