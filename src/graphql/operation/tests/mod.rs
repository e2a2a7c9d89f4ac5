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
        Ok(operation) => print(&operation.fields),
        Err(failure) => format!("{}: {}", failure.code.as_str(), failure.message),
    }
}

/// Prints a selection on one line, as a document has it.
fn print(fields: &[Field]) -> String {
    let fields: Vec<_> = fields.iter().map(print_field).collect();
    format!("{{ {} }}", fields.join(" ")).replace("{  }", "{}")
}

fn print_field(field: &Field) -> String {
    let mut text = if field.key == field.name { String::new() } else { format!("{}: ", field.key) };
    text += &field.name;
    let arguments: Vec<_> = field.arguments.as_ref().unwrap().iter().map(print_entry).collect();
    if !arguments.is_empty() {
        text += &format!("({})", arguments.join(", "));
    }
    if !field.fields.is_empty() || IS_OBJECT.contains(&field.name.as_str()) {
        text += &format!(" {}", print(&field.fields));
    }
    text
}

/// The fields that lead to objects: where all is skipped, an empty selection is left.
const IS_OBJECT: [&str; 6] = ["users", "user", "nodes", "friends", "__schema", "types"];

fn print_entry((name, value): (&Name, &Value)) -> String {
    format!("{name}: {}", print_value(value))
}

fn print_value(value: &Value) -> String {
    let join = |items: Vec<String>| items.join(", ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => float.to_string(),
        Value::String(text) => json!(text).to_string(),
        Value::Enum(name) => name.to_string(),
        Value::List(items) => format!("[{}]", join(items.iter().map(print_value).collect())),
        Value::Object(fields) => {
            format!("{{{}}}", join(fields.iter().map(|(name, value)| print_entry((name, value))).collect()))
        }
    }
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
