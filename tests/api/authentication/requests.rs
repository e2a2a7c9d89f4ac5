//! Requests with and without credentials, and the answers to them.

use auth0_graphql::auth::{ApiKeys, Settings};
use reqwest::header::{AUTHORIZATION, HOST};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::issuer::{self, TestIssuer};
use super::{Answer, gateway_of, gateway_with, hash_of, whoami, whoami_with};

#[tokio::test]
async fn without_credentials_the_challenge_says_no_more_than_how_to_authenticate() {
    let issuer = TestIssuer::start(vec![issuer::ed("a").public()]).await;
    let gateway = gateway_of(&issuer).await;
    for accept in ["application/json", "application/graphql-response+json"] {
        for authorization in [None, Some("Basic YTpi"), Some("Negotiate")] {
            let mut request = whoami(&gateway).header("Accept", accept);
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            let answer = Answer::to(request).await;
            assert!(answer.refusal(401, "UNAUTHENTICATED").contains("Authorization: Bearer"));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(answer.header("content-type").unwrap().starts_with(accept));
        }
    }
}

#[tokio::test]
async fn whoever_may_not_ask_is_not_listened_to() {
    let issuer = TestIssuer::start(vec![issuer::ed("a").public()]).await;
    let gateway = gateway_of(&issuer).await;
    // The body never comes.
    let mut connection = TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head =
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    connection.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 401");
}

#[tokio::test]
async fn a_large_body_does_not_hide_the_refusal() {
    let issuer = TestIssuer::start(vec![issuer::ed("a").public()]).await;
    let gateway = gateway_of(&issuer).await;
    let request = whoami(&gateway).body(vec![b' '; 5_000_000]);
    Answer::to(request).await.refusal(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn who_asks_has_to_be_clear() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    let settings = Settings { tokens: Some(issuer.settings()), allow_anonymous: true, ..Settings::default() };
    let gateway = gateway_with(settings).await;
    let token = key.token(&issuer.claims(&json!({})));
    for request in [
        whoami(&gateway).bearer_auth(&token).bearer_auth(&token),
        whoami(&gateway).bearer_auth(&token).header("X-API-Key", "a key that is long enough"),
        whoami(&gateway).header("X-API-Key", "a").header("X-API-Key", "b"),
    ] {
        let answer = Answer::to(request).await;
        let message = answer.refusal(400, "BAD_REQUEST");
        let expected = format!("Bearer error=\"invalid_request\", error_description=\"{message}\"");
        assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn anonymous_callers_can_be_let_in_and_bad_credentials_are_refused_all_the_same() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    let settings = Settings { tokens: Some(issuer.settings()), allow_anonymous: true, ..Settings::default() };
    let gateway = gateway_with(settings).await;
    let anonymous = [
        "read:users",
        "read:users_app_metadata",
        "read:logs",
        "read:roles",
        "read:role_members",
        "read:organizations",
        "read:authentication_methods",
        "read:sessions",
        "read:refresh_tokens",
    ];
    assert_eq!(Answer::to(whoami(&gateway)).await.scopes(), anonymous);
    assert_eq!(Answer::to(whoami(&gateway).header(AUTHORIZATION, "Basic YTpi")).await.scopes(), anonymous);
    let token = key.token(&issuer.claims(&json!({ "scope": "read:user_idp_tokens" })));
    assert_eq!(whoami_with(&gateway, &token).await.scopes(), ["read:user_idp_tokens"]);
    whoami_with(&gateway, &token[1..]).await.refusal(401, "UNAUTHENTICATED");
    whoami_with(&gateway, "").await.refusal(401, "UNAUTHENTICATED");
    let answer = Answer::to(whoami(&gateway).header("X-API-Key", "a key that is long enough")).await;
    answer.refusal(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn where_no_credentials_are_taken_those_of_somebody_else_do_no_harm() {
    let gateway = gateway_with(Settings::default()).await;
    for authorization in ["Bearer a.b.c", "Basic YTpi", "Bearer"] {
        let request = whoami(&gateway).header(AUTHORIZATION, authorization).header("X-API-Key", "a");
        assert_eq!(Answer::to(request).await.scopes().len(), 9);
    }
}

#[tokio::test]
async fn host_names_are_checked_while_anonymous_callers_are_let_in() {
    let key = "a key that is long enough";
    let api_keys = ApiKeys::parse(&format!("a:{}:read:logs", hash_of(key))).unwrap();
    for (allow_anonymous, status) in [(true, 421), (false, 200)] {
        let settings = Settings { api_keys: api_keys.clone(), allow_anonymous, ..Settings::default() };
        let gateway = gateway_with(settings).await;
        let request = whoami(&gateway).header(HOST, "gateway.example.com").header("X-API-Key", key);
        assert_eq!(Answer::to(request).await.status, status);
    }
}
