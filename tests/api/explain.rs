//! `X-Explain: plan`: what an operation would ask, of which nothing is asked.

use std::collections::BTreeSet;

use auth0_graphql::graphql::ScopeMode;
use auth0_graphql::sandbox::{Options, Plan};
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};
use crate::scopes;

async fn plan(gateway: &TestGateway, query: &str) -> Value {
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).header("X-Explain", "plan");
    request.json(&json!({ "query": query })).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_plan_tells_each_call_with_its_search_and_runs_none() {
    let gateway = TestGateway::uncached().await;
    let query = "{
        found: users(filter: { email: { eq: \"a@example.com\" } }, perPage: 3) { nodes { name roles { nodes { name } } } }
        logs(take: 100) { nodes { user { email } } }
        usersConnection(first: 500, q: \"name:a*\") { nodes { userId } }
        user(id: \"auth0|1\") { name }
        gateway { version }
    }";
    let mut response = plan(&gateway, query).await;
    assert_eq!(gateway.all_calls().await, []);
    assert_eq!(response["data"], Value::Null);
    assert_eq!(response.get("errors"), None);
    for call in response["extensions"]["plan"].as_array_mut().unwrap() {
        assert_eq!(call["waitMs"], 0, "nothing is known of the tenant's limits before the first call");
        call.as_object_mut().unwrap().remove("waitMs");
        if let Some(range) = call["q"].as_str().filter(|q| q.starts_with("created_at:")) {
            call["q"] = format!("created_at:[* TO …]{}", range.split_once(']').unwrap().1).into();
        }
    }
    assert_eq!(
        response["extensions"]["plan"],
        json!([
            { "field": "found", "endpoint": "users", "calls": 1, "q": "email:\"a@example.com\"" },
            { "field": "logs", "endpoint": "logs", "calls": 1 },
            { "field": "usersConnection", "endpoint": "users", "calls": 5, "q": "created_at:[* TO …] AND (name:a*)" },
            { "field": "user", "endpoint": "user", "calls": 1 },
            { "field": "found.nodes.roles", "endpoint": "user-roles", "calls": 3 },
            { "field": "logs.nodes.user", "endpoint": "users", "calls": 2 },
        ])
    );
}

#[tokio::test]
async fn a_plan_tells_how_long_its_calls_would_have_to_wait() {
    let gateway = TestGateway::uncached().await;
    // The bucket of the tenant holds 50, of which these take three.
    for page in 0..3 {
        gateway.data(&format!("{{ users(page: {page}) {{ nodes {{ userId }} }} }}")).await;
    }
    let wait = |response: &Value| response["extensions"]["plan"][0]["waitMs"].as_u64().unwrap();
    let little = plan(&gateway, "{ users { nodes { userId } } }").await;
    assert_eq!(wait(&little), 0, "{little}");
    assert_eq!(gateway.calls().await.len(), 3);
    // That of this one's logs holds ten, and nine are taken: five more have to wait for four of them.
    let setup = Setup::uncached();
    let sandbox = Options { plan: Plan::Essentials, ..setup.sandbox };
    let gateway = TestGateway::spawn_with(Setup { sandbox, ..setup }).await;
    for take in 1..=9 {
        gateway.data(&format!("{{ logs(take: {take}) {{ next }} }}")).await;
    }
    let much = plan(&gateway, "{ logsConnection(first: 500) { nodes { logId } } }").await;
    assert!((1..=5_000).contains(&wait(&much)), "{much}");
    assert_eq!(gateway.calls().await.len(), 9);
}

#[tokio::test]
async fn what_would_be_refused_is_no_part_of_a_plan() {
    let gateway = TestGateway::uncached().await;
    let response = plan(&gateway, "{ users(perPage: 101) { nodes { userId } } logs { next } }").await;
    assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{response}");
    assert_eq!(response["errors"][0]["path"], json!(["users"]));
    assert_eq!(response["extensions"]["plan"].as_array().unwrap().len(), 1);
    let response = plan(&gateway, "{ users { nodes { roles { nodes { name } } } } }").await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"], "{response}");
    assert_eq!(gateway.all_calls().await, []);
}

/// The errors of an answer: code, message and scope, with the path without its list indices.
fn refusals(response: &Value) -> BTreeSet<String> {
    let errors = response["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told = errors.iter().map(|error| {
        let path = error["path"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>().join(".");
        let extensions = &error["extensions"];
        format!("{path}: {} {} {}", extensions["code"], extensions["scope"], error["message"])
    });
    told.collect()
}

#[tokio::test]
async fn a_plan_refuses_what_running_the_operation_refuses_and_tells_no_call_below_that() {
    let gateway = scopes::gateway(ScopeMode::Filter).await;
    let query = "{
        users(perPage: 2) { nodes { name appMetadata identities { accessToken } roles { nodes { name } } sessions { nodes { id } } } }
        logs: searchLogs(q: \"type:s\", perPage: 3) { nodes { type user { email meta: appMetadata roles { nodes { name } } logs(perPage: 1) { nodes { user { appMetadata } } } } } }
        search: searchLogs(perPage: 1) { nodes { user { name } } }
        found: users(q: \"app_metadata.plan:gold\", perPage: 1) { nodes { name roles { nodes { name } } } }
        me { name }
    }";
    for (held, expected) in [
        (vec![], vec![]),
        (vec!["read:users"], vec!["users", "me"]),
        (vec!["read:users", "read:roles", "read:role_members"], vec!["users", "me", "users.nodes.roles"]),
        (vec!["read:logs"], vec!["logs", "search"]),
        (
            vec!["read:users", "read:logs"],
            vec![
                "users",
                "logs",
                "search",
                "me",
                "logs.nodes.user",
                "logs.nodes.user.logs",
                "logs.nodes.user.logs.nodes.user",
                "search.nodes.user",
            ],
        ),
    ] {
        let token = scopes::token(&gateway, &held).await;
        let ask = async |explain: &str| -> Value {
            let request = gateway.http.post(format!("{}/graphql", gateway.url)).bearer_auth(&token);
            let request = request.header("X-Explain", explain).json(&json!({ "query": query }));
            request.send().await.unwrap().json().await.unwrap()
        };
        gateway.forget_calls().await;
        let planned = ask("plan").await;
        assert!(gateway.calls().await.iter().all(|call| !call.path.starts_with("/api/v2/")), "{held:?}");
        let calls: Vec<_> =
            planned["extensions"]["plan"].as_array().unwrap().iter().map(|call| &call["field"]).collect();
        assert_eq!(calls, expected, "{held:?}: {planned}");
        assert_eq!(planned["data"], Value::Null);
        assert_eq!(refusals(&planned), refusals(&ask("run").await), "{held:?}");
    }
}
