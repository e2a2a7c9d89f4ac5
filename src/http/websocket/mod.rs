//! GraphQL over WebSocket, at `/graphql` like the rest: the protocol `graphql-transport-ws` of
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.
//!
//! An upgrade request passes the checks of this file. Its connection passes `connection`: what a client sends is read by
//! `message`, and `init` reads the credentials; why a connection ends is in `close`. Operations go through the same stages
//! as those over HTTP, and what is sent of an answer are the bytes of its writer.
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

use self::connection::{Connection, Opening};
use super::admission::SOON;
use super::peer::{self, ConnectionInfo};
use super::responder::Responder;
use super::{Shared, request_id};
use crate::graphql::{ErrorCode, GraphqlError};

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";

/// By how many times a message may be larger than what is taken in. A message within is read and told that it is too large;
/// past it nothing more is read.
const READ: usize = 4;

/// How many bytes of what comes and goes a WebSocket holds room for: documents, and the answers to most. What is larger makes
/// room for itself. The library's own 128 KiB each way would be most of what an idle WebSocket costs.
const BUFFER: usize = 8 * 1024;

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
    let responder = Responder::of(request.headers());
    let address = peer::address(&request, &shared.settings.trusted_proxies);
    let (mut parts, _) = request.into_parts();
    let upgrade = match negotiate(&mut parts).await {
        Ok(upgrade) => upgrade,
        Err((status, message)) => {
            let mut response = responder.refuse(status, bad(message));
            if status == StatusCode::UPGRADE_REQUIRED {
                response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            return response;
        }
    };
    let connection = parts.extensions.get::<Arc<ConnectionInfo>>();
    let Some(Ok(place)) = connection.map(|connection| connection.join_web_socket(parts.version)) else {
        let message = "There are too many connections already. Try again after `retryAfterMs`.";
        let failure = GraphqlError::new(ErrorCode::RateLimited, message);
        return responder.refuse_for(SOON, StatusCode::SERVICE_UNAVAILABLE, failure);
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
        .on_upgrade(move |socket| Connection::new(socket, shared, place, opening).serve().instrument(span))
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

fn bad(message: impl Into<String>) -> GraphqlError {
    GraphqlError::new(ErrorCode::BadRequest, message)
}
