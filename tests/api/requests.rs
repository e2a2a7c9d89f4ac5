//! Requests that are wrong, each refused in the same form, after which the gateway is as well as before.

mod arrival;
mod ids;

use serde_json::json;

use crate::answer::{Answer, JSON_POST};
use crate::gateway::{TestGateway, codes};

const GOOD: &str = r#"{"query":"{ __typename }"}"#;

/// The gateway is as well as before, and has asked nothing of Auth0.
async fn must_be_unharmed(gateway: &TestGateway, after: &str) {
    assert_eq!(gateway.data("{ __typename }").await, json!({ "__typename": "Query" }), "after {after}");
    assert_eq!(gateway.all_calls().await, [], "after {after}");
}

#[tokio::test]
async fn bodies_that_are_no_graphql_request_are_refused() {
    let gateway = TestGateway::spawn().await;
    let nested = |length: usize| format!("{}{}", "[".repeat(length), "]".repeat(length));
    let not_json = "The body is not JSON";
    let not_an_object = "must be a JSON object with `query`";
    let unreadable = "`variables` cannot be read";
    for (body, says) in [
        ("", not_json),
        ("   ", not_json),
        ("{", not_json),
        ("{ __typename }", not_json),
        ("{'query':'{ __typename }'}", not_json),
        (r#"{"query":"{ __typename }",}"#, not_json),
        (r#"{"query":"{ __typename }"} {}"#, not_json),
        ("\u{feff}{\"query\":\"{ __typename }\"}", not_json),
        ("query={__typename}", not_json),
        ("null", not_an_object),
        ("1", not_an_object),
        (r#""{ __typename }""#, not_an_object),
        (r#"{"query":"{ a }","query":"{ b }"}"#, not_an_object),
        (r#"{"query":"{ a }","variables":{},"variables":{}}"#, not_an_object),
        ("[]", "Batches"),
        (r#"[{"query":"{ __typename }"}]"#, "Batches"),
        ("\n\t [{}", "Batches"),
        ("{}", "no `query`"),
        (r#"{"query":null}"#, "no `query`"),
        (r#"{"Query":"{ __typename }"}"#, "no `query`"),
        (r#"{"query":["{ __typename }"]}"#, "`query` must be a string"),
        (r#"{"query":"\ud800"}"#, "`query` is not Unicode"),
        (r#"{"query":"{ a }","operationName":{}}"#, "`operationName` must be a string"),
        (r#"{"query":"{ a }","operationName":"\udc00"}"#, "`operationName` is not Unicode"),
        (r#"{"query":"{ a }","variables":"{}"}"#, "`variables` must be a JSON object"),
        (r#"{"query":"{ a }","variables":[]}"#, "`variables` must be a JSON object"),
        (r#"{"query":"{ a }","variables":{"x":"\ud800"}}"#, unreadable),
        (r#"{"query":"{ a }","extensions":1}"#, "`extensions` must be a JSON object"),
        (&format!(r#"{{"query":"{{ a }}","extensions":{{"x":{}}}}}"#, nested(40_000)), "`extensions` cannot be read"),
        (&format!(r#"{{"query":{}}}"#, nested(40_000)), "`query` must be a string"),
        (&nested(40_000), "Batches"),
        (&r#"{"query":"#.repeat(10_000), "not JSON"),
    ] {
        let what: String = body.chars().take(80).collect();
        Answer::to_post(&gateway, body).await.must_refuse(&what, 400, "BAD_REQUEST", says);
        must_be_unharmed(&gateway, &what).await;
    }
    for body in [&b"{\"query\":\"{ __typename }\xff\"}"[..], b"\xff\xfe{\0}\0", b"\0", b"\x80"] {
        let answer = Answer::to_post(&gateway, body).await;
        let says = if body == b"\0" { "not JSON" } else { "not UTF-8" };
        answer.must_refuse(&format!("{body:?}"), 400, "BAD_REQUEST", says);
    }
    must_be_unharmed(&gateway, "bytes that are no text").await;
}

#[tokio::test]
async fn query_strings_that_are_no_graphql_request_are_refused() {
    let gateway = TestGateway::spawn().await;
    for (target, says) in [
        ("/graphql", "no `query`"),
        ("/graphql?", "no `query`"),
        ("/graphql?query=", "no `query`"),
        ("/graphql?quarry=%7Ba%7D", "no `query`"),
        ("/graphql?query=%7Ba%7D&query=%7Bb%7D", "`query` is there twice"),
        ("/graphql?query=%7Ba%7D&%71uery=%7Bb%7D", "`query` is there twice"),
        ("/graphql?query=%7Ba%7D&variables=x", "`variables` cannot be read"),
        ("/graphql?query=%7Ba%7D&variables=1", "`variables` must be a JSON object"),
        ("/graphql?query=%7Ba%7D&extensions=%5B%5D", "`extensions` must be a JSON object"),
        // Searched for, U+FFFD would find somebody else.
        ("/graphql?query=%7Busers(q:%22%FF%22)%7Bpage%7D%7D", "not UTF-8"),
        ("/graphql?query=%7Busers%7Bpage%7D%7D&operationName=%C3", "not UTF-8"),
        ("/graphql?query=query($q:String)%7Busers(q:$q)%7Bpage%7D%7D&variables=%7B%22q%22:%22%80%22%7D", "not UTF-8"),
    ] {
        Answer::to_get(&gateway, target, &[]).await.must_refuse(target, 400, "BAD_REQUEST", says);
        must_be_unharmed(&gateway, target).await;
    }
}

#[tokio::test]
async fn values_that_no_variable_can_take_are_refused() {
    let gateway = TestGateway::spawn().await;
    let nested = |length: usize| format!("{}{}", "[".repeat(length), "]".repeat(length));
    for (value, code, says) in [
        ("1e999", "GRAPHQL_VALIDATION_FAILED", "The variable `$x` does not fit"),
        (&nested(1_000), "QUERY_TOO_COMPLEX", "too complex"),
        (&nested(40_000), "QUERY_TOO_COMPLEX", "too complex"),
    ] {
        let query = "query ($x: Int) { users(page: $x) { page } }";
        let body = format!(r#"{{"query":"{query}","variables":{{"x":{value}}}}}"#);
        Answer::to_post(&gateway, &body).await.must_refuse(&value[..5], 200, code, says);
    }
}

#[tokio::test]
async fn documents_that_cannot_run_are_refused() {
    let gateway = TestGateway::spawn().await;
    let (parse, valid, complex) = ("GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "QUERY_TOO_COMPLEX");
    let fields: String = (0..3_000).map(|n| format!("a{n}:__typename ")).collect();
    let chain: String = (0..2_400).map(|n| format!("fragment F{n} on Query {{ ...F{} }} ", n + 1)).collect();
    for (query, code, says) in [
        ("", parse, "not GraphQL"),
        ("#", parse, "not GraphQL"),
        ("{ __typename \0 }", parse, "not GraphQL"),
        ("\0", parse, "not GraphQL"),
        ("{ é }", parse, "not GraphQL"),
        ("{ __typename", parse, "not GraphQL"),
        ("{ a(b: \"\n\") }", parse, "not GraphQL"),
        ("fragment A on Query { __typename }", valid, "must be used in an operation"),
        ("query A { __typename } query A { __typename }", valid, "`A` is defined multiple times"),
        ("{ __typename } query A { __typename }", valid, "Anonymous"),
        ("{ shoes }", valid, "shoes"),
        ("{ ...A }", valid, "A"),
        ("{ ...A } fragment A on Query { ...A }", valid, "spreads itself"),
        ("mutation { __typename }", valid, ""),
        ("query ($x: Int!) { users(page: $x) { page } }", valid, "x"),
        (&format!("{}a{}", "{ a ".repeat(6_000), "}".repeat(6_000)), complex, "too complex"),
        (&"{".repeat(99_000), complex, "too complex"),
        (&format!("{{ users(q: {}1{}) {{ page }} }}", "[".repeat(40_000), "]".repeat(40_000)), complex, "too complex"),
        (&format!("{{ {fields} }}"), complex, "too complex"),
        (&format!("{{ ...F0 }} {chain} fragment F2400 on Query {{ __typename }}"), complex, "too complex"),
    ] {
        let what: String = query.chars().take(80).collect();
        let body = json!({ "query": query }).to_string();
        Answer::to_post(&gateway, &body).await.must_refuse(&what, 200, code, says);
        let head =
            format!("{JSON_POST}Accept: application/graphql-response+json\r\nContent-Length: {}\r\n\r\n", body.len());
        Answer::to(&gateway, head + &body).await.must_refuse(&what, 400, code, says);
        must_be_unharmed(&gateway, &what).await;
    }
}

#[tokio::test]
async fn an_operation_that_cannot_be_told_is_refused() {
    let gateway = TestGateway::spawn().await;
    for (body, says) in [
        (json!({ "query": "query A { __typename }", "operationName": "B" }), "`operationName`"),
        (json!({ "query": "{ __typename }", "operationName": "A" }), "`operationName`"),
        (json!({ "query": "{ __typename }", "operationName": "\0" }), "`operationName`"),
        (json!({ "query": "query A { __typename } query B { __typename }" }), "several operations"),
    ] {
        let answer = Answer::to_post(&gateway, body.to_string()).await;
        answer.must_refuse(&body.to_string(), 200, "BAD_REQUEST", says);
    }
    must_be_unharmed(&gateway, "operations that are not there").await;
}

#[tokio::test]
async fn other_methods_are_refused_and_those_allowed_are_named() {
    let gateway = TestGateway::spawn().await;
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let request =
            format!("{method} /graphql?query={{__typename}} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        let answer = Answer::to(&gateway, request).await;
        answer.must_refuse(method, 405, "BAD_REQUEST", "Use POST, or GET");
        assert_eq!(answer.header("allow"), "GET, POST", "{method}");
    }
    let head = Answer::to(&gateway, "HEAD /graphql?query={__typename} HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((head.status, head.header("allow"), head.text()), (405, "GET, POST", ""));

    // Whoever sends GraphQL to the wrong place is told the right one.
    for (path, status) in
        [("/", 405), ("/playground/main.js", 405), ("/nothing", 404), ("/graphql/", 404), ("//graphql", 404)]
    {
        let request = JSON_POST.replace("/graphql", path);
        let answer = Answer::to(&gateway, format!("{request}Content-Length: {}\r\n\r\n{GOOD}", GOOD.len())).await;
        answer.must_refuse(path, status, "BAD_REQUEST", "GraphQL is served at /graphql");
        let allowed = if status == 405 { "GET,HEAD" } else { "" };
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
    must_be_unharmed(&gateway, "other methods").await;
}

#[tokio::test]
async fn bodies_of_other_types_are_refused() {
    let gateway = TestGateway::spawn().await;
    for headers in [
        "",
        "Content-Type: \r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/graphql\r\n",
        "Content-Type: application/json; charset=iso-8859-1\r\n",
        "Content-Type: application/json, text/plain\r\n",
        "Content-Type: text/plain\r\nContent-Type: application/json\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n",
    ] {
        let request = format!(
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{GOOD}",
            GOOD.len()
        );
        let says = if headers.contains("Encoding") { "compress" } else { "application/json" };
        Answer::to(&gateway, request).await.must_refuse(headers, 415, "BAD_REQUEST", says);
    }
    let plain = format!("{JSON_POST}Content-Encoding: Identity\r\nContent-Length: {}\r\n\r\n{GOOD}", GOOD.len());
    assert_eq!(Answer::to(&gateway, plain).await.status, 200);
    must_be_unharmed(&gateway, "bodies of other types").await;
}

#[tokio::test]
async fn clients_that_take_no_json_are_refused() {
    let gateway = TestGateway::spawn().await;
    for accept in [
        "text/html",
        "image/*, text/*;q=0.5",
        "application/json;q=0",
        "application/json;q=0, application/graphql-response+json;q=0, */*",
        "application/json; charset=utf-16",
        "application/json;q=NaN",
        "application/json;q=2",
        "*/*;q=0",
        "nonsense",
    ] {
        let line = format!("Accept: {accept}");
        let answer = Answer::to_get(&gateway, "/graphql?query={__typename}", &[&line]).await;
        answer.must_refuse(accept, 406, "BAD_REQUEST", "`Accept`");
        let answer =
            Answer::to(&gateway, format!("{JSON_POST}{line}\r\nContent-Length: {}\r\n\r\n{GOOD}", GOOD.len())).await;
        answer.must_refuse(accept, 406, "BAD_REQUEST", "`Accept`");
    }
    must_be_unharmed(&gateway, "clients that take no JSON").await;
}

#[tokio::test]
async fn http_2_is_spoken_without_tls() {
    let gateway = TestGateway::spawn().await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let post = || client.post(format!("{}/graphql", gateway.url)).header("content-type", "application/json");
    let response = post().body(r#"{"query":"{ users(perPage: 1) { nodes { userId } } }"}"#).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let answer = Answer::from(response).await.json();
    assert!(answer["data"]["users"]["nodes"][0]["userId"].is_string(), "{answer}");
    let answer = Answer::from(post().body("{").send().await.unwrap()).await;
    answer.must_refuse("HTTP/2", 400, "BAD_REQUEST", "not JSON");
}

#[tokio::test]
async fn a_name_that_is_not_in_the_schema_comes_with_those_that_are_like_it() {
    let gateway = TestGateway::spawn().await;
    for (query, expected) in [
        ("{ users { nodes { emial } } }", "Did you mean `email`?"),
        ("{ users { nodes { ...F } } } fragment F on User { phone_number }", "Did you mean `phoneNumber`?"),
        ("{ usrs { total } }", "Did you mean `users` or `user`?"),
        ("{ users(perpage: 1) { total } }", "Did you mean `perPage` or `page`?"),
        ("{ users(sort: { feild: NAME }) { total } }", "Did you mean `field`?"),
        ("{ users(sort: { field: USERNAM }) { total } }", "Did you mean `USERNAME` or `USER_ID`?"),
        ("query($s: UserSort = { field: name }) { users(sort: $s) { total } }", "Did you mean `NAME`?"),
        ("query($q: Sting) { users(q: $q) { total } }", "Did you mean `String` or `Int`?"),
        ("{ users { nodes { ... on Usr { email } } } }", "Did you mean `User`?"),
        ("{ users @include(iff: true) { total } }", "Did you mean `if`?"),
    ] {
        let response = gateway.query(query).await;
        let messages = response["errors"].as_array().unwrap().iter().map(|error| error["message"].as_str().unwrap());
        let suggested: Vec<_> = messages.filter(|message| message.contains("Did you mean")).collect();
        let [message] = suggested[..] else { panic!("{query}: {response}") };
        assert!(message.ends_with(expected), "{query}: {response}");
    }
    let response = gateway.query("{ users { nodes { somethingElse } } }").await;
    assert_eq!(codes(&response), ["GRAPHQL_VALIDATION_FAILED"]);
    assert!(!response.to_string().contains("Did you mean"), "{response}");
    assert_eq!(gateway.all_calls().await, []);
}
