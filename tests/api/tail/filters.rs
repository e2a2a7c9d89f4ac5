//! Filters of the tail, which run in the gateway.

use serde_json::{Value, json};

use super::{arrive, next, setup};
use crate::gateway::TestGateway;
use crate::websocket::Client;

#[tokio::test]
async fn only_logs_that_meet_the_filter_are_told() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let made = arrive(&gateway, 99).await;
    let newest = gateway.data("{ logs(take: 100) { nodes { logId } } }").await;
    let before = newest["logs"]["nodes"][99]["logId"].as_str().unwrap().to_owned();
    assert!(before < made[0]);
    let fields = "logId type outcome userId clientId connection ip";
    let all = gateway.data(&format!("{{ logs(from: {before:?}, take: 100) {{ nodes {{ {fields} }} }} }}")).await;
    let all = all["logs"]["nodes"].as_array().unwrap();
    let some = |field: &str| all.iter().map(|log| &log[field]).find(|value| value.is_string()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (user, client, connection) = (some("userId"), some("clientId"), some("connection"));
    let prefix = text(some("ip"))[..4].to_owned();
    type Meets<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let cases: Vec<(Value, Meets<'_>)> = vec![
        (
            json!({ "type": { "in": ["s", "f", "fp"] } }),
            Box::new(|log| ["s", "f", "fp"].contains(&&*text(&log["type"]))),
        ),
        (json!({ "outcome": { "eq": "FAILURE" } }), Box::new(|log| log["outcome"] == "FAILURE")),
        (json!({ "not": { "outcome": { "eq": "SUCCESS" } } }), Box::new(|log| log["outcome"] != "SUCCESS")),
        (json!({ "userId": { "eq": user } }), Box::new(|log| log["userId"] == *user)),
        (
            json!({ "clientId": { "eq": client }, "connection": { "eq": connection } }),
            Box::new(|log| log["clientId"] == *client && log["connection"] == *connection),
        ),
        (json!({ "ip": { "startsWith": prefix } }), Box::new(|log| text(&log["ip"]).starts_with(&prefix))),
        (
            json!({ "or": [{ "type": { "eq": "seacft" } }, { "userId": { "eq": user } }] }),
            Box::new(|log| log["type"] == "seacft" || log["userId"] == *user),
        ),
    ];
    for (filter, meets) in cases {
        let expected: Vec<_> = all.iter().filter(|log| meets(log)).map(|log| text(&log["logId"])).collect();
        let query = "subscription ($from: ID, $filter: LogTailFilter) { logs(from: $from, filter: $filter) { logId } }";
        let mut subscriber = Client::ready(&gateway).await;
        let variables = json!({ "from": before, "filter": filter });
        subscriber.subscribe("1", json!({ "query": query, "variables": variables })).await;
        for id in expected {
            assert_eq!(next(&mut subscriber).await["data"]["logs"]["logId"], id, "{filter}");
        }
    }
}
