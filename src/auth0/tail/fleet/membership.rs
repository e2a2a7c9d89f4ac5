//! The part of a replica in the fleet: whether it reads by itself, and what it has to tell the others. Pure: no clock is read here.
//!
//! Each replica knows which logs its own subscribers have been told, whoever read them. So it may change its part at any time, lose what
//! others tell, or read what others have read: nothing is told twice, and reading by itself mends what was missed.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::Report;

/// Time for which a replica reads by itself after it may have missed something: what was pushed may not be there to be read at once.
pub(super) const MISSED_MEMORY: Duration = Duration::from_secs(5);

/// Most bytes of logs that wait to be told to the others. What does not fit is told after it has been read again.
const MOST_WAITING: usize = 4 << 20;

/// Part of a replica in the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is about to find out.
    Deciding,
    /// There is nobody to share with, or no way to.
    Alone,
    /// It reads, and tells the others.
    Leader,
    /// Another reads and tells it.
    Follower,
}

/// The answer to an attempt to hold the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaseAnswer {
    Held,
    Anothers,
    /// There is none.
    Missing {
        /// True if Redis is taken for gone.
        is_down: bool,
    },
}

impl Role {
    /// The part after an attempt to hold the lease.
    pub(super) fn after(self, answer: LeaseAnswer) -> Self {
        match (answer, self) {
            (LeaseAnswer::Held, _) => Self::Leader,
            (LeaseAnswer::Anothers, _) => Self::Follower,
            (LeaseAnswer::Missing { is_down: true }, _) | (_, Self::Deciding) => Self::Alone,
            // One answer that does not come says nothing.
            (LeaseAnswer::Missing { is_down: false }, role) => role,
        }
    }
}

/// A replica's part in the fleet, and what goes with it.
#[derive(Debug)]
pub(crate) struct Membership {
    role: Role,
    /// The last moment at which something may have been missed, and that after which a read finds it for certain.
    missed_at: Option<Instant>,
    doubt: Option<Instant>,
    /// The beginning of the last read that left nothing for the next.
    caught_up: Option<Instant>,
    /// Reports that the others are to be told, the oldest first.
    reports: VecDeque<Report>,
    report_bytes: usize,
}

impl Membership {
    /// The part of one that may have others beside it, or has none.
    pub(crate) fn new(may_have_others: bool) -> Self {
        let role = if may_have_others { Role::Deciding } else { Role::Alone };
        Self { role, missed_at: None, doubt: None, caught_up: None, reports: VecDeque::new(), report_bytes: 0 }
    }

    /// The part that it has now.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Enters upon a part. Whoever comes to follow has to read what the others were told before.
    pub(super) fn enter(&mut self, role: Role, now: Instant) {
        let was = std::mem::replace(&mut self.role, role);
        if role == Role::Follower && !matches!(was, Role::Leader | Role::Follower) {
            self.doubt(now, now + if was == Role::Alone { MISSED_MEMORY } else { Duration::ZERO });
        }
        if role != Role::Leader {
            // Its successor reads them.
            self.reports.clear();
            self.report_bytes = 0;
        }
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
    pub(crate) fn tells(&self) -> bool {
        self.role == Role::Leader
    }

    /// Keeps what the others are to be told.
    pub(crate) fn report(&mut self, report: Report) {
        let size = report.size();
        let is_empty = report == Report::default();
        if self.tells() && !is_empty && self.report_bytes + size <= MOST_WAITING {
            self.report_bytes += size;
            self.reports.push_back(report);
        }
    }

    /// The next of what the others are to be told.
    pub(super) fn next_report(&mut self) -> Option<Report> {
        let report = self.reports.pop_front()?;
        self.report_bytes -= report.size();
        Some(report)
    }

    /// True if there is something to tell the others.
    pub(crate) fn has_report(&self) -> bool {
        !self.reports.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::ids::LogId;
    use super::super::entry::SharedLog;
    use super::*;

    #[test]
    fn a_replica_without_others_is_alone_from_the_start() {
        assert!(Membership::new(false).reads(false) && Membership::new(false).reads(true));
        assert!(!Membership::new(true).reads(false), "it finds out first");
    }

    #[test]
    fn an_answer_says_what_part_it_is_and_one_that_is_missing_changes_nothing_by_itself() {
        use Role::{Alone, Deciding, Follower, Leader};
        for role in [Deciding, Alone, Leader, Follower] {
            assert_eq!(role.after(LeaseAnswer::Held), Leader);
            assert_eq!(role.after(LeaseAnswer::Anothers), Follower);
            assert_eq!(role.after(LeaseAnswer::Missing { is_down: true }), Alone);
        }
        let blip = LeaseAnswer::Missing { is_down: false };
        assert_eq!([Deciding, Alone, Leader, Follower].map(|role| role.after(blip)), [Alone, Alone, Leader, Follower]);
    }

    #[test]
    fn a_follower_reads_until_a_read_that_began_after_its_doubt_has_caught_up() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut member = Membership::new(true);
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
        let log = SharedLog { id: LogId::parse("9001").unwrap(), json: "x".repeat(1 << 20).into() };
        let report = Report { logs: vec![log], ..Report::default() };
        let mut member = Membership::new(true);
        member.report(report.clone());
        assert!(!member.has_report());
        member.enter(Role::Leader, Instant::now());
        for _ in 0..9 {
            member.report(report.clone());
        }
        assert_eq!(std::iter::from_fn(|| member.next_report()).count(), 4);
        member.report(report.clone());
        assert_eq!(member.next_report().as_ref(), Some(&report), "there is room again");
        member.report(report);
        member.enter(Role::Follower, Instant::now());
        assert_eq!(member.next_report(), None);
    }
}
