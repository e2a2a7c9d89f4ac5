//! The tail of several replicas: one of them reads, and subscribers of each are told each log once.

use std::time::Duration;

use auth0_graphql::auth0::{ClientPolicy, TailSettings};
use auth0_graphql::http::IngestToken;
use auth0_graphql::sandbox::{Clock, Options, Plan};
use auth0_graphql::shared_state;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::redis::RedisServer;
use super::{Fleet, PATIENT};
use crate::gateway::codes;
use crate::tail::ids;
use crate::websocket::Client;

const TOKEN: &str = "a-token-that-nobody-guesses";

/// A fleet in front of a tenant in which logs come when they are ordered.
async fn fleet_through(redis: &RedisServer, operation_timeout: Duration) -> Fleet {
    let plan = Plan::PrivateCloud;
    let sandbox = Options { clock: Clock::system(), logs: 300, logs_per_minute: 0, plan, ..Options::default() };
    let mut fleet = Fleet::of(redis, operation_timeout, sandbox).await;
    let tail =
        TailSettings { max_interval: Duration::from_millis(100), linger: Duration::ZERO, ..TailSettings::default() };
    fleet.settings.policy = ClientPolicy { tail, ..fleet.settings.policy.clone() };
    fleet
}

/// Has so many logs arrive, and gives back their ids.
async fn arrive(fleet: &Fleet, count: u64) -> Vec<String> {
    let made = fleet.control("logs", json!({ "count": count })).await;
    serde_json::from_value(made["ids"].clone()).unwrap()
}

/// A subscriber of the gateway at this address, who is told all logs after this one.
pub(super) async fn subscribe_at(url: &str, from: &str) -> Client {
    let (mut client, _) = Client::connect_to(url, &[]).await;
    client.init(Value::Null).await;
    assert_eq!(client.receive().await["type"], "connection_ack");
    let query = format!("subscription {{ logs(from: \"{from}\") {{ logId }} }}");
    client.subscribe("1", json!({ "query": query })).await;
    client
}

/// A subscriber of each gateway, who has been told a first log.
async fn subscribers(fleet: &Fleet) -> Vec<Client> {
    let [from, first] = <[String; 2]>::try_from(arrive(fleet, 2).await).unwrap();
    let mut clients = Vec::new();
    for url in &fleet.urls {
        clients.push(subscribe_at(url, &from).await);
    }
    receive(&mut clients, &[first]).await;
    clients
}

/// Each is told these next, and nothing between them.
pub(super) async fn receive(clients: &mut [Client], expected: &[String]) {
    for (gateway, client) in clients.iter_mut().enumerate() {
        assert_eq!(ids(client, expected.len()).await, expected, "gateway {gateway}");
    }
}

/// The gateway that reads for all, once there is one and no other.
async fn leader(fleet: &Fleet) -> usize {
    loop {
        let mut leaders = Vec::new();
        for gateway in 0..fleet.urls.len() {
            if fleet.metric(gateway, "tail_leads").await == 1 {
                leaders.push(gateway);
            }
        }
        if let [leader] = *leaders {
            return leader;
        }
    }
}

/// The lease's key.
fn lease(redis: &RedisServer) -> String {
    redis.keys().into_iter().find(|key| key.contains(":tail-lease:")).unwrap()
}

#[tokio::test]
async fn one_replica_reads_and_subscribers_of_each_are_told_each_log_once() {
    let Some(redis) = RedisServer::start("tail") else { return };
    let mut fleet = fleet_through(&redis, PATIENT).await;
    fleet.start_sharing(3).await;
    let mut clients = subscribers(&fleet).await;
    let leader = leader(&fleet).await;
    // Once a follower has been told by the leader, it reads nothing itself.
    let made = arrive(&fleet, 3).await;
    receive(&mut clients, &made).await;
    let polls = async |gateway| fleet.metric(gateway, "tail_polls_total{outcome=\"ok\"}").await;
    let mut before = Vec::new();
    for gateway in 0..3 {
        before.push(polls(gateway).await);
    }
    for count in [1, 40, 150] {
        let made = arrive(&fleet, count).await;
        receive(&mut clients, &made).await;
    }
    for (gateway, before) in before.into_iter().enumerate() {
        assert_eq!(polls(gateway).await > before, gateway == leader, "gateway {gateway}");
        let came = async |source| fleet.metric(gateway, &format!("tail_logs_total{{source=\"{source}\"}}")).await;
        assert_eq!(came("replica").await >= 191, gateway != leader, "gateway {gateway}");
    }

    // Unreadable, bounded in time, and under the tenant's hash tag.
    let stream = redis.keys().into_iter().find(|key| key.contains(":tail-stream:")).unwrap();
    let life: i64 = redis.command(&format!("TTL {stream}"))[0].trim_start_matches(':').parse().unwrap();
    assert!((1..=600).contains(&life), "{life}");
    let content = redis.command(&format!("XRANGE {stream} - +")).join("\n");
    assert!(!content.contains("log_id") && content.len() > 100_000, "{}", content.len());
}

#[tokio::test]
async fn a_user_with_the_documented_rights_is_all_that_the_tail_needs() {
    let Some(redis) = RedisServer::start("tail-acl") else { return };
    let mut fleet = fleet_through(&redis, PATIENT).await;
    let url = super::user_of_the_documentation(&redis);
    fleet.settings.shared_state = Some(shared_state::Settings { operation_timeout: PATIENT, ..url.into() });
    fleet.settings.http.ingest_token = Some(IngestToken::parse(TOKEN).unwrap());
    fleet.start_sharing(2).await;
    let mut clients = subscribers(&fleet).await;
    let follower = 1 - leader(&fleet).await;
    let made = fleet.control("logs", json!({ "count": 2, "held": 2 })).await;
    let held: Vec<String> = serde_json::from_value(made["ids"].clone()).unwrap();
    push(&fleet, follower, &held).await;
    receive(&mut clients, &held).await;
    let entries =
        async |outcome| fleet.metric(follower, &format!("tail_shared_entries_total{{outcome=\"{outcome}\"}}")).await;
    while entries("received").await == 0 {}
    for gateway in [0, 1] {
        assert!(fleet.is_in_state(gateway, "up").await);
    }
}

#[tokio::test]
async fn when_the_leader_leaves_another_goes_on_from_where_it_was() {
    let Some(redis) = RedisServer::start("tail-leaves") else { return };
    let mut fleet = fleet_through(&redis, PATIENT).await;
    fleet.start_sharing(3).await;
    let mut clients = subscribers(&fleet).await;
    let first = leader(&fleet).await;
    drop(clients.remove(first));
    let made = arrive(&fleet, 3).await;
    receive(&mut clients, &made).await;
    while fleet.metric(first, "tail_leads").await == 1 {}
    let second = leader(&fleet).await;
    assert_ne!(first, second);
    let made = arrive(&fleet, 3).await;
    receive(&mut clients, &made).await;
    assert_eq!(fleet.metric(second, "tail_takeovers_total").await, 1);
}

#[tokio::test]
async fn a_leader_whose_lease_is_anothers_by_now_writes_nothing_more_and_nobody_misses_a_log() {
    let Some(redis) = RedisServer::start("tail-fenced") else { return };
    let mut fleet = fleet_through(&redis, PATIENT).await;
    fleet.start_sharing(3).await;
    let mut clients = subscribers(&fleet).await;
    leader(&fleet).await;
    let lease = lease(&redis);
    for _ in 0..3 {
        // As after a pause of the leader, in which another took over, and died.
        redis.command(&format!("SET {lease} somebody|1700000000000000 PX 600"));
        let made = arrive(&fleet, 120).await;
        receive(&mut clients, &made).await;
        leader(&fleet).await;
        let made = arrive(&fleet, 5).await;
        receive(&mut clients, &made).await;
    }
}

#[tokio::test]
async fn nothing_is_missed_or_told_twice_while_redis_is_killed_and_comes_back_empty() {
    let Some(mut redis) = RedisServer::start("tail-killed") else { return };
    let mut fleet = fleet_through(&redis, Duration::from_millis(300)).await;
    fleet.start_sharing(3).await;
    let mut clients = subscribers(&fleet).await;
    for _ in 0..2 {
        leader(&fleet).await;
        let before = arrive(&fleet, 5).await;
        redis.kill();
        let meanwhile = arrive(&fleet, 130).await;
        receive(&mut clients, &before).await;
        receive(&mut clients, &meanwhile).await;
        let alone = arrive(&fleet, 5).await;
        redis.restart();
        let back = arrive(&fleet, 5).await;
        receive(&mut clients, &alone).await;
        receive(&mut clients, &back).await;
    }
    leader(&fleet).await;
    let made = arrive(&fleet, 5).await;
    receive(&mut clients, &made).await;
}

#[tokio::test]
async fn a_follower_goes_on_following_while_redis_is_late_and_is_told_what_the_leader_could_not_tell() {
    let Some(redis) = RedisServer::start("tail-late") else { return };
    let mut fleet = fleet_through(&redis, Duration::from_millis(100)).await;
    fleet.start_sharing(2).await;
    let mut clients = subscribers(&fleet).await;
    loop {
        let leader = leader(&fleet).await;
        let made = arrive(&fleet, 3).await;
        receive(&mut clients, &made).await;
        let entries = |outcome| format!("tail_shared_entries_total{{outcome=\"{outcome}\"}}");
        let polls = "tail_polls_total{outcome=\"ok\"}".to_owned();
        // It has come with some doubt.
        let mut reads = fleet.metric(1 - leader, &polls).await;
        let mut told = fleet.metric(1 - leader, &entries("received")).await;
        loop {
            let made = arrive(&fleet, 1).await;
            receive(&mut clients, &made).await;
            let (now, received) =
                (fleet.metric(1 - leader, &polls).await, fleet.metric(1 - leader, &entries("received")).await);
            if now == reads && received > told {
                break;
            }
            (reads, told) = (now, received);
        }
        let missed = fleet.metric(1 - leader, &entries("missed")).await;
        for _ in 0..3 {
            redis.pause(500);
            // What asks Redis for an answer is answered without it.
            for _ in 0..3 {
                let unknown = super::hash_alone(&"0".repeat(64));
                let answers = join_all([0, 1].map(|gateway| fleet.send(gateway, &unknown))).await;
                assert!(answers.iter().all(|answer| codes(answer) == ["PERSISTED_QUERY_NOT_FOUND"]), "{answers:?}");
            }
            let made = arrive(&fleet, 3).await;
            receive(&mut clients, &made).await;
        }
        // The lease may have ended on a machine that is slower yet.
        if self::leader(&fleet).await == leader && fleet.metric(1 - leader, "tail_takeovers_total").await == 0 {
            assert_eq!(fleet.metric(1 - leader, &polls).await, reads);
            assert_eq!(fleet.metric(1 - leader, &entries("missed")).await, missed);
            return;
        }
    }
}

#[tokio::test]
async fn nothing_is_missed_or_told_twice_while_redis_does_not_do_its_work() {
    let Some(redis) = RedisServer::start("tail-outages") else { return };
    let mut fleet = fleet_through(&redis, Duration::from_millis(300)).await;
    fleet.start_sharing(2).await;
    let mut clients = subscribers(&fleet).await;
    leader(&fleet).await;
    redis.signal("STOP");
    for _ in 0..3 {
        let made = arrive(&fleet, 5).await;
        receive(&mut clients, &made).await;
    }
    redis.signal("CONT");
    for (breaks, mends) in
        [("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"), ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0")]
    {
        leader(&fleet).await;
        redis.command(breaks);
        for _ in 0..3 {
            let made = arrive(&fleet, 5).await;
            receive(&mut clients, &made).await;
        }
        redis.command(mends);
        let made = arrive(&fleet, 5).await;
        receive(&mut clients, &made).await;
    }
}

#[tokio::test]
async fn a_lease_that_nobody_lives_up_to_keeps_no_log_from_anybody() {
    let Some(redis) = RedisServer::start("tail-dead-lease") else { return };
    let mut fleet = fleet_through(&redis, PATIENT).await;
    fleet.start_sharing(2).await;
    let mut clients = subscribers(&fleet).await;
    leader(&fleet).await;
    redis.command(&format!("SET {} somebody|1700000000000000", lease(&redis)));
    for _ in 0..3 {
        let made = arrive(&fleet, 5).await;
        receive(&mut clients, &made).await;
    }
    redis.command(&format!("DEL {}", lease(&redis)));
    leader(&fleet).await;
    let made = arrive(&fleet, 5).await;
    receive(&mut clients, &made).await;
}

#[tokio::test]
async fn what_is_no_entry_of_a_replicas_is_passed_over_and_what_it_may_hide_is_read() {
    let Some(redis) = RedisServer::start("tail-tampered") else { return };
    let mut fleet = fleet_through(&redis, PATIENT).await;
    fleet.start_sharing(2).await;
    let mut clients = subscribers(&fleet).await;
    // Both together: which of them follows may change.
    let unreadable = async || {
        let of = async |gateway| fleet.metric(gateway, "tail_shared_entries_total{outcome=\"unreadable\"}").await;
        of(0).await + of(1).await
    };
    let stream = loop {
        leader(&fleet).await;
        if let Some(key) = redis.keys().into_iter().find(|key| key.contains(":tail-stream:")) {
            break key;
        }
    };
    for entry in ["7 made-up", "x y z w", "\"\" \"\""] {
        let before = unreadable().await;
        // Whoever begins to lead between two of its reads has nobody to tell it of what it passes over.
        while unreadable().await == before {
            redis.command(&format!("XADD {stream} * {entry}"));
            let made = arrive(&fleet, 5).await;
            receive(&mut clients, &made).await;
        }
    }
    // Entries that are taken away are read from Auth0.
    redis.command(&format!("DEL {stream}"));
    let made = arrive(&fleet, 5).await;
    receive(&mut clients, &made).await;
}

/// A log as Auth0 pushes it.
fn pushed(id: &str) -> Value {
    json!({ "log_id": id, "data": { "date": "2026-11-02T08:00:00.000Z", "type": "fp", "log_id": id } })
}

async fn push(fleet: &Fleet, gateway: usize, logs: &[String]) {
    let body: Vec<_> = logs.iter().map(|id| pushed(id)).collect();
    let url = format!("{}/ingest/auth0-logs", fleet.urls[gateway]);
    let response = fleet.http.post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn logs_that_are_pushed_to_any_replica_reach_the_subscribers_of_all() {
    let Some(redis) = RedisServer::start("tail-push") else { return };
    let mut fleet = fleet_through(&redis, PATIENT).await;
    fleet.settings.http.ingest_token = Some(IngestToken::parse(TOKEN).unwrap());
    fleet.start_sharing(2).await;
    let mut clients = subscribers(&fleet).await;
    leader(&fleet).await;
    // One that nobody follows.
    fleet.start_sharing(1).await;
    // They have their ids, and cannot be read.
    let made = fleet.control("logs", json!({ "count": 18, "held": 18 })).await;
    let held: Vec<String> = serde_json::from_value(made["ids"].clone()).unwrap();
    for (index, logs) in held.chunks(3).enumerate() {
        push(&fleet, index % 3, logs).await;
        receive(&mut clients, logs).await;
    }
    // As Auth0 does when it has not heard that it came.
    push(&fleet, 2, &held[15..]).await;
    fleet.control("logs/release", Value::Null).await;
    let read = arrive(&fleet, 3).await;
    receive(&mut clients, &read).await;
    assert_eq!(fleet.metric(2, "tail_pushed_logs_total{outcome=\"passed_on\"}").await, 9);

    // With the last subscriber nobody is left to be told.
    drop(clients);
    while redis.keys().iter().any(|key| key.contains(":tail-lease:")) {}
    push(&fleet, 2, &held[..2]).await;
    assert_eq!(fleet.metric(2, "tail_pushed_logs_total{outcome=\"no_subscribers\"}").await, 2);
    let content =
        redis.keys().iter().map(|key| redis.command(&format!("XRANGE {key} - +")).join("\n")).collect::<String>();
    assert!(!content.contains("log_id") && !content.contains(&held[17]) && content.len() > 2_000, "{content}");
}

#[tokio::test]
async fn a_leader_that_does_not_reach_auth0_lets_another_try() {
    let Some(redis) = RedisServer::start("tail-failing") else { return };
    let mut fleet = fleet_through(&redis, PATIENT).await;
    fleet.start_sharing(2).await;
    let mut clients = subscribers(&fleet).await;
    let first = leader(&fleet).await;
    fleet.control("faults", json!({ "path": "/api/v2/logs", "times": 10_000, "fault": { "status": 503 } })).await;
    while fleet.metric(1 - first, "tail_takeovers_total").await == 0 {}
    let made = arrive(&fleet, 3).await;
    let faults = format!("{}/_sandbox/faults", fleet.sandbox.url());
    fleet.http.delete(faults).send().await.unwrap().error_for_status().unwrap();
    receive(&mut clients, &made).await;
}
