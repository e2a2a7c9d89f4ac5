//! One operation, whatever its form: what async-graphql's executor gets wrong, front ends never meet.

use serde_json::{Value, json};

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

#[tokio::test]
async fn null_for_an_argument_that_is_never_null_is_an_error_at_its_field_and_the_others_answer() {
    let gateway = TestGateway::spawn().await;
    let query = "query ($p: Int) { bad: users(page: $p) { page } users(perPage: 1) { perPage } gateway { mode } }";
    let response = gateway.send(json!({ "query": query, "variables": { "p": null } })).await;
    let data = json!({ "bad": null, "users": { "perPage": 1 }, "gateway": { "mode": "TENANT" } });
    assert_eq!(response["data"], data, "{response}");
    let error = &response["errors"][0];
    assert_eq!((codes(&response), &error["path"]), (vec!["BAD_USER_INPUT"], &json!(["bad"])), "{response}");
    assert_eq!(error["locations"], json!([{ "line": 1, "column": 19 }]));
}

#[tokio::test]
async fn a_document_that_made_the_gateway_panic_is_refused() {
    let gateway = TestGateway::spawn().await;
    let response = gateway.query("query ($x: [N] = 1) { __typename }").await;
    assert!(codes(&response).iter().all(|code| *code == "GRAPHQL_VALIDATION_FAILED"), "{response}");
    assert!(response["errors"][0]["message"].as_str().unwrap().contains("`N`"), "{response}");
}

#[tokio::test]
async fn twenty_one_nested_selections_run() {
    let gateway = TestGateway::spawn().await;
    let query = format!("{} {{ __typename {}", "{ ... ".repeat(21), "} ".repeat(22));
    assert_eq!(gateway.data(&query).await, json!({ "__typename": "Query" }));
}

#[tokio::test]
async fn null_for_a_deprecated_argument_leaves_the_rest_alone() {
    let gateway = TestGateway::spawn().await;
    let query = "query ($d: Boolean) { gateway { mode } __type(name: \"SortDirection\") { fields(includeDeprecated: $d) { name } enumValues(includeDeprecated: $d) { name } } }";
    let response = gateway.send(json!({ "query": query, "variables": { "d": null } })).await;
    let ty = json!({ "fields": null, "enumValues": [{ "name": "ASC" }, { "name": "DESC" }] });
    assert_eq!(response, json!({ "data": { "gateway": { "mode": "TENANT" }, "__type": ty } }));
}

#[tokio::test]
async fn the_schema_says_what_it_is_and_that_it_cannot_write() {
    let gateway = TestGateway::spawn().await;
    let data = gateway.data("{ __schema { description mutationType { name } } }").await;
    let description = data["__schema"]["description"].as_str().unwrap();
    assert!(description.contains("Auth0") && description.contains("cannot write"), "{description}");
}

#[tokio::test]
async fn what_is_described_runs_as_if_it_were_not() {
    let gateway = TestGateway::spawn().await;
    let query = "\"Everything.\" query Q(\"Which page.\" $p: Int = 1) { ...F }\n\"\"\"\nA page.\n\"\"\" fragment F on Query { users(perPage: 1, page: $p) { page } }";
    assert_eq!(gateway.data(query).await, json!({ "users": { "page": 1 } }));
}

#[tokio::test]
async fn an_id_of_56_digits_is_read_from_literals_and_variables_alike() {
    let gateway = TestGateway::spawn().await;
    let data = gateway.data("{ logs(take: 1) { nodes { logId } } }").await;
    let id = data["logs"]["nodes"][0]["logId"].as_str().unwrap().to_owned();
    assert_eq!((id.len(), id.bytes().all(|byte| byte.is_ascii_digit())), (56, true), "{id}");
    let expected = json!({ "log": { "logId": id } });
    assert_eq!(gateway.data(&format!("{{ log(id: {id}) {{ logId }} }}")).await, expected);
    let body =
        format!(r#"{{"query": "query ($id: ID!) {{ log(id: $id) {{ logId }} }}", "variables": {{"id": {id}}}}}"#);
    let response =
        gateway.http.post(format!("{}/graphql", gateway.url)).header("content-type", "application/json").body(body);
    let response: Value = response.send().await.unwrap().json().await.unwrap();
    assert_eq!(response["data"], expected, "{response}");
}

#[tokio::test]
async fn the_entries_of_a_fragment_are_no_root_fields() {
    let gateway = TestGateway::spawn().await;
    let names: String = (0..51).map(|n| format!("a{n}: name ")).collect();
    let query = format!("{{ users(perPage: 1) {{ nodes {{ ...F }} }} }} fragment F on User {{ {names} }}");
    let data = gateway.data(&query).await;
    assert_eq!(data["users"]["nodes"][0].as_object().unwrap().len(), 51);
}

#[tokio::test]
async fn variables_that_the_operation_does_not_declare_are_never_read() {
    let gateway = TestGateway::spawn().await;
    let unused = json!({ "x": vec![0; 10_000], "y": { "z": "x".repeat(50_000) } });
    let response = gateway.send(json!({ "query": "{ __typename }", "variables": unused })).await;
    assert_eq!(response, json!({ "data": { "__typename": "Query" } }));
}

#[tokio::test]
async fn an_empty_operation_name_is_none_for_post_as_for_get() {
    let gateway = TestGateway::spawn().await;
    let posted = gateway.send(json!({ "query": "query Only { __typename }", "operationName": "" })).await;
    assert_eq!(posted, json!({ "data": { "__typename": "Query" } }));
    let url = format!("{}/graphql?query=query%20Only%20%7B%20__typename%20%7D&operationName=", gateway.url);
    let got: Value = gateway.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(got, posted);
}
