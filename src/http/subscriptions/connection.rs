//! One WebSocket: what its client says, and the operations that are under way for it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use axum::http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::Instrument as _;

use super::close::Close;
use super::init::{self, Introduction};
use super::message::{self, ACK, ClientMessage, PONG};
use super::sockets::Place;
use crate::graphql::{Deadline, ErrorCode, Failure, Outcome, Reply, Terms, refuse};
use crate::http::authenticate::{Refusal, authenticate};
use crate::http::{Shared, parameters};

/// How long a client may take to close after the gateway did.
const GOODBYE: Duration = Duration::from_secs(5);

/// A WebSocket and its state.
pub(crate) struct Connection {
    socket: WebSocket,
    shared: Shared,
    /// The id of the request that opened it.
    request_id: String,
    /// The credentials that came with that request.
    credentials: HeaderMap,
    /// What the client said of itself, once that was found good.
    introduction: Option<Introduction>,
    /// The operations under way, by the ids that their client gave them.
    operations: HashMap<String, AbortHandle>,
    /// Their tasks, and for a moment those of operations that were cancelled. They end with the connection.
    tasks: JoinSet<Result<Reply, Refusal>>,
    /// How many operations there have been.
    count: u64,
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
    pub(crate) fn new(socket: WebSocket, shared: Shared, credentials: HeaderMap, request_id: String) -> Self {
        Self {
            socket,
            shared,
            request_id,
            credentials,
            introduction: None,
            operations: HashMap::new(),
            tasks: JoinSet::new(),
            count: 0,
        }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn serve(mut self, mut place: Place) {
        let Err(end) = self.run(&mut place).await;
        self.tasks.abort_all();
        match end {
            End::Close(close) => {
                tracing::debug!(?close, "closing");
                self.say_goodbye(close).await;
            }
            End::Gone => tracing::debug!("gone"),
        }
    }

    async fn run(&mut self, place: &mut Place) -> Result<Infallible, End> {
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
                        Some(Ok(message)) => self.hear(message).await?,
                        Some(Err(error)) => {
                            tracing::debug!(%error, "unreadable");
                            return Err(Close::Unreadable.into());
                        }
                        None => return Err(End::Gone),
                    }
                }
                Some(ended) = self.tasks.join_next_with_id() => self.answer(ended).await?,
                () = tokio::time::sleep_until(start + init_timeout), if self.introduction.is_none() => {
                    return Err(Close::InitTimeout.into());
                }
                _ = ping.tick() => {
                    if std::mem::replace(&mut is_silent, true) {
                        return Err(End::Gone);
                    }
                    self.send(Message::Ping(Default::default())).await?;
                }
                () = place.closing() => {
                    while let Some(ended) = self.tasks.join_next_with_id().await {
                        self.answer(ended).await?;
                    }
                    return Err(Close::GoingAway.into());
                }
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Close::BadMessage("Messages are texts.".to_owned()).into()),
            // They are answered by the library, and were a sign of life.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(()),
        };
        let most = self.shared.settings.max_body_bytes;
        if text.len() > most {
            return Err(Close::TooLarge(most).into());
        }
        match message::read(&text).map_err(|reason| Close::BadMessage(reason.to_owned()))? {
            ClientMessage::Init(payload) => self.init(payload).await,
            ClientMessage::Ping => self.send(Message::text(PONG)).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload.to_owned()).await,
            ClientMessage::Complete { id } => {
                // One that has been answered meanwhile is not there any more, which is no fault of the client's.
                if let Some(operation) = self.operations.remove(&id) {
                    operation.abort();
                }
                Ok(())
            }
        }
    }

    async fn init(&mut self, payload: Option<&RawValue>) -> Result<(), End> {
        if self.introduction.is_some() {
            return Err(Close::TooManyInits.into());
        }
        let longest = self.shared.settings.request_timeout;
        let introduction = init::read(payload, self.credentials.clone(), longest).map_err(Close::BadMessage)?;
        let deadline = Deadline::within(introduction.wishes.timeout);
        match authenticate(&introduction.credentials, &self.shared.authenticator, deadline).await {
            Ok(_) => {
                self.introduction = Some(introduction);
                self.send(Message::text(ACK)).await
            }
            Err(refusal) => {
                let (status, failure) = refusal.into_failure();
                Err(match status {
                    StatusCode::SERVICE_UNAVAILABLE => Close::TryAgain(failure.message).into(),
                    _ => Close::Forbidden(failure.message).into(),
                })
            }
        }
    }

    async fn subscribe(&mut self, id: String, payload: String) -> Result<(), End> {
        let Some(introduction) = &self.introduction else { return Err(Close::Unauthorized.into()) };
        if self.operations.contains_key(&id) {
            return Err(Close::SubscriberExists(id).into());
        }
        self.count += 1;
        let request_id = format!("{}-{}", self.request_id, self.count);
        let most = self.shared.settings.web_sockets.max_operations;
        if self.operations.len() >= most {
            let message = format!("{most} operations are under way on this connection: wait until one is complete.");
            let refusal = refuse(vec![Failure::new(ErrorCode::RateLimited, message)], &request_id);
            return self.send_reply(&id, &refusal).await;
        }
        let span = tracing::info_span!("request", id = request_id);
        let operation = execute(self.shared.clone(), introduction, payload, request_id).instrument(span);
        self.operations.insert(id, self.tasks.spawn(operation));
        Ok(())
    }

    async fn answer(&mut self, ended: Result<(Id, Result<Reply, Refusal>), JoinError>) -> Result<(), End> {
        let (task, outcome) = match ended {
            Ok((task, outcome)) => (task, Ok(outcome)),
            Err(error) => (error.id(), Err(error)),
        };
        let found = self.operations.iter().find(|(_, operation)| operation.id() == task);
        // Cancelled.
        let Some(id) = found.map(|(id, _)| id.clone()) else { return Ok(()) };
        self.operations.remove(&id);
        match outcome {
            Ok(Ok(reply)) => self.send_reply(&id, &reply).await,
            Ok(Err(refusal)) => {
                let (status, failure) = refusal.into_failure();
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    return self.send_reply(&id, &refuse(vec![failure], &self.request_id)).await;
                }
                // The credentials were good once: a token has expired, or its key was withdrawn.
                Err(Close::Forbidden(failure.message).into())
            }
            // The panic's own message can hold anything, and has gone to the log by the panic hook.
            Err(_) => {
                tracing::error!("an operation panicked");
                self.send_reply(&id, &refuse(vec![Failure::internal()], &self.request_id)).await
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

    /// Sends a message. Who does not take it for as long as silence is borne is gone.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        let deadline = Deadline::within(self.shared.settings.web_sockets.ping_interval.saturating_mul(2));
        match deadline.limit(self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
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

/// Runs an operation. Who asks is found out for each, as over HTTP, and not once for a connection that may outlive a token.
fn execute(
    shared: Shared,
    introduction: &Introduction,
    payload: String,
    request_id: String,
) -> impl Future<Output = Result<Reply, Refusal>> + Send + use<> {
    let Introduction { credentials, wishes } = introduction.clone();
    async move {
        let Shared { engine, authenticator, settings, .. } = shared;
        let deadline = Deadline::within(wishes.timeout);
        let caller = authenticate(&credentials, &authenticator, deadline).await?;
        let request = match parameters::from_body(payload.as_bytes()) {
            Ok(request) => request,
            Err(failure) => return Ok(refuse(vec![failure], &request_id)),
        };
        let explains = wishes.explains || settings.explains;
        let terms = Terms { caller, deadline, request_id: &request_id, is_fresh: wishes.is_fresh, explains };
        Ok(engine.execute(request, &terms).await)
    }
}
