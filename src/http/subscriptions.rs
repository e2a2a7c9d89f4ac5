//! GraphQL over WebSocket, at `/graphql` like the rest: the protocol `graphql-transport-ws` of
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.
//!
//! An upgrade request passes the checks of this file. Its connection passes `connection`: what a client sends is read by
//! `message`, and `init` reads the credentials; why a connection ends is in `close`. Operations go through the same stages
//! as those over HTTP, and what is sent of an answer are the bytes of its writer.
//!
//! async-graphql-axum tells whether a client asks for GraphQL at all. Its own loop is not used, for it would run documents
//! past those stages and write projected bytes as lists of numbers.

mod close;
mod connection;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod init;
mod message;
mod operation;
mod origin;
mod place;

use std::time::Duration;

use async_graphql_axum::GraphQLProtocol;
use axum::extract::{FromRequestParts as _, Request, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use tracing::Instrument as _;

use self::connection::{Connection, Opening};
use self::place::Place;
use super::admission::SOON;
use super::envelope::Envelope;
use super::{Shared, client, csrf, host, request_id};
use crate::graphql::{ErrorCode, Failure};

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";

/// By how many times a message may be larger than what is taken in. A message within is read and told that it is too large;
/// past it nothing more is read.
const READ: usize = 4;

/// How many bytes of what comes and goes a WebSocket holds room for: documents, and the answers to most. What is larger makes
/// room for itself. The library's own 128 KiB each way would be most of what an idle WebSocket costs.
const BUFFER: usize = 8 * 1024;

/// How WebSockets are met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a connection may take to say who it is (`connection_init`). The protocol's own server waits 3 seconds.
    pub init_timeout: Duration,
    /// How often a peer is asked whether it is still there, above zero. One that sent nothing from one time to the next is
    /// gone. Proxies that drop what is silent wait for 30 seconds or more.
    pub ping_interval: Duration,
    /// How many operations of one connection may be under way. A page asks for a handful at once.
    pub max_operations: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { init_timeout: Duration::from_secs(3), ping_interval: Duration::from_secs(12), max_operations: 32 }
    }
}

/// Whether a request asks for a WebSocket, be it well or badly.
pub(crate) fn is_asked_for(request: &Request) -> bool {
    match request.version() {
        // RFC 8441.
        Version::HTTP_2 => request.method() == Method::CONNECT,
        _ => {
            let mut protocols = request.headers().get_all(header::UPGRADE).iter();
            request.method() == Method::GET && protocols.any(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"))
        }
    }
}

/// Opens a WebSocket, or says why not.
pub(crate) async fn open(shared: Shared, request: Request) -> Response {
    let envelope = Envelope::of(request.headers());
    // What a browser says of a page that opened the WebSocket. It opens them to every host, whatever its rules for other
    // requests are: so it is for the host to refuse.
    if !origin::may_open(request.headers(), host::host(&request), &shared.settings.cors_origins) {
        return csrf::refuse(envelope);
    }
    let address = client::address(&request, &shared.settings.trusted_proxies);
    let (mut parts, _) = request.into_parts();
    let upgrade = match negotiate(&mut parts).await {
        Ok(upgrade) => upgrade,
        Err((status, message)) => {
            let mut response = envelope.refuse(status, bad(message));
            if status == StatusCode::UPGRADE_REQUIRED {
                response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            return response;
        }
    };
    let Some(place) = Place::take(&parts.extensions, parts.version) else {
        let message = "There are too many connections already. Try again after `retryAfterMs`.";
        let failure = Failure::new(ErrorCode::RateLimited, message);
        return envelope.refuse_for(SOON, StatusCode::SERVICE_UNAVAILABLE, failure);
    };
    let read = shared.settings.max_body_bytes.saturating_mul(READ);
    let request_id = request_id::current();
    // It outlives the request that opened it.
    let span = tracing::info_span!(parent: None, "websocket", id = &*request_id);
    let opening = Opening { request_id, credentials: init::credentials(parts.headers), address };
    upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(read)
        .max_frame_size(read)
        .on_failed_upgrade(|error| tracing::debug!(%error, "a connection ended before it was a WebSocket"))
        .on_upgrade(move |socket| Connection::new(socket, shared, opening).serve(place).instrument(span))
}

async fn negotiate(parts: &mut Parts) -> Result<WebSocketUpgrade, (StatusCode, String)> {
    let asks_for_graphql = GraphQLProtocol::from_request_parts(parts, &()).await.is_ok();
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|rejection| {
        let status = match parts.headers.get(header::SEC_WEBSOCKET_VERSION) {
            // RFC 6455 (4.2.2).
            Some(version) if version != "13" => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, format!("This is no request for a WebSocket (RFC 6455): {}.", rejection.body_text()))
    })?;
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let message = if asks_for_graphql {
            "The older protocol `graphql-ws` (subscriptions-transport-ws) is not spoken: `graphql-transport-ws` is."
        } else {
            "The WebSocket protocol is `graphql-transport-ws`: `Sec-WebSocket-Protocol` has to ask for it."
        };
        return Err((StatusCode::BAD_REQUEST, message.to_owned()));
    }
    Ok(upgrade)
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadRequest, message)
}
