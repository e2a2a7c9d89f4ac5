//! The tenant's signing key, and the RS256 tokens that it signs.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// The key of every sandbox in this process: making one takes too long to do it for each.
/// `None` if the machine's cryptography refused.
static KEY: LazyLock<Option<SigningKey>> = LazyLock::new(SigningKey::generate);

/// An RSA key and its name.
pub(crate) struct SigningKey {
    pair: KeyPair,
    id: String,
}

/// A token that is not one of this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidTokenError;

impl SigningKey {
    /// The key of this process, made on first use.
    pub(crate) fn of_this_process() -> std::io::Result<&'static Self> {
        KEY.as_ref().ok_or_else(|| std::io::Error::other("cannot make an RSA key for the sandbox"))
    }

    fn generate() -> Option<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id).ok()?;
        Some(Self { pair, id: URL_SAFE_NO_PAD.encode(id) })
    }

    /// The key set as `/.well-known/jwks.json` shows it.
    pub(crate) fn jwks(&self) -> Value {
        let public = self.pair.public_key();
        let number = |big_endian: &[u8]| URL_SAFE_NO_PAD.encode(big_endian);
        json!({"keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.id,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        }]})
    }

    /// Signs the claims.
    pub(crate) fn sign(&self, claims: &Value) -> std::io::Result<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.id});
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let mut token = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| std::io::Error::other("cannot sign a token"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The claims of a token that this key signed. Says nothing about who may use it, or when.
    pub(crate) fn verify(&self, token: &str) -> Result<Map<String, Value>, InvalidTokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidTokenError)?;
        let (header, claims) = signed.split_once('.').ok_or(InvalidTokenError)?;
        let header = decode(header)?;
        if header.get("alg") != Some(&"RS256".into()) || header.get("kid") != Some(&self.id.as_str().into()) {
            return Err(InvalidTokenError);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| InvalidTokenError)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key())
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| InvalidTokenError)?;
        decode(claims)
    }
}

fn decode(part: &str) -> Result<Map<String, Value>, InvalidTokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidTokenError)?;
    serde_json::from_slice(&bytes).map_err(|_| InvalidTokenError)
}

/// A text that nobody guesses, of `bytes` random bytes.
pub(crate) fn secret(bytes: usize) -> std::io::Result<String> {
    let mut random = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| std::io::Error::other("no random numbers for the sandbox"))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_token_is_verified_and_a_changed_one_is_not() {
        let key = SigningKey::of_this_process().expect("a key");
        let token = key.sign(&json!({"sub": "somebody"})).expect("a token");
        assert_eq!(key.verify(&token).expect("valid")["sub"], "somebody");

        let parts: Vec<_> = token.split('.').collect();
        let other_claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"admin"}"#);
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        for forged in [
            format!("{}.{other_claims}.{}", parts[0], parts[2]),
            format!("{unsigned}.{}.", parts[1]),
            format!("{}.{}.", parts[0], parts[1]),
            "a.b.c".to_owned(),
            String::new(),
        ] {
            assert_eq!(key.verify(&forged), Err(InvalidTokenError), "{forged}");
        }
    }
}
