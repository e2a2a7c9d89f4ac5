//! Leases: calls that a replica was granted and has not let go yet.

use std::time::Duration;

use super::super::budget::{BucketId, CallGrant, PacingMode};

/// A grant that is good for a while.
#[derive(Debug, Clone, Copy)]
struct Lease {
    grant: CallGrant,
    until: Duration,
}

/// The leases of a replica, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Leases(Vec<Lease>);

impl Leases {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, grants: impl IntoIterator<Item = CallGrant>, until: Duration) {
        self.0.extend(grants.into_iter().map(|grant| Lease { grant, until }));
    }

    pub(super) fn has(&self, mode: PacingMode) -> bool {
        self.0.iter().any(|lease| mode_of(&lease.grant) == mode)
    }

    /// Number of leases of a bucket.
    pub(super) fn of(&self, id: BucketId) -> usize {
        self.0.iter().filter(|lease| lease.grant.bucket() == Some(id)).count()
    }

    pub(super) fn take(&mut self, mode: PacingMode) -> Option<CallGrant> {
        let position = self.0.iter().position(|lease| mode_of(&lease.grant) == mode)?;
        Some(self.0.remove(position).grant)
    }

    /// The time at which the first of them ends.
    pub(super) fn first_end(&self) -> Option<Duration> {
        self.0.iter().map(|lease| lease.until).min()
    }

    /// Takes out those that are not good any more.
    pub(super) fn lapsed(&mut self, is_good: impl Fn(&CallGrant, Duration) -> bool) -> Vec<CallGrant> {
        self.0.extract_if(.., |lease| !is_good(&lease.grant, lease.until)).map(|lease| lease.grant).collect()
    }
}

/// The mode of the classes that a grant is for.
fn mode_of(grant: &CallGrant) -> PacingMode {
    grant.bucket().map_or(PacingMode::Unknown, PacingMode::Paced)
}
