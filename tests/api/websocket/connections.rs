//! A WebSocket among the other connections.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::time::Duration;

use auth0_graphql::http::{self, Connections, SendLimits, WebSocketSettings};
use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::http::{Method, Request, Response};

use super::VERSION;
use super::client::Client;
use crate::answer::Answer;
use crate::gateway::{Setup, TestGateway};
use crate::serving::{Serving, patient};

/// A gateway that takes so many connections, keeps none for as long as a WebSocket may be silent, and asks WebSockets whether
/// they are there.
async fn impatient(most: usize) -> TestGateway {
    let connections = Connections {
        most: NonZeroUsize::new(most).unwrap(),
        idle_timeout: Duration::from_millis(500),
        replaceable_after: Duration::from_secs(600),
        ..Connections::default()
    };
    let web_sockets = WebSocketSettings { ping_interval: Duration::from_secs(2), ..WebSocketSettings::default() };
    let http = http::Settings { connections, web_sockets, ..http::Settings::default() };
    TestGateway::spawn_with(Setup { http, ..Setup::default() }).await
}

#[tokio::test]
async fn a_web_socket_is_kept_for_longer_than_a_connection_that_is_idle() {
    let gateway = impatient(10).await;
    let mut client = Client::ready(&gateway).await;
    // Four times the time in which an idle connection is over.
    assert_eq!(client.next().await, Some(Message::Ping(Default::default())));
    assert!(client.run(json!({ "query": VERSION })).await["data"]["gateway"].is_object());
}

#[tokio::test]
async fn a_web_socket_counts_as_a_connection() {
    let gateway = impatient(1).await;
    let mut client = Client::ready(&gateway).await;
    // So that the server has let go of it.
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.receive().await["type"], "pong");
    let second = Answer::to_get(&gateway, "/graphql?query={__typename}", &[]).await;
    second.must_refuse("a second connection", 503, "RATE_LIMITED", "too many connections");
    assert!(client.run(json!({ "query": VERSION })).await["data"]["gateway"].is_object());
    drop(client);
    while Answer::to_get(&gateway, "/graphql?query={__typename}", &[]).await.status == 503 {}
}

#[tokio::test]
async fn a_web_socket_that_is_idle_makes_room_for_a_newcomer() {
    let connections =
        Connections { most: NonZeroUsize::MIN, replaceable_after: Duration::ZERO, ..Connections::default() };
    let http = http::Settings { connections, ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    let mut client = Client::ready(&gateway).await;
    assert_eq!(Answer::to_get(&gateway, "/graphql?query={__typename}", &[]).await.status, 200);
    client.is_cut_off().await;
}

/// WebSockets as proxies and browsers open them where they speak HTTP/2 (RFC 8441).
#[tokio::test]
async fn a_stream_of_http_2_can_be_a_web_socket() {
    // One place for the connection, one for its WebSocket.
    let gateway = impatient(2).await;
    let mut connection = Http2::connect(&gateway.url).await;
    let (answer, mut sender) = connection.open(None).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["sec-websocket-protocol"], "graphql-transport-ws");
    let mut receiver = answer.into_body();
    assert_eq!(connection.open(None).await.0.status(), 503, "there is no place for another");
    assert_eq!(connection.open(Some("http://evil.example.com")).await.0.status(), 403);

    // A ping of the WebSocket's own, after a time in which an idle connection is over.
    assert_eq!(received(&mut receiver).await, b"\x89\0"[..]);
    // A text with a mask of zeros.
    let ping = br#"{"type":"ping"}"#;
    let frame = [&[0x81, 0x80 | 15, 0, 0, 0, 0], &ping[..]].concat();
    sender.send_data(frame.into(), false).unwrap();
    assert_eq!(received(&mut receiver).await[2..], br#"{"type":"pong"}"#[..]);

    // Closed: its place is free.
    sender.send_data(Bytes::from_static(b"\x88\x80\0\0\0\0"), true).unwrap();
    assert_eq!(received(&mut receiver).await[0], 0x88);
    while connection.open(None).await.0.status() == 503 {}
}

#[tokio::test]
async fn a_web_socket_on_a_stream_is_closed_when_the_gateway_stops() {
    let mut serving = Serving::start(patient()).await;
    let mut connection = Http2::connect(&serving.url).await;
    let (answer, mut sender) = connection.open(None).await;
    let mut receiver = answer.into_body();
    serving.stop();
    let close = received(&mut receiver).await;
    assert_eq!((close[0], &close[2..4]), (0x88, &1001_u16.to_be_bytes()[..]), "{close:?}");
    sender.send_data(Bytes::from_static(b"\x88\x80\0\0\0\0"), true).unwrap();
    serving.ended.await.unwrap();
}

/// More than the window of a stream.
const LARGE: &str = "{a:users(perPage:100){...F}b:users(perPage:100,page:1){...F}c:users(perPage:100,page:2){...F}\
     d:users(perPage:100,page:3){...F}}fragment F on UserPage{nodes{attributes,email,name,userId,identities{connection}}}";

/// The window of a client of HTTP/2: what may come ahead of its reading, less what it has been told meanwhile.
const WINDOW: usize = 65_000;

/// Asks for a large answer by a WebSocket on a stream, and reads no more of it than the window lets through.
async fn ask_and_do_not_read(connection: &mut Http2) -> (RecvStream, SendStream<Bytes>) {
    let (answer, mut sender) = connection.open(None).await;
    let mut receiver = answer.into_body();
    say(&mut sender, &json!({ "type": "connection_init" }));
    assert!(received(&mut receiver).await.ends_with(br#"{"type":"connection_ack"}"#));
    say(&mut sender, &json!({ "type": "subscribe", "id": "a", "payload": { "query": LARGE } }));
    let mut unread = 0;
    while unread < WINDOW {
        unread += poll_fn(|context| receiver.poll_data(context)).await.unwrap().unwrap().len();
    }
    (receiver, sender)
}

#[tokio::test]
async fn an_answer_by_a_web_socket_on_a_stream_counts_until_it_is_read() {
    let send = SendLimits { total: 240_000, ..SendLimits::default() };
    let gateway =
        TestGateway::spawn_with(Setup { http: http::Settings { send, ..patient() }, ..Setup::default() }).await;
    let mut connection = Http2::connect(&gateway.url).await;
    let (mut receiver, _sender) = ask_and_do_not_read(&mut connection).await;
    let path = format!("/graphql?query={}", LARGE.replace(' ', "%20"));
    // Two are more than a caller's share.
    Answer::to_get(&gateway, &path, &[]).await.must_refuse("one more", 503, "RATE_LIMITED", "wait to be read");
    receiver.flow_control().release_capacity(WINDOW).unwrap();
    while !received(&mut receiver).await.ends_with(br#"{"id":"a","type":"complete"}"#) {}
    while Answer::to_get(&gateway, &path, &[]).await.status == 503 {}
}

#[tokio::test]
async fn a_web_socket_on_a_stream_that_does_not_read_its_answer_ends_its_connection() {
    let send =
        SendLimits { grace: Duration::from_millis(500), bytes_per_second: NonZeroUsize::MAX, ..SendLimits::default() };
    let gateway =
        TestGateway::spawn_with(Setup { http: http::Settings { send, ..patient() }, ..Setup::default() }).await;
    let mut connection = Http2::connect(&gateway.url).await;
    let (mut receiver, _sender) = ask_and_do_not_read(&mut connection).await;
    while let Some(Ok(_)) = poll_fn(|context| receiver.poll_data(context)).await {}
    assert!(connection.client.clone().ready().await.is_err());
}

/// Sends a text with a mask of zeros.
fn say(sender: &mut SendStream<Bytes>, message: &Value) {
    let text = message.to_string();
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    let frame = [&[0x81, 0x80 | 126, length[0], length[1], 0, 0, 0, 0], text.as_bytes()].concat();
    sender.send_data(frame.into(), false).unwrap();
}

async fn received(receiver: &mut RecvStream) -> Bytes {
    let received = poll_fn(|context| receiver.poll_data(context)).await.unwrap().unwrap();
    receiver.flow_control().release_capacity(received.len()).unwrap();
    received
}

/// A connection of HTTP/2.
struct Http2 {
    client: SendRequest<Bytes>,
    driver: AbortHandle,
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Http2 {
    async fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let driver = tokio::spawn(connection).abort_handle();
        let mut client = client.ready().await.unwrap();
        // The first answer comes after the settings that allow for WebSockets.
        let probe = Request::get("http://localhost/livez").body(()).unwrap();
        assert_eq!(client.send_request(probe, true).unwrap().0.await.unwrap().status(), 200);
        Self { client, driver }
    }

    /// Asks for a WebSocket, for a page of this origin.
    async fn open(&mut self, origin: Option<&str>) -> (Response<RecvStream>, SendStream<Bytes>) {
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri("http://localhost/graphql")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "graphql-transport-ws");
        let mut request =
            origin.into_iter().fold(request, |request, origin| request.header("origin", origin)).body(()).unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (answer, sender) = self.client.send_request(request, false).unwrap();
        (answer.await.unwrap(), sender)
    }
}
