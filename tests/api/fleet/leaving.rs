//! A replica that is stopped leaves the others at once.

use auth0_graphql::app::App;
use auth0_graphql::sandbox::{Clock, Options, Plan};
use serde_json::json;
use tokio::sync::oneshot;

use super::redis::RedisServer;
use super::tail::subscribe_at;
use super::{Fleet, PATIENT, Setup, USERS, listener};

#[tokio::test]
async fn a_replica_that_is_stopped_gives_its_leases_back_and_is_no_more() {
    let Some(redis) = RedisServer::start("leaving") else { return };
    let tenant = Options { plan: Plan::Enterprise, clock: Clock::system(), ..Setup::default().sandbox };
    let mut fleet = Fleet::of(&redis, PATIENT, tenant).await;
    fleet.start_sharing(1).await;
    fleet.data(0, USERS).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let own = listener().await;
    fleet.urls.push(format!("http://{}", own.local_addr().unwrap()));
    let app = App::build(fleet.settings.clone()).unwrap();
    let serving = tokio::spawn(app.serve(own, async { stopped.await.unwrap_or_default() }));
    let count = async |fleet: &Fleet| {
        let query = "{ gateway { replicas { count } } }";
        fleet.data(0, query).await["gateway"]["replicas"]["count"].take()
    };
    fleet.data(1, USERS).await;
    while count(&fleet).await != json!(2) {
        fleet.data(1, USERS).await;
    }
    stop.send(()).unwrap();
    // Connections that are kept alive end, and with them the gateway.
    serving.await.unwrap();
    let key = redis.keys().into_iter().find(|key| key.contains(":budget:")).unwrap();
    let value = redis.command(&format!("GET {key}")).join("");
    let holders = &value[value.find("\"holders\":").unwrap()..value.find("\"courses\":").unwrap()];
    // One row is left, and nothing is on its way.
    assert_eq!(holders.matches("[").count() - holders.matches("[]").count(), 2, "{value}");
}

#[tokio::test]
async fn a_replica_is_stopped_as_soon_where_redis_does_not_answer() {
    let Some(redis) = RedisServer::start("leaving-alone") else { return };
    let mut fleet = Fleet::through(&redis, std::time::Duration::from_millis(20)).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let own = listener().await;
    fleet.urls.push(format!("http://{}", own.local_addr().unwrap()));
    let app = App::build(fleet.settings.clone()).unwrap();
    let serving = tokio::spawn(app.serve(own, async { stopped.await.unwrap_or_default() }));
    fleet.data(0, USERS).await;
    redis.signal("STOP");
    stop.send(()).unwrap();
    serving.await.unwrap();
    redis.signal("CONT");
}

#[tokio::test]
async fn a_replica_that_reads_for_all_and_is_stopped_lets_another_read_at_once() {
    let Some(redis) = RedisServer::start("leaving-tail") else { return };
    let tenant = Options { clock: Clock::system(), logs: 300, logs_per_minute: 0, ..Options::default() };
    let mut fleet = Fleet::of(&redis, PATIENT, tenant).await;
    // Its poller outlives whoever follows.
    assert!(!fleet.settings.policy.tail.linger.is_zero());
    let (stop, stopped) = oneshot::channel::<()>();
    let own = listener().await;
    fleet.urls.push(format!("http://{}", own.local_addr().unwrap()));
    let app = App::build(fleet.settings.clone()).unwrap();
    let serving = tokio::spawn(app.serve(own, async { stopped.await.unwrap_or_default() }));
    while !fleet.is_in_state(0, "up").await {}
    let made = fleet.control("logs", json!({ "count": 1 })).await;
    let client = subscribe_at(&fleet.urls[0], made["ids"][0].as_str().unwrap()).await;
    while fleet.metric(0, "tail_leads").await == 0 {}
    let leases = || redis.keys().iter().filter(|key| key.contains(":tail-lease:")).count();
    assert_eq!(leases(), 1);
    drop(client);
    stop.send(()).unwrap();
    serving.await.unwrap();
    assert_eq!(leases(), 0);
}
