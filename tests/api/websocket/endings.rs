//! The end of a connection.

use std::time::Duration;

use auth0_graphql::http::{self, Connections, WebSocketSettings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::client::Client;
use super::{USERS, VERSION, gateway_with, held};
use crate::gateway::{Setup, TestGateway};
use crate::serving::{PATIENT, SHORT, Serving, patient};

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let gateway = TestGateway::spawn().await;
    for (message, says) in [
        (Message::text(""), "JSON object"),
        (Message::text("hello"), "JSON object"),
        (Message::text("[]"), "JSON object"),
        (Message::text(r#"{"type":"start","id":"1","payload":{}}"#), "`type` must be"),
        (Message::text(r#"{"type":"subscribe","id":"1"}"#), "`payload` must be"),
        (Message::text(r#"{"type":"subscribe","payload":{}}"#), "`id`"),
        (Message::text(r#"{"type":"connection_init","payload":1}"#), "must be an object"),
        (
            Message::text(r#"{"type":"connection_init","payload":{"headers":{"x-request-timeout":"0"}}}"#),
            "x-request-timeout",
        ),
        (Message::text(format!("{}1{}", r#"{"a":["#.repeat(9_000), "]}".repeat(9_000))), "JSON object"),
        (Message::binary(br#"{"type":"ping"}"#.to_vec()), "texts"),
    ] {
        let mut client = Client::connect(&gateway).await;
        client.send(message.clone()).await;
        let (code, reason) = client.closed().await;
        assert_eq!(code, 4400, "{message:?}: {reason}");
        assert!(reason.contains(says), "{message:?}: {reason}");
    }
}

#[tokio::test]
async fn nothing_runs_before_the_connection_is_acknowledged() {
    let gateway = TestGateway::spawn().await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("1", json!({ "query": USERS })).await;
    assert_eq!(client.closed().await.0, 4401);
    assert_eq!(gateway.calls().await, []);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let gateway =
        gateway_with(WebSocketSettings { init_timeout: Duration::from_millis(10), ..WebSocketSettings::default() })
            .await;
    let mut client = Client::connect(&gateway).await;
    assert_eq!(client.closed().await, (4408, "Connection initialisation timeout".to_owned()));
}

#[tokio::test]
async fn an_id_stands_for_one_operation_at_a_time() {
    let (_auth0, gateway) = held(WebSocketSettings::default()).await;
    let mut client = Client::ready(&gateway).await;
    client.subscribe("a", json!({ "query": USERS })).await;
    client.subscribe("\u{61}", json!({ "query": VERSION })).await;
    assert_eq!(client.closed().await, (4409, "Subscriber for a already exists".to_owned()));
}

#[tokio::test]
async fn one_introduction_is_enough() {
    let gateway = TestGateway::spawn().await;
    let mut client = Client::ready(&gateway).await;
    client.init(Value::Null).await;
    assert_eq!(client.closed().await, (4429, "Too many initialisation requests".to_owned()));
}

#[tokio::test]
async fn more_pings_than_anybody_needs_end_the_connection_before_and_after_it_is_acknowledged() {
    let gateway = TestGateway::spawn().await;
    for ping in
        [Message::Ping(Default::default()), Message::Pong(Default::default()), Message::text(r#"{"type":"ping"}"#)]
    {
        for is_ready in [false, true] {
            let mut client = if is_ready { Client::ready(&gateway).await } else { Client::connect(&gateway).await };
            client.send_without_end(ping.clone()).await;
            let (code, reason) = client.close_after_pongs().await;
            assert_eq!(code, 1008, "{ping:?}: {reason}");
            assert!(reason.contains("pings"), "{reason}");
        }
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let http = http::Settings { max_body_bytes: 1_000, ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    let padded = |length: usize| Message::text(format!("{:<length$}", r#"{"type":"ping"}"#));
    let mut client = Client::ready(&gateway).await;
    client.send(padded(1_000)).await;
    assert_eq!(client.receive().await, json!({ "type": "pong" }));
    client.send(padded(1_001)).await;
    let (code, reason) = client.closed().await;
    assert_eq!(code, 1009);
    assert!(reason.contains("1000 bytes"), "{reason}");
}

#[tokio::test]
async fn frames_that_cannot_be_read_end_the_connection() {
    let http = http::Settings { max_body_bytes: 1_000, ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    for frame in [
        // A text that is not UTF-8, one without a mask, a reserved kind, one whose end would never come.
        &b"\x81\x81\0\0\0\0\xff"[..],
        b"\x81\x02{}",
        b"\x83\x80\0\0\0\0",
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
    ] {
        let mut connection = upgraded(&gateway.url).await;
        connection.write_all(frame).await.unwrap();
        let mut rest = Vec::new();
        connection.read_to_end(&mut rest).await.unwrap();
        // Final, a close frame; 1002.
        assert_eq!((rest[0], &rest[2..4]), (0x88, &1002_u16.to_be_bytes()[..]), "{frame:?}: {rest:?}");
    }
}

#[tokio::test]
async fn a_peer_that_gives_no_sign_of_life_is_left() {
    let settings = WebSocketSettings { ping_interval: Duration::from_millis(10), ..WebSocketSettings::default() };
    let gateway = gateway_with(settings).await;
    let mut connection = upgraded(&gateway.url).await;
    let mut received = Vec::new();
    connection.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"\x89\0", "one ping, and the end");
}

#[tokio::test]
async fn a_peer_that_answers_pings_is_kept() {
    let settings = WebSocketSettings { ping_interval: Duration::from_secs(1), ..WebSocketSettings::default() };
    let gateway = gateway_with(settings).await;
    let mut client = Client::ready(&gateway).await;
    for _ in 0..2 {
        assert_eq!(client.next().await, Some(Message::Ping(Default::default())));
    }
    assert!(client.run(json!({ "query": VERSION })).await["data"]["gateway"].is_object());
}

#[tokio::test]
async fn a_client_that_closes_is_answered() {
    let gateway = TestGateway::spawn().await;
    let mut client = Client::ready(&gateway).await;
    client.send(Message::Close(None)).await;
    assert!(matches!(client.next().await, Some(Message::Close(_))));
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn what_is_under_way_is_answered_before_the_gateway_stops() {
    let mut serving = Serving::start(patient()).await;
    let (mut idle, _) = Client::connect_to(&serving.url, &[]).await;
    let (mut busy, _) = Client::connect_to(&serving.url, &[]).await;
    busy.init(Value::Null).await;
    assert_eq!(busy.receive().await, json!({ "type": "connection_ack" }));
    busy.subscribe("1", json!({ "query": "{ users { nodes { userId } } }" })).await;
    let call = serving.auth0.call().await;
    serving.stop();
    assert_eq!(idle.closed().await, (1001, "The gateway stops.".to_owned()));
    call.answer().await;
    assert_eq!(busy.receive().await["payload"], json!({ "data": { "users": { "nodes": [] } } }));
    assert_eq!(busy.receive().await["type"], "complete");
    assert_eq!(busy.closed().await.0, 1001);
    assert_eq!((idle.next().await, busy.next().await), (None, None));
    serving.ended.await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_close_is_cut_off_when_the_gateway_stops() {
    let connections = Connections { drain_timeout: SHORT, ..PATIENT };
    let mut serving = Serving::start(http::Settings { request_timeout: SHORT, connections, ..patient() }).await;
    let mut connection = upgraded(&serving.url).await;
    serving.stop();
    serving.ended.await.unwrap();
    let mut received = Vec::new();
    connection.read_to_end(&mut received).await.unwrap();
    assert_eq!((received[0], &received[2..4]), (0x88, &1001_u16.to_be_bytes()[..]), "{received:?}");
}

/// A connection after the handshake, byte by byte.
async fn upgraded(url: &str) -> TcpStream {
    let mut connection = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    connection.write_all(super::handshake::GOOD.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    connection
}
