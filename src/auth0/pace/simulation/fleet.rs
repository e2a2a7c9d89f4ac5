//! Promises of several replicas that share a budget.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{CallerKey, PaceSettings, Priority, RateClass};
use super::auth0::{Auth0, Bucket};
use super::client::{Client, End, Entry};
use super::run::Simulation;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// A seed for each plan: what replicas share is written and read at each step, which takes its time.
const SEEDS: std::ops::Range<u64> = 0..1;

/// So many at each replica who never stop asking, for users and logs in equal parts.
pub(super) fn crowd(simulation: &mut Simulation, each: usize) {
    for replica in 0..simulation.pacers.len() {
        for number in 0..each {
            let class = if number % 2 == 0 { RateClass::Users } else { RateClass::Logs };
            simulation.add(Client::busy_at(replica, class, number as u64));
        }
    }
}

/// Calls that were answered at a replica after a time.
fn answered(simulation: &Simulation, replica: usize, after: Duration) -> usize {
    let is_of = |client: usize| simulation.clients[client].replica == replica;
    simulation.count(|entry| is_of(entry.client) && entry.end == End::Answered && entry.decided >= after)
}

/// The share of a bucket's calls that were made between two times, beyond its size.
pub(super) fn used(simulation: &Simulation, class: RateClass, taken_before: u64, time: Duration) -> f64 {
    let bucket = simulation.auth0.bucket(class);
    (bucket.taken - taken_before) as f64 / (bucket.capacity(time) - bucket.capacity(Duration::ZERO))
}

#[test]
fn replicas_get_all_that_the_plan_gives_and_no_429() {
    let plans = [("free", Auth0::free()), ("essentials", Auth0::essentials()), ("enterprise", Auth0::enterprise())];
    for (name, plan) in plans {
        for replicas in [4, 16] {
            for seed in SEEDS {
                let mut simulation = Simulation::fleet(plan.clone(), seed, replicas);
                crowd(&mut simulation, 200 / replicas);
                simulation.run(MINUTE);
                assert_eq!(simulation.limited(), 0, "{name} {replicas} {seed}");
                let all = [RateClass::Users, RateClass::Logs].map(|class| {
                    let bucket = simulation.auth0.bucket(class);
                    bucket.taken as f64 / bucket.capacity(MINUTE)
                });
                assert!(all.iter().all(|used| *used >= 0.95), "{name} {replicas} {seed} {all:?}");
            }
        }
    }
}

#[test]
fn a_reserve_is_left_to_others_by_all_together() {
    for (plan, seed) in
        [Auth0::free(), Auth0::enterprise()].into_iter().flat_map(|plan| SEEDS.map(move |seed| (plan.clone(), seed)))
    {
        let mut simulation = Simulation::fleet_with(plan, seed, 4, PaceSettings { reserve: 0.3, queue: 10_000 });
        crowd(&mut simulation, 12);
        simulation.run(MINUTE);
        assert_eq!(simulation.limited(), 0);
        let bucket = simulation.auth0.bucket(RateClass::Users);
        let used = bucket.taken as f64 / bucket.capacity(MINUTE);
        assert!((0.60..=0.80).contains(&used), "{used}");
    }
}

#[test]
fn tokens_go_where_calls_wait() {
    for (plan, seed) in
        [Auth0::free(), Auth0::enterprise()].into_iter().flat_map(|plan| SEEDS.map(move |seed| (plan.clone(), seed)))
    {
        let mut simulation = Simulation::fleet(plan, seed, 4);
        for (replica, clients) in [60, 20, 20, 1].into_iter().enumerate() {
            for number in 0..clients {
                simulation.add(Client { patience: 20 * MINUTE, ..Client::busy_at(replica, RateClass::Users, number) });
            }
        }
        simulation.run(4 * MINUTE);
        assert_eq!(simulation.limited(), 0);
        let answered = [0, 1, 2, 3].map(|replica| answered(&simulation, replica, MINUTE));
        let all: usize = answered.iter().sum();
        let shares = answered.map(|answered| answered as f64 / all as f64);
        for (share, expected) in shares.into_iter().zip([60.0, 20.0, 20.0]) {
            assert!((share / (expected / 101.0) - 1.0).abs() < 0.15, "{shares:?}");
        }
        assert!(answered[3] >= all / 101 / 2, "{answered:?}");
    }
}

#[test]
fn nobody_waits_for_a_replica_that_does_not_come() {
    for (plan, seed) in
        [Auth0::free(), Auth0::enterprise()].into_iter().flat_map(|plan| SEEDS.map(move |seed| (plan.clone(), seed)))
    {
        let mut simulation = Simulation::fleet(plan, seed, 4);
        crowd(&mut simulation, 20);
        simulation.run(20 * SECOND);
        simulation.crash(1);
        simulation.pause(2, 30 * SECOND);
        let taken = simulation.auth0.bucket(RateClass::Users).taken;
        simulation.run(40 * SECOND);
        assert_eq!(simulation.limited(), 0);
        let in_pause = used(&simulation, RateClass::Users, taken, 20 * SECOND);
        let taken = simulation.auth0.bucket(RateClass::Users).taken;
        simulation.run(60 * SECOND);
        assert_eq!(simulation.limited(), 0, "{seed}");
        let after = used(&simulation, RateClass::Users, taken, 20 * SECOND);
        assert!(in_pause >= 0.85, "{in_pause}");
        assert!(after >= 0.95, "{after}");
        assert!(answered(&simulation, 2, 51 * SECOND) > 0);
        assert_eq!(simulation.pacers[0].fleet().unwrap().replicas, Some(3));
    }
}

#[test]
fn while_redis_is_away_each_takes_its_share_and_then_they_share_again() {
    for (plan, seed) in
        [Auth0::free(), Auth0::enterprise()].into_iter().flat_map(|plan| SEEDS.map(move |seed| (plan.clone(), seed)))
    {
        for is_emptied in [false, true] {
            let mut simulation = Simulation::fleet(plan.clone(), seed, 4);
            crowd(&mut simulation, 20);
            simulation.run(20 * SECOND);
            simulation.store.is_up = false;
            let taken = simulation.auth0.bucket(RateClass::Users).taken;
            simulation.run(50 * SECOND);
            let away = used(&simulation, RateClass::Users, taken, 30 * SECOND);
            assert!(simulation.pacers.iter().all(|pacer| pacer.fleet().unwrap().replicas.is_none()));
            for replica in 0..4 {
                assert!(answered(&simulation, replica, 30 * SECOND) > 0);
            }
            if is_emptied {
                simulation.store.value.clear();
            }
            simulation.store.is_up = true;
            simulation.run(55 * SECOND);
            assert!(simulation.pacers.iter().all(|pacer| pacer.fleet().unwrap().replicas == Some(4)));
            let taken = simulation.auth0.bucket(RateClass::Users).taken;
            simulation.run(75 * SECOND);
            let after = used(&simulation, RateClass::Users, taken, 20 * SECOND);
            assert!(away >= 0.5, "{away}");
            assert!(after >= 0.95, "{after}");
            // Replicas that are alone may call at the same time, which is more than two at once for a free tenant.
            assert!(simulation.limited() <= 12, "{}", simulation.limited());
        }
    }
}

#[test]
fn what_somebody_else_wrote_is_taken_for_none() {
    for (value, seed) in [&b""[..], b"nonsense", b"0123456789abcdef{}", &[0; 100]].into_iter().zip(0..) {
        let mut simulation = Simulation::fleet(Auth0::enterprise(), seed, 2);
        crowd(&mut simulation, 20);
        for second in 1..20 {
            simulation.run(second * SECOND);
            simulation.store.value = value.to_vec();
        }
        let taken = simulation.auth0.bucket(RateClass::Users).taken;
        simulation.run(40 * SECOND);
        assert_eq!(simulation.limited(), 0, "{value:?}");
        let used = used(&simulation, RateClass::Users, taken, 20 * SECOND);
        assert!(used >= 0.9, "{used}");
    }
}

#[test]
fn a_clock_that_is_set_stops_nobody() {
    for (plan, seed) in
        [Auth0::free(), Auth0::enterprise()].into_iter().flat_map(|plan| SEEDS.map(move |seed| (plan.clone(), seed)))
    {
        let mut simulation = Simulation::fleet(plan, seed, 4);
        crowd(&mut simulation, 20);
        simulation.run(20 * SECOND);
        simulation.store.epoch -= 60 * MINUTE;
        let taken = simulation.auth0.bucket(RateClass::Users).taken;
        simulation.run(40 * SECOND);
        simulation.store.epoch += 120 * MINUTE;
        simulation.run(60 * SECOND);
        let used = used(&simulation, RateClass::Users, taken, 40 * SECOND);
        assert!(used >= 0.9, "{used}");
        assert!(simulation.limited() <= 5, "{}", simulation.limited());
    }
}

#[test]
fn where_nobody_waits_redis_is_not_asked_for_each_call() {
    let mut simulation = Simulation::fleet(Auth0::shared(Bucket::new(50, 30.0)), 1, 4);
    for replica in 0..4 {
        simulation.add(Client::busy_at(replica, RateClass::Users, 1));
    }
    simulation.run(MINUTE);
    let asked = simulation.store.asked as f64 / simulation.auth0.bucket(RateClass::Users).taken as f64;
    assert!(asked < 2.0, "{asked}");
}

/// Steps, those of them that were taken, and bytes that replicas where calls wait ask of Redis for each call.
fn cost(plan: Auth0, replicas: usize) -> [f64; 3] {
    let mut simulation = Simulation::fleet(plan, 1, replicas);
    crowd(&mut simulation, 4);
    simulation.run(20 * SECOND);
    let before = [simulation.store.asked, simulation.store.taken, simulation.store.bytes];
    let taken = simulation.auth0.bucket(RateClass::Users).taken;
    simulation.run(80 * SECOND);
    assert_eq!(simulation.limited(), 0);
    let used = used(&simulation, RateClass::Users, taken, MINUTE);
    assert!(used >= 0.95, "{used}");
    let calls = (simulation.auth0.bucket(RateClass::Users).taken - taken) as f64;
    let after = [simulation.store.asked, simulation.store.taken, simulation.store.bytes];
    std::array::from_fn(|index| (after[index] - before[index]) as f64 / calls)
}

#[test]
fn a_token_that_many_wait_for_wakes_few() {
    let plans = [(Auth0::free(), 4), (Auth0::free(), 16), (Auth0::enterprise(), 4), (Auth0::enterprise(), 16)];
    let most = [[8.0, 4.0, 16_000.0], [13.0, 5.5, 40_000.0], [6.0, 4.0, 13_000.0], [7.0, 4.0, 20_000.0]];
    for ((plan, replicas), most) in plans.into_iter().zip(most) {
        let cost = cost(plan, replicas);
        assert!(cost.iter().zip(most).all(|(cost, most)| *cost <= most), "{replicas} {cost:?}");
    }
}

#[test]
fn one_that_waits_in_vain_is_told_before_its_time_is_up() {
    let mut simulation = Simulation::fleet(Auth0::free(), 1, 16);
    crowd(&mut simulation, 4);
    simulation.run(MINUTE);
    let waited_for = |entry: &Entry| entry.decided.saturating_sub(entry.asked);
    let in_vain = |entry: &Entry| {
        matches!(entry.end, End::PaceError { .. }) && waited_for(entry) >= simulation.clients[entry.client].patience
    };
    assert_eq!(
        simulation.count(in_vain),
        0,
        "{}",
        simulation.count(|entry| matches!(entry.end, End::PaceError { .. }))
    );
}

fn client() -> impl Strategy<Value = Client> {
    (0_usize..5, 0_usize..3, 0_u64..6, any::<bool>(), 200_u64..20_000, 0_u64..20_000, 1_u32..20).prop_map(
        |(replica, class, caller, is_bulk, patience, starts, calls)| Client {
            class: RateClass::ALL[class],
            caller: CallerKey(caller),
            priority: if is_bulk { Priority::Bulk } else { Priority::Interactive },
            patience: Duration::from_millis(patience),
            starts: Duration::from_millis(starts),
            calls,
            replica,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// A tenant answers with a 429 if there is no token left.
    #[test]
    fn never_are_more_tokens_out_than_the_bucket_has(
        limit in 1_u32..60,
        per_second in 0.9_f64..30.0,
        clients in prop::collection::vec(client(), 1..60),
        latency in 0.001_f64..1.0,
        step in 0.000_2_f64..0.008,
        has_mishaps: bool,
        // Of more than these, half a second may be full, which is an outage.
        lost_answers in prop_oneof![Just(0.0), 0.0_f64..0.25],
        late_steps in prop_oneof![Just(0.0), 0.0_f64..0.1],
        pauses in prop::collection::vec((0_usize..5, 0_u64..5_000, 1_u64..15_000), 0..6),
        crash in prop::option::of((0_usize..5, 0_u64..20_000)),
        seed: u64,
    ) {
        let mut simulation = Simulation::fleet(Auth0::shared(Bucket::new(limit, per_second)), seed, 5);
        simulation.latency = latency / 10.0..latency;
        simulation.mishaps = if has_mishaps { 0.2 } else { 0.0 };
        simulation.store.latency = step / 10.0..step;
        (simulation.store.mishaps, simulation.store.late) = (lost_answers, late_steps);
        for client in clients {
            simulation.add(client);
        }
        let mut pauses = pauses.into_iter();
        for second in 0..60 {
            simulation.run(second * SECOND);
            if second % 3 == 1 && let Some((replica, _, time)) = pauses.next() {
                simulation.pause(replica, Duration::from_millis(time));
            }
            if let Some((replica, at)) = crash && at / 1_000 == u64::from(second) {
                simulation.crash(replica);
            }
        }
        prop_assert_eq!(simulation.limited(), 0);
    }
}
