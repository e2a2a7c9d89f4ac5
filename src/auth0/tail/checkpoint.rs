//! The decisions of the poller: which logs of a page are new, where to read on, and when. Pure: no clock is read here.
//!
//! Auth0 orders logs by id and takes them in one after the other, but one may become visible behind others that are there
//! already. So after a page that is not full, the next begins a little before the newest log that was read.
//!
//! Auth0 may push logs as well. They are known without having been read, so that the reads may rest: what has not come that way is
//! found by the next, which goes on where the last one ended. Logs that another replica has read come the same way, with the log up to
//! which it has read all.

#[cfg(test)]
mod tests;

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

/// A log that is known.
#[derive(Debug, PartialEq, Eq)]
struct KnownLog {
    mark: LogMark,
    /// True if the other replicas have been told of it, or have told of it.
    is_shared: bool,
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
    /// A log from before anybody listened.
    Past,
    /// A log behind all that were known.
    New,
    /// A log that became visible after later ones.
    Late,
    /// A log that was read before.
    Known,
}

/// The state of the poller between two reads.
#[derive(Debug)]
pub(super) struct Checkpoint {
    stage: Stage,
    /// The newest logs that are known, in the order of ids: those that were read as far as the look-back reaches, and those that were
    /// pushed since.
    known: VecDeque<KnownLog>,
    /// The log up to which all have been read.
    read_up_to: Option<LogId>,
    /// The read that is on its way. What it may bring is known until it is there, whoever else tells of it meanwhile.
    on_its_way: Option<NextRead>,
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
            on_its_way: None,
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
        self.known.back().map(|log| &log.mark.id)
    }

    /// The log up to which all have been read.
    pub(super) fn read_up_to(&self) -> Option<&LogId> {
        self.read_up_to.as_ref()
    }

    /// Begins the read to make now. It ends with [`Self::take_in`] or [`Self::fail`].
    pub(super) fn begin_read(&mut self) -> NextRead {
        self.on_its_way.insert(self.next_read()).clone()
    }

    /// The read to make now.
    fn next_read(&self) -> NextRead {
        match (&self.stage, self.known.front()) {
            (Stage::Start | Stage::Empty, _) | (_, None) => NextRead::Newest,
            // All that is remembered, so that who resumes from a moment ago need not ask Auth0.
            (Stage::Seeding(_), Some(first)) => NextRead::After(first.mark.id.clone()),
            (Stage::Following, Some(first)) => NextRead::After(self.from().unwrap_or(&first.mark.id).clone()),
        }
    }

    fn from(&self) -> Option<&LogId> {
        let read_up_to = self.read_up_to.as_ref()?;
        if self.is_full {
            return Some(read_up_to);
        }
        let read = || self.known.iter().map(|log| &log.mark).take_while(|log| log.id <= *read_up_to);
        let newest = read().filter_map(|log| log.date).max();
        let is_recent = |log: &LogMark| log.date.zip(newest).is_none_or(|(date, newest)| date > newest - LOOK_BACK_MS);
        // Dates and ids do not rise together: the log before the first that is recent.
        let first = read().position(is_recent).unwrap_or_else(|| read().count());
        self.known.get(first.saturating_sub(1)).map(|log| &log.mark.id)
    }

    /// Takes in the answer to [`Self::begin_read`], and tells each log's part. `left_out` is the number of its records that are not in
    /// `page`: they are of no use, but there may be more behind them.
    pub(super) fn take_in(&mut self, page: &[LogMark], left_out: usize) -> Vec<Arrival> {
        self.on_its_way = None;
        let cursor = self.cursor().cloned();
        let arrivals: Vec<_> = page.iter().map(|log| self.arrival(log, cursor.as_ref())).collect();
        self.read_up_to = self.read_up_to.take().max(page.iter().map(|log| &log.id).max().cloned());
        self.remember(page);
        self.rests = std::mem::take(&mut self.is_pushed_to);
        self.failures = 0;
        self.is_full = self.stage != Stage::Start && !page.is_empty() && page.len() + left_out >= PAGE;
        let has_news = arrivals.iter().any(|arrival| matches!(arrival, Arrival::New | Arrival::Late));
        // Past logs tell nothing of how busy the tenant is.
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
        let arrivals = self.take_in_unread(logs)?;
        self.is_pushed_to = true;
        Some(arrivals)
    }

    /// Takes in logs of another replica's, which has read all up to `read_up_to`, and tells each one's part. None if no more can be known
    /// before the next read.
    pub(super) fn take_in_shared(&mut self, logs: &[LogMark], read_up_to: Option<&LogId>) -> Option<Vec<Arrival>> {
        let arrivals = self.take_in_unread(logs)?;
        self.share(logs.iter().map(|log| &log.id));
        if let Some(read_up_to) = read_up_to {
            self.read_up_to = self.read_up_to.take().max(Some(read_up_to.clone()));
            self.forget_read();
            if self.stage == Stage::Empty && !self.known.is_empty() {
                self.stage = Stage::Following;
            }
        }
        Some(arrivals)
    }

    /// True if the other replicas have been told of a log, or have told of it, as far as is remembered.
    pub(super) fn is_shared(&self, id: &LogId) -> bool {
        self.index_of(id).ok().and_then(|index| self.known.get(index)).is_some_and(|log| log.is_shared)
    }

    /// Takes note that the other replicas know these logs.
    pub(super) fn share<'a>(&mut self, ids: impl Iterator<Item = &'a LogId>) {
        for id in ids {
            let index = self.index_of(id).ok();
            if let Some(log) = index.and_then(|index| self.known.get_mut(index)) {
                log.is_shared = true;
            }
        }
    }

    fn take_in_unread(&mut self, logs: &[LogMark]) -> Option<Vec<Arrival>> {
        if self.known.len() + logs.len() > MOST_KNOWN {
            return None;
        }
        let (first, cursor) = (self.known.front().map(|log| log.mark.id.clone()), self.cursor().cloned());
        let is_past = |log: &LogMark| first.as_ref().is_some_and(|first| log.id < *first);
        let mut arrivals = vec![Arrival::Known; logs.len()];
        let mut sorted: Vec<_> = logs.iter().zip(&mut arrivals).collect();
        sorted.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
        let mut previous = None;
        for (log, arrival) in &mut sorted {
            let is_repeated = previous.replace(&log.id) == Some(&log.id);
            // It may have been told, and that be forgotten: Auth0 pushes some more than once.
            **arrival = if is_past(log) {
                Arrival::Past
            } else if is_repeated {
                Arrival::Known
            } else {
                self.arrival(log, cursor.as_ref())
            };
        }
        let new = sorted.into_iter().filter(|(_, arrival)| matches!(arrival, Arrival::New | Arrival::Late));
        self.merge(new.map(|(log, _)| log.clone()).collect());
        Some(arrivals)
    }

    fn arrival(&self, log: &LogMark, cursor: Option<&LogId>) -> Arrival {
        match &self.stage {
            // They come once more, with those between them.
            Stage::Start => Arrival::Known,
            Stage::Seeding(newest) if log.id <= *newest => Arrival::Past,
            _ if self.index_of(&log.id).is_ok() => Arrival::Known,
            _ if cursor.is_none_or(|cursor| log.id > *cursor) => Arrival::New,
            _ => Arrival::Late,
        }
    }

    fn remember(&mut self, page: &[LogMark]) {
        let mut new: Vec<_> = page.iter().filter(|log| self.index_of(&log.id).is_err()).cloned().collect();
        new.sort_by(|one, other| one.id.cmp(&other.id));
        new.dedup_by(|one, other| one.id == other.id);
        self.merge(new);
        self.forget_read();
    }

    fn forget_read(&mut self) {
        let old = self.read_count().saturating_sub(LOOK_BACK + 1);
        self.known.drain(..old.min(self.forgettable()));
    }

    /// The number of known logs that no read on its way can bring once more.
    fn forgettable(&self) -> usize {
        match &self.on_its_way {
            None => self.known.len(),
            Some(NextRead::Newest) => 0,
            Some(NextRead::After(from)) => self.known.partition_point(|log| log.mark.id <= *from),
        }
    }

    /// Adds logs that are not known: in the order of their ids, each once. Whoever follows waits for this: a log is moved once,
    /// however many come.
    fn merge(&mut self, new: Vec<LogMark>) {
        let Some(first) = new.first() else { return };
        let behind = self.known.partition_point(|log| log.mark.id < first.id);
        let mut behind = self.known.split_off(behind).into_iter().peekable();
        for log in new {
            while let Some(known) = behind.next_if(|known| known.mark.id < log.id) {
                self.known.push_back(known);
            }
            self.known.push_back(KnownLog { mark: log, is_shared: false });
        }
        self.known.extend(behind);
    }

    /// The index of a log among those that are known, or that at which it would be.
    fn index_of(&self, id: &LogId) -> Result<usize, usize> {
        self.known.binary_search_by(|known| known.mark.id.cmp(id))
    }

    /// The number of known logs that have been read.
    fn read_count(&self) -> usize {
        let Some(read_up_to) = &self.read_up_to else { return 0 };
        self.known.partition_point(|log| log.mark.id <= *read_up_to)
    }

    /// Forgets the logs before `id`, which are not to be read again: of those that were read, but for the last.
    pub(super) fn forget_before(&mut self, id: &LogId) {
        let old = self.known.partition_point(|log| log.mark.id < *id);
        let unneeded = self.read_count().saturating_sub(1).min(self.forgettable());
        self.known.drain(..old.min(unneeded));
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
        self.on_its_way = None;
        self.forget_read();
        retry_after.map_or(backoff, |retry_after| retry_after.max(backoff)).min(LONGEST_WAIT)
    }

    /// True if the last read left the rest for the next.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Failures since the last answer.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// True after a failure: logs may have been given up by the tenant since the last read.
    pub(super) fn is_recovering(&self) -> bool {
        self.failures > 0
    }
}
