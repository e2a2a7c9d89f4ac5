//! What passes and what is refused, with which code and where.

use std::fmt::Write as _;
use std::future::Future;

use async_graphql::{Request, Variables};

use super::*;
use crate::graphql::error::ErrorCode;
use crate::graphql::limits::Limits;
use crate::graphql::local;
use crate::graphql::operation::Operation;
use crate::graphql::{schema, write_sdl};

fn documents() -> Documents {
    let strict = schema().finish();
    let signatures = Arc::new(Signatures::read(&write_sdl(&strict)).unwrap());
    Documents::new(strict, signatures, Limits::default(), DocumentSettings::default())
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn get(text: &str) -> Result<Arc<Document>, Vec<Failure>> {
    wait_for(documents().get(text))
}

/// The code of every failure, in order, each with its places.
fn refusal(text: &str) -> Vec<(ErrorCode, Vec<(usize, usize)>)> {
    let failures = get(text).err().unwrap_or_default();
    let places = |failure: &Failure| failure.locations.iter().map(|at| (at.line, at.column)).collect();
    failures.iter().map(|failure| (failure.code, places(failure))).collect()
}

/// Asks for all that GraphQL tells of a schema, types written out to nine levels of `ofType`, as graphql-js does. The rest
/// is what GraphiQL asks for beyond that.
fn introspection(extended: bool) -> String {
    let only = |text: &'static str| if extended { text } else { "" };
    let (deprecated, deprecation) = (only("(includeDeprecated: true)"), only("isDeprecated deprecationReason"));
    format!(
        "query IntrospectionQuery {{
           __schema {{
             {schema}
             queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
             types {{ ...FullType }}
             directives {{ name description {repeatable} locations args{deprecated} {{ ...InputValue }} }}
           }}
         }}
         fragment FullType on __Type {{
           kind name description {scalar}
           fields(includeDeprecated: true) {{
             name description args{deprecated} {{ ...InputValue }} type {{ ...TypeRef }} isDeprecated deprecationReason
           }}
           inputFields{deprecated} {{ ...InputValue }}
           interfaces {{ ...TypeRef }}
           enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }}
           possibleTypes {{ ...TypeRef }}
         }}
         fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue {deprecation} }}
         fragment TypeRef on __Type {{ kind name {open} {close} }}",
        schema = only("description"),
        repeatable = only("isRepeatable"),
        scalar = only("specifiedByURL isOneOf"),
        open = "ofType { kind name ".repeat(9),
        close = "}".repeat(9),
    )
}

#[test]
fn the_introspection_queries_of_graphql_js_and_graphiql_pass() {
    for text in [introspection(false), introspection(true)] {
        assert!(get(&text).is_ok(), "{:?}", refusal(&text));
    }
}

#[test]
fn introspection_in_normal_form_answers_what_the_document_itself_answers() {
    for text in [introspection(false), introspection(true)] {
        let documents = documents();
        let document = wait_for(documents.get(&text)).unwrap();
        let operation = Operation::new(&documents.checks.signatures, &document, None, Variables::default()).unwrap();
        let mut request = Request::new(String::new());
        request.set_parsed_query(local::document(&documents.checks.signatures, operation.fields.iter()).unwrap());
        let normal = wait_for(schema().finish().execute(request));
        let plain = wait_for(documents.checks.strict.execute(text.as_str()));
        assert_eq!((&normal.errors, &plain.errors), (&vec![], &vec![]));
        assert!(normal.data.to_string().contains("emailVerified"));
        assert_eq!(normal.data, plain.data);
    }
}

#[test]
fn faults_of_several_definitions_are_told_in_the_document_s_order() {
    let many = |part: fn(usize) -> String| (0..20).map(part).collect::<String>();
    for (text, faults) in [
        (many(|n| format!("query Q{n} {{ nope{n} }}\n")), 20),
        (many(|n| format!("query Q{n} {{ ... @defer {{ __typename }} }}\n")), 1),
        (many(|n| format!("query Q{n} {{ {} }}\n", "__typename ".repeat(51 + n))), 1),
        (many(|n| format!("fragment F{n} on Query {{ ...F{n} }}\n")) + "{ __typename }", 1),
    ] {
        let failures = get(&text).unwrap_err();
        assert_eq!(failures.len(), faults, "{failures:?}");
        assert!(failures.is_sorted_by_key(|failure| failure.locations.clone()), "{failures:?}");
        (0..5).for_each(|_| assert_eq!(get(&text).unwrap_err(), failures));
    }
}

#[test]
fn no_text_of_a_document_makes_it_valid() {
    for value in [r#""\u0000""#, r#""Unknown operation named \"\u0000\"""#] {
        for text in [
            format!("{{ users(page: {value}) {{ total }} }}"),
            format!("{{ users(sort: {{ field: {value} }}) {{ total }} }}"),
            format!("query ($page: Int! = {value}) {{ users(page: $page) {{ total }} }}"),
            format!("{{ __typename @include(if: {value}) }}"),
        ] {
            assert_eq!(refusal(&text)[0].0, ErrorCode::ValidationFailed, "{text}");
        }
    }
}

#[test]
fn a_valid_document_is_kept() {
    let documents = documents();
    let text = "{ users { total } }";
    let (once, again) = (wait_for(documents.get(text)).unwrap(), wait_for(documents.get(text)).unwrap());
    assert!(Arc::ptr_eq(&once, &again));
}

#[test]
fn without_introspection_the_schema_is_kept_to_itself() {
    let settings = DocumentSettings { introspection: false, ..DocumentSettings::default() };
    let strict = schema().disable_suggestions().finish();
    let signatures = Arc::new(Signatures::read(&write_sdl(&strict)).unwrap());
    let documents = Documents::new(strict, signatures, Limits::default(), settings);
    let all =
        |failures: Vec<Failure>| failures.iter().map(|failure| format!("{} ", failure.message)).collect::<String>();
    let says = |text: &str| wait_for(documents.get(text)).err().map(all);
    for text in [
        "{ __schema { queryType { name } } }",
        "{ a: __type(name: \"User\") { name } }",
        "{ ... { ...F } } fragment F on Query { __schema { queryType { name } } }",
        "query A { __typename } query B { __schema { queryType { name } } }",
    ] {
        assert!(says(text).unwrap().contains("Introspection is switched off"), "{text}");
    }
    for text in ["{ user { userIt } }", "{ users(pag: 1) { total } }"] {
        let (hidden, told) = (says(text).unwrap(), all(get(text).unwrap_err()));
        assert!(told.contains("Did you mean") && !hidden.contains("Did you mean"), "{told} {hidden}");
    }
    assert_eq!(says("{ __typename users { __typename } }"), None);
}

#[test]
fn incremental_delivery_is_refused_in_so_many_words() {
    for text in [
        "{ ... @defer { __typename } }",
        "{ ...F @defer(label: \"later\") } fragment F on Query { __typename }",
        "{ users { nodes @stream(initialCount: 1) { name } } }",
        "query @defer { __typename }",
    ] {
        let failures = get(text).unwrap_err();
        assert_eq!(failures.len(), 1);
        assert!(failures[0].message.contains("not supported: answers come in one piece"), "{failures:?}");
        assert_eq!((failures[0].code, failures[0].locations.len()), (ErrorCode::ValidationFailed, 1));
    }
}

#[test]
fn messages_are_short_whatever_they_repeat() {
    let failures = get(&format!("{{ users(q: {{ a: \"{}\" }}) {{ total }} }}", "x".repeat(30_000))).unwrap_err();
    assert!(failures.iter().all(|failure| failure.message.chars().count() <= 401), "{failures:?}");
}

#[test]
fn everyday_documents_pass() {
    for text in [
        "query People($q: String, $p: Int, $x: Boolean = true) {
           users(q: $q, page: $p, sort: {field: CREATED_AT}) { ...Page @include(if: $x) }
           user(id: 7) { ... on User { ...Name } }
         }
         fragment Page on UserPage { nodes { ...Name identities { userId attributes } } hasNextPage }
         fragment Name on User { name __typename }",
        "query A { users { total } } query B($from: ID) { logs(from: $from) { next nodes { type } } }",
        "{ users(q: \"\"\"in a \\\"\"\" block\"\"\") { total } }",
        "\u{feff}{ gateway { version } } # a remark",
        "{ __type(name: \"User\") { fields { name } } __typename }",
    ] {
        assert_eq!(refusal(text), [], "{text}");
    }
}

#[test]
fn what_is_no_graphql_is_told_where_it_stops_being_some() {
    for (text, places) in [
        ("", vec![(1, 1)]),
        ("{", vec![(1, 2)]),
        ("{\n  users {", vec![(2, 10)]),
        ("{ users(q: \"\n\") { total } }", vec![(1, 12)]),
        ("query ($x: Int = $y) { users(page: $x) { total } }", vec![(1, 18)]),
        ("type User { id: ID }", vec![(1, 1)]),
        ("query A { users { total } } query A { users { total } }", vec![(1, 29), (1, 1)]),
        ("query A { users { total } } { users { total } }", vec![(1, 29), (1, 1)]),
        ("{ ...F } fragment F on Query { __typename } fragment F on Query { __typename }", vec![(1, 45), (1, 10)]),
        ("fragment F on User { email }", vec![]),
    ] {
        assert_eq!(refusal(text), [(ErrorCode::ParseFailed, places)], "{text}");
    }
}

#[test]
fn what_does_not_fit_the_schema_is_told_where() {
    for (text, places) in [
        ("{\n  nope\n}", (2, 3)),
        ("{ users }", (1, 3)),
        ("{ users { total { x } } }", (1, 11)),
        ("{ users { nodes { attributes { x } } } }", (1, 19)),
        ("{ users { __schema { types { name } } } }", (1, 11)),
        ("{ users(nope: 1) { total } }", (1, 9)),
        ("{ users(page: \"1\") { total } }", (1, 9)),
        ("{ users(page: 1, page: 2) { total } }", (1, 18)),
        ("{ users(sort: {field: SHOE_SIZE}) { total } }", (1, 9)),
        ("{ user { userId } }", (1, 3)),
        ("{ user(id: null) { userId } }", (1, 8)),
        ("query ($x: Int) { users { total } }", (1, 8)),
        ("query ($x: Int = \"a\") { users(page: $x) { total } }", (1, 8)),
        ("query ($x: User) { users(q: $x) { total } }", (1, 8)),
        ("query ($x: String, $x: String) { users(q: $x) { total } }", (1, 20)),
        ("{ users { ...F } } fragment F on Query { users(page: $nope) { total } }", (1, 11)),
        ("{ ...F } fragment F on Query { users(page: $nope) { total } }", (1, 38)),
        ("{ users @include(if: $nope) { total } }", (1, 18)),
        ("{ users @include { total } }", (1, 9)),
        ("{ users @include(if: true) @include(if: false) { total } }", (1, 28)),
        ("query @skip(if: true) { users { total } }", (1, 7)),
        ("{ users { total @nope } }", (1, 17)),
        ("{ ...Nope }", (1, 3)),
        ("{ users { ...F } } fragment F on User { email }", (1, 11)),
        ("{ users { ... on Log { date } } }", (1, 11)),
        ("{ users { total } } fragment F on User { email }", (1, 21)),
        ("{ ...F } fragment F on Query { ...F }", (1, 35)),
        // The rules that are the gateway's own.
        ("query ($p: String) { users(page: $p) { total } }", (1, 9)),
        ("{ user(id: 1) { name ...F } } fragment F on User { name: email }", (1, 17)),
        // The gateway only reads.
        ("mutation { __typename }", (1, 1)),
        ("subscription { __typename }", (1, 1)),
        ("query A { __typename } mutation B { __typename }", (1, 24)),
    ] {
        let refusal = refusal(text);
        assert!(refusal.iter().all(|(code, _)| *code == ErrorCode::ValidationFailed), "{text}: {refusal:?}");
        assert!(refusal.iter().any(|(_, at)| at.first() == Some(&places)), "{text}: {refusal:?}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = "{ nope users(page: \"1\") { total nope } }";
    assert_eq!(refusal(text).len(), 3);
}

/// What validation lets pass, for it does not look into variables, the normal form refuses.
#[test]
fn values_that_validation_cannot_judge_are_refused_before_anything_runs() {
    let documents = documents();
    for text in [
        "{ users(sort: 5) { total } }",
        "{ users(sort: [NAME]) { total } }",
        "{ users(sort: {field: \"NAME\"}) { total } }",
        r#"{ users(sort: {field: "\u0000"}) { total } }"#,
        "{ users(page: 99999999999) { total } }",
        "query ($d: SortDirection! = ASC) { users(sort: {field: SHOE_SIZE, direction: $d}) { total } }",
        "query ($d: SortDirection! = ASC) { users(sort: {nope: 1, field: NAME, direction: $d}) { total } }",
        "query ($d: SortDirection! = ASC) { users(sort: {direction: $d}) { total } }",
    ] {
        let refused = wait_for(documents.get(text)).map_err(|failures| failures[0].code).and_then(|document| {
            Operation::new(&documents.checks.signatures, &document, None, Variables::default())
                .map_err(|failure| failure.code)
        });
        assert_eq!(refused.err(), Some(ErrorCode::ValidationFailed), "{text}");
    }
}

fn code(text: &str) -> Option<ErrorCode> {
    refusal(text).first().map(|(code, _)| *code)
}

/// `levels` fragments, each of which spreads the next `times` over, and what the last of them selects.
fn fragments(levels: usize, times: usize, last: &str) -> String {
    let mut text = "{ ...F0 }".to_owned();
    for level in 0..levels {
        let next = format!(" ...F{}", level + 1).repeat(times);
        write!(text, " fragment F{level} on Query {{{next} }}").unwrap();
    }
    write!(text, " fragment F{levels} on Query {{ {last} }}").unwrap();
    text
}

/// Each of these, were it let through to validation, would keep a core busy for longer than anyone waits for a test, or
/// end the process: that they are refused at all is the test.
#[test]
fn documents_that_cost_more_than_they_weigh_never_reach_validation() {
    for (what, text) in [
        ("doubling", fragments(40, 2, "__typename")),
        ("within the depth of recursion", fragments(18, 8, "__typename")),
        ("with nothing in it", fragments(18, 8, "...Nope")),
        ("a long chain", fragments(20_000, 1, "__typename")),
        ("deep brackets", format!("{{ users(q: {}", "[".repeat(100_000))),
        ("deep selections", "{ a ".repeat(100_000)),
        ("deep inline fragments", format!("{} __typename {}", "{ ... ".repeat(100_000), "}".repeat(100_000))),
    ] {
        assert_eq!(code(&text), Some(ErrorCode::TooComplex), "{what}");
    }
}

#[test]
fn many_operations_around_one_fragment_cost_what_they_come_to() {
    let operations: String = (0..20).map(|number| format!("query A{number} {{ ...F }} ")).collect();
    let fields = format!("users {{ {} }}", "total ".repeat(1_500));
    let fragment = format!("fragment F on Query {{ {fields} }}");
    assert_eq!(code(&format!("query A {{ ...F }} {fragment}")), None);
    assert_eq!(code(&format!("{operations} {fragment}")), Some(ErrorCode::TooComplex));
}
