//! HTTP as it is spoken with the tenant. It knows requests, answers and connections, and nothing of attempts.
//!
//! This is hyper, and not reqwest, which is built upon it. Every operation goes this way, and what reqwest has to offer is
//! switched off here (redirects, cookies, a retry of its own) or done elsewhere (time limits), but would be paid for in every
//! call: the address alone would be parsed twice. For the pool see [`connections`].

mod connections;
mod connector;
mod gzip;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri};

use tower::BoxError;

use self::connections::{Connection, Connections};
pub(crate) use self::connector::NoTunnel;
use self::gzip::Unpackable;
use super::domain::Domain;
use super::error::{BuildError, Error, Reason};

/// The most that a body may hold once unpacked. A hundred of the largest profiles are 100 MB in
/// theory, but a page of ordinary ones stays below 1 MiB; what is larger than this would cost every
/// other caller memory.
pub(crate) const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// What the gateway calls itself, as a `User-Agent`.
const OWN_NAME: HeaderValue = HeaderValue::from_static(concat!("auth0-graphql/", env!("CARGO_PKG_VERSION")));

/// A whole answer, whatever its status.
#[derive(Debug)]
pub(crate) struct UpstreamResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl UpstreamResponse {
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

/// What is sent, whichever protocol the connection speaks. Not `Debug`: a body may hold the secret.
#[derive(Clone)]
pub(crate) struct UpstreamRequest {
    method: Method,
    uri: Uri,
    /// The header that not every request has.
    header: Option<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl UpstreamRequest {
    /// A `GET`, as whoever `authorization` stands for.
    pub(crate) fn get(uri: Uri, authorization: Option<HeaderValue>) -> Self {
        let header = authorization.map(|authorization| (AUTHORIZATION, authorization));
        Self { method: Method::GET, uri, header, body: Bytes::new() }
    }

    /// A `POST` of JSON.
    pub(crate) fn post(uri: Uri, body: Bytes) -> Self {
        let header = Some((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        Self { method: Method::POST, uri, header, body }
    }
}

/// Why no answer began.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("no connection")]
    Connecting(#[source] BoxError),
    #[error("the connection was lost")]
    Sending(#[source] hyper::Error),
}

/// The way to one tenant. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connections: Connections,
    /// The headers that every request has.
    headers: HeaderMap,
    /// The same for HTTP/1.1, which names the host there. HTTP/2 names it in the address, and some servers refuse a request that
    /// does both.
    headers_with_host: HeaderMap,
}

impl Wire {
    pub(crate) fn new(domain: &Domain) -> Result<Self, BuildError> {
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("*/*")),
            (ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
            (USER_AGENT, OWN_NAME),
        ]);
        let mut headers_with_host = headers.clone();
        let host = domain.base().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
        headers_with_host.extend(host.map(|host| (HOST, host)));
        let connections = Connections::new(domain).map_err(BuildError)?;
        Ok(Self(Arc::new(Inner { connections, headers, headers_with_host })))
    }

    /// Sends a request and reads its answer, as far as it may go. Redirects are answers like any other: to follow one would carry
    /// the token, or the secret, to wherever it points.
    pub(crate) async fn exchange(&self, outgoing: &UpstreamRequest) -> Result<UpstreamResponse, Error> {
        let begun = self.send(outgoing).await;
        let (response, connection) = begun.map_err(|lost| Error::unavailable_because(Reason::Connection, lost))?;
        let (head, mut body) = response.into_parts();
        let body = collect(&mut body).await?;
        self.0.connections.put_back(connection);
        UpstreamResponse { status: head.status, headers: head.headers, body }.unpacked()
    }

    /// Sends a request, and waits until an answer begins. The connection is of use to another once the body is read.
    pub(crate) async fn send(&self, outgoing: &UpstreamRequest) -> Result<(Response<Incoming>, Connection), Lost> {
        while let Some(mut connection) = self.0.connections.take() {
            match connection.send(self.request(outgoing, &connection)).await {
                Ok(response) => return Ok((response, connection)),
                // It had been closed meanwhile, and nothing was sent.
                Err(error) if error.message().is_some() => {}
                Err(error) => return Err(Lost::Sending(error.into_error())),
            }
        }
        let mut connection = Box::pin(self.0.connections.open()).await?;
        match connection.send(self.request(outgoing, &connection)).await {
            Ok(response) => Ok((response, connection)),
            Err(error) => Err(Lost::Sending(error.into_error())),
        }
    }

    fn request(&self, outgoing: &UpstreamRequest, connection: &Connection) -> Request<Full<Bytes>> {
        let UpstreamRequest { method, uri, header, body } = outgoing.clone();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        (*request.uri_mut(), *request.headers_mut()) = match (connection, uri.path_and_query()) {
            (Connection::Http1(_), Some(target)) => (target.clone().into(), self.0.headers_with_host.clone()),
            _ => (uri, self.0.headers.clone()),
        };
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value);
        }
        request
    }
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
