//! `/_sandbox/`: faults, the log of requests, the clock; and stopping.

use auth0_graphql::sandbox::{Clock, Options, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Tenant};

async fn order(tenant: &Tenant, fault: Value) {
    let order = json!({"path": "/api/v2/users", "fault": fault});
    assert_eq!(tenant.control(Method::POST, "/_sandbox/faults", order).await.status, 201);
}

async fn calls(tenant: &Tenant) -> Vec<(String, Value)> {
    let answer = tenant.send(tenant.http.get(tenant.url("/_sandbox/calls"))).await;
    let calls = answer.rows().iter();
    calls.map(|call| (call["path"].as_str().expect("a path").to_owned(), call["status"].clone())).collect()
}

#[tokio::test]
async fn errors_come_as_often_as_ordered_and_in_the_envelope_of_the_endpoint() {
    let tenant = Tenant::spawn().await;
    let fault = json!({"times": 2, "fault": {"status": 429, "retryAfter": 7}});
    tenant.control(Method::POST, "/_sandbox/faults", fault).await;
    let token = tenant.ask(&tenant.sandbox.client()).await;
    assert_eq!((token.status.as_u16(), &token.body["error"]), (429, &"too_many_requests".into()));
    let users = tenant.get_with("a.b.c", "/api/v2/users").await;
    assert_eq!(users.error(), (429, "Global limit has been reached", "too_many_requests"));
    assert_eq!(users.header("retry-after"), Some("7"));
    for status in [500, 502, 503] {
        order(&tenant, json!({"status": status})).await;
        assert_eq!(tenant.get("/api/v2/users").await.error().0, status);
    }
    assert_eq!(tenant.get("/api/v2/users").await.status, 200);
}

#[tokio::test]
async fn a_page_of_html_and_any_body_can_be_ordered() {
    let tenant = Tenant::spawn().await;
    order(&tenant, json!("html")).await;
    let answer = tenant.get("/api/v2/users").await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=UTF-8"));
    order(&tenant, json!({"body": "[1, 2"})).await;
    let token = tenant.token().await;
    let response = tenant.http.get(tenant.url("/api/v2/users")).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.expect("a body"), "[1, 2");
}

#[tokio::test]
async fn a_reset_connection_gives_no_answer() {
    let tenant = Tenant::spawn().await;
    let token = tenant.token().await;
    order(&tenant, json!("reset")).await;
    let error = tenant.http.get(tenant.url("/api/v2/users")).bearer_auth(&token).send().await.expect_err("no answer");
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    assert_eq!(calls(&tenant).await.last(), Some(&("/api/v2/users".to_owned(), Value::Null)));
    assert_eq!(tenant.get_with(&token, "/api/v2/users").await.status, 200);
}

#[tokio::test]
async fn a_cut_answer_has_a_head_and_half_a_body() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let tenant = Tenant::spawn().await;
    let token = tenant.token().await;
    let whole = tenant.http.get(tenant.url("/api/v2/users")).bearer_auth(&token).send().await.expect("an answer");
    let whole = whole.text().await.expect("a body");

    order(&tenant, json!("cut")).await;
    let address = tenant.sandbox.url().trim_start_matches("http://").to_owned();
    let mut connection = tokio::net::TcpStream::connect(&address).await.expect("a connection");
    let request = format!("GET /api/v2/users HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // It ends with the connection; whether by a close or a reset is the system's choice.
    let _ = connection.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains(&format!("content-length: {}", whole.len())), "{head}");
    assert_eq!(body, &whole[..whole.len() / 2]);

    order(&tenant, json!("cut")).await;
    let response = tenant.http.get(tenant.url("/api/v2/users")).bearer_auth(&token).send().await.expect("a head");
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_slow_answer_is_right_and_can_be_given_up() {
    let tenant = Tenant::spawn().await;
    let token = tenant.token().await;
    order(&tenant, json!({"slow": 1})).await;
    assert_eq!(tenant.get_with(&token, "/api/v2/users").await.status, 200);
    let before = calls(&tenant).await.len();
    order(&tenant, json!({"slow": 3_600_000})).await;
    let waiting = tokio::spawn(tenant.http.get(tenant.url("/api/v2/users")).send());
    while calls(&tenant).await.len() == before {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    let unanswered = ("/api/v2/users".to_owned(), Value::Null);
    assert_eq!(calls(&tenant).await.last(), Some(&unanswered));
}

#[tokio::test]
async fn faults_can_be_cleared_and_wrong_orders_are_explained() {
    let tenant = Tenant::spawn().await;
    order(&tenant, json!({"status": 503})).await;
    assert_eq!(tenant.control(Method::DELETE, "/_sandbox/faults", json!({})).await.status, 204);
    assert_eq!(tenant.get("/api/v2/users").await.status, 200);
    for (path, wrong) in [
        ("faults", json!({"fault": "explode"})),
        ("clients", json!({"scopes": "read:users"})),
        ("clock", json!({"advance": 1})),
    ] {
        let answer = tenant.control(Method::POST, &format!("/_sandbox/{path}"), wrong).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body["error"].is_string());
    }
}

#[tokio::test]
async fn the_log_of_requests_has_every_call_but_those_of_control() {
    let tenant = Tenant::spawn().await;
    tenant.get("/api/v2/users?fields=email&per_page=2").await;
    tenant.get("/api/v2/logs/none").await;
    let answer = tenant.send(tenant.http.get(tenant.url("/_sandbox/calls"))).await;
    assert_eq!(
        answer.rows()[1],
        json!({
            "method": "GET", "path": "/api/v2/users", "query": "fields=email&per_page=2", "status": 200,
            "at": "2026-10-01T12:00:00.100Z",
        })
    );
    let paths: Vec<_> = calls(&tenant).await.into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/oauth/token", "/api/v2/users", "/oauth/token", "/api/v2/logs/none"]);
    tenant.control(Method::DELETE, "/_sandbox/calls", json!({})).await;
    assert_eq!(calls(&tenant).await, []);
}

#[tokio::test]
async fn only_a_manual_clock_can_be_moved() {
    let tenant = Tenant::spawn().await;
    let moved: Answer = tenant.control(Method::POST, "/_sandbox/clock", json!({"advanceMs": 1_500})).await;
    assert_eq!(moved.body, json!({"now": "2026-10-01T12:00:01.500Z"}));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let sandbox = Sandbox::start(Options::default(), listener).await.expect("a sandbox");
    let request = tenant.http.post(format!("{}/_sandbox/clock", sandbox.url())).json(&json!({"advanceMs": 1}));
    assert_eq!(tenant.send(request).await.status, 409);
}

#[tokio::test]
async fn chaos_spoils_some_answers_and_not_most() {
    let tenant = Tenant::with(Options { chaos: true, users: 20, ..Options::default() }).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..200 {
        calls.spawn(tenant.http.get(tenant.url("/.well-known/jwks.json")).send());
    }
    let answers = calls.join_all().await;
    let failed = answers.iter().filter(|answer| !matches!(answer, Ok(answer) if answer.status() == 200)).count();
    assert!((1..60).contains(&failed), "{failed} of 200");
}

#[tokio::test]
async fn dropping_the_sandbox_stops_it_and_its_slow_answers() {
    let tenant = Tenant::spawn().await;
    let url = tenant.url("/.well-known/jwks.json");
    assert_eq!(tenant.http.get(&url).send().await.expect("an answer").status(), 200);
    let slow = json!({"fault": {"slow": 3_600_000}});
    tenant.control(Method::POST, "/_sandbox/faults", slow).await;
    let waiting = tokio::spawn(tenant.http.get(&url).send());
    while calls(&tenant).await.len() < 2 {
        tokio::task::yield_now().await;
    }
    let http = tenant.http.clone();
    drop(tenant);
    // Either is an end of waiting: the answer, or a closed connection.
    let _ = waiting.await.expect("no panic");
    // The port closes as soon as the server's task hears of the end.
    while http.get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_clock_is_shared_with_whoever_started_the_sandbox() {
    let tenant = Tenant::spawn().await;
    let clock: &Clock = &tenant.clock;
    tenant.control(Method::POST, "/_sandbox/clock", json!({"advanceMs": 60_000})).await;
    assert_eq!(clock.now(), super::noon() + chrono::TimeDelta::minutes(1));
}
