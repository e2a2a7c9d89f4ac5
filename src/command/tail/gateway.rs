//! The subscription, answered by a gateway over Server-Sent Events.

use std::time::Duration;

use anyhow::anyhow;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Subscription;
use super::event_parser::EventParser;
use super::line::printable;
use super::response::{ParsedResponse, Received};
use crate::command::{CommandError, UNAVAILABLE, print_to_stderr};
use crate::config::GatewayEndpoint;

const EVENT_STREAM: &str = "text/event-stream";

/// The program's `User-Agent`.
const USER_AGENT: &str = concat!("auth0-graphql/", env!("CARGO_PKG_VERSION"));

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time without a byte after which a stream is given up: a gateway sends a comment every 12 seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// Wait before the first attempt to connect again, and the longest. It doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The most failures in a row: some five minutes of them.
const FAILURES: u32 = 15;

/// Time after which a stream counts as one that went well.
const GOOD_AFTER: Duration = Duration::from_secs(60);

/// Most bytes of an answer that is no stream.
const LARGEST_REFUSAL: usize = 64 * 1024;

/// The logs that a gateway tells of.
pub(super) struct GatewayStream {
    client: Client,
    endpoint: GatewayEndpoint,
    subscription: Subscription,
    open: Option<OpenStream>,
    /// True once a stream was open.
    has_begun: bool,
    /// Failures since the last stream that went well.
    failures: u32,
    /// The least time to wait before the next attempt, as the gateway said.
    retry_after: Duration,
}

struct OpenStream {
    response: Response,
    parser: EventParser,
    since: Instant,
}

/// A stream cannot be had, or has broken off.
enum StreamError {
    /// Another attempt may succeed.
    Transient { reason: String, retry_after: Option<Duration> },
    /// It would not.
    Final(String),
}

impl StreamError {
    fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), retry_after: None }
    }
}

impl From<reqwest::Error> for StreamError {
    fn from(error: reqwest::Error) -> Self {
        Self::transient(format!("{:#}", anyhow!(error.without_url())))
    }
}

impl GatewayStream {
    pub(super) fn new(endpoint: GatewayEndpoint, subscription: Subscription) -> Result<Self, CommandError> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            // To follow one would carry the credentials to wherever it points.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE);
        let client = if endpoint.url.is_loopback() { client.no_proxy() } else { client };
        let client = client.build()?;
        let (open, has_begun, failures, retry_after) = (None, false, 0, Duration::ZERO);
        Ok(Self { client, endpoint, subscription, open, has_begun, failures, retry_after })
    }

    pub(super) async fn next(&mut self) -> Result<Vec<Received>, CommandError> {
        loop {
            let error = match self.read().await {
                Ok(responses) if responses.is_empty() => continue,
                Ok(responses) => return Ok(responses),
                Err(error) => error,
            };
            let was_open = self.open.take();
            match error {
                StreamError::Final(reason) => return Err(anyhow!("{}", printable(&reason)).into()),
                StreamError::Transient { reason, .. } if !self.has_begun => {
                    let error = anyhow!("no gateway answers at {}: {}", self.endpoint.url, printable(&reason));
                    return Err(CommandError::new(UNAVAILABLE, error));
                }
                StreamError::Transient { reason, retry_after } => {
                    self.retry_after = retry_after.unwrap_or_default();
                    if was_open.is_some_and(|stream| stream.since.elapsed() > GOOD_AFTER) {
                        self.failures = 0;
                    }
                    self.note_failure(&reason)?;
                }
            }
        }
    }

    /// Reads on, from a new stream if there is none.
    async fn read(&mut self) -> Result<Vec<Received>, StreamError> {
        let stream = match &mut self.open {
            Some(stream) => stream,
            None => {
                sleep(self.wait()).await;
                let response = self.connect().await?;
                self.has_begun = true;
                self.open.insert(OpenStream { response, parser: EventParser::default(), since: Instant::now() })
            }
        };
        let chunk = stream.response.chunk().await?.ok_or_else(|| StreamError::transient("the stream broke off"))?;
        let events = stream.parser.feed(&chunk).map_err(|error| StreamError::Final(error.to_string()))?;
        let mut responses = Vec::new();
        for event in events.into_iter().filter(|event| event.kind == "next") {
            if let Some(id) = event.id.filter(|id| !id.is_empty()) {
                self.subscription.from = Some(id);
                self.failures = 0;
            }
            responses.push(Received { body: event.data });
        }
        Ok(responses)
    }

    async fn connect(&self) -> Result<Response, StreamError> {
        let GatewayEndpoint { url, token, api_key } = &self.endpoint;
        let body = json!({ "query": self.subscription.document, "variables": self.subscription.variables() });
        let mut request = self.client.post(url.url().clone()).header(ACCEPT, EVENT_STREAM).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(api_key) = api_key {
            request = request.header("X-API-Key", api_key.expose_secret());
        }
        let response = request.send().await?;
        let status = response.status();
        if status == StatusCode::OK && is_event_stream(response.headers()) {
            return Ok(response);
        }
        let retry_after = retry_after(response.headers());
        let message = message_of(response).await;
        let reason = match message {
            Some(message) => format!("the gateway answers {}: {message}", status.as_u16()),
            None => format!("{} answers {}, and is no gateway", self.endpoint.url, status.as_u16()),
        };
        let is_transient =
            status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        Err(if is_transient { StreamError::Transient { reason, retry_after } } else { StreamError::Final(reason) })
    }

    /// Time before the next attempt. Not the same for all: when a gateway is restarted, all who follow it come again.
    fn wait(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return Duration::ZERO };
        let backoff = FIRST_WAIT.saturating_mul(1 << doublings.min(10)).min(LONGEST_WAIT);
        backoff.mul_f64(0.75 + fastrand::f64() / 2.0).max(self.retry_after)
    }

    /// Counts a failure. The first is told, and so is the last.
    fn note_failure(&mut self, reason: &str) -> Result<(), CommandError> {
        self.failures += 1;
        let reason = printable(reason);
        if self.failures >= FAILURES {
            let error = anyhow!("the gateway cannot be reached any more: {reason}");
            return Err(CommandError::new(UNAVAILABLE, error));
        }
        if self.failures == 1 {
            let missed = if self.subscription.from.is_none() { ". Logs until then are missed" } else { "" };
            print_to_stderr(&format!("{reason}: connecting again{missed}"));
        }
        Ok(())
    }

    pub(super) fn position(&self) -> Option<String> {
        self.subscription.from.clone()
    }

    pub(super) fn resume(&mut self, from: Option<String>, reason: &str) -> Result<(), CommandError> {
        self.subscription.from = from;
        self.open = None;
        self.note_failure(reason)
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(EVENT_STREAM))
}

/// The time that the gateway says to wait. Dates are not taken: a gateway sends none.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The error in an answer that is no stream.
async fn message_of(mut response: Response) -> Option<String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST_REFUSAL {
            return None;
        }
    }
    match ParsedResponse::read(&body).ok()? {
        ParsedResponse::End(ending) => Some(ending.message),
        ParsedResponse::Notice(message) => Some(message),
        ParsedResponse::Log { .. } => None,
    }
}
