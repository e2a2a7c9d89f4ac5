//! Tokens that Auth0 does not give, and scopes that it does not grant.

use std::time::Duration;

use auth0_graphql::sandbox::Client;
use serde_json::json;
use tracing::Level;

use super::{LOGS, USERS};
use crate::captured_log::CapturedLog;
use crate::gateway::{Setup, TestGateway, codes};
use crate::time::StoppedClock;

#[tokio::test]
async fn a_failed_grant_is_remembered_for_a_second() {
    let gateway = TestGateway::uncached().await;
    let clock = StoppedClock::stop();
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "status": 401 } })).await;
    for query in [USERS, LOGS, USERS] {
        assert_eq!(codes(&gateway.query(query).await), ["UPSTREAM_MISCONFIGURED"]);
    }
    assert_eq!(gateway.grants().await, 1);
    clock.advance(Duration::from_millis(900)).await;
    assert_eq!(codes(&gateway.query(USERS).await), ["UPSTREAM_MISCONFIGURED"]);
    assert_eq!(gateway.grants().await, 1);
    clock.advance(Duration::from_millis(100)).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.grants().await, 2);
}

#[tokio::test]
async fn a_failed_grant_is_logged_once_whether_somebody_waits_for_it_or_not() {
    let log = CapturedLog::default();
    let _logging = log.keep(Level::WARN);
    let gateway = TestGateway::with_token_lifetime(1_000).await;
    let clock = StoppedClock::stop();
    log.take();
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "status": 401 } })).await;
    assert_eq!(codes(&gateway.query(USERS).await), ["UPSTREAM_MISCONFIGURED"]);
    let told = log.take();
    assert_eq!(told.matches("compare AUTH0_CLIENT_ID").count(), 1, "{told}");
    clock.advance_all(&gateway, Duration::from_secs(1)).await;
    gateway.data(USERS).await;

    // In the background nobody waits.
    clock.advance_all(&gateway, Duration::from_secs(950)).await;
    gateway.fault(json!({ "path": "/oauth/token", "times": 100, "fault": { "status": 401 } })).await;
    gateway.data(USERS).await;
    while gateway.grants().await < 3 || !log.text().contains("AUTH0_CLIENT_ID") {}
    let told = log.take();
    assert_eq!(told.matches("Auth0 refuses an access token").count(), 1, "{told}");
    assert_eq!(told.matches("compare AUTH0_CLIENT_ID").count(), 1, "{told}");
}

#[tokio::test]
async fn a_quota_on_tokens_is_a_rate_limit() {
    let gateway = TestGateway::uncached().await;
    let clock = StoppedClock::stop();
    let quota = json!({ "status": 429, "retryAfter": 3_540 });
    gateway.fault(json!({ "path": "/oauth/token", "fault": quota })).await;
    for _ in 0..3 {
        let response = gateway.query(USERS).await;
        assert_eq!(codes(&response), ["RATE_LIMITED"], "{response}");
        let wait = response["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap();
        assert!((3_539_000..=3_540_000).contains(&wait), "{wait}");
    }
    assert_eq!(gateway.grants().await, 1);
    // An operator who raises the quota need not wait for the hour.
    clock.advance(Duration::from_secs(60)).await;
    gateway.data(USERS).await;
}

#[tokio::test]
async fn a_wait_is_told_alike_in_words_and_in_numbers() {
    for (told, words, milliseconds) in [(0, "try again in 1 s", 1_000), (u64::MAX, "try again in 86400 s", 86_400_000)]
    {
        let gateway = TestGateway::uncached().await;
        let quota = json!({ "status": 429, "retryAfter": told });
        gateway.fault(json!({ "path": "/oauth/token", "times": 9, "fault": quota })).await;
        let error = gateway.query(USERS).await["errors"][0].take();
        assert!(error["message"].as_str().unwrap().ends_with(words), "{error}");
        assert_eq!(error["extensions"]["retryAfterMs"], milliseconds, "{error}");
    }
}

#[tokio::test]
async fn what_is_not_set_up_at_auth0_is_told_apart_for_the_operator_alone() {
    let wrong_secret = async {
        let setup = Setup::uncached();
        let gateway = TestGateway::spawn_with(setup).await;
        let client = Client { id: gateway.sandbox.client().id, secret: "wrong".into() };
        TestGateway::in_front_of(gateway.sandbox, client).await
    };
    let no_grant =
        async { TestGateway::uncached().await.with_client(json!({ "scopes": [], "audience": false })).await };
    let no_grant_type = async {
        let client = json!({ "scopes": ["read:users"], "grants": ["authorization_code"] });
        TestGateway::uncached().await.with_client(client).await
    };
    let unknown_audience = async {
        let audience = Some("https://login.example.com/api/v2/".to_owned());
        TestGateway::spawn_with(Setup { audience, ..Setup::uncached() }).await
    };
    for gateway in [wrong_secret.await, no_grant.await, no_grant_type.await, unknown_audience.await] {
        let response = gateway.query(USERS).await;
        assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"], "{response}");
        let message = response["errors"][0]["message"].as_str().unwrap();
        assert_eq!(
            message,
            "The gateway's access to Auth0 is not set up right: its operator finds the remedy in its log"
        );
        assert_eq!(gateway.statuses().await, [0; 0], "nothing is asked without a token");
        assert_eq!(gateway.grants().await, 1);
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let gateway = TestGateway::spawn_with_scopes(&["read:logs"]).await;
    let response = gateway.query("{ users { page } user(id: \"auth0|1\") { name } usersByEmail(email: \"a\") { name } logs { nodes { type } } }").await;
    assert!(response["data"]["logs"]["nodes"].as_array().is_some_and(|logs| !logs.is_empty()), "{response}");
    assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"; 3]);
    for error in response["errors"].as_array().unwrap() {
        assert!(error["message"].as_str().unwrap().contains("read:users"), "{error}");
        let scopes = error["extensions"]["missingScopes"].as_array().unwrap();
        assert_eq!(scopes, &[json!("read:users")], "{error}: the others would do as well, and are not needed");
    }

    let gateway = TestGateway::spawn_with_scopes(&["read:users"]).await;
    let response = gateway.query("{ log(id: \"900\") { type } searchLogs { page } users { page } }").await;
    assert_eq!(response["data"], json!({ "log": null, "searchLogs": null, "users": { "page": 0 } }));
    for error in response["errors"].as_array().unwrap() {
        assert_eq!(error["extensions"]["missingScopes"][0], "read:logs");
    }
}
