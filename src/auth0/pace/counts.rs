//! Counts of calls, by class: buckets come, go and are shared, the counts stay.

use serde::{Deserialize, Serialize};

use super::RateClass;

/// Calls that were let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub(super) struct CallCounts {
    /// All of them, since the start.
    pub(super) sent: u64,
    /// Calls whose answers showed that they were counted.
    pub(super) counted: u64,
    /// Calls that have not ended.
    pub(super) in_flight: u64,
}

impl From<(u64, u64, u64)> for CallCounts {
    fn from((sent, counted, in_flight): (u64, u64, u64)) -> Self {
        Self { sent, counted, in_flight }
    }
}

impl From<CallCounts> for (u64, u64, u64) {
    fn from(counts: CallCounts) -> Self {
        (counts.sent, counts.counted, counts.in_flight)
    }
}

/// A value for each class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ByClass<T>([T; RateClass::ALL.len()]);

impl<T> ByClass<T> {
    pub(super) fn of(&self, class: RateClass) -> &T {
        &self.0[class as usize]
    }

    pub(super) fn of_mut(&mut self, class: RateClass) -> &mut T {
        &mut self.0[class as usize]
    }

    /// The same with a change to each.
    pub(super) fn map<U>(self, change: impl FnMut(T) -> U) -> ByClass<U> {
        ByClass(self.0.map(change))
    }
}

impl ByClass<CallCounts> {
    /// The counts of some classes together.
    pub(super) fn sum(&self, classes: impl IntoIterator<Item = RateClass>) -> CallCounts {
        classes.into_iter().map(|class| self.of(class)).fold(CallCounts::default(), |sum, counts| CallCounts {
            sent: sum.sent + counts.sent,
            counted: sum.counted + counts.counted,
            in_flight: sum.in_flight + counts.in_flight,
        })
    }
}
