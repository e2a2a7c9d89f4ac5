//! What is promised, at the plans that Auth0 sells.

use std::time::Duration;

use super::super::{Class, PaceSettings};
use super::auth0::Auth0;
use super::world::{Client, World};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn explore() {
    for (name, make) in [("free", Auth0::free as fn() -> Auth0), ("ent", Auth0::enterprise)] {
        for reserve in [0.0, 0.1] {
            for seed in 0..4 {
                let mut world = World::with(make(), seed, PaceSettings { reserve, queue: 10_000 });
                for caller in 0..50 {
                    world.add(Client::busy(Class::ALL[caller as usize % 2], caller));
                }
                world.run(MINUTE);
                let bucket = &world.auth0.buckets[0];
                println!(
                    "{name} {reserve} {seed}: limited {} used {:.3} refill {:?} open {} log {}",
                    world.limited(),
                    bucket.taken as f64 / bucket.capacity(MINUTE),
                    world.pacer.buckets(MINUTE).iter().map(|b| b.refill_per_second).collect::<Vec<_>>(),
                    world.open(),
                    world.log.len()
                );
            }
        }
    }
}
