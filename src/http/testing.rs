//! Entry points for the fuzz targets in `fuzz/`, each of which panics if a promise of this module is broken, and for benchmarks.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::extract::ws::Message;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::Value;
use tower::ServiceExt as _;

use super::authenticate::API_KEY;
use super::peer::Shutdown;
use super::state::ServerState;
use super::websocket::close::{CloseReason, MAX_REASON};
use super::websocket::init;
use super::websocket::message::{self, ClientMessage};
use super::{BuildError, Settings, parameters, router};
use crate::auth::Authenticator;
use crate::graphql::{Engine, ErrorCode, GraphqlError, refuse};
use crate::telemetry::Metrics;

/// A gateway without a network.
pub struct Gateway(Router);

impl Gateway {
    /// Built as one that listens would be.
    pub fn new(engine: Engine, authenticator: Arc<Authenticator>, settings: Settings) -> Result<Self, BuildError> {
        Ok(Self(router(&ServerState::new(engine, authenticator, Metrics::default(), settings, Shutdown::new()))?))
    }

    /// Answers as a connection does.
    pub async fn answer(&self, request: Request) -> Response {
        self.0.clone().oneshot(request).await.unwrap_or_else(|never: Infallible| match never {})
    }
}

/// A message of a WebSocket's client: it is what another reader reads in it, and the reply carries its id, or there is a reason
/// that fits into a close frame.
pub fn message(text: &str) {
    let message = match message::read(text) {
        Ok(message) => message,
        Err(reason) => return closes_with(reason.to_owned()),
    };
    // It refuses numbers beyond all bounds and deep nesting even in members that nobody reads.
    let Ok(said) = serde_json::from_str::<Value>(text) else { return };
    let kind = match message {
        ClientMessage::Init(payload) => {
            match init::read(payload, HeaderMap::new(), &Settings::default()) {
                Ok(init_params) => {
                    let credentials = init_params.credentials;
                    assert!(credentials.values().all(HeaderValue::is_sensitive));
                    assert!(credentials.keys().all(|name| name == header::AUTHORIZATION || name == API_KEY));
                }
                Err(reason) => closes_with(reason),
            }
            "connection_init"
        }
        ClientMessage::Ping => "ping",
        ClientMessage::Pong => "pong",
        ClientMessage::Subscribe { id, payload } => {
            assert_eq!(serde_json::from_str::<Value>(payload).ok().as_ref(), said.get("payload"));
            subscribe(&id, payload);
            assert_eq!(said["id"], id);
            "subscribe"
        }
        ClientMessage::Complete { id } => {
            assert!(!id.is_empty() && said["id"] == id);
            "complete"
        }
    };
    assert_eq!(said["type"], kind);
}

fn subscribe(id: &str, payload: &str) {
    assert!(!id.is_empty());
    let failure = parameters::from_body(payload.as_bytes())
        .err()
        .unwrap_or_else(|| GraphqlError::new(ErrorCode::BadRequest, "A refusal."));
    let refusal = refuse(&[failure], "id").body;
    let refusal = std::str::from_utf8(&refusal).unwrap_or_default();
    let error = message::error(id, refusal).unwrap_or_default();
    for (kind, written) in [("next", message::next(id, refusal)), ("error", error), ("complete", message::complete(id))]
    {
        let written: Value = serde_json::from_str(&written).unwrap_or_default();
        assert_eq!((&written["type"], &written["id"]), (&Value::from(kind), &Value::from(id)));
    }
}

fn closes_with(reason: String) {
    assert!(!reason.is_empty());
    let Message::Close(Some(frame)) = CloseReason::BadMessage(reason).into_message() else {
        unreachable!("it is a close frame")
    };
    assert!(frame.code == 4400 && frame.reason.len() <= MAX_REASON);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_is_read_as_it_was_meant_or_refused(
            kind in r#""(connection_init|ping|pong|subscribe|complete|\PC{0,9})"|[0-9]"#,
            id in r#""\PC{0,9}"|null|1"#,
            payload in r#"null|1|\{("(query|authorization|headers|x-api-key)":("\PC{0,9}"|\{\}|null)){0,1}\}"#,
        ) {
            message(&format!(r#"{{"id":{id},"type":{kind},"payload":{payload}}}"#));
        }

        #[test]
        fn any_text_is_read_or_refused(text in r#"\PC{0,60}"#) {
            message(&text);
        }
    }
}
