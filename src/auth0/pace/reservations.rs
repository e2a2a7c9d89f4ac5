//! Places kept for those who were told to come back.
//!
//! Whoever is refused because its turn would come too late is told when it would be, and has it if it asks again then. Were
//! it not so, in a crowd that never stops asking the same few would be served all the time: a place that is given up is
//! taken at once by whoever has just been served.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Duration;

use super::CallerKey;

/// Time by which somebody may come back later than told: `Retry-After` is in whole seconds, and the way takes time.
const LATE: Duration = Duration::from_secs(2);

/// The same for earlier. What is told is in whole milliseconds, and clocks differ.
const EARLY: Duration = Duration::from_millis(50);

/// After so many in a row did not come back, no place is kept any more: these callers do not do as they are told, and
/// others would be refused for nothing.
const MOST_MISSES: u32 = 3;

/// Tells a caller's calls apart, so that one that is asked for again is known. It is a hash: to take two calls for one does
/// no harm, but that one of them may have to ask once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestHash(pub(super) u64);

impl RequestHash {
    pub(crate) fn of(text: &str) -> Self {
        // Nobody outside can find two texts with the same hash.
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(SEED.hash_one(text))
    }
}

/// The caller and the request that a place is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ReservationKey {
    pub(crate) caller: CallerKey,
    pub(crate) request: RequestHash,
}

/// Reservations, by the time at which they are due.
#[derive(Debug, Clone, Default)]
pub(super) struct Reservations {
    dues: HashMap<ReservationKey, Duration>,
    in_order: BTreeSet<(Duration, ReservationKey)>,
    /// Number in a row that did not come back.
    misses: u32,
}

impl Reservations {
    pub(super) fn len(&self) -> usize {
        self.dues.len()
    }

    /// True if one was told to come back about now.
    pub(super) fn is_due(&self, reservation: ReservationKey, now: Duration) -> bool {
        self.dues.get(&reservation).is_some_and(|&due| due <= now + EARLY)
    }

    /// Keeps a place, unless one is kept already that is not due yet; gives back when it is.
    pub(super) fn keep(&mut self, reservation: ReservationKey, due: Duration, now: Duration) -> Duration {
        if self.is_due(reservation, now) {
            self.remove(reservation);
        }
        let due = *self.dues.entry(reservation).or_insert(due);
        self.in_order.insert((due, reservation));
        due
    }

    /// Redeems the reservation of one that asks again and will be served; true if it came as told. If not, it is not needed any more.
    pub(super) fn take(&mut self, reservation: ReservationKey, now: Duration) -> bool {
        if self.dues.is_empty() {
            return false;
        }
        let is_due = self.is_due(reservation, now);
        if self.remove(reservation) {
            self.misses = 0;
        }
        is_due
    }

    pub(super) fn lapse(&mut self, now: Duration) {
        while let Some(&(due, reservation)) = self.in_order.first()
            && (due + LATE < now || self.misses >= MOST_MISSES)
        {
            self.remove(reservation);
            self.misses = self.misses.saturating_add(1);
        }
        if self.dues.is_empty() {
            self.misses = 0;
        }
    }

    /// Number that go before one that has `ahead` before it of those who wait: those as well who will be back before its turn,
    /// which is at `time_of` the calls that are to be made by then. Of each caller no more than `turns_left` says.
    pub(super) fn with_those_before(
        &self,
        mut ahead: usize,
        reservation: ReservationKey,
        time_of: impl Fn(usize) -> Duration,
        turns_left: impl Fn(CallerKey) -> usize,
    ) -> usize {
        let mut taken = HashMap::<CallerKey, usize>::new();
        for &(due, other) in &self.in_order {
            if other == reservation {
                continue;
            }
            if time_of(ahead + 1) < due {
                break;
            }
            let turns = taken.entry(other.caller).or_default();
            if *turns < turns_left(other.caller) {
                *turns += 1;
                ahead += 1;
            }
        }
        ahead
    }

    fn remove(&mut self, reservation: ReservationKey) -> bool {
        let due = self.dues.remove(&reservation);
        due.is_some_and(|due| self.in_order.remove(&(due, reservation)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn reservation(caller: u64, request: &str) -> ReservationKey {
        ReservationKey { caller: CallerKey(caller), request: RequestHash::of(request) }
    }

    #[test]
    fn a_place_is_had_by_whoever_comes_back_about_when_told() {
        for (comes, expected) in
            [(0, false), (4_949, false), (4_950, true), (5_000, true), (7_000, true), (7_001, false)]
        {
            let mut places = Reservations::default();
            places.keep(reservation(1, "a"), ms(5_000), ms(0));
            places.lapse(ms(comes));
            assert!(!places.take(reservation(1, "b"), ms(comes)));
            assert!(!places.take(reservation(2, "a"), ms(comes)));
            assert_eq!(places.take(reservation(1, "a"), ms(comes)), expected, "{comes}");
            assert_eq!(places.len(), 0);
        }
    }

    #[test]
    fn to_ask_again_too_early_changes_nothing() {
        let mut places = Reservations::default();
        assert_eq!(places.keep(reservation(1, "a"), ms(5_000), ms(0)), ms(5_000));
        assert_eq!(places.keep(reservation(1, "a"), ms(9_000), ms(4_000)), ms(5_000));
        // It was there in time, and still had to be refused.
        assert_eq!(places.keep(reservation(1, "a"), ms(9_000), ms(5_000)), ms(9_000));
        assert_eq!(places.len(), 1);
    }

    #[test]
    fn when_nobody_comes_back_no_place_is_kept() {
        let mut places = Reservations::default();
        for second in 1..=6 {
            places.keep(reservation(second, ""), ms(second * 1_000), ms(0));
        }
        places.lapse(ms(4_001));
        assert_eq!(places.len(), 4);
        assert!(places.take(reservation(4, ""), ms(4_100)));
        // Two missed it before that one came, and two more do.
        places.lapse(ms(7_500));
        assert_eq!(places.len(), 1);
        places.keep(reservation(7, ""), ms(60_000), ms(7_500));
        places.lapse(ms(8_001));
        assert_eq!(places.len(), 0);
    }

    #[test]
    fn those_who_will_be_back_before_are_ahead() {
        let mut places = Reservations::default();
        for due in [1_000, 2_000, 3_000, 9_000] {
            places.keep(reservation(1, &due.to_string()), ms(due), ms(0));
        }
        // One call per second.
        let time_of = |calls: usize| ms(1_000 * calls as u64);
        let ahead = |ahead, turns| places.with_those_before(ahead, reservation(2, ""), time_of, |_| turns);
        assert_eq!(ahead(0, usize::MAX), 3);
        assert_eq!(ahead(5, usize::MAX), 9);
        assert_eq!(ahead(0, 1), 1);
        assert_eq!(places.with_those_before(0, reservation(1, "1000"), time_of, |_| 9), 0, "its own is not before it");
    }
}
