//! Limits, by what each lets pass and what it refuses.

use apollo_compiler::ast;
use serde_json::{Value, json};

use super::*;
use crate::graphql::document::{Lines, Scan};
use crate::graphql::error::{ErrorCode, GraphqlError};

fn judge(limiter: &Limiter, text: &str) -> Result<(), GraphqlError> {
    limiter.check_length(text)?;
    limiter.check_tokens(&Scan::of(text).measures)?;
    check_document(limiter, &ast::Document::parse(text, "").expect("a document"), &Lines::of(text))
}

/// The measure that refuses a document, if one does, with its limit and the document's value.
fn refusal_by(limiter: &Limiter, text: &str) -> Option<(String, u64, u64)> {
    judge(limiter, text).err().map(|failure| {
        assert_eq!(failure.code, ErrorCode::TooComplex, "{failure:?}");
        let [("measure", Value::String(measure)), ("limit", limit), ("value", value)] = failure.details.as_slice()
        else {
            panic!("{failure:?}");
        };
        let number = |value: &Value| value.as_u64().unwrap();
        (measure.clone(), number(limit), number(value))
    })
}

fn refusal(text: &str) -> Option<(String, u64, u64)> {
    refusal_by(&Limits::default().into(), text)
}

/// `count` times what `part` writes for each number.
fn times(count: u64, part: impl Fn(u64) -> String) -> String {
    (0..count).map(part).collect()
}

#[test]
fn each_limit_holds_to_the_unit() {
    type Document = Box<dyn Fn(u64) -> String>;
    let cases: [(&str, u64, Document); 13] = [
        ("document bytes", BYTES, Box::new(|n| format!("{{a}}#{}", "x".repeat(n as usize - 4)))),
        (
            "tokens",
            TOKENS,
            Box::new(|n| {
                format!("{{ {} a({}) }}", "a ".repeat((n as usize - 5) % 3), "b: 1 ".repeat((n as usize - 5) / 3))
            }),
        ),
        ("name length", WORD, Box::new(|n| format!("{{ {} }}", "a".repeat(n as usize)))),
        ("fields", FIELDS, Box::new(|n| format!("{{ a {{ {} }} }}", "b ".repeat(n as usize - 1)))),
        ("depth", 10, Box::new(|n| format!("{} {}", "{ a ".repeat(n as usize), "}".repeat(n as usize)))),
        ("root fields", 50, Box::new(|n| format!("{{ {} ... {{ a }} }}", "a ".repeat(n as usize - 1)))),
        ("aliases", 100, Box::new(|n| format!("{{ a {{ {} }} }}", times(n, |n| format!("a{n}: b "))))),
        (
            "directives",
            DIRECTIVES,
            Box::new(|n| format!("{{ a {} ...B @b }} fragment B on Query @c {{ d }}", "@a ".repeat(n as usize - 2))),
        ),
        (
            "introspection depth",
            INTROSPECTION_DEPTH,
            Box::new(|n| {
                format!("{{ __schema {} {} }}", "{ ofType ".repeat(n as usize - 1), "}".repeat(n as usize - 1))
            }),
        ),
        (
            "introspection size",
            INTROSPECTION_SIZE,
            Box::new(|n| {
                let (hundreds, ones) = (n / 1000, n % 1000);
                let fields = "name ".repeat(hundreds as usize);
                format!(
                    "{{ __schema {{ types {{ fields {{ args {{ {fields} }} }} }} {} }} }}",
                    "name ".repeat(ones as usize)
                )
            }),
        ),
        ("list length", LIST, Box::new(|n| format!("{{ a(b: {{c: [{}]}}) }}", "1 ".repeat(n as usize)))),
        ("string length", STRING, Box::new(|n| format!("{{ a @b(c: \"{}\") }}", "x".repeat(n as usize)))),
        ("string length", STRING, Box::new(|n| format!("query ($a: String = \"{}\") {{ a }}", "x".repeat(n as usize)))),
    ];
    for (measure, limit, document) in cases {
        assert_eq!(refusal(&document(limit)), None, "{measure}");
        assert_eq!(refusal(&document(limit + 1)), Some((measure.to_owned(), limit, limit + 1)));
    }
}

#[test]
fn aliases_and_directives_count_wherever_their_fragment_is_spread() {
    let spreads = |count| format!("{{ {} }} fragment A on Query {{ a {{ b: c @d }} }}", "...A ".repeat(count));
    assert_eq!(refusal(&spreads(50)), None);
    assert_eq!(refusal(&spreads(51)), Some(("root fields".to_owned(), 50, 51)));
    let inner = |count| format!("{{ a {{ {} }} }} fragment A on T {{ b: c d: e @f }}", "...A ".repeat(count));
    assert_eq!(refusal(&inner(50)), None);
    assert_eq!(refusal(&inner(51)), Some(("aliases".to_owned(), 100, 102)));
}

#[test]
fn calls_beyond_the_default_bring_aliases_and_root_fields_with_them() {
    let limiter = Limits { upstream_calls: 500, ..Limits::default() }.into();
    let users = format!("{{ {} }}", times(500, |n| format!("u{n}: user(id: 1) {{ a }} ")));
    assert_eq!(refusal_by(&limiter, &users), None);
    assert!(refusal(&users).is_some());
}

#[test]
fn introspection_and_data_have_depths_of_their_own() {
    let introspection =
        |levels: usize| format!("{{ __type {} name {} }}", "{ ofType ".repeat(levels), "}".repeat(levels));
    let both = format!("{{ ...A ...B }} fragment A on Query {} fragment B on Query {{ a {{ b }} }}", introspection(14));
    assert_eq!(refusal(&both), None);
    let data = introspection(14).replace("__type", "users");
    assert_eq!(refusal(&data).map(|(measure, ..)| measure).as_deref(), Some("depth"));
}

#[test]
fn types_that_lead_to_types_again_and_again_are_refused() {
    let bomb = |levels: usize| {
        format!("{{ __schema {{ types {} {{ name }} {} }} }}", "{ fields { type ".repeat(levels), "} }".repeat(levels))
    };
    assert_eq!(refusal(&bomb(2)), None);
    assert_eq!(refusal(&bomb(5)).map(|(measure, ..)| measure).as_deref(), Some("introspection size"));
}

#[test]
fn values_of_variables_are_held_to_the_same_limits() {
    let limiter = Limiter::from(Limits::default());
    let measure = |value: Value| {
        let failure = limiter.check_variable(&json!({ "y": [value] }).to_string()).err()?;
        Some(failure.details[0].1.clone())
    };
    let list = |length: u64| Value::from_iter(0..length);
    assert_eq!(measure(list(LIST)), None);
    assert_eq!(measure(list(LIST + 1)), Some(json!("list length")));
    assert_eq!(measure("x".repeat(STRING as usize).into()), None);
    assert_eq!(measure("x".repeat(STRING as usize + 1).into()), Some(json!("string length")));
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let nesting = |levels| limiter.check_variable(&deep(levels)).err().map(|failure| failure.details[0].1.clone());
    assert_eq!((nesting(60), nesting(61)), (None, Some(json!("nesting"))));
}

#[test]
fn cycles_are_refused_with_their_place() {
    let text = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
    let failure = judge(&Limits::default().into(), text).unwrap_err();
    assert_eq!((failure.code, failure.locations.len()), (ErrorCode::ValidationFailed, 1));
}

#[test]
fn measuring_refuses_nothing_but_what_would_harm_the_process() {
    let limiter = Limits { enforcement: Enforcement::Measure, depth: 1, cost: 1, upstream_calls: 1 }.into();
    let text = format!("{{ a {{ {} }} }}", times(3_000, |n| format!("a{n}: b @c(d: \"{}\") ", "x".repeat(20))));
    assert_eq!(refusal_by(&limiter, &text), None);
    assert_eq!(limiter.check_variable(&json!("y".repeat(40_000)).to_string()), Ok(()));
    let deep = format!("{}a{}", "{ a ".repeat(100), " }".repeat(100));
    assert_eq!(refusal_by(&limiter, &deep).map(|(measure, ..)| measure).as_deref(), Some("nesting"));
    let wide = format!("{{ {} }} fragment F on Query {{ {} }}", "...F ".repeat(100), "a ".repeat(1_000));
    assert_eq!(refusal_by(&limiter, &wide).map(|(measure, ..)| measure).as_deref(), Some("expansion"));
}

#[test]
fn what_is_measured_is_counted_by_measure() {
    let limiter = Limiter::from(Limits { enforcement: Enforcement::Measure, depth: 3, ..Limits::default() });
    for text in [
        "{ a }",
        "{ a { b { c { d } } } }",
        "query A { a { b { c { d { e } } } } } query B { ...F } fragment F on T { a { b { c { d } } } }",
        "{ a { b { c { d } } } }",
    ] {
        assert_eq!(refusal_by(&limiter.clone(), text), None);
    }
    assert_eq!(limiter.check_variable(&json!("y".repeat(STRING as usize + 1)).to_string()), Ok(()));
    let beyond: Vec<_> = limiter.exceeded().collect();
    assert_eq!(
        beyond,
        [
            ExceededLimit { measure: "depth", limit: 3, times: 3, greatest: 5 },
            ExceededLimit { measure: "string length", limit: STRING, times: 1, greatest: STRING + 1 },
        ]
    );
}

#[test]
fn what_is_refused_is_not_counted() {
    let limiter = Limiter::from(Limits { depth: 1, ..Limits::default() });
    assert!(refusal_by(&limiter, "{ a { b } }").is_some());
    let deep = format!("{}a{}", "{ a ".repeat(100), " }".repeat(100));
    let measuring = Limiter::from(Limits { enforcement: Enforcement::Measure, ..Limits::default() });
    assert!(refusal_by(&measuring, &deep).is_some());
    assert_eq!((limiter.exceeded().count(), measuring.exceeded().count()), (0, 0));
}

#[test]
fn each_measure_has_its_own_counter() {
    for (index, (measure, ..)) in Measure::ALL.into_iter().enumerate() {
        assert_eq!(measure as usize, index, "{measure:?}");
    }
}

#[test]
fn everyday_documents_pass() {
    let text = "query People($q: String) { users(q: $q) { nodes { ...P } } } fragment P on User { email name }";
    assert_eq!(refusal(text), None);
}
