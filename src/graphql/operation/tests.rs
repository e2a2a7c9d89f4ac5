//! Tables: a document with its variables on the left, its normal form on the right.

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
fn fields_under_one_key_are_merged_at_every_level() {
    hold_plain(&[
        (
            "{ users { nodes { email } } users { nodes { id } total } }",
            "{ users(page: 0) { nodes(first: 10) { email id } total } }",
        ),
        // As Relay and Apollo write it: a fragment for each component.
        (
            "{ ...A ...B } fragment A on Query { users { nodes { email } } } fragment B on Query { users { nodes { id } } }",
            "{ users(page: 0) { nodes(first: 10) { email id } } }",
        ),
        (
            "{ users { ...A ...B } } fragment A on Page { nodes { ...C } } fragment B on Page { nodes { ...C email } total }
             fragment C on User { id friends { id } friends { email } }",
            "{ users(page: 0) { nodes(first: 10) { id friends { id email } email } total } }",
        ),
        (
            "{ ... { users { total } } ... on Query { users { ... on Page { total nodes { id } } } } }",
            "{ users(page: 0) { total nodes(first: 10) { id } } }",
        ),
        ("{ a: users { total } users { total } a: users { total } }", "{ a: users(page: 0) { total } users(page: 0) { total } }"),
        ("{ __typename t: __typename __typename }", "{ __typename t: __typename }"),
        (
            "{ ...A ...A } fragment A on Query { user(id: 1) { ...B ...B } } fragment B on User { id }",
            r#"{ user(id: "1") { id } }"#,
        ),
        (
            "{ __schema { types { name } } ...S } fragment S on Query { __schema { types { fields { name type { name } } } } }",
            "{ __schema { types { name fields(includeDeprecated: false) { name type { name } } } } }",
        ),
    ]);
}

#[test]
fn the_order_is_that_of_first_appearance() {
    hold_plain(&[
        (
            "{ b: strict(page: 1) ...F a: strict(page: 1) } fragment F on Query { c: strict(page: 1) a: strict(page: 1) }",
            "{ b: strict(page: 1) c: strict(page: 1) a: strict(page: 1) }",
        ),
        (
            "{ user(id: 1) { email ... { friends { id } } id friends { email } __typename } }",
            r#"{ user(id: "1") { email friends { id email } id __typename } }"#,
        ),
    ]);
}

#[test]
fn skip_and_include_are_decided() {
    hold_plain(&[
        (
            "{ a: half @skip(if: true) b: half @skip(if: false) c: half @include(if: true) d: half @include(if: false) }",
            "{ b: half c: half }",
        ),
        // Both must agree, whichever comes first.
        (
            "{ a: half @include(if: true) @skip(if: true) b: half @skip(if: false) @include(if: false) half }",
            "{ half }",
        ),
        (
            "{ ... @include(if: false) { half } ... @skip(if: false) { a: half } ...F @skip(if: true) } fragment F on Query { b: half }",
            "{ a: half }",
        ),
        // A fragment that was skipped in one place is not skipped in another.
        ("{ ...F @skip(if: true) ...F } fragment F on Query { half }", "{ half }"),
        ("{ half @skip(if: true) half }", "{ half }"),
        // The arguments of a field that is skipped are nobody's business.
        ("{ strict @skip(if: true) half }", "{ half }"),
    ]);
    let with_default = "query ($x: Boolean = true) { a: half @include(if: $x) b: half @skip(if: $x) }";
    let required = "query ($x: Boolean!) { a: half @include(if: $x) b: half @skip(if: $x) }";
    hold(&[
        (with_default, json!({}), "{ a: half }"),
        (with_default, json!({"x": false}), "{ b: half }"),
        (
            with_default,
            json!({"x": null}),
            "GRAPHQL_VALIDATION_FAILED: The argument `if` does not fit: a value of type `Boolean!` is expected.",
        ),
        (
            with_default,
            json!({"x": "true"}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$x` does not fit: a value of type `Boolean` is expected.",
        ),
        (required, json!({"x": true}), "{ a: half }"),
        (
            required,
            json!({}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$x` of type `Boolean!` is required and was not given.",
        ),
    ]);
}

#[test]
fn a_selection_of_which_everything_is_skipped_is_empty_and_not_absent() {
    hold_plain(&[
        ("{ half @skip(if: true) }", "{}"),
        ("{ ...F @include(if: false) } fragment F on Query { half }", "{}"),
        ("{ user(id: 1) { id @skip(if: true) ... @include(if: false) { email } } }", r#"{ user(id: "1") {} }"#),
        ("{ users { nodes { id @skip(if: true) } total } }", "{ users(page: 0) { nodes(first: 10) {} total } }"),
        (
            "{ users { nodes @skip(if: true) { id } nodes { email @skip(if: true) } } }",
            "{ users(page: 0) { nodes(first: 10) {} } }",
        ),
        ("{ __schema { types { name @skip(if: true) } } }", "{ __schema { types {} } }"),
        ("{ user(id: 1) { id @skip(if: true) } user(id: 1) { email } }", r#"{ user(id: "1") { email } }"#),
    ]);
    let root = operation("{ half @skip(if: true) }", None, Json::Null).unwrap();
    assert_eq!(root.keys().count(), 0);
    let user = operation("{ user(id: 1) { id @skip(if: true) } }", None, Json::Null).unwrap();
    let inner: Vec<_> = fields(&user.fields().next().unwrap().selection_set.node).collect();
    assert_eq!(inner.iter().map(|field| field.response_key().node.as_str()).collect::<Vec<_>>(), [EMPTY]);
    assert_eq!(inner[0].name.node, "__typename");
}

#[test]
fn variables_take_their_places() {
    let page = "query ($p: Int) { users(page: $p) { total } }";
    let page_or_7 = "query ($p: Int = 7) { users(page: $p) { total } }";
    let strict = "query ($p: Int!) { strict(page: $p) }";
    let q = "query ($q: String) { users(q: $q) { total } }";
    let q_or_null = "query ($q: String = null) { users(q: $q) { total } }";
    let id = "query ($id: ID!) { user(id: $id) { id } }";
    hold(&[
        // Absent: the argument is absent too, and has the schema's default.
        (page, json!({}), "{ users(page: 0) { total } }"),
        (page, json!(null), "{ users(page: 0) { total } }"),
        (page, json!({"p": 3}), "{ users(page: 3) { total } }"),
        (page, json!({"p": 3.0}), "{ users(page: 3) { total } }"),
        (page, json!({"p": 3, "other": {}}), "{ users(page: 3) { total } }"),
        (
            page,
            json!({"p": null}),
            "GRAPHQL_VALIDATION_FAILED: The argument `page` does not fit: a value of type `Int!` is expected.",
        ),
        (
            page,
            json!({"p": "3"}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$p` does not fit: a value of type `Int` is expected.",
        ),
        (
            page,
            json!({"p": 2_147_483_648_i64}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$p` does not fit: a value of type `Int` is expected.",
        ),
        // The variable's own default comes before the argument's.
        (page_or_7, json!({}), "{ users(page: 7) { total } }"),
        (page_or_7, json!({"p": 2}), "{ users(page: 2) { total } }"),
        (strict, json!({"p": 1}), "{ strict(page: 1) }"),
        (
            strict,
            json!({}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$p` of type `Int!` is required and was not given.",
        ),
        (
            strict,
            json!({"p": null}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$p` does not fit: a value of type `Int!` is expected.",
        ),
        // An argument without a default is left out, which is not the same as null.
        (q, json!({}), "{ users(page: 0) { total } }"),
        (q, json!({"q": null}), "{ users(q: null, page: 0) { total } }"),
        (q_or_null, json!({}), "{ users(q: null, page: 0) { total } }"),
        (q, json!({"q": "$q } {"}), r#"{ users(q: "$q } {", page: 0) { total } }"#),
        (id, json!({"id": 7}), r#"{ user(id: "7") { id } }"#),
        (id, json!({"id": "7"}), r#"{ user(id: "7") { id } }"#),
        (
            id,
            json!({"id": 7.5}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$id` does not fit: a value of type `ID!` is expected.",
        ),
    ]);
    hold_plain(&[
        // A required variable is missed although nothing uses it: that is for validation to say, but not for execution.
        (
            "query ($p: Int!) { half }",
            "GRAPHQL_VALIDATION_FAILED: The variable `$p` of type `Int!` is required and was not given.",
        ),
        (
            "{ strict }",
            "GRAPHQL_VALIDATION_FAILED: The argument `page` does not fit: a value of type `Int!` is expected.",
        ),
        (
            "{ users(page: 1, q: \"x\") { nodes(first: null) { id } } }",
            "{ users(q: \"x\", page: 1) { nodes(first: null) { id } } }",
        ),
        ("{ half(of: 1) }", "{ half(of: 1) }"),
    ]);
}

#[test]
fn variables_take_their_places_inside_fragments() {
    let document =
        "query ($p: Int!, $x: Boolean!) { ...A } fragment A on Query { users(page: $p) { ...B @skip(if: $x) total } }
                    fragment B on Page { nodes { id } }";
    hold(&[
        (document, json!({"p": 1, "x": false}), "{ users(page: 1) { nodes(first: 10) { id } total } }"),
        (document, json!({"p": 1, "x": true}), "{ users(page: 1) { total } }"),
    ]);
}

#[test]
fn enums_input_objects_and_lists_are_coerced() {
    let sort = "query ($s: Sort) { users(sort: $s) { total } }";
    let parts = "query ($f: String!, $o: Order!, $l: Int) { users(sort: {field: $f, order: $o, limit: $l}) { total } }";
    // Allowed because the input field has a default.
    let order = "query ($o: Order) { users(sort: {field: \"a\", order: $o}) { total } }";
    let orders = "query ($o: [Order!]) { users(orders: $o) { total } }";
    let element = "query ($o: Order!) { users(orders: [ASC, $o]) { total } }";
    let matrix = "query ($m: [[Int]]) { users(matrix: $m) { total } }";
    let cell = "query ($c: Int) { users(matrix: [[1, $c], [$c]]) { total } }";
    hold(&[
        (sort, json!({"s": {"field": "a"}}), "{ users(page: 0, sort: {field: \"a\", order: ASC}) { total } }"),
        (
            sort,
            json!({"s": {"order": "DESC", "field": "a", "then": {"field": "b", "limit": 2}}}),
            "{ users(page: 0, sort: {field: \"a\", order: DESC, then: [{field: \"b\", order: ASC, limit: 2}]}) { total } }",
        ),
        (
            sort,
            json!({"s": {"field": "a", "then": [{"field": "b"}, {"field": 3}]}}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$s.then[1].field` does not fit: a value of type `String!` is expected.",
        ),
        (
            sort,
            json!({"s": {"field": "a", "order": null}}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$s.order` does not fit: a value of type `Order!` is expected.",
        ),
        (
            sort,
            json!({"s": {}}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$s.field` does not fit: a value of type `String!` is expected.",
        ),
        (
            sort,
            json!({"s": "a"}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$s` does not fit: a value of type `Sort` is expected.",
        ),
        (parts, json!({"f": "a", "o": "DESC"}), "{ users(page: 0, sort: {field: \"a\", order: DESC}) { total } }"),
        (
            parts,
            json!({"f": "a", "o": "desc"}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$o` does not fit: a value of type `Order!` is expected.",
        ),
        (order, json!({}), "{ users(page: 0, sort: {field: \"a\", order: ASC}) { total } }"),
        (order, json!({"o": "DESC"}), "{ users(page: 0, sort: {field: \"a\", order: DESC}) { total } }"),
        (
            order,
            json!({"o": null}),
            "GRAPHQL_VALIDATION_FAILED: The argument `sort.order` does not fit: a value of type `Order!` is expected.",
        ),
        (orders, json!({"o": "ASC"}), "{ users(page: 0, orders: [ASC]) { total } }"),
        (orders, json!({"o": ["ASC", "DESC"]}), "{ users(page: 0, orders: [ASC, DESC]) { total } }"),
        (orders, json!({"o": []}), "{ users(page: 0, orders: []) { total } }"),
        (orders, json!({}), "{ users(page: 0) { total } }"),
        (
            orders,
            json!({"o": ["ASC", null]}),
            "GRAPHQL_VALIDATION_FAILED: The variable `$o[1]` does not fit: a value of type `Order!` is expected.",
        ),
        (element, json!({"o": "DESC"}), "{ users(page: 0, orders: [ASC, DESC]) { total } }"),
        (matrix, json!({"m": 1}), "{ users(page: 0, matrix: [[1]]) { total } }"),
        (matrix, json!({"m": [1, null]}), "{ users(page: 0, matrix: [[1], null]) { total } }"),
        (matrix, json!({"m": [[1], [null, 2]]}), "{ users(page: 0, matrix: [[1], [null, 2]]) { total } }"),
        // An absent variable in a list is null, as in no other place.
        (cell, json!({}), "{ users(page: 0, matrix: [[1, null], [null]]) { total } }"),
    ]);
    hold_plain(&[
        ("{ users(orders: DESC) { total } }", "{ users(page: 0, orders: [DESC]) { total } }"),
        (
            "{ users(orders: \"DESC\") { total } }",
            "GRAPHQL_VALIDATION_FAILED: The argument `orders` does not fit: a value of type `Order!` is expected.",
        ),
        (
            "query ($s: Sort = {field: \"a\", order: DESC}) { users(sort: $s) { total } }",
            "{ users(page: 0, sort: {field: \"a\", order: DESC}) { total } }",
        ),
        ("query ($o: [Order!] = ASC) { users(orders: $o) { total } }", "{ users(page: 0, orders: [ASC]) { total } }"),
        (
            "query ($p: Int = \"1\") { users(page: $p) { total } }",
            "GRAPHQL_VALIDATION_FAILED: The variable `$p` does not fit: a value of type `Int` is expected.",
        ),
    ]);
}

#[test]
fn what_does_not_fit_is_never_repeated() {
    let document = "query ($s: Sort) { users(sort: $s) { total } }";
    for variables in [
        json!({"s": "person@example.com"}),
        json!({"s": {"field": "a", "order": "person@example.com"}}),
        json!({"s": {"field": "a", "person@example.com": 1}}),
    ] {
        let refusal = normal_form(document, None, variables);
        assert!(refusal.starts_with("GRAPHQL_VALIDATION_FAILED") && !refusal.contains("example.com"), "{refusal}");
    }
}

#[test]
fn refusals_say_where() {
    for (document, variables, expected) in [
        ("query ($p: Int!) {\n  strict(page: $p) }", json!({}), (1, 8)),
        ("query (\n  $p: Int!) { strict(page: $p) }", json!({"p": "one"}), (2, 3)),
        ("query ($p: Int) {\n  users(page: $p) { total } }", json!({"p": null}), (2, 15)),
        ("{\n  strict }", json!({}), (2, 3)),
    ] {
        let failure = operation(document, None, variables).unwrap_err();
        let locations: Vec<_> = failure.locations.iter().map(|at| (at.line, at.column)).collect();
        assert_eq!(locations, [expected], "{document}");
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
fn only_the_variables_of_the_chosen_operation_count() {
    let document = "query A($p: Int!) { strict(page: $p) } query B { half }";
    assert_eq!(normal_form(document, Some("B"), Json::Null), "{ half }");
    assert_eq!(normal_form(document, Some("A"), json!({"p": 1})), "{ strict(page: 1) }");
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
