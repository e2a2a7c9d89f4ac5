//! The role of a replica in the fleet: whether it reads by itself, and what it has to tell the others. Pure: no clock is read here.
//!
//! Each replica knows which logs its own subscribers have been told, whoever read them. So it may change its role at any time, lose what
//! others tell, or read what others have read: nothing is told twice, and reading by itself mends what was missed.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Report, ReportChunk};

/// Time for which a replica reads by itself after it may have missed something: what was pushed may not be there to be read at once.
pub(super) const MISSED_MEMORY: Duration = Duration::from_secs(5);

/// Most bytes of logs that wait to be told to the others, and as many entries as that would be of the least of them. What does not
/// fit they have to read.
const MOST_WAITING: usize = 4 << 20;
const LEAST_SIZE: usize = 1 << 10;

/// Role of a replica in the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A replica that is about to find out.
    Deciding,
    /// A replica with nobody to share with, or no way to.
    Alone,
    /// The one that reads, and tells the others.
    Leader,
    /// A follower: another reads, and tells it what.
    Follower,
}

/// The answer to an attempt to hold the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaseAnswer {
    Held,
    Anothers,
    /// No answer.
    Missing {
        /// True if Redis is taken for gone.
        is_gone: bool,
    },
}

impl Role {
    /// The role after an attempt to hold the lease.
    pub(super) fn after(self, answer: LeaseAnswer) -> Self {
        match (answer, self) {
            (LeaseAnswer::Held, _) => Self::Leader,
            (LeaseAnswer::Anothers, _) => Self::Follower,
            (LeaseAnswer::Missing { is_gone: true }, _) | (_, Self::Deciding) => Self::Alone,
            // A late answer says nothing.
            (LeaseAnswer::Missing { is_gone: false }, role) => role,
        }
    }
}

/// A replica's role in the fleet, and what goes with it.
#[derive(Debug)]
pub(crate) struct TailMembership {
    role: Role,
    /// The last moment at which something may have been missed, and that after which a read finds it for certain.
    missed_at: Option<Instant>,
    doubt: Option<Instant>,
    /// The beginning of the last read that left nothing for the next.
    caught_up: Option<Instant>,
    /// The moment up to which the lease is held for certain.
    leads_until: Option<Instant>,
    /// Entries that the others are to be told and may not have been, the oldest first.
    waiting: VecDeque<ReportChunk>,
    waiting_bytes: usize,
    /// True if something has been forgotten that they should have been told.
    has_forgotten: bool,
}

impl TailMembership {
    /// The role of one that may have others beside it, or has none.
    pub(crate) fn new(may_have_others: bool) -> Self {
        let role = if may_have_others { Role::Deciding } else { Role::Alone };
        Self {
            role,
            missed_at: None,
            doubt: None,
            caught_up: None,
            leads_until: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            has_forgotten: false,
        }
    }

    /// The role that it has now.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Takes a role. Whoever comes to follow has to read what the others were told before.
    pub(super) fn enter(&mut self, role: Role, now: Instant) {
        let was = std::mem::replace(&mut self.role, role);
        if role == Role::Follower && !matches!(was, Role::Leader | Role::Follower) {
            self.doubt(now, now + if was == Role::Alone { MISSED_MEMORY } else { Duration::ZERO });
        }
        if role != Role::Leader {
            // Its successor reads them.
            self.has_forgotten |= !self.waiting.is_empty();
            self.waiting.clear();
            self.waiting_bytes = 0;
        }
    }

    /// Takes note that the lease is held up to then.
    pub(super) fn hold_until(&mut self, until: Instant) {
        self.leads_until = Some(until);
    }

    /// True if no other can have the lease.
    pub(crate) fn leads(&self, now: Instant) -> bool {
        self.role == Role::Leader && self.leads_until > Some(now)
    }

    /// True if it has to read by itself. `is_seeded` once it knows which logs are past.
    pub(crate) fn reads(&self, is_seeded: bool) -> bool {
        match self.role {
            Role::Deciding => false,
            Role::Alone | Role::Leader => true,
            Role::Follower => !is_seeded || self.is_in_doubt(),
        }
    }

    /// True while something may have been missed.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt > self.caught_up
    }

    /// Takes note that something may have been missed that can be read after `until`.
    pub(super) fn doubt(&mut self, now: Instant, until: Instant) {
        self.missed_at = self.missed_at.max(Some(now));
        self.doubt = self.doubt.max(Some(until));
    }

    /// True if all has been read since something may have been missed: what others have read from there on counts as read.
    pub(super) fn is_whole(&self) -> bool {
        self.missed_at <= self.caught_up
    }

    /// Takes note of a read that began then. `is_all` if it left nothing for the next.
    pub(crate) fn read(&mut self, began_at: Instant, is_all: bool) {
        if is_all {
            self.caught_up = self.caught_up.max(Some(began_at));
        }
    }

    /// True if a read that began then or later left nothing for the next.
    pub(super) fn has_caught_up(&self, since: Instant) -> bool {
        self.caught_up >= Some(since)
    }

    /// True if it is to be found out what the others do not know.
    pub(crate) fn is_leader(&self) -> bool {
        self.role == Role::Leader
    }

    /// Keeps what the others are to know, until it is published.
    pub(crate) fn report(&mut self, report: Report) {
        if self.is_leader() && report != Report::default() {
            self.keep(report.into_chunks());
        }
    }

    /// Has it published that it is there, unless there is something to publish.
    pub(super) fn report_presence(&mut self) {
        if self.waiting.is_empty() {
            self.keep(vec![ReportChunk::default()]);
        }
    }

    fn keep(&mut self, chunks: Vec<ReportChunk>) {
        let bytes = chunks.iter().map(size).sum::<usize>();
        if self.waiting_bytes + bytes > MOST_WAITING {
            self.has_forgotten = true;
        } else {
            self.waiting_bytes += bytes;
            self.waiting.extend(chunks);
        }
    }

    /// The next entry to publish, until it is [`Self::published`].
    pub(super) fn next_to_publish(&self) -> Option<&ReportChunk> {
        self.waiting.front()
    }

    /// Takes note that it has been published.
    pub(super) fn published(&mut self) -> Option<ReportChunk> {
        let chunk = self.waiting.pop_front()?;
        self.waiting_bytes -= size(&chunk);
        Some(chunk)
    }

    /// True if something has been forgotten since the last call that the others should have been told.
    pub(super) fn take_has_forgotten(&mut self) -> bool {
        std::mem::take(&mut self.has_forgotten)
    }

    /// True if there is something to tell the others.
    pub(crate) fn has_report(&self) -> bool {
        !self.waiting.is_empty()
    }
}

fn size(chunk: &ReportChunk) -> usize {
    chunk.size().max(LEAST_SIZE)
}

#[cfg(test)]
mod tests {
    use super::super::super::super::ids::LogId;
    use super::super::entry::{MOST_BYTES, SharedLog};
    use super::*;

    #[test]
    fn a_replica_without_others_is_alone_from_the_start() {
        assert!(TailMembership::new(false).reads(false) && TailMembership::new(false).reads(true));
        assert!(!TailMembership::new(true).reads(false), "it finds out first");
    }

    #[test]
    fn an_answer_says_what_part_it_is_and_one_that_is_missing_changes_nothing_by_itself() {
        use Role::{Alone, Deciding, Follower, Leader};
        for role in [Deciding, Alone, Leader, Follower] {
            assert_eq!(role.after(LeaseAnswer::Held), Leader);
            assert_eq!(role.after(LeaseAnswer::Anothers), Follower);
            assert_eq!(role.after(LeaseAnswer::Missing { is_gone: true }), Alone);
        }
        let blip = LeaseAnswer::Missing { is_gone: false };
        assert_eq!([Deciding, Alone, Leader, Follower].map(|role| role.after(blip)), [Alone, Alone, Leader, Follower]);
    }

    #[test]
    fn a_follower_reads_until_a_read_that_began_after_its_doubt_has_caught_up() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut member = TailMembership::new(true);
        member.enter(Role::Follower, at(0));
        assert!(member.reads(false) && member.reads(true) && !member.is_whole());
        member.read(at(0), true);
        assert!(member.reads(false) && !member.reads(true) && member.is_whole());
        member.doubt(at(1), at(5));
        member.doubt(at(1), at(2));
        assert!(!member.is_whole());
        for (began_at, is_all, reads) in [(4, true, true), (6, false, true), (6, true, false)] {
            member.read(at(began_at), is_all);
            assert_eq!(member.reads(true), reads, "{began_at} {is_all}");
        }
        assert!(member.has_caught_up(at(6)) && !member.has_caught_up(at(7)) && member.is_whole());
        member.enter(Role::Leader, at(7));
        member.enter(Role::Follower, at(8));
        assert!(!member.reads(true), "it has read until now");
        member.enter(Role::Alone, at(9));
        member.enter(Role::Follower, at(10));
        member.read(at(11), true);
        assert!(member.reads(true) && member.is_whole(), "what was pushed may not be there to be read at once");
    }

    #[test]
    fn only_a_leader_has_something_to_tell_and_no_more_than_there_is_room_for() {
        let log = |size| SharedLog { id: LogId::parse("9001").unwrap(), json: "x".repeat(size).into() };
        let report = |size| Report { logs: vec![log(size); 32], ..Report::default() };
        let mut member = TailMembership::new(true);
        member.report(report(MOST_BYTES));
        assert!(!member.has_report());
        member.enter(Role::Leader, Instant::now());
        for (size, fits) in [(MOST_BYTES, 85), (1, 4_096)] {
            assert!(!member.take_has_forgotten());
            while !member.take_has_forgotten() {
                member.report(report(size));
            }
            let told = std::iter::from_fn(|| member.published()).count();
            assert!((fits - 32..=fits).contains(&told), "{told}");
        }
        member.report(Report::default());
        assert!(!member.has_report());
        member.report_presence();
        member.report_presence();
        assert_eq!(member.next_to_publish(), Some(&ReportChunk::default()));
        assert_eq!(member.published(), Some(ReportChunk::default()));
        assert!(!member.has_report());
        member.report(report(1));
        member.enter(Role::Follower, Instant::now());
        assert!(!member.has_report() && member.take_has_forgotten() && !member.take_has_forgotten());
    }

    #[test]
    fn a_replica_leads_no_longer_than_its_lease_for_certain_holds() {
        let start = Instant::now();
        let end = start + Duration::from_secs(1);
        let mut member = TailMembership::new(true);
        member.hold_until(end);
        assert!(!member.leads(start));
        member.enter(Role::Leader, start);
        assert!(member.leads(start) && !member.leads(end));
    }
}
