//! A reverse proxy that does nothing else: the least that a server between a client and Auth0 can cost.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

pub(crate) async fn serve(address: SocketAddr, upstream: String) -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let upstream: Uri = upstream.parse()?;
    let host = HeaderValue::from_str(upstream.authority().context("no host")?.as_str())?;
    // Every caller's token would do: the stand-in lets everybody in.
    let token = HeaderValue::from_str(&format!("Bearer {:032x}", fastrand::u128(..)))?;
    let listener = TcpListener::bind(address).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let (client, upstream, host, token) = (client.clone(), upstream.clone(), host.clone(), token.clone());
        let service =
            service_fn(move |request| forward(request, client.clone(), upstream.clone(), host.clone(), token.clone()));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service));
    }
}

async fn forward(
    mut request: Request<Incoming>,
    client: Client<HttpConnector, Incoming>,
    upstream: Uri,
    host: HeaderValue,
    token: HeaderValue,
) -> Result<Response<Incoming>> {
    let mut parts = upstream.into_parts();
    parts.path_and_query = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts)?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(AUTHORIZATION, token);
    Ok(client.request(request).await?)
}
