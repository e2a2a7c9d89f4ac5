//! An operation on a WebSocket passes every stage that one over HTTP passes.

use std::num::{NonZeroU32, NonZeroUsize};

use auth0_graphql::graphql::{DocumentSettings, Permissions, ScopeMode, TrustedMode};
use auth0_graphql::http::{self, Period, RateLimit};
use auth0_graphql::sandbox::{Options, TokenRequest};
use serde_json::{Value, json};

use super::client::Client;
use super::{USERS, VERSION};
use crate::audit::{logging, trail};
use crate::authentication::hash_of;
use crate::documents::{manifest, trusting};
use crate::gateway::{Setup, TestGateway, codes};
use crate::serving::{Serving, patient};

/// The codes of an operation that is refused.
async fn refused(client: &mut Client, payload: Value) -> Vec<String> {
    let error = refusal(client, payload).await;
    codes(&error).into_iter().map(ToOwned::to_owned).collect()
}

async fn refusal(client: &mut Client, payload: Value) -> Value {
    client.subscribe("refused", payload.clone()).await;
    let mut message = client.receive().await;
    assert_eq!((&message["id"], &message["type"]), (&json!("refused"), &json!("error")), "{payload}: {message}");
    json!({ "errors": message["payload"].take() })
}

/// A connection of a caller of the sandbox with these scopes.
async fn with_scopes(gateway: &TestGateway, scope: &str) -> Client {
    let request = TokenRequest { scope: scope.to_owned(), ..TokenRequest::default() };
    let token = gateway.sandbox.user_token(&request).unwrap();
    let mut client = Client::connect(gateway).await;
    client.init(json!({ "authorization": format!("Bearer {token}") })).await;
    assert_eq!(client.receive().await["type"], "connection_ack");
    client
}

#[tokio::test]
async fn with_only_trusted_documents_all_others_are_refused() {
    let documents = trusting(&manifest("web-socket", &json!({ "an-id": VERSION })), TrustedMode::Only);
    let gateway = TestGateway::spawn_with(Setup { documents, ..Setup::default() }).await;
    let mut client = Client::ready(&gateway).await;
    assert!(client.run(json!({ "documentId": "an-id" })).await["data"]["gateway"].is_object());
    assert!(client.run(json!({ "query": VERSION })).await["data"]["gateway"].is_object());
    let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash_of(USERS) } });
    for (payload, code) in [
        (json!({ "query": USERS }), "PERSISTED_QUERY_ONLY"),
        (json!({ "query": "{ __schema { queryType { name } } }" }), "PERSISTED_QUERY_ONLY"),
        (json!({ "query": USERS, "extensions": persisted }), "PERSISTED_QUERY_ONLY"),
        (json!({ "extensions": persisted }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "documentId": "another" }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "query": USERS, "documentId": "an-id" }), "BAD_REQUEST"),
    ] {
        assert_eq!(refused(&mut client, payload.clone()).await, [code], "{payload}");
    }
    assert_eq!(gateway.all_calls().await, []);
}

#[tokio::test]
async fn documents_are_kept_by_their_hashes() {
    let gateway = TestGateway::spawn().await;
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash_of(VERSION) } });
    let mut client = Client::ready(&gateway).await;
    let alone = json!({ "extensions": extensions });
    assert_eq!(refused(&mut client, alone.clone()).await, ["PERSISTED_QUERY_NOT_FOUND"]);
    let sent = client.run(json!({ "query": VERSION, "extensions": extensions })).await;
    assert_eq!(client.run(alone.clone()).await, sent);
    assert_eq!(gateway.send(alone).await, sent, "by HTTP, too");
}

#[tokio::test]
async fn without_introspection_the_schema_is_not_told() {
    let documents = DocumentSettings { introspection: false, ..DocumentSettings::default() };
    let gateway = TestGateway::spawn_with(Setup { documents, ..Setup::default() }).await;
    let mut client = Client::ready(&gateway).await;
    let payload = json!({ "query": "{ __schema { queryType { name } } }" });
    let refusal = refusal(&mut client, payload.clone()).await;
    assert_eq!(refusal["errors"][0]["message"], gateway.send(payload).await["errors"][0]["message"]);
    assert_eq!(client.run(json!({ "query": "{ __typename }" })).await, json!({ "data": { "__typename": "Query" } }));
}

/// True if Auth0 was asked for something that begins so.
async fn called(gateway: &TestGateway, path: &str) -> bool {
    gateway.calls().await.iter().any(|call| call.path.starts_with(path))
}

const BOTH: &str = "{ users(perPage: 1) { nodes { email } } logs(take: 1) { nodes { type } } }";

#[tokio::test]
async fn what_a_caller_may_not_see_is_left_out_or_the_whole_is_refused() {
    for scope_mode in [ScopeMode::Filter, ScopeMode::Reject] {
        let permissions = Permissions { scope_mode, ..Permissions::default() };
        // Its tokens are of today.
        let sandbox = Options::default();
        let setup = Setup { sandbox, takes_sandbox_tokens: true, permissions, ..Setup::default() };
        let gateway = TestGateway::spawn_with(setup).await;
        let mut client = with_scopes(&gateway, "read:users").await;
        match scope_mode {
            ScopeMode::Filter => {
                let answer = client.run(json!({ "query": BOTH })).await;
                assert!(answer["data"]["users"].is_object() && answer["data"]["logs"].is_null(), "{answer}");
                assert_eq!(codes(&answer), ["FORBIDDEN"]);
                assert!(!called(&gateway, "/api/v2/logs").await);
            }
            ScopeMode::Reject => {
                assert_eq!(refused(&mut client, json!({ "query": BOTH })).await, ["FORBIDDEN"]);
                assert!(!called(&gateway, "/api/v2/").await);
            }
        }
    }
}

#[tokio::test]
async fn a_caller_over_its_rate_is_told_when_to_come_back() {
    let rate_limit = Some(RateLimit { requests: NonZeroU32::new(3).unwrap(), per: Period::Hour });
    let http = http::Settings { rate_limit, ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    // Whoever says who they are has asked for that to be found out.
    let mut client = Client::ready(&gateway).await;
    client.run(json!({ "query": VERSION })).await;
    let over_http = gateway.query(VERSION).await;
    assert_eq!(over_http.get("errors"), None, "{over_http}");
    let refusal = refusal(&mut client, json!({ "query": VERSION })).await;
    assert_eq!(codes(&refusal), ["RATE_LIMITED"]);
    let milliseconds = refusal["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap();
    assert!((1..=1_200_000).contains(&milliseconds), "{milliseconds}");
    assert_eq!(codes(&gateway.query(VERSION).await), ["RATE_LIMITED"], "one rate for both");

    let mut another = Client::connect(&gateway).await;
    another.init(Value::Null).await;
    let (code, reason) = another.closed().await;
    assert_eq!(code, 1013, "{reason}");
    assert!(reason.contains("more requests than"), "{reason}");
}

#[tokio::test]
async fn operations_beyond_the_bound_are_refused_at_once() {
    let mut serving = Serving::start(http::Settings { max_concurrent_requests: NonZeroUsize::MIN, ..patient() }).await;
    let (mut client, _) = Client::connect_to(&serving.url, &[]).await;
    client.init(Value::Null).await;
    client.receive().await;
    client.subscribe("slow", json!({ "query": "{ users { nodes { userId } } }" })).await;
    let call = serving.auth0.call().await;
    let refusal = refusal(&mut client, json!({ "query": VERSION })).await;
    assert_eq!(codes(&refusal), ["RATE_LIMITED"]);
    assert_eq!(refusal["errors"][0]["extensions"]["retryAfterMs"], 1_000);
    assert_eq!(serving.get("/graphql?query={__typename}").await.unwrap().status(), 503, "one bound for both");
    call.answer().await;
    assert_eq!(client.receive().await["payload"], json!({ "data": { "users": { "nodes": [] } } }));
    assert_eq!(client.receive().await["type"], "complete");
    assert!(client.run(json!({ "query": VERSION })).await["data"]["gateway"].is_object());
}

#[tokio::test]
async fn an_operation_that_is_cancelled_takes_no_room_from_the_next() {
    let serving = Serving::start(http::Settings { max_concurrent_requests: NonZeroUsize::MIN, ..patient() }).await;
    let (mut client, _) = Client::connect_to(&serving.url, &[]).await;
    client.init(Value::Null).await;
    client.receive().await;
    for _ in 0..200 {
        client.subscribe("slow", json!({ "query": "{ users { nodes { userId } } }" })).await;
        client.say(json!({ "type": "complete", "id": "slow" })).await;
    }
    assert!(client.run(json!({ "query": VERSION })).await["data"]["gateway"].is_object(), "none was refused");
}

#[tokio::test]
async fn an_operation_has_its_deadline() {
    let serving = Serving::start(http::Settings { request_timeout: crate::serving::SHORT, ..patient() }).await;
    let (mut client, _) = Client::connect_to(&serving.url, &[]).await;
    client.init(Value::Null).await;
    client.receive().await;
    let answer = client.run(json!({ "query": "{ users { nodes { userId } } }" })).await;
    assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"]);
}

#[tokio::test]
async fn an_operation_is_one_line_of_the_audit_trail() {
    let (log, _guards) = logging(tracing::Level::INFO);
    let gateway = TestGateway::spawn().await;
    let (mut client, _) = Client::connect_with(&gateway, &[("X-Request-Id", "the-page")]).await;
    client.init(Value::Null).await;
    client.receive().await;
    assert_eq!(trail(&log), [] as [Value; 0]);
    client.run(json!({ "query": "query Support { users(perPage: 1) { page } }" })).await;
    refused(&mut client, json!({ "query": "{ nothing }" })).await;
    let lines = trail(&log);
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            json!([line["outcome"], line["operation"], line["fields"], line["upstream_calls"], line["request_id"]])
        })
        .collect();
    assert_eq!(
        told,
        [json!(["answered", "Support", "users", 1, "the-page-1"]), json!(["refused", null, null, 0, "the-page-2"])]
    );
}
