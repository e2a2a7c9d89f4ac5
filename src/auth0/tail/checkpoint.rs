//! The decisions of the poller: which logs of a page are new, where to read on, and when. Pure: no clock is read here.
//!
//! Auth0 orders logs by id and takes them in one after the other, but one may become visible behind others that are there
//! already. So after a page that is not full, the next begins a little before the newest log that was read.
//!
//! Auth0 may push logs as well. They are known without having been read, so that the reads may rest: what has not come that way is
//! found by the next, which goes on where the last one ended.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::ids::LogId;

/// Logs that a page holds at the most.
pub(super) const PAGE: usize = 100;

/// Look-back for logs that become visible late, in logs and in milliseconds by their dates: whichever reaches less far.
const LOOK_BACK: usize = 50;
const LOOK_BACK_MS: i64 = 5_000;

/// Most logs that are known without having been read, with those of the look-back: a read finds out which of them are all.
const MOST_KNOWN: usize = 50_000;

/// Reads that are left out while logs are pushed: one in so many is made.
const REST: u32 = 12;

/// Time between two reads while logs come in.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait after a failure, whatever `Retry-After` says: an operator may have raised a quota meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A log, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogMark {
    pub(super) id: LogId,
    /// Milliseconds since the Unix epoch, where Auth0 tells it.
    pub(super) date: Option<i64>,
}

/// A read that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NextRead {
    /// The newest logs, by page.
    Newest,
    /// The logs that follow this one, by checkpoint.
    After(LogId),
}

/// The part of a log in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was there before anybody listened.
    Past,
    /// It follows all that were known.
    New,
    /// It became visible behind others.
    Late,
    /// It was read before.
    Known,
}

/// The state of the poller between two reads.
#[derive(Debug)]
pub(super) struct Checkpoint {
    stage: Stage,
    /// The newest logs that are known, in the order of ids: those that were read as far as the look-back reaches, and those that were
    /// pushed since.
    known: VecDeque<LogMark>,
    /// The log up to which all have been read.
    read_up_to: Option<LogId>,
    /// True if logs were pushed since the last read, and if they had been before it.
    is_pushed_to: bool,
    rests: bool,
    /// True after a page that was full: the rest is read at once, and nothing twice.
    is_full: bool,
    /// Reads since the last new log.
    quiet_reads: u32,
    /// Failures since the last answer.
    failures: u32,
    longest_interval: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Nothing has been read.
    Start,
    /// The tenant had no logs.
    Empty,
    /// The newest log is known, and those before it are being read.
    Seeding(LogId),
    Following,
}

impl Checkpoint {
    pub(super) fn new(longest_interval: Duration) -> Self {
        Self {
            stage: Stage::Start,
            known: VecDeque::new(),
            read_up_to: None,
            is_pushed_to: false,
            rests: false,
            is_full: false,
            quiet_reads: 0,
            failures: 0,
            longest_interval,
        }
    }

    /// True once it is known which logs are past.
    pub(super) fn is_seeded(&self) -> bool {
        matches!(self.stage, Stage::Empty | Stage::Following)
    }

    /// The newest log that is known.
    pub(super) fn cursor(&self) -> Option<&LogId> {
        self.known.back().map(|log| &log.id)
    }

    /// The log up to which all have been read.
    pub(super) fn read_up_to(&self) -> Option<&LogId> {
        self.read_up_to.as_ref()
    }

    /// The read to make now.
    pub(super) fn next_read(&self) -> NextRead {
        match (&self.stage, self.known.front()) {
            (Stage::Start | Stage::Empty, _) | (_, None) => NextRead::Newest,
            // All that is remembered, so that who resumes from a moment ago need not ask Auth0.
            (Stage::Seeding(_), Some(first)) => NextRead::After(first.id.clone()),
            (Stage::Following, Some(first)) => NextRead::After(self.from().unwrap_or(&first.id).clone()),
        }
    }

    fn from(&self) -> Option<&LogId> {
        let read_up_to = self.read_up_to.as_ref()?;
        if self.is_full {
            return Some(read_up_to);
        }
        let read = || self.known.iter().take_while(|log| log.id <= *read_up_to);
        let newest = read().filter_map(|log| log.date).max();
        let is_recent = |log: &LogMark| log.date.zip(newest).is_none_or(|(date, newest)| date > newest - LOOK_BACK_MS);
        // Dates and ids do not rise together: the log before the first that is recent.
        let first = read().position(is_recent).unwrap_or_else(|| read().count());
        self.known.get(first.saturating_sub(1)).map(|log| &log.id)
    }

    /// Takes in the answer to [`Self::next_read`], and tells each log's part.
    pub(super) fn take_in(&mut self, page: &[LogMark]) -> Vec<Arrival> {
        let cursor = self.cursor().cloned();
        let arrivals: Vec<_> = page.iter().map(|log| self.arrival(log, cursor.as_ref())).collect();
        self.read_up_to = self.read_up_to.take().max(page.iter().map(|log| &log.id).max().cloned());
        self.remember(page);
        self.rests = std::mem::take(&mut self.is_pushed_to);
        self.failures = 0;
        self.is_full = self.stage != Stage::Start && page.len() >= PAGE;
        let has_news = arrivals.iter().any(|arrival| matches!(arrival, Arrival::New | Arrival::Late));
        // What is past tells nothing of how busy the tenant is.
        let is_past = matches!(self.stage, Stage::Start | Stage::Seeding(_)) && self.read_up_to.is_some();
        self.quiet_reads = if has_news || is_past { 0 } else { self.quiet_reads.saturating_add(1) };
        self.stage = match (&self.stage, &self.read_up_to) {
            (Stage::Start, Some(newest)) => Stage::Seeding(newest.clone()),
            (Stage::Start | Stage::Empty, None) => Stage::Empty,
            (Stage::Empty | Stage::Seeding(_) | Stage::Following, _) => Stage::Following,
        };
        arrivals
    }

    /// True if a read must not wait: there is little room left for what is pushed.
    pub(super) fn is_nearly_full(&self) -> bool {
        self.known.len() > MOST_KNOWN / 2
    }

    /// Takes in logs that were pushed, and tells each one's part. None if no more can be known before the next read.
    pub(super) fn take_in_pushed(&mut self, logs: &[LogMark]) -> Option<Vec<Arrival>> {
        if self.known.len() + logs.len() > MOST_KNOWN {
            return None;
        }
        let (first, cursor) = (self.known.front().map(|log| log.id.clone()), self.cursor().cloned());
        let is_past = |log: &LogMark| first.as_ref().is_some_and(|first| log.id < *first);
        let mut arrivals = Vec::with_capacity(logs.len());
        for log in logs {
            // It may have been told, and that be forgotten: Auth0 pushes some more than once.
            if is_past(log) {
                arrivals.push(Arrival::Past);
                continue;
            }
            arrivals.push(self.arrival(log, cursor.as_ref()));
            self.insert(log);
        }
        self.is_pushed_to = true;
        Some(arrivals)
    }

    fn arrival(&self, log: &LogMark, cursor: Option<&LogId>) -> Arrival {
        match &self.stage {
            // They come once more, with those between them.
            Stage::Start => Arrival::Known,
            Stage::Seeding(newest) if log.id <= *newest => Arrival::Past,
            _ if self.known.binary_search_by(|known| known.id.cmp(&log.id)).is_ok() => Arrival::Known,
            _ if cursor.is_none_or(|cursor| log.id > *cursor) => Arrival::New,
            _ => Arrival::Late,
        }
    }

    fn remember(&mut self, page: &[LogMark]) {
        page.iter().for_each(|log| self.insert(log));
        let old = self.read_count().saturating_sub(LOOK_BACK + 1);
        self.known.drain(..old);
    }

    fn insert(&mut self, log: &LogMark) {
        if let Err(place) = self.known.binary_search_by(|known| known.id.cmp(&log.id)) {
            self.known.insert(place, log.clone());
        }
    }

    /// The number of known logs that have been read.
    fn read_count(&self) -> usize {
        let Some(read_up_to) = &self.read_up_to else { return 0 };
        self.known.partition_point(|log| log.id <= *read_up_to)
    }

    /// Forgets the logs before `id`, which are not to be read again: of those that were read, but for the last.
    pub(super) fn forget_before(&mut self, id: &LogId) {
        let old = self.known.partition_point(|log| log.id < *id);
        self.known.drain(..old.min(self.read_count().saturating_sub(1)));
    }

    /// The time to wait before the next read.
    pub(super) fn wait(&self) -> Duration {
        let least = LEAST_INTERVAL.min(self.longest_interval);
        match &self.stage {
            Stage::Seeding(_) => Duration::ZERO,
            _ if self.is_full => Duration::ZERO,
            _ if self.rests => self.longest_interval.saturating_mul(REST),
            _ => least.saturating_mul(1 << self.quiet_reads.min(10)).min(self.longest_interval),
        }
    }

    /// Takes in a failure; returns the time to wait before the same read is made again.
    pub(super) fn fail(&mut self, retry_after: Option<Duration>) -> Duration {
        let least = LEAST_INTERVAL.min(self.longest_interval);
        let backoff = least.saturating_mul(1 << self.failures.min(10)).min(self.longest_interval);
        self.failures = self.failures.saturating_add(1);
        retry_after.map_or(backoff, |told| told.max(backoff)).min(LONGEST_WAIT)
    }

    /// True after a failure: logs may have been given up by the tenant since the last read.
    pub(super) fn is_recovering(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn id(number: u64) -> LogId {
        LogId::parse(&format!("900{number:010}")).unwrap()
    }

    fn mark(number: u64, date: i64) -> LogMark {
        LogMark { id: id(number), date: Some(date) }
    }

    fn following(known: impl IntoIterator<Item = (u64, i64)>) -> Checkpoint {
        let mut checkpoint = Checkpoint::new(Duration::from_secs(5));
        let marks: Vec<_> = known.into_iter().map(|(number, date)| mark(number, date)).collect();
        checkpoint.take_in(&marks);
        checkpoint.take_in(&[]);
        checkpoint
    }

    #[test]
    fn a_short_page_is_followed_by_a_look_back_of_fifty_logs_or_five_seconds() {
        for (what, known, expected) in [
            ("a single log", vec![(7, 0)], 7),
            ("all within five seconds", (1..=9).map(|n| (n, 0)).collect(), 1),
            ("more than fifty within five seconds", (1..=80).map(|n| (n, 0)).collect(), 30),
            ("a log a second", (1..=20).map(|n| (n, 1_000 * n as i64)).collect(), 15),
            ("a date that lags behind", vec![(1, 0), (2, 9_000), (3, 1_000), (4, 9_000)], 1),
        ] {
            assert_eq!(following(known).next_read(), NextRead::After(id(expected)), "{what}");
        }
    }

    #[test]
    fn a_full_page_is_followed_by_the_next_at_once() {
        let mut checkpoint = following([(1, 0)]);
        let page: Vec<_> = (2..102).map(|number| mark(number, 0)).collect();
        assert!(checkpoint.take_in(&page).iter().all(|arrival| *arrival == Arrival::New));
        assert_eq!((checkpoint.next_read(), checkpoint.wait()), (NextRead::After(id(101)), Duration::ZERO));
    }

    #[test]
    fn what_was_there_before_anybody_listened_is_past() {
        let mut checkpoint = Checkpoint::new(Duration::from_secs(5));
        assert_eq!(checkpoint.next_read(), NextRead::Newest);
        assert_eq!(checkpoint.take_in(&[mark(9, 0), mark(5, 0)]), [Arrival::Known; 2]);
        assert!(!checkpoint.is_seeded());
        assert_eq!(checkpoint.next_read(), NextRead::After(id(5)));
        let arrivals = checkpoint.take_in(&[mark(7, 0), mark(9, 0), mark(11, 0)]);
        assert_eq!(arrivals, [Arrival::Past, Arrival::Past, Arrival::New]);
        assert!(checkpoint.is_seeded());
    }

    #[test]
    fn the_first_logs_of_a_tenant_are_new() {
        let mut checkpoint = Checkpoint::new(Duration::from_secs(5));
        checkpoint.take_in(&[]);
        assert!(checkpoint.is_seeded());
        assert_eq!(checkpoint.take_in(&[mark(2, 0), mark(1, 0)]), [Arrival::New; 2]);
        assert_eq!(checkpoint.next_read(), NextRead::After(id(1)));
    }

    #[test]
    fn waits_grow_while_nothing_comes_and_after_failures() {
        let mut checkpoint = following([(1, 0)]);
        assert_eq!(checkpoint.wait(), Duration::from_secs(1), "whoever begins to listen waits no longer");
        checkpoint.take_in(&[mark(2, 0)]);
        assert_eq!(checkpoint.wait(), Duration::from_secs(1));
        let waits: Vec<_> = (0..4).map(|_| (checkpoint.take_in(&[]), checkpoint.wait().as_secs()).1).collect();
        assert_eq!(waits, [2, 4, 5, 5]);
        let waits: Vec<_> = (0..4).map(|_| checkpoint.fail(None).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5]);
        assert_eq!(checkpoint.fail(Some(Duration::from_secs(9))), Duration::from_secs(9));
        assert_eq!(checkpoint.fail(Some(Duration::from_secs(9_000))), LONGEST_WAIT);
    }

    #[test]
    fn what_is_pushed_is_told_once_and_what_push_lost_is_read_late() {
        let mut checkpoint = following([(1, 0), (2, 0)]);
        let pushed = checkpoint.take_in_pushed(&[mark(3, 0), mark(5, 0), mark(2, 0)]).unwrap();
        assert_eq!(pushed, [Arrival::New, Arrival::New, Arrival::Known]);
        assert_eq!(checkpoint.next_read(), NextRead::After(id(1)), "nothing of it has been read");
        let read: Vec<_> = (2..=6).map(|number| mark(number, 0)).collect();
        let expected = [Arrival::Known, Arrival::Known, Arrival::Late, Arrival::Known, Arrival::New];
        assert_eq!(checkpoint.take_in(&read), expected);
        // Too old to tell whether it was told.
        assert_eq!(checkpoint.take_in_pushed(&[mark(0, 0)]), Some(vec![Arrival::Past]));
    }

    #[test]
    fn reads_rest_while_logs_are_pushed_and_are_bounded_in_what_they_wait_for() {
        let mut checkpoint = following([(1, 0)]);
        checkpoint.take_in_pushed(&[mark(2, 0)]).unwrap();
        checkpoint.take_in(&[mark(2, 0)]);
        assert_eq!(checkpoint.wait(), Duration::from_secs(60));
        checkpoint.take_in(&[]);
        assert!(checkpoint.wait() <= Duration::from_secs(5), "nothing was pushed since");
        let many: Vec<_> = (3..MOST_KNOWN as u64).map(|number| mark(number, 0)).collect();
        assert!(checkpoint.take_in_pushed(&many).is_some() && checkpoint.is_nearly_full());
        assert!(checkpoint.take_in_pushed(&many[..9]).is_none());
        let mut next = 2;
        while checkpoint.is_nearly_full() {
            let page: Vec<_> = (next + 1..=next + PAGE as u64).map(|number| mark(number, 0)).collect();
            assert!(checkpoint.take_in(&page).iter().all(|arrival| *arrival == Arrival::Known));
            next += PAGE as u64;
            assert_eq!(checkpoint.next_read(), NextRead::After(id(next)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Logs get their ids in order and become visible some reads later, a few of them behind their successors. Some are pushed,
        /// a few of those late or twice.
        #[test]
        fn each_log_is_delivered_once_and_out_of_order_only_where_it_is_late(
            delays in vec(prop_oneof![9 => Just(0_usize), 1 => 1_usize..4], 1..400),
            arrivals in vec(0_usize..130, 1..40),
            pushes in vec(prop_oneof![Just(None), (Just(()), 0_usize..3, 0_usize..9).prop_map(|(_, one, other)| Some([one, other]))], 400),
            is_pushed: bool,
        ) {
            let mut checkpoint = following([(0, 0)]);
            let (mut made, mut read) = (0, 0);
            let mut visible: BTreeSet<u64> = BTreeSet::from([0]);
            let mut coming: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
            let mut pushed: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
            let mut delivered = BTreeSet::new();
            let mut greatest = 0;
            let mut is_behind_reach = BTreeSet::new();
            let quiet = std::iter::repeat_n(0, 12);
            for new in arrivals.iter().copied().chain(quiet) {
                for delay in delays.iter().skip(made).take(new) {
                    made += 1;
                    coming.entry(read + delay).or_default().push(made as u64);
                    for delay in pushes.get(made).copied().flatten().into_iter().flatten().filter(|_| is_pushed) {
                        pushed.entry(read + delay).or_default().push(made as u64);
                    }
                }
                let now = pushed.remove(&read).unwrap_or_default();
                let marks: Vec<_> = now.iter().map(|number| mark(*number, 0)).collect();
                let told = checkpoint.take_in_pushed(&marks).unwrap();
                let newest = greatest;
                for (number, arrival) in now.iter().zip(told) {
                    match arrival {
                        Arrival::Known => prop_assert!(delivered.contains(number)),
                        Arrival::Past => {}
                        Arrival::New => prop_assert!(*number > newest && delivered.insert(*number)),
                        Arrival::Late => prop_assert!(*number < newest && delivered.insert(*number)),
                    }
                    greatest = greatest.max(*delivered.last().unwrap_or(&0));
                }
                visible.extend(coming.remove(&read).unwrap_or_default());
                let NextRead::After(from) = checkpoint.next_read() else { panic!("it has been seeded") };
                let page: Vec<_> =
                    visible.iter().filter(|n| id(**n) > from).take(PAGE).map(|n| (*n, mark(*n, 0))).collect();
                is_behind_reach.extend(visible.iter().filter(|n| **n > 0 && id(**n) <= from && !delivered.contains(*n)));
                let marks: Vec<_> = page.iter().map(|(_, mark)| mark.clone()).collect();
                for ((number, _), arrival) in page.iter().zip(checkpoint.take_in(&marks)) {
                    match arrival {
                        Arrival::Known => prop_assert!(delivered.contains(number) || *number == 0),
                        Arrival::Past => prop_assert!(false, "nothing is past"),
                        Arrival::New => {
                            prop_assert!(*number > greatest && delivered.insert(*number));
                            greatest = *number;
                        }
                        Arrival::Late => prop_assert!(*number < greatest && delivered.insert(*number)),
                    }
                }
                read += 1;
            }
            let expected: BTreeSet<u64> = visible.iter().copied().filter(|n| *n > 0).collect();
            let lost: BTreeSet<_> = expected.difference(&delivered).copied().collect();
            prop_assert!(lost.is_subset(&is_behind_reach), "{lost:?}");
        }

        #[test]
        fn nothing_is_lost_that_becomes_visible_within_the_look_back(late in 1_u64..=49) {
            let mut checkpoint = following((0..=100).filter(|n| *n != 100 - late).map(|n| (n, 0)));
            let NextRead::After(from) = checkpoint.next_read() else { panic!("it has been seeded") };
            prop_assert!(from < id(100 - late));
            prop_assert_eq!(checkpoint.take_in(&[mark(100 - late, 0)]), [Arrival::Late]);
        }
    }
}
