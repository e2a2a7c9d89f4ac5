//! Server-Sent Events: the distinct connections mode of
//! <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>.
//!
//! A request that takes `text/event-stream` is answered with an event `next` for each response, and `complete` at the end. An event's
//! id is the greatest id of a log so far, so that a client that reconnects with `Last-Event-ID` resumes where it was.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::Instrument as _;

use super::peer::ConnectionInfo;
use super::rate_limit::RateLimitKey;
use super::responder::UPSTREAM_CALLS;
use super::send_budget::Streamed;
use super::state::ServerState;
use super::subscription::Subscription;
use super::subscription_counter::SubscriptionPermit;
use super::websocket::init::credentials;
use crate::auth::Caller;
use crate::graphql::{GraphqlResponse, ResponseStream, StreamedResponse};
use crate::telemetry::in_present_trace;

/// The media type.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// The header by which a client resumes: the id of the last event that it had.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Has proxies such as nginx pass events on as they come.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A comment, which every client ignores: the stream is there.
const HEARTBEAT: &[u8] = b":\n\n";

/// Bytes of events that go out together, but for one that is larger by itself. Those of many subscribers are made at the same moment.
const CHUNK: usize = 16 * 1024;

/// Most bytes that an event takes beside its response and its id, if the response is one line.
const FRAME: usize = 32;

/// The last event. Browsers drop events that have no `data`.
const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";

/// True if the `Accept` headers name the media type.
pub(crate) fn is_accepted(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(EVENT_STREAM));
        let is_zero = |parameter: &str| {
            let weight = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
            weight.is_some_and(|(_, weight)| weight.trim().parse::<f32>().is_ok_and(|weight| weight == 0.0))
        };
        is_named && !parts.any(is_zero)
    })
}

/// The stream that holds a single response.
pub(crate) fn of_one(reply: &GraphqlResponse) -> Response {
    let mut events = Vec::with_capacity(reply.body.len() + 64);
    write_next(&reply.body, None, &mut events);
    events.extend_from_slice(COMPLETE);
    let mut response = response(Body::from(events));
    response.headers_mut().insert(UPSTREAM_CALLS, reply.upstream_calls.into());
    response
}

/// The client of a request that takes events.
pub(crate) struct Subscriber {
    caller: Caller,
    caller_key: RateLimitKey,
    /// The headers that hold credentials.
    credentials: HeaderMap,
    connection: Option<Arc<ConnectionInfo>>,
    pub(crate) last_event_id: Option<String>,
}

impl Subscriber {
    pub(crate) fn of(request: &Request, caller: &Caller, caller_key: RateLimitKey) -> Self {
        let headers = request.headers();
        let last_event_id = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
        Self {
            caller: caller.clone(),
            caller_key,
            credentials: credentials(headers.clone()),
            connection: request.extensions().get::<Arc<ConnectionInfo>>().cloned(),
            last_event_id: last_event_id.filter(|id| !id.is_empty()).map(ToOwned::to_owned),
        }
    }
}

/// The stream of a subscription, which goes on until that ends or its client is gone.
pub(crate) fn of_subscription(
    stream: Box<ResponseStream>,
    subscriber: Subscriber,
    state: &ServerState,
    permit: SubscriptionPermit,
) -> Response {
    let Subscriber { caller, caller_key, credentials, connection, .. } = subscriber;
    let subscription = Subscription::new(stream, state.clone(), caller, credentials, permit);
    let (chunks, received) = mpsc::channel(1);
    let source = Source { subscription, state: state.clone(), connection, caller_key, chunks };
    tokio::spawn(in_present_trace(source.run().in_current_span()));
    let body = stream::unfold(received, |mut received: mpsc::Receiver<Bytes>| async {
        let chunk = received.recv().await?;
        Some((Ok::<_, Infallible>(chunk), received))
    });
    let mut response = response(Body::from_stream(body));
    response.extensions_mut().insert(Streamed);
    response
}

fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// The task that makes the events of a subscription, as fast as they are read.
struct Source {
    subscription: Subscription,
    state: ServerState,
    connection: Option<Arc<ConnectionInfo>>,
    caller_key: RateLimitKey,
    chunks: mpsc::Sender<Bytes>,
}

impl Source {
    async fn run(mut self) {
        // A connection with nothing to send is not idle for that.
        let activity = self.connection.as_ref().map(|connection| connection.activity().clone());
        let _open = activity.as_ref().map(|activity| activity.send(0, None));
        let period = self.state.settings.subscriptions.heartbeat_interval;
        // At once: the head is sent with it, so that the client knows that it is heard.
        let mut heartbeat = interval_at(Instant::now(), period);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sent = tokio::select! {
                () = self.chunks.closed() => return,
                _ = heartbeat.tick() => self.send(HEARTBEAT.to_vec()).await,
                responses = self.subscription.next() => match responses {
                    Ok(responses) => {
                        heartbeat.reset();
                        self.send_all(&responses).await
                    }
                    Err(end) => Err(end),
                },
            };
            if let Err(end) = sent {
                return self.end(&end).await;
            }
        }
    }

    /// Sends the events of responses that came together.
    async fn send_all(&mut self, responses: &[StreamedResponse]) -> Result<(), GraphqlResponse> {
        let size = |response: &StreamedResponse| response.body.len() + id(response).map_or(0, str::len) + FRAME;
        let mut rest = responses.iter().map(size).sum::<usize>();
        let mut events = Vec::with_capacity(rest.min(CHUNK));
        for response in responses {
            if !events.is_empty() && events.len() + size(response) > CHUNK {
                self.send(events).await?;
                events = Vec::with_capacity(rest.min(CHUNK));
            }
            rest -= size(response);
            write_next(&response.body, id(response), &mut events);
        }
        self.send(events).await
    }

    /// Sends events, within the budget of unsent bytes; waits while the client does not read.
    async fn send(&mut self, events: Vec<u8>) -> Result<(), GraphqlResponse> {
        let activity = self.connection.as_ref().map(|connection| connection.activity());
        let permit = self.state.send_budget.permit(events.len(), self.caller_key, activity);
        let permit = permit.map_err(|exhausted| self.subscription.end(*exhausted.error))?;
        let permit = if let Some(activity) = activity { permit.sent_on(activity, true) } else { permit };
        // A stream whose client is gone is noticed by the loop.
        let _ = self.chunks.send(permit.hold(events.into())).await;
        Ok(())
    }

    /// Sends the last events. The stream ends with them.
    async fn end(self, end: &GraphqlResponse) {
        let mut events = Vec::new();
        write_next(&end.body, None, &mut events);
        events.extend_from_slice(COMPLETE);
        let _ = self.chunks.send(events.into()).await;
    }
}

fn id(response: &StreamedResponse) -> Option<&str> {
    response.id.as_ref().map(|id| id.as_str())
}

/// Appends an event `next`. A response can hold line ends, between the tokens of what Auth0 sent.
fn write_next(body: &[u8], id: Option<&str>, out: &mut Vec<u8>) {
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(id.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"event: next\n");
    for line in body.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_has_to_be_named() {
        for (accept, expected) in [
            ("text/event-stream", true),
            ("application/json, Text/Event-Stream;q=0.5", true),
            ("text/event-stream; q=0", false),
            ("text/event-stream;q=0.0, application/json", false),
            ("*/*", false),
            ("text/*", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(is_accepted(&headers), expected, "{accept}");
        }
        assert!(!is_accepted(&HeaderMap::new()));
    }

    #[test]
    fn a_response_stays_one_event_whatever_is_in_it() {
        let mut events = Vec::new();
        write_next(b"{\"data\":{\r\n\"a\":1}}", Some("9001"), &mut events);
        assert_eq!(events, b"id: 9001\nevent: next\ndata: {\"data\":{\ndata: \ndata: \"a\":1}}\n\n");
    }
}
