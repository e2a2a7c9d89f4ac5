//! HTTP as it is spoken with the tenant. It knows requests, answers and connections, and nothing of attempts.
//!
//! This is hyper's client and not reqwest, which is built upon it. Every operation goes this way, and what reqwest has to offer is
//! switched off here (redirects, cookies, a retry of its own) or done elsewhere (time limits), but would be paid for in every
//! call: the address alone would be parsed twice.

mod connector;
mod gzip;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT,
};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use self::connector::Connector;
pub(crate) use self::connector::NoTunnel;
use self::gzip::Unpackable;
use super::domain::Domain;
use super::error::{BuildError, Error, Reason};

/// The most that a body may hold once unpacked. A hundred of the largest profiles are 100 MB in
/// theory, but a page of ordinary ones stays below 1 MiB; what is larger than this would cost every
/// other caller memory.
pub(crate) const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Shorter than what proxies and address translators commonly keep an idle connection for (60 s and
/// up), so that a pooled connection is rarely found dead.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How soon a silent HTTP/2 connection is tested, and how long the test may take: a dead one would
/// otherwise swallow every call until its deadline.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What the gateway calls itself, as a `User-Agent`.
const OWN_NAME: HeaderValue = HeaderValue::from_static(concat!("auth0-graphql/", env!("CARGO_PKG_VERSION")));

/// A whole answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn unpacked(mut self) -> Result<Self, Error> {
        let coding = self.headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
        if coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"gzip")) && !self.body.is_empty() {
            self.body = gzip::unpack(&self.body, BODY_LIMIT).map_err(|error| match error {
                Unpackable::TooLarge => Error::unavailable(Reason::TooLarge),
                Unpackable::Broken(_) => Error::unavailable_because(Reason::Interrupted, error),
            })?;
        }
        Ok(self)
    }
}

/// The connections to one tenant. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Wire(legacy::Client<Connector, Full<Bytes>>);

impl Wire {
    pub(crate) fn new(domain: &Domain) -> Result<Self, BuildError> {
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(Connector::new(domain).map_err(BuildError)?);
        Ok(Self(client))
    }

    /// Sends a request and reads its answer, as far as it may go. Redirects are answers like any other: to follow one would carry
    /// the token, or the secret, to wherever it points.
    ///
    /// The request is handed over before the future is there, which so is small: it is a part of many others.
    pub(crate) fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<Answer, Error>> + use<> {
        let response = self.send(request);
        async move {
            let response = response.await.map_err(|error| Error::unavailable_because(Reason::Connection, error))?;
            let (head, mut body) = response.into_parts();
            let body = collect(&mut body).await?;
            Answer { status: head.status, headers: head.headers, body }.unpacked()
        }
    }

    /// Sends a request, and waits until an answer begins.
    pub(crate) fn send(&self, request: Request<Full<Bytes>>) -> legacy::ResponseFuture {
        self.0.request(request)
    }
}

/// A `GET`, as whoever `authorization` stands for.
pub(crate) fn get(uri: Uri, authorization: Option<HeaderValue>) -> Request<Full<Bytes>> {
    let mut request = request(Method::GET, uri, Bytes::new());
    if let Some(authorization) = authorization {
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    request
}

/// A `POST` of JSON.
pub(crate) fn post(uri: Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = request(Method::POST, uri, body);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

fn request(method: Method, uri: Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    // One more, and `Host`, come to these.
    let headers = request.headers_mut();
    headers.reserve(5);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(USER_AGENT, OWN_NAME);
    request
}

/// Reads a body. One that comes in a single piece, as small ones do, is not copied.
async fn collect(body: &mut Incoming) -> Result<Bytes, Error> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > BODY_LIMIT {
        return Err(Error::unavailable(Reason::TooLarge));
    }
    let mut only = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::unavailable_because(Reason::Interrupted, error))?;
        // Trailers say nothing.
        let Ok(piece) = frame.into_data() else { continue };
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
    Ok(if pieces.is_empty() { only } else { pieces.freeze() })
}
