//! The access token that replicas share.

use futures_util::future::join_all;
use serde_json::json;

use super::redis::RedisServer;
use super::{Fleet, PATIENT, USERS};

#[tokio::test]
async fn replicas_that_start_together_ask_for_one_token() {
    let Some(redis) = RedisServer::start("token") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    fleet.start_sharing(4).await;
    join_all((0..4).map(|gateway| fleet.data(gateway, USERS))).await;
    assert_eq!(fleet.grants().await, 1);

    // One that comes later, too.
    fleet.start_sharing(1).await;
    fleet.data(4, USERS).await;
    assert_eq!(fleet.grants().await, 1);

    // Under the tenant's hash tag and a version, with an end, and unreadable.
    let keys = redis.keys();
    let tenant = format!("auth0-graphql:1:{{{}}}:", fleet.sandbox.url());
    assert!(keys.iter().all(|key| key.starts_with(&tenant)), "{keys:?}");
    let token = keys.iter().find(|key| key.contains(":token:")).unwrap();
    let life: i64 = redis.command(&format!("TTL {token}"))[0].trim_start_matches(':').parse().unwrap();
    assert!((1..=86_400).contains(&life), "{life}");
    let value = redis.command(&format!("GET {token}")).join("\n");
    assert!(!value.contains("Bearer") && !value.contains("eyJ") && value.len() > 100, "{value:?}");
}

#[tokio::test]
async fn a_token_that_auth0_refuses_is_replaced_once_for_all() {
    let Some(redis) = RedisServer::start("refused") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    fleet.start_sharing(4).await;
    join_all((0..4).map(|gateway| fleet.data(gateway, USERS))).await;
    for grants in [2, 3] {
        fleet.control("tokens/expire", json!({})).await;
        join_all((0..4).map(|gateway| fleet.data(gateway, USERS))).await;
        assert_eq!(fleet.grants().await, grants);
    }
}

#[tokio::test]
async fn what_is_stored_in_a_tokens_place_is_as_good_as_none() {
    let Some(redis) = RedisServer::start("tampered") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    fleet.start_sharing(1).await;
    fleet.data(0, USERS).await;
    let token = redis.keys().into_iter().find(|key| key.contains(":token:")).unwrap();
    redis.command(&format!("SETRANGE {token} 60 tampered"));
    fleet.start_sharing(1).await;
    fleet.data(1, USERS).await;
    assert_eq!(fleet.grants().await, 2);
    // It has been replaced by one that is good.
    fleet.start_sharing(1).await;
    fleet.data(2, USERS).await;
    assert_eq!(fleet.grants().await, 2);
}

#[tokio::test]
async fn a_replica_that_dies_while_it_asks_for_a_token_holds_nobody_up() {
    let Some(redis) = RedisServer::start("lock") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    fleet.start_sharing(1).await;
    fleet.data(0, USERS).await;
    let token = redis.keys().into_iter().find(|key| key.contains(":token:")).unwrap();
    redis.command(&format!("DEL {token}"));
    // A lock that nobody will take away, and that outlives the wait for it.
    redis.command(&format!("SET {} somebody", token.replace(":token:", ":token-lock:")));
    fleet.start_sharing(2).await;
    join_all([1, 2].map(|gateway| fleet.data(gateway, USERS))).await;
    assert!(fleet.grants().await <= 3);
}
