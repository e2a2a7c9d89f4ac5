//! Arguments: variables in their places, and every value of its type.

use super::*;

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
            "{ users!(The argument `page` does not fit: a value of type `Int!` is expected.) { total } }",
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
            "{ users!(The argument `sort.order` does not fit: a value of type `Order!` is expected.) { total } }",
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
            "query ($s: Sort = {field: \"a\", order: DESC}) { users(sort: $s) { total } }",
            "{ users(page: 0, sort: {field: \"a\", order: DESC}) { total } }",
        ),
        ("query ($o: [Order!] = ASC) { users(orders: $o) { total } }", "{ users(page: 0, orders: [ASC]) { total } }"),
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
    ] {
        let failure = operation(document, None, variables).unwrap_err();
        let locations: Vec<_> = failure[0].locations.iter().map(|at| (at.line, at.column)).collect();
        assert_eq!(locations, [expected], "{document}");
    }
}

#[test]
fn only_the_variables_of_the_chosen_operation_count() {
    let document = "query A($p: Int!) { strict(page: $p) } query B { half }";
    assert_eq!(normal_form(document, Some("B"), Json::Null), "{ half }");
    assert_eq!(normal_form(document, Some("A"), json!({"p": 1})), "{ strict(page: 1) }");
}

#[test]
fn every_variable_that_does_not_fit_is_told() {
    let document = "query ($p: Int!, $s: Sort, $o: [Order!]) { users(page: $p, sort: $s, orders: $o) { total } }";
    let variables = json!({ "p": true, "s": { "field": 1, "limit": [] }, "o": ["ASC", "UP", "DOWN"] });
    insta::assert_snapshot!(normal_form(document, None, variables).replace("; ", "\n"), @r#"
    GRAPHQL_VALIDATION_FAILED: The variable `$p` does not fit: a value of type `Int!` is expected.
    GRAPHQL_VALIDATION_FAILED: The variable `$s.field` does not fit: a value of type `String!` is expected.
    GRAPHQL_VALIDATION_FAILED: The variable `$s.limit` does not fit: a value of type `Int` is expected.
    GRAPHQL_VALIDATION_FAILED: The variable `$o[1]` does not fit: a value of type `Order!` is expected.
    GRAPHQL_VALIDATION_FAILED: The variable `$o[2]` does not fit: a value of type `Order!` is expected.
    "#);
}

#[test]
fn an_id_keeps_all_its_digits() {
    let digits = "90020261101080030000000000000000000000000000000000000000";
    let expected = format!("{{ user(id: \"{digits}\") {{ id }} }}");
    assert_eq!(normal_form(&format!("{{ user(id: {digits}) {{ id }} }}"), None, json!({})), expected);
    let variables: Variables = serde_json::from_str(&format!("{{ \"id\": {digits} }}")).unwrap();
    assert_eq!(
        with_variables("query ($id: ID!) { user(id: $id) { id } }", None, variables).unwrap().to_string(),
        expected
    );
}

#[test]
fn zero_may_have_a_sign() {
    assert_eq!(normal_form("{ users(page: -0) { total } }", None, json!({})), "{ users(page: 0) { total } }");
}

#[test]
fn a_string_is_what_graphql_says_that_it_is() {
    for (written, expected) in [
        (r#""\ud83d\ude00\u{1F600}""#, "😀😀"),
        (r#""""a\"""b""""#, r#"a"""b"#),
        ("\"\"\"\n  a\n \n  b\"\"\"", "a\n\nb"),
    ] {
        let operation = operation(&format!("{{ users(q: {written}) {{ total }} }}"), None, json!({})).unwrap();
        assert_eq!(operation.fields[0].argument("q"), Some(&Value::String(expected.to_owned())), "{written}");
    }
}
