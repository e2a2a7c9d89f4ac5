//! The tail of logs: a response for each, as it comes.

mod endings;
mod events;
mod failing;
mod filters;
mod push;
mod resuming;
mod server_sent;
mod streams;

use std::time::Duration;

use auth0_graphql::auth0::{ClientPolicy, TailSettings};
use auth0_graphql::sandbox::{Clock, Options};
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway};
use crate::websocket::Client;

/// A tenant in which logs come when they are ordered, and a gateway that looks for them all the time.
pub(crate) fn setup() -> Setup {
    let tail = TailSettings { max_interval: Duration::from_millis(50), ..TailSettings::default() };
    Setup {
        sandbox: Options { clock: Clock::system(), logs: 300, logs_per_minute: 0, ..Options::default() },
        policy: ClientPolicy { tail, ..ClientPolicy::default() },
        ..Setup::default()
    }
}

/// Has so many logs arrive, and gives back their ids.
pub(crate) async fn arrive(gateway: &TestGateway, count: u64) -> Vec<String> {
    let made = gateway.control("logs", json!({ "count": count })).await;
    serde_json::from_value(made["ids"].clone()).unwrap()
}

/// Waits until the gateway knows which logs are past.
async fn tailing(gateway: &TestGateway) {
    while !gateway.calls().await.iter().any(|call| call.path == "/api/v2/logs" && call.status == Some(200)) {
        tokio::task::yield_now().await;
    }
}

/// Subscribes, and waits until logs that arrive from now on will be told.
async fn subscribed(gateway: &TestGateway, query: &str) -> Client {
    let mut client = Client::ready(gateway).await;
    client.subscribe("1", json!({ "query": query })).await;
    tailing(gateway).await;
    client
}

/// The payload of the next response.
async fn next(client: &mut Client) -> Value {
    let mut message = client.receive().await;
    assert_eq!((&message["id"], &message["type"]), (&json!("1"), &json!("next")), "{message}");
    message["payload"].take()
}

/// The ids of the next logs, in the order in which they come.
pub(crate) async fn ids(client: &mut Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let payload = next(client).await;
        ids.push(payload["data"]["logs"]["logId"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned());
    }
    ids
}
