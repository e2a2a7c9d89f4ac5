//! An issuer's public keys (RFC 7517), and verification of signatures with them.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::error::CredentialsError;
use super::jws::Jws;

/// Public keys that can verify tokens.
#[derive(Debug, PartialEq)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    jwk: Jwk,
    /// Algorithms that it may verify: pinned by its type, and by its `alg` where it has one.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.jwk == other.jwk
    }
}

/// A text is no key set, or holds no key that can verify a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("the key set is not JSON of the form that RFC 7517 describes")]
    Malformed,
    #[error("the key set holds no key for RS256, PS256, ES256 or EdDSA")]
    NoUsableKey,
}

/// A token is not signed by a key of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifyError {
    /// The set has no such key; a newer one may.
    UnknownKey,
    /// The token was not signed by the key that it names.
    Refused(CredentialsError),
}

impl KeySet {
    /// Reads a JWK Set. Keys that are not understood or for other purposes are passed over, as RFC 7517 (5) asks.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }

        let set: Set = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        let keys: Vec<_> = set.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() { Err(KeySetError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Verifies that one of the keys has signed the token.
    pub(crate) fn verify(&self, token: &Jws<'_>) -> Result<(), VerifyError> {
        let key = self.select(token.key_id.as_deref(), token.algorithm)?;
        match jsonwebtoken::crypto::verify(token.signature, token.signed.as_bytes(), key, token.algorithm) {
            Ok(true) => Ok(()),
            // A signature that is not base64url, or a key that turns out to be none.
            Ok(false) | Err(_) => Err(VerifyError::Refused(CredentialsError::Signature)),
        }
    }

    fn select(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, VerifyError> {
        let fits = |key: &&Key| key.algorithms.contains(&algorithm);
        let Some(id) = id else {
            let mut fitting = self.0.iter().filter(fits);
            return match (fitting.next(), fitting.next()) {
                (Some(key), None) => Ok(&key.key),
                _ => Err(VerifyError::Refused(CredentialsError::AmbiguousKey)),
            };
        };
        let mut named = self.0.iter().filter(|key| key.jwk.common.key_id.as_deref() == Some(id)).peekable();
        if named.peek().is_none() {
            return Err(VerifyError::UnknownKey);
        }
        named.find(fits).map(|key| &key.key).ok_or(VerifyError::Refused(CredentialsError::Algorithm))
    }
}

impl Key {
    fn read(json: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let may_verify = jwk.common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !is_for_signatures || !may_verify {
            return None;
        }
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => vec![Algorithm::RS256, Algorithm::PS256],
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            // A secret among public keys above all.
            _ => return None,
        };
        if let Some(only) = jwk.common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == only);
        }
        if algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { jwk, algorithms, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(keys: &Value) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn selected(set: &KeySet, id: Option<&str>, algorithm: Algorithm) -> Result<(), VerifyError> {
        set.select(id, algorithm).map(|_| ())
    }

    fn rsa(id: impl Into<Value>, more: &Value) -> Value {
        let id = id.into();
        let mut key = json!({"kty": "RSA", "kid": id, "n": "AQAB", "e": "AQAB"});
        for (name, value) in more.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    #[test]
    fn a_key_verifies_only_what_its_type_and_its_alg_allow() {
        let keys = set(&json!([
            rsa("any", &json!({"use": "sig"})),
            rsa("pinned", &json!({"alg": "PS256", "key_ops": ["verify"]})),
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AQAB", "y": "AQAB"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AQAB"},
        ]))
        .unwrap();
        let all = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
        for (id, allowed) in [
            ("any", &[Algorithm::RS256, Algorithm::PS256][..]),
            ("pinned", &[Algorithm::PS256]),
            ("ec", &[Algorithm::ES256]),
            ("ed", &[Algorithm::EdDSA]),
        ] {
            for algorithm in all {
                let expected = if allowed.contains(&algorithm) {
                    Ok(())
                } else {
                    Err(VerifyError::Refused(CredentialsError::Algorithm))
                };
                assert_eq!(selected(&keys, Some(id), algorithm), expected, "{id} {algorithm:?}");
            }
        }
        assert_eq!(selected(&keys, Some("../../any"), Algorithm::RS256), Err(VerifyError::UnknownKey));
    }

    #[test]
    fn a_token_need_not_name_the_only_key_that_fits() {
        let two = set(&json!([rsa("a", &json!({"alg": "RS256"})), rsa(Value::Null, &json!({}))])).unwrap();
        assert_eq!(selected(&two, None, Algorithm::PS256), Ok(()));
        assert_eq!(selected(&two, None, Algorithm::RS256), Err(VerifyError::Refused(CredentialsError::AmbiguousKey)));
        assert_eq!(selected(&two, None, Algorithm::ES256), Err(VerifyError::Refused(CredentialsError::AmbiguousKey)));
    }

    #[test]
    fn sets_are_the_same_if_their_keys_are() {
        let keys = |exponent: &str| set(&json!([rsa("a", &json!({ "e": exponent })), rsa("b", &json!({}))])).unwrap();
        assert_eq!(keys("AQAB"), keys("AQAB"));
        assert_ne!(keys("AQAB"), keys("AQAC"));
        assert_ne!(keys("AQAB"), set(&json!([rsa("a", &json!({}))])).unwrap());
    }

    #[test]
    fn keys_for_other_purposes_are_passed_over() {
        let others = [
            json!({"kty": "oct", "k": "AQAB", "alg": "HS256", "kid": "secret"}),
            rsa("a", &json!({"use": "enc"})),
            rsa("a", &json!({"key_ops": ["encrypt"]})),
            rsa("a", &json!({"alg": "RSA-OAEP"})),
            rsa("a", &json!({"alg": "HS256"})),
            rsa("a", &json!({"alg": "ES256"})),
            rsa("a", &json!({"n": "not base64!"})),
            rsa(1, &json!({})),
            json!({"kty": "EC", "crv": "P-384", "x": "AQAB", "y": "AQAB"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AQAB"}),
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AQAB"}),
            json!("key"),
            Value::Null,
        ];
        for other in &others {
            assert_eq!(set(&json!([other])).err(), Some(KeySetError::NoUsableKey), "{other}");
        }
        let keys = set(&others.into_iter().chain([rsa("good", &json!({}))]).collect()).unwrap();
        assert_eq!(keys.len(), 1);
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
            assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(KeySetError::Malformed), "{text}");
        }
    }
}
