//! GraphQL over WebSocket: `graphql-transport-ws`, with the answers, the limits and the callers of HTTP.

mod callers;
mod client;
mod connections;
mod endings;
mod handshake;
mod stages;

use auth0_graphql::http::{self, WebSocketSettings};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(crate) use self::client::Client;
use crate::gateway::{Setup, TestGateway};
use crate::mock;

/// A document that needs no call of Auth0.
const VERSION: &str = "{ gateway { version } }";

const USERS: &str = "{ users(perPage: 2) { nodes { userId email } } }";

/// A gateway that meets WebSockets so.
async fn gateway_with(web_sockets: WebSocketSettings) -> TestGateway {
    let http = http::Settings { web_sockets, ..http::Settings::default() };
    TestGateway::spawn_with(Setup { http, ..Setup::default() }).await
}

/// An Auth0 that is far slower than any test, and a gateway to it.
async fn held(web_sockets: WebSocketSettings) -> (MockServer, TestGateway) {
    let never = ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(600));
    let auth0 = mock::answering(never).await;
    let http = http::Settings { web_sockets, ..http::Settings::default() };
    let setup = Setup { upstream: Some(auth0.uri()), http, ..Setup::uncached() };
    (auth0, TestGateway::spawn_with(setup).await)
}

/// Waits until Auth0 has been asked for `at`.
async fn asked(auth0: &MockServer, at: &str) {
    while !auth0.received_requests().await.unwrap().iter().any(|request| request.url.path() == at) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_has_the_bytes_that_it_has_over_http() {
    let gateway = TestGateway::spawn().await;
    let body = json!({ "query": USERS });
    let response = gateway.http.post(format!("{}/graphql", gateway.url)).json(&body).send().await.unwrap();
    let over_http = response.text().await.unwrap();
    let mut client = Client::ready(&gateway).await;
    client.subscribe("an \"id\"", body).await;
    let expected = format!(r#"{{"id":"an \"id\"","type":"next","payload":{over_http}}}"#);
    assert_eq!(client.receive_text().await, expected);
    assert_eq!(client.receive().await, json!({ "id": "an \"id\"", "type": "complete" }));
}

#[tokio::test]
async fn operations_are_asked_for_as_in_the_body_of_a_post() {
    let gateway = TestGateway::spawn().await;
    let mut client = Client::ready(&gateway).await;
    let query = "query A($n: Int!) { users(perPage: $n) { perPage } } query B { gateway { mode } }";
    for (payload, data) in [
        (
            json!({ "query": query, "operationName": "A", "variables": { "n": 7 }, "extensions": {} }),
            json!({ "users": { "perPage": 7 } }),
        ),
        (
            json!({ "query": query, "operationName": "B", "variables": null }),
            json!({ "gateway": { "mode": "TENANT" } }),
        ),
    ] {
        // An id is free again as soon as its operation is complete.
        assert_eq!(client.run(payload).await["data"], data);
    }
}

#[tokio::test]
async fn what_is_refused_is_told_with_the_errors_of_http() {
    let gateway = TestGateway::spawn().await;
    let mut client = Client::ready(&gateway).await;
    let unknown = json!({ "persistedQuery": { "version": 1, "sha256Hash": "0".repeat(64) } });
    for (payload, code) in [
        (json!({ "query": "{" }), "GRAPHQL_PARSE_FAILED"),
        (json!({ "query": "{ nothing }" }), "GRAPHQL_VALIDATION_FAILED"),
        (json!({ "query": "subscription { users { total } }" }), "GRAPHQL_VALIDATION_FAILED"),
        (json!({ "query": format!("{{ {} }}", "a: gateway { version } ".repeat(500)) }), "QUERY_TOO_COMPLEX"),
        (json!({ "extensions": unknown }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({}), "BAD_REQUEST"),
        (json!({ "query": 1 }), "BAD_REQUEST"),
        (json!({ "query": VERSION, "variables": [] }), "BAD_REQUEST"),
    ] {
        client.subscribe("1", payload.clone()).await;
        let mut message = client.receive().await;
        let errors = message["payload"].take();
        assert_eq!(message, json!({ "id": "1", "type": "error", "payload": null }), "{payload}");
        let over_http = gateway.send(payload.clone()).await;
        assert_eq!(errors[0]["extensions"]["code"], code, "{errors}");
        assert_eq!(errors[0]["message"], over_http["errors"][0]["message"], "{payload}");
    }
    assert!(client.run(json!({ "query": VERSION })).await["data"]["gateway"].is_object(), "no error ends a connection");
}

#[tokio::test]
async fn every_operation_has_a_request_id_that_begins_with_the_connection_s() {
    let gateway = TestGateway::spawn().await;
    let (mut client, response) = Client::connect_with(&gateway, &[("X-Request-Id", "the-page")]).await;
    assert_eq!(response["x-request-id"], "the-page");
    client.init(Value::Null).await;
    assert_eq!(client.receive().await["type"], "connection_ack");
    for expected in ["the-page-1", "the-page-2"] {
        client.subscribe("1", json!({ "query": "{" })).await;
        assert_eq!(client.receive().await["payload"][0]["extensions"]["requestId"], expected);
    }
}

#[tokio::test]
async fn pings_are_answered_at_any_time() {
    let gateway = TestGateway::spawn().await;
    let mut client = Client::connect(&gateway).await;
    for _ in 0..2 {
        for ping in [json!({ "type": "ping" }), json!({ "type": "ping", "payload": { "a": 1 } })] {
            client.say(ping).await;
            assert_eq!(client.receive().await, json!({ "type": "pong" }));
        }
        client.say(json!({ "type": "pong" })).await;
        client.init(Value::Null).await;
        if client.receive_text_or_close().await.is_err() {
            return;
        }
    }
    panic!("a second connection_init was let through");
}

#[tokio::test]
async fn operations_are_under_way_at_once_and_can_be_cancelled() {
    let (auth0, gateway) = held(WebSocketSettings::default()).await;
    let mut client = Client::ready(&gateway).await;
    client.subscribe("slow", json!({ "query": USERS })).await;
    asked(&auth0, "/api/v2/users").await;
    client.subscribe("quick", json!({ "query": VERSION })).await;
    let next = client.receive().await;
    assert_eq!((&next["id"], &next["type"]), (&json!("quick"), &json!("next")));
    assert_eq!(client.receive().await, json!({ "id": "quick", "type": "complete" }));

    client.say(json!({ "type": "complete", "id": "slow" })).await;
    client.say(json!({ "type": "complete", "id": "never there" })).await;
    // The id is free at once, and the first answer under it is not the cancelled one's.
    client.subscribe("slow", json!({ "query": VERSION })).await;
    assert!(client.receive().await["payload"]["data"]["gateway"].is_object());
    assert_eq!(client.receive().await, json!({ "id": "slow", "type": "complete" }));
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.receive().await, json!({ "type": "pong" }), "nothing else has come");
}

#[tokio::test]
async fn operations_under_way_are_limited_in_number() {
    let (_auth0, gateway) = held(WebSocketSettings { max_operations: 1, ..WebSocketSettings::default() }).await;
    let mut client = Client::ready(&gateway).await;
    client.subscribe("slow", json!({ "query": USERS })).await;
    client.subscribe("more", json!({ "query": VERSION })).await;
    let refusal = client.receive().await;
    assert_eq!((&refusal["id"], &refusal["type"]), (&json!("more"), &json!("error")));
    assert_eq!(refusal["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    client.say(json!({ "type": "complete", "id": "slow" })).await;
    assert!(client.run(json!({ "query": VERSION })).await["data"]["gateway"].is_object());
}

#[tokio::test]
async fn a_field_that_fails_leaves_the_others() {
    let auth0 = mock::answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let refusal = ResponseTemplate::new(400).set_body_json(json!({ "statusCode": 400, "message": "bad q" }));
    Mock::given(path("/api/v2/users")).respond_with(refusal).mount(&auth0).await;
    let gateway = mock::gateway_to(&auth0).await;
    let mut client = Client::ready(&gateway).await;
    let answer = client.run(json!({ "query": "{ users(q: \"a:b\") { page } gateway { version } }" })).await;
    assert!(answer["data"]["users"].is_null() && answer["data"]["gateway"].is_object(), "{answer}");
    assert_eq!(crate::gateway::codes(&answer), ["UPSTREAM_REJECTED"]);
}
