//! Documents that pass and documents that are refused, with the code and the place.

use std::fmt::Write as _;

use super::*;
use crate::graphql::error::ErrorCode;
use crate::graphql::limits::Limits;
use crate::graphql::sdl;

fn documents() -> Documents {
    Documents::new(Arc::new(TypeSystem::parse(&sdl()).unwrap()), Limits::default(), DocumentSettings::default())
}

fn get(text: &str) -> Result<Arc<Document>, Vec<GraphqlError>> {
    documents().get(text)
}

/// The code of every failure, in order, each with its places.
fn refusal(text: &str) -> Vec<(ErrorCode, Vec<(usize, usize)>)> {
    let failures = get(text).err().unwrap_or_default();
    let places = |failure: &GraphqlError| failure.locations.iter().map(|at| (at.line, at.column)).collect();
    failures.iter().map(|failure| (failure.code, places(failure))).collect()
}

/// Asks for all that GraphQL tells of a schema, types written out to nine levels of `ofType`, as graphql-js does. The rest
/// is what GraphiQL asks for beyond that.
fn introspection_query(extended: bool) -> String {
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
    for text in [introspection_query(false), introspection_query(true)] {
        assert!(get(&text).is_ok(), "{:?}", refusal(&text));
    }
}

#[test]
fn faults_of_several_definitions_are_told_in_the_document_s_order() {
    let many = |part: fn(usize) -> String| (0..20).map(part).collect::<String>();
    for (text, faults) in [
        (many(|n| format!("query Q{n} {{ nope{n} }}\n")), 20),
        (many(|n| format!("query Q{n} {{ ... @defer {{ __typename }} }}\n")), 20),
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
    let (once, again) = (documents.get(text).unwrap(), documents.get(text).unwrap());
    assert!(Arc::ptr_eq(&once, &again));
}

#[test]
fn without_introspection_the_schema_is_kept_to_itself() {
    let settings = DocumentSettings { introspection: false, ..DocumentSettings::default() };
    let types = Arc::new(TypeSystem::parse(&sdl()).unwrap());
    let documents = Documents::new(types, Limits::default(), settings);
    let all = |failures: Vec<GraphqlError>| {
        failures.iter().map(|failure| format!("{} ", failure.message)).collect::<String>()
    };
    let says = |text: &str| documents.get(text).err().map(all);
    for text in [
        "{ __schema { queryType { name } } }",
        "{ a: __type(name: \"User\") { name } }",
        "{ ... { ...F } } fragment F on Query { __schema { queryType { name } } }",
        "query A { __typename } query B { __schema { queryType { name } } }",
    ] {
        assert!(says(text).unwrap().contains("Introspection is switched off"), "{text}");
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

/// Each document with what is wrong with it, and where.
fn told(documents: &[&str]) -> String {
    let lines = documents.iter().flat_map(|text| {
        let failures = get(text).err().unwrap_or_default().into_iter().map(|failure| {
            let places = failure.locations.iter().map(|at| format!("{}:{}", at.line, at.column));
            format!("  {} {} {}", places.collect::<Vec<_>>().join(" "), failure.code.as_str(), failure.message)
        });
        std::iter::once(text.escape_debug().to_string()).chain(failures)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_no_graphql_is_told_where_it_stops_being_some() {
    insta::assert_snapshot!(told(&[
        "",
        "{",
        "{\n  users {",
        "{ users(q: \"\n\") { total } }",
        "query ($x: Int = $y) { users(page: $x) { total } }",
    ]), @r#"

      1:1 GRAPHQL_PARSE_FAILED The document is not GraphQL. Syntax error: Unexpected <EOF>.
    {
      1:2 GRAPHQL_PARSE_FAILED The document is not GraphQL. Syntax error: expected at least one Selection in Selection Set.
    {\n  users {
      2:10 GRAPHQL_PARSE_FAILED The document is not GraphQL. Syntax error: expected at least one Selection in Selection Set.
    { users(q: \"\n\") { total } }
      1:12 GRAPHQL_PARSE_FAILED The document is not GraphQL. Syntax error: unterminated string value.
    query ($x: Int = $y) { users(page: $x) { total } }
      1:18 GRAPHQL_PARSE_FAILED The document is not GraphQL. Syntax error: unexpected variable value in a Const context.
    "#);
}

#[test]
fn what_does_not_fit_the_schema_is_told_where() {
    insta::assert_snapshot!(told(&[
        "{\n  nope\n}",
        "{ users }",
        "{ users { total { x } } }",
        "{ users { nodes { attributes { x } } } }",
        "{ users { __schema { types { name } } } }",
        "{ users(nope: 1) { total } }",
        "{ users(page: \"1\") { total } }",
        "{ users(page: 1, page: 2) { total } }",
        "{ users(sort: {field: SHOE_SIZE}) { total } }",
        "{ user { userId } }",
        "{ user(id: null) { userId } }",
        "query ($x: Int) { users { total } }",
        "query ($x: Int = \"a\") { users(page: $x) { total } }",
        "query ($x: User) { users(q: $x) { total } }",
        "query ($x: String, $x: String) { users(q: $x) { total } }",
        "{ users { ...F } } fragment F on Query { users(page: $nope) { total } }",
        "{ ...F } fragment F on Query { users(page: $nope) { total } }",
        "{ users @include(if: $nope) { total } }",
        "{ users @include { total } }",
        "{ users @include(if: true) @include(if: false) { total } }",
        "query @skip(if: true) { users { total } }",
        "{ users { total @nope } }",
        "{ ...Nope }",
        "{ users { ...F } } fragment F on User { email }",
        "{ users { ... on Log { date } } }",
        "{ users { total } } fragment F on User { email }",
        "{ ...F } fragment F on Query { ...F }",
        "query ($p: String) { users(page: $p) { total } }",
        "{ user(id: 1) { name ...F } } fragment F on User { name: email }",
        "mutation { __typename }",
        "subscription { __typename }",
        "query A { __typename } mutation B { __typename }",
        "type User { id: ID }",
        "query A { users { total } } query A { users { total } }",
        "query A { users { total } } { users { total } }",
        "{ ...F } fragment F on Query { __typename } fragment F on Query { __typename }",
        "fragment F on User { email }",
    ]), @r#"
    {\n  nope\n}
      2:3 GRAPHQL_VALIDATION_FAILED Type `Query` does not have a field `nope`. Did you mean `node`?
    { users }
      1:3 GRAPHQL_VALIDATION_FAILED Interface, union and object types must have a subselection set.
    { users { total { x } } }
      1:11 GRAPHQL_VALIDATION_FAILED Field selection of scalar type `Int` must not have subselections.
    { users { nodes { attributes { x } } } }
      1:19 GRAPHQL_VALIDATION_FAILED Field selection of scalar type `JSON` must not have subselections.
    { users { __schema { types { name } } } }
      1:11 GRAPHQL_VALIDATION_FAILED Type `UserPage` does not have a field `__schema`.
    { users(nope: 1) { total } }
      1:9 GRAPHQL_VALIDATION_FAILED The argument `nope` is not supported by `Query.users`.
    { users(page: \"1\") { total } }
      1:15 GRAPHQL_VALIDATION_FAILED Expected value of type Int!, found a string.
    { users(page: 1, page: 2) { total } }
      1:18 GRAPHQL_VALIDATION_FAILED The argument `page` is provided multiple times.
    { users(sort: {field: SHOE_SIZE}) { total } }
      1:23 GRAPHQL_VALIDATION_FAILED Value `SHOE_SIZE` does not exist on `UserSortField`.
    { user { userId } }
      1:3 GRAPHQL_VALIDATION_FAILED The required argument `Query.user(id:)` is not provided.
    { user(id: null) { userId } }
      1:3 GRAPHQL_VALIDATION_FAILED The required argument `Query.user(id:)` is not provided.
      1:12 GRAPHQL_VALIDATION_FAILED Expected value of type ID!, found null.
    query ($x: Int) { users { total } }
      1:8 GRAPHQL_VALIDATION_FAILED Unused variable: `$x`.
    query ($x: Int = \"a\") { users(page: $x) { total } }
      1:18 GRAPHQL_VALIDATION_FAILED Expected value of type Int, found a string.
    query ($x: User) { users(q: $x) { total } }
      1:8 GRAPHQL_VALIDATION_FAILED `$x` variable must be of an input type.
      1:26 GRAPHQL_VALIDATION_FAILED Variable `$x` of type `User` cannot be used for argument `q` of type `String`.
    query ($x: String, $x: String) { users(q: $x) { total } }
      1:20 GRAPHQL_VALIDATION_FAILED The variable `$x` is declared multiple times.
    { users { ...F } } fragment F on Query { users(page: $nope) { total } }
      1:11 GRAPHQL_VALIDATION_FAILED Fragment `F` with type condition `Query` cannot be applied to `UserPage`.
      1:54 GRAPHQL_VALIDATION_FAILED Variable `$nope` is not defined.
    { ...F } fragment F on Query { users(page: $nope) { total } }
      1:44 GRAPHQL_VALIDATION_FAILED Variable `$nope` is not defined.
    { users @include(if: $nope) { total } }
      1:22 GRAPHQL_VALIDATION_FAILED Variable `$nope` is not defined.
    { users @include { total } }
      1:9 GRAPHQL_VALIDATION_FAILED The required argument `@include(if:)` is not provided.
    { users @include(if: true) @include(if: false) { total } }
      1:28 GRAPHQL_VALIDATION_FAILED Non-repeatable directive include can only be used once per location.
    query @skip(if: true) { users { total } }
      1:7 GRAPHQL_VALIDATION_FAILED Skip directive is not supported for QUERY location.
    { users { total @nope } }
      1:17 GRAPHQL_VALIDATION_FAILED Cannot find directive `@nope` in this document.
    { ...Nope }
      1:3 GRAPHQL_VALIDATION_FAILED Cannot find fragment `Nope` in this document.
    { users { ...F } } fragment F on User { email }
      1:11 GRAPHQL_VALIDATION_FAILED Fragment `F` with type condition `User` cannot be applied to `UserPage`.
    { users { ... on Log { date } } }
      1:11 GRAPHQL_VALIDATION_FAILED Inline fragment with type condition `Log` cannot be applied to `UserPage`.
    { users { total } } fragment F on User { email }
      1:21 GRAPHQL_VALIDATION_FAILED Fragment `F` must be used in an operation.
    { ...F } fragment F on Query { ...F }
      1:32 GRAPHQL_VALIDATION_FAILED The fragment `F` spreads itself.
    query ($p: String) { users(page: $p) { total } }
      1:28 GRAPHQL_VALIDATION_FAILED Variable `$p` of type `String` cannot be used for argument `page` of type `Int!`.
    { user(id: 1) { name ...F } } fragment F on User { name: email }
      1:52 GRAPHQL_VALIDATION_FAILED Cannot select different fields into the same alias `name`.
    mutation { __typename }
      1:1 GRAPHQL_VALIDATION_FAILED `mutation` root operation type is not defined.
    subscription { __typename }
      1:16 GRAPHQL_VALIDATION_FAILED Anonymous subscription can not have an introspection field as a root field.
    query A { __typename } mutation B { __typename }
      1:24 GRAPHQL_VALIDATION_FAILED `mutation` root operation type is not defined.
    type User { id: ID }
      1:1 GRAPHQL_VALIDATION_FAILED An executable document must not contain an object type definition.
    query A { users { total } } query A { users { total } }
      1:35 GRAPHQL_VALIDATION_FAILED The operation `A` is defined multiple times in the document.
    query A { users { total } } { users { total } }
      1:29 GRAPHQL_VALIDATION_FAILED Anonymous operation cannot be selected when the document contains other operations.
    { ...F } fragment F on Query { __typename } fragment F on Query { __typename }
      1:54 GRAPHQL_VALIDATION_FAILED The fragment `F` is defined multiple times in the document.
    fragment F on User { email }
      1:1 GRAPHQL_VALIDATION_FAILED Fragment `F` must be used in an operation.
    "#);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = "{ nope users(page: \"1\") { total nope } }";
    assert_eq!(refusal(text).len(), 3);
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

#[test]
fn a_document_takes_no_more_memory_than_it_is_counted_with() {
    let documents = documents();
    let numbered = |count: usize, each: fn(usize) -> String| (0..count).map(each).collect::<String>();
    let everyday = introspection_query(true);
    let texts = [
        "{__typename}".to_owned(),
        format!("{{users{{nodes{{{}}}}}}}", "id ".repeat(1000)),
        format!("{{users{{nodes{{{}}}}}}}", numbered(99, |number| format!("a{number}:userId "))),
        format!("{{users{{nodes{{{}}}}}}}", "...{id}".repeat(700)),
        format!("{{users{{nodes{{{}}}}}}}", "id@skip(if:true)".repeat(99)),
        format!("{{users{{nodes{{{}id}}}}}}", "logs{nodes{ip}}".repeat(400)),
        format!("{{{}}}", "user(id:\"x\"){id}".repeat(49)),
        numbered(49, |number| format!("query A{number}($q:String=\"{number}\"){{users(q:$q){{total}}}}")),
        format!(
            "{}{{users{{nodes{{{}}}}}}}",
            numbered(200, |number| format!("fragment F{number} on User{{id}}")),
            numbered(200, |number| format!("...F{number} ")),
        ),
        everyday.clone(),
    ];
    for text in texts {
        let mut kept = Vec::with_capacity(1);
        let allocated = allocation_counter::measure(|| kept.push(documents.read(&text).unwrap())).bytes_current;
        let size = kept[0].size;
        let allocated = usize::try_from(allocated).unwrap();
        assert!(allocated <= size, "{allocated} bytes are counted as {size}: {text}");
        if text == everyday {
            assert!(size <= 3 * allocated, "{allocated} bytes are counted as {size}");
        }
    }
}
