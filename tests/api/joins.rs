//! Records that are joined to others: the users of logs, the logs of users, and theirs.

mod errors;

use std::collections::{HashMap, HashSet};

use auth0_graphql::graphql::Limits;
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
async fn a_user_is_shown_or_told_of_whatever_their_record_says_of_their_id() {
    let gateway = gateway().await;
    for (record, user, error) in [
        (json!({ "name": "Ada" }), json!({ "name": "Ada" }), ""),
        (json!({ "user_id": null, "name": "Ada" }), json!({ "name": "Ada" }), ""),
        (json!({ "user_id": "AUTH0|1", "name": "Ada" }), json!({ "name": "Ada" }), ""),
        (json!(null), json!(null), "UPSTREAM_UNAVAILABLE"),
        (json!("Ada"), json!(null), "UPSTREAM_UNAVAILABLE"),
    ] {
        for selection in ["name", "id name"] {
            logs_of(&gateway, &["auth0|1"]).await;
            gateway
                .fault(json!({ "path": "/api/v2/users/", "times": 1, "fault": { "body": record.to_string() } }))
                .await;
            gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "body": "[]" } })).await;
            let response = gateway.query(&format!("{{ logs {{ nodes {{ user {{ {selection} }} }} }} }}")).await;
            let seen = &response["data"]["logs"]["nodes"][0]["user"];
            // An id that is never null, and is not there, leaves nothing to show.
            let is_lacking = selection != "name" && record["user_id"].is_null();
            let error = if is_lacking { "UPSTREAM_UNAVAILABLE" } else { error };
            assert_eq!(
                codes(&response),
                if error.is_empty() { vec![] } else { vec![error] },
                "{record} {selection}: {response}"
            );
            let name = if is_lacking { &Value::Null } else { &user["name"] };
            assert_eq!(seen.get("name").unwrap_or(&Value::Null), name, "{record} {selection}: {response}");
            gateway.mend().await;
        }
    }
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

#[tokio::test]
async fn a_user_has_their_logs() {
    let gateway = gateway().await;
    let ada = gateway.sandbox.people()[0].user_id.clone();
    let query = format!(
        "{{ user(id: {ada:?}) {{ name logs(perPage: 3, sort: {{ direction: ASC }}) {{ nodes {{ type userId date }} page perPage hasNextPage }} }} }}"
    );
    let data = gateway.data(&query).await;
    let logs = &data["user"]["logs"];
    let nodes = logs["nodes"].as_array().unwrap();
    assert_eq!(
        (nodes.len(), &logs["page"], &logs["perPage"], &logs["hasNextPage"]),
        (3, &json!(0), &json!(3), &json!(true))
    );
    assert!(nodes.iter().all(|node| node["userId"] == ada.as_str()), "{logs}");
    assert!(nodes.is_sorted_by_key(|node| node["date"].as_str().unwrap().to_owned()), "{logs}");
    let path = ada.replace('|', "%7C");
    assert_eq!(
        gateway.asked().await,
        [
            format!("/api/v2/users/{path}?fields=name,user_id&include_fields=true"),
            format!("/api/v2/users/{path}/logs?page=0&per_page=3&sort=date%3A1"),
        ]
    );
}

#[tokio::test]
async fn joins_lead_on_to_joins() {
    let gateway = gateway().await;
    let (ada, bruno) = (gateway.sandbox.people()[0].clone(), gateway.sandbox.people()[1].clone());
    logs_of(&gateway, &[&ada.user_id, &bruno.user_id, &ada.user_id, ""]).await;
    let data = gateway
        .data("{ logs(take: 4) { nodes { user { userId logs(perPage: 2) { nodes { userId user { name } } } } } } }")
        .await;
    let of = |id: &str, name: &str| {
        let log = json!({ "userId": id, "user": { "name": name } });
        json!({ "user": { "userId": id, "logs": { "nodes": [log, log] } } })
    };
    let (first, second) = (of(&ada.user_id, &ada.name), of(&bruno.user_id, &bruno.name));
    assert_eq!(data["logs"]["nodes"], json!([first, second, first, { "user": null }]));
    // The logs, both users at once, each one's logs; whoever is known already is not asked for again.
    assert_eq!(gateway.calls().await.len(), 4);
}

#[tokio::test]
async fn who_asks_the_same_of_the_same_parent_shares_a_call() {
    let gateway = gateway().await;
    let ada = &gateway.sandbox.people()[0].user_id;
    let data = gateway
        .data(&format!(
            "{{ a: user(id: {ada:?}) {{ one: logs(perPage: 2) {{ nodes {{ type }} }} two: logs(perPage: 2, page: 0, sort: null) {{ nodes {{ logId }} }} }}
                b: user(id: {ada:?}) {{ logs(perPage: 2) {{ perPage nodes {{ type }} }} more: logs(perPage: 1) {{ nodes {{ type }} }} }} }}"
        ))
        .await;
    assert_eq!(data["a"]["one"]["nodes"], data["b"]["logs"]["nodes"]);
    assert!(data["a"]["two"]["nodes"][1]["logId"].is_string());
    assert_eq!(data["b"]["more"]["nodes"][0], data["a"]["one"]["nodes"][0]);
    assert_eq!(gateway.calls().await.len(), 3);
}

#[tokio::test]
async fn joins_that_may_come_to_too_many_calls_are_refused_before_the_first_one() {
    let gateway = gateway().await;
    for (query, calls, page) in [
        ("{ users(perPage: 50) { nodes { logs { page } } } }", 51, json!(19)),
        ("{ logs(take: 30) { nodes { user { logs { page } } } } }", 32, json!(18)),
        ("{ users(perPage: 3) { nodes { logs(perPage: 7) { nodes { user { logs { page } } } } } } }", 26, json!(5)),
        ("{ users(perPage: 12) { nodes { a: logs { page } b: logs(page: 1) { page } } } }", 25, json!(9)),
        ("{ usersByEmail(email: \"a@example.com\") { a: logs { page } b: logs(page: 1) { page } } }", 21, Value::Null),
    ] {
        let response = gateway.query(query).await;
        assert_eq!(response.get("data"), None, "{query}: {response}");
        assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"], "{query}");
        let Value::Object(told) = &response["errors"][0]["extensions"] else { panic!("{response}") };
        assert_eq!(
            (&told["measure"], &told["value"], &told["limit"]),
            (&json!("upstream calls"), &json!(calls), &json!(20))
        );
        assert_eq!(told.get("largestPage").unwrap_or(&Value::Null), &page, "{query}");
        assert_eq!(gateway.calls().await, [], "{query}");
        if let Some(page) = page.as_u64() {
            let message = response["errors"][0]["message"].as_str().unwrap();
            assert!(
                message.contains(&calls.to_string()) && message.contains("20") && message.contains(&page.to_string()),
                "{message}"
            );
        }
    }
    // The largest page that was told fits.
    let mut setup = Setup { limits: Limits { upstream_calls: 5, ..Limits::default() }, ..Setup::uncached() };
    setup.sandbox.plan = auth0_graphql::sandbox::Plan::Enterprise;
    let gateway = TestGateway::spawn_with(setup).await;
    let fits = gateway.query("{ users(perPage: 4) { nodes { logs { page } } } }").await;
    assert_eq!(codes(&fits), [""; 0], "{fits}");
    assert_eq!(gateway.calls().await.len(), 5);
}

#[tokio::test]
async fn look_ups_one_by_one_leave_the_calls_of_deeper_joins_alone() {
    let setup = Setup { limits: Limits { upstream_calls: 7, ..Limits::default() }, ..Setup::uncached() };
    let gateway = TestGateway::spawn_with(setup).await;
    let ada = &gateway.sandbox.people()[0].user_id;
    logs_of(&gateway, &[ada, "auth0|gone1", "auth0|gone2"]).await;
    // At worst these are the logs, a search, three users' logs: two calls are left to look for who is missing.
    let response = gateway.query("{ logs(take: 3) { nodes { user { userId logs(perPage: 1) { page } } } } }").await;
    assert_eq!(codes(&response), [""; 0], "{response}");
    assert_eq!(response["data"]["logs"]["nodes"][0]["user"]["logs"]["page"], 0);
    let setup = Setup { limits: Limits { upstream_calls: 6, ..Limits::default() }, ..Setup::uncached() };
    let gateway = TestGateway::spawn_with(setup).await;
    logs_of(&gateway, &[ada, "auth0|gone1", "auth0|gone2"]).await;
    let response = gateway.query("{ logs(take: 3) { nodes { user { userId logs(perPage: 1) { page } } } } }").await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"], "{response}");
    assert_eq!(response["errors"][0]["path"], json!(["logs", "nodes", 2, "user"]));
    assert_eq!(response["data"]["logs"]["nodes"][0]["user"]["logs"]["page"], 0);
}
