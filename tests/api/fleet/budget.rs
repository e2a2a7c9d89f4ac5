//! The tenant's rate limits, which replicas share.

use auth0_graphql::sandbox::{Clock, Plan};

use super::*;

const FLEET: &str = "{ gateway { rateLimits { limit refillPerSecond } replicas { isShared count leases } } }";

impl Fleet {
    /// A fleet in front of a tenant with that plan, whose clock goes.
    async fn on(redis: &RedisServer, plan: Plan) -> Self {
        let tenant = Options { plan, clock: Clock::system(), ..Setup::default().sandbox };
        let mut fleet = Self::of(redis, PATIENT, tenant).await;
        // Longer than any of these calls waits for its turn.
        fleet.settings.http.request_timeout = Duration::from_secs(60);
        fleet
    }

    /// Makes so many calls at a gateway, all at once.
    async fn crowd(&self, gateway: usize, calls: usize) {
        let call = async |number: usize| {
            let query =
                format!("{{ users(q: \"logins_count:[{} TO *]\", perPage: 1) {{ page }} }}", gateway * 1_000 + number);
            let url = format!("{}/graphql", self.urls[gateway]);
            let request = self.http.post(url).json(&json!({ "query": query }));
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            assert_eq!(answer.get("errors"), None, "{gateway} {number}: {answer}");
        };
        join_all((0..calls).map(call)).await;
    }

    /// Calls to the Management API with this status.
    async fn answered(&self, status: u16) -> usize {
        let calls = self.calls().await;
        calls.iter().filter(|call| call["path"] != "/oauth/token" && call["status"] == status).count()
    }

    async fn replicas(&self, gateway: usize) -> Value {
        self.data(gateway, FLEET).await["gateway"]["replicas"].take()
    }

    /// Waits until a gateway has heard of so many, itself among them.
    async fn until_counted(&self, gateway: usize, count: Option<u32>) {
        while self.replicas(gateway).await["count"] != json!(count) {}
    }
}

#[tokio::test]
async fn replicas_share_what_a_free_tenant_gives() {
    let Some(redis) = RedisServer::start("budget-free") else { return };
    let mut fleet = Fleet::on(&redis, Plan::Free).await;
    fleet.start_sharing(4).await;
    join_all((0..4).map(|gateway| fleet.crowd(gateway, 3))).await;
    assert_eq!([fleet.answered(200).await, fleet.answered(429).await], [12, 0]);
    for gateway in 0..4 {
        fleet.until_counted(gateway, Some(4)).await;
    }

    // One that comes later knows what they have learned.
    fleet.start_sharing(1).await;
    while fleet.data(4, FLEET).await["gateway"]["rateLimits"][0]["limit"] != 2 {}
    assert_eq!(fleet.answered(200).await, 12);
    let key = redis.keys().into_iter().find(|key| key.contains(":budget:")).unwrap();
    let life: i64 = redis.command(&format!("TTL {key}"))[0].trim_start_matches(':').parse().unwrap();
    assert!((1..=3_600).contains(&life), "{life}");
}

#[tokio::test]
async fn a_larger_bucket_is_shared_by_leases() {
    let Some(redis) = RedisServer::start("budget-leases") else { return };
    let mut fleet = Fleet::on(&redis, Plan::Enterprise).await;
    fleet.start_sharing(4).await;
    join_all((0..4).map(|gateway| fleet.crowd(gateway, 10))).await;
    // Before it is known how fast calls come back, more than the bucket holds are told to come later. What is known changes with calls alone.
    let mut made = 40;
    for gateway in 0..4 {
        while fleet.data(gateway, FLEET).await["gateway"]["rateLimits"][0]["refillPerSecond"].as_f64() < Some(8.0) {
            fleet.crowd(gateway, 1).await;
            made += 1;
        }
    }
    join_all((0..4).map(|gateway| fleet.crowd(gateway, 15))).await;
    assert_eq!([fleet.answered(200).await, fleet.answered(429).await], [made + 60, 0]);
    // Those that nobody uses are given back.
    for gateway in 0..4 {
        while fleet.replicas(gateway).await["leases"] != 0 {}
    }
}

#[tokio::test]
async fn without_redis_each_goes_on_with_a_part_and_then_they_share_again() {
    let Some(mut redis) = RedisServer::start("budget-outage") else { return };
    let mut fleet = Fleet::on(&redis, Plan::Enterprise).await;
    fleet.start_sharing(2).await;
    join_all((0..2).map(|gateway| fleet.crowd(gateway, 2))).await;
    redis.kill();
    for gateway in 0..2 {
        fleet.until_counted(gateway, None).await;
    }
    join_all((0..2).map(|gateway| fleet.crowd(gateway, 5))).await;
    redis.restart();
    for gateway in 0..2 {
        fleet.until_counted(gateway, Some(2)).await;
    }
    join_all((0..2).map(|gateway| fleet.crowd(gateway, 5))).await;
    assert_eq!(fleet.answered(429).await, 0);
}

#[tokio::test]
async fn what_somebody_else_writes_in_the_budgets_place_is_as_good_as_none() {
    let Some(redis) = RedisServer::start("budget-tampered") else { return };
    let mut fleet = Fleet::on(&redis, Plan::Enterprise).await;
    fleet.start_sharing(1).await;
    fleet.crowd(0, 2).await;
    let key = redis.keys().into_iter().find(|key| key.contains(":budget:")).unwrap();
    for tamper in [format!("SET {key} nonsense"), format!("SET {key} \"\""), format!("SETRANGE {key} 70000 x")] {
        redis.command(&tamper);
        fleet.crowd(0, 2).await;
        fleet.until_counted(0, Some(1)).await;
    }
    // Of another type altogether.
    redis.command(&format!("DEL {key}"));
    redis.command(&format!("LPUSH {key} nonsense"));
    fleet.crowd(0, 2).await;
    while redis.command(&format!("TYPE {key}")) != ["+string"] {
        fleet.until_counted(0, Some(1)).await;
    }
    assert_eq!(fleet.answered(429).await, 0);
}
