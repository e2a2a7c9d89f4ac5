//! Grants that no issuer should give.

use std::time::Duration;

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use super::{FAILURE_IS_FORGOTTEN, USERS};
use crate::gateway::{TestGateway, codes};
use crate::mock::{answering, gateway_to};
use crate::time::later;

#[tokio::test]
async fn lifetimes_that_are_none_are_survived() {
    for lifetime in [
        json!(null),
        json!(0),
        json!(-1),
        json!(0.25),
        json!(86_400.5),
        json!(1_u64 << 63),
        json!(-(1_i64 << 62)),
        json!(1e300),
        json!("86400"),
        json!(" 600 "),
        json!("tomorrow"),
        json!(""),
        json!(true),
        json!([]),
        json!({ "seconds": 5 }),
    ] {
        let gateway = TestGateway::with_token_lifetime(lifetime.clone()).await;
        for _ in 0..3 {
            gateway.data(USERS).await;
            later(Duration::from_secs(2)).await;
        }
        let token = gateway.data("{ gateway { token { expiresAt scopes } } }").await;
        assert!(token["gateway"]["token"]["expiresAt"].is_string(), "{lifetime}: {token}");
        assert_eq!(gateway.statuses().await, [200; 3], "{lifetime}");
        assert!(gateway.grants().await <= 3, "{lifetime}");
    }
}

#[tokio::test]
async fn what_is_no_name_of_a_scope_reaches_nobody() {
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let scope = "read:users a\u{1b}[31m b\u{202e}c \u{e0041} read:logs";
    let grant = json!({ "access_token": "e30.e30.e30", "expires_in": 86_400, "scope": scope });
    let grant = ResponseTemplate::new(200).set_body_json(grant);
    Mock::given(method("POST")).and(path("/oauth/token")).respond_with(grant).mount(&auth0).await;
    let gateway = gateway_to(&auth0).await;
    gateway.data(USERS).await;
    let told = gateway.data("{ gateway { token { scopes } } }").await;
    assert_eq!(told["gateway"]["token"]["scopes"], json!(["read:users", "read:logs"]));
}

#[tokio::test]
async fn whatever_comes_for_a_token_the_next_request_is_fine() {
    let gateway = TestGateway::uncached().await;
    let long = "a".repeat(200_000);
    for body in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "<html>".to_owned(),
        r#"{"access_token":"#.to_owned(),
        r#"{"access_token":null}"#.to_owned(),
        r#"{"access_token":17}"#.to_owned(),
        r#"{"access_token":""}"#.to_owned(),
        r#"{"access_token":"a\r\nX-Injected: b","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"a b","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"a\u0000","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"é","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"\ud800","expires_in":86400}"#.to_owned(),
        // These can stand in a header, and no Management API takes them.
        r#"{"access_token":"opaque","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"a.b.c","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"a.b.c","expires_in":1e400,"scope":["read:users"]}"#.to_owned(),
        r#"{"access_token":"..","expires_in":"never","token_type":17}"#.to_owned(),
        format!(r#"{{"access_token":"{long}.b.c"}}"#),
    ] {
        // All tokens so far are refused, which is how this one comes to be asked for.
        gateway.expire_tokens().await;
        gateway.fault(json!({ "path": "/oauth/token", "fault": { "body": body } })).await;
        let response = gateway.query(USERS).await;
        let shown = &body[..body.len().min(80)];
        let is_survived = response["data"]["users"]["page"] == 0
            || ["UPSTREAM_UNAVAILABLE", "UPSTREAM_MISCONFIGURED"].contains(&codes(&response)[0]);
        assert!(is_survived, "{shown}: {response}");
        later(FAILURE_IS_FORGOTTEN).await;
        let response = gateway.query(USERS).await;
        assert_eq!(response, json!({ "data": { "users": { "page": 0 } } }), "after {shown}");
    }
}
