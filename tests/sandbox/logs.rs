//! The logs of the Management API.

use std::time::Duration;

use auth0_graphql::sandbox::Options;
use serde_json::{Value, json};

use super::{Answer, Tenant};

fn ids(answer: &Answer) -> Vec<String> {
    let column = answer.column("log_id").into_iter();
    column.map(|id| id.as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn search_mode_is_newest_first_by_log_id() {
    let tenant = Tenant::spawn().await;
    let answer = tenant.get("/api/v2/logs?per_page=100").await;
    let ids = ids(&answer);
    assert_eq!(ids.len(), 100);
    assert!(ids.windows(2).all(|pair| pair[0] > pair[1]));
    assert_eq!(answer.header("link"), None);
    let dates: Vec<_> = answer.column("date").into_iter().map(Value::to_string).collect();
    assert!(!dates.is_sorted_by(|a, b| a >= b), "date is not the order");
    let default = tenant.get("/api/v2/logs").await;
    assert_eq!(default.rows().len(), 50);
}

#[tokio::test]
async fn logs_can_be_sorted_by_date() {
    let tenant = Tenant::with(Options { logs: 500, ..Options::default() }).await;
    for (direction, descending) in [("1", false), ("-1", true)] {
        let answer = tenant.get(&format!("/api/v2/logs?sort=date:{direction}&per_page=100&page=2")).await;
        let dates: Vec<_> = answer.column("date").into_iter().map(Value::to_string).collect();
        assert!(dates.is_sorted_by(|a, b| if descending { a >= b } else { a <= b }));
    }
    assert_eq!(tenant.get("/api/v2/logs?sort=type:1").await.status, 400);
}

#[tokio::test]
async fn the_total_is_the_length_of_the_page() {
    let tenant = Tenant::spawn().await;
    let mut body = tenant.get("/api/v2/logs?include_totals=true&per_page=7&page=1").await.body;
    let logs = body["logs"].take();
    assert_eq!(logs.as_array().map(Vec::len), Some(7));
    assert_eq!(body, json!({"start": 7, "limit": 7, "length": 7, "total": 7, "logs": null}));
}

#[tokio::test]
async fn the_id_is_always_there_and_log_id_only_if_asked_for() {
    let tenant = Tenant::spawn().await;
    let keys = |answer: &Answer| answer.rows()[0].as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&tenant.get("/api/v2/logs?fields=date").await), ["_id", "date"]);
    assert_eq!(keys(&tenant.get("/api/v2/logs?fields=date,log_id").await), ["_id", "date", "log_id"]);
    let rest = keys(&tenant.get("/api/v2/logs?fields=date,_id&include_fields=false").await);
    assert!(rest.contains(&"_id".into()) && rest.contains(&"type".into()) && !rest.contains(&"date".into()));
}

#[tokio::test]
async fn a_checkpoint_reads_on_in_the_order_of_arrival() {
    let tenant = Tenant::with(Options { logs: 130, ..Options::default() }).await;
    let newest = ids(&tenant.get("/api/v2/logs?per_page=100").await);
    let answer = tenant.get(&format!("/api/v2/logs?from={}&take=3", newest[10])).await;
    assert_eq!(ids(&answer), [&newest[9], &newest[8], &newest[7]].map(String::clone));
    let next = format!("<{}logs?from={}&take=3>; rel=\"next\"", tenant.sandbox.audience(), newest[7]);
    assert_eq!(answer.header("link"), Some(next.as_str()));

    // A tail that follows the links sees every log once, and then those that arrive.
    let mut seen = Vec::new();
    let mut next = "/api/v2/logs?from=900&take=100".to_owned();
    let mut rounds = 0;
    while rounds < 5 {
        let page = tenant.get(&next).await;
        let link = page.header("link").expect("a link").to_owned();
        let address = link.trim_start_matches('<').split('>').next().expect("an address");
        let before = next.clone();
        next = address.strip_prefix(&tenant.sandbox.url()).expect("the same tenant").to_owned();
        if page.rows().is_empty() {
            assert_eq!(next, before, "an empty page gives back its own address");
            tenant.clock.advance(Duration::from_secs(9));
            rounds += 1;
        }
        seen.extend(ids(&page));
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "each once, in order");
    // Four times nine seconds of arrivals were read; the last one or two may still be to come.
    assert!(seen.len() >= 130 + 4 * 6 - 2, "{}", seen.len());
    assert!(newest.iter().all(|id| seen.contains(id)));
}

#[tokio::test]
async fn a_checkpoint_ignores_everything_else_and_take_alone_is_ignored() {
    let tenant = Tenant::spawn().await;
    let from = ids(&tenant.get("/api/v2/logs?per_page=1&page=50").await)[0].clone();
    let plain = tenant.get(&format!("/api/v2/logs?from={from}")).await;
    assert_eq!(plain.rows().len(), 50);
    let decorated = tenant
        .get(&format!("/api/v2/logs?from={from}&q=type:none&fields=date&sort=date:-1&include_totals=true&page=99"))
        .await;
    assert_eq!(decorated.rows(), plain.rows());
    let without = tenant.get("/api/v2/logs?take=2").await;
    assert_eq!((without.rows().len(), without.header("link")), (50, None));
}

#[tokio::test]
async fn wrong_parameters_and_pages_beyond_reach_are_refused() {
    let tenant = Tenant::spawn().await;
    for wrong in ["search=type:s", "take=101", "take=0", "per_page=101", "page=10&per_page=100", "page=20"] {
        let answer = tenant.get(&format!("/api/v2/logs?{wrong}")).await;
        assert_eq!(answer.error().0, 400, "{wrong}");
    }
    assert_eq!(tenant.get("/api/v2/logs?page=9&per_page=100").await.rows().len(), 100);
}

#[tokio::test]
async fn a_log_is_found_by_id_or_not_found() {
    let tenant = Tenant::spawn().await;
    let log = tenant.get("/api/v2/logs?page=40&per_page=1").await.rows()[0].clone();
    let id = log["log_id"].as_str().expect("an id");
    assert_eq!(tenant.get(&format!("/api/v2/logs/{id}")).await.body, log);
    for missing in ["1", "90020260101000000000000000000000000000000000000000000000", "x%20y"] {
        assert_eq!(tenant.get(&format!("/api/v2/logs/{missing}")).await.error(), (404, "Log not found", ""));
    }
}

#[tokio::test]
async fn logs_arrive_with_the_clock_and_are_the_same_for_the_same_seed() {
    let logs = async || {
        let tenant = Tenant::with(Options { logs: 40, ..Options::default() }).await;
        let before = tenant.get("/api/v2/logs?per_page=100").await.body;
        tenant.clock.advance(Duration::from_secs(31));
        (before, tenant.get("/api/v2/logs?per_page=100").await.body)
    };
    let (before, after) = logs().await;
    let count = |list: &Value| list.as_array().map(Vec::len);
    assert_eq!(count(&before), Some(40));
    assert_eq!(count(&after), Some(60));
    assert_eq!(logs().await, (before, after));
}

#[tokio::test]
async fn a_tenant_may_be_empty() {
    let tenant = Tenant::with(Options { users: 0, logs: 0, ..Options::default() }).await;
    assert_eq!(tenant.get("/api/v2/users").await.body, json!([]));
    assert_eq!(tenant.get("/api/v2/logs").await.body, json!([]));
    assert_eq!(tenant.get("/api/v2/logs?from=1").await.body, json!([]));
    assert!(tenant.sandbox.people().is_empty());
    tenant.clock.advance(Duration::from_secs(60));
    let arrived = tenant.get("/api/v2/logs").await;
    assert!(!arrived.rows().is_empty());
    assert!(arrived.column("user_id").into_iter().all(|id| id.is_null() || id == ""));
}

#[tokio::test]
async fn the_logs_of_one_user_are_read_by_page() {
    let tenant = Tenant::spawn().await;
    let all = tenant.get("/api/v2/logs?per_page=100").await;
    let id = all.rows().iter().find_map(|log| log["user_id"].as_str().filter(|id| id.contains('|'))).expect("a user");
    let path = format!("/api/v2/users/{}/logs", id.replace('|', "%7C"));
    let page = tenant.get(&format!("{path}?per_page=3&sort=date:1&include_totals=true")).await;
    let logs = page.body["logs"].as_array().expect("logs");
    assert!((1..=3).contains(&logs.len()) && logs.iter().all(|log| log["user_id"] == id), "{}", page.body);
    assert!(logs.is_sorted_by_key(|log| log["date"].as_str()), "{}", page.body);
    assert_eq!(tenant.get("/api/v2/users/auth0%7Cnobody/logs").await.body, json!([]));
    assert_eq!(tenant.get(&format!("{path}?q=type:s")).await.error().0, 400);
}
