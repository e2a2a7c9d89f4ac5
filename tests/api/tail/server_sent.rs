//! Subscriptions and queries over Server-Sent Events.

use std::time::Duration;

use auth0_graphql::http::{self, SubscriptionSettings};
use serde_json::json;

use super::events::{Event, Events};
use super::{arrive, setup, tailing};
use crate::gateway::{Setup, TestGateway};

const LOGS: &str = "subscription { logs { logId } }";

#[tokio::test]
async fn logs_are_events_whose_ids_are_those_of_the_logs() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let mut events = Events::subscribe(&gateway, LOGS, &[]).await;
    let headers = events.response.headers();
    assert_eq!(headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert!(!headers.contains_key("content-encoding"));
    tailing(&gateway).await;
    for id in arrive(&gateway, 3).await {
        let event = events.next().await.unwrap();
        assert_eq!(event.id.as_ref(), Some(&id));
        assert_eq!(event.payload(), json!({ "data": { "logs": { "logId": id } } }));
    }
    assert_eq!(events.comments, 1, "the first tells that the stream is there");
}

#[tokio::test]
async fn a_subscription_can_be_a_get() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let request = gateway.http.get(format!("{}/graphql", gateway.url)).query(&[("query", LOGS)]);
    let mut events = Events::of(request.header("accept", "text/event-stream").send().await.unwrap());
    tailing(&gateway).await;
    let made = arrive(&gateway, 2).await;
    assert_eq!(events.ids(2).await, made);
}

#[tokio::test]
async fn a_client_that_reconnects_goes_on_after_the_last_event_that_it_had() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let mut events = Events::subscribe(&gateway, LOGS, &[]).await;
    tailing(&gateway).await;
    let made = arrive(&gateway, 5).await;
    assert_eq!(events.ids(2).await, made[..2]);
    drop(events);
    let later = arrive(&gateway, 3).await;
    let last = [("last-event-id", &*made[1])];
    let mut events = Events::subscribe(&gateway, "subscription { logs(from: \"9001\") { logId } }", &last).await;
    assert_eq!(events.ids(6).await, [&made[2..], &later].concat(), "it goes before `from`");
}

#[tokio::test]
async fn a_query_is_one_event_for_those_who_take_nothing_else() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let complete = Event { id: None, kind: "complete".to_owned(), data: String::new() };
    for (query, expected) in [
        ("{ gateway { mode } }", json!({ "data": { "gateway": { "mode": "TENANT" } } })),
        ("{ nothing }", json!("GRAPHQL_VALIDATION_FAILED")),
    ] {
        let mut events = Events::subscribe(&gateway, query, &[]).await;
        assert_eq!(events.response.status(), 200);
        let mut payload = events.next().await.unwrap().payload();
        if let Some(code) = payload.pointer_mut("/errors/0/extensions/code") {
            payload = code.take();
        }
        assert_eq!(payload, expected);
        assert_eq!(events.next().await.unwrap(), complete);
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test]
async fn a_client_that_takes_json_too_has_a_query_answered_in_json() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let request = gateway.http.post(format!("{}/graphql", gateway.url));
    let accept = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";
    let request = request.header("accept", accept).json(&json!({ "query": "{ gateway { mode } }" }));
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/graphql-response+json; charset=utf-8");
}

#[tokio::test]
async fn a_silent_stream_has_heartbeats() {
    let mut setup = setup();
    setup.http =
        with(SubscriptionSettings { heartbeat_interval: Duration::from_millis(20), ..SubscriptionSettings::default() });
    let gateway = TestGateway::spawn_with(setup).await;
    let mut events = Events::subscribe(&gateway, LOGS, &[]).await;
    for _ in 0..3 {
        events.heartbeat().await;
    }
}

fn with(subscriptions: SubscriptionSettings) -> http::Settings {
    http::Settings { subscriptions, ..Setup::default().http }
}

#[tokio::test]
async fn what_is_wrong_with_an_event_id_is_told() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let long = "9".repeat(600);
    let mut events = Events::subscribe(&gateway, LOGS, &[("last-event-id", &long)]).await;
    let payload = events.next().await.unwrap().payload();
    assert_eq!(payload["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{payload}");
}
