//! The edge between a gateway and a tenant that is not on this machine: a proxy, and behind it TLS.

mod certificate;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) use certificate::Certificate;

/// A proxy on the way to one tenant.
pub(crate) struct Edge {
    /// The address of the proxy, with its port.
    pub(crate) address: String,
    seen: Arc<Mutex<Seen>>,
}

/// The requests that the proxy saw, and the protocols that were agreed upon behind it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// The head of each request to the proxy.
    pub(crate) heads: Vec<String>,
    /// The protocol of each TLS connection through it.
    pub(crate) protocols: Vec<String>,
}

impl Edge {
    /// A proxy that opens every tunnel to what listens at `tenant`, behind TLS with this certificate and these protocols.
    pub(crate) async fn before(tenant: &str, certificate: &Certificate, protocols: &[&str]) -> Self {
        let tenant = tenant.strip_prefix("http://").unwrap().to_owned();
        let acceptor = acceptor(certificate, protocols);
        Self::start(move |mut stream, seen| {
            let (tenant, acceptor) = (tenant.clone(), acceptor.clone());
            async move {
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                let mut stream = acceptor.accept(stream).await?;
                let protocol = stream.get_ref().1.alpn_protocol().unwrap_or_default();
                seen.lock().unwrap().protocols.push(String::from_utf8_lossy(protocol).into_owned());
                let mut tenant = TcpStream::connect(tenant).await?;
                copy_bidirectional(&mut stream, &mut tenant).await.map(drop)
            }
        })
        .await
    }

    /// A proxy that refuses to open a tunnel, with this status line.
    pub(crate) async fn refusing(status: &'static str) -> Self {
        Self::start(move |mut stream, _| async move {
            stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await
        })
        .await
    }

    async fn start<F>(serve: impl Fn(TcpStream, Arc<Mutex<Seen>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {}
                noted.lock().unwrap().heads.push(String::from_utf8(head).unwrap());
                tokio::spawn(serve(stream, Arc::clone(&noted)));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

fn acceptor(certificate: &Certificate, protocols: &[&str]) -> TlsAcceptor {
    let chain = vec![CertificateDer::from(certificate.certificate.clone())];
    let key = PrivatePkcs8KeyDer::from(certificate.key.clone());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}
