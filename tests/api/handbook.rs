//! What the documents show is what the program takes.

use serde_json::{Value, json};

use crate::gateway::TestGateway;

const FROM_REST: &str = include_str!("../../docs/from-rest.md");

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
