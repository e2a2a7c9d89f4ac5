//! One call for many: what is shared, what is kept, and what is said of it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};

const USERS: &str = "{ users(perPage: 3) { nodes { email } } }";

/// Sends with these headers; gives back the answer and what it says it took.
async fn send(gateway: &TestGateway, query: &str, headers: &[(&str, &str)]) -> (Value, String) {
    let mut request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": query }));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let calls = response.headers()["x-upstream-calls"].to_str().unwrap().to_owned();
    (response.json().await.unwrap(), calls)
}

#[tokio::test]
async fn identical_requests_at_once_are_one_call() {
    let gateway = TestGateway::spawn_with(Setup::uncached()).await;
    gateway.data("{ users(perPage: 1) { page nodes { name } } }").await;
    gateway.forget_calls().await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "slow": 2000 } })).await;
    let answers = join_all((0..30).map(|_| gateway.data(USERS))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer["users"]["nodes"][2]["email"].is_string()));
    assert_eq!(gateway.calls().await.len(), 1);
}

#[tokio::test]
async fn single_records_are_shared_and_never_kept() {
    let gateway = TestGateway::spawn().await;
    let id = &gateway.sandbox.people()[0].user_id;
    let query = format!("{{ user(id: \"{id}\") {{ name }} }}");
    gateway.fault(json!({ "path": "/api/v2/users/", "times": 1, "fault": { "slow": 1000 } })).await;
    join_all((0..10).map(|_| gateway.data(&query))).await;
    assert_eq!(gateway.calls().await.len(), 1);
    gateway.data(&query).await;
    assert_eq!(gateway.calls().await.len(), 2);
}

#[tokio::test]
async fn searches_are_kept_for_a_moment_and_said_to_be() {
    let mut setup = Setup::default();
    setup.policy.cache_ttl = Duration::from_secs(3600);
    let gateway = TestGateway::spawn_with(setup).await;
    let (first, calls) = send(&gateway, USERS, &[("x-explain", "run")]).await;
    assert_eq!((calls.as_str(), &first["extensions"]["upstream"][0]["cacheAgeMs"]), ("1", &Value::Null));
    let (again, calls) = send(&gateway, USERS, &[("x-explain", "run")]).await;
    assert_eq!((calls.as_str(), &again["data"]), ("0", &first["data"]));
    assert!(again["extensions"]["upstream"][0]["cacheAgeMs"].is_u64(), "{again}");
    // Other fields are another question, and so is a checkpoint.
    send(&gateway, "{ users(perPage: 3) { nodes { name } } logs(from: \"9\") { next } }", &[]).await;
    send(&gateway, "{ logs(from: \"9\") { next } }", &[]).await;
    assert_eq!(gateway.calls().await.len(), 4);
    // Who wants a fresh answer gets one, and leaves it to the others.
    let (_, calls) = send(&gateway, USERS, &[("cache-control", "no-cache")]).await;
    assert_eq!(calls, "1");
    assert_eq!(send(&gateway, USERS, &[]).await.1, "0");
    assert_eq!(gateway.calls().await.len(), 5);
}

#[tokio::test]
async fn a_failure_is_shared_and_never_kept() {
    let gateway = TestGateway::spawn().await;
    gateway.data("{ users(perPage: 1) { page } }").await;
    gateway.forget_calls().await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "status": 403 } })).await;
    let answers = join_all((0..10).map(|_| gateway.query(USERS))).await;
    let failed = answers.iter().filter(|answer| !codes(answer).is_empty()).count();
    assert!(failed >= 1, "{answers:?}");
    gateway.data(USERS).await;
    assert!(gateway.calls().await.len() <= 3);
}

#[tokio::test]
async fn a_client_that_leaves_stops_what_nobody_else_waits_for() {
    let gateway = TestGateway::spawn_with(Setup::uncached()).await;
    gateway.data("{ users(perPage: 1) { page } }").await;
    gateway.forget_calls().await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "slow": 60_000 } })).await;
    let leaving = {
        let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": USERS }));
        tokio::spawn(request.send())
    };
    let started = async { while gateway.calls().await.is_empty() {} };
    started.await;
    leaving.abort();
    let _ = leaving.await;
    // The gateway hears of it, and cuts the call off. Until then the next one joins that, and gives up soon.
    let next = async || send(&gateway, USERS, &[("x-request-timeout", "200ms")]).await.0;
    let mut answer = next().await;
    while !codes(&answer).is_empty() {
        answer = next().await;
    }
    let statuses: Vec<_> = gateway.calls().await.into_iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, Some(200)], "the first was never answered");
}

#[tokio::test]
async fn less_time_can_be_asked_for() {
    let gateway = TestGateway::spawn_with(Setup::uncached()).await;
    gateway.data("{ users(perPage: 1) { page } }").await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "slow": 60_000 } })).await;
    let (answer, _) = send(&gateway, USERS, &[("x-request-timeout", "50ms")]).await;
    assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"]);
    assert_eq!(answer["data"], json!({ "users": null }));
    let response = gateway.http.post(format!("{}/graphql", gateway.url)).header("x-request-timeout", "soon");
    let response = response.json(&json!({ "query": USERS })).send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn what_an_operation_took_is_told_by_root_field() {
    let gateway = TestGateway::spawn_with(Setup::uncached()).await;
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 1, "fault": { "status": 502 } })).await;
    let query = "{ a: users(perPage: 2) { nodes { name } } l: logs(take: 1) { nodes { type } } g: gateway { version }
                   b: users(perPage: 2) { nodes { email } } }";
    let (answer, calls) = send(&gateway, query, &[("x-explain", "run")]).await;
    let told = answer["extensions"]["upstream"].as_array().unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|entry| json!([entry["field"], entry["endpoint"], entry["calls"], entry["retries"], entry["coalesced"]]))
        .collect();
    let expected =
        [json!(["a", "users", 1, 0, false]), json!(["l", "logs", 2, 1, false]), json!(["b", "users", 0, 0, true])];
    assert_eq!((told.as_slice(), calls.as_str()), (expected.as_slice(), "3"));
    let (answer, _) = send(&gateway, query, &[]).await;
    assert_eq!(answer.get("extensions"), None);
}

#[tokio::test]
async fn an_operation_that_needs_too_many_calls_makes_none() {
    let mut setup = Setup::uncached();
    setup.limits.upstream_calls = 3;
    let gateway = TestGateway::spawn_with(setup).await;
    let four: String =
        (0..4).map(|page| format!("p{page}: users(perPage: 1, page: {page}) {{ nodes {{ name }} }} ")).collect();
    let response = gateway.query(&format!("{{ {four} }}")).await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"]);
    let extensions = &response["errors"][0]["extensions"];
    assert_eq!((&extensions["limit"], &extensions["value"]), (&json!(3), &json!(4)));
    assert_eq!(gateway.all_calls().await, []);
    // The same question twice is one call, and the gateway itself is none.
    let three: String =
        (0..3).map(|page| format!("p{page}: users(perPage: 1, page: {page}) {{ nodes {{ name }} }} ")).collect();
    gateway
        .data(&format!("{{ {three} again: users(perPage: 1, page: 0) {{ nodes {{ email }} }} gateway {{ version }} }}"))
        .await;
    assert_eq!(gateway.calls().await.len(), 3);
}
