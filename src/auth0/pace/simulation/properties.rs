//! Properties that hold whatever happens.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{CallerKey, PaceSettings, Priority, RateClass};
use super::auth0::{Auth0, Bucket};
use super::client::{Client, End};
use super::run::Simulation;

fn bucket(limit: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = Bucket> {
    (limit, 0.9_f64..30.0).prop_map(|(limit, per_second)| Bucket::new(limit, per_second))
}

/// A single bucket, or three that differ in size.
fn tenant() -> impl Strategy<Value = Auth0> {
    prop_oneof![
        bucket(1..=60).prop_map(Auth0::shared),
        (bucket(1..=5), bucket(6..=20), bucket(21..=60)).prop_map(|(a, b, c)| Auth0::separate([a, b, c])),
    ]
}

fn client() -> impl Strategy<Value = Client> {
    (0_usize..3, 0_u64..6, any::<bool>(), 200_u64..20_000, 0_u64..20_000, 1_u32..20).prop_map(
        |(class, caller, is_bulk, patience, starts, calls)| Client {
            class: RateClass::ALL[class],
            caller: CallerKey(caller),
            priority: if is_bulk { Priority::Bulk } else { Priority::Interactive },
            patience: Duration::from_millis(patience),
            starts: Duration::from_millis(starts),
            calls,
            replica: 0,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn alone_on_its_tenant_it_never_meets_a_429(
        tenant in tenant(),
        clients in prop::collection::vec(client(), 1..60),
        latency in 0.001_f64..1.0,
        reserve in prop_oneof![Just(0.0), 0.0_f64..0.9],
        has_mishaps: bool,
        seed: u64,
    ) {
        let mut simulation = Simulation::with(tenant, seed, PaceSettings { reserve, queue: 1_000 });
        simulation.latency = latency / 10.0..latency;
        simulation.mishaps = if has_mishaps { 0.2 } else { 0.0 };
        let calls: u32 = clients.iter().map(|client| client.calls).sum();
        for client in clients {
            simulation.add(client);
        }
        simulation.run(Duration::from_secs(300));
        prop_assert_eq!(simulation.limited(), 0);
        // All were told what became of their calls; some may have gone on asking.
        let unasked: u32 = simulation.clients.iter().map(|client| client.calls).sum();
        prop_assert_eq!(simulation.log.len() + simulation.open() + unasked as usize, calls as usize);
    }

    /// Beyond the share of the size and of the refill there is the surplus, and the call that finds out. Later, what was not
    /// taken for a minute for want of knowing the refill may be made up for.
    #[test]
    fn at_no_time_have_more_calls_been_made_than_our_share(
        limit in 1_u32..60,
        per_second in 0.9_f64..30.0,
        clients in prop::collection::vec(client(), 1..40),
        reserve in 0.01_f64..0.9,
        seed: u64,
    ) {
        let tenant = Auth0::shared(Bucket::new(limit, per_second));
        let mut simulation = Simulation::with(tenant, seed, PaceSettings { reserve, queue: 1_000 });
        for client in clients {
            simulation.add(client);
        }
        simulation.run(Duration::from_secs(400));
        let share = 1.0 - reserve;
        let at_once = (share * f64::from(limit)).max(1.0) + 2.0 + 30.0 * reserve + 1.0;
        let mut sent: Vec<_> =
            simulation.log.iter().filter(|entry| entry.end == End::Answered).map(|entry| entry.decided).collect();
        sent.sort_unstable();
        for (first, start) in sent.iter().enumerate() {
            let made_up_for = if first == 0 { 0.0 } else { 60.0 };
            for (last, end) in sent.iter().enumerate().skip(first) {
                // It is filled up once in that time.
                let most = at_once * 2.0 + ((*end - *start).as_secs_f64() + made_up_for) * share * per_second;
                prop_assert!((last - first + 1) as f64 <= most + 1e-6, "{} from {start:?} to {end:?}", last - first + 1);
            }
        }
    }

    #[test]
    fn nobody_is_forgotten(
        tenant in tenant(),
        clients in prop::collection::vec(client(), 1..60),
        lump in prop_oneof![Just(0.0), 0.1_f64..5.0],
        others in 0.01_f64..20.0,
        seed: u64,
    ) {
        let mut simulation = Simulation::new(if lump > 0.0 { tenant.in_lumps(lump) } else { tenant }, seed);
        simulation.mishaps = 0.1;
        simulation.add_others(RateClass::Users, others);
        let patience = clients.iter().map(|client| client.patience).max().unwrap_or_default();
        for client in clients {
            simulation.add(client);
        }
        simulation.run(Duration::from_secs(120));
        for client in &mut simulation.clients {
            client.calls = 0;
        }
        simulation.run(Duration::from_secs(120) + patience + Duration::from_secs(5));
        prop_assert_eq!(simulation.open(), 0);
    }
}
