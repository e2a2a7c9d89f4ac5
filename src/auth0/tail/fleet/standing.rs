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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{HOLD_INTERVAL, INBOX_BOUNDS, LEASE_LIFE, STREAM_BOUNDS, entry};
    use super::*;

    fn id(text: &str) -> Option<StreamId> {
        StreamId::parse(text)
    }

    #[test]
    fn whoever_newly_holds_the_lease_takes_in_what_was_told_before_and_writes_behind_it() {
        let mut standing = Standing::new();
        assert!(standing.attempt(Some(&7), id("20000-1")));
        assert!(!standing.settle(Role::Deciding, Role::Leader, Some(7), id("20000-1")));
        assert_eq!((standing.fence, standing.chain), (Some(7), Chain::Behind(id("20000-1"))));
        assert!(!standing.attempt(Some(&7), id("20000-2")), "it has held it before");
        assert!(standing.attempt(Some(&8), id("20000-2")), "another may have held it between");
    }

    #[test]
    fn a_stream_that_has_begun_anew_may_have_lost_entries() {
        let mut standing = Standing::<u8>::new();
        standing.settle(Role::Deciding, Role::Follower, None, None);
        standing.chain = Chain::Behind(id("20000-1"));
        assert!(!standing.settle(Role::Follower, Role::Follower, None, id("20000-2")));
        assert_eq!(standing.chain, Chain::Behind(id("20000-1")), "it goes on where it is");
        assert!(standing.settle(Role::Follower, Role::Follower, None, None));
        assert_eq!(standing.chain, Chain::Behind(None));
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
        ];
        let operations = include_str!("../../../../docs/operations.md");
        assert!(claims.iter().all(|claim| operations.contains(claim)), "{claims:?}");
    }
}
