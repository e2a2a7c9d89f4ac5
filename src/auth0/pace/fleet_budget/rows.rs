//! Replicas and the clocks of buckets as they are shared, without names: there are many, and each step carries all. Times are in whole
//! milliseconds but for those that tokens are counted by, virtual ones in millionths.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::budget::BucketId;
use super::super::counts::ByClass;
use super::super::wire::{micros, virtual_time};
use super::{Backlog, BucketClock, ReplicaId, ReplicaState};

/// A replica: most of them have nothing on their way, and many wait for nothing.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum ReplicaRow {
    Idle(ReplicaId, u32, u64),
    Waiting(ReplicaId, u32, u64, Vec<Backlog>),
    Busy(ReplicaId, u32, u64, ByClass<u64>, bool, Option<u64>, Vec<Backlog>),
}

/// The bucket that calls wait for, how many, and where the next of them starts.
pub(super) type BacklogRow = (BucketId, u32, u64);

/// A bucket, where its newest call started, and since when a token has been there.
pub(super) type ClockRow = (BucketId, u64, Option<u64>);

impl From<ReplicaRow> for ReplicaState {
    fn from(row: ReplicaRow) -> Self {
        let (id, step, seen, in_flight, is_probing, wants_probe, backlogs) = match row {
            ReplicaRow::Idle(id, step, seen) => (id, step, seen, ByClass::default(), false, None, Vec::new()),
            ReplicaRow::Waiting(id, step, seen, backlogs) => {
                (id, step, seen, ByClass::default(), false, None, backlogs)
            }
            ReplicaRow::Busy(id, step, seen, in_flight, is_probing, wants_probe, backlogs) => {
                (id, step, seen, in_flight, is_probing, wants_probe, backlogs)
            }
        };
        let (seen, wants_probe) = (Duration::from_millis(seen), wants_probe.map(Duration::from_millis));
        Self { id, step, seen, in_flight, is_probing, wants_probe, backlogs }
    }
}

impl From<ReplicaState> for ReplicaRow {
    fn from(replica: ReplicaState) -> Self {
        let ReplicaState { id, step, seen, in_flight, is_probing, wants_probe, backlogs } = replica;
        let seen = milliseconds(seen);
        let is_busy = in_flight != ByClass::default() || is_probing || wants_probe.is_some();
        match (is_busy, backlogs.is_empty()) {
            (false, true) => return Self::Idle(id, step, seen),
            (false, false) => return Self::Waiting(id, step, seen, backlogs),
            (true, _) => {}
        }
        Self::Busy(id, step, seen, in_flight, is_probing, wants_probe.map(milliseconds), backlogs)
    }
}

impl From<BacklogRow> for Backlog {
    fn from((bucket, waiting, start): BacklogRow) -> Self {
        Self { bucket, waiting, start: virtual_time::from_whole(start) }
    }
}

impl From<Backlog> for BacklogRow {
    fn from(backlog: Backlog) -> Self {
        (backlog.bucket, backlog.waiting, virtual_time::whole(backlog.start))
    }
}

impl From<ClockRow> for BucketClock {
    fn from((bucket, reached, lies_since): ClockRow) -> Self {
        let lies_since = lies_since.map(Duration::from_micros);
        Self { bucket, reached: virtual_time::from_whole(reached), lies_since }
    }
}

impl From<BucketClock> for ClockRow {
    fn from(clock: BucketClock) -> Self {
        (clock.bucket, virtual_time::whole(clock.reached), clock.lies_since.map(micros::whole))
    }
}

fn milliseconds(time: Duration) -> u64 {
    micros::whole(time) / 1_000
}
