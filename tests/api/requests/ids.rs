//! The id that every request has, the client's own or a new one.

use serde_json::json;

use crate::answer::Answer;
use crate::gateway::TestGateway;

#[tokio::test]
async fn ids_that_are_fit_are_taken_over_into_the_answer_and_its_errors() {
    let gateway = TestGateway::spawn().await;
    let longest = "x".repeat(64);
    for id in ["7f2c", "Root=1-67891233-abcdef012345678912345678", "a_b.c/d+e:f", longest.as_str()] {
        let answer = Answer::to_get(&gateway, "/graphql?query={__typename}", &[&format!("X-Request-Id: {id}")]).await;
        assert_eq!((answer.status, answer.header("x-request-id")), (200, id));
        let answer = Answer::to_get(&gateway, "/graphql?query={shoes}", &[&format!("X-Request-Id: {id}")]).await;
        assert_eq!(answer.json()["errors"][0]["extensions"]["requestId"], id);
    }
    let failed = "/graphql?query={users(perPage:0){page}}";
    let answer = Answer::to_get(&gateway, failed, &["X-Request-Id: one-that-ran"]).await;
    let response = answer.json();
    assert_eq!(response["data"], json!({ "users": null }), "{response}");
    assert_eq!(response["errors"][0]["extensions"]["requestId"], "one-that-ran");
}

#[tokio::test]
async fn ids_that_are_not_fit_are_replaced() {
    let gateway = TestGateway::spawn().await;
    let too_long = "x".repeat(65);
    for id in ["", "two words", "a\"b", "<script>", "{}", "a\tb", "ünfit", too_long.as_str()] {
        let answer = Answer::to_get(&gateway, "/graphql", &[&format!("X-Request-Id: {id}")]).await;
        let given = answer.header("x-request-id");
        assert_ne!(given, id);
        assert!(given.len() == 32 && given.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}: {given}");
        answer.must_refuse(id, 400, "BAD_REQUEST", "no `query`");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_and_is_not_sniffed() {
    let gateway = TestGateway::spawn().await;
    let mut ids = Vec::new();
    for (request, status) in [
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n\r\n", 304),
        ("OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET /playground/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /playground/%FF HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /graphql?query={__typename} HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("GET /graphql?query={__typename} HTTP/1.1\r\nHost: elsewhere.example.com\r\n\r\n", 421),
        ("GET /graphql?query={__typename} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n", 406),
        ("HEAD /graphql HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    ] {
        let answer = Answer::to(&gateway, request).await;
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{request}");
        assert!(!answer.header("x-request-id").is_empty(), "{request}");
        ids.push(answer.header("x-request-id").to_owned());
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
