//! Settings of TLS.

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::Problems;
use super::row::{Redaction, SecretFile};
use super::secret::InFile;
use super::setting::{Checked, GivenSetting as _, Setting};
use crate::http::{Certificate, CertificateError};

#[derive(Args)]
#[command(next_help_heading = "Server")]
pub(super) struct TlsArgs {
    /// File of the server's certificate with its chain (PEM): the gateway speaks TLS itself then, for want of a proxy that does.
    ///
    /// Read anew after a SIGHUP. Connections that are open stay as they are.
    #[arg(long, env, value_name = "PATH")]
    tls_cert: Option<Checked<InFile<Chain>>>,

    /// File of the certificate's private key (PEM).
    #[arg(long, env, value_name = "PATH", add = SecretFile, add = Redaction::OF_PATH)]
    tls_key: Option<Checked<InFile<Key>>>,
}

impl TlsArgs {
    pub(super) fn is_given(&self) -> bool {
        self.tls_cert.is_given()
    }

    pub(super) fn certificate(&self, problems: &mut Problems) -> Option<Certificate> {
        for (name, other, is_missing) in [
            ("TLS_CERT", "TLS_KEY", self.tls_key.is_given() && !self.tls_cert.is_given()),
            ("TLS_KEY", "TLS_CERT", self.tls_cert.is_given() && !self.tls_key.is_given()),
        ] {
            if is_missing {
                problems.add(name, format!("is missing: a file (PEM) that goes with {other}"));
            }
        }
        let (chain, key) = (self.tls_cert.take(problems), self.tls_key.take(problems));
        let (chain, key) = (chain?, key?);
        match Certificate::parse(&chain, key.expose_secret()) {
            Ok(certificate) => Some(certificate),
            Err(error) => {
                let name = if error == CertificateError::NoCertificate { "TLS_CERT" } else { "TLS_KEY" };
                problems.add(name, error.to_string());
                None
            }
        }
    }
}

/// A chain of certificates, which is looked at together with its key.
struct Chain;

impl Setting for Chain {
    type Value = String;

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
}

/// A private key, likewise.
struct Key;

impl Setting for Key {
    type Value = SecretString;

    fn parse(text: &str) -> Result<SecretString, String> {
        Ok(text.into())
    }
}
