//! Client authentication at the token endpoint: a secret, or an assertion signed with a private key.

use std::fmt;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::error::MisconfigurationError;

/// RFC 7523, section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Lifetime of an assertion, in seconds: what Auth0 advises, which takes up to 300.
const ASSERTION_LIFETIME: i64 = 60;

/// Authentication of the gateway's application at Auth0. `Debug` shows neither secret nor key.
#[derive(Debug, Clone)]
pub enum ClientAuthentication {
    /// The application's secret (`client_secret_post`).
    Secret(SecretString),
    /// A key of which Auth0 has the public half (`private_key_jwt`).
    PrivateKeyJwt(AssertionKey, AssertionAlgorithm),
}

/// An RSA private key that signs client assertions. `Debug` does not show it.
#[derive(Clone)]
pub struct AssertionKey(EncodingKey);

/// Algorithm of client assertions, as the application's credential was registered with at Auth0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AssertionAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

/// Text that is no key to sign assertions with. `Display` holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionKeyError {
    /// A key, and the wrong half.
    #[error("is a public key or a certificate; the private key that belongs to it is needed")]
    Public,
    /// A key that a passphrase locks.
    #[error("is encrypted; a key without a passphrase is needed, with the file's permissions to protect it")]
    Encrypted,
    /// Not a private RSA key in PEM.
    #[error("is no RSA private key in PEM (-----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----)")]
    NotRsaPem,
    /// A key of fewer than 2048 bits, or one that is broken.
    #[error("cannot sign: it is damaged, or not of 2048 to 8192 bits")]
    Unusable,
}

impl From<SecretString> for ClientAuthentication {
    fn from(secret: SecretString) -> Self {
        Self::Secret(secret)
    }
}

impl ClientAuthentication {
    /// The secret, or the private key: what only this client has.
    pub(super) fn secret_bytes(&self) -> &[u8] {
        match self {
            Self::Secret(secret) => secret.expose_secret().as_bytes(),
            Self::PrivateKeyJwt(key, _) => key.0.as_bytes(),
        }
    }

    /// The parameters of a token request that show who the client is. `audience` is the tenant's address, with a slash at its end.
    pub(super) fn parameters(
        &self,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<Value, MisconfigurationError> {
        match self {
            Self::Secret(secret) => Ok(json!({"client_id": client_id, "client_secret": secret.expose_secret()})),
            Self::PrivateKeyJwt(key, algorithm) => Ok(json!({
                "client_id": client_id,
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": key.assertion(*algorithm, client_id, audience, now)?,
            })),
        }
    }
}

impl AssertionKey {
    /// Parses a key in PEM, PKCS#8 or PKCS#1, and signs with it once: one that cannot is found before it is needed.
    ///
    /// # Errors
    ///
    /// See [`AssertionKeyError`].
    pub fn parse(pem: &str) -> Result<Self, AssertionKeyError> {
        if pem.contains("ENCRYPTED") {
            return Err(AssertionKeyError::Encrypted);
        }
        if pem.contains("BEGIN PUBLIC KEY") || pem.contains("BEGIN RSA PUBLIC KEY") || pem.contains("BEGIN CERTIFICATE")
        {
            return Err(AssertionKeyError::Public);
        }
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| AssertionKeyError::NotRsaPem)?;
        let key = Self(key);
        key.assertion(AssertionAlgorithm::Rs256, "", "", Utc::now()).map_err(|_| AssertionKeyError::Unusable)?;
        Ok(key)
    }

    /// An assertion, which Auth0 takes once: each has an id of its own. It tells no `iat` and no `nbf`, which are optional: a clock
    /// that is ahead would have it refused.
    fn assertion(
        &self,
        algorithm: AssertionAlgorithm,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<String, MisconfigurationError> {
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": uuid::Builder::from_random_bytes(random()?).into_uuid().to_string(),
            "exp": now.timestamp() + ASSERTION_LIFETIME,
        });
        jsonwebtoken::encode(&Header::new(algorithm.of_jwt()), &claims, &self.0)
            .map_err(|_| MisconfigurationError::AssertionNotSigned)
    }
}

fn random() -> Result<[u8; 16], MisconfigurationError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| MisconfigurationError::AssertionNotSigned)?;
    Ok(bytes)
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AssertionKey([REDACTED])")
    }
}

impl AssertionAlgorithm {
    const fn of_jwt(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Ps256 => Algorithm::PS256,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{
        KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256, RsaParameters,
        UnparsedPublicKey,
    };
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
    }

    fn private(pair: &KeyPair) -> String {
        pem("PRIVATE KEY", AsDer::<Pkcs8V1Der>::as_der(pair).unwrap().as_ref())
    }

    fn part(text: &str) -> Value {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_is_signed_for_the_tenant_and_never_the_same_twice() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let key = AssertionKey::parse(&private(&pair)).unwrap();
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let assertion = |algorithm| key.assertion(algorithm, "an-id", "https://example.us.auth0.com/", now).unwrap();
        let algorithms: [(_, _, &'static RsaParameters); 3] = [
            (AssertionAlgorithm::Rs256, "RS256", &RSA_PKCS1_2048_8192_SHA256),
            (AssertionAlgorithm::Rs384, "RS384", &RSA_PKCS1_2048_8192_SHA384),
            (AssertionAlgorithm::Ps256, "PS256", &RSA_PSS_2048_8192_SHA256),
        ];
        for (algorithm, name, parameters) in algorithms {
            let jwt = assertion(algorithm);
            let (signed, signature) = jwt.rsplit_once('.').unwrap();
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
            UnparsedPublicKey::new(parameters, pair.public_key()).verify(signed.as_bytes(), &signature).unwrap();
            let (header, claims) = signed.split_once('.').unwrap();
            assert_eq!(part(header), json!({"alg": name, "typ": "JWT"}));
            let mut claims = part(claims);
            let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
            assert_eq!(jti.as_str().unwrap().len(), 36);
            let (aud, exp) = ("https://example.us.auth0.com/", 1_790_000_060);
            assert_eq!(claims, json!({"iss": "an-id", "sub": "an-id", "aud": aud, "exp": exp}));
        }
        assert_ne!(assertion(AssertionAlgorithm::Rs256), assertion(AssertionAlgorithm::Rs256));
    }

    #[test]
    fn what_cannot_sign_is_told_apart_without_being_shown() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = AsDer::<PublicKeyX509Der>::as_der(pair.public_key()).unwrap();
        let good = private(&pair);
        let (head, tail) = good.split_at(good.len() / 2);
        let damaged = format!("{head}{}", tail.replacen(char::is_alphanumeric, "", 4));
        for (text, fault) in [
            (pem("PUBLIC KEY", public.as_ref()), AssertionKeyError::Public),
            (pem("CERTIFICATE", b"hush"), AssertionKeyError::Public),
            (pem("ENCRYPTED PRIVATE KEY", b"hush"), AssertionKeyError::Encrypted),
            (pem("PRIVATE KEY", b"hush"), AssertionKeyError::NotRsaPem),
            (damaged, AssertionKeyError::NotRsaPem),
            ("hush".to_owned(), AssertionKeyError::NotRsaPem),
            (String::new(), AssertionKeyError::NotRsaPem),
        ] {
            assert_eq!(AssertionKey::parse(&text).unwrap_err(), fault, "{text}");
        }
        let shown = format!("{:?}", AssertionKey::parse(&good).unwrap());
        assert_eq!(shown, "AssertionKey([REDACTED])");
    }
}
