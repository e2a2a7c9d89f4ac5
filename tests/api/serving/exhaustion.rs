//! A stranger's share of resources: answers that nobody reads, bodies that never come, connections that are never used.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use auth0_graphql::http::{self, Connections, SendLimits};
use serde_json::json;

use super::http2::{
    DATA, GOAWAY, Http2, INITIAL_WINDOW_SIZE, PING, WINDOW_UPDATE, frame, get, get_livez, post_without_body,
};
use super::{Client, LIVEZ, PATIENT, SHORT, Serving, patient, users};
use crate::answer::Answer;
use crate::gateway::{Setup, TestGateway, codes};
use crate::metrics::refused;

/// More than one piece of an answer, and less than two.
const LARGE: &str = "/graphql?query={a:users(perPage:100){...F}b:users(perPage:100,page:1){...F}c:users(perPage:100,page:2){...F}\
     d:users(perPage:100,page:3){...F}}fragment%20F%20on%20UserPage{nodes{attributes,email,name,userId,identities{connection}}}";
const SMALL: &str = "/graphql?query={__typename}";

async fn with(http: http::Settings) -> (TestGateway, SocketAddr) {
    let gateway = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    let address = gateway.url.strip_prefix("http://").unwrap().parse().unwrap();
    (gateway, address)
}

/// The frame that gives a stream, or with 0 the connection, so many bytes of window.
fn window(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

#[tokio::test]
async fn an_answer_that_is_read_byte_by_byte_ends_its_connection() {
    let send = SendLimits { grace: SHORT, bytes_per_second: NonZeroUsize::MAX, ..SendLimits::default() };
    let (_gateway, address) = with(http::Settings { send, ..patient() }).await;
    let mut client = Http2::connect(address, &[(INITIAL_WINDOW_SIZE, 1)]).await;
    client.write(&get(1, LARGE)).await;
    let mut read = 0;
    while let Some(frame) = client.frame().await {
        read += frame.payload.len();
        if frame.kind == DATA && client.write_if_open(&window(1, 1)).await.is_err() {
            break;
        }
    }
    assert!(read > 1 && read < 70_000, "{read} bytes");
}

#[tokio::test]
async fn answers_that_are_read_at_the_least_rate_are_sent_whole() {
    let send = SendLimits { grace: SHORT, bytes_per_second: NonZeroUsize::MIN, ..SendLimits::default() };
    let (_gateway, address) = with(http::Settings { send, ..patient() }).await;
    let mut client = Http2::connect(address, &[]).await;
    client.write(&[get(1, LARGE), window(0, 1 << 20)].concat()).await;
    let mut read = 0;
    loop {
        let frame = client.frame().await.unwrap();
        if frame.kind == DATA {
            read += frame.payload.len();
            if frame.flags & 1 == 1 {
                break;
            }
            client.write(&window(1, u32::try_from(frame.payload.len()).unwrap().max(1))).await;
        }
    }
    assert!(read > 64 * 1024, "{read} bytes");
}

#[tokio::test]
async fn answers_that_nobody_reads_are_bounded_and_small_ones_still_find_room() {
    let send = SendLimits { total: 400_000, ..SendLimits::default() };
    let (gateway, address) = with(http::Settings { send, ..patient() }).await;
    let mut greedy = Vec::new();
    // A connection holds no more than one of them, and all together no more than a caller's share.
    for _ in 0..3 {
        let mut client = Http2::connect(address, &[(INITIAL_WINDOW_SIZE, 0)]).await;
        for stream in [1, 3, 5] {
            client.write(&get(stream, LARGE)).await;
        }
        for _ in 0..3 {
            while client.frame().await.unwrap().kind != super::http2::HEADERS {}
        }
        greedy.push(client);
    }
    let refusal = Answer::to_get(&gateway, LARGE, &[]).await;
    refusal.must_refuse("one more", 503, "RATE_LIMITED", "wait to be read");
    assert_eq!(refusal.header("retry-after"), "1");
    assert_eq!(Answer::to_get(&gateway, SMALL, &[]).await.status, 200);
    assert!(refused(&gateway.url, "unread_responses").await >= 1.0);
    // What their connections held is free again.
    drop(greedy);
    while Answer::to_get(&gateway, LARGE, &[]).await.status == 503 {}
}

#[tokio::test]
async fn an_answer_that_an_old_client_does_not_read_ends_its_connection() {
    let send = SendLimits { grace: SHORT, bytes_per_second: NonZeroUsize::MAX, ..SendLimits::default() };
    let (_gateway, address) = with(http::Settings { send, ..patient() }).await;
    let mut client = Client::to(address).await;
    // More answers than the buffers of both systems hold.
    let asking = tokio::spawn(async move {
        let requests = format!("GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(200);
        client.write_if_open(&requests).await;
        client.until_closed().await;
    });
    asking.await.unwrap();
}

#[tokio::test]
async fn bodies_that_never_come_keep_nobody_out() {
    let http = http::Settings {
        max_concurrent_requests: NonZeroUsize::MIN,
        max_bodies: NonZeroUsize::new(3).unwrap(),
        ..patient()
    };
    let serving = Serving::start(http).await;
    let mut stalled = Vec::new();
    for _ in 0..5 {
        let mut client = serving.connect().await;
        client.write(&format!("{}x", users().split_once('{').unwrap().0)).await;
        let mut by_stream = Http2::connect(serving.address, &[]).await;
        for stream in 0..10 {
            by_stream.write(&post_without_body(1 + 2 * stream)).await;
        }
        stalled.push((client, by_stream));
    }
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..10 {
        let body = json!({ "query": "{ __typename }" });
        let answer = http.post(format!("{}/graphql", serving.url)).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    // The first of them had to make room.
    let told = stalled.remove(0).0.read_until("}]}").await;
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    let told: serde_json::Value = serde_json::from_str(told.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(codes(&told), ["RATE_LIMITED"]);
    assert!(refused(&serving.url, "bodies").await >= 1.0);
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_not_crowded_out_by_the_many_addresses_of_one_network() {
    let http = http::Settings {
        max_bodies: NonZeroUsize::new(3).unwrap(),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..patient()
    };
    let serving = Serving::start(http).await;
    let (head, body) = (
        |address: &str| {
            let head = format!("POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\n");
            format!("{head}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 24\r\n\r\n")
        },
        r#"{"query":"{__typename}"}"#,
    );
    let mut clients = Vec::new();
    for address in ["192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::ffff:4"] {
        let mut client = serving.connect().await;
        client.write(&head(address)).await;
        // Its body is waited for by now.
        client.read_until("100 Continue\r\n\r\n").await;
        clients.push(client);
    }
    clients[0].write(body).await;
    let answer = clients[0].read_until("}}").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_newcomer_replaces_the_connection_that_is_idle_for_longest() {
    let connections = Connections { most: NonZeroUsize::new(2).unwrap(), replaceable_after: Duration::ZERO, ..PATIENT };
    let serving = Serving::start(http::Settings { connections, ..patient() }).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = serving.connect().await;
        client.write(LIVEZ).await;
        client.read_until("ok\n").await;
        clients.push(client);
    }
    // The first is used once more.
    clients[0].write(LIVEZ).await;
    assert!(clients[0].read_until("ok\n").await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(serving.get(SMALL).await.unwrap().status(), 200);
    assert_eq!(clients.remove(1).rest().await, "");
    clients[0].write(LIVEZ).await;
    assert!(clients[0].read_until("ok\n").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_connection_whose_answer_is_being_read_is_not_the_one_that_is_idle() {
    let connections = Connections { most: NonZeroUsize::new(2).unwrap(), replaceable_after: Duration::ZERO, ..PATIENT };
    let (gateway, address) = with(http::Settings { connections, ..patient() }).await;
    let mut reader = Http2::connect(address, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    reader.write(&get(1, LARGE)).await;
    while reader.frame().await.unwrap().kind != super::http2::HEADERS {}
    let mut idle = Client::to(address).await;
    idle.write(LIVEZ).await;
    idle.read_until("ok\n").await;
    // Later than the other's last answer, a piece of this one goes out.
    reader.write(&window(1, 1_000)).await;
    while reader.frame().await.unwrap().kind != DATA {}
    assert_eq!(Answer::to_get(&gateway, SMALL, &[]).await.status, 200);
    assert_eq!(idle.rest().await, "");
    reader.write(&window(1, 1_000)).await;
    while reader.frame().await.unwrap().kind != DATA {}
}

#[tokio::test]
async fn where_no_connection_is_free_probes_are_answered_and_others_are_told() {
    let serving =
        Serving::start(http::Settings { connections: Connections { most: NonZeroUsize::MIN, ..PATIENT }, ..patient() })
            .await;
    let mut first = serving.connect().await;
    first.write(LIVEZ).await;
    first.read_until("ok\n").await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(serving.get(path).await.unwrap().status(), 200, "{path}");
    }
    let refusal = Answer::from(serving.get(SMALL).await.unwrap()).await;
    refusal.must_refuse("another", 503, "RATE_LIMITED", "too many connections");
    assert_eq!((refusal.header("retry-after"), refusal.header("connection")), ("1", "close"));
    // It is one of a few: whoever says nothing on it is closed.
    assert_eq!(serving.connect().await.rest().await, "");
    drop(first);
    while refused(&serving.url, "connections").await < 1.0 {}
}

#[tokio::test]
async fn pings_keep_no_connection() {
    let serving =
        Serving::start(http::Settings { connections: Connections { idle_timeout: SHORT, ..PATIENT }, ..patient() })
            .await;
    let mut client = Http2::connect(serving.address, &[]).await;
    client.write(&get_livez(1)).await;
    let mut says_goodbye = false;
    while let Some(received) = client.frame().await {
        says_goodbye |= received.kind == GOAWAY;
        let ping = frame(PING, 0, 0, b"are you?");
        if matches!(received.kind, DATA | PING) && client.write_if_open(&ping).await.is_err() {
            break;
        }
    }
    assert!(says_goodbye);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_that_ask_the_same_at_once_are_all_answered() {
    let gateway = TestGateway::spawn().await;
    let address: SocketAddr = gateway.url.strip_prefix("http://").unwrap().parse().unwrap();
    let clients: Vec<_> = (0..1_000)
        .map(|_| {
            tokio::spawn(async move {
                let mut client = Client::to(address).await;
                client.write(&users()).await;
                client.read_until("\r\n").await
            })
        })
        .collect();
    for client in clients {
        let answer = client.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    let calls = gateway.calls().await.len();
    assert!(calls < 10, "{calls} calls");
}
