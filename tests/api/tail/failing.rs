//! The tail while Auth0 fails, and the poller's own life.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth0_graphql::auth0::TailSettings;
use auth0_graphql::http;
use auth0_graphql::sandbox::Plan;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tracing::Level;
use wiremock::matchers::method;
use wiremock::{Mock, Request, ResponseTemplate};

use super::{arrive, ids, next, setup, subscribed};
use crate::captured_log::CapturedLog;
use crate::gateway::{Setup, TestGateway};
use crate::mock::answering;
use crate::websocket::Client;

/// Waits until so many calls for logs have been answered so.
async fn answered(gateway: &TestGateway, status: u16, count: usize) {
    let is_so = |call: &&crate::gateway::Call| call.path == "/api/v2/logs" && call.status == Some(status);
    while gateway.calls().await.iter().filter(is_so).count() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn subscribers_stay_while_auth0_fails_and_go_on_where_they_were() {
    for fault in [json!({ "status": 503 }), json!({ "status": 429 }), json!("html"), json!({ "body": "[{]" })] {
        let gateway = TestGateway::spawn_with(setup()).await;
        let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
        let before = arrive(&gateway, 2).await;
        assert_eq!(ids(&mut client, 2).await, before);
        gateway.forget_calls().await;
        gateway.fault(json!({ "path": "/api/v2/logs", "times": 3, "fault": fault })).await;
        let meanwhile = arrive(&gateway, 3).await;
        assert_eq!(ids(&mut client, 3).await, meanwhile, "{fault}");
        let after = arrive(&gateway, 2).await;
        assert_eq!(ids(&mut client, 2).await, after, "{fault}");
    }
}

#[tokio::test]
async fn logs_that_were_given_up_during_an_outage_are_told_of() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
    let last = arrive(&gateway, 1).await;
    assert_eq!(ids(&mut client, 1).await, last);
    gateway.forget_calls().await;
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 1_000, "fault": { "status": 503 } })).await;
    // More than the attempts at one read: the outage has been noticed.
    answered(&gateway, 503, 4).await;
    for _ in 0..6 {
        gateway.control("logs", json!({ "count": 9_000 })).await;
    }
    gateway.mend().await;
    let payload = next(&mut client).await;
    assert_eq!(payload["data"], Value::Null);
    assert_eq!(payload["errors"][0]["extensions"]["code"], "LOGS_MISSED", "{payload}");
    assert_eq!(payload["errors"][0]["extensions"]["after"], json!(last[0]));
    assert!(ids(&mut client, 1).await > last, "what is kept follows");
}

#[tokio::test]
async fn an_outage_that_is_over_within_one_read_is_looked_behind_as_well() {
    let reads = AtomicUsize::new(0);
    let log = |id: &str| json!([{ "log_id": id, "date": "2026-11-02T08:00:00.000Z" }]);
    let answer = move |request: &Request| {
        let query: HashMap<_, _> = request.url.query_pairs().collect();
        if !query.contains_key("from") {
            let is_oldest = query.get("sort").is_some_and(|sort| sort.ends_with(":1"));
            return ResponseTemplate::new(200).set_body_json(log(if is_oldest { "9004" } else { "9001" }));
        }
        match reads.fetch_add(1, Ordering::Relaxed) {
            0 => ResponseTemplate::new(200).set_body_json(json!([])),
            1 => ResponseTemplate::new(503),
            _ => ResponseTemplate::new(200).set_body_json(log("9005")),
        }
    };
    let auth0 = answering(ResponseTemplate::new(404)).await;
    Mock::given(method("GET")).respond_with(answer).with_priority(1).mount(&auth0).await;
    let gateway = TestGateway::spawn_with(Setup { upstream: Some(auth0.uri()), ..setup() }).await;
    let mut client = Client::ready(&gateway).await;
    client.subscribe("1", json!({ "query": "subscription { logs { logId } }" })).await;
    let payload = next(&mut client).await;
    let extensions = &payload["errors"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["after"]), (&json!("LOGS_MISSED"), &json!("9001")), "{payload}");
    assert_eq!(ids(&mut client, 1).await, ["9005"]);
}

#[tokio::test]
async fn records_that_are_no_logs_are_counted_and_said() {
    let log = CapturedLog::default();
    let _logging = log.keep(Level::WARN);
    let reads = AtomicUsize::new(0);
    let answer = move |request: &Request| {
        let is_first = request.url.query_pairs().all(|(name, _)| name != "from");
        ResponseTemplate::new(200).set_body_json(match reads.fetch_add(1, Ordering::Relaxed) {
            _ if is_first => json!([{ "log_id": "9001" }]),
            2 => json!([null, "x", { "log_id": "9002" }, { "type": "s" }, { "log_id": "9003" }]),
            _ => json!([]),
        })
    };
    let auth0 = answering(ResponseTemplate::new(404)).await;
    Mock::given(method("GET")).respond_with(answer).with_priority(1).mount(&auth0).await;
    let http = http::Settings { metrics: true, ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { upstream: Some(auth0.uri()), http, ..setup() }).await;
    let mut client = Client::ready(&gateway).await;
    client.subscribe("1", json!({ "query": "subscription { logs { logId } }" })).await;
    assert_eq!(ids(&mut client, 2).await, ["9002", "9003"]);
    let metrics = gateway.http.get(format!("{}/metrics", gateway.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nauth0_graphql_tail_left_out_records_total 3\n"), "{metrics}");
    let written = log.text();
    let lines: Vec<_> = written.lines().filter(|line| line.contains("leaves them out")).collect();
    assert!(matches!(lines[..], [line] if line.contains("records=3")), "{written}");
}

#[tokio::test]
async fn a_page_of_history_is_read_on_from_although_records_of_it_are_no_logs() {
    let log = |number: usize| json!({ "log_id": number.to_string() });
    let answer = move |request: &Request| {
        let query: HashMap<_, _> = request.url.query_pairs().collect();
        let is_oldest = query.get("sort").is_some_and(|sort| sort.ends_with(":1"));
        ResponseTemplate::new(200).set_body_json(match query.get("from").map(|from| &**from) {
            None if is_oldest => json!([log(9000)]),
            None => json!([log(9101)]),
            Some("9000") => (9001..=9099).map(log).chain([Value::Null]).collect(),
            Some("9099") => json!([log(9100), log(9101)]),
            Some(_) => json!([]),
        })
    };
    let auth0 = answering(ResponseTemplate::new(404)).await;
    Mock::given(method("GET")).respond_with(answer).with_priority(1).mount(&auth0).await;
    let gateway = TestGateway::spawn_with(Setup { upstream: Some(auth0.uri()), ..setup() }).await;
    let mut client = Client::ready(&gateway).await;
    client.subscribe("1", json!({ "query": "subscription { logs(from: \"9000\") { logId } }" })).await;
    let expected: Vec<_> = (9001..=9101).map(|number| number.to_string()).collect();
    assert_eq!(ids(&mut client, expected.len()).await, expected);
}

#[tokio::test]
async fn a_gateway_that_may_not_read_logs_says_so_and_ends_the_subscription() {
    let setup = Setup { client: None, ..setup() };
    let gateway = TestGateway::spawn_with(setup).await;
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 100, "fault": { "status": 403 } })).await;
    let mut client = Client::ready(&gateway).await;
    client.subscribe("1", json!({ "query": "subscription { logs { logId } }" })).await;
    let message = client.receive().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{message}");
    assert_eq!(message["payload"][0]["extensions"]["code"], "UPSTREAM_MISCONFIGURED", "{message}");
}

#[tokio::test]
async fn one_poller_serves_all_and_ends_with_the_last() {
    let mut setup = setup();
    setup.policy.tail = TailSettings { linger: Duration::ZERO, ..setup.policy.tail };
    // It looks whether anybody follows between its reads, and where those wait for their turn, the next who comes is there before.
    setup.sandbox.plan = Plan::PrivateCloud;
    let gateway = TestGateway::spawn_with(setup).await;
    let starts = async || {
        let calls = gateway.calls().await;
        calls.iter().filter(|call| call.target().contains("page=0&per_page=100")).count()
    };
    let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
    let first = arrive(&gateway, 1).await;
    assert_eq!(ids(&mut client, 1).await, first);
    // From there, so that it makes no difference whether they listen yet when the next one comes.
    let query = format!("subscription {{ logs(from: \"{}\") {{ logId }} }}", first[0]);
    for other in ["2", "3", "4"] {
        client.subscribe(other, json!({ "query": query })).await;
    }
    arrive(&gateway, 1).await;
    for _ in 0..4 {
        assert_eq!(client.receive().await["type"], "next");
    }
    assert_eq!(starts().await, 1);
    leave(client).await;
    // Whoever comes after it has ended starts another.
    loop {
        gateway.forget_calls().await;
        let client = subscribed(&gateway, "subscription { logs { logId } }").await;
        if starts().await > 0 {
            break;
        }
        leave(client).await;
    }
}

/// Closes the connection, and waits until the gateway has.
async fn leave(mut client: Client) {
    client.send(Message::Close(None)).await;
    while client.next().await.is_some() {}
}
