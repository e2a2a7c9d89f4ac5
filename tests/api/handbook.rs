//! The documents, held against the program: it takes what they show.

use std::collections::BTreeSet;

use auth0_graphql::graphql::ErrorCode;
use auth0_graphql::http::WebSocketSettings;
use serde_json::{Value, json};

use crate::gateway::TestGateway;

const FROM_REST: &str = include_str!("../../docs/from-rest.md");
const README: &str = include_str!("../../README.md");

/// The GraphQL in a document.
fn graphql(markdown: &str) -> Vec<&str> {
    let blocks = markdown.split("```graphql\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0).collect()
}

#[tokio::test]
async fn every_query_of_the_way_from_rest_is_answered_without_an_error() {
    let gateway = TestGateway::spawn().await;
    let queries = graphql(FROM_REST);
    assert!(queries.len() > 10, "{queries:?}");
    for query in queries {
        let answer = gateway.send(json!({ "query": query })).await;
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        let data = answer["data"].as_object().unwrap();
        // Single records are asked for by ids that nobody has.
        let is_of_one = |value: &Value| value.is_null() && query.contains("(id: ");
        assert!(data.values().all(|value| !value.is_null() || is_of_one(value)), "{query}: {answer}");
    }
}

#[tokio::test]
async fn the_first_query_of_readme_takes_the_three_calls_that_it_says() {
    let gateway = TestGateway::spawn().await;
    let query = graphql(README)[0];
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
    let known: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
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
