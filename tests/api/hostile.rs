//! Documents that are written to cost the gateway more than they cost their sender, beyond what the limits one by one are
//! tried with: each is refused before anything runs, in few words, and a good request is answered after it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::gateway::{TestGateway, codes};

/// The longest that a refusal may be, in bytes, however much of the document it could repeat.
const LONGEST_REFUSAL: usize = 10_000;

const PARSE: &str = "GRAPHQL_PARSE_FAILED";
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
const COMPLEX: &str = "QUERY_TOO_COMPLEX";

/// `count` times what `part` writes for each number.
fn times(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

/// A document that spreads fragments of which each spreads the next `width` times, `depth` times over.
fn tower(width: usize, depth: usize, on: &str, innermost: &str) -> String {
    let mut fragments = String::new();
    for level in 0..depth {
        let spreads = format!("...F{} ", level + 1).repeat(width);
        write!(fragments, "fragment F{level} on {on} {{ {spreads}}} ").unwrap();
    }
    format!("{fragments} fragment F{depth} on {on} {{ {innermost} }}")
}

/// Sends each body, which must be refused with its code before anything runs.
async fn refuses(probes: Vec<(&str, &str, Value)>) {
    let gateway = TestGateway::spawn().await;
    for (what, code, body) in probes {
        let answer = Answer::to_post(&gateway, body.to_string()).await;
        let response = answer.json();
        assert_eq!(
            codes(&response).first(),
            Some(&code),
            "{what}: {}",
            answer.text().chars().take(2_000).collect::<String>()
        );
        assert_eq!(response.get("data"), None, "{what}");
        assert!(answer.body.len() <= LONGEST_REFUSAL, "{what}: {} bytes", answer.body.len());
        assert_eq!(gateway.data("{ __typename }").await, json!({ "__typename": "Query" }), "after {what}");
    }
    assert_eq!(gateway.all_calls().await, []);
}

fn query(document: impl Into<String>) -> Value {
    json!({ "query": document.into() })
}

#[tokio::test]
async fn overloads_that_hide_in_fragments_are_refused() {
    let aliases = times(6, |n| format!("a{n}: email "));
    let directives = "email @skip(if: false) @include(if: true) ";
    refuses(vec![
        (
            "aliases in fragments",
            COMPLEX,
            query(format!("{{ users {{ nodes {{ ...F0 }} }} }} {}", tower(2, 5, "User", &aliases))),
        ),
        (
            "directives in fragments",
            COMPLEX,
            query(format!("{{ users {{ nodes {{ ...F0 }} }} }} {}", tower(2, 6, "User", directives))),
        ),
        (
            "directives on spreads",
            COMPLEX,
            query(format!("{{ {} }} fragment F on Query {{ __typename }}", "...F @skip(if: false) ".repeat(101))),
        ),
        (
            "fields in fragments",
            COMPLEX,
            query(format!("{{ ...F0 }} {}", tower(12, 3, "Query", "users { total page }"))),
        ),
        (
            "a tower that nobody spreads",
            COMPLEX,
            query(format!("{{ __typename }} {}", tower(2, 20, "Query", "__typename"))),
        ),
        (
            "many operations around one great fragment",
            COMPLEX,
            query(format!(
                "{} fragment F on Query {{ users {{ {} }} }}",
                times(50, |n| format!("query Q{n} {{ ...F }} ")),
                "total ".repeat(500)
            )),
        ),
        ("a chain of fragments", COMPLEX, query(format!("{{ ...F0 }} {}", tower(1, 70, "Query", "__typename")))),
        (
            "inline fragments in each other",
            COMPLEX,
            query(format!("{}__typename{}", "{ ... ".repeat(61), "}".repeat(61))),
        ),
        (
            "a circle of three",
            INVALID,
            query(
                "{ __typename } fragment A on Query { ...B } fragment B on Query { ...C } fragment C on Query { ...A }",
            ),
        ),
    ])
    .await;
}

#[tokio::test]
async fn overloads_of_one_kind_are_refused() {
    let deep = |open: &str, close: &str, levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
    refuses(vec![
        (
            "directives on an operation",
            COMPLEX,
            query(format!("query A {}{{ __typename }}", "@skip(if: false) ".repeat(101))),
        ),
        (
            "directives that do not exist",
            COMPLEX,
            query(format!("{{ __typename {}}}", times(101, |n| format!("@d{n} ")))),
        ),
        ("directives on variables", COMPLEX, query(format!("query ($a: Int {}) {{ __typename }}", "@a ".repeat(101)))),
        ("operations", INVALID, query(times(500, |n| format!("query Q{n} {{ q{n} }} ")))),
        (
            "variables that nobody uses",
            INVALID,
            query(format!("query ({}) {{ __typename }}", times(900, |n| format!("$v{n}: Int ")))),
        ),
        (
            "variables that nobody declares",
            INVALID,
            query(format!("{{ {} }}", times(45, |n| format!("users(q: $v{n}) {{ total }} ")))),
        ),
        ("arguments", INVALID, query(format!("{{ users({}) {{ total }} }}", times(1_500, |n| format!("a{n}: 1 "))))),
        ("one argument many times", INVALID, query(format!("{{ users({}) {{ total }} }}", "page: 1 ".repeat(1_500)))),
        (
            "fragments of one name",
            INVALID,
            query(format!("{{ __typename }} {}", "fragment F on Query { __typename } ".repeat(500))),
        ),
        (
            "one key for many fields",
            INVALID,
            query(format!(
                "{{ users {{ nodes {{ {} }} }} }}",
                times(60, |n| format!("a: {} ", ["email", "name", "nickname"][n % 3]))
            )),
        ),
        ("objects in objects", COMPLEX, query(format!("{{ users(sort: {}) {{ total }} }}", deep("{a: ", "}", 61)))),
        (
            "a default that nests",
            COMPLEX,
            query(format!("query ($a: [Int] = {}) {{ __typename }}", deep("[", "]", 61))),
        ),
        (
            "a type that nests",
            COMPLEX,
            query(format!("query ($a: {}) {{ __typename }}", deep("[", "]", 61).replace('1', "Int"))),
        ),
        ("a long number", COMPLEX, query(format!("{{ users(page: {}) {{ total }} }}", "9".repeat(30_000)))),
        ("a long word in an error", COMPLEX, query(format!("{{ users({}: 1) {{ total }} }}", "a".repeat(30_000)))),
        (
            "many long words in errors",
            INVALID,
            query(format!("{{ users {{ {} }} }}", times(200, |n| format!("{}{n} ", "x".repeat(190))))),
        ),
        ("a string that no block ends", PARSE, query(format!("{{ users(q: \"\"\"{}", "\\\"\"\"".repeat(5_000)))),
        ("escapes", PARSE, query(format!("{{ users(q: \"{}\") {{ total }} }}", "\\ud800".repeat(3_000)))),
        (
            "the schema, in circles",
            COMPLEX,
            query(format!(
                "{{ __schema {{ types {} {{ name }} {} }} }}",
                "{ fields { type { possibleTypes ".repeat(4),
                "} } }".repeat(4)
            )),
        ),
        (
            "the schema, many times",
            COMPLEX,
            query(format!(
                "{{ {} }}",
                times(50, |n| format!(
                    "s{n}: __schema {{ types {{ fields {{ args {{ name description defaultValue }} }} }} }} "
                ))
            )),
        ),
    ])
    .await;
}

#[tokio::test]
async fn batches_are_refused_in_whatever_form_they_come() {
    let one = r#"{"query":"{ __typename }"}"#;
    let gateway = TestGateway::spawn().await;
    for (what, body) in [
        ("a list of a thousand", format!("[{}]", [one; 1_000].join(","))),
        ("lists in a list", format!("[[{one}]]")),
        ("lines", [one; 100].join("\n")),
        ("operations one after the other", one.repeat(100)),
        ("a list of documents", r#"{"query":["{ __typename }","{ __typename }"]}"#.to_owned()),
        ("a list of variables", r#"{"query":"{ __typename }","variables":[{},{},{}]}"#.to_owned()),
        ("objects by number", format!(r#"{{"0":{one},"1":{one}}}"#)),
    ] {
        let answer = Answer::to_post(&gateway, body).await;
        answer.must_refuse(what, 400, "BAD_REQUEST", "");
        assert_eq!(gateway.data("{ __typename }").await, json!({ "__typename": "Query" }), "after {what}");
    }
    assert_eq!(gateway.all_calls().await, []);
}

#[tokio::test]
async fn variables_that_are_meant_to_hurt_are_refused() {
    let document = "query ($q: String, $p: Int! = 0, $s: UserSort) { users(q: $q, page: $p, sort: $s) { total } }";
    let with = |variables: Value| json!({ "query": document, "variables": variables });
    let deep = (0..100).fold(json!(1), |inner, _| json!({ "field": inner }));
    refuses(vec![
        ("a number that no Int is", INVALID, with(json!({ "p": 1e300 }))),
        ("a number that was an Int once", INVALID, with(json!({ "p": 2_147_483_648_i64 }))),
        ("a list for a text", INVALID, with(json!({ "q": ["a"] }))),
        ("an object that nests", COMPLEX, with(json!({ "s": deep }))),
        ("an object with a field of a prototype", INVALID, with(json!({ "s": { "field": "NAME", "__proto__": {} } }))),
        ("more items than any list has", COMPLEX, with(json!({ "q": vec![0; 10_000] }))),
        ("a text of megabytes in small", COMPLEX, with(json!({ "q": "\u{1F98A}".repeat(9_000) }))),
    ])
    .await;
}

#[tokio::test]
async fn what_is_asked_many_times_is_fetched_once() {
    let gateway = TestGateway::uncached().await;
    let same = times(30, |n| format!("u{n}: users(perPage: 2) {{ nodes {{ a{n}: email }} }} "));
    let data = gateway.data(&format!("{{ {same} }}")).await;
    assert_eq!(data.as_object().unwrap().len(), 30);
    assert_eq!(gateway.asked().await.len(), 1);
    // Fields of one key are one field, however often they stand there.
    let fields = "email ".repeat(1_000);
    let data = gateway.data(&format!("{{ users(perPage: 2) {{ nodes {{ {fields} }} }} }}")).await;
    assert_eq!(data["users"]["nodes"][0].as_object().unwrap().len(), 1);
    assert_eq!(gateway.asked().await.len(), 1);
}
