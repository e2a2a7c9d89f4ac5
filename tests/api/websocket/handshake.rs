//! Which upgrade requests are let through.

use std::future::poll_fn;
use std::pin::pin;

use auth0_graphql::http::WebSocketSettings;
use futures_util::future::{Either, select};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::{Method, Request};

use super::client::Client;
use super::gateway_with;
use crate::answer::Answer;
use crate::gateway::TestGateway;

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
        with(&gateway, PROTOCOL, &lines).await.must_refuse(origin, 403, "BAD_REQUEST", "origins");
    }
    let twice = format!("Origin: http://localhost\r\nOrigin: http://localhost\r\n{PROTOCOL}");
    with(&gateway, PROTOCOL, &twice).await.must_refuse("twice", 403, "BAD_REQUEST", "origins");
    for origin in ["http://localhost", "https://localhost", "http://localhost:80"] {
        let answer = with(&gateway, PROTOCOL, &format!("Origin: {origin}\r\n{PROTOCOL}")).await;
        assert_eq!(answer.status, 101, "{origin}");
    }
}

#[tokio::test]
async fn a_page_whose_name_resolves_to_this_machine_is_kept_out() {
    let gateway = TestGateway::spawn().await;
    let lines = "Host: rebound.example.com\r\nOrigin: http://rebound.example.com\r\n";
    let answer = with(&gateway, "Host: localhost\r\n", lines).await;
    answer.must_refuse("rebound", 421, "BAD_REQUEST", "ALLOWED_HOSTS");
}

#[tokio::test]
async fn connections_are_limited_in_number() {
    let gateway = gateway_with(WebSocketSettings { max_connections: 1, ..WebSocketSettings::default() }).await;
    let mut first = Client::ready(&gateway).await;
    with(&gateway, PROTOCOL, PROTOCOL).await.must_refuse("second", 503, "RATE_LIMITED", "too many WebSockets");
    first.say(serde_json::json!({ "type": "ping" })).await;
    assert_eq!(first.hear().await["type"], "pong");
}

/// As proxies and browsers open them where they speak HTTP/2 (RFC 8441).
#[tokio::test]
async fn a_stream_of_http_2_can_be_a_web_socket() {
    let gateway = TestGateway::spawn().await;
    let stream = TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let exchange = async {
        let mut client = client.ready().await.unwrap();
        // The first answer comes after the settings that allow for WebSockets.
        let probe = Request::get("http://localhost/livez").body(()).unwrap();
        assert_eq!(client.send_request(probe, true).unwrap().0.await.unwrap().status(), 200);
        let mut client = client.ready().await.unwrap();
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri("http://localhost/graphql")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "graphql-transport-ws")
            .body(())
            .unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (answer, mut sender) = client.send_request(request, false).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["sec-websocket-protocol"], "graphql-transport-ws");
        // A text with a mask of zeros.
        let ping = br#"{"type":"ping"}"#;
        let frame = [&[0x81, 0x80 | 15, 0, 0, 0, 0], &ping[..]].concat();
        sender.send_data(frame.into(), false).unwrap();
        let mut body = answer.into_body();
        let heard = poll_fn(|context| body.poll_data(context)).await.unwrap().unwrap();
        assert_eq!(&heard[2..], br#"{"type":"pong"}"#);
    };
    match select(pin!(exchange), pin!(connection)).await {
        Either::Left(_) => {}
        Either::Right((ended, _)) => panic!("{ended:?}"),
    }
}
