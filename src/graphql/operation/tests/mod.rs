//! Tables: a document with its variables on the left, its normal form on the right.

mod selection;
mod variables;

use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};

use super::*;
use crate::graphql::document::{DocumentSettings, Documents};
use crate::graphql::limits::{Enforcement, Limits};

const SDL: &str = r#"
    enum Order { ASC DESC }
    input Sort { field: String! order: Order! = ASC limit: Int then: [Sort!] }
    type Query {
        users(q: String, page: Int! = 0, sort: Sort, orders: [Order!], matrix: [[Int]]): Page
        user(id: ID!): User
        strict(page: Int!): Int
        half(of: Float): Float
    }
    type Page { nodes(first: Int = 10): [User!]! total: Int }
    type User { id: ID! email: String friends(order: Order): [User!] }
"#;

static TYPES: LazyLock<Arc<TypeSystem>> = LazyLock::new(|| Arc::new(TypeSystem::parse(SDL).unwrap()));

fn operation(document: &str, name: Option<&str>, variables: Json) -> Result<Operation, Vec<GraphqlError>> {
    let variables = if variables.is_null() { Variables::default() } else { serde_json::from_value(variables).unwrap() };
    with_variables(document, name, variables)
}

fn with_variables(document: &str, name: Option<&str>, variables: Variables) -> Result<Operation, Vec<GraphqlError>> {
    let limits = Limits { enforcement: Enforcement::Measure, ..Limits::default() };
    let documents = Documents::new(Arc::clone(&TYPES), limits, DocumentSettings::default());
    let document = documents.get(document)?;
    let operation = choose(&document, name).map_err(|failure| vec![failure])?;
    Operation::new(&TYPES, &document, operation, &values_of(operation, variables))
}

/// The normal form as text, or the codes and messages of its refusal.
fn normal_form(document: &str, name: Option<&str>, variables: Json) -> String {
    match operation(document, name, variables) {
        Ok(operation) => operation.to_string(),
        Err(failures) => {
            let lines = failures.iter().map(|failure| format!("{}: {}", failure.code.as_str(), failure.message));
            lines.collect::<Vec<_>>().join("; ")
        }
    }
}

fn hold(rows: &[(&str, Json, &str)]) {
    for (document, variables, expected) in rows {
        assert_eq!(normal_form(document, None, variables.clone()), *expected, "{document} with {variables}");
    }
}

/// Holds rows that have no variables.
fn hold_plain(rows: &[(&str, &str)]) {
    for (document, expected) in rows {
        assert_eq!(normal_form(document, None, Json::Null), *expected, "{document}");
    }
}

#[test]
fn the_operation_is_chosen_by_its_name() {
    const NONE: &str = "BAD_REQUEST: The document has no operation of the name that `operationName` gives.";
    const SEVERAL: &str =
        "BAD_REQUEST: The document has several operations: say in `operationName` which one is meant.";
    let two = "query A { a: half } query B { b: half }";
    for (document, name, expected) in [
        ("{ half }", None, "{ half }"),
        ("query A { half }", None, "{ half }"),
        ("query A { half }", Some("A"), "{ half }"),
        ("query A { half }", Some("B"), NONE),
        ("query A { half }", Some("a"), NONE),
        ("query A { half }", Some(""), NONE),
        ("{ half }", Some("A"), NONE),
        (two, Some("A"), "{ a: half }"),
        (two, Some("B"), "{ b: half }"),
        (two, Some("C"), NONE),
        (two, None, SEVERAL),
    ] {
        assert_eq!(normal_form(document, name, Json::Null), expected, "{document} as {name:?}");
    }
}

#[test]
fn the_normal_form_of_a_normal_form_is_itself() {
    let documents = [
        "{ users(q: \"x\", page: 2, sort: {field: \"a\", then: {field: \"b\"}}) { nodes { id friends(order: DESC) { id } } } }",
        "{ a: user(id: 1) { ...F } b: user(id: \"1\") { ...F ... { id } } } fragment F on User { email t: __typename }",
    ];
    for document in documents {
        let once = normal_form(document, None, Json::Null);
        assert_eq!(normal_form(&once, None, Json::Null), once);
    }
}
