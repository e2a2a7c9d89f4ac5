//! Counts of calls, by class: buckets come, go and are shared, the counts stay.

use super::Class;

/// Calls that were let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// All of them, since the start.
    pub(super) sent: u64,
    /// Those whose answers showed that they were counted.
    pub(super) counted: u64,
    /// Those that have not ended.
    pub(super) in_flight: u64,
}

/// A value for each class.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ByClass<T>([T; Class::ALL.len()]);

impl<T> ByClass<T> {
    pub(super) fn of(&self, class: Class) -> &T {
        &self.0[class as usize]
    }

    pub(super) fn of_mut(&mut self, class: Class) -> &mut T {
        &mut self.0[class as usize]
    }
}

impl ByClass<Tally> {
    /// Of some classes together.
    pub(super) fn sum(&self, classes: impl IntoIterator<Item = Class>) -> Tally {
        classes.into_iter().map(|class| self.of(class)).fold(Tally::default(), |sum, tally| Tally {
            sent: sum.sent + tally.sent,
            counted: sum.counted + tally.counted,
            in_flight: sum.in_flight + tally.in_flight,
        })
    }
}
