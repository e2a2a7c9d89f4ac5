//! The upgrade requests that are let through.

use auth0_graphql::http::{self, Origin, Origins};

use crate::answer::Answer;
use crate::gateway::{Setup, TestGateway};

/// The example of RFC 6455 (1.3), for GraphQL.
pub(super) const GOOD: &str = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\n\
     Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";

const PROTOCOL: &str = "Sec-WebSocket-Protocol: graphql-transport-ws";

async fn with(gateway: &TestGateway, from: &str, to: &str) -> Answer {
    assert!(GOOD.contains(from), "{from}");
    Answer::to(gateway, GOOD.replace(from, to)).await
}

#[tokio::test]
async fn a_good_request_is_upgraded() {
    let gateway = TestGateway::spawn().await;
    for protocols in ["graphql-transport-ws", "graphql-ws, graphql-transport-ws", "mqtt,graphql-transport-ws"] {
        let answer = with(&gateway, PROTOCOL, &format!("Sec-WebSocket-Protocol: {protocols}")).await;
        assert_eq!(answer.status, 101, "{protocols}");
        assert_eq!(answer.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(answer.header("sec-websocket-protocol"), "graphql-transport-ws", "{protocols}");
    }
}

#[tokio::test]
async fn other_protocols_are_refused() {
    let gateway = TestGateway::spawn().await;
    for (line, says) in [
        ("Sec-WebSocket-Protocol: graphql-ws", "older protocol"),
        ("Sec-WebSocket-Protocol: mqtt", "`Sec-WebSocket-Protocol` has to"),
        ("X-Nothing: 1", "`Sec-WebSocket-Protocol` has to"),
    ] {
        with(&gateway, PROTOCOL, line).await.must_refuse(line, 400, "BAD_REQUEST", says);
    }
}

#[tokio::test]
async fn bad_handshakes_are_refused() {
    let gateway = TestGateway::spawn().await;
    for (from, to) in
        [("Connection: keep-alive, Upgrade\r\n", ""), ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")]
    {
        with(&gateway, from, to).await.must_refuse(from, 400, "BAD_REQUEST", "RFC 6455");
    }
    let answer = with(&gateway, "Version: 13", "Version: 8").await;
    answer.must_refuse("version", 426, "BAD_REQUEST", "RFC 6455");
    assert_eq!(answer.header("sec-websocket-version"), "13");
    // No WebSocket is asked for: it is an ordinary request, and a bad one.
    with(&gateway, "Upgrade: WebSocket", "Upgrade: h2c").await.must_refuse("h2c", 400, "BAD_REQUEST", "no `query`");
    with(&gateway, "GET /", "POST /").await.must_refuse("POST", 415, "BAD_REQUEST", "application/json");
}

#[tokio::test]
async fn pages_of_other_origins_are_kept_out() {
    let gateway = TestGateway::spawn().await;
    for origin in
        ["http://evil.example.com", "http://localhost:3000", "http://127.0.0.1", "https://localhost:80", "null", ""]
    {
        let lines = format!("Origin: {origin}\r\n{PROTOCOL}");
        with(&gateway, PROTOCOL, &lines).await.must_refuse(origin, 403, "FORBIDDEN", "CORS_ORIGINS");
    }
    let twice = format!("Origin: http://localhost\r\nOrigin: http://localhost\r\n{PROTOCOL}");
    with(&gateway, PROTOCOL, &twice).await.must_refuse("twice", 403, "FORBIDDEN", "CORS_ORIGINS");
    for origin in ["http://localhost", "https://localhost", "http://localhost:80"] {
        let answer = with(&gateway, PROTOCOL, &format!("Origin: {origin}\r\n{PROTOCOL}")).await;
        assert_eq!(answer.status, 101, "{origin}");
    }
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_open_one() {
    let cors_origins = Origins::These(vec![Origin::parse("https://app.example.com").unwrap()]);
    let http = http::Settings { cors_origins, ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    // What else browsers say of a page.
    for site in ["X-Nothing: 1", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: websocket"] {
        for (origin, status) in [("https://app.example.com", 101), ("https://evil.example.com", 403)] {
            let answer = with(&gateway, PROTOCOL, &format!("Origin: {origin}\r\n{site}\r\n{PROTOCOL}")).await;
            assert_eq!(answer.status, status, "{origin} {site}");
        }
    }
}

#[tokio::test]
async fn a_page_whose_name_resolves_to_this_machine_is_kept_out() {
    let gateway = TestGateway::spawn().await;
    let lines = "Host: rebound.example.com\r\nOrigin: http://rebound.example.com\r\n";
    let answer = with(&gateway, "Host: localhost\r\n", lines).await;
    answer.must_refuse("rebound", 421, "BAD_REQUEST", "ALLOWED_HOSTS");
}
