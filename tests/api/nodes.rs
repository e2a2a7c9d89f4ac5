//! Nodes: anything with a global id, looked up by it.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::gateway::{TestGateway, codes};
use crate::mock::{answering, gateway_to};

const NODE: &str = "query Q($id: ID!) {
    node(id: $id) { __typename id ... on User { name userId } ... on Log { type logId } ...U }
}
fragment U on User { email }";

async fn node(gateway: &TestGateway, id: &str) -> Value {
    gateway.send(json!({ "query": NODE, "variables": { "id": id } })).await
}

#[tokio::test]
async fn a_node_is_the_user_or_the_log_that_its_id_names() {
    let gateway = TestGateway::uncached().await;
    let data = gateway.data("{ users(perPage: 1) { nodes { id } } logs(take: 1) { nodes { id } } }").await;
    let (user, log) = (&data["users"]["nodes"][0]["id"], &data["logs"]["nodes"][0]["id"]);
    gateway.forget_calls().await;
    let found = node(&gateway, user.as_str().unwrap()).await;
    assert_eq!(found.get("errors"), None, "{found}");
    let found = &found["data"]["node"];
    assert_eq!((&found["__typename"], &found["id"], &found["userId"]), (&json!("User"), user, user));
    assert!(found["name"].is_string() && found["email"].is_string() && found.get("type").is_none(), "{found}");
    let found = &node(&gateway, log.as_str().unwrap()).await["data"]["node"];
    assert_eq!((&found["__typename"], &found["id"], &found["logId"]), (&json!("Log"), log, log));
    assert!(found["type"].is_string() && found.get("name").is_none(), "{found}");
    let asked = gateway.asked().await;
    assert!(
        asked[0].starts_with("/api/v2/users/auth0%7C") && asked[0].contains("fields=email,name,user_id&"),
        "{asked:?}"
    );
    assert!(asked[1].starts_with("/api/v2/logs/9"), "{asked:?}");
}

#[tokio::test]
async fn what_no_id_is_is_refused_and_what_is_not_there_is_null() {
    let gateway = TestGateway::uncached().await;
    for id in ["", "x", "users", "90020é"] {
        let response = node(&gateway, id).await;
        assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{id}: {response}");
        assert_eq!(response["errors"][0]["path"], json!(["node"]));
        assert_eq!(response["data"], json!({ "node": null }));
    }
    assert_eq!(gateway.asked().await, [] as [String; 0]);
    for id in ["auth0|nobody", "9".repeat(56).as_str()] {
        assert_eq!(node(&gateway, id).await, json!({ "data": { "node": null } }), "{id}");
    }
}

#[tokio::test]
async fn a_node_shares_the_call_of_the_field_of_its_kind() {
    let gateway = TestGateway::uncached().await;
    let data = gateway.data("{ users(perPage: 1) { nodes { id } } }").await;
    let id = &data["users"]["nodes"][0]["id"];
    gateway.forget_calls().await;
    let both = gateway.data(&format!("{{ node(id: {id}) {{ id }} user(id: {id}) {{ id }} }}")).await;
    assert_eq!(both["node"], both["user"]);
    assert_eq!(gateway.asked().await.len(), 1);
}

#[tokio::test]
async fn a_node_that_cannot_be_asked_for_is_null_and_the_others_answer() {
    let gateway = TestGateway::spawn().await;
    let document = "query ($id: ID = \"a\") { node(id: $id) { id } gateway { mode } }";
    let response = gateway.send(json!({ "query": document, "variables": { "id": null } })).await;
    assert_eq!(response["data"], json!({ "node": null, "gateway": { "mode": "TENANT" } }), "{response}");
    assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{response}");
    assert_eq!(response["errors"][0]["path"], json!(["node"]), "{response}");
}

#[tokio::test]
async fn a_record_without_its_id_is_left_out_and_that_is_said() {
    let users = json!([{ "user_id": "auth0|1", "name": "a" }, { "name": "b" }, { "user_id": null, "name": "c" }]);
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(users)).await;
    let gateway = gateway_to(&auth0).await;
    let response = gateway.query("{ users { nodes { id name } } }").await;
    assert_eq!(response["data"], json!({ "users": { "nodes": [{ "id": "auth0|1", "name": "a" }] } }), "{response}");
    assert_eq!(response["errors"][0]["extensions"]["leftOut"], 2, "{response}");
    // Who does not ask for it gets them all.
    let response = gateway.query("{ users { nodes { name } } }").await;
    assert_eq!(response["data"]["users"]["nodes"].as_array().unwrap().len(), 3, "{response}");
}
