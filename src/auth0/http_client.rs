//! HTTP with the tenant: one request, one response. It knows nothing of attempts.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, retry};
use url::Url;

use super::domain::Domain;
use super::error::{BODY_LIMIT, BuildError, Error, UnavailableReason};
use crate::outbound::client_builder;
use crate::telemetry::{TRACEPARENT, traceparent};

/// A handshake with Auth0's edge takes well under a second from anywhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Time after which the system tests a silent connection, number of tests, and time that it waits for what was sent to be acknowledged. HTTP/1.1
/// has no pings of its own.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;
#[cfg(target_os = "linux")]
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// Shorter than what proxies and address translators commonly keep an idle connection for (60 s and
/// up), so that a pooled connection is rarely found dead.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Time after which a silent HTTP/2 connection is tested, and the longest that the test may take: a dead one would
/// otherwise swallow every call until its deadline.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// A whole response, whatever its status.
#[derive(Debug)]
pub(crate) struct UpstreamResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request, to be sent as often as need be. Not `Debug`: a body may hold the secret.
#[derive(Clone)]
pub(crate) struct UpstreamRequest {
    method: Method,
    url: Arc<Url>,
    /// The header that not every request has.
    header: Option<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl UpstreamRequest {
    /// A `GET`, with these credentials if any.
    pub(crate) fn get(url: Arc<Url>, authorization: Option<HeaderValue>) -> Self {
        let header = authorization.map(|authorization| (AUTHORIZATION, authorization));
        Self { method: Method::GET, url, header, body: Bytes::new() }
    }

    /// A `POST` of JSON.
    pub(crate) fn post(url: Arc<Url>, body: Bytes) -> Self {
        let header = Some((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        Self { method: Method::POST, url, header, body }
    }
}

/// The HTTP client of one tenant. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient(Client);

impl HttpClient {
    pub(crate) fn new(domain: &Domain) -> Result<Self, BuildError> {
        let builder = client_builder(domain.is_loopback())
            // Pacing would not see a retry.
            .retry(retry::never())
            .https_only(domain.is_https())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(PROBE_INTERVAL)
            .tcp_keepalive_interval(PROBE_INTERVAL)
            .tcp_keepalive_retries(PROBES)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT);
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(ACKNOWLEDGED_WITHIN);
        builder.build().map(Self).map_err(BuildError)
    }

    /// Sends a request and reads its response, as far as that may go. A redirect is a response like any other.
    pub(crate) async fn exchange(&self, request: &UpstreamRequest) -> Result<UpstreamResponse, Error> {
        let response = self.send(request).await;
        let mut response =
            response.map_err(|error| Error::unavailable_because(UnavailableReason::Connection, error))?;
        let (status, headers) = (response.status(), mem::take(response.headers_mut()));
        Ok(UpstreamResponse { status, headers, body: body(response).await? })
    }

    /// Sends a request, and waits until a response begins. An error does not name the address, which holds what was asked.
    pub(crate) async fn send(&self, request: &UpstreamRequest) -> Result<Response, reqwest::Error> {
        let UpstreamRequest { method, url, header, body } = request;
        let mut request = reqwest::Request::new(method.clone(), Url::clone(url));
        request.headers_mut().extend(header.clone());
        let traceparent = traceparent().and_then(|traceparent| HeaderValue::try_from(traceparent).ok());
        request
            .headers_mut()
            .extend(traceparent.map(|traceparent| (HeaderName::from_static(TRACEPARENT), traceparent)));
        if !body.is_empty() {
            *request.body_mut() = Some(body.clone().into());
        }
        self.0.execute(request).await.map_err(reqwest::Error::without_url)
    }
}

/// Reads a body, unpacked. One that comes in a single piece, as small ones do, is not copied.
async fn body(mut response: Response) -> Result<Bytes, Error> {
    let announced = response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > BODY_LIMIT {
        return Err(Error::unavailable(UnavailableReason::TooLarge));
    }
    let interrupted =
        |error: reqwest::Error| Error::unavailable_because(UnavailableReason::Interrupted, error.without_url());
    let Some(first) = response.chunk().await.map_err(interrupted)? else { return Ok(Bytes::new()) };
    let mut pieces = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(interrupted)? {
        if pieces.is_empty() {
            pieces.reserve(announced.max(first.len() + piece.len()));
            pieces.extend_from_slice(&first);
        }
        pieces.extend_from_slice(&piece);
        if pieces.len() > BODY_LIMIT {
            return Err(Error::unavailable(UnavailableReason::TooLarge));
        }
    }
    let body = if pieces.is_empty() { first } else { pieces.freeze() };
    if body.len() > BODY_LIMIT { Err(Error::unavailable(UnavailableReason::TooLarge)) } else { Ok(body) }
}
