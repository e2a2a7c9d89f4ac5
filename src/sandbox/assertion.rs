//! Client assertions: the keys of clients that show who they are by `private_key_jwt` (RFC 7523), and what makes an assertion good.
//!
//! <https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256, RsaParameters,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Map, Value};

/// Value of `client_assertion_type`.
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Longest time from now to an assertion's `exp`, and the difference between clocks that is put up with, in seconds.
const LONGEST_LIFE: i64 = 300;
const SKEW: i64 = 10;

/// The public key of a client: an RSA key as X.509 has it.
#[derive(Debug, Clone)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Reads a public key in PEM.
    ///
    /// # Errors
    ///
    /// The text is no public key.
    pub fn parse(pem: &str) -> io::Result<Self> {
        let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes());
        key.map(|key| Self(key.to_vec())).map_err(|_| io::Error::other("no public key in PEM (BEGIN PUBLIC KEY)"))
    }

    /// The public half of the private key in a file; makes the key and the file, for its owner alone, if there is none.
    ///
    /// # Errors
    ///
    /// The file can be neither read nor written, or holds no RSA private key.
    pub fn of_private_key_file(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(pem) => Self::of_private_key(&pem),
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_private_key(path),
            Err(error) => Err(error),
        }
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
    }

    fn of_private_key(pem: &[u8]) -> io::Result<Self> {
        let unusable = || io::Error::other("no RSA private key in PEM");
        let pair = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| unusable())? {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(unusable()),
        };
        Self::of(&pair.map_err(|_| unusable())?)
    }

    fn of(pair: &KeyPair) -> io::Result<Self> {
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key());
        der.map(|der| Self(der.as_ref().to_vec())).map_err(|_| io::Error::other("a key without a public half"))
    }
}

fn make_private_key(path: &Path) -> io::Result<PublicKey> {
    let unable = || io::Error::other("cannot make an RSA key");
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| unable())?;
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| unable())?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref()));
    options.open(path)?.write_all(pem.as_bytes())?;
    PublicKey::of(&pair)
}

/// Reason for which an assertion is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AssertionError {
    #[error("the assertion is no JWT")]
    Malformed,
    #[error("alg must be RS256, RS384 or PS256")]
    Algorithm,
    #[error("the signature is not by the client's key")]
    Signature,
    #[error("iss and sub must be the client's id")]
    Issuer,
    #[error("aud must be the tenant's address with a slash at its end")]
    Audience,
    #[error("exp must lie within the next 300 seconds")]
    Expiry,
    #[error("jti is missing or too long")]
    Id,
    #[error("the assertion was used before")]
    Replayed,
}

/// The `jti` of assertions that were taken, each with the second from which it would be refused for its age.
#[derive(Debug, Default)]
pub(crate) struct Taken(HashMap<String, i64>);

impl Taken {
    /// Takes an assertion of the client, once.
    pub(crate) fn take(
        &mut self,
        assertion: &str,
        key: &PublicKey,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<(), AssertionError> {
        let claims = verify(assertion, key)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("iss") != client_id || text("sub") != client_id {
            return Err(AssertionError::Issuer);
        }
        if text("aud") != audience {
            return Err(AssertionError::Audience);
        }
        let now = now.timestamp();
        let moment =
            |name: &str| claims.get(name).map(|value| value.as_i64().ok_or(AssertionError::Expiry)).transpose();
        let exp = moment("exp")?.ok_or(AssertionError::Expiry)?;
        let is_early = |moment: Option<i64>| moment.is_some_and(|moment| moment > now + SKEW);
        if exp <= now - SKEW || exp > now + LONGEST_LIFE + SKEW || is_early(moment("iat")?) || is_early(moment("nbf")?)
        {
            return Err(AssertionError::Expiry);
        }
        if !(1..=64).contains(&text("jti").len()) {
            return Err(AssertionError::Id);
        }
        self.0.retain(|_, until| *until > now);
        match self.0.insert(format!("{client_id} {}", text("jti")), exp + SKEW) {
            None => Ok(()),
            Some(_) => Err(AssertionError::Replayed),
        }
    }
}

/// The claims of an assertion that the key signed.
fn verify(assertion: &str, key: &PublicKey) -> Result<Map<String, Value>, AssertionError> {
    let (signed, signature) = assertion.rsplit_once('.').ok_or(AssertionError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(AssertionError::Malformed)?;
    let algorithm: &'static RsaParameters = match decode(header)?.get("alg").and_then(Value::as_str) {
        Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
        Some("RS384") => &RSA_PKCS1_2048_8192_SHA384,
        Some("PS256") => &RSA_PSS_2048_8192_SHA256,
        _ => return Err(AssertionError::Algorithm),
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| AssertionError::Malformed)?;
    let key = UnparsedPublicKey::new(algorithm, &key.0);
    key.verify(signed.as_bytes(), &signature).map_err(|_| AssertionError::Signature)?;
    decode(claims)
}

fn decode(part: &str) -> Result<Map<String, Value>, AssertionError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| AssertionError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| AssertionError::Malformed)
}
