//! Logs: two ways of reading them, and where to read on.

mod forms;

use auth0_graphql::sandbox::Options;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::gateway::{Setup, TestGateway};
use crate::mock;

/// A gateway on a tenant with this many logs.
async fn with_logs(logs: usize) -> TestGateway {
    let setup = Setup::uncached();
    TestGateway::spawn_with(Setup { sandbox: Options { logs, ..setup.sandbox }, ..setup }).await
}

/// Has the sandbox's next answer to a search for logs be `logs`.
async fn answer_with(gateway: &TestGateway, logs: Value) {
    gateway.fault(json!({ "path": "/api/v2/logs", "fault": { "body": logs.to_string() } })).await;
}

fn strings(nodes: &Value, key: &str) -> Vec<String> {
    nodes.as_array().unwrap().iter().map(|node| node[key].as_str().unwrap().to_owned()).collect()
}

async fn newest_first(gateway: &TestGateway, pages: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for page in 0..pages {
        let data = gateway.data(&format!("{{ searchLogs(page: {page}, perPage: 100) {{ nodes {{ logId }} }} }}")).await;
        ids.extend(strings(&data["searchLogs"]["nodes"], "logId"));
    }
    ids
}

#[tokio::test]
async fn auth0_is_asked_for_the_selected_fields_and_no_more() {
    let gateway = with_logs(10).await;
    let id = newest_first(&gateway, 1).await.pop().unwrap();
    gateway.forget_calls().await;
    for (query, asked) in [
        (
            "{ logs(take: 3) { nodes { type } } }",
            "logs?page=0&per_page=3&sort=date%3A-1&fields=type&include_fields=true",
        ),
        // Where to read on is told by the ids.
        (
            "{ logs { nodes { type date } next } }",
            "logs?page=0&per_page=50&sort=date%3A-1&fields=date,log_id,type&include_fields=true",
        ),
        ("{ logs { next } }", "logs?page=0&per_page=50&sort=date%3A-1&fields=log_id&include_fields=true"),
        // What is said of a type needs the type.
        (
            "{ logs { nodes { outcome typeDescription isMobile } } }",
            "logs?page=0&per_page=50&sort=date%3A-1&fields=isMobile,type&include_fields=true",
        ),
        ("{ logs { nodes { attributes } } }", "logs?page=0&per_page=50&sort=date%3A-1"),
        // Auth0 takes no such name in a list of fields.
        ("{ logs { nodes { eventSchema { version } } } }", "logs?page=0&per_page=50&sort=date%3A-1"),
        // From a checkpoint Auth0 ignores everything but these two.
        ("{ logs(from: \"ID\") { nodes { type } next } }", "logs?from=ID&take=50"),
        ("{ logs(from: \"ID\", take: 7) { nodes { attributes } } }", "logs?from=ID&take=7"),
        (
            "{ searchLogs(q: \"type:f\", page: 1, perPage: 4, sort: { direction: ASC }) { nodes { ip } hasNextPage } }",
            "logs?page=1&per_page=4&sort=date%3A1&q=type%3Af&fields=ip&include_fields=true",
        ),
        (
            "{ searchLogs(sort: {}) { nodes { ip } } }",
            "logs?page=0&per_page=50&sort=date%3A-1&fields=ip&include_fields=true",
        ),
        // The endpoint of a single log has no parameters.
        ("{ log(id: \"ID\") { type } }", "logs/ID"),
    ] {
        gateway.data(&query.replace("ID", &id)).await;
        assert_eq!(gateway.asked().await, [format!("/api/v2/{}", asked.replace("ID", &id))], "{query}");
    }
}

#[tokio::test]
async fn aliases_that_ask_the_same_share_one_call() {
    let gateway = with_logs(10).await;
    let data = gateway
        .data(
            "{ a: logs(take: 2) { nodes { type } } b: logs(take: 2, from: null) { next } c: logs(take: 3) { nodes { ip } }
               d: searchLogs { nodes { ip } } e: searchLogs(sort: null, q: null) { nodes { type } } }",
        )
        .await;
    assert_eq!(data["a"]["nodes"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["type"]);
    assert!(data["b"]["next"].is_string());
    let mut asked = gateway.asked().await;
    asked.sort();
    let list = |per_page: u32, fields: &str| {
        format!("/api/v2/logs?page=0&per_page={per_page}&sort=date%3A-1&fields={fields}&include_fields=true")
    };
    assert_eq!(asked, [list(2, "log_id,type"), list(3, "ip"), list(50, "ip,type")]);
}

#[tokio::test]
async fn the_newest_come_first_and_reading_on_misses_nothing() {
    let gateway = with_logs(40).await;
    let before = newest_first(&gateway, 1).await;
    let data = gateway.data("{ logs(take: 5) { nodes { logId date } next } }").await;
    let nodes = &data["logs"]["nodes"];
    assert_eq!(strings(nodes, "logId"), before[..5]);
    assert!(strings(nodes, "date").is_sorted_by(|newer, older| newer >= older), "{nodes}");
    let next = data["logs"]["next"].as_str().unwrap();
    assert_eq!(next, before.iter().max().unwrap());

    gateway.control("clock", json!({ "advanceMs": 9_900 })).await;
    let mut new = newest_first(&gateway, 1).await;
    new.retain(|id| !before.contains(id));
    new.sort();
    assert_eq!(new.len(), 6);
    let data = gateway.data(&format!("{{ logs(from: {next:?}) {{ nodes {{ logId }} next }} }}")).await;
    assert_eq!(strings(&data["logs"]["nodes"], "logId"), new);
    assert_eq!(data["logs"]["next"].as_str(), new.last().map(String::as_str));
}

#[tokio::test]
async fn a_walk_meets_every_log_once_in_order_and_goes_on_where_it_ended() {
    let gateway = with_logs(250).await;
    let mut all = newest_first(&gateway, 3).await;
    all.sort();
    assert_eq!(all.len(), 250);

    let step = async |from: &str| {
        let data =
            gateway.data(&format!("{{ logs(from: {from:?}, take: 100) {{ nodes {{ logId date }} next }} }}")).await;
        (strings(&data["logs"]["nodes"], "logId"), data["logs"]["next"].as_str().unwrap().to_owned())
    };
    let mut met = Vec::new();
    let mut from = all[0].clone();
    loop {
        let (ids, next) = step(&from).await;
        if ids.is_empty() {
            assert_eq!(next, from);
            break;
        }
        assert_eq!(Some(&next), ids.last());
        met.extend(ids);
        from = next;
    }
    assert_eq!(met, all[1..]);

    // The cursor of the end stays good: it finds what has come since.
    assert_eq!(step(&from).await, (vec![], from.clone()));
    gateway.control("clock", json!({ "advanceMs": 3_900 })).await;
    let (ids, next) = step(&from).await;
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| *id > from), "{ids:?}");
    assert_eq!(step(&next).await, (vec![], next.clone()));
}

#[tokio::test]
async fn an_id_that_is_no_log_is_a_place_all_the_same() {
    let gateway = with_logs(3).await;
    let mut all = newest_first(&gateway, 1).await;
    all.sort();
    let data = gateway
        .data("{ start: logs(from: \"900\") { nodes { logId } } end: logs(from: \"9009\") { nodes { logId } next } }")
        .await;
    assert_eq!(strings(&data["start"]["nodes"], "logId"), all);
    assert_eq!(data["end"], json!({ "nodes": [], "next": "9009" }));
}

#[tokio::test]
async fn a_tenant_without_logs_has_nowhere_to_read_on() {
    let gateway = with_logs(0).await;
    let data = gateway.data("{ logs { nodes { logId } next } searchLogs { nodes { logId } hasNextPage } }").await;
    assert_eq!(
        data,
        json!({ "logs": { "nodes": [], "next": null }, "searchLogs": { "nodes": [], "hasNextPage": false } })
    );
    let data = gateway.data("{ logs(from: \"900\") { nodes { logId } next } }").await;
    assert_eq!(data, json!({ "logs": { "nodes": [], "next": "900" } }));
}

#[tokio::test]
async fn without_a_link_the_greatest_id_is_where_to_read_on() {
    let gateway = with_logs(0).await;
    for (logs, next) in [
        (json!([{ "log_id": "9001" }, { "log_id": "9002" }]), json!("9002")),
        (json!([{ "log_id": "9003" }, { "log_id": "9001" }]), json!("9003")),
        (json!([{ "_id": "9004" }]), json!("9004")),
        (json!([{ "log_id": null, "_id": 9_008 }]), json!("9008")),
        // Nothing to go by.
        (json!([{ "type": "s" }, null, "9009", { "log_id": null }, { "_id": { "$oid": "9009" } }]), json!("900")),
        (json!([]), json!("900")),
    ] {
        answer_with(&gateway, logs.clone()).await;
        let data = gateway.data("{ logs(from: \"900\") { next } }").await;
        assert_eq!(data["logs"]["next"], next, "{logs}");
    }
    answer_with(&gateway, json!([{ "log_id": "9001" }, { "log_id": "9003" }, { "log_id": "9002" }])).await;
    let data = gateway.data("{ logs { next nodes { logId } } }").await;
    assert_eq!(data["logs"]["next"], "9003");
}

#[tokio::test]
async fn a_link_is_believed() {
    let link = r#"<https://elsewhere.example.com/api/v2/logs?from=9005&take=1>; rel="next""#;
    let batch = ResponseTemplate::new(200).set_body_json(json!([{ "log_id": "9002" }])).insert_header("link", link);
    let auth0 = mock::answering(batch).await;
    let gateway = mock::gateway_to(&auth0).await;
    let data = gateway.data("{ logs(from: \"9001\", take: 1) { next } }").await;
    assert_eq!(data["logs"]["next"], "9005");
}

#[tokio::test]
async fn a_single_log_is_found_by_its_id_or_null() {
    let gateway = with_logs(2_000).await;
    let id = newest_first(&gateway, 1).await.swap_remove(50);
    let fields = "id logId date type typeDescription outcome ip details attributes";
    let data = gateway
        .data(&format!(
            "{{ log(id: {id:?}) {{ {fields} }} searchLogs(q: \"log_id:{id}\") {{ nodes {{ {fields} }} }} }}"
        ))
        .await;
    assert_eq!(data["log"]["id"], id.as_str());
    assert_eq!(data["log"]["logId"], id.as_str());
    assert_eq!(data["searchLogs"]["nodes"], json!([data["log"]]));
    let response = gateway.query("{ log(id: \"90020260101000000000000\") { type } }").await;
    assert_eq!(response, json!({ "data": { "log": null } }));
}

#[tokio::test]
async fn logs_are_ordered_by_date_either_way_and_paged_up_to_the_thousandth() {
    let gateway = TestGateway::uncached().await;
    for (sort, is_ascending) in
        [("", false), ("sort: { direction: ASC },", true), ("sort: { direction: DESC },", false)]
    {
        let data = gateway
            .data(&format!("{{ searchLogs({sort} perPage: 30) {{ nodes {{ date }} page perPage hasNextPage }} }}"))
            .await;
        let mut dates = strings(&data["searchLogs"]["nodes"], "date");
        if !is_ascending {
            dates.reverse();
        }
        assert!(dates.is_sorted(), "{sort} {dates:?}");
        assert_eq!(data["searchLogs"]["hasNextPage"], true);
        assert_eq!((&data["searchLogs"]["page"], &data["searchLogs"]["perPage"]), (&json!(0), &json!(30)));
    }
    let data = gateway
        .data(
            "{ a: searchLogs(page: 8, perPage: 100) { page hasNextPage } b: searchLogs(page: 9, perPage: 100) { page hasNextPage }
               c: searchLogs(page: 3, perPage: 1, q: \"type:depnote AND ip:none\") { page perPage hasNextPage } }",
        )
        .await;
    assert_eq!(data["a"], json!({ "page": 8, "hasNextPage": true }));
    assert_eq!(data["b"], json!({ "page": 9, "hasNextPage": false }));
    assert_eq!(data["c"], json!({ "page": 3, "perPage": 1, "hasNextPage": false }));
}
