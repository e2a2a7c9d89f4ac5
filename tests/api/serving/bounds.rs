//! One caller does not get the whole machine.

use std::num::{NonZeroU32, NonZeroUsize};

use auth0_graphql::auth::{self, ApiKeys};
use auth0_graphql::http::{self, Period, RateLimit};

use super::{Serving, patient};
use crate::answer::Answer;
use crate::authentication::hash_of;
use crate::gateway::{Setup, TestGateway};
use crate::metrics::refused;

const TYPENAME: &str = "/graphql?query={__typename}";

fn one_at_a_time() -> http::Settings {
    http::Settings { max_concurrent_requests: NonZeroUsize::MIN, ..patient() }
}

async fn get(serving: &Serving, target: &str) -> Answer {
    Answer::from(serving.get(target).await.unwrap()).await
}

#[tokio::test]
async fn requests_beyond_the_bound_are_refused_at_once() {
    let mut serving = Serving::start(one_at_a_time()).await;
    let mut first = serving.ask().await;
    let call = serving.auth0.call().await;

    let second = get(&serving, TYPENAME).await;
    second.must_refuse("a second request", 503, "RATE_LIMITED", "busy");
    assert_eq!(second.header("retry-after"), "1");
    assert_eq!(second.json()["errors"][0]["extensions"]["retryAfterMs"], 1_000);
    assert_eq!(get(&serving, "/readyz").await.status, 200, "probes need no place");
    assert_eq!(refused(&serving.url, "operations").await, 1.0);

    call.answer().await;
    let answer = first.read_until("}").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(get(&serving, TYPENAME).await.status, 200);
}

#[tokio::test]
async fn a_client_who_is_gone_leaves_its_place_to_others() {
    let mut serving = Serving::start(one_at_a_time()).await;
    let first = serving.ask().await;
    let call = serving.auth0.call().await;
    assert_eq!(get(&serving, TYPENAME).await.status, 503);
    drop(first);
    call.given_up().await;
    while get(&serving, TYPENAME).await.status == 503 {}
}

async fn limited(trusted_proxies: &[&str], auth: auth::Settings) -> TestGateway {
    let http = http::Settings {
        rate_limit: Some(RateLimit { requests: NonZeroU32::new(2).unwrap(), per: Period::Hour }),
        trusted_proxies: trusted_proxies.iter().map(|network| network.parse().unwrap()).collect(),
        ..http::Settings::default()
    };
    TestGateway::spawn_with(Setup { http, auth, ..Setup::default() }).await
}

#[tokio::test]
async fn a_caller_over_its_rate_is_told_when_to_come_back() {
    let gateway = limited(&[], auth::Settings::default()).await;
    for _ in 0..2 {
        assert_eq!(Answer::to_get(&gateway, TYPENAME, &[]).await.status, 200);
    }
    // Anybody can write this.
    for headers in [&[][..], &["X-Forwarded-For: 192.0.2.7"]] {
        let answer = Answer::to_get(&gateway, TYPENAME, headers).await;
        answer.must_refuse("a third request", 429, "RATE_LIMITED", "more requests than");
        let milliseconds = answer.json()["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap();
        assert!((1..=1_800_000).contains(&milliseconds), "{milliseconds}");
        assert_eq!(answer.header("retry-after"), milliseconds.div_ceil(1_000).to_string());
    }
    for path in ["/livez", "/readyz", "/"] {
        assert_eq!(Answer::to_get(&gateway, path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn callers_behind_a_trusted_proxy_are_told_apart() {
    let gateway = limited(&["127.0.0.0/8", "10.0.0.0/8"], auth::Settings::default()).await;
    for (forwarded_for, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.1, 10.0.0.9", 200),
        ("192.0.2.1", 429),
        ("198.51.100.1, 192.0.2.1", 429),
        ("192.0.2.2", 200),
        ("2001:db8::1", 200),
        ("2001:db8::2", 200),
        ("2001:db8::3", 429),
        ("2001:db8:0:1::3", 200),
    ] {
        let line = format!("X-Forwarded-For: {forwarded_for}");
        assert_eq!(Answer::to_get(&gateway, TYPENAME, &[&line]).await.status, status, "{forwarded_for}");
    }
}

#[tokio::test]
async fn callers_with_credentials_are_told_apart_by_them_and_the_others_by_their_address() {
    let (reports, support) = ("the key of the reports", "the key of the support desk");
    let keys = [("reports", reports), ("support", support)];
    let keys = keys.map(|(name, key)| format!("{name}:{}:read:users", hash_of(key))).join(",");
    let auth = auth::Settings { api_keys: ApiKeys::parse(&keys).unwrap(), ..auth::Settings::default() };
    let gateway = limited(&["127.0.0.0/8"], auth).await;
    for (key, address, status) in [
        (reports, "192.0.2.1", 200),
        (reports, "192.0.2.2", 200),
        (reports, "192.0.2.3", 429),
        (support, "192.0.2.1", 200),
        // Keys are not guessed without end.
        ("a key that is a guess", "192.0.2.1", 401),
        ("a key that is another", "192.0.2.1", 401),
        ("a key that is the last", "192.0.2.1", 429),
        ("a key that is the first", "192.0.2.2", 401),
        (support, "192.0.2.1", 200),
    ] {
        let headers = [format!("X-API-Key: {key}"), format!("X-Forwarded-For: {address}")];
        let answer = Answer::to_get(&gateway, TYPENAME, &[&headers[0], &headers[1]]).await;
        assert_eq!(answer.status, status, "{key} from {address}");
    }
}
