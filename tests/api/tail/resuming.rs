//! Subscriptions that go on where another left off.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tracing::Level;

use super::events::Events;
use super::{arrive, ids, next, setup, subscribed, tailing};
use crate::captured_log::CapturedLog;
use crate::gateway::TestGateway;
use crate::websocket::Client;

/// The ids of all logs of the tenant, in order.
async fn known(gateway: &TestGateway) -> Vec<String> {
    let mut ids = BTreeSet::new();
    for page in 0..10 {
        let query = format!("{{ searchLogs(page: {page}, perPage: 100) {{ nodes {{ logId }} }} }}");
        let data = gateway.data(&query).await;
        let nodes = data["searchLogs"]["nodes"].as_array().unwrap().clone();
        ids.extend(nodes.iter().map(|node| node["logId"].as_str().unwrap().to_owned()));
        if nodes.len() < 100 {
            break;
        }
    }
    ids.into_iter().collect()
}

fn from(id: &str) -> Value {
    json!({ "query": format!("subscription {{ logs(from: {id:?}) {{ logId }} }}") })
}

#[tokio::test]
async fn history_comes_first_and_the_live_stream_follows_without_a_gap_or_a_repeat() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = known(&gateway).await;
    assert_eq!(known.len(), 300);
    // Among the newest, some pages back, and before all.
    for start in [295, 290, 120, 3] {
        let mut client = Client::ready(&gateway).await;
        client.subscribe("1", from(&known[start])).await;
        assert_eq!(ids(&mut client, 299 - start).await, known[start + 1..], "{start}");
    }
    let mut client = Client::ready(&gateway).await;
    client.subscribe("1", from(&known[150])).await;
    assert_eq!(ids(&mut client, 10).await, known[151..161]);
    let live = arrive(&gateway, 4).await;
    assert_eq!(ids(&mut client, 143).await, [&known[161..], &live].concat());
}

#[tokio::test]
async fn many_who_resume_at_different_logs_cost_what_one_costs() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = known(&gateway).await;
    let mut first = subscribed(&gateway, "subscription { logs { logId } }").await;
    let mut clients = Vec::new();
    for start in (3..=240).step_by(6) {
        let mut client = Client::ready(&gateway).await;
        client.subscribe("1", from(&known[start])).await;
        clients.push((start, client));
    }
    let live = arrive(&gateway, 2).await;
    join_all(clients.iter_mut().map(|(start, client)| {
        let expected = [&known[*start + 1..], &live].concat();
        async move { assert_eq!(ids(client, expected.len()).await, expected) }
    }))
    .await;
    assert_eq!(ids(&mut first, 2).await, live);
    let calls = gateway.calls().await;
    let is_past = |target: &str| known[..240].iter().any(|id| target.contains(&format!("from={id}")));
    let past = calls.iter().map(|call| call.target()).filter(|target| is_past(target)).count();
    assert!(past <= 4, "{past} reads of history for 40 who resume");
}

#[tokio::test]
async fn a_log_that_becomes_visible_late_is_told_once_and_marked() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let mut events = Events::subscribe(&gateway, "subscription { logs { logId } }", &[]).await;
    tailing(&gateway).await;
    let made = gateway.control("logs", json!({ "count": 3, "held": 1 })).await;
    let made: Vec<String> = serde_json::from_value(made["ids"].clone()).unwrap();
    assert_eq!(events.ids(2).await, made[1..]);
    gateway.control("logs/release", Value::Null).await;
    let late = events.next().await.unwrap();
    assert_eq!(late.log_id(), made[0]);
    assert_eq!(late.payload()["extensions"], json!({ "late": true }));
    assert_eq!(late.id.as_ref(), Some(&made[2]), "who resumes after it does not go back");
    let more = arrive(&gateway, 1).await;
    let event = events.next().await.unwrap();
    assert_eq!((event.log_id(), event.payload().get("extensions")), (more[0].clone(), None));
}

#[tokio::test]
async fn a_log_that_is_not_kept_any_more_is_told_of_before_what_is() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = known(&gateway).await;
    for _ in 0..6 {
        gateway.control("logs", json!({ "count": 9_000 })).await;
    }
    let mut client = Client::ready(&gateway).await;
    client.subscribe("1", from(&known[0])).await;
    let mut payload = next(&mut client).await;
    assert_eq!(payload["data"], Value::Null);
    payload["errors"][0]["extensions"]["requestId"].take();
    assert_eq!(payload["errors"][0]["path"], json!(["logs"]));
    let extensions = json!({ "code": "LOGS_MISSED", "after": known[0], "requestId": null });
    assert_eq!(payload["errors"][0]["extensions"], extensions, "{payload}");
    let first = ids(&mut client, 1).await;
    assert!(first[0] > known[299], "some of the newer ones are kept");
}

#[tokio::test]
async fn many_who_resume_at_a_log_that_is_not_kept_any_more_do_not_flood_the_log() {
    let log = CapturedLog::default();
    let _guards = log.keep(Level::WARN);
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = known(&gateway).await;
    for _ in 0..6 {
        gateway.control("logs", json!({ "count": 9_000 })).await;
    }
    let mut client = Client::ready(&gateway).await;
    // None of the logs that follow is of interest.
    let query =
        format!("subscription {{ logs(from: {:?}, filter: {{ type: {{ eq: \"none\" }} }}) {{ logId }} }}", known[0]);
    for number in 0..12 {
        client.subscribe(&number.to_string(), json!({ "query": query })).await;
    }
    let mut told = BTreeSet::new();
    while told.len() < 12 {
        let message = client.receive().await;
        if message["payload"]["errors"][0]["extensions"]["code"] == "LOGS_MISSED" {
            told.insert(message["id"].as_str().unwrap().to_owned());
        }
    }
    let written = log.text();
    let lines: Vec<_> = written.lines().filter(|line| line.contains("LOGS_MISSED")).collect();
    assert!(!lines.is_empty() && lines.len() < 10, "{written}");
}
