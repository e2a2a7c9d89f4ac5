//! `@skip` and `@include` whose condition is null: the selection in which one stands is an error wherever it would be answered.

use auth0_graphql::graphql::DocumentSettings;
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};

/// The answer to an operation whose variable `$x`, a condition, is null.
async fn ask(gateway: &TestGateway, selections: &str) -> Value {
    let query = format!("query ($x: Boolean = true) {{ {selections} }}");
    gateway.send(json!({ "query": query, "variables": { "x": null } })).await
}

/// The paths of the errors, each of which says which condition is null.
fn paths(response: &Value) -> Vec<&Value> {
    assert!(codes(response).iter().all(|code| *code == "BAD_USER_INPUT"), "{response}");
    let errors = response["errors"].as_array().into_iter().flatten();
    errors
        .map(|error| {
            assert_eq!(error["extensions"]["argument"], "if", "{response}");
            &error["path"]
        })
        .collect()
}

#[tokio::test]
async fn the_nearest_value_that_can_be_null_is_and_the_others_answer() {
    let gateway = TestGateway::uncached().await;
    let id = gateway.data("{ users(perPage: 1) { nodes { id } } }").await["users"]["nodes"][0]["id"].clone();
    for (selections, data, expected) in [
        (
            "gateway { token { scopes @skip(if: $x) } mode } logs(take: 1) { __typename }".to_owned(),
            json!({ "gateway": { "token": null, "mode": "TENANT" }, "logs": { "__typename": "LogBatch" } }),
            json!(["gateway", "token"]),
        ),
        (
            "users(perPage: 1) { nodes { identities { connection @include(if: $x) } } perPage }".to_owned(),
            json!({ "users": { "nodes": [{ "identities": null }], "perPage": 1 } }),
            json!(["users", "nodes", 0, "identities", 0]),
        ),
        (
            "users(perPage: 2) { nodes { id ... @skip(if: $x) { email } } } __typename".to_owned(),
            json!({ "users": null, "__typename": "Query" }),
            json!(["users", "nodes", 0]),
        ),
        ("users(perPage: 1) { page perPage @skip(if: $x) }".to_owned(), json!({ "users": null }), json!(["users"])),
        (format!("node(id: {id}) {{ id @skip(if: $x) }}"), json!({ "node": null }), json!(["node"])),
        (
            format!("user(id: {id}) {{ id logs(perPage: 1) {{ nodes {{ type @skip(if: $x) }} }} }}"),
            json!({ "user": { "id": id, "logs": null } }),
            json!(["user", "logs", "nodes", 0]),
        ),
        (
            "usersConnection(first: 2) { edges { cursor node { email @skip(if: $x) } } }".to_owned(),
            json!({ "usersConnection": null }),
            json!(["usersConnection", "edges", 0, "node"]),
        ),
        (
            "usersConnection(first: 2) { nodes { id } pageInfo { endCursor @skip(if: $x) } }".to_owned(),
            json!({ "usersConnection": null }),
            json!(["usersConnection", "pageInfo"]),
        ),
        (
            "__type(name: \"LogOutcome\") { name enumValues { name @skip(if: $x) } }".to_owned(),
            json!({ "__type": { "name": "LogOutcome", "enumValues": null } }),
            json!(["__type", "enumValues", 0]),
        ),
        // Where nothing that holds it can be null, the whole answer is.
        ("gateway { mode @skip(if: $x) } __typename".to_owned(), Value::Null, json!(["gateway"])),
        ("__schema { types { name @skip(if: $x) } }".to_owned(), Value::Null, json!(["__schema", "types", 0])),
    ] {
        let response = ask(&gateway, &selections).await;
        assert_eq!(response.get("data"), Some(&data), "{selections}: {response}");
        assert_eq!(paths(&response), [&expected], "{selections}: {response}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_no_error() {
    let gateway = TestGateway::uncached().await;
    let id = gateway.data("{ users(perPage: 1) { nodes { id } } }").await["users"]["nodes"][0]["id"].clone();
    for (selections, data) in [
        ("user(id: \"nobody\") { email @skip(if: $x) }".to_owned(), json!({ "user": null })),
        (format!("node(id: {id}) {{ id ... on Log {{ type @skip(if: $x) }} }}"), json!({ "node": { "id": id } })),
        (
            "users(q: \"email:nobody@example.com\") { nodes { email @skip(if: $x) } page }".to_owned(),
            json!({ "users": { "nodes": [], "page": 0 } }),
        ),
        (
            "gateway { mode replicas { count @skip(if: $x) } }".to_owned(),
            json!({ "gateway": { "mode": "TENANT", "replicas": null } }),
        ),
        (
            "__typename user(id: \"a|b\") @include(if: false) { id @skip(if: $x) }".to_owned(),
            json!({ "__typename": "Query" }),
        ),
    ] {
        assert_eq!(ask(&gateway, &selections).await, json!({ "data": data }), "{selections}");
    }
}

#[tokio::test]
async fn every_record_has_its_error() {
    let gateway = TestGateway::uncached().await;
    let response = ask(&gateway, "logs(take: 30) { nodes { user { id } u: user { name @skip(if: $x) } } next }").await;
    let nodes = response["data"]["logs"]["nodes"].as_array().unwrap();
    let of_users = nodes.iter().enumerate().filter(|(_, node)| !node["user"].is_null());
    let expected: Vec<_> = of_users.map(|(index, _)| json!(["logs", "nodes", index, "u"])).collect();
    assert!(nodes.iter().all(|node| node["u"].is_null()), "{response}");
    assert!(!expected.is_empty());
    assert_eq!(paths(&response), expected.iter().collect::<Vec<_>>(), "{response}");
}

#[tokio::test]
async fn among_the_root_fields_nothing_is_asked_and_nothing_is_answered() {
    let gateway = TestGateway::uncached().await;
    for (selections, column) in [
        ("users { page } gateway @skip(if: $x) { mode }", 53),
        ("... @include(if: $x) { users { page } }", 34),
        ("users @include(if: false) @skip(if: $x) { page }", 56),
    ] {
        let response = ask(&gateway, selections).await;
        assert_eq!(response.get("data"), Some(&Value::Null), "{selections}: {response}");
        assert_eq!(paths(&response), [&Value::Null], "{selections}: {response}");
        // The condition's own place.
        assert_eq!(response["errors"][0]["locations"], json!([{ "line": 1, "column": column }]), "{selections}");
    }
    assert_eq!(gateway.all_calls().await, []);
}

#[tokio::test]
async fn a_federation_gateway_is_told_of_each_entity() {
    let documents = DocumentSettings { federation: true, ..DocumentSettings::default() };
    let gateway = TestGateway::spawn_with(Setup { documents, ..Setup::uncached() }).await;
    let data = gateway.data("{ users(perPage: 1) { nodes { id } } logs(take: 1) { nodes { id } } }").await;
    let [user, log] = [("User", "users"), ("Log", "logs")]
        .map(|(of, field)| json!({ "__typename": of, "id": data[field]["nodes"][0]["id"] }));
    let query = "query ($all: [_Any!]!, $x: Boolean = true) {
        _entities(representations: $all) { ... on Log { __typename } ... on User { id ... on User @skip(if: $x) { name } } }
    }";
    let variables = json!({ "all": [log, user], "x": null });
    let response = gateway.send(json!({ "query": query, "variables": variables })).await;
    assert_eq!(response["data"], json!({ "_entities": [{ "__typename": "Log" }, null] }), "{response}");
    assert_eq!(paths(&response), [&json!(["_entities", 1])], "{response}");
    let response = ask(&gateway, "_service { sdl @skip(if: $x) }").await;
    assert_eq!((response.get("data"), paths(&response)), (Some(&Value::Null), vec![&json!(["_service"])]));
}
