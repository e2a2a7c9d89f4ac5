//! Web pages: which may ask and read, and what browsers are told of every answer.

use auth0_graphql::http::{self, Origin, Origins};
use serde_json::json;

use crate::answer::{Answer, JSON_POST};
use crate::gateway::{Setup, TestGateway};

const APP: &str = "https://app.example.com";
const USERS: &str = "/graphql?query={users(perPage:1){page}}";
const BODY: &str = r#"{"query":"{ users(perPage: 1) { page } }"}"#;

async fn open_to(cors_origins: Origins) -> TestGateway {
    let http = http::Settings { cors_origins, max_body_bytes: 1_000, ..http::Settings::default() };
    TestGateway::spawn_with(Setup { http, ..Setup::default() }).await
}

async fn open_to_app() -> TestGateway {
    open_to(Origins::These(vec![Origin::parse(APP).unwrap()])).await
}

async fn preflight(gateway: &TestGateway, origin: &str) -> Answer {
    let asks = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,authorization";
    let request = format!("OPTIONS /graphql HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n{asks}\r\n\r\n");
    Answer::to(gateway, request).await
}

async fn post(gateway: &TestGateway, headers: &str, body: &str) -> Answer {
    Answer::to(gateway, format!("{JSON_POST}{headers}Content-Length: {}\r\n\r\n{body}", body.len())).await
}

/// The parts of a list header.
fn list<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let lines = answer.headers.get_all(name).iter().flat_map(|line| line.to_str().unwrap().split(','));
    let mut parts: Vec<_> = lines.map(str::trim).collect();
    parts.sort_unstable();
    parts
}

fn cors_headers(answer: &Answer) -> Vec<&str> {
    answer.headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn no_other_origin_is_allowed_by_default() {
    let gateway = TestGateway::spawn().await;
    let answer = preflight(&gateway, APP).await;
    answer.must_refuse("a preflight", 405, "BAD_REQUEST", "Use POST");
    assert_eq!(cors_headers(&answer), [] as [&str; 0]);
    let answer = Answer::to_get(&gateway, "/graphql?query={__typename}", &[&format!("Origin: {APP}")]).await;
    answer.must_refuse("a GET", 403, "FORBIDDEN", "CORS_ORIGINS");
    assert_eq!(cors_headers(&answer), [] as [&str; 0]);
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_ask_and_read() {
    let gateway = open_to_app().await;
    let answer = preflight(&gateway, APP).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, APP));
    assert_eq!(list(&answer, "access-control-allow-methods"), ["GET", "POST"]);
    let allowed = list(&answer, "access-control-allow-headers");
    for header in [
        "authorization",
        "cache-control",
        "content-type",
        "x-api-key",
        "x-explain",
        "x-request-id",
        "x-request-timeout",
        // What Apollo's clients and libraries for tracing send unasked.
        "apollographql-client-name",
        "apollographql-client-version",
        "traceparent",
        "tracestate",
        "baggage",
        "sentry-trace",
    ] {
        assert!(allowed.contains(&header), "{header} in {allowed:?}");
    }
    assert_eq!(answer.header("access-control-max-age"), "7200");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert_eq!(gateway.all_calls().await, []);

    let from_app = format!("Origin: {APP}\r\nSec-Fetch-Site: cross-site\r\n");
    let answer = post(&gateway, &from_app, BODY).await;
    assert_eq!(answer.json(), json!({ "data": { "users": { "page": 0 } } }));
    assert_eq!(answer.header("access-control-allow-origin"), APP);
    assert_eq!(list(&answer, "access-control-expose-headers"), ["retry-after", "x-request-id", "x-upstream-calls"]);
    assert_eq!(list(&answer, "vary"), ["accept", "origin"]);
    assert_eq!(answer.header("x-upstream-calls"), "1");

    // What goes wrong can be read, too.
    for (headers, body, status) in [
        ("", "{", 400),
        ("", r#"{"query":"{ shoes }"}"#, 200),
        ("Accept: text/html\r\n", BODY, 406),
        ("", " ".repeat(1_001).as_str(), 413),
    ] {
        let answer = post(&gateway, &format!("{from_app}{headers}"), body).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, APP));
    }
    let answer = Answer::to(&gateway, format!("GET /nothing HTTP/1.1\r\nHost: localhost\r\n{from_app}\r\n")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (404, APP));
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_send_the_headers_that_an_operator_adds() {
    let cors_origins = Origins::These(vec![Origin::parse(APP).unwrap()]);
    let cors_headers = "X-Client-Name, x-b3-parentspanid".parse().unwrap();
    let http = http::Settings { cors_origins, cors_headers, ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    let answer = preflight(&gateway, APP).await;
    let allowed = list(&answer, "access-control-allow-headers");
    for header in ["x-client-name", "x-b3-parentspanid", "authorization"] {
        assert!(allowed.contains(&header), "{header} in {allowed:?}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_neither_ask_nor_read() {
    let gateway = open_to_app().await;
    for origin in ["http://app.example.com", "https://app.example.com.example.org", "https://example.com", "null", ""] {
        let answer = preflight(&gateway, origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        let answer = post(&gateway, &format!("Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\n"), BODY).await;
        answer.must_refuse(origin, 403, "FORBIDDEN", "CORS_ORIGINS");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
    }
    assert_eq!(gateway.all_calls().await, []);
}

#[tokio::test]
async fn all_origins_are_allowed_without_credentials() {
    let gateway = open_to(Origins::Any).await;
    for origin in [APP, "null", "http://localhost:5173"] {
        let answer = preflight(&gateway, origin).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        let headers = format!("Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\nCookie: session=1\r\n");
        let answer = post(&gateway, &headers, BODY).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        let answer =
            Answer::to_get(&gateway, USERS, &[&format!("Origin: {origin}"), "Sec-Fetch-Site: cross-site"]).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn posts_of_foreign_pages_are_refused_before_anything_runs() {
    let gateway = open_to_app().await;
    for headers in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: cross-site\r\nOrigin: https://example.org\r\n",
        "Origin: https://example.org\r\n",
        "Origin: https://localhost.example.org\r\n",
        "Origin: null\r\n",
        // Of two, somebody on the way might believe the other; and none is written by leaving it out.
        "Origin: http://localhost\r\nOrigin: https://example.org\r\n",
        "Origin: https://app.example.com\r\nOrigin: https://example.org\r\n",
        "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\nOrigin: http://localhost\r\n",
        "Origin:\r\n",
        "Origin:\r\nOrigin: http://localhost\r\n",
        "Sec-Fetch-Site: none\r\nOrigin:\r\n",
    ] {
        post(&gateway, headers, BODY).await.must_refuse(headers, 403, "FORBIDDEN", "CORS_ORIGINS");
    }
    assert_eq!(gateway.all_calls().await, []);
    for headers in [
        "",
        "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\n",
        "Sec-Fetch-Site: none\r\n",
        // Behind a proxy that changes the host.
        "Sec-Fetch-Site: same-origin\r\nOrigin: https://gateway.example.com\r\n",
        // A browser that says no more, on a page of the gateway's own.
        "Origin: http://localhost\r\n",
        "Origin: https://app.example.com\r\n",
        "Sec-Fetch-Site: cross-site\r\nOrigin: https://app.example.com\r\n",
    ] {
        assert_eq!(post(&gateway, headers, BODY).await.status, 200, "{headers}");
    }
}

#[tokio::test]
async fn foreign_pages_cannot_have_auth0_asked_by_an_address() {
    let gateway = open_to_app().await;
    for headers in [
        &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: image"][..],
        &["Sec-Fetch-Site: same-site", "Sec-Fetch-Dest: script"],
        &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: iframe", "Sec-Fetch-Mode: navigate"],
        &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: empty", "Origin: https://example.org"],
        // Older browsers say no more.
        &["Origin: https://example.org"],
        &["Origin: http://localhost:5173"],
        &["Origin: null"],
        &["Origin: https://app.example.com", "Origin: https://example.org"],
        &["Origin: https://example.org", "Sec-Fetch-Site: none"],
        &["Origin: https://example.org", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Dest: document"],
    ] {
        let answer = Answer::to_get(&gateway, USERS, headers).await;
        answer.must_refuse(&headers.concat(), 403, "FORBIDDEN", "CORS_ORIGINS");
    }
    assert_eq!(gateway.all_calls().await, []);
    for headers in [
        &[][..],
        &["Sec-Fetch-Site: none", "Sec-Fetch-Dest: document"],
        &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate"],
        &["Sec-Fetch-Site: same-origin", "Sec-Fetch-Dest: empty"],
        &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: empty", "Origin: https://app.example.com"],
        &["Origin: https://app.example.com"],
        &["Origin: http://localhost"],
    ] {
        assert_eq!(Answer::to_get(&gateway, USERS, headers).await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn every_answer_says_what_browsers_must_not_do_with_it() {
    let gateway = open_to_app().await;
    for request in [
        "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /graphql?query={__typename} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /graphql HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /graphql?query={__typename} HTTP/1.1\r\nHost: elsewhere.example.com\r\n\r\n",
        "GET /graphql?query={__typename} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nContent-Length: 0\r\n\r\n",
        "OPTIONS /graphql HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example.com\r\n\r\n",
    ] {
        let answer = Answer::to(&gateway, request).await;
        for (name, value) in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(list(&answer, name).join(","), value, "{name}: {request}");
        }
    }
    let page = Answer::to_get(&gateway, "/", &[]).await;
    assert!(page.header("content-security-policy").contains("script-src 'self'"), "{page:?}");
    assert_eq!(list(&page, "content-security-policy").len(), 1);
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-cache", "no-referrer"));
}
