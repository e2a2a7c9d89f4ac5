//! The ends of subscriptions: each says where to resume.

use std::time::Duration;

use auth0_graphql::auth0::{ClientPolicy, TailSettings};
use auth0_graphql::http::{self, SubscriptionSettings};
use auth0_graphql::sandbox::TokenRequest;
use reqwest::Version;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::events::Events;
use super::{arrive, ids, setup, subscribed, tailing};
use crate::audit::{logging, trail};
use crate::authentication::hash_of;
use crate::captured_log::CapturedLog;
use crate::gateway::{Call, Setup, TestGateway};
use crate::metrics::refused;
use crate::websocket::Client;

const LOGS: &str = "subscription { logs { logId } }";

/// The last event but `complete`, which has to be an error.
async fn end(events: &mut Events) -> Value {
    let mut payload = events.next().await.unwrap().payload();
    assert_eq!(events.next().await.unwrap().kind, "complete");
    assert_eq!(events.next().await, None);
    payload["errors"][0]["extensions"].take()
}

fn with_settings(subscriptions: SubscriptionSettings) -> Setup {
    let http = http::Settings { subscriptions, metrics: true, ..http::Settings::default() };
    Setup { http, ..setup() }
}

#[tokio::test]
async fn a_stop_tells_subscribers_where_to_resume() {
    let (stop, stopped) = oneshot::channel::<()>();
    let gateway = TestGateway::spawn_until(setup(), async { drop(stopped.await) }).await;
    let mut client = subscribed(&gateway, LOGS).await;
    let made = arrive(&gateway, 2).await;
    assert_eq!(ids(&mut client, 2).await, made);
    let mut events = Events::subscribe(&gateway, LOGS, &[("last-event-id", &made[0])]).await;
    assert_eq!(events.ids(1).await, made[1..]);
    stop.send(()).unwrap();
    let message = client.receive().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{message}");
    let extensions = &message["payload"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["from"]), (&json!("GATEWAY_STOPPING"), &json!(made[1])));
    assert_eq!(client.closed().await.0, 1001);
    let extensions = end(&mut events).await;
    assert_eq!((&extensions["code"], &extensions["from"]), (&json!("GATEWAY_STOPPING"), &json!(made[1])));
}

/// The line of the audit trail that tells of a subscription's end.
async fn line_of_end(log: &CapturedLog) -> Value {
    loop {
        if let Some(line) = trail(log).into_iter().find(|line| line["outcome"] == "ended") {
            return line;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_end_of_a_subscription_is_a_line_of_the_audit_trail() {
    let (log, _guards) = logging(tracing::Level::INFO);
    let (stop, stopped) = oneshot::channel::<()>();
    let gateway = TestGateway::spawn_until(setup(), async { drop(stopped.await) }).await;
    let query = "subscription Watch { logs { logId } }";
    let request = [("x-request-id", "the-id")];
    let mut events = Events::subscribe(&gateway, query, &request).await;
    tailing(&gateway).await;
    let made = arrive(&gateway, 2).await;
    assert_eq!(events.ids(2).await, made);
    drop(events);
    let mut line = line_of_end(&log).await;
    assert!(line["duration_ms"].take().is_u64(), "{line}");
    let mut expected = json!({
        "message": "subscription ended",
        "outcome": "ended",
        "reason": "unsubscribed",
        "caller.kind": "anonymous",
        "operation": "Watch",
        "document": hash_of(query),
        "delivered": 2,
        "duration_ms": null,
        "request_id": "the-id",
    });
    assert_eq!(line, expected);

    let mut events = Events::subscribe(&gateway, query, &request).await;
    events.heartbeat().await;
    stop.send(()).unwrap();
    end(&mut events).await;
    let mut line = line_of_end(&log).await;
    line["duration_ms"].take();
    (expected["reason"], expected["delivered"]) = (json!("GATEWAY_STOPPING"), json!(0));
    assert_eq!(line, expected);
}

#[tokio::test]
async fn the_audit_trail_tells_a_subscription_that_was_one_too_many() {
    let (log, _guards) = logging(tracing::Level::INFO);
    let settings = SubscriptionSettings { most_per_caller: 1.try_into().unwrap(), ..SubscriptionSettings::default() };
    let gateway = TestGateway::spawn_with(with_settings(settings)).await;
    let _first = Events::subscribe(&gateway, LOGS, &[]).await;
    let mut client = Client::ready(&gateway).await;
    assert_eq!(Events::subscribe(&gateway, LOGS, &[]).await.response.status(), 503);
    assert_eq!(line_of_end(&log).await["reason"], "RATE_LIMITED");
    client.subscribe("1", json!({ "query": LOGS })).await;
    assert_eq!(client.receive().await["type"], "error");
    assert_eq!(line_of_end(&log).await["reason"], "RATE_LIMITED");
}

#[tokio::test]
async fn a_subscription_does_not_outlive_its_token() {
    let settings =
        SubscriptionSettings { recheck_interval: Duration::from_millis(20), ..SubscriptionSettings::default() };
    let gateway = TestGateway::spawn_with(Setup { takes_sandbox_tokens: true, ..with_settings(settings) }).await;
    // Clocks may differ by half a minute.
    let request = TokenRequest { scope: "read:logs".to_owned(), expires_in: -27, ..TokenRequest::default() };
    let token = format!("Bearer {}", gateway.sandbox.user_token(&request).unwrap());
    let mut events = Events::subscribe(&gateway, LOGS, &[("authorization", &token)]).await;
    let mut client = Client::connect(&gateway).await;
    client.init(json!({ "authorization": token })).await;
    assert_eq!(client.receive().await["type"], "connection_ack");
    client.subscribe("1", json!({ "query": LOGS })).await;
    let extensions = end(&mut events).await;
    assert_eq!(extensions["code"], "UNAUTHENTICATED", "{extensions}");
    assert!(extensions["from"].is_string(), "{extensions}");
    let message = client.receive().await;
    assert_eq!(message["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{message}");
}

#[tokio::test]
async fn a_subscription_needs_the_scope_of_logs() {
    let gateway = TestGateway::spawn_with(Setup { takes_sandbox_tokens: true, ..setup() }).await;
    let request = TokenRequest { scope: "read:users".to_owned(), ..TokenRequest::default() };
    let token = format!("Bearer {}", gateway.sandbox.user_token(&request).unwrap());
    let mut events = Events::subscribe(&gateway, LOGS, &[("authorization", &token)]).await;
    assert_eq!(end(&mut events).await["code"], "FORBIDDEN");
    assert!(!gateway.calls().await.iter().any(|call| call.path.starts_with("/api/")), "nothing is asked of Auth0");
}

#[tokio::test]
async fn a_caller_has_so_many_subscriptions_and_no_more() {
    let settings = SubscriptionSettings { most_per_caller: 2.try_into().unwrap(), ..SubscriptionSettings::default() };
    let gateway = TestGateway::spawn_with(with_settings(settings)).await;
    let first = Events::subscribe(&gateway, LOGS, &[]).await;
    let mut client = subscribed(&gateway, LOGS).await;
    let refusal = Events::subscribe(&gateway, LOGS, &[]).await.response;
    assert_eq!(refusal.status(), 503);
    let body: Value = refusal.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{body}");
    client.subscribe("2", json!({ "query": LOGS })).await;
    let message = client.receive().await;
    assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{message}");
    assert_eq!(refused(&gateway.url, "subscriptions").await, 2.0);
    drop(first);
    // Its end is noticed in a moment.
    while Events::subscribe(&gateway, LOGS, &[]).await.response.status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_streams_of_an_http2_connection_are_bounded_for_each_caller_and_for_all() {
    let number = |number: usize| number.try_into().unwrap();
    let settings =
        SubscriptionSettings { most: number(3), most_per_caller: number(2), ..SubscriptionSettings::default() };
    let gateway = TestGateway::spawn_with(Setup { takes_sandbox_tokens: true, ..with_settings(settings) }).await;
    let mut tokens = Vec::new();
    for person in &gateway.sandbox.people()[..2] {
        let (sub, scope) = (Some(person.user_id.clone()), "read:logs".to_owned());
        let request = TokenRequest { sub, scope, ..TokenRequest::default() };
        tokens.push(gateway.sandbox.user_token(&request).unwrap());
    }
    let [ada, bob] = tokens.try_into().unwrap();
    let http = || reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let subscribe = async |http: &reqwest::Client, token: &str| {
        let request = http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": LOGS }));
        let response = request.bearer_auth(token).header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        let is_refused = response.status() == 503;
        assert!(is_refused || response.status() == 200, "{}", response.status());
        (!is_refused).then_some(response)
    };
    let again = async |http: &reqwest::Client, token: &str| loop {
        if let Some(stream) = subscribe(http, token).await {
            return stream;
        }
        tokio::task::yield_now().await;
    };
    let connection = http();
    let first = subscribe(&connection, &ada).await.unwrap();
    let second = subscribe(&connection, &ada).await.unwrap();
    assert!(subscribe(&connection, &ada).await.is_none(), "the third of a caller");
    let third = subscribe(&connection, &bob).await.unwrap();
    assert!(subscribe(&connection, &bob).await.is_none(), "the fourth of all");
    assert_eq!(refused(&gateway.url, "subscriptions").await, 2.0);
    // A stream that is given up leaves the connection and the others as they are.
    drop(first);
    let fourth = again(&connection, &bob).await;
    assert!(subscribe(&connection, &ada).await.is_none(), "three of all again");
    // And a connection that ends frees all that it had.
    drop((second, third, fourth, connection));
    let connection = http();
    let _streams = [again(&connection, &ada).await, again(&connection, &ada).await, again(&connection, &bob).await];
    assert!(subscribe(&connection, &bob).await.is_none());
}

#[tokio::test]
async fn whoever_reads_too_slowly_is_told_and_misses_nothing_before() {
    let tail =
        TailSettings { max_interval: Duration::from_millis(50), buffer_bytes: 100_000, ..TailSettings::default() };
    let setup = Setup { policy: ClientPolicy { tail, ..ClientPolicy::default() }, ..setup() };
    let gateway = TestGateway::spawn_with(setup).await;
    // Far more than the system's buffers hold.
    let fields: String = (0..30).map(|n| format!("a{n}: attributes b{n}: details c{n}: typeDescription ")).collect();
    let body = json!({ "query": format!("subscription {{ logs {{ logId {fields} }} }}") }).to_string();
    let address = gateway.url.strip_prefix("http://").unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    slow.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    tailing(&gateway).await;
    let made = arrive(&gateway, 3_000).await;
    // Looks for late logs begin a little before the newest.
    let is_through = |call: &Call| made[2_900..].iter().any(|id| call.target().contains(&format!("from={id}")));
    while !gateway.calls().await.iter().any(is_through) {
        tokio::task::yield_now().await;
    }
    let mut heard = Vec::new();
    slow.read_to_end(&mut heard).await.unwrap();
    let heard = String::from_utf8_lossy(&heard);
    let told: Vec<_> = heard.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert!(!told.is_empty() && told.len() < 3_000, "{}", told.len());
    assert_eq!(told, made[..told.len()]);
    assert!(heard.contains("SLOW_CONSUMER"), "{}", heard.len());
    assert!(heard.contains(&format!(r#""from":"{}""#, told[told.len() - 1])));
}
