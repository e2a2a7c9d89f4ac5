//! The breaker's states. Pure: the time comes in, no clock is read.

use std::time::Duration;

use tokio::time::Instant;

use super::{BreakerStatus, Health};

/// Part of the window that is forgotten at once.
const SLOT: Duration = Duration::from_millis(500);

/// The window is five seconds: long enough that the two calls a second of a free tenant come to
/// [`FEWEST_CALLS`], short enough that a quiet past does not hide an outage for long.
const SLOTS: usize = 10;

/// The fewest attempts in the window whose failures are no chance.
const FEWEST_CALLS: u32 = 10;

/// Time for which Auth0 is left alone before one call may try it again. It does not grow: one call in
/// half a second is no burden to Auth0, and whoever asks after its recovery should have an answer
/// within a second.
const COOL_DOWN: Duration = Duration::from_millis(500);

/// After this time without an answer the next call may be the probe: the first may hang until its
/// deadline, on a connection that will never wake.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Circuit {
    state: State,
    /// Grows with every change of state and every probe, so that a report is known to be of now.
    round: u64,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    Open { until: Instant },
    HalfOpen { since: Instant },
}

/// A permit for one attempt, to be handed back with what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Permit {
    round: u64,
    is_probe: bool,
}

impl Circuit {
    pub(super) fn new(now: Instant) -> Self {
        Self { state: State::Closed(Window::new(now)), round: 0 }
    }

    /// True if an attempt may be made now.
    pub(super) fn admit(&mut self, now: Instant) -> Option<Permit> {
        let may_probe = match self.state {
            State::Closed(_) => return Some(Permit { round: self.round, is_probe: false }),
            State::Open { until } => now >= until,
            State::HalfOpen { since } => now.saturating_duration_since(since) >= PROBE_TIMEOUT,
        };
        may_probe.then(|| {
            self.change(State::HalfOpen { since: now });
            Permit { round: self.round, is_probe: true }
        })
    }

    /// Takes in what came of an attempt.
    pub(super) fn report(&mut self, permit: Permit, health: Health, now: Instant) {
        let is_current = permit.round == self.round;
        match (&mut self.state, health) {
            (State::Closed(window), Health::Alive | Health::Failing) if is_current => {
                window.count(health == Health::Failing, now);
                if window.is_failing() {
                    self.change(State::Open { until: now + COOL_DOWN });
                }
            }
            // Even a probe that was given up: if every answer takes longer than the time for
            // it, the circuit would never close otherwise.
            (State::Open { .. } | State::HalfOpen { .. }, Health::Alive) if permit.is_probe => {
                self.change(State::Closed(Window::new(now)));
            }
            (State::HalfOpen { .. }, Health::Failing) if is_current => {
                self.change(State::Open { until: now + COOL_DOWN });
            }
            // It was dropped, or said nothing: the next call is the probe.
            (State::HalfOpen { .. }, Health::Unknown) if is_current => self.change(State::Open { until: now }),
            _ => {}
        }
    }

    pub(super) fn status(&self, now: Instant) -> BreakerStatus {
        match self.state {
            State::Closed(_) => BreakerStatus::Closed,
            State::Open { until } if now < until => BreakerStatus::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerStatus::HalfOpen,
        }
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.round += 1;
    }
}

/// The outcomes of the attempts of the last seconds.
#[derive(Debug)]
struct Window {
    start: Instant,
    /// The number of the slot that is counted into, from the start on.
    newest: u128,
    slots: [Slot; SLOTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    calls: u32,
    failures: u32,
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { start: now, newest: 0, slots: [Slot::default(); SLOTS] }
    }

    fn count(&mut self, failed: bool, now: Instant) {
        let number = now.saturating_duration_since(self.start).as_millis() / SLOT.as_millis();
        while self.newest < number {
            // Whole rounds need not be walked: after one, everything is forgotten.
            self.newest = (self.newest + 1).max(number.saturating_sub(SLOTS as u128 - 1));
            *self.slot() = Slot::default();
        }
        let slot = self.slot();
        slot.calls += 1;
        slot.failures += u32::from(failed);
    }

    fn slot(&mut self) -> &mut Slot {
        &mut self.slots[(self.newest % SLOTS as u128) as usize]
    }

    /// True if half of the attempts failed: by then a caller is more likely to wait for nothing
    /// than to be served.
    fn is_failing(&self) -> bool {
        let calls: u32 = self.slots.iter().map(|slot| slot.calls).sum();
        let failures: u32 = self.slots.iter().map(|slot| slot.failures).sum();
        calls >= FEWEST_CALLS && failures >= calls.div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_nanos(1);

    /// A circuit and a clock that only the test moves.
    struct Bench {
        circuit: Circuit,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let now = Instant::now();
            Self { circuit: Circuit::new(now), now }
        }

        fn open() -> Self {
            let mut bench = Self::new();
            bench.calls(10, Health::Failing);
            assert_eq!(bench.status(), BreakerStatus::Open);
            bench
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
        }

        fn admit(&mut self) -> Option<Permit> {
            self.circuit.admit(self.now)
        }

        fn probe(&mut self) -> Permit {
            let permit = self.admit().expect("a probe may go");
            assert!(permit.is_probe);
            assert_eq!(self.status(), BreakerStatus::HalfOpen);
            permit
        }

        fn report(&mut self, permit: Permit, health: Health) {
            self.circuit.report(permit, health, self.now);
        }

        fn calls(&mut self, count: u32, health: Health) {
            for _ in 0..count {
                let permit = self.admit().expect("it is closed");
                self.report(permit, health);
            }
        }

        fn status(&self) -> BreakerStatus {
            self.circuit.status(self.now)
        }
    }

    #[test]
    fn it_opens_when_half_of_enough_attempts_fail() {
        for (alive, unknown, failing, expected) in [
            (0, 0, 9, BreakerStatus::Closed),
            (0, 0, 10, BreakerStatus::Open),
            (5, 0, 4, BreakerStatus::Closed),
            (5, 0, 5, BreakerStatus::Open),
            (6, 0, 5, BreakerStatus::Closed),
            (100, 0, 99, BreakerStatus::Closed),
            (100, 0, 100, BreakerStatus::Open),
            (0, 100, 9, BreakerStatus::Closed),
            (0, 100, 10, BreakerStatus::Open),
        ] {
            let mut bench = Bench::new();
            bench.calls(alive, Health::Alive);
            bench.calls(unknown, Health::Unknown);
            bench.calls(failing, Health::Failing);
            assert_eq!(bench.status(), expected, "{alive} {unknown} {failing}");
        }
    }

    #[test]
    fn the_window_slides() {
        // Nine failures, and one more after a while: do they still count together?
        for (pause, expected) in [
            (Duration::ZERO, BreakerStatus::Open),
            (SLOT * 9, BreakerStatus::Open),
            (SLOT * 10 - TICK, BreakerStatus::Open),
            (SLOT * 10, BreakerStatus::Closed),
            (SLOT * 15, BreakerStatus::Closed),
            (SLOT * 20, BreakerStatus::Closed),
            (Duration::from_secs(1 << 40), BreakerStatus::Closed),
        ] {
            let mut bench = Bench::new();
            bench.calls(9, Health::Failing);
            bench.pass(pause);
            bench.calls(1, Health::Failing);
            assert_eq!(bench.status(), expected, "{pause:?}");
        }
        // Half a window on, the first half is still remembered.
        let mut bench = Bench::new();
        bench.calls(10, Health::Alive);
        bench.pass(SLOT * 5);
        bench.calls(9, Health::Failing);
        assert_eq!(bench.status(), BreakerStatus::Closed);
        bench.pass(SLOT * 5);
        bench.calls(1, Health::Failing);
        assert_eq!(bench.status(), BreakerStatus::Open, "ten of ten that are left");
    }

    #[test]
    fn while_it_is_open_nothing_passes_and_then_one_probe() {
        let mut bench = Bench::open();
        assert_eq!(bench.admit(), None);
        bench.pass(COOL_DOWN - TICK);
        assert_eq!(bench.admit(), None);
        assert_eq!(bench.status(), BreakerStatus::Open);
        bench.pass(TICK);
        assert_eq!(bench.status(), BreakerStatus::HalfOpen);
        let probe = bench.probe();
        assert_eq!(bench.admit(), None);

        bench.report(probe, Health::Failing);
        assert_eq!(bench.status(), BreakerStatus::Open);
        bench.pass(COOL_DOWN);
        let probe = bench.probe();
        bench.report(probe, Health::Alive);
        assert_eq!(bench.status(), BreakerStatus::Closed);
        // The failures that opened it are forgotten.
        bench.calls(9, Health::Failing);
        assert_eq!(bench.status(), BreakerStatus::Closed);
    }

    #[test]
    fn a_probe_that_says_nothing_leaves_its_place_to_the_next() {
        let mut bench = Bench::open();
        bench.pass(COOL_DOWN);
        let dropped = bench.probe();
        bench.report(dropped, Health::Unknown);
        let silent = bench.probe();
        bench.pass(PROBE_TIMEOUT - TICK);
        assert_eq!(bench.admit(), None);
        bench.pass(TICK);
        let current = bench.probe();
        assert_eq!(bench.admit(), None);

        // The silent one's outcome matters only if it is good.
        bench.report(silent, Health::Failing);
        bench.report(silent, Health::Unknown);
        assert_eq!(bench.admit(), None);
        assert_eq!(bench.status(), BreakerStatus::HalfOpen);
        bench.report(silent, Health::Alive);
        assert_eq!(bench.status(), BreakerStatus::Closed);
        bench.report(current, Health::Failing);
        assert_eq!(bench.status(), BreakerStatus::Closed);
    }

    #[test]
    fn answers_to_older_calls_change_nothing() {
        let mut bench = Bench::new();
        let older = bench.admit().expect("it is closed");
        bench.calls(10, Health::Failing);
        for health in [Health::Alive, Health::Failing, Health::Unknown] {
            bench.report(older, health);
            assert_eq!(bench.status(), BreakerStatus::Open);
        }
        bench.pass(COOL_DOWN);
        let probe = bench.probe();
        for health in [Health::Alive, Health::Failing, Health::Unknown] {
            bench.report(older, health);
            assert_eq!(bench.admit(), None);
            assert_eq!(bench.status(), BreakerStatus::HalfOpen);
        }
        bench.report(probe, Health::Alive);
        for _ in 0..10 {
            bench.report(older, Health::Failing);
        }
        assert_eq!(bench.status(), BreakerStatus::Closed);
    }
}
