//! Redis: the value that replicas share, a clock, and a way there and back.

use std::time::Duration;

use fastrand::Rng;

use super::super::fleet_budget::FleetBudget;
use super::super::pacer::{CompareAndSet, CompareAndSetOutcome};

/// Time for which a replica waits for an answer.
pub(super) const TIMEOUT: Duration = Duration::from_millis(20);

pub(super) struct Store {
    pub(super) value: Vec<u8>,
    pub(super) is_up: bool,
    /// The clock's beginning, which is not that of the tenant's.
    pub(super) epoch: Duration,
    latest: Duration,
    /// Time that a step is on its way, there and back each, in seconds.
    pub(super) latency: std::ops::Range<f64>,
    /// The share of answers that do not come, and of steps that come when nobody waits for them any more.
    pub(super) mishaps: f64,
    pub(super) late: f64,
    /// Number of answers that do not come next.
    pub(super) lost_next: usize,
    /// Steps that were asked for, and those of them that were taken.
    pub(super) asked: usize,
    pub(super) taken: usize,
    /// Bytes of values, there and back.
    pub(super) bytes: usize,
    rng: Rng,
}

impl Store {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            value: Vec::new(),
            is_up: true,
            epoch: Duration::from_secs(1_700_000_000),
            latest: Duration::ZERO,
            latency: 0.000_2..0.002,
            mishaps: 0.0,
            late: 0.0,
            lost_next: 0,
            asked: 0,
            taken: 0,
            bytes: 0,
            rng: Rng::with_seed(seed),
        }
    }

    /// Takes a step of compare-and-set; gives back the answer and how long it takes to come.
    pub(super) fn take(&mut self, now: Duration, offer: CompareAndSet) -> Option<(Duration, CompareAndSetOutcome)> {
        if !self.is_up {
            return None;
        }
        self.asked += 1;
        self.bytes += offer.value.len();
        let time = self.epoch + now;
        self.latest = self.latest.max(time);
        let answer = if self.value.iter().take(16).eq(&offer.expected) {
            self.taken += 1;
            let is_sample = self.taken.is_multiple_of(16);
            assert!(
                !is_sample || FleetBudget::decode(&offer.value[16..], self.latest).is_some(),
                "what replicas write, they can read"
            );
            self.value = offer.value;
            CompareAndSetOutcome::Taken { time }
        } else {
            self.bytes += self.value.len();
            CompareAndSetOutcome::Current { time, value: self.value.clone() }
        };
        let travel = self.travel();
        let is_lost = self.lost_next > 0 || self.rng.f64() < self.mishaps;
        self.lost_next = self.lost_next.saturating_sub(1);
        (!is_lost).then_some((travel, answer))
    }

    /// Time after which a step arrives.
    pub(super) fn arrival(&mut self) -> Duration {
        let late = if self.rng.f64() < self.late { TIMEOUT * self.rng.u32(1..10) } else { Duration::ZERO };
        self.travel() + late
    }

    fn travel(&mut self) -> Duration {
        let share = self.rng.f64();
        Duration::from_secs_f64(self.latency.start + (self.latency.end - self.latency.start) * share)
    }
}
