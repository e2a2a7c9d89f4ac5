//! Selections: fields under one key are one, and what is skipped is gone.

use super::*;

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
        ("{ strict(page: 1) @skip(if: true) half }", "{ half }"),
    ]);
    let with_default = "query ($x: Boolean = true) { a: half @include(if: $x) b: half @skip(if: $x) }";
    let required = "query ($x: Boolean!) { a: half @include(if: $x) b: half @skip(if: $x) }";
    hold(&[
        (with_default, json!({}), "{ a: half }"),
        (with_default, json!({"x": false}), "{ b: half }"),
        (
            with_default,
            json!({"x": null}),
            "!{The argument `if` does not fit: a value of type `Boolean!` is expected.}",
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
        ("{ user(id: 1) { id @skip(if: true) ... @include(if: false) { email } } }", r#"{ user(id: "1") }"#),
        ("{ users { nodes { id @skip(if: true) } total } }", "{ users(page: 0) { nodes(first: 10) total } }"),
        (
            "{ users { nodes @skip(if: true) { id } nodes { email @skip(if: true) } } }",
            "{ users(page: 0) { nodes(first: 10) } }",
        ),
        ("{ __schema { types { name @skip(if: true) } } }", "{ __schema { types } }"),
        ("{ user(id: 1) { id @skip(if: true) } user(id: 1) { email } }", r#"{ user(id: "1") { email } }"#),
    ]);
}

/// A selection that a condition of null stands in.
const FAILED: &str = "{The argument `if` does not fit: a value of type `Boolean!` is expected.}";

#[test]
fn a_condition_that_is_null_is_an_error_of_the_selection_in_which_it_stands() {
    for (selections, expected) in [
        ("user(id: 1) { id @skip(if: $x) } half", format!(r#"{{ user(id: "1") !User{FAILED} half }}"#)),
        (
            "user(id: 1) { email friends { id @include(if: $x) } }",
            format!(r#"{{ user(id: "1") {{ email friends !User{FAILED} }} }}"#),
        ),
        ("user(id: 1) { ... @skip(if: $x) { id } }", format!(r#"{{ user(id: "1") !User{FAILED} }}"#)),
        ("user(id: 1) { ...F @skip(if: $x) }", format!(r#"{{ user(id: "1") !User{FAILED} }}"#)),
        ("user(id: 1) { id } user(id: 1) { email @skip(if: $x) }", format!(r#"{{ user(id: "1") !User{FAILED} }}"#)),
        ("half @skip(if: $x)", format!("!{FAILED}")),
        ("half ...Q @include(if: $x)", format!("!{FAILED}")),
        // Both conditions are looked at, the one of `@skip` first, until one of them decides.
        ("half @include(if: false) @skip(if: $x)", format!("!{FAILED}")),
        ("half @include(if: $x) @skip(if: true)", "{}".to_owned()),
        ("user(id: 1) @skip(if: true) { id @skip(if: $x) } half", "{ half }".to_owned()),
        ("user(id: 1) { ...F ...F @skip(if: $x) }", r#"{ user(id: "1") { id } }"#.to_owned()),
    ] {
        let used = ["F", "Q"].map(|name| selections.contains(&format!("...{name}")));
        let fragments = ["fragment F on User { id }", "fragment Q on Query { half }"];
        let fragments: Vec<_> = used.iter().zip(fragments).filter_map(|(used, text)| used.then_some(text)).collect();
        let document = format!("query ($x: Boolean = true) {{ {selections} }} {}", fragments.join(" "));
        assert_eq!(normal_form(&document, None, json!({ "x": null })), expected, "{document}");
    }
}
