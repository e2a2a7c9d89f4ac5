//! The life of a WebSocket: the messages of its client, and the operations that are under way for it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::iter::repeat_n;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use axum::http::HeaderMap;
use futures_util::SinkExt as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::DropGuard;
use tracing::Instrument as _;

use super::BUFFER;
use super::close::CloseReason;
use super::init::{self, InitParams};
use super::message::{self, ACK, ClientMessage, PONG};
use super::operation::{self, OperationReply, StreamedReply};
use crate::deadline::Deadline;
use crate::graphql::{ErrorCode, GraphqlError, GraphqlResponse, Outcome, refuse};
use crate::http::peer::WebSocketMembership;
use crate::http::state::ServerState;
use crate::telemetry::Trace;

/// Time for a client to close after the gateway did.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The rate of pings and pongs that a client may send: clients send one in some seconds.
const PINGS: Quota = Quota::per_second(NonZeroU32::new(10).unwrap()).allow_burst(NonZeroU32::new(100).unwrap());

/// The writes that hyper takes from an upgraded stream of HTTP/2 whose client does not read: one that waits for the window, and
/// two in a channel. With as many empty pongs behind it, which clients ignore (RFC 6455, section 5.5.3), a large answer is
/// waited for.
const WRITES_AHEAD: usize = 3;

/// The request that opened a WebSocket.
pub(crate) struct UpgradeRequest {
    pub(crate) id: Arc<str>,
    /// The headers that hold credentials.
    pub(crate) credentials: HeaderMap,
    pub(crate) address: IpAddr,
}

/// A WebSocket and its state.
pub(crate) struct Connection {
    socket: WebSocket,
    state: ServerState,
    membership: Arc<WebSocketMembership>,
    upgrade: UpgradeRequest,
    /// The parameters of `connection_init`, once its client is authenticated.
    init: Option<InitParams>,
    /// The operations under way, by their clients' ids.
    operations: HashMap<String, AbortHandle>,
    /// Their tasks, and for a moment those of operations that were cancelled. They end with the connection.
    tasks: JoinSet<Result<OperationReply, CloseReason>>,
    /// The responses to subscriptions: their tasks wait while some are not sent.
    streamed: (mpsc::Sender<StreamedReply>, mpsc::Receiver<StreamedReply>),
    /// Number of operations so far.
    count: u64,
    pings: DefaultDirectRateLimiter,
}

/// The end of a connection.
enum End {
    /// The gateway closes it.
    Close(CloseReason),
    /// The client is gone.
    Gone,
}

impl From<CloseReason> for End {
    fn from(reason: CloseReason) -> Self {
        Self::Close(reason)
    }
}

impl Connection {
    pub(crate) fn new(
        socket: WebSocket,
        state: ServerState,
        membership: WebSocketMembership,
        upgrade: UpgradeRequest,
    ) -> Self {
        Self {
            socket,
            state,
            membership: Arc::new(membership),
            upgrade,
            init: None,
            operations: HashMap::new(),
            tasks: JoinSet::new(),
            streamed: mpsc::channel(1),
            count: 0,
            pings: RateLimiter::direct(PINGS),
        }
    }

    /// Serves the connection until it ends or is cut off.
    pub(crate) async fn serve(self) {
        let membership = Arc::clone(&self.membership);
        let _open = self.state.metrics.server().web_socket();
        tokio::select! {
            () = self.serve_until_closed() => {}
            () = membership.over() => tracing::debug!("cut off"),
        }
    }

    async fn serve_until_closed(mut self) {
        let Err(end) = self.run().await;
        self.tasks.abort_all();
        match end {
            End::Close(reason) => {
                tracing::debug!(?reason, "closing");
                self.close(reason).await;
            }
            End::Gone => tracing::debug!("gone"),
        }
    }

    async fn run(&mut self) -> Result<Infallible, End> {
        let membership = Arc::clone(&self.membership);
        let settings = &self.state.settings.web_sockets;
        let (init_timeout, period) = (settings.init_timeout, settings.ping_interval);
        let start = Instant::now();
        let mut ping = interval_at(start + period, period);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_silent = false;
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    is_silent = false;
                    match message {
                        Some(Ok(message)) => {
                            self.on_message(message).await?;
                            // The library queues answers to control frames: a peer who does not read is not read from.
                            self.flush().await?;
                        }
                        Some(Err(error)) => {
                            tracing::debug!(%error, "unreadable");
                            return Err(CloseReason::Unreadable.into());
                        }
                        None => return Err(End::Gone),
                    }
                }
                Some(ended) = self.tasks.join_next_with_id() => self.on_executed(ended).await?,
                Some(streamed) = self.streamed.1.recv() => self.on_streamed(streamed).await?,
                () = tokio::time::sleep_until(start + init_timeout), if self.init.is_none() => {
                    return Err(CloseReason::InitTimeout.into());
                }
                _ = ping.tick() => {
                    if std::mem::replace(&mut is_silent, true) {
                        return Err(End::Gone);
                    }
                    self.send(Message::Ping(Default::default())).await?;
                }
                () = membership.stopping() => {
                    self.finish().await?;
                    return Err(CloseReason::GoingAway.into());
                }
            }
        }
    }

    /// Waits until all operations are over.
    async fn finish(&mut self) -> Result<(), End> {
        loop {
            tokio::select! {
                ended = self.tasks.join_next_with_id() => match ended {
                    Some(ended) => self.on_executed(ended).await?,
                    None => return Ok(()),
                },
                Some(streamed) = self.streamed.1.recv() => self.on_streamed(streamed).await?,
            }
        }
    }

    async fn on_message(&mut self, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(CloseReason::BadMessage("Messages are texts.".to_owned()).into()),
            // They are answered by the library, and were a sign of life.
            Message::Ping(_) | Message::Pong(_) => return self.count_ping(),
            Message::Close(_) => return Ok(()),
        };
        let most = self.state.settings.max_body_bytes;
        if text.len() > most {
            return Err(CloseReason::TooLarge(most).into());
        }
        match message::read(&text).map_err(|reason| CloseReason::BadMessage(reason.to_owned()))? {
            ClientMessage::Init(payload) => self.on_init(payload).await,
            ClientMessage::Ping => {
                self.count_ping()?;
                self.send(Message::text(PONG)).await
            }
            ClientMessage::Pong => self.count_ping(),
            ClientMessage::Subscribe { id, payload } => self.on_subscribe(id, payload.to_owned()).await,
            ClientMessage::Complete { id } => match self.operations.remove(&id) {
                Some(operation) => self.cancel(&operation).await,
                // An operation answered meanwhile is not there any more, which is no fault of the client's.
                None => Ok(()),
            },
        }
    }

    /// Cancels an operation, and waits until it is gone: one that is counted no more must hold nothing any more.
    async fn cancel(&mut self, operation: &AbortHandle) -> Result<(), End> {
        operation.abort();
        while !operation.is_finished() {
            let Some(ended) = self.tasks.join_next_with_id().await else { break };
            self.on_executed(ended).await?;
        }
        Ok(())
    }

    /// Counts a ping or a pong, of the WebSocket's or of the protocol's.
    fn count_ping(&self) -> Result<(), End> {
        self.pings.check().map_err(|_| CloseReason::TooManyPings.into())
    }

    async fn on_init(&mut self, payload: Option<&RawValue>) -> Result<(), End> {
        if self.init.is_some() {
            return Err(CloseReason::TooManyInits.into());
        }
        let UpgradeRequest { credentials, address, .. } = &self.upgrade;
        let params = init::read(payload, credentials.clone(), &self.state.settings).map_err(CloseReason::BadMessage)?;
        let deadline = Deadline::within(params.options.timeout);
        match self.state.admission.admit(&params.credentials, *address, deadline).await {
            Ok(_) => {
                self.init = Some(params);
                self.send(Message::text(ACK)).await
            }
            Err(refusal) if refusal.is_temporary() => Err(CloseReason::TryAgain(refusal.error.message).into()),
            Err(refusal) => Err(CloseReason::Forbidden(refusal.error.message).into()),
        }
    }

    async fn on_subscribe(&mut self, id: String, payload: String) -> Result<(), End> {
        let Some(init) = &self.init else { return Err(CloseReason::Unauthorized.into()) };
        if self.operations.contains_key(&id) {
            return Err(CloseReason::SubscriberExists(id).into());
        }
        self.count += 1;
        let UpgradeRequest { id: request_id, address, .. } = &self.upgrade;
        let request_id = format!("{request_id}-{}", self.count);
        let most = self.state.settings.web_sockets.max_operations;
        if self.operations.len() >= most {
            let message = format!("{most} operations are under way on this connection: wait until one is complete.");
            let refusal = refuse(&[GraphqlError::new(ErrorCode::RateLimited, message)], &request_id);
            return self.send_reply(&id, &refusal).await;
        }
        let span = tracing::info_span!("request", id = request_id);
        let trace = Trace::of_request(&request_id, None, None, false);
        let operation = operation::execute(
            self.state.clone(),
            init.clone(),
            Arc::clone(&self.membership),
            *address,
            payload,
            request_id,
            self.streamed.0.clone(),
        );
        let operation = async move { trace.scope(operation).await };
        self.operations.insert(id, self.tasks.spawn(operation.instrument(span)));
        Ok(())
    }

    async fn on_executed(
        &mut self,
        ended: Result<(Id, Result<OperationReply, CloseReason>), JoinError>,
    ) -> Result<(), End> {
        // A subscription's last responses come before its end.
        while let Ok(streamed) = self.streamed.1.try_recv() {
            self.on_streamed(streamed).await?;
        }
        let (task, outcome) = match ended {
            Ok((task, outcome)) => (task, Ok(outcome)),
            Err(error) => (error.id(), Err(error)),
        };
        let found = self.operations.iter().find(|(_, operation)| operation.id() == task);
        // Cancelled.
        let Some(id) = found.map(|(id, _)| id.clone()) else { return Ok(()) };
        self.operations.remove(&id);
        match outcome {
            Ok(Ok(executed)) => self.send_reply(&id, &executed.reply).await,
            Ok(Err(reason)) => Err(reason.into()),
            // The panic hook has counted it, and logged where it was.
            Err(_) => {
                tracing::error!("an operation panicked");
                let reply = refuse(&[GraphqlError::internal()], &self.upgrade.id);
                self.send_reply(&id, &reply).await
            }
        }
    }

    async fn on_streamed(&mut self, streamed: StreamedReply) -> Result<(), End> {
        let StreamedReply { task, responses, .. } = &streamed;
        let found = self.operations.iter().find(|(_, operation)| operation.id() == *task);
        // Cancelled.
        let Some(id) = found.map(|(id, _)| id.clone()) else { return Ok(()) };
        let mut messages = Vec::with_capacity(responses.len());
        for response in responses {
            let response = std::str::from_utf8(&response.body).map_err(|_| CloseReason::Internal)?;
            messages.push(message::next(&id, response));
        }
        self.send_all(messages).await
    }

    async fn send_reply(&mut self, id: &str, reply: &GraphqlResponse) -> Result<(), End> {
        let response = std::str::from_utf8(&reply.body).map_err(|_| CloseReason::Internal)?;
        let messages = match reply.outcome {
            Outcome::Executed => vec![message::next(id, response), message::complete(id)],
            Outcome::Refused(_) => vec![message::error(id, response).ok_or(CloseReason::Internal)?],
        };
        self.send_all(messages).await
    }

    /// Sends messages together. A client that does not take them in time is gone.
    async fn send_all(&mut self, messages: Vec<String>) -> Result<(), End> {
        let bytes = messages.iter().map(String::len).sum();
        let guard = if bytes > BUFFER { self.membership.stream_guard() } else { None };
        let behind = if guard.is_some() { WRITES_AHEAD } else { 0 };
        let deadline = self.send_deadline(bytes);
        let sending = async {
            let mut fed = 0;
            for message in messages {
                // The buffer would grow for those that fit together no more, and would stay so.
                if fed + message.len() > BUFFER {
                    self.socket.flush().await?;
                    fed = 0;
                }
                fed += message.len();
                self.socket.feed(Message::text(message)).await?;
            }
            self.socket.flush().await?;
            for pong in repeat_n(Message::Pong(Bytes::new()), behind) {
                self.socket.send(pong).await?;
            }
            Ok::<_, axum::Error>(())
        };
        match deadline.limit(sending).await {
            Ok(sent) => {
                guard.map(DropGuard::disarm);
                sent.map_err(|_| End::Gone)
            }
            Err(_) => Err(End::Gone),
        }
    }

    /// Sends a message. A client that does not take it in time is gone.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        let length = if let Message::Text(text) = &message { text.len() } else { 0 };
        let deadline = self.send_deadline(length);
        match deadline.limit(self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Sends the messages that the library has queued.
    async fn flush(&mut self) -> Result<(), End> {
        let deadline = self.send_deadline(0);
        match deadline.limit(self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    fn send_deadline(&self, bytes: usize) -> Deadline {
        Deadline::within(self.state.send_budget.limits().time_for(bytes))
    }

    /// Closes the WebSocket. Messages that come meanwhile are read and dropped: a connection that ends with something unread can
    /// take the reason with it.
    async fn close(&mut self, reason: CloseReason) {
        let deadline = Deadline::within(CLOSE_TIMEOUT);
        let closing = async {
            if self.socket.send(reason.into_message()).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        if deadline.limit(closing).await.is_err() {
            tracing::debug!("the client did not close");
        }
    }
}
