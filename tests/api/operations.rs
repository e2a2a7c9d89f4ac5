//! One operation, whatever its form: what async-graphql's executor gets wrong, front ends never meet.

use serde_json::json;

use crate::gateway::{TestGateway, codes};

#[tokio::test]
async fn root_fields_of_one_key_are_one_call_with_all_their_fields() {
    let gateway = TestGateway::spawn().await;
    let data = gateway
        .data(
            "{ ...A ...B users(perPage: 1) { nodes { nickname } } }
             fragment A on Query { users(perPage: 1) { nodes { email } } }
             fragment B on Query { users(perPage: 1) { nodes { name identities { provider } } total } }",
        )
        .await;
    let user = data["users"]["nodes"][0].as_object().unwrap();
    assert_eq!(user.keys().collect::<Vec<_>>(), ["email", "identities", "name", "nickname"]);
    assert!(data["users"]["total"].as_u64().unwrap() > 1);
    assert_eq!(gateway.calls().await.len(), 1);
}

#[tokio::test]
async fn fields_are_answered_in_the_documents_order() {
    let gateway = TestGateway::spawn().await;
    // The first is the slowest.
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "slow": 100 } })).await;
    let request = json!({ "query": "{ z: users(perPage: 1) { perPage nodes { name email } page } a: __typename g: gateway { version } l: logs(take: 1) { next } }" });
    let response = gateway.http.post(format!("{}/graphql", gateway.url)).json(&request).send().await.unwrap();
    let text = response.text().await.unwrap();
    let at = |key: &str| text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} is not in {text}"));
    let order = ["z", "perPage", "nodes", "name", "email", "page", "a", "g", "l"].map(at);
    assert!(order.is_sorted(), "{text}");
}

#[tokio::test]
async fn variables_mean_what_the_specification_says() {
    let gateway = TestGateway::spawn().await;
    for (query, variables, expected) in [
        // A default in a condition.
        ("query ($x: Boolean = true) { __typename @skip(if: $x) a: __typename }", json!({}), json!({ "a": "Query" })),
        ("query ($x: Boolean! = false) { __typename @include(if: $x) }", json!({}), json!({})),
        // An absent optional leaves the argument's default.
        ("query ($p: Int) { users(perPage: 1, page: $p) { page } }", json!({}), json!({ "users": { "page": 0 } })),
        ("query ($p: Int = 3) { users(perPage: 1, page: $p) { page } }", json!({}), json!({ "users": { "page": 3 } })),
        (
            "query ($p: Int) { users(perPage: 1, page: $p) { page } }",
            json!({ "p": 2 }),
            json!({ "users": { "page": 2 } }),
        ),
        (
            "query ($q: String) { users(perPage: 1, q: $q) { page } }",
            json!({ "q": null }),
            json!({ "users": { "page": 0 } }),
        ),
        // Objects of which nothing is left.
        ("query ($x: Boolean!) { gateway { version @skip(if: $x) } }", json!({ "x": true }), json!({ "gateway": {} })),
        ("{ users(perPage: 1) { nodes { email @skip(if: true) } } }", json!({}), json!({ "users": { "nodes": [{}] } })),
        ("{ users(perPage: 1) @skip(if: true) { page } }", json!({}), json!({})),
        ("{ __schema { queryType { name @skip(if: true) } } }", json!({}), json!({ "__schema": { "queryType": {} } })),
    ] {
        let response = gateway.send(json!({ "query": query, "variables": variables })).await;
        assert_eq!(response, json!({ "data": expected }), "{query} with {variables}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_runs() {
    let gateway = TestGateway::spawn().await;
    for (query, variables) in [
        ("query ($id: ID!) { user(id: $id) { name } }", json!({})),
        ("query ($id: ID!) { user(id: $id) { name } }", json!({ "id": null })),
        ("query ($p: String) { users(page: $p) { page } }", json!({ "p": "1" })),
        ("query ($p: Int) { users(page: $p) { page } }", json!({ "p": "1" })),
        ("query ($p: Int) { users(page: $p) { page } }", json!({ "p": null })),
        ("query ($p: Int) { users(page: $p) { page } }", json!({ "p": 2_147_483_648_u64 })),
        ("query ($s: UserSort) { users(sort: $s) { page } }", json!({ "s": { "field": "SHOE_SIZE" } })),
        ("query ($s: UserSort) { users(sort: $s) { page } }", json!({ "s": {} })),
        ("query ($x: String) { __typename @include(if: $x) }", json!({ "x": "true" })),
        (
            "{ ...A ...B } fragment A on Query { users(page: 1) { page } } fragment B on Query { users(page: 2) { page } }",
            json!({}),
        ),
        ("{ users { nodes { a: email } ...A } } fragment A on UserPage { nodes { a: name } }", json!({})),
        ("{ users { nodes { shoeSize } } }", json!({})),
        ("{ users(perPage: \"1\") { page } }", json!({})),
        ("mutation { __typename }", json!({})),
        ("subscription { __typename }", json!({})),
    ] {
        let response = gateway.send(json!({ "query": query, "variables": variables })).await;
        assert_eq!(codes(&response), ["GRAPHQL_VALIDATION_FAILED"], "{query} with {variables}: {response}");
        assert_eq!(response.get("data"), None, "{query}");
    }
    assert_eq!(gateway.all_calls().await, []);
}
