//! Subscribers: real connections, that go on from the greatest id so far when they are cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::delivery_record::DeliveryRecord;

/// The fields that subscribers ask for, ten documents of different sizes.
const FIELDS: [&str; 10] = [
    "logId",
    "logId date",
    "logId date type",
    "logId type description",
    "logId type ip userName",
    "logId date type userId clientId",
    "logId date type userId userName connection",
    "logId type details",
    "logId date type description ip userAgent clientName",
    "logId date type description connection clientId clientName ip userAgent userId userName hostname",
];

/// Most subscriptions of one address, as the gateway counts them.
const PER_ADDRESS: usize = 1_000;

/// The state that all subscribers share.
pub(crate) struct Subscribers {
    pub(crate) gateway: SocketAddr,
    /// The number of those who are subscribed, or were.
    pub(crate) ready: AtomicUsize,
    /// The number of the log that should come next, for each.
    pub(crate) next: Vec<AtomicU64>,
    /// The number of connections that were made.
    pub(crate) connections: AtomicUsize,
}

impl Subscribers {
    pub(crate) fn new(gateway: SocketAddr, size: usize) -> Arc<Self> {
        let next = (0..size).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { gateway, ready: AtomicUsize::new(0), next, connections: AtomicUsize::new(0) })
    }
}

/// A subscriber by its number: the even ones have WebSockets, the odd ones Server-Sent Events.
pub(crate) struct Subscriber {
    pub(crate) number: usize,
    pub(crate) crowd: Arc<Subscribers>,
    delivery_record: DeliveryRecord,
    is_ready: bool,
}

impl Subscriber {
    pub(crate) fn new(number: usize, crowd: Arc<Subscribers>) -> Self {
        // A few take the time, which costs more than the rest of it.
        let delivery_record = DeliveryRecord::new(number % 20 < 2);
        Self { number, crowd, delivery_record, is_ready: false }
    }

    /// Subscribes until it is told to stop, and again whenever the connection ends.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> DeliveryRecord {
        loop {
            let deliveries = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return self.delivery_record,
                deliveries = self.subscribe() => deliveries,
            };
            if deliveries.is_err() {
                // The gateway is not there at the moment.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    async fn subscribe(&mut self) -> Result<()> {
        let stream = self.connect().await?;
        self.crowd.connections.fetch_add(1, Ordering::Relaxed);
        if self.number.is_multiple_of(2) { self.web_socket(stream).await } else { self.events(stream).await }
    }

    async fn connect(&self) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        let host = 1 + self.number / PER_ADDRESS;
        socket.bind((Ipv4Addr::new(127, 0, 0, u8::try_from(host)?), 0).into())?;
        Ok(socket.connect(self.crowd.gateway).await?)
    }

    fn payload(&self) -> Value {
        let fields = FIELDS[(self.number / 2) % FIELDS.len()];
        json!({
            "query": format!("subscription ($from: ID) {{ logs(from: $from) {{ {fields} }} }}"),
            "variables": { "from": self.delivery_record.newest() },
        })
    }

    async fn web_socket(&mut self, stream: TcpStream) -> Result<()> {
        let mut request = format!("ws://{}/graphql", self.crowd.gateway).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (mut socket, _) = client_async(request, stream).await?;
        socket.send(Message::text(r#"{"type":"connection_init"}"#)).await?;
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": self.payload() });
        socket.send(Message::text(subscribe.to_string())).await?;
        // Its answer tells that what was said before has been taken.
        socket.send(Message::text(r#"{"type":"ping"}"#)).await?;
        while let Some(message) = socket.next().await {
            match message? {
                Message::Text(text) => match text.as_str() {
                    r#"{"type":"connection_ack"}"# => {}
                    r#"{"type":"pong"}"# => self.ready(),
                    message => self.record(message.as_bytes()),
                },
                Message::Close(_) => break,
                _ => {}
            }
        }
        Ok(())
    }

    async fn events(&mut self, stream: TcpStream) -> Result<()> {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = hyper::Request::post("/graphql")
            .header(HOST, self.crowd.gateway.to_string())
            .header(ACCEPT, "text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(self.payload().to_string())))?;
        let response = sender.send_request(request).await?;
        ensure!(response.status() == 200, "{}", response.status());
        let mut body = response.into_body();
        let mut text: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame?.into_data().ok().context("a trailer in a stream of events")?;
            text.extend_from_slice(&data);
            let mut taken = 0;
            while let Some(length) = memmem::find(&text[taken..], b"\n\n") {
                let event = &text[taken..taken + length];
                taken += length + 2;
                // The first comment tells that the stream is there, the others that it still is.
                if event.starts_with(b":") { self.ready() } else { self.record(event) }
            }
            text.drain(..taken);
        }
        connection.abort();
        Ok(())
    }

    fn ready(&mut self) {
        if !std::mem::replace(&mut self.is_ready, true) {
            self.crowd.ready.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn record(&mut self, text: &[u8]) {
        self.delivery_record.record(text);
        if let Some(next) = self.delivery_record.next() {
            self.crowd.next[self.number].store(next, Ordering::Relaxed);
        }
    }
}
