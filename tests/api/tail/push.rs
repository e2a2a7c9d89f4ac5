//! Logs that Auth0 pushes.

use auth0_graphql::http::{self, IngestToken};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{arrive, ids, next, setup, subscribed};
use crate::gateway::{Setup, TestGateway};

const TOKEN: &str = "a-token-that-nobody-guesses";

async fn gateway() -> TestGateway {
    let ingest_token = Some(IngestToken::parse(TOKEN).unwrap());
    let http = http::Settings { ingest_token, metrics: true, ..http::Settings::default() };
    TestGateway::spawn_with(Setup { http, ..setup() }).await
}

fn post(gateway: &TestGateway) -> RequestBuilder {
    gateway.http.post(format!("{}/ingest/auth0-logs", gateway.url))
}

/// A log as Auth0 pushes it.
fn pushed(id: &str) -> Value {
    let data =
        json!({ "date": "2026-11-02T08:00:00.000Z", "type": "fp", "is_mobile": true, "odd_key": [1], "log_id": id });
    json!({ "log_id": id, "data": data })
}

async fn push(gateway: &TestGateway, body: impl ToString) {
    let request = post(gateway).bearer_auth(TOKEN).header("content-type", "application/json").body(body.to_string());
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
}

/// Logs that have their ids, and cannot be read before they are released.
async fn held(gateway: &TestGateway, count: u64) -> Vec<String> {
    let made = gateway.control("logs", json!({ "count": count, "held": count })).await;
    serde_json::from_value(made["ids"].clone()).unwrap()
}

#[tokio::test]
async fn pushed_logs_are_told_at_once_and_not_again_when_they_are_read() {
    let gateway = gateway().await;
    let mut client = subscribed(&gateway, "subscription { logs { logId type isMobile attributes } }").await;
    let held = held(&gateway, 6).await;
    push(&gateway, json!([pushed(&held[0]), pushed(&held[1])])).await;
    push(&gateway, pushed(&held[2])).await;
    push(&gateway, format!("{}\n{}\n", pushed(&held[3]), pushed(&held[4]))).await;
    // As Auth0 does when it has not heard that it came.
    push(&gateway, json!([pushed(&held[4]), pushed(&held[5])])).await;
    let payload = next(&mut client).await;
    let log = json!({ "logId": held[0], "type": "fp", "isMobile": true, "attributes": { "odd_key": [1] } });
    assert_eq!((&payload["data"]["logs"], payload.get("extensions")), (&log, None));
    assert_eq!(ids(&mut client, 5).await, held[1..]);
    gateway.control("logs/release", Value::Null).await;
    let read = arrive(&gateway, 2).await;
    assert_eq!(ids(&mut client, 2).await, read);
}

#[tokio::test]
async fn a_log_that_push_lost_is_read_and_told_as_a_late_one() {
    let gateway = gateway().await;
    let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
    let held = held(&gateway, 3).await;
    push(&gateway, json!([pushed(&held[0]), pushed(&held[2])])).await;
    assert_eq!(ids(&mut client, 2).await, [held[0].clone(), held[2].clone()]);
    gateway.control("logs/release", Value::Null).await;
    let late = next(&mut client).await;
    assert_eq!((&late["data"]["logs"]["logId"], &late["extensions"]), (&json!(held[1]), &json!({ "late": true })));
    // One that was pushed before is no news, and one that comes behind others is late.
    let (more, newest) = (self::held(&gateway, 1).await, self::held(&gateway, 1).await);
    push(&gateway, json!([pushed(&held[1]), pushed(&newest[0])])).await;
    assert_eq!(ids(&mut client, 1).await, newest);
    push(&gateway, pushed(&more[0])).await;
    let late = next(&mut client).await;
    assert_eq!((&late["data"]["logs"]["logId"], &late["extensions"]), (&json!(more[0]), &json!({ "late": true })));
}

#[tokio::test]
async fn while_nobody_follows_pushes_are_taken_and_nothing_is_asked() {
    let gateway = gateway().await;
    let held = held(&gateway, 1).await;
    push(&gateway, pushed(&held[0])).await;
    push(&gateway, "[]").await;
    assert!(gateway.all_calls().await.is_empty());
}

#[tokio::test]
async fn nothing_is_taken_from_whoever_has_not_the_token_from_a_page_or_in_another_form() {
    let gateway = gateway().await;
    let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
    let held = held(&gateway, 1).await;
    let log = pushed(&held[0]).to_string();
    let json = |request: RequestBuilder| request.header("content-type", "application/json");
    let post = || post(&gateway).body(log.clone());
    for (request, status) in [
        (json(post()), 401),
        (json(post()).bearer_auth("another-token-of-nobody"), 401),
        (json(post()).header("authorization", TOKEN), 401),
        (json(post()).bearer_auth(TOKEN).header("origin", "https://example.com"), 403),
        (json(post()).bearer_auth(TOKEN).header("origin", &gateway.url), 403),
        (json(post()).bearer_auth(TOKEN).header("sec-fetch-site", "same-origin"), 403),
        (post().bearer_auth(TOKEN), 415),
        (post().bearer_auth(TOKEN).header("content-type", "text/plain"), 415),
        (json(post()).bearer_auth(TOKEN).header("content-encoding", "gzip"), 415),
        (json(post()).bearer_auth(TOKEN).body("{"), 400),
        (json(post()).bearer_auth(TOKEN).body(format!("[{log},{{}}]")), 400),
        (json(post()).bearer_auth(TOKEN).body(" ".repeat((4 << 20) + 1)), 413),
        (gateway.http.get(format!("{}/ingest/auth0-logs", gateway.url)).bearer_auth(TOKEN), 405),
        (gateway.http.post(format!("{}/ingest", gateway.url)).bearer_auth(TOKEN), 404),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{response:?}");
        assert!(response.headers().get("access-control-allow-origin").is_none());
    }
    let told = arrive(&gateway, 1).await;
    assert_eq!(ids(&mut client, 1).await, told);

    let off = TestGateway::spawn_with(setup()).await;
    let request = json(self::post(&off)).bearer_auth(TOKEN).body(log);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_comes_is_counted_by_what_brought_it_and_what_became_of_it() {
    let gateway = gateway().await;
    let held = held(&gateway, 3).await;
    push(&gateway, pushed(&held[0])).await;
    let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
    let read = arrive(&gateway, 2).await;
    assert_eq!(ids(&mut client, 2).await, read);
    push(&gateway, pushed(&held[1])).await;
    assert_eq!(ids(&mut client, 1).await, held[1..2]);
    push(&gateway, json!([pushed(&held[1]), pushed(&read[1])])).await;
    let metrics = gateway.http.get(format!("{}/metrics", gateway.url)).send().await.unwrap().text().await.unwrap();
    for expected in [
        "subscribers 1",
        "pollers_started_total 1",
        r#"logs_total{source="poll"} 2"#,
        r#"logs_total{source="push"} 1"#,
        "late_logs_total 1",
        r#"pushed_logs_total{outcome="new"} 1"#,
        r#"pushed_logs_total{outcome="known"} 2"#,
        r#"pushed_logs_total{outcome="no_subscribers"} 1"#,
        "delivered_logs_total 3",
        "gaps_total 0",
        "overflows_total 0",
    ] {
        let expected = format!("auth0_graphql_tail_{expected}");
        assert!(metrics.lines().any(|line| line == expected), "{expected} is not in {metrics}");
    }
    let polls = metrics.lines().find_map(|line| line.strip_prefix("auth0_graphql_tail_polls_total{outcome=\"ok\"} "));
    assert!(polls.is_some_and(|polls| polls.parse::<u64>().unwrap() >= 2), "{metrics}");
}

#[tokio::test]
async fn an_id_of_a_day_to_come_is_neither_pushed_nor_resumed_from() {
    let gateway = gateway().await;
    let future = "9".repeat(56);
    let mut client = subscribed(&gateway, "subscription { logs { logId } }").await;
    let both = json!([pushed("90020261101080000000000000000000000001223372036854775807"), pushed(&future)]);
    let request = post(&gateway).bearer_auth(TOKEN).json(&both).send().await.unwrap();
    assert_eq!(request.status(), StatusCode::BAD_REQUEST);
    let made = arrive(&gateway, 2).await;
    assert_eq!(ids(&mut client, 2).await, made, "nothing was late for it");

    let query = format!("subscription {{ logs(from: \"{future}\") {{ logId }} }}");
    client.subscribe("2", json!({ "query": query })).await;
    let mut message = client.receive().await;
    while message["id"] != "2" {
        message = client.receive().await;
    }
    let extensions = &message["payload"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["argument"]), (&json!("BAD_USER_INPUT"), &json!("from")), "{message}");
}

#[tokio::test]
async fn a_log_with_a_key_twice_or_another_id_is_told_all_the_same() {
    let gateway = gateway().await;
    let mut client = subscribed(&gateway, "subscription { logs { logId type } }").await;
    let held = held(&gateway, 2).await;
    let date = r#""date":"2026-11-02T08:00:00.000Z""#;
    let body = format!(
        r#"[{{"log_id":"{}","data":{{"type":"f",{date},{date}}}}},{{"log_id":"{}","data":{{"type":"s","_id":5}}}}]"#,
        held[0], held[1]
    );
    push(&gateway, body).await;
    assert_eq!(ids(&mut client, 2).await, held);
}
