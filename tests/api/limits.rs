//! Limits on the cost of a document, over HTTP: each refuses before anything runs, and never what tools and front ends send.

use std::fmt::Write as _;

use auth0_graphql::graphql::{DocumentSettings, Enforcement, Limits};
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};

/// `count` times what `part` writes for each number.
fn times(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

async fn limited(limits: Limits) -> TestGateway {
    TestGateway::spawn_with(Setup { limits, ..Setup::default() }).await
}

/// Asks for all that there is to know of a schema, as graphql-js's `getIntrospectionQuery` does with every option on.
fn introspection() -> String {
    let deprecated = "(includeDeprecated: true)";
    format!(
        "query IntrospectionQuery {{
           __schema {{
             description queryType {{ name kind }} mutationType {{ name kind }} subscriptionType {{ name kind }}
             types {{ ...FullType }}
             directives {{ name description isRepeatable locations args{deprecated} {{ ...InputValue }} }}
           }}
         }}
         fragment FullType on __Type {{
           kind name description specifiedByURL isOneOf
           fields{deprecated} {{
             name description args{deprecated} {{ ...InputValue }} type {{ ...TypeRef }} isDeprecated deprecationReason
           }}
           inputFields{deprecated} {{ ...InputValue }} interfaces {{ ...TypeRef }}
           enumValues{deprecated} {{ name description isDeprecated deprecationReason }} possibleTypes {{ ...TypeRef }}
         }}
         fragment InputValue on __InputValue {{
           name description type {{ ...TypeRef }} defaultValue isDeprecated deprecationReason
         }}
         fragment TypeRef on __Type {{ kind name {} {} }}",
        "ofType { kind name ".repeat(9),
        "}".repeat(9),
    )
}

#[tokio::test]
async fn the_fullest_introspection_query_is_answered_whatever_data_may_cost() {
    let gateway = limited(Limits { depth: 3, cost: 100, upstream_calls: 1, ..Limits::default() }).await;
    let data = gateway.data(&introspection()).await;
    let types = data["__schema"]["types"].as_array().unwrap();
    assert!(types.iter().any(|ty| ty["name"] == "User" && ty["fields"].as_array().unwrap().len() > 20));
}

#[tokio::test]
async fn each_limit_refuses_before_anything_runs() {
    let gateway = TestGateway::spawn().await;
    let mut doubling = "{ ...F0 }".to_owned();
    for level in 0..20 {
        write!(doubling, " fragment F{level} on Query {{ ...F{} ...F{} }}", level + 1, level + 1).unwrap();
    }
    doubling.push_str(" fragment F20 on Query { __typename }");
    assert!(doubling.len() < 1_000);
    let (list, text) = ("1,".repeat(201), "x".repeat(32_001));
    for (measure, request) in [
        ("document bytes", json!({ "query": format!("{{ __typename }} #{}", "x".repeat(50_000)) })),
        ("tokens", json!({ "query": format!("{{ {} }}", times(2_500, |n| format!("a{n}: __typename "))) })),
        ("name length", json!({ "query": format!("{{ {} }}", "a".repeat(201)) })),
        ("nesting", json!({ "query": format!("{{ users(q: {}", "[".repeat(100)) })),
        ("fields", json!({ "query": doubling })),
        ("fields", json!({ "query": format!("{{ users {{ {} }} }}", "total ".repeat(2_000)) })),
        ("depth", json!({ "query": format!("{} {}", "{ a ".repeat(11), "}".repeat(11)) })),
        ("root fields", json!({ "query": format!("{{ {} }}", "__typename ".repeat(51)) })),
        (
            "aliases",
            json!({ "query": format!("{{ users {{ nodes {{ {} }} }} }}", times(101, |n| format!("a{n}: email "))) }),
        ),
        ("directives", json!({ "query": format!("{{ __typename {} }}", "@skip(if: false) ".repeat(101)) })),
        (
            "introspection depth",
            json!({ "query": format!("{{ __type(name: \"A\") {} name {} }}", "{ ofType ".repeat(16), "}".repeat(16)) }),
        ),
        (
            "introspection size",
            json!({ "query": format!(
                "{{ __schema {{ types {} {{ name }} {} }} }}", "{ fields { type ".repeat(5), "} }".repeat(5)
            ) }),
        ),
        ("list length", json!({ "query": format!("{{ users(q: [{list}]) {{ total }} }}") })),
        (
            "list length",
            json!({ "query": "query ($s: UserSort) { users(sort: $s) { total } }", "variables": { "s": { "y": vec![1; 201] } } }),
        ),
        ("string length", json!({ "query": format!("{{ users(q: \"{text}\") {{ total }} }}") })),
        (
            "string length",
            json!({ "query": "query ($q: String) { users(q: $q) { total } }", "variables": { "q": text } }),
        ),
        (
            "upstream calls",
            json!({ "query": format!("{{ {} }}", times(21, |n| format!("u{n}: user(id: \"auth0|{n}\") {{ email }} "))) }),
        ),
        (
            "cost",
            json!({ "query": format!(
                "{{ {} }}",
                times(6, |n| format!("p{n}: users(page: {n}, perPage: 100) {{ nodes {{ {} }} }} ", json_fields(9)))
            ) }),
        ),
    ] {
        let response = gateway.send(request).await;
        assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"], "{measure}: {response}");
        assert_eq!(response.get("data"), None);
        let error = &response["errors"][0];
        let extensions = &error["extensions"];
        assert_eq!(extensions["measure"], measure, "{response}");
        let (limit, value) = (extensions["limit"].as_u64().unwrap(), extensions["value"].as_u64().unwrap());
        assert!(value > limit, "{response}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&format!("{value} ")) && message.contains(&limit.to_string()), "{message}");
    }
    assert_eq!(gateway.all_calls().await, []);
}

/// `count` fields of type JSON, under aliases.
fn json_fields(count: usize) -> String {
    times(count, |n| format!("a{n}: attributes "))
}

#[tokio::test]
async fn what_front_ends_send_passes() {
    let gateway = TestGateway::spawn().await;
    let sdl = include_str!("../../schema.graphql");
    let user = sdl.split("\ntype User implements Node {").nth(1).unwrap().split("\n}").next().unwrap();
    // A field with arguments is joined, and calls of its own: it takes several lines.
    let is_plain = |line: &&str| !line.starts_with("\t\t") && !line.trim_start().starts_with(['"', ')']);
    let fields = user.lines().filter(is_plain).filter_map(|line| {
        let (name, ty) = line.trim().split_once(": ")?;
        (!["Identity", "List"].iter().any(|inner| ty.contains(inner)) && !name.contains('(')).then_some(name)
    });
    let fields = fields.collect::<Vec<_>>().join(" ");
    let query = format!("{{ users(perPage: 100) {{ total nodes {{ {fields} identities {{ provider userId }} }} }} }}");
    let nodes = gateway.data(&query).await["users"]["nodes"].take();
    assert_eq!(nodes.as_array().unwrap().len(), 100);
    // Twenty records in one request, as a data loader of a front end asks for them.
    let twenty = format!("{{ {} }}", times(20, |n| format!("u{n}: user(id: \"auth0|{n}\") {{ ...U }} ")));
    gateway.data(&format!("{twenty} fragment U on User {{ userId email }}")).await;
    // What a fragment selects of a user are no root fields, however many they are.
    let sixty = times(60, |n| format!("a{n}: email "));
    gateway.data(&format!("{{ users(perPage: 1) {{ nodes {{ ...U }} }} }} fragment U on User {{ {sixty} }}")).await;
}

#[tokio::test]
async fn a_page_size_that_is_out_of_bounds_is_told_as_such() {
    let gateway = TestGateway::spawn().await;
    let query = format!("{{ users(perPage: 2147483647) {{ nodes {{ {} }} }} }}", json_fields(40));
    let response = gateway.query(&query).await;
    assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{response}");
}

#[tokio::test]
async fn limits_that_are_measured_only_refuse_nothing_but_what_would_harm_the_process() {
    let limits = Limits { enforcement: Enforcement::Measure, depth: 1, cost: 1, upstream_calls: 1 };
    let gateway = limited(limits).await;
    let aliases = times(150, |n| format!("a{n}: email "));
    let data = gateway.data(&format!("{{ users(perPage: 2) {{ nodes {{ {aliases} }} }} }}")).await;
    assert_eq!(data["users"]["nodes"][1].as_object().unwrap().len(), 150);
    let warnings = gateway.data("{ gateway { warnings } }").await["gateway"]["warnings"].take();
    // The first is that anonymous callers are let in.
    assert_eq!(
        warnings.as_array().unwrap()[1..],
        [
            "LIMITS=measure: operations beyond most limits are counted here, and run.",
            "Beyond the limit of 1 for depth: 2 since the start, the greatest 3.",
            "Beyond the limit of 81 for aliases: 1 since the start, the greatest 150.",
            "Beyond the limit of 1 for cost: 1 since the start, the greatest 300.",
        ]
    );
    let possible = times(12, |_| "possibleTypes { interfaces { ".to_owned());
    for query in [
        format!("{{ __type(name: \"Node\") {{ {possible} name {} }} }}", " } }".repeat(12)),
        format!("{{ {} }}", times(1_100, |n| format!("a{n}: __schema {{ types {{ fields {{ name }} }} }} "))),
        format!("{{ users(q: {}", "[".repeat(1_000)),
        format!("{{ {} }} fragment F on Query {{ {} }}", "...F ".repeat(100), "__typename ".repeat(1_000)),
    ] {
        assert_eq!(codes(&gateway.query(&query).await), ["QUERY_TOO_COMPLEX"]);
    }
    // The fullest query of tools is far from that.
    assert!(gateway.data(&introspection()).await["__schema"]["types"].is_array());
}

#[tokio::test]
async fn a_document_that_is_wrong_in_many_places_is_told_the_first_few() {
    let gateway = TestGateway::spawn().await;
    let response = gateway.query(&format!("{{ users {{ {} }} }}", times(1_500, |n| format!("nope{n} ")))).await;
    let errors = response["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 11, "{response}");
    assert!(codes(&response).iter().all(|code| *code == "GRAPHQL_VALIDATION_FAILED"), "{response}");
    assert_eq!(errors[10]["message"], "There are 1490 more errors.");
}

#[tokio::test]
async fn an_operation_that_fails_in_many_places_is_told_the_first_hundred() {
    let gateway = TestGateway::spawn_with(Setup {
        limits: Limits { upstream_calls: 200, ..Limits::default() },
        ..Setup::default()
    })
    .await;
    let fields = times(120, |n| format!("u{n}: user(id: \"\\u0007{n}\") {{ email }} "));
    let response = gateway.query(&format!("{{ {fields} }}")).await;
    assert_eq!(response["data"].as_object().unwrap().len(), 120);
    let errors = response["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &errors[100]["message"]), (101, &json!("There are 20 more errors.")), "{response}");
    assert_eq!(errors[100]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn without_introspection_the_schema_is_not_told_and_typenames_are() {
    let documents = DocumentSettings { introspection: false, ..DocumentSettings::default() };
    let gateway = TestGateway::spawn_with(Setup { documents, ..Setup::default() }).await;
    let message = |response: &Value| response["errors"][0]["message"].as_str().unwrap().to_owned();
    for query in [introspection(), "{ __type(name: \"User\") { name } }".to_owned()] {
        let response = gateway.query(&query).await;
        assert_eq!(codes(&response), ["GRAPHQL_VALIDATION_FAILED"], "{response}");
        assert!(message(&response).contains("Introspection is switched off"), "{response}");
    }
    let response = gateway.query("{ users { nodes { emall } } }").await;
    assert!(!message(&response).contains("Did you mean"), "{response}");
    let data = gateway.data("{ __typename users(perPage: 1) { __typename nodes { __typename } } }").await;
    assert_eq!(
        data,
        json!({ "__typename": "Query", "users": { "__typename": "UserPage", "nodes": [{ "__typename": "User" }] } })
    );
}

#[tokio::test]
async fn incremental_delivery_is_refused() {
    let gateway = TestGateway::spawn().await;
    for query in ["{ ... @defer { __typename } }", "{ users { nodes @stream { email } } }"] {
        let response = gateway.query(query).await;
        assert_eq!(codes(&response), ["GRAPHQL_VALIDATION_FAILED"], "{response}");
        assert!(response["errors"][0]["message"].as_str().unwrap().contains("one piece"), "{response}");
    }
    assert_eq!(gateway.all_calls().await, []);
}
