//! Errors at what is joined, and at the nulls of lists.

use auth0_graphql::graphql::Permissions;
use auth0_graphql::sandbox::{Options, TokenRequest};
use serde_json::{Value, json};

use super::{gateway, logs_of};
use crate::gateway::{Setup, TestGateway, codes};

#[tokio::test]
async fn errors_of_joins_are_told_where_the_null_stands() {
    let gateway = gateway().await;
    let ada = &gateway.sandbox.people()[0].user_id;
    logs_of(&gateway, &["", ada]).await;
    gateway.fault(json!({ "path": "/api/v2/users/", "times": 9, "fault": { "status": 500 } })).await;
    let response = gateway
        .query("{\n  l: logs(take: 2) {\n    nodes {\n      u: user {\n        logs { page }\n        no: logs(perPage: 101) { page }\n      }\n    }\n  }\n}")
        .await;
    assert_eq!(response["data"]["l"]["nodes"], json!([{ "u": null }, { "u": { "logs": null, "no": null } }]));
    let told = |error: &Value| json!([error["path"], error["locations"][0]["line"], error["extensions"]["code"]]);
    let errors: Vec<_> = response["errors"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(
        errors,
        [
            json!([["l", "nodes", 1, "u", "logs"], 5, "UPSTREAM_UNAVAILABLE"]),
            json!([["l", "nodes", 1, "u", "no"], 6, "BAD_USER_INPUT"]),
        ]
    );
}

/// A gateway whose callers hold what their tokens say, and a token of these scopes.
async fn with_token(scopes: &str) -> (TestGateway, String) {
    let setup = Setup {
        sandbox: Options::default(),
        takes_sandbox_tokens: true,
        permissions: Permissions::default(),
        ..Setup::uncached()
    };
    let gateway = TestGateway::spawn_with(setup).await;
    let request = TokenRequest { scope: scopes.to_owned(), ..TokenRequest::default() };
    let token = gateway.sandbox.user_token(&request).unwrap();
    (gateway, token)
}

async fn ask(gateway: &TestGateway, token: &str, query: &str) -> Value {
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": query }));
    request.bearer_auth(token).send().await.unwrap().json().await.unwrap()
}

fn paths(response: &Value) -> Vec<Value> {
    response["errors"].as_array().into_iter().flatten().map(|error| error["path"].clone()).collect()
}

#[tokio::test]
async fn the_logs_of_users_need_the_scope_of_logs() {
    let (gateway, token) = with_token("read:users").await;
    let response = ask(&gateway, &token, "{ users(perPage: 2) { nodes { userId l: logs { page } } } }").await;
    assert_eq!(codes(&response), ["FORBIDDEN"; 2]);
    assert_eq!(paths(&response), [json!(["users", "nodes", 0, "l"]), json!(["users", "nodes", 1, "l"])]);
    assert!(gateway.asked().await.iter().all(|target| !target.contains("/logs")));
}

#[tokio::test]
async fn each_null_below_lists_has_its_error_and_beyond_fifty_their_number_is_told() {
    let (gateway, token) = with_token("read:users read:logs").await;
    let identities = |count: usize| (0..count).map(|n| json!({ "connection": n.to_string() })).collect::<Vec<_>>();
    let users = json!([
        { "user_id": "auth0|1", "identities": identities(2) },
        { "user_id": "auth0|2", "identities": [] },
        { "user_id": "auth0|3", "identities": identities(1) },
    ]);
    let query = "{\n  u: users {\n    nodes {\n      i: identities {\n        accessToken\n      }\n    }\n  }\n}";
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "body": users.to_string() } })).await;
    let response = ask(&gateway, &token, query).await;
    let at = |user: usize, identity: usize| json!(["u", "nodes", user, "i", identity, "accessToken"]);
    assert_eq!(paths(&response), [at(0, 0), at(0, 1), at(2, 0)]);
    assert_eq!(response["errors"][2]["locations"], json!([{ "line": 5, "column": 9 }]));

    // Nowhere an item: no error.
    gateway
        .fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "body": "[{},{\"identities\":[]}]" } }))
        .await;
    assert_eq!(ask(&gateway, &token, query).await.get("errors"), None);

    let many = json!([{ "identities": identities(40) }, { "identities": identities(40) }]);
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "body": many.to_string() } })).await;
    let response = ask(&gateway, &token, query).await;
    let errors = response["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 51, "{response}");
    assert_eq!(errors[49]["path"], at(1, 9));
    assert_eq!((&errors[50]["path"], &errors[50]["extensions"]["count"]), (&json!(["u"]), &json!(30)));
    assert!(errors[50]["message"].as_str().unwrap().contains("30"), "{response}");
    assert_eq!(errors[50]["extensions"]["code"], "FORBIDDEN");

    // Below a list that no field stands above, the field itself has the rest.
    gateway.fault(json!({ "path": "/api/v2/users-by-email", "times": 1, "fault": { "body": many.to_string() } })).await;
    let response = ask(&gateway, &token, "{ e: usersByEmail(email: \"a\") { identities { accessToken } } }").await;
    assert_eq!(paths(&response)[50], json!(["e"]));
    assert_eq!(paths(&response)[0], json!(["e", 0, "identities", 0, "accessToken"]));
}

#[tokio::test]
async fn records_of_a_list_that_are_none_are_told_of() {
    let gateway = gateway().await;
    for (root, path) in [
        ("users { page nodes { name } }", json!(["users", "nodes"])),
        ("usersByEmail(email: \"a\") { name }", json!(["usersByEmail"])),
    ] {
        let body = "[null,{\"name\":\"Ada\"},\"gone\"]";
        gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "body": body } })).await;
        let response = gateway.query(&format!("{{ {root} }}")).await;
        assert!(response["data"].to_string().contains("[{\"name\":\"Ada\"}]"), "{response}");
        assert_eq!(paths(&response), [path]);
        assert_eq!(response["errors"][0]["extensions"]["leftOut"], 2);
    }
}
