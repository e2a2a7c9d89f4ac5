//! Promises of a replica that comes, goes, and does not hear.

use std::time::Duration;

use super::super::fleet_budget::FleetBudget;
use super::super::{PaceSettings, RateClass};
use super::auth0::{Auth0, Bucket};
use super::client::Client;
use super::fleet::{crowd, used};
use super::run::Simulation;

const SECOND: Duration = Duration::from_secs(1);

/// The value that replicas share.
fn shared(simulation: &Simulation) -> FleetBudget {
    FleetBudget::decode(&simulation.store.value[16..], simulation.store.epoch + simulation.now).unwrap()
}

#[test]
fn however_many_answers_are_lost_no_call_is_made_that_auth0_refuses() {
    for (plan, lost, late) in [(Auth0::free(), 0.1, 0.0), (Auth0::free(), 0.4, 0.1), (Auth0::enterprise(), 0.4, 0.1)] {
        let mut simulation = Simulation::fleet(plan, 1, 4);
        (simulation.store.mishaps, simulation.store.late) = (lost, late);
        crowd(&mut simulation, 20);
        simulation.run(20 * SECOND);
        let taken = simulation.auth0.bucket(RateClass::Users).taken;
        simulation.run(80 * SECOND);
        let used = used(&simulation, RateClass::Users, taken, 60 * SECOND);
        assert_eq!(simulation.limited(), 0);
        assert!(used >= 0.95, "{lost} {used}");
    }
}

#[test]
fn answers_that_are_lost_one_after_the_other_are_made_up_for() {
    // Of the most of them half a second is full.
    for number in [2, 3, 6, 14] {
        for plan in [Auth0::free(), Auth0::enterprise()] {
            let mut simulation = Simulation::fleet(plan, 1, 4);
            crowd(&mut simulation, 20);
            for second in 10..40 {
                simulation.run(second * SECOND);
                simulation.store.lost_next = number;
            }
            assert_eq!(simulation.limited(), 0, "{number}");
        }
    }
}

#[test]
fn one_that_was_paused_while_an_answer_was_lost_takes_nothing_of_what_the_others_used() {
    for plan in [Auth0::free(), Auth0::enterprise()] {
        let mut simulation = Simulation::fleet(plan, 1, 4);
        crowd(&mut simulation, 20);
        for round in 1..6 {
            simulation.run(20 * round * SECOND);
            // They are paused one after the other, so that each has a step on its way.
            simulation.store.lost_next = 3;
            simulation.run(simulation.now + Duration::from_millis(15));
            for replica in 0..3 {
                simulation.pause(replica, 9 * SECOND);
            }
        }
        simulation.run(120 * SECOND);
        assert_eq!(simulation.limited(), 0);
    }
}

#[test]
fn one_that_leaves_gives_back_what_it_was_granted_and_did_not_use() {
    let mut simulation = Simulation::fleet(Auth0::shared(Bucket::new(50, 30.0)), 1, 2);
    for replica in 0..2 {
        simulation.add(Client::busy_at(replica, RateClass::Users, 1));
    }
    simulation.run(20 * SECOND);
    let leases = |simulation: &Simulation| simulation.pacers[1].fleet().unwrap().leases as u64;
    while leases(&simulation) < 2 {
        simulation.run(simulation.now + Duration::from_millis(1));
    }
    let held = |simulation: &Simulation| *shared(simulation).budget().in_flight().of(RateClass::Users);
    let left = held(&simulation) - leases(&simulation);
    simulation.leave(1);
    simulation.run(simulation.now + Duration::from_millis(5));
    assert_eq!((shared(&simulation).replicas(), simulation.pacers[1].fleet()), (1, None));
    assert!(held(&simulation) <= left, "{} {left}", held(&simulation));
    simulation.run(40 * SECOND);
    assert_eq!(simulation.limited(), 0);
}

#[test]
fn the_share_that_is_left_to_others_is_what_the_last_to_come_was_told() {
    let settings = [0.0, 0.3].map(|reserve| PaceSettings { reserve, queue: 10_000 });
    let mut simulation = Simulation::fleet_of(Auth0::enterprise(), 1, settings);
    simulation.pause(1, 20 * SECOND);
    crowd(&mut simulation, 20);
    simulation.run(20 * SECOND);
    let taken = simulation.auth0.bucket(RateClass::Users).taken;
    simulation.run(80 * SECOND);
    assert_eq!(simulation.limited(), 0);
    let used = used(&simulation, RateClass::Users, taken, 60 * SECOND);
    assert!((0.6..0.75).contains(&used), "{used}");
}
