//! Replicas and the course of tokens as they are shared, without names: there are many, and each step carries all. Times are in whole
//! milliseconds but for those that tokens are counted by, virtual ones in millionths.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::budget::BucketId;
use super::super::counts::ByClass;
use super::super::wire::{micros, virtual_time};
use super::{Course, Demand, Holder, ReplicaId};

/// A replica: most of them have nothing on their way, and many wait for nothing.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum HolderRow {
    Idle(ReplicaId, u32, u64),
    Waiting(ReplicaId, u32, u64, Vec<Demand>),
    Busy(ReplicaId, u32, u64, ByClass<u64>, bool, Option<u64>, Vec<Demand>),
}

/// The bucket that calls wait for, how many, and where the next of them starts.
pub(super) type DemandRow = (BucketId, u32, u64);

/// A bucket, where its newest call started, and since when a token has been there.
pub(super) type CourseRow = (BucketId, u64, Option<u64>);

impl From<HolderRow> for Holder {
    fn from(row: HolderRow) -> Self {
        let (id, step, seen, in_flight, is_probing, wants_probe, demands) = match row {
            HolderRow::Idle(id, step, seen) => (id, step, seen, ByClass::default(), false, None, Vec::new()),
            HolderRow::Waiting(id, step, seen, demands) => (id, step, seen, ByClass::default(), false, None, demands),
            HolderRow::Busy(id, step, seen, in_flight, is_probing, wants_probe, demands) => {
                (id, step, seen, in_flight, is_probing, wants_probe, demands)
            }
        };
        let (seen, wants_probe) = (Duration::from_millis(seen), wants_probe.map(Duration::from_millis));
        Self { id, step, seen, in_flight, is_probing, wants_probe, demands }
    }
}

impl From<Holder> for HolderRow {
    fn from(holder: Holder) -> Self {
        let Holder { id, step, seen, in_flight, is_probing, wants_probe, demands } = holder;
        let seen = milliseconds(seen);
        let is_busy = in_flight != ByClass::default() || is_probing || wants_probe.is_some();
        match (is_busy, demands.is_empty()) {
            (false, true) => return Self::Idle(id, step, seen),
            (false, false) => return Self::Waiting(id, step, seen, demands),
            (true, _) => {}
        }
        Self::Busy(id, step, seen, in_flight, is_probing, wants_probe.map(milliseconds), demands)
    }
}

impl From<DemandRow> for Demand {
    fn from((bucket, waiting, start): DemandRow) -> Self {
        Self { bucket, waiting, start: virtual_time::from_whole(start) }
    }
}

impl From<Demand> for DemandRow {
    fn from(demand: Demand) -> Self {
        (demand.bucket, demand.waiting, virtual_time::whole(demand.start))
    }
}

impl From<CourseRow> for Course {
    fn from((bucket, reached, lies_since): CourseRow) -> Self {
        let lies_since = lies_since.map(Duration::from_micros);
        Self { bucket, reached: virtual_time::from_whole(reached), lies_since }
    }
}

impl From<Course> for CourseRow {
    fn from(course: Course) -> Self {
        (course.bucket, virtual_time::whole(course.reached), course.lies_since.map(micros::whole))
    }
}

fn milliseconds(time: Duration) -> u64 {
    micros::whole(time) / 1_000
}
