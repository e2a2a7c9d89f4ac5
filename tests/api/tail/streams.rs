//! The logs that a subscriber is told, and when.

use serde_json::json;

use super::{arrive, ids, next, setup, subscribed};
use crate::gateway::{TestGateway, codes};
use crate::websocket::Client;

#[tokio::test]
async fn logs_are_told_as_they_come_each_once_and_in_order() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
    let first = arrive(&gateway, 3).await;
    assert_eq!(ids(&mut client, 3).await, first);
    let second = arrive(&gateway, 230).await;
    assert_eq!(ids(&mut client, 230).await, second);
}

#[tokio::test]
async fn a_response_has_what_was_selected_and_what_is_joined() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let query = "subscription Watch { entry: logs { __typename logId user { userId email } } }";
    let mut client = subscribed(&gateway, query).await;
    gateway.forget_calls().await;
    let expected = arrive(&gateway, 40).await;
    let mut users = 0;
    for id in &expected {
        let payload = next(&mut client).await;
        assert_eq!(payload.get("errors"), None, "{payload}");
        let entry = &payload["data"]["entry"];
        assert_eq!((&entry["__typename"], &entry["logId"]), (&json!("Log"), &json!(id)));
        users += usize::from(entry["user"]["email"].is_string());
    }
    assert!(users > 5, "{users}");
    let searches = gateway.calls().await.iter().filter(|call| call.path == "/api/v2/users").count();
    assert!(searches <= 2, "users of logs that came together are looked up together: {searches}");
}

#[tokio::test]
async fn a_subscription_ends_when_its_client_is_done_with_it() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
    client.say(json!({ "id": "1", "type": "complete" })).await;
    // Messages are read one after the other.
    client.run(json!({ "query": "{ gateway { version } }" })).await;
    // The id is free again, and nothing of the first comes under it.
    let made = arrive(&gateway, 2).await;
    let query = format!("subscription {{ logs(from: {:?}) {{ date logId }} }}", made[0]);
    client.subscribe("1", json!({ "query": query })).await;
    let payload = next(&mut client).await;
    assert_eq!(payload["data"]["logs"]["logId"], json!(made[1]));
    assert!(payload["data"]["logs"]["date"].is_string());
}

#[tokio::test]
async fn a_subscription_is_refused_where_one_answer_is_taken() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let response = gateway.query("subscription { logs { logId } }").await;
    assert_eq!(codes(&response), ["BAD_REQUEST"], "{response}");
    assert!(gateway.calls().await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_subscription_is_told_before_anything_is_asked() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let mut client = Client::ready(&gateway).await;
    for (query, code) in [
        ("subscription { logs { logId } more: logs { logId } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { logs { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { logs(from: \"\") { logId } }", "BAD_USER_INPUT"),
        ("subscription { logs(filter: {}) { logId } }", "BAD_USER_INPUT"),
        ("subscription { logs(filter: { date: { gt: 1 } }) { logId } }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        client.subscribe("1", json!({ "query": query })).await;
        let message = client.receive().await;
        assert_eq!(message["type"], "error", "{query}: {message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{query}: {message}");
    }
    assert!(gateway.calls().await.is_empty());
}
