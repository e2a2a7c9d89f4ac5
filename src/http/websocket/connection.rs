//! One WebSocket: what its client says, and the operations that are under way for it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use axum::http::HeaderMap;
use futures_util::SinkExt as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::value::RawValue;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::Instrument as _;

use super::close::Close;
use super::init::{self, InitParams};
use super::message::{self, ACK, ClientMessage, PONG};
use super::operation::{self, Answer, Refusal};
use crate::graphql::{Deadline, ErrorCode, GraphqlError, Outcome, Reply, refuse};
use crate::http::Shared;
use crate::http::peer::WebSocketPlace;

/// How long a client may take to close after the gateway did.
const GOODBYE: Duration = Duration::from_secs(5);

/// Pings and pongs that a client may send: clients send one in some seconds.
const PINGS: Quota = Quota::per_second(NonZeroU32::new(10).unwrap()).allow_burst(NonZeroU32::new(100).unwrap());

/// What is known from the request that opened a WebSocket.
pub(crate) struct Opening {
    /// Its id.
    pub(crate) request_id: Arc<str>,
    /// The credentials that came with it.
    pub(crate) credentials: HeaderMap,
    /// Where it came from.
    pub(crate) address: IpAddr,
}

/// A WebSocket and its state.
pub(crate) struct Connection {
    socket: WebSocket,
    shared: Shared,
    place: Arc<WebSocketPlace>,
    opening: Opening,
    /// What the client said of itself, once that was found good.
    init: Option<InitParams>,
    /// The operations under way, by the ids that their client gave them.
    operations: HashMap<String, AbortHandle>,
    /// Their tasks, and for a moment those of operations that were cancelled. They end with the connection.
    tasks: JoinSet<Result<Answer, Close>>,
    /// How many operations there have been.
    count: u64,
    pings: DefaultDirectRateLimiter,
}

/// Why a connection ends.
enum End {
    /// The gateway ends it.
    Close(Close),
    /// The client is gone.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl Connection {
    pub(crate) fn new(socket: WebSocket, shared: Shared, place: WebSocketPlace, opening: Opening) -> Self {
        Self {
            socket,
            shared,
            place: Arc::new(place),
            opening,
            init: None,
            operations: HashMap::new(),
            tasks: JoinSet::new(),
            count: 0,
            pings: RateLimiter::direct(PINGS),
        }
    }

    /// Serves the connection until it ends, or there is no time left.
    pub(crate) async fn serve(self) {
        let place = Arc::clone(&self.place);
        tokio::select! {
            () = self.serve_to_the_end() => {}
            () = place.over() => tracing::debug!("cut off"),
        }
    }

    async fn serve_to_the_end(mut self) {
        let Err(end) = self.run().await;
        self.tasks.abort_all();
        match end {
            End::Close(close) => {
                tracing::debug!(?close, "closing");
                self.say_goodbye(close).await;
            }
            End::Gone => tracing::debug!("gone"),
        }
    }

    async fn run(&mut self) -> Result<Infallible, End> {
        let place = Arc::clone(&self.place);
        let settings = &self.shared.settings.web_sockets;
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
                            return Err(Close::Unreadable.into());
                        }
                        None => return Err(End::Gone),
                    }
                }
                Some(ended) = self.tasks.join_next_with_id() => self.answer(ended).await?,
                () = tokio::time::sleep_until(start + init_timeout), if self.init.is_none() => {
                    return Err(Close::InitTimeout.into());
                }
                _ = ping.tick() => {
                    if std::mem::replace(&mut is_silent, true) {
                        return Err(End::Gone);
                    }
                    self.send(Message::Ping(Default::default())).await?;
                }
                () = place.stopping() => {
                    while let Some(ended) = self.tasks.join_next_with_id().await {
                        self.answer(ended).await?;
                    }
                    return Err(Close::GoingAway.into());
                }
            }
        }
    }

    async fn on_message(&mut self, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Close::BadMessage("Messages are texts.".to_owned()).into()),
            // They are answered by the library, and were a sign of life.
            Message::Ping(_) | Message::Pong(_) => return self.count_ping(),
            Message::Close(_) => return Ok(()),
        };
        let most = self.shared.settings.max_body_bytes;
        if text.len() > most {
            return Err(Close::TooLarge(most).into());
        }
        match message::read(&text).map_err(|reason| Close::BadMessage(reason.to_owned()))? {
            ClientMessage::Init(payload) => self.on_init(payload).await,
            ClientMessage::Ping => {
                self.count_ping()?;
                self.send(Message::text(PONG)).await
            }
            ClientMessage::Pong => self.count_ping(),
            ClientMessage::Subscribe { id, payload } => self.on_subscribe(id, payload.to_owned()).await,
            ClientMessage::Complete { id } => match self.operations.remove(&id) {
                Some(operation) => self.cancel(&operation).await,
                // One that has been answered meanwhile is not there any more, which is no fault of the client's.
                None => Ok(()),
            },
        }
    }

    /// Cancels an operation, and waits until it is gone: one that is counted no more must hold nothing any more.
    async fn cancel(&mut self, operation: &AbortHandle) -> Result<(), End> {
        operation.abort();
        while !operation.is_finished() {
            let Some(ended) = self.tasks.join_next_with_id().await else { break };
            self.answer(ended).await?;
        }
        Ok(())
    }

    /// Counts a ping or a pong, of the WebSocket's or of the protocol's.
    fn count_ping(&self) -> Result<(), End> {
        self.pings.check().map_err(|_| Close::TooManyPings.into())
    }

    async fn on_init(&mut self, payload: Option<&RawValue>) -> Result<(), End> {
        if self.init.is_some() {
            return Err(Close::TooManyInits.into());
        }
        let Opening { credentials, address, .. } = &self.opening;
        let params = init::read(payload, credentials.clone(), &self.shared.settings).map_err(Close::BadMessage)?;
        let deadline = Deadline::within(params.options.timeout);
        match operation::admit(&self.shared, &params.credentials, *address, deadline).await {
            Ok(_) => {
                self.init = Some(params);
                self.send(Message::text(ACK)).await
            }
            Err(Refusal::ForNow(failure)) => Err(Close::TryAgain(failure.message).into()),
            Err(Refusal::ForGood(reason)) => Err(Close::Forbidden(reason).into()),
        }
    }

    async fn on_subscribe(&mut self, id: String, payload: String) -> Result<(), End> {
        let Some(init) = &self.init else { return Err(Close::Unauthorized.into()) };
        if self.operations.contains_key(&id) {
            return Err(Close::SubscriberExists(id).into());
        }
        self.count += 1;
        let Opening { request_id, address, .. } = &self.opening;
        let request_id = format!("{request_id}-{}", self.count);
        let most = self.shared.settings.web_sockets.max_operations;
        if self.operations.len() >= most {
            let message = format!("{most} operations are under way on this connection: wait until one is complete.");
            let refusal = refuse(&[GraphqlError::new(ErrorCode::RateLimited, message)], &request_id);
            return self.send_reply(&id, &refusal).await;
        }
        let span = tracing::info_span!("request", id = request_id);
        let operation = operation::answer(
            self.shared.clone(),
            init.clone(),
            Arc::clone(&self.place),
            *address,
            payload,
            request_id,
        );
        self.operations.insert(id, self.tasks.spawn(operation.instrument(span)));
        Ok(())
    }

    async fn answer(&mut self, ended: Result<(Id, Result<Answer, Close>), JoinError>) -> Result<(), End> {
        let (task, outcome) = match ended {
            Ok((task, outcome)) => (task, Ok(outcome)),
            Err(error) => (error.id(), Err(error)),
        };
        let found = self.operations.iter().find(|(_, operation)| operation.id() == task);
        // Cancelled.
        let Some(id) = found.map(|(id, _)| id.clone()) else { return Ok(()) };
        self.operations.remove(&id);
        match outcome {
            Ok(Ok(answer)) => self.send_reply(&id, &answer.reply).await,
            Ok(Err(close)) => Err(close.into()),
            // The panic's own message can hold anything, and has gone to the log by the panic hook.
            Err(_) => {
                tracing::error!("an operation panicked");
                let reply = refuse(&[GraphqlError::internal()], &self.opening.request_id);
                self.send_reply(&id, &reply).await
            }
        }
    }

    async fn send_reply(&mut self, id: &str, reply: &Reply) -> Result<(), End> {
        let response = std::str::from_utf8(&reply.body).map_err(|_| Close::Internal)?;
        match reply.outcome {
            Outcome::Executed => {
                self.send(Message::text(message::next(id, response))).await?;
                self.send(Message::text(message::complete(id))).await
            }
            Outcome::Refused(_) => {
                let error = message::error(id, response).ok_or(Close::Internal)?;
                self.send(Message::text(error)).await
            }
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

    /// Sends what the library has queued.
    async fn flush(&mut self) -> Result<(), End> {
        let deadline = self.send_deadline(0);
        match deadline.limit(self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    fn send_deadline(&self, bytes: usize) -> Deadline {
        Deadline::within(self.shared.send_budget.limits().time_for(bytes))
    }

    /// Closes. What the client has sent meanwhile is read and dropped: a connection that ends with something unread can take
    /// the reason with it.
    async fn say_goodbye(&mut self, close: Close) {
        let deadline = Deadline::within(GOODBYE);
        let goodbye = async {
            if self.socket.send(close.into_message()).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        if deadline.limit(goodbye).await.is_err() {
            tracing::debug!("the client did not close");
        }
    }
}
