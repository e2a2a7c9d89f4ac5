//! The documents, held against the program: it takes what they show.

use std::collections::BTreeSet;

use auth0_graphql::graphql::ErrorCode;
use auth0_graphql::http::WebSocketSettings;
use auth0_graphql::sandbox::{Options, Plan};
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway};

const ENV_TEMPLATE: &str = include_str!("../../.env.template");
const FROM_REST: &str = include_str!("../../docs/from-rest.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
const README: &str = include_str!("../../README.md");
const SCHEMA: &str = include_str!("../../schema.graphql");

/// The blocks of a language in a document.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    markdown.split(&*fence).skip(1).map(|block| block.split_once("```").unwrap().0).collect()
}

/// The queries of the table by task.
fn queries_by_task() -> Vec<&'static str> {
    let table = FROM_REST.split("| task |").nth(1).unwrap().split("\n\n").next().unwrap();
    table.lines().skip(2).map(|row| row.rsplit('`').nth(1).unwrap()).collect()
}

/// The fields of a type in schema.graphql that are asked of Auth0 by themselves.
fn fields_of(type_name: &str) -> Vec<&'static str> {
    let (_, rest) = SCHEMA.split_once(&format!("\ntype {type_name} ")).unwrap();
    let lines = rest.split("\n}").next().unwrap().lines().filter_map(|line| line.strip_prefix('\t'));
    let fields = lines.filter(|line| line.starts_with(|letter: char| letter.is_ascii_lowercase()));
    let asked = fields.filter(|line| line.ends_with('(') || line.contains("List @requiresScope"));
    asked.map(|line| line.split(['(', ':']).next().unwrap()).collect()
}

/// True if a list in it has nothing.
fn has_empty_list(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty_list),
        Value::Object(fields) => fields.values().any(has_empty_list),
        _ => false,
    }
}

#[tokio::test]
async fn every_query_of_the_way_from_rest_is_answered_with_data() {
    let setup = Setup::default();
    // More calls at once than the bucket of a smaller plan holds; the tenant's clock stands still.
    let sandbox = Options { plan: Plan::PrivateCloud, ..setup.sandbox };
    let gateway = TestGateway::spawn_with(Setup { sandbox, ..setup }).await;
    let mut variables: Value = serde_json::from_str(blocks(FROM_REST, "json")[0]).unwrap();
    // Others follow it.
    let logs = gateway.data("{ logs(take: 20) { nodes { logId } } }").await;
    variables["log"] = logs["logs"]["nodes"][19]["logId"].clone();
    let (by_task, in_full) = (queries_by_task(), blocks(FROM_REST, "graphql"));
    assert!(by_task.len() > 20 && in_full.len() > 6, "{by_task:?} {in_full:?}");
    for query in by_task.into_iter().chain(in_full) {
        let operation = json!({ "query": query, "variables": variables });
        if query.starts_with("subscription") {
            let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&operation);
            let mut response = request.header("accept", "text/event-stream").send().await.unwrap();
            let mut heard = String::new();
            while !heard.contains("event: next") || !heard.ends_with("\n\n") {
                heard.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
            }
            assert!(heard.contains(r#"{"data":{"logs":{"logId":"#), "{query}: {heard}");
            continue;
        }
        let answer = gateway.send(operation).await;
        assert_eq!(answer.get("errors"), None, "{query}: {answer}");
        let data = answer["data"].as_object().unwrap();
        assert!(data.values().all(|value| !value.is_null() && !has_empty_list(value)), "{query}: {answer}");
    }
}

#[test]
fn the_table_by_task_has_every_list_and_record_that_there_is() {
    let queries = queries_by_task();
    let fields = [fields_of("Query"), fields_of("User"), fields_of("Subscription")].concat();
    assert!(fields.len() > 15, "{fields:?}");
    // An id of any kind is nothing that REST has.
    for field in fields.into_iter().filter(|field| *field != "node") {
        let asks = [format!(" {field}("), format!(" {field} {{")];
        assert!(queries.iter().any(|query| asks.iter().any(|asked| query.contains(asked))), "{field}");
    }
    assert!(queries.iter().any(|query| query.starts_with("subscription")));
}

#[tokio::test]
async fn the_first_query_of_readme_takes_the_three_calls_that_it_says() {
    let gateway = TestGateway::spawn().await;
    let query = blocks(README, "graphql")[0];
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": query }));
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-upstream-calls"], "3");
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer.get("errors"), None, "{answer}");
    assert!(README.contains("That is three calls to Auth0"));
}

#[test]
fn readme_lists_the_codes_that_there_are() {
    let table = README.split("| code | meaning |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<_> =
        rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    let known: BTreeSet<_> = ErrorCode::ALL.iter().map(|(_, text)| *text).collect();
    assert_eq!(listed, known);
}

#[test]
fn readme_names_the_limits_of_a_websocket() {
    let WebSocketSettings { init_timeout, ping_interval, max_operations } = WebSocketSettings::default();
    for claim in [
        format!("no `connection_init` within {} seconds", init_timeout.as_secs()),
        format!("Every {} seconds it is asked", ping_interval.as_secs()),
        format!("may have {max_operations} operations under way"),
    ] {
        assert!(README.contains(&claim), "{claim}");
    }
}

#[test]
fn operations_md_lists_the_secrets_that_may_be_in_files() {
    let templates = ENV_TEMPLATE.lines().filter_map(|line| line.strip_prefix("# File that holds "));
    let secrets: Vec<_> = templates.map(|rest| rest.split(' ').next().unwrap()).collect();
    assert!(secrets.len() > 3, "{secrets:?}");
    let listed = OPERATIONS.split("Every secret has a `_FILE` form: ").nth(1).unwrap().split(". ").next().unwrap();
    let expected: Vec<_> = secrets.iter().map(|name| format!("`{name}_FILE`")).collect();
    assert_eq!(BTreeSet::from_iter(listed.split(", ")), expected.iter().map(String::as_str).collect());
}

#[test]
fn the_debian_package_has_the_files_that_its_pages_for_operators_refer_to() {
    let assets = MANIFEST.split("\nassets = [").nth(1).unwrap().split("\n]").next().unwrap();
    let sources: Vec<_> = assets.lines().filter_map(|line| line.split('"').nth(1)).collect();
    let pages = [OPERATIONS, include_str!("../../docs/metrics.md")].concat();
    let words = pages.split(|letter: char| !(letter.is_ascii_alphanumeric() || "/._-".contains(letter)));
    let paths: BTreeSet<_> = words.filter_map(|word| word.find("ops/").map(|start| &word[start..])).collect();
    assert!(paths.len() > 3, "{paths:?}");
    for path in paths {
        let has = |source: &str| source.strip_suffix("**/*").map_or(source == path, |folder| path.starts_with(folder));
        assert!(sources.iter().any(|source| has(source)), "{path} in {sources:?}");
    }
}
