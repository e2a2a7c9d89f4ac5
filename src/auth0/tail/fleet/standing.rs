//! The standing of a replica: the lease as far as it knows, and its place in the stream. Pure.

use super::chain::Chain;
use super::membership::Role;
use crate::shared_state::StreamId;

/// The standing of a replica.
#[derive(Debug)]
pub(super) struct Standing<F> {
    /// The fence of the lease, while it is held as far as is known.
    pub(super) fence: Option<F>,
    pub(super) chain: Chain,
}

impl<F: PartialEq> Standing<F> {
    pub(super) fn new() -> Self {
        Self { fence: None, chain: Chain::Behind(None) }
    }

    /// Takes note of an answer to an attempt to hold the lease: its fence, and the stream's last entry. True if the lease is newly held, so that
    /// what its predecessors have told has to be taken in first: nobody else can write any more.
    pub(super) fn attempt(&mut self, fence: Option<&F>, last: Option<StreamId>) -> bool {
        let is_new = fence.is_some() && fence != self.fence.as_ref();
        if is_new {
            self.chain = self.chain.rejoining(last);
        }
        is_new
    }

    /// Takes its place in the stream by that answer, once it has taken in what there was to take in. True if entries may be lost: the
    /// stream has begun anew.
    pub(super) fn settle(&mut self, was: Role, role: Role, fence: Option<F>, last: Option<StreamId>) -> bool {
        self.fence = fence;
        let has_begun_anew = self.chain.last() > last;
        if role == Role::Leader {
            self.chain = Chain::Behind(last);
        } else if was != role || has_begun_anew {
            self.chain = self.chain.rejoining(last);
        }
        has_begun_anew && role == Role::Follower
    }
}
