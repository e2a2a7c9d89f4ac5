//! Apollo Federation: users and logs by their keys, for a gateway in front of this one.

use auth0_graphql::graphql::{DocumentSettings, Limits, ScopeMode, sdl, subgraph_sdl};
use auth0_graphql::sandbox::Options;
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};
use crate::scopes;

const ENTITIES: &str = "query Q($representations: [_Any!]!) {
    _entities(representations: $representations) {
        __typename
        ... on User { id name email }
        ... on Log { logId type }
    }
}";

fn setup() -> Setup {
    let documents = DocumentSettings { federation: true, ..DocumentSettings::default() };
    Setup { documents, ..Setup::uncached() }
}

async fn gateway() -> TestGateway {
    TestGateway::spawn_with(setup()).await
}

async fn send(gateway: &TestGateway, query: &str, representations: Value) -> Value {
    gateway.send(json!({ "query": query, "variables": { "representations": representations } })).await
}

/// The ids of so many users, and of so many logs.
async fn ids(gateway: &TestGateway, users: usize, logs: usize) -> (Vec<String>, Vec<String>) {
    let query = format!(
        "{{ users(perPage: {users}, sort: {{ field: EMAIL }}) {{ nodes {{ id }} }} logs(take: {logs}) {{ nodes {{ id }} }} }}"
    );
    let data = gateway.data(&query).await;
    gateway.forget_calls().await;
    let ids = |field: &str| {
        let nodes = data[field]["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
    };
    (ids("users"), ids("logs"))
}

fn user(id: &str) -> Value {
    json!({ "__typename": "User", "id": id })
}

fn log(id: &str) -> Value {
    json!({ "__typename": "Log", "logId": id })
}

#[tokio::test]
async fn without_federation_nothing_of_it_is_in_the_schema() {
    let gateway = TestGateway::uncached().await;
    for query in ["{ _service { sdl } }", "{ _entities(representations: []) { __typename } }"] {
        let response = gateway.query(query).await;
        assert!(codes(&response).contains(&"GRAPHQL_VALIDATION_FAILED"), "{response}");
    }
    for name in ["_Any", "_Entity", "_Service"] {
        assert!(!sdl().contains(name), "{name}");
        let found = gateway.data(&format!("{{ __type(name: \"{name}\") {{ name }} }}")).await;
        assert_eq!(found["__type"], Value::Null);
    }
}

#[tokio::test]
async fn the_subgraph_tells_its_keys_and_what_others_may_share() {
    let gateway = gateway().await;
    let data = gateway.data("{ _service { sdl again: sdl __typename } }").await;
    let sdl = data["_service"]["sdl"].as_str().unwrap();
    assert_eq!(sdl, subgraph_sdl());
    assert_eq!((&data["_service"]["again"], &data["_service"]["__typename"]), (&json!(sdl), &json!("_Service")));
    for line in [
        "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", import: [\"@key\", \"@shareable\"])",
        "type User implements Node @key(fields: \"id\") @key(fields: \"userId\") {",
        "type Log implements Node @key(fields: \"logId\") @key(fields: \"id\") {",
        "type PageInfo @shareable {",
        "  ): Node @shareable",
    ] {
        assert!(sdl.lines().any(|known| known == line), "{line}");
    }
    assert!(!sdl.contains("_entities") && !sdl.contains("_Any"));
    assert_eq!(gateway.calls().await, []);
    let types = gateway.data("{ __type(name: \"_Entity\") { kind possibleTypes { name } } }").await;
    let expected = json!({ "kind": "UNION", "possibleTypes": [{ "name": "User" }, { "name": "Log" }] });
    assert_eq!(types["__type"], expected);
}

#[tokio::test]
async fn entities_come_in_the_order_and_as_often_as_they_are_asked_for_in_one_call_a_kind() {
    let gateway = gateway().await;
    let (users, logs) = ids(&gateway, 2, 2).await;
    let by_user_id = json!({ "__typename": "User", "userId": users[0], "id": null, "loyaltyPoints": [7] });
    let by_log = json!({ "__typename": "Log", "id": logs[1] });
    let asked = json!([log(&logs[0]), user(&users[1]), by_user_id, user("auth0|nobody"), user(&users[1]), by_log]);
    let response = send(&gateway, ENTITIES, asked).await;
    assert_eq!(response.get("errors"), None, "{response}");
    let found = response["data"]["_entities"].as_array().unwrap();
    let id = |place: usize, key: &str| found[place][key].as_str().unwrap().to_owned();
    assert_eq!([id(0, "logId"), id(5, "logId")], [logs[0].clone(), logs[1].clone()]);
    assert_eq!([id(1, "id"), id(2, "id")], [users[1].clone(), users[0].clone()]);
    assert_eq!((&found[3], &found[4]), (&Value::Null, &found[1]));
    assert_eq!((&found[0]["__typename"], &found[1]["__typename"]), (&json!("Log"), &json!("User")));
    assert!(found[0].get("name").is_none() && found[1].get("type").is_none(), "{found:?}");
    let asked = gateway.asked().await;
    // The search may not know a user yet: who it does not find is looked up.
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked.iter().any(|call| call.contains("fields=email,name,user_id")), "{asked:?}");
    assert!(asked.iter().any(|call| call.starts_with("/api/v2/logs?")), "{asked:?}");
    assert!(asked[2].starts_with("/api/v2/users/auth0%7Cnobody"), "{asked:?}");
}

#[tokio::test]
async fn entities_lead_on_to_joins_and_stand_in_literals_too() {
    let gateway = gateway().await;
    let ada = &gateway.sandbox.people()[0];
    let query = "query Q($id: ID!) {
        _entities(representations: [{ __typename: \"User\", id: $id }, { __typename: \"User\", userId: $id }]) {
            ... on User { email mine: logs(perPage: 2) { nodes { user { name } } } }
        }
        other: _entities(representations: { __typename: \"User\", id: $id }) { ... on Node { id } }
    }";
    let response = gateway.send(json!({ "query": query, "variables": { "id": ada.user_id } })).await;
    assert_eq!(response.get("errors"), None, "{response}");
    let found = &response["data"]["_entities"];
    assert_eq!((&found[0]["email"], &found[0]), (&json!(ada.email), &found[1]));
    let logs = found[0]["mine"]["nodes"].as_array().unwrap();
    assert!(!logs.is_empty() && logs.iter().all(|log| log["user"]["name"] == json!(ada.name)), "{logs:?}");
    assert_eq!(response["data"]["other"], json!([{ "id": ada.user_id }]));
    // The users of both fields together, their logs, and the logs' user.
    assert_eq!(gateway.calls().await.len(), 3);
}

#[tokio::test]
async fn a_representation_that_names_no_record_is_null_with_an_error_and_the_others_are_answered() {
    let gateway = gateway().await;
    let (users, logs) = ids(&gateway, 1, 1).await;
    let wrong = [
        (json!("auth0|1"), "it is no object"),
        (json!([]), "it is no object"),
        (json!({ "id": users[0] }), "its `__typename` has to be `User` or `Log`"),
        (json!({ "__typename": "Role", "id": "1" }), "its `__typename` has to be `User` or `Log`"),
        (json!({ "__typename": ["User"], "id": users[0] }), "its `__typename` has to be `User` or `Log`"),
        (json!({ "__typename": "User", "logId": logs[0] }), "it has no key of `User`: `id` or `userId`"),
        (json!({ "__typename": "User", "id": null }), "it has no key of `User`: `id` or `userId`"),
        (json!({ "__typename": "Log", "logId": 7 }), "its `logId` is no string"),
        (json!({ "__typename": "User", "id": { "eq": "x" } }), "its `id` is no string"),
        (json!({ "__typename": "User", "id": users[0], "userId": "auth0|2" }), "its keys are not of one record"),
        (json!({ "__typename": "User", "id": "" }), "`id` must not be empty"),
        (json!({ "__typename": "User", "userId": "auth0|\n" }), "`userId` must not hold control characters"),
        (json!({ "__typename": "Log", "logId": ".." }), "`logId` must not be `.`"),
    ];
    let count = wrong.len();
    let asked = wrong.iter().map(|(asked, _)| asked.clone()).chain([user(&users[0]), log(&logs[0])]);
    let response = send(&gateway, ENTITIES, asked.collect()).await;
    assert_eq!(codes(&response), vec!["BAD_USER_INPUT"; count], "{response}");
    for (place, ((asked, reason), error)) in wrong.iter().zip(response["errors"].as_array().unwrap()).enumerate() {
        assert_eq!(error["path"], json!(["_entities", place]), "{asked}");
        assert!(error["message"].as_str().unwrap().contains(reason), "{asked}: {error}");
    }
    let found = response["data"]["_entities"].as_array().unwrap();
    assert!(found[..count].iter().all(Value::is_null), "{response}");
    assert_eq!((&found[count]["id"], &found[count + 1]["logId"]), (&json!(users[0]), &json!(logs[0])));
    assert_eq!(gateway.asked().await.len(), 2);
    // What can be nobody's id is not looked for, and whole lists of it ask nothing.
    let nobody = send(&gateway, ENTITIES, json!([user("nobody"), log("9] OR [1")])).await;
    assert_eq!(nobody, json!({ "data": { "_entities": [null, null] } }));
    let nothing = send(&gateway, ENTITIES, json!([])).await;
    assert_eq!(nothing, json!({ "data": { "_entities": [] } }));
    assert_eq!(gateway.asked().await, [] as [String; 0]);
    // Of the wrong type altogether.
    for asked in [json!(null), json!([null]), json!([{ "no name": 1 }])] {
        let response = send(&gateway, ENTITIES, asked).await;
        assert_eq!(codes(&response), ["GRAPHQL_VALIDATION_FAILED"], "{response}");
        assert_eq!(response.get("data"), None);
    }
}

#[tokio::test]
async fn entities_are_counted_before_they_are_looked_up() {
    let limits = Limits { upstream_calls: 3, ..Limits::default() };
    let setup = setup();
    let sandbox = Options { users: 110, logs: 60, ..setup.sandbox };
    let gateway = TestGateway::spawn_with(Setup { limits, sandbox, ..setup }).await;
    let (users, logs) = ids(&gateway, 100, 50).await;
    let asked = |users: &[String], logs: &[String]| -> Value {
        users.iter().map(|id| user(id)).chain(logs.iter().map(|id| log(id))).collect()
    };
    let fits = send(&gateway, ENTITIES, asked(&users, &logs[..40])).await;
    assert_eq!(fits.get("errors"), None, "{fits}");
    assert!(fits["data"]["_entities"].as_array().unwrap().iter().all(Value::is_object), "{fits}");
    assert_eq!(gateway.asked().await.len(), 3);
    let refused = send(&gateway, ENTITIES, asked(&users, &logs[..41])).await;
    assert_eq!(codes(&refused), ["QUERY_TOO_COMPLEX"], "{refused}");
    let extensions = &refused["errors"][0]["extensions"];
    assert_eq!((&extensions["measure"], &extensions["value"]), (&json!("upstream calls"), &json!(4)), "{refused}");
    // A call for each of them, beside the one that looks them up.
    let roles = "query Q($representations: [_Any!]!) {
        _entities(representations: $representations) { ... on User { roles { nodes { name } } } }
    }";
    let refused = send(&gateway, roles, asked(&users[..3], &[])).await;
    assert_eq!(codes(&refused), ["QUERY_TOO_COMPLEX"], "{refused}");
    assert_eq!(refused["errors"][0]["extensions"]["largestPage"], 2, "{refused}");
    // No longer than any list.
    let many: Value = (0..201).map(|number| user(&format!("auth0|{number}"))).collect();
    let refused = send(&gateway, ENTITIES, many).await;
    assert_eq!(refused["errors"][0]["extensions"]["measure"], "list length", "{refused}");
    assert_eq!(gateway.asked().await, [] as [String; 0]);
    let two = send(&gateway, roles, asked(&users[..2], &[])).await;
    assert_eq!(two.get("errors"), None, "{two}");
}

#[tokio::test]
async fn a_plan_tells_how_entities_would_be_looked_up() {
    let gateway = gateway().await;
    let asked: Vec<_> = (0..51).map(|number| user(&format!("auth0|{number}"))).chain([log("900")]).collect();
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).header("X-Explain", "plan");
    let body = json!({ "query": ENTITIES, "variables": { "representations": asked } });
    let response: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
    let expected = json!([
        { "field": "_entities", "endpoint": "users", "calls": 2, "waitMs": 0 },
        { "field": "_entities", "endpoint": "logs", "calls": 1, "waitMs": 0 },
    ]);
    assert_eq!(response["extensions"]["plan"], expected, "{response}");
}

#[tokio::test]
async fn an_entity_needs_the_scopes_of_its_kind() {
    let gateway =
        TestGateway::spawn_with(Setup { documents: setup().documents, ..scopes::setup(ScopeMode::Filter) }).await;
    let (users, logs) = ids(&gateway, 1, 1).await;
    let query = "query Q($representations: [_Any!]!) {
        _entities(representations: $representations) { ... on User { id appMetadata } ... on Log { id user { id } } }
    }";
    let ask = async |gateway: &TestGateway, held: &[&str], asked: Value| -> Value {
        let token = scopes::token(gateway, held).await;
        let body = json!({ "query": query, "variables": { "representations": asked } });
        let request = gateway.http.post(format!("{}/graphql", gateway.url)).bearer_auth(token).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    };
    let paths = |response: &Value| -> Vec<Value> {
        let errors = response["errors"].as_array().unwrap();
        errors.iter().map(|error| error["path"].clone()).collect()
    };
    let both = json!([user(&users[0]), log(&logs[0])]);
    let response = ask(&gateway, &[scopes::USERS], both.clone()).await;
    assert_eq!(codes(&response), ["FORBIDDEN", "FORBIDDEN"], "{response}");
    let mut found = paths(&response);
    found.sort_by_key(ToString::to_string);
    assert_eq!(found, [json!(["_entities", 0, "appMetadata"]), json!(["_entities", 1])]);
    assert_eq!(response["data"]["_entities"], json!([{ "id": users[0], "appMetadata": null }, null]));
    let response = ask(&gateway, &[scopes::LOGS], both.clone()).await;
    let mut found = paths(&response);
    found.sort_by_key(ToString::to_string);
    assert_eq!(found, [json!(["_entities", 0]), json!(["_entities", 1, "user"])], "{response}");
    gateway.forget_calls().await;
    let response = ask(&gateway, &[], both.clone()).await;
    assert_eq!(response["data"]["_entities"], json!([null, null]), "{response}");
    assert_eq!(gateway.asked().await, [] as [String; 0]);

    let gateway =
        TestGateway::spawn_with(Setup { documents: setup().documents, ..scopes::setup(ScopeMode::Reject) }).await;
    let (_, logs) = ids(&gateway, 1, 1).await;
    let response = ask(&gateway, &[scopes::USERS], both).await;
    assert_eq!(codes(&response), ["FORBIDDEN"], "{response}");
    assert_eq!(response["errors"][0]["extensions"]["scopes"], json!(["read:users_app_metadata", "read:logs"]));
    // What nobody is asked for needs nothing.
    let logs_alone = ask(&gateway, &[scopes::LOGS, scopes::USERS], json!([log(&logs[0])])).await;
    assert_eq!(logs_alone.get("errors"), None, "{logs_alone}");
    assert_eq!(logs_alone["data"]["_entities"][0]["id"], json!(logs[0]));
}

#[tokio::test]
async fn entities_that_cannot_be_looked_up_are_null_with_the_reason() {
    let gateway = gateway().await;
    let (users, logs) = ids(&gateway, 2, 1).await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 10, "fault": { "status": 403 } })).await;
    let response = send(&gateway, ENTITIES, json!([user(&users[0]), log(&logs[0]), user(&users[1])])).await;
    assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"; 2], "{response}");
    assert_eq!(response["errors"][1]["path"], json!(["_entities", 2]));
    let found = &response["data"]["_entities"];
    assert_eq!((&found[0], &found[1]["logId"], &found[2]), (&Value::Null, &json!(logs[0]), &Value::Null));
}
