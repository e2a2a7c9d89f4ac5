//! The users of logs.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};

async fn gateway() -> TestGateway {
    TestGateway::spawn_with(Setup::uncached()).await
}

/// Has the sandbox answer the next search for logs with logs of these users.
async fn logs_of(gateway: &TestGateway, users: &[&str]) {
    let logs = users.iter().enumerate().map(|(number, user)| {
        let id = format!("90020261102080000000{number:0>36}");
        json!({ "_id": id, "log_id": id, "type": "s", "user_id": user })
    });
    let body = Value::Array(logs.collect()).to_string();
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 1, "fault": { "body": body } })).await;
}

#[tokio::test]
async fn a_page_of_logs_and_their_users_is_one_call_and_one_for_each_fifty() {
    let gateway = gateway().await;
    let data = gateway.data("{ logs(take: 100) { nodes { userId user { userId name email } } } }").await;
    let nodes = data["logs"]["nodes"].as_array().unwrap();
    let distinct: HashSet<_> = nodes.iter().filter_map(|node| node["userId"].as_str()).collect();
    assert!(distinct.len() > 10, "{}", distinct.len());
    for node in nodes.iter().filter(|node| node["userId"].as_str().is_some_and(|id| id.contains('|'))) {
        assert_eq!(node["user"]["userId"], node["userId"]);
        assert!(node["user"].as_object().unwrap().contains_key("email"));
    }
    let calls = gateway.calls().await;
    assert!(calls.len() <= 1 + distinct.len().div_ceil(50), "{}", calls.len());
    assert!(calls.iter().skip(1).all(|call| call.query.as_deref().unwrap().contains("fields=email,name,user_id")));
    let single: HashMap<_, _> = nodes.iter().map(|node| (node["userId"].as_str(), &node["user"])).collect();
    let (id, user) = single.into_iter().find(|(id, _)| id.is_some_and(|id| id.contains('|'))).unwrap();
    let request =
        json!({ "query": "query ($id: ID!) { user(id: $id) { userId name email } }", "variables": { "id": id } });
    assert_eq!(&gateway.send(request).await["data"]["user"], user);
}

#[tokio::test]
async fn aliases_and_fragments_have_each_their_own_of_one_lookup() {
    let gateway = gateway().await;
    let ada = &gateway.sandbox.people()[0];
    logs_of(&gateway, &[&ada.user_id]).await;
    let data = gateway
        .data(
            "{ logs(take: 1) { nodes { a: user { email ...N } b: user { n: name __typename } user { nickname @skip(if: true) } } } }
             fragment N on User { name }",
        )
        .await;
    let expected = json!([{
        "a": { "email": ada.email, "name": ada.name },
        "b": { "n": ada.name, "__typename": "User" },
        "user": {},
    }]);
    assert_eq!(data["logs"]["nodes"], expected);
    assert_eq!(gateway.calls().await.len(), 2);
}

#[tokio::test]
async fn who_is_gone_is_null_and_who_the_search_does_not_know_yet_is_read_by_id() {
    let gateway = gateway().await;
    let ada = &gateway.sandbox.people()[0];
    logs_of(&gateway, &[&ada.user_id, "auth0|gone", "", "no id", "auth0|../x"]).await;
    // The search knows nobody.
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "body": "[]" } })).await;
    let data = gateway.data("{ logs(take: 5) { nodes { user { name } } } }").await;
    let expected = json!([{ "user": { "name": ada.name } }, { "user": null }, { "user": null }, { "user": null }, { "user": null }]);
    assert_eq!(data["logs"]["nodes"], expected);
    // The logs, the search, and the three that could be users.
    assert_eq!(gateway.calls().await.len(), 5);
}

#[tokio::test]
async fn an_id_that_cannot_be_looked_up_is_told_of() {
    let gateway = gateway().await;
    let long = format!("auth0|{}", "a".repeat(600));
    logs_of(&gateway, &[&long]).await;
    let response = gateway.query("{ logs(take: 1) { nodes { userId user { name } } } }").await;
    assert_eq!(response["data"]["logs"]["nodes"], json!([{ "userId": long, "user": null }]));
    assert_eq!(codes(&response), ["BAD_USER_INPUT"]);
    assert_eq!(gateway.calls().await.len(), 1);
}

#[tokio::test]
async fn ids_cannot_leave_their_phrase() {
    let gateway = gateway().await;
    let evil = r#"auth0|x" OR user_id:*"#;
    logs_of(&gateway, &[evil, r"ad|DOMAIN\someone"]).await;
    let data = gateway.data("{ logs(take: 2) { nodes { userId user { name } } } }").await;
    assert_eq!(data["logs"]["nodes"][0], json!({ "userId": evil, "user": null }));
    assert_eq!(data["logs"]["nodes"][1]["user"], Value::Null);
}

#[tokio::test]
async fn a_failed_lookup_is_an_error_at_each_user_and_costs_no_log() {
    let gateway = gateway().await;
    let ada = &gateway.sandbox.people()[0];
    logs_of(&gateway, &[&ada.user_id, "", &ada.user_id]).await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 9, "fault": { "status": 500 } })).await;
    let response = gateway.query("{ l: logs(take: 3) { n: nodes { type u: user { name } } } }").await;
    assert_eq!(
        response["data"]["l"]["n"],
        json!([{ "type": "s", "u": null }, { "type": "s", "u": null }, { "type": "s", "u": null }])
    );
    assert_eq!(codes(&response), ["UPSTREAM_UNAVAILABLE", "UPSTREAM_UNAVAILABLE"]);
    let paths: Vec<_> = response["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    assert_eq!(paths, [json!(["l", "n", 0, "u"]), json!(["l", "n", 2, "u"])]);
}

#[tokio::test]
async fn lookups_one_by_one_are_few() {
    let gateway = gateway().await;
    let gone: Vec<_> = (0..30).map(|number| format!("auth0|gone{number}")).collect();
    logs_of(&gateway, &gone.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let response = gateway.query("{ logs(take: 30) { nodes { user { name } } } }").await;
    assert!(response["data"]["logs"]["nodes"].as_array().unwrap().iter().all(|node| node["user"].is_null()));
    assert_eq!(codes(&response), vec!["QUERY_TOO_COMPLEX"; 20]);
    assert_eq!(gateway.calls().await.len(), 12);
}

#[tokio::test]
async fn joins_count_in_the_operations_budget() {
    let mut setup = Setup::uncached();
    setup.limits.upstream_calls = 1;
    let gateway = TestGateway::spawn_with(setup).await;
    let ada = &gateway.sandbox.people()[0];
    logs_of(&gateway, &[&ada.user_id]).await;
    let response = gateway.query("{ logs(take: 1) { nodes { type user { name } } } }").await;
    assert_eq!(response["data"]["logs"]["nodes"], json!([{ "type": "s", "user": null }]));
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"]);
    assert_eq!(gateway.calls().await.len(), 1);
}

#[tokio::test]
async fn a_single_log_has_its_user_too() {
    let gateway = gateway().await;
    let data = gateway.data("{ searchLogs(q: \"type:s\", perPage: 1) { nodes { logId userId } } }").await;
    let log = &data["searchLogs"]["nodes"][0];
    let request = json!({ "query": "query ($id: ID!) { log(id: $id) { user { userId } } }", "variables": { "id": log["logId"] } });
    assert_eq!(gateway.send(request).await["data"]["log"]["user"]["userId"], log["userId"]);
}
