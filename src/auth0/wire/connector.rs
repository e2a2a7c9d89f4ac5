//! How connections to the tenant are made: TCP, through a proxy if the environment names one, and TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, USER_AGENT};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use tokio::net::TcpStream;
use tower::{BoxError, Service, ServiceExt as _};

use super::super::domain::Domain;
use super::OWN_NAME;
use crate::deadline::Deadline;

/// A handshake with Auth0's edge takes well under a second from anywhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How soon the system tests a silent connection, how often, and how long it waits for what was sent to be acknowledged. HTTP/1.1
/// has no pings of its own.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;
#[cfg(target_os = "linux")]
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

type Connecting<S> = Pin<Box<dyn Future<Output = Result<S, BoxError>> + Send>>;

/// To the tenant, or to the proxy on the way there.
type Tcp = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Once there is TLS with the tenant, or none for a stand-in on this machine.
pub(super) type Stream = MaybeHttpsStream<Tcp>;

/// Connects to one tenant.
#[derive(Debug)]
pub(super) struct Connector {
    https: HttpsConnector<Road>,
    destination: Uri,
}

impl Connector {
    pub(super) fn new(domain: &Domain) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(PROBE_INTERVAL));
        tcp.set_keepalive_interval(Some(PROBE_INTERVAL));
        tcp.set_keepalive_retries(Some(PROBES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN));

        let mut tls = tls()?;
        // No proxy knows the way to this machine's loopback.
        let proxy = if domain.is_loopback() { None } else { Matcher::from_env().intercept(domain.base()) };
        let road = match proxy {
            None => Road::Direct(tcp),
            Some(proxy) => Road::Proxied(Box::new(tunnel(&proxy, HttpsConnector::from((tcp, tls.clone()))))),
        };
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut https = HttpsConnector::from((road, tls));
        if domain.is_https() {
            https.enforce_https();
        }
        Ok(Self { https, destination: domain.base().clone() })
    }

    pub(super) async fn connect(&self) -> Result<Stream, BoxError> {
        let connecting = self.https.clone().oneshot(self.destination.clone());
        let limited = Deadline::within(CONNECT_TIMEOUT).limit(connecting).await;
        limited.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }
}

/// TLS as the platform trusts it.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .try_with_platform_verifier()?
        .with_no_client_auth();
    Ok(config)
}

fn tunnel(proxy: &Intercept, connector: HttpsConnector<HttpConnector>) -> Tunnel<HttpsConnector<HttpConnector>> {
    let tunnel =
        Tunnel::new(proxy.uri().clone(), connector).with_headers(HeaderMap::from_iter([(USER_AGENT, OWN_NAME)]));
    match proxy.basic_auth() {
        Some(credentials) => tunnel.with_auth(credentials.clone()),
        None => tunnel,
    }
}

/// How TCP gets there.
#[derive(Clone)]
enum Road {
    Direct(HttpConnector),
    /// By `CONNECT` (RFC 9110, 9.3.6).
    Proxied(Box<Tunnel<HttpsConnector<HttpConnector>>>),
}

impl Service<Uri> for Road {
    type Response = Tcp;
    type Error = BoxError;
    type Future = Connecting<Tcp>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        match self.clone() {
            Self::Direct(tcp) => Box::pin(async { Ok(MaybeHttpsStream::Http(tcp.oneshot(destination).await?)) }),
            Self::Proxied(tunnel) => {
                Box::pin(async { tunnel.oneshot(destination).await.map_err(|error| NoTunnel(error.into()).into()) })
            }
        }
    }
}

/// The proxy is the trouble, not the tenant.
#[derive(Debug, thiserror::Error)]
#[error("no way through the proxy that HTTPS_PROXY or ALL_PROXY names")]
pub(crate) struct NoTunnel(#[source] BoxError);
