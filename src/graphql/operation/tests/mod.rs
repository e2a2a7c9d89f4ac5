//! Tables: a document with its variables on the left, its normal form on the right.

mod selection;
mod variables;

use async_graphql::parser::parse_query;
use serde_json::{Value as Json, json};

use super::*;

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

fn operation(document: &str, name: Option<&str>, variables: Json) -> Result<Operation, Failure> {
    let document = parse_query(document).expect("a test's document parses");
    Operation::new(&Signatures::read(SDL).unwrap(), &document, name, Variables::from_json(variables))
}

/// The normal form as text, or the code and message of its refusal.
fn normal_form(document: &str, name: Option<&str>, variables: Json) -> String {
    match operation(document, name, variables) {
        Ok(operation) => print(&operation.definition.selection_set.node),
        Err(failure) => format!("{}: {}", failure.code.as_str(), failure.message),
    }
}

/// Prints a selection on one line. It knows no fragments, directives or variables: a normal form that held one would come
/// out as `?`.
fn print(selection: &SelectionSet) -> String {
    let fields = selection.items.iter().map(|item| match &item.node {
        Selection::Field(field) if field.node.directives.is_empty() => print_field(&field.node),
        _ => "?".to_owned(),
    });
    let fields: Vec<_> = fields.filter(|field| !field.is_empty()).collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(" ")) }
}

fn print_field(field: &Field) -> String {
    let mut text = match &field.alias {
        Some(alias) if alias.node == EMPTY => return String::new(),
        Some(alias) => format!("{}: {}", alias.node, field.name.node),
        None => field.name.node.to_string(),
    };
    if !field.arguments.is_empty() {
        let arguments = field.arguments.iter().map(|(name, value)| format!("{}: {}", name.node, value.node));
        text += &format!("({})", arguments.collect::<Vec<_>>().join(", "));
    }
    if !field.selection_set.node.items.is_empty() {
        text += &format!(" {}", print(&field.selection_set.node));
    }
    text
}

fn hold(rows: &[(&str, Json, &str)]) {
    for (document, variables, expected) in rows {
        assert_eq!(normal_form(document, None, variables.clone()), *expected, "{document} with {variables}");
    }
}

/// For rows that have no variables.
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
