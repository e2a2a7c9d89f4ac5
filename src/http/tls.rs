//! TLS of the server itself, for those who have no proxy in front: a certificate that can be replaced while connections are open.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// A certificate with the chain to its authority and its private key. Clones are one. `Debug` shows nothing of the key.
#[derive(Clone)]
pub struct Certificate(Arc<ArcSwap<CertifiedKey>>);

/// Texts that are no certificate with its key. `Display` holds nothing of them, and completes the sentence that begins with the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The first text.
    #[error("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The second text.
    #[error("holds no private key in PEM that is not encrypted (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// The key of another certificate.
    #[error("is not the key of the certificate in TLS_CERT")]
    OtherKey,
}

impl Certificate {
    /// Parses a chain of certificates, the server's own first, and its private key, both in PEM.
    ///
    /// # Errors
    ///
    /// See [`CertificateError`].
    pub fn parse(chain: &str, key: &str) -> Result<Self, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::NoCertificate)?;
        if chain.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| CertificateError::NoKey)?;
        let key = default_provider().key_provider.load_private_key(key).map_err(|_| CertificateError::NoKey)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A key that cannot tell its public half is let pass by the library, too.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(CertificateError::OtherKey),
            Err(_) => return Err(CertificateError::NoCertificate),
        }
        Ok(Self(Arc::new(ArcSwap::from_pointee(certified))))
    }

    /// Takes what `other` has now, for this and all its clones. Connections that are open stay as they are.
    pub(crate) fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// An acceptor of connections that shows this certificate, as it is then.
    pub(crate) fn acceptor(self) -> Result<TlsAcceptor, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
