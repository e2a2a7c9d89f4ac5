//! HTTP to Auth0: one client, one deadline per call, one loop of attempts. It knows no endpoint.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Response, StatusCode, redirect};
use tokio::time::Instant;
use url::Url;

use super::call::Call;
use super::domain::Domain;
use super::errand::Progress;
use super::error::{BuildError, Error, Misconfiguration, Reason};
use super::refusal::is_token_refused;
use super::share::Patience;
use super::token::TokenCache;

/// The most that a body may hold once unpacked. A hundred of the largest profiles are 100 MB in
/// theory, but a page of ordinary ones stays below 1 MiB; what is larger than this would cost every
/// other caller memory.
pub(crate) const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// A handshake with Auth0's edge takes well under a second from anywhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Shorter than what proxies and address translators commonly keep an idle connection for (60 s and
/// up), so that a pooled connection is rarely found dead.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How soon a silent HTTP/2 connection is tested, and how long the test may take: a dead one would
/// otherwise swallow every call until its deadline.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!("auth0-graphql/", env!("CARGO_PKG_VERSION"));

/// The moment at which whoever asked stops waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline that far from now.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        // A century, for a time that the clock cannot hold.
        const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        let now = Instant::now();
        Self(now.checked_add(time).unwrap_or_else(|| now + FOREVER))
    }

    /// The time that is left; zero when it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for a future, but not beyond the deadline.
    pub(crate) async fn limit<T>(self, future: impl Future<Output = T>) -> Result<T, Error> {
        tokio::time::timeout_at(self.0, future).await.map_err(|_| Error::Timeout)
    }
}

/// A whole answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The way to one tenant. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: reqwest::Client,
    domain: Domain,
}

impl Transport {
    pub(crate) fn new(domain: Domain) -> Result<Self, BuildError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            // A redirect would carry the token, or the secret, to wherever it points.
            .redirect(redirect::Policy::none())
            .https_only(!domain.is_loopback())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT);
        if domain.is_loopback() {
            // No proxy knows the way to this machine's loopback.
            builder = builder.no_proxy();
        }
        Ok(Self { client: builder.build().map_err(BuildError)?, domain })
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Reads from the Management API, in as many attempts as it takes. An answer of any status is an
    /// answer, unless it refuses the token: what it means is for the endpoint to say.
    pub(crate) async fn get(
        &self,
        call: &Call,
        tokens: &TokenCache,
        patience: &Patience,
        progress: &Progress,
    ) -> Result<Answer, Error> {
        let url = self.domain.url(call.path(), call.query());
        let mut is_replacement = false;
        loop {
            let token = tokens.token(patience).await?;
            let request = self.client.get(url.clone()).header(AUTHORIZATION, token.header());
            progress.called(is_replacement);
            let answer = self.send(request, call.endpoint(), patience).await?;
            if !is_token_refused(&answer) {
                return Ok(answer);
            }
            // Keys are rotated and grants are withdrawn while a token lives: one that is refused is
            // replaced, once.
            if is_replacement {
                let error = Error::misconfigured(Misconfiguration::TokenRefused);
                tokens.give_up(&token, error.clone());
                return Err(error);
            }
            tokens.invalidate(&token);
            is_replacement = true;
        }
    }

    /// Sends a JSON body; for the token endpoint.
    pub(crate) async fn post(
        &self,
        path: &str,
        endpoint: &'static str,
        body: &impl serde::Serialize,
        patience: &Patience,
    ) -> Result<Answer, Error> {
        let url: Url = self.domain.url(path, None);
        self.send(self.client.post(url).json(body), endpoint, patience).await
    }

    /// One attempt.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        endpoint: &'static str,
        patience: &Patience,
    ) -> Result<Answer, Error> {
        let start = Instant::now();
        let outcome = patience
            .limit(async {
                let response = request.send().await.map_err(|error| lost(error, Reason::Connection))?;
                receive(response).await
            })
            .await
            .flatten();
        let duration_ms = start.elapsed().as_millis() as u64;
        match &outcome {
            Ok(answer) => {
                let (status, bytes) = (answer.status.as_u16(), answer.body.len());
                tracing::debug!(endpoint, status, bytes, duration_ms, "Auth0 answered");
            }
            Err(error) => {
                let cause = error.causes();
                tracing::debug!(endpoint, duration_ms, %error, cause, "Auth0 gave no answer");
            }
        }
        outcome
    }
}

/// Reads a body, as far as it may go. One that comes in a single piece, as small ones do, is not
/// copied.
async fn receive(mut response: Response) -> Result<Answer, Error> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > BODY_LIMIT {
        return Err(Error::unavailable(Reason::TooLarge));
    }
    let mut only = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| lost(error, Reason::Interrupted))? {
        if only.len() + pieces.len() + piece.len() > BODY_LIMIT {
            return Err(Error::unavailable(Reason::TooLarge));
        }
        if only.is_empty() && pieces.is_empty() {
            only = piece;
        } else {
            if pieces.is_empty() {
                pieces.reserve(announced.max(only.len() + piece.len()));
                pieces.extend_from_slice(&std::mem::take(&mut only));
            }
            pieces.extend_from_slice(&piece);
        }
    }
    let body = if pieces.is_empty() { only } else { pieces.freeze() };
    Ok(Answer { status, headers, body })
}

/// What a failed exchange is called. The address, which `reqwest` puts into its messages, is taken
/// out first.
fn lost(error: reqwest::Error, reason: Reason) -> Error {
    Error::unavailable_because(reason, error.without_url())
}
