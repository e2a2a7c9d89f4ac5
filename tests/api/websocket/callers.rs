//! The callers who are let in over a WebSocket, and their scopes.

use auth0_graphql::auth::{self, ApiKeys, Issuer, TokenSettings};
use auth0_graphql::sandbox::{GATEWAY_AUDIENCE, Options, Sandbox, TokenRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::VERSION;
use super::client::Client;
use crate::authentication::hash_of;
use crate::gateway::{Setup, TestGateway, codes};

const KEY: &str = "the key of the reports";

const SCOPES: &str = "{ gateway { scopes } }";

/// A gateway that takes the key and a sandbox's tokens, and nobody without.
async fn closed() -> (Sandbox, TestGateway) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(Options::default(), listener).await.unwrap();
    let tokens = TokenSettings {
        issuer: Issuer::parse(&sandbox.issuer()).unwrap(),
        audiences: vec![GATEWAY_AUDIENCE.to_owned()],
        keys: None,
    };
    let api_keys = ApiKeys::parse(&format!("reports:{}:read:logs", hash_of(KEY))).unwrap();
    let auth = auth::Settings { tokens: Some(tokens), api_keys, allow_anonymous: false };
    (sandbox, TestGateway::spawn_with(Setup { auth, ..Setup::default() }).await)
}

async fn token(sandbox: &Sandbox, expires_in: i64) -> String {
    let request = TokenRequest { scope: "read:users".to_owned(), expires_in, ..TokenRequest::default() };
    format!("Bearer {}", sandbox.user_token(&request).unwrap())
}

/// The scopes of whoever opens a connection so, or the close code and the reason.
async fn scopes(
    gateway: &TestGateway,
    headers: &[(&'static str, &str)],
    payload: Value,
) -> Result<Value, (u16, String)> {
    let (mut client, _) = Client::connect_with(gateway, headers).await;
    client.init(payload).await;
    client.receive_text_or_close().await?;
    Ok(client.run(json!({ "query": SCOPES })).await["data"]["gateway"]["scopes"].take())
}

#[tokio::test]
async fn credentials_come_with_the_introduction_or_with_the_upgrade_request() {
    let (sandbox, gateway) = closed().await;
    let token = &token(&sandbox, 3_600).await;
    let (users, logs) = (json!(["read:users"]), json!(["read:logs"]));
    for (headers, payload, expected) in [
        (&[][..], json!({ "authorization": token }), &users),
        (&[], json!({ "Authorization": token, "lang": "en" }), &users),
        (&[], json!({ "headers": { "Authorization": token } }), &users),
        (&[], json!({ "headers": { "X-API-Key": KEY } }), &logs),
        (&[], json!({ "x-api-key": KEY }), &logs),
        (&[("authorization", token.as_str())], Value::Null, &users),
        (&[("authorization", token.as_str())], json!({ "authorization": token }), &users),
        (&[("x-api-key", KEY)], json!({}), &logs),
    ] {
        assert_eq!(scopes(&gateway, headers, payload.clone()).await.as_ref(), Ok(expected), "{headers:?} {payload}");
    }
}

#[tokio::test]
async fn whoever_has_none_or_bad_ones_is_sent_away() {
    let (sandbox, gateway) = closed().await;
    let (good, expired) = (&token(&sandbox, 3_600).await, &token(&sandbox, -60).await);
    for (headers, payload, says) in [
        (&[][..], Value::Null, "Credentials are needed"),
        (&[], json!({ "authorization": null }), "Credentials are needed"),
        (&[], json!({ "authorization": good.trim_start_matches("Bearer ") }), "Authorization: Bearer"),
        (&[], json!({ "authorization": "Bearer a.b.c" }), "token"),
        (&[], json!({ "authorization": expired }), "expired"),
        (&[("authorization", expired.as_str())], Value::Null, "expired"),
        (&[], json!({ "x-api-key": "another" }), "not known"),
        (&[("x-api-key", KEY)], json!({ "authorization": good }), "both an access token and an API key"),
        (&[("authorization", expired.as_str())], json!({ "authorization": good }), "more than one Authorization"),
    ] {
        let (code, reason) = scopes(&gateway, headers, payload.clone()).await.unwrap_err();
        assert_eq!(code, 4403, "{payload}: {reason}");
        assert!(reason.contains(says), "{payload}: {reason}");
    }
}

#[tokio::test]
async fn a_scope_that_the_caller_lacks_is_not_there() {
    let (_sandbox, gateway) = closed().await;
    let mut client = Client::connect(&gateway).await;
    client.init(json!({ "x-api-key": KEY })).await;
    client.receive().await;
    let query = "{ logs(take: 1) { nodes { type } } users(perPage: 1) { page } }";
    let answer = client.run(json!({ "query": query })).await;
    assert_eq!(answer["data"]["logs"]["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(codes(&answer), ["FORBIDDEN"]);
    assert!(gateway.calls().await.iter().all(|call| call.path == "/api/v2/logs"));
}

#[tokio::test]
async fn a_connection_does_not_outlive_its_token() {
    let (sandbox, gateway) = closed().await;
    // Half a minute of leeway leaves it three seconds.
    let token = token(&sandbox, -27).await;
    let mut client = Client::connect(&gateway).await;
    client.init(json!({ "authorization": token })).await;
    assert_eq!(client.receive().await["type"], "connection_ack");
    let (code, reason) = loop {
        client.subscribe("1", json!({ "query": VERSION })).await;
        match client.receive_text_or_close().await {
            Ok(_) => assert_eq!(client.receive().await["type"], "complete"),
            Err(close) => break close,
        }
    };
    assert_eq!(code, 4403);
    assert!(reason.contains("expired"), "{reason}");
}

#[tokio::test]
async fn the_issuer_s_trouble_is_no_fault_of_the_client_s() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(Options::default(), listener).await.unwrap();
    let keys = wiremock::MockServer::start().await;
    let tokens = TokenSettings {
        issuer: Issuer::parse(&sandbox.issuer()).unwrap(),
        audiences: vec![GATEWAY_AUDIENCE.to_owned()],
        // Answers 404.
        keys: Some(auth::SecureUrl::parse(&keys.uri()).unwrap()),
    };
    let auth = auth::Settings { tokens: Some(tokens), ..auth::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { auth, ..Setup::default() }).await;
    let token = token(&sandbox, 3_600).await;
    let (code, reason) = scopes(&gateway, &[], json!({ "authorization": token })).await.unwrap_err();
    assert_eq!(code, 1013, "{reason}");
    assert!(reason.contains("Try again"), "{reason}");
}

#[tokio::test]
async fn a_key_that_cannot_be_asked_for_yet_is_no_fault_of_the_client_s() {
    let (sandbox, gateway) = closed().await;
    let token = token(&sandbox, 3_600).await;
    let (_, signed) = token.split_once('.').unwrap();
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "RS256", "kid": "another" }).to_string());
    let payload = json!({ "authorization": format!("Bearer {header}.{signed}") });
    // So that the keys are there.
    scopes(&gateway, &[], json!({ "authorization": token })).await.unwrap();
    let mut codes = Vec::new();
    for _attempt in 0..4 {
        codes.push(scopes(&gateway, &[], payload.clone()).await.unwrap_err().0);
    }
    assert_eq!(codes, [4403, 4403, 4403, 1013]);
}

#[tokio::test]
async fn wishes_come_with_the_introduction() {
    let gateway = TestGateway::spawn().await;
    let mut client = Client::connect_with(&gateway, &[("cache-control", "no-cache")]).await.0;
    client.init(json!({ "headers": { "X-Explain": "run" } })).await;
    client.receive().await;
    let query = json!({ "query": "{ users(perPage: 1) { nodes { email } } }" });
    client.run(query.clone()).await;
    let again = client.run(query).await;
    // Browsers send that header with every upgrade request: it is no wish for fresh answers.
    assert!(again["extensions"]["upstream"][0]["cacheAgeMs"].is_u64(), "{again}");
}
