//! The model's Redis: the scripts of the lease, and a stream.

use std::collections::VecDeque;

use super::super::LEASE_LIFE;
use crate::shared_state::{Fence, Holding, StreamId};

/// Most entries of the stream: few, so that some fall off.
const ENTRIES: usize = 6;

#[derive(Default)]
pub(super) struct Redis {
    pub(super) is_away: bool,
    /// Milliseconds by which its clock is behind.
    behind: u64,
    lease: Option<Lease>,
    leases: u32,
    pub(super) stream: VecDeque<(StreamId, Fence, Vec<u8>)>,
    pub(super) inbox: Vec<Vec<u8>>,
    /// Commands that it has got, and will run.
    pub(super) late: Vec<Command>,
    /// Fences in the order of the entries that were written, whatever became of those.
    pub(super) written: Vec<Fence>,
}

pub(super) struct Lease {
    owner: String,
    fence: Fence,
    ends_at: u64,
}

pub(super) enum Command {
    Hold { owner: String, fence: Option<Fence> },
    Publish { owner: String, fence: Fence, text: Vec<u8> },
}

impl Redis {
    pub(super) fn lease(&self, now: u64) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.ends_at > now)
    }

    /// The script `HOLD`, of one that may take the lease.
    pub(super) fn hold(&mut self, now: u64, owner: &str, fence: Option<&Fence>) -> Holding {
        let ends_at = now + u64::try_from(LEASE_LIFE.as_millis()).unwrap();
        let holder = self.lease(now).map(|lease| (lease.owner.clone(), lease.fence.clone()));
        match holder {
            Some((holder, held)) if holder == owner && Some(&held) == fence => {
                self.lease = Some(Lease { owner: holder, fence: held, ends_at });
            }
            Some((holder, _)) if holder != owner => {}
            _ => {
                // No two leases begin at the same microsecond, even of a clock that was set back.
                self.leases += 1;
                let fence = Fence::parse(&format!("{}{:06}", now - self.behind, self.leases)).unwrap();
                self.lease = Some(Lease { owner: owner.to_owned(), fence, ends_at });
            }
        }
        let lease = self.lease(now);
        Holding {
            fence: lease.map(|lease| lease.fence.clone()),
            is_own: lease.is_some_and(|lease| lease.owner == owner),
            last: self.stream.back().map(|(id, ..)| *id),
        }
    }

    /// The script `PUBLISH`.
    pub(super) fn publish(&mut self, now: u64, owner: &str, fence: &Fence, text: Vec<u8>) -> Option<StreamId> {
        self.lease(now).filter(|lease| lease.owner == owner && lease.fence == *fence)?;
        let (last, time) = (self.stream.back().map(|(id, ..)| *id), now - self.behind);
        let mut ids = (0..).map(|number| StreamId::parse(&format!("{time}-{number}")).unwrap());
        let id = ids.find(|id| Some(*id) > last).unwrap();
        self.stream.push_back((id, fence.clone(), text));
        self.stream.drain(..self.stream.len().saturating_sub(ENTRIES));
        self.written.push(fence.clone());
        Some(id)
    }

    pub(super) fn run(&mut self, now: u64, command: Command) {
        match command {
            Command::Hold { owner, fence } => {
                self.hold(now, &owner, fence.as_ref());
            }
            Command::Publish { owner, fence, text } => {
                self.publish(now, &owner, &fence, text);
            }
        }
    }

    pub(super) fn forget(&mut self, behind: u64) {
        self.behind = behind;
        self.lease = None;
        self.stream.clear();
        self.inbox.clear();
    }

    pub(super) fn lose_lease(&mut self) {
        self.lease = None;
    }
}
