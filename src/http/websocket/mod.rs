//! GraphQL over WebSocket, at `/graphql` like the rest: the protocol `graphql-transport-ws` of
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.
//!
//! An upgrade request passes the checks of this file, and `connection` serves the WebSocket: `message` reads what its client
//! sends, `init` reads the credentials, `close` has the reasons of its end. Each `operation` goes through the same stages as one
//! over HTTP, and its response is sent as it was written.
//!
//! async-graphql-axum tells whether a client asks for GraphQL at all. Its own loop is not used, for it would run documents
//! past those stages and write projected bytes as lists of numbers.

pub(super) mod close;
mod connection;
pub(super) mod init;
pub(super) mod message;
mod operation;

use std::sync::Arc;

use async_graphql_axum::GraphQLProtocol;
use axum::extract::{FromRequestParts as _, Request, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use tracing::Instrument as _;

use self::connection::{Connection, UpgradeRequest};
use super::error::HttpError;
use super::peer::{self, ConnectionInfo};
use super::request_id;
use super::responder::Responder;
use super::state::ServerState;

/// The protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";

/// Size of a message that is still read, as a multiple of the one that is taken in. A message within is told that it is too
/// large; past it nothing more is read.
const READ_FACTOR: usize = 4;

/// Bytes of a WebSocket's buffers, each way: documents, and most responses. What is larger makes room for itself. The library's
/// own 128 KiB would be most of what an idle WebSocket costs.
const BUFFER: usize = 8 * 1024;

/// True if a request asks for a WebSocket, be it well or badly.
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

/// Opens a WebSocket, or refuses to.
pub(crate) async fn open(state: ServerState, request: Request) -> Response {
    let responder = Responder::of(request.headers());
    let address = peer::client_of(&request, &state.settings.trusted_proxies);
    let (mut parts, _) = request.into_parts();
    let upgrade = match negotiate(&mut parts).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => return responder.refuse(refusal),
    };
    let connection = parts.extensions.get::<Arc<ConnectionInfo>>();
    let Some(Ok(membership)) = connection.map(|connection| connection.join_web_socket(parts.version)) else {
        let message = "There are too many connections already. Try again after `retryAfterMs`.";
        return responder.refuse(HttpError::busy("connections", message));
    };
    let read = state.settings.max_body_bytes.saturating_mul(READ_FACTOR);
    let id = request_id::current();
    // It outlives the request that opened it.
    let span = tracing::info_span!(parent: None, "websocket", id = &*id);
    let request = UpgradeRequest { id, credentials: init::credentials(parts.headers), address };
    upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(read)
        .max_frame_size(read)
        .on_failed_upgrade(|error| tracing::debug!(%error, "a connection ended before it was a WebSocket"))
        .on_upgrade(move |socket| Connection::new(socket, state, membership, request).serve().instrument(span))
}

async fn negotiate(parts: &mut Parts) -> Result<WebSocketUpgrade, HttpError> {
    let asks_for_graphql = GraphQLProtocol::from_request_parts(parts, &()).await.is_ok();
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|rejection| {
        let message = format!("This is no request for a WebSocket (RFC 6455): {}.", rejection.body_text());
        match parts.headers.get(header::SEC_WEBSOCKET_VERSION) {
            // RFC 6455 (4.2.2).
            Some(version) if version != "13" => HttpError::bad(StatusCode::UPGRADE_REQUIRED, message)
                .with(header::UPGRADE, HeaderValue::from_static("websocket"))
                .with(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
            _ => HttpError::bad(StatusCode::BAD_REQUEST, message),
        }
    })?;
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let message = if asks_for_graphql {
            "The older protocol `graphql-ws` (subscriptions-transport-ws) is not spoken: `graphql-transport-ws` is."
        } else {
            "The WebSocket protocol is `graphql-transport-ws`: `Sec-WebSocket-Protocol` has to ask for it."
        };
        return Err(HttpError::bad(StatusCode::BAD_REQUEST, message));
    }
    Ok(upgrade)
}
