//! Redis that is slow: each of its answers comes late.

use std::time::Duration;

use auth0_graphql::shared_state::{RedisUrl, Settings};
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use super::redis::{PASSWORD, RedisServer};
use super::{Fleet, PATIENT, USERS};
use crate::gateway::Setup;

/// Time by which answers are late: longer than an operation waits, and shorter than work in the background does.
const DELAY: Duration = Duration::from_millis(50);

/// The same, longer than whoever needs a token waits.
const LONG_DELAY: Duration = Duration::from_millis(300);

/// A way to a Redis on which all answers are late by so much; gives back its address.
async fn slow_way_to(redis: &RedisServer, delay: Duration) -> RedisUrl {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (own, port) = (listener.local_addr().unwrap().port(), redis.port);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(pass_on(from_client, to_server, Duration::ZERO));
            tokio::spawn(pass_on(from_server, to_client, delay));
        }
    });
    RedisUrl::parse(&format!("redis://:{PASSWORD}@127.0.0.1:{own}")).unwrap()
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        sleep_until(Instant::now() + delay).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn replicas_ask_for_one_token_where_redis_is_slow() {
    let Some(redis) = RedisServer::start("slow-token") else { return };
    let url = slow_way_to(&redis, DELAY).await;
    let default = Settings::from(url.clone());
    assert!(DELAY * 2 <= default.token_timeout && default.token_timeout < LONG_DELAY, "{default:?}");
    let mut fleet = Fleet::sharing_at(url.clone(), PATIENT, Setup::default().sandbox).await;
    // Not patient with it, but where there is no hurry.
    fleet.settings.shared_state = Some(Settings { token_timeout: PATIENT, background_timeout: PATIENT, ..url.into() });
    fleet.start(20).await;
    fleet.until_late().await;
    join_all((0..20).map(|gateway| fleet.data(gateway, USERS))).await;
    assert_eq!(fleet.grants().await, 1);
    // All of them begin anew.
    fleet.urls.clear();
    fleet.start(20).await;
    fleet.until_late().await;
    join_all((0..20).map(|gateway| fleet.data(gateway, USERS))).await;
    assert_eq!(fleet.grants().await, 1);
    // What somebody waits for at each request, each does alone.
    for gateway in [0, 19] {
        fleet.until_alone(gateway, true).await;
    }
}

#[tokio::test]
async fn whoever_needs_a_token_does_not_wait_for_a_redis_that_takes_longer_than_auth0() {
    let Some(redis) = RedisServer::start("later-token") else { return };
    let url = slow_way_to(&redis, LONG_DELAY).await;
    let mut fleet = Fleet::sharing_at(url.clone(), PATIENT, Setup::default().sandbox).await;
    fleet.settings.shared_state = Some(url.into());
    fleet.start(3).await;
    fleet.until_late().await;
    // Each asks for itself at the first answer that it misses, though the others' token is there.
    for gateway in 0..3 {
        fleet.data(gateway, USERS).await;
        assert_eq!(fleet.grants().await, gateway + 1);
    }
    fleet.control("tokens/expire", json!({})).await;
    fleet.data(0, USERS).await;
    fleet.data(1, USERS).await;
    assert_eq!(fleet.grants().await, 5);
    assert!(fleet.is_in_state(0, "late").await);
}

impl Fleet {
    /// Waits until all gateways know that Redis is late.
    async fn until_late(&self) {
        for gateway in 0..self.urls.len() {
            while !self.is_in_state(gateway, "late").await {}
        }
    }
}
