//! Promises, at the plans that Auth0 sells.

use std::time::Duration;

use super::super::{PaceSettings, Priority, RateClass};
use super::auth0::{Auth0, Bucket};
use super::client::{Client, End};
use super::run::Simulation;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const SEEDS: std::ops::Range<u64> = 0..5;

/// Fifty who never stop asking, for users and logs in equal parts.
fn crowd(simulation: &mut Simulation) {
    for caller in 0..50 {
        simulation.add(Client::busy(if caller % 2 == 0 { RateClass::Users } else { RateClass::Logs }, caller));
    }
}

/// The share of a bucket's calls that were made in the first minute.
fn used(bucket: &Bucket) -> f64 {
    bucket.taken as f64 / bucket.capacity(MINUTE)
}

#[test]
fn a_crowd_gets_all_that_the_plan_gives_and_no_429() {
    for (plan, seed) in
        [Auth0::free(), Auth0::enterprise()].into_iter().flat_map(|plan| SEEDS.map(move |seed| (plan.clone(), seed)))
    {
        let mut simulation = Simulation::new(plan, seed);
        crowd(&mut simulation);
        simulation.run(MINUTE);
        assert_eq!(simulation.limited(), 0);
        let used = used(simulation.auth0.bucket(RateClass::Users));
        assert!(used >= 0.95, "{used}");
        let buckets = simulation.pacers[0].buckets(MINUTE);
        assert_eq!(buckets.len(), 1, "{buckets:?}");
        assert_eq!(buckets[0].classes, [RateClass::Users, RateClass::Logs]);
    }
}

/// Time of a call there and back each, in seconds: next door, and from near and far.
const WAYS: [std::ops::Range<f64>; 3] = [0.000_05..0.000_2, 0.02..0.15, 0.05..0.25];

#[test]
fn a_reserve_is_left_to_others() {
    let plans = [Auth0::free(), Auth0::enterprise()];
    let cases = plans
        .iter()
        .flat_map(|plan| WAYS.map(|way| (plan, way)))
        .flat_map(|case| SEEDS.map(move |seed| (case.clone(), seed)));
    for ((plan, way), seed) in cases {
        for (reserve, expected) in [(0.1, 0.85..=0.95), (0.3, 0.60..=0.80)] {
            let mut simulation = Simulation::with(plan.clone(), seed, PaceSettings { reserve, queue: 10_000 });
            simulation.latency = way.clone();
            crowd(&mut simulation);
            simulation.run(MINUTE);
            assert_eq!(simulation.limited(), 0);
            assert_eq!(promises(&simulation).1, 0);
            let used = used(simulation.auth0.bucket(RateClass::Users));
            assert!(expected.contains(&used), "{reserve} {way:?} {used}");
        }
    }
}

#[test]
fn in_the_long_run_a_large_reserve_is_left_whole() {
    for (plan, seed) in
        [Auth0::free(), Auth0::enterprise()].into_iter().flat_map(|plan| SEEDS.map(move |seed| (plan.clone(), seed)))
    {
        for reserve in [0.5, 0.9] {
            let mut simulation = Simulation::with(plan.clone(), seed, PaceSettings { reserve, queue: 10_000 });
            crowd(&mut simulation);
            // The bucket is drained at first, to learn how fast it fills.
            simulation.run(4 * MINUTE);
            let taken = simulation.auth0.bucket(RateClass::Users).taken;
            simulation.run(64 * MINUTE);
            assert_eq!(simulation.limited(), 0);
            let taken = (simulation.auth0.bucket(RateClass::Users).taken - taken) as f64;
            let bucket = simulation.auth0.bucket(RateClass::Users);
            let refilled = bucket.capacity(64 * MINUTE) - bucket.capacity(4 * MINUTE);
            let used = taken / refilled / (1.0 - reserve);
            // The refill is learned from below, and the last fill-up may not be paid back yet.
            assert!((0.7..=1.05).contains(&used), "{reserve} {used}");
        }
    }
}

#[test]
fn when_others_go_away_our_share_is_found_again() {
    for plan in [Auth0::free(), Auth0::enterprise()] {
        for (reserve, expected, seed) in SEEDS.flat_map(|seed| [(0.1, 0.84..=0.90, seed), (0.5, 0.42..=0.53, seed)]) {
            let mut simulation = Simulation::with(plan.clone(), seed, PaceSettings { reserve, queue: 10_000 });
            crowd(&mut simulation);
            let bucket = plan.bucket(RateClass::Users);
            simulation.add_others(RateClass::Users, bucket.capacity(MINUTE) / 120.0);
            simulation.run(MINUTE);
            simulation.others_go_away();
            simulation.run(8 * MINUTE);
            let taken = simulation.auth0.bucket(RateClass::Users).taken;
            simulation.run(10 * MINUTE);
            let taken = (simulation.auth0.bucket(RateClass::Users).taken - taken) as f64;
            let share = taken / (bucket.capacity(2 * MINUTE) - bucket.capacity(Duration::ZERO));
            assert!(expected.contains(&share), "{reserve} {seed} {share}");
        }
    }
}

#[test]
fn buckets_of_different_sizes_are_told_apart() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Auth0::essentials(), seed);
        crowd(&mut simulation);
        simulation.run(MINUTE);
        assert_eq!(simulation.limited(), 0);
        for class in [RateClass::Users, RateClass::Logs] {
            let used = used(simulation.auth0.bucket(class));
            assert!(used >= 0.95, "{class:?} {used}");
        }
        let limits: Vec<_> =
            simulation.pacers[0].buckets(MINUTE).into_iter().map(|bucket| (bucket.classes, bucket.limit)).collect();
        assert!(
            limits.contains(&(vec![RateClass::Users], 40)) && limits.contains(&(vec![RateClass::Logs], 10)),
            "{limits:?}"
        );
    }
}

#[test]
fn buckets_of_the_same_size_are_told_apart_when_it_shows() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Auth0::essentials(), seed);
        for caller in 0..30 {
            simulation.add(Client::busy(RateClass::Logs, caller));
        }
        simulation.run(10 * SECOND);
        for caller in 100..103 {
            simulation.add(Client {
                starts: Duration::from_secs(caller - 90),
                calls: 3,
                ..Client::busy(RateClass::Other, caller)
            });
        }
        simulation.run(MINUTE);
        assert_eq!(simulation.limited(), 0);
        assert_eq!(simulation.pacers[0].buckets(MINUTE).len(), 2);
        assert_eq!(simulation.auth0.bucket(RateClass::Other).taken, 9);
        assert!(used(simulation.auth0.bucket(RateClass::Logs)) >= 0.95);
    }
}

#[test]
fn an_unknown_class_finds_out_while_all_others_are_busy() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Auth0::essentials(), seed);
        crowd(&mut simulation);
        simulation.run(30 * SECOND);
        let other = simulation.add(Client { calls: 1, ..Client::busy(RateClass::Other, 99) });
        simulation.run(40 * SECOND);
        let entry = simulation.log.iter().find(|entry| entry.client == other).expect("it had its turn");
        assert!(entry.decided - entry.asked < SECOND, "{entry:?}");
        assert_eq!(simulation.limited(), 0);
    }
}

#[test]
fn a_greedy_caller_does_not_hold_up_another() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Auth0::free(), seed);
        let patience = 20 * MINUTE;
        for _ in 0..1_000 {
            simulation.add(Client { patience, calls: 1, ..Client::busy(RateClass::Users, 1) });
        }
        simulation.run(10 * SECOND);
        let other = simulation.add(Client { calls: 1, ..Client::busy(RateClass::Users, 2) });
        simulation.run(15 * SECOND);
        let entry = simulation.log.iter().find(|entry| entry.client == other).expect("it had its turn");
        assert_eq!(entry.end, End::Answered);
        // One call of the greedy one, and its own.
        assert!(entry.decided - entry.asked < SECOND + SECOND / 5, "{entry:?}");
    }
}

#[test]
fn bulk_waits_for_everybody_else() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Auth0::free(), seed);
        for caller in 0..30 {
            let patience = 20 * MINUTE;
            simulation.add(Client { priority: Priority::Bulk, patience, ..Client::busy(RateClass::Logs, caller) });
        }
        simulation.run(10 * SECOND);
        let person = simulation.add(Client { calls: 10, ..Client::busy(RateClass::Logs, 99) });
        simulation.run(20 * SECOND);
        let waits =
            simulation.log.iter().filter(|entry| entry.client == person).map(|entry| entry.decided - entry.asked);
        let waits: Vec<_> = waits.collect();
        assert_eq!(waits.len(), 10);
        assert!(waits.iter().all(|&wait| wait < SECOND), "{waits:?}");
    }
}

#[test]
fn a_refusal_is_immediate_and_coming_back_when_told_succeeds() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Auth0::free(), seed);
        let patience = 3 * SECOND;
        // Let it learn first.
        simulation.add(Client { calls: 20, ..Client::busy(RateClass::Users, 0) });
        simulation.run(10 * SECOND);
        for caller in 1..8 {
            simulation.add(Client {
                patience,
                calls: 1,
                starts: 15 * SECOND,
                ..Client::busy(RateClass::Users, caller)
            });
        }
        let late =
            simulation.add(Client { patience, calls: 2, starts: 15 * SECOND, ..Client::busy(RateClass::Users, 9) });
        simulation.run(MINUTE);

        let log: Vec<_> = simulation.log.iter().filter(|entry| entry.client == late).collect();
        let [refused, answered] = log[..] else { panic!("{log:?}") };
        let End::PaceError { retry_after } = refused.end else { panic!("{log:?}") };
        assert_eq!(refused.decided, refused.asked);
        assert!(retry_after > 2 * SECOND && retry_after < 4 * SECOND, "{retry_after:?}");
        assert_eq!(answered.end, End::Answered);
        // Calls that find the bucket full are on their way for a while, which comes on top.
        assert!(answered.decided - answered.asked < 300 * SECOND / 1_000, "{log:?}");
    }
}

/// Number of those that were refused who were served, and how many refused again, when they came back as told.
fn promises(simulation: &Simulation) -> (usize, usize) {
    let (mut kept, mut broken) = (0, 0);
    let mut was_refused = vec![false; simulation.clients.len()];
    for entry in &simulation.log {
        let is_refused = matches!(entry.end, End::PaceError { .. });
        match (std::mem::replace(&mut was_refused[entry.client], is_refused), is_refused) {
            (true, true) => broken += 1,
            (true, false) => kept += 1,
            (false, _) => {}
        }
    }
    (kept, broken)
}

#[test]
fn in_a_crowd_whoever_comes_back_as_told_is_served() {
    let crowds = [(Auth0::free(), 50), (Auth0::free(), 400), (Auth0::enterprise(), 400)];
    for ((plan, size), seed) in crowds.into_iter().flat_map(|crowd| SEEDS.map(move |seed| (crowd.clone(), seed))) {
        // Fifty callers, or one.
        for is_one in [false, true] {
            let mut simulation = Simulation::new(plan.clone(), seed);
            for number in 0..size {
                simulation.add(Client::busy(RateClass::Users, if is_one { 0 } else { number }));
            }
            simulation.run(MINUTE);
            let (kept, broken) = promises(&simulation);
            assert_eq!(broken, 0, "{size} {is_one}");
            assert!(kept > 20, "{size} {is_one} {kept}");
            let used = used(simulation.auth0.bucket(RateClass::Users));
            assert!(used >= 0.95, "{size} {is_one} {used}");
        }
    }
}

#[test]
fn in_a_crowd_everybody_has_a_turn() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Auth0::free(), seed);
        crowd(&mut simulation);
        simulation.run(MINUTE);
        for client in 0..50 {
            assert!(simulation.count(|entry| entry.client == client && entry.end == End::Answered) > 0, "{client}");
        }
    }
}

#[test]
fn those_who_never_come_back_hold_up_nobody() {
    for seed in SEEDS {
        let mut simulation = Simulation::new(Auth0::free(), seed);
        for caller in 0..200 {
            simulation.add(Client { calls: 1, ..Client::busy(RateClass::Users, caller) });
        }
        simulation.run(20 * SECOND);
        let first = simulation.add(Client { calls: 1, ..Client::busy(RateClass::Users, 1_000) });
        for caller in 1_001..1_010 {
            simulation.add(Client { calls: 1, ..Client::busy(RateClass::Users, caller) });
        }
        simulation.run(30 * SECOND);
        for client in first..first + 10 {
            assert_eq!(simulation.count(|entry| entry.client == client && entry.end == End::Answered), 1, "{client}");
        }
    }
}

#[test]
fn all_refusals_are_immediate_once_the_bucket_is_known() {
    let mut simulation = Simulation::new(Auth0::free(), 1);
    crowd(&mut simulation);
    simulation.run(MINUTE);
    let is_refusal = |end| matches!(end, End::PaceError { .. });
    let late =
        |entry: &&super::client::Entry| is_refusal(entry.end) && entry.asked > SECOND && entry.decided != entry.asked;
    assert_eq!(simulation.log.iter().filter(late).count(), 0);
    assert!(simulation.count(|entry| is_refusal(entry.end)) > 0);
}

#[test]
fn the_queue_is_bounded_and_always_has_room_for_somebody_new() {
    let mut simulation = Simulation::with(Auth0::free(), 1, PaceSettings { reserve: 0.0, queue: 10 });
    for _ in 0..100 {
        simulation.add(Client { calls: 1, patience: MINUTE, ..Client::busy(RateClass::Users, 1) });
    }
    simulation.run(SECOND / 100);
    let waiting = |simulation: &Simulation| simulation.open() - 1;
    assert_eq!(waiting(&simulation), 5);
    simulation.add(Client { calls: 1, patience: MINUTE, ..Client::busy(RateClass::Users, 2) });
    simulation.run(SECOND / 50);
    assert_eq!(waiting(&simulation), 6);
}

#[test]
fn others_on_the_tenant_cost_some_429s_and_little_else() {
    for seed in SEEDS {
        for (plan, others) in [(Auth0::free(), 0.5), (Auth0::enterprise(), 4.0)] {
            let mut simulation = Simulation::new(plan, seed);
            crowd(&mut simulation);
            simulation.add_others(RateClass::Users, others);
            simulation.run(MINUTE);
            let used = used(simulation.auth0.bucket(RateClass::Users));
            let limited = simulation.limited() as f64 / simulation.count(|entry| entry.end == End::Answered) as f64;
            assert!(used >= 0.75, "{used}");
            assert!(limited <= 0.15, "{limited}");
        }
    }
}

#[test]
fn a_refill_once_per_second_costs_some_429s_and_little_else() {
    for seed in SEEDS {
        for bucket in [Bucket::new(2, 2.0), Bucket::new(40, 500.0 / 60.0), Bucket::new(50, 16.0)] {
            let mut simulation = Simulation::new(Auth0::shared(bucket.in_lumps(1.0)), seed);
            crowd(&mut simulation);
            simulation.run(MINUTE);
            let used = used(simulation.auth0.bucket(RateClass::Users));
            let limited = simulation.limited() as f64 / simulation.count(|entry| entry.end == End::Answered) as f64;
            assert!(used >= 0.80, "{used}");
            assert!(limited <= 0.15, "{limited}");
        }
    }
}
