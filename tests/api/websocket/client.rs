//! A client that says what a test wants said, be it right or wrong.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::gateway::TestGateway;

/// After which a test has failed rather than that it waits any longer.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    /// A connection on which nothing has been said.
    pub(crate) async fn connect(gateway: &TestGateway) -> Self {
        Self::connect_with(gateway, &[]).await.0
    }

    /// The same, with more headers in the upgrade request; gives back those of the answer too.
    pub(crate) async fn connect_with(gateway: &TestGateway, headers: &[(&'static str, &str)]) -> (Self, HeaderMap) {
        Self::connect_to(&gateway.url, headers).await
    }

    pub(crate) async fn connect_to(url: &str, headers: &[(&'static str, &str)]) -> (Self, HeaderMap) {
        let url = format!("{}/graphql", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        for (name, value) in [("sec-websocket-protocol", "graphql-transport-ws")].iter().chain(headers) {
            request.headers_mut().insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let (socket, response) = connect_async(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
        (Self { socket }, response.into_parts().0.headers)
    }

    /// A connection that is acknowledged.
    pub(crate) async fn ready(gateway: &TestGateway) -> Self {
        let mut client = Self::connect(gateway).await;
        client.init(Value::Null).await;
        assert_eq!(client.receive().await, json!({ "type": "connection_ack" }));
        client
    }

    pub(crate) async fn init(&mut self, payload: Value) {
        self.say(json!({ "type": "connection_init", "payload": payload })).await;
    }

    pub(crate) async fn subscribe(&mut self, id: &str, payload: Value) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": payload })).await;
    }

    /// Runs an operation, the only one under way.
    pub(crate) async fn run(&mut self, payload: Value) -> Value {
        self.subscribe("only", payload).await;
        let mut next = self.receive().await;
        assert_eq!((&next["id"], &next["type"]), (&json!("only"), &json!("next")), "{next}");
        assert_eq!(self.receive().await, json!({ "id": "only", "type": "complete" }));
        next["payload"].take()
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends a message for as long as the gateway takes it, a thousand times at most.
    pub(crate) async fn send_without_end(&mut self, message: Message) {
        for _ in 0..1_000 {
            if self.socket.send(message.clone()).await.is_err() {
                return;
            }
        }
    }

    /// The close code and the reason, after whatever answers to pings there are.
    pub(crate) async fn close_after_pongs(&mut self) -> (u16, String) {
        loop {
            match self.receive_text_or_close().await {
                Ok(text) => assert_eq!(text, r#"{"type":"pong"}"#),
                Err(close) => return close,
            }
        }
    }

    pub(crate) async fn receive(&mut self) -> Value {
        serde_json::from_str(&self.receive_text().await).unwrap()
    }

    pub(crate) async fn receive_text(&mut self) -> String {
        self.receive_text_or_close().await.unwrap_or_else(|(code, reason)| panic!("closed: {code} {reason}"))
    }

    /// The close code and the reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.receive_text_or_close().await {
            Ok(text) => panic!("not closed: {text}"),
            Err(close) => close,
        }
    }

    /// The next text, or the close code and the reason.
    pub(crate) async fn receive_text_or_close(&mut self) -> Result<String, (u16, String)> {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return Ok(text.to_string()),
                Some(Message::Close(Some(frame))) => return Err((frame.code.into(), frame.reason.to_string())),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the connection ends without a close frame.
    pub(crate) async fn is_cut_off(&mut self) {
        while let Some(Ok(message)) = self.socket.next().await {
            assert!(!matches!(message, Message::Close(_) | Message::Text(_)), "{message:?}");
        }
    }

    /// The next message, of any kind. Reading it answers a ping.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        let next = tokio::time::timeout_at(Instant::now() + TIMEOUT, self.socket.next()).await;
        next.unwrap().map(|message| message.unwrap())
    }
}
