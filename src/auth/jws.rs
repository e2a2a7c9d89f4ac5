//! Parsing of a token before anything of it is believed: its parts, and its header (RFC 7515).
//!
//! Headers that say where keys are, or bring them along (`jku`, `jwk`, `x5u`, `x5c`), are not read: keys come from the issuer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::CredentialsError;

/// The largest token that is looked at, in bytes. Auth0's have one or two thousand; permissions can make them larger.
pub(crate) const MAX_LENGTH: usize = 8 * 1024;

/// A token's parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Jws<'a> {
    pub(crate) algorithm: Algorithm,
    /// The `kid`. It is compared with those of the issuer's keys and used for nothing else: it can be any text.
    pub(crate) key_id: Option<String>,
    /// The text that is signed: header and payload.
    pub(crate) signed: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<Value>,
    b64: Option<bool>,
}

impl<'a> Jws<'a> {
    /// Parses a token.
    pub(crate) fn parse(token: &'a str) -> Result<Self, CredentialsError> {
        if token.len() > MAX_LENGTH {
            return Err(CredentialsError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(CredentialsError::NotSigned)?;
        let (header, payload) = signed.split_once('.').ok_or(CredentialsError::NotSigned)?;
        // Five parts are an encrypted token, which is what Auth0 gives to whoever names no audience.
        if payload.contains('.') {
            return Err(CredentialsError::NotSigned);
        }
        let header: Header = object(&decode(header)?)?;
        // RFC 7515, 4.1.11: what is critical has to be understood, and no extension is. An empty list is malformed.
        if header.crit.is_some() || header.b64 == Some(false) {
            return Err(CredentialsError::Extension);
        }
        if !header.typ.as_deref().is_none_or(is_access_token) {
            return Err(CredentialsError::Type);
        }
        let algorithm = allowed(&header.alg).ok_or(CredentialsError::Algorithm)?;
        Ok(Self { algorithm, key_id: header.kid, signed, payload: decode(payload)?, signature })
    }
}

/// The algorithms that are allowed. All sign with a key that the issuer keeps to itself: with HS256 the public key would be the secret.
fn allowed(alg: &str) -> Option<Algorithm> {
    match alg {
        "RS256" => Some(Algorithm::RS256),
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// RFC 9068, 2.1 and 4, and RFC 7515, 4.1.9; most of Auth0's tokens say `JWT`. Other types, such as logout tokens, are signed with the
/// same keys for other purposes.
fn is_access_token(typ: &str) -> bool {
    ["at+jwt", "application/at+jwt", "jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
}

/// Reads a JSON object, which headers and claims have to be. What serde derives would take an array for a struct as well, and
/// `serde_json` does not see whether members that nobody reads are UTF-8.
pub(crate) fn object<T: DeserializeOwned>(json: &[u8]) -> Result<T, CredentialsError> {
    let json = std::str::from_utf8(json).map_err(|_| CredentialsError::Malformed)?;
    let is_object = json.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(json).ok()).flatten().ok_or(CredentialsError::Malformed)
}

fn decode(part: &str) -> Result<Vec<u8>, CredentialsError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| CredentialsError::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(header: &str) -> String {
        let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
        format!("{}.{}.c2ln", encode(header), encode("{}"))
    }

    #[test]
    fn a_token_falls_into_its_parts() {
        let token = token(r#"{"alg":"ES256","kid":"a","typ":"at+jwt","x5t":"ignored"}"#);
        let jws = Jws::parse(&token).unwrap();
        assert_eq!((jws.algorithm, jws.key_id.as_deref()), (Algorithm::ES256, Some("a")));
        assert_eq!((jws.payload.as_slice(), jws.signature), (b"{}".as_slice(), "c2ln"));
        assert_eq!(format!("{}.c2ln", jws.signed), token);
    }

    #[test]
    fn what_has_not_the_form_of_a_signed_token_is_refused() {
        for (token, fault) in [
            ("", CredentialsError::NotSigned),
            ("opaque", CredentialsError::NotSigned),
            ("a.b", CredentialsError::NotSigned),
            ("a.b.c.d", CredentialsError::NotSigned),
            ("a.b.c.d.e", CredentialsError::NotSigned),
            ("..", CredentialsError::Malformed),
            ("e30=.e30.c2ln", CredentialsError::Malformed),
            ("e30.e30.c2ln", CredentialsError::Malformed),
            ("ë.e30.c2ln", CredentialsError::Malformed),
            (&"a".repeat(MAX_LENGTH + 1), CredentialsError::TooLong),
        ] {
            assert_eq!(Jws::parse(token), Err(fault), "{token}");
        }
    }

    #[test]
    fn headers_are_taken_or_refused_by_what_they_ask_for() {
        for (header, fault) in [
            (json!({"alg": "RS256"}), None),
            (json!({"alg": "PS256", "typ": null, "kid": null}), None),
            (json!({"alg": "EdDSA", "typ": "Application/AT+JWT", "b64": true}), None),
            (json!({"alg": "RS256", "jku": 1, "x5u": "", "x5c": "", "jwk": []}), None),
            (json!({"alg": "none"}), Some(CredentialsError::Algorithm)),
            (json!({"alg": "None"}), Some(CredentialsError::Algorithm)),
            (json!({"alg": "HS256"}), Some(CredentialsError::Algorithm)),
            (json!({"alg": "rs256"}), Some(CredentialsError::Algorithm)),
            (json!({"alg": "RS512"}), Some(CredentialsError::Algorithm)),
            (json!({"alg": ["RS256"]}), Some(CredentialsError::Malformed)),
            (json!({"typ": "JWT"}), Some(CredentialsError::Malformed)),
            (json!({"alg": "RS256", "kid": 1}), Some(CredentialsError::Malformed)),
            (json!({"alg": "RS256", "b64": "false"}), Some(CredentialsError::Malformed)),
            (json!({"alg": "RS256", "b64": false}), Some(CredentialsError::Extension)),
            (json!({"alg": "RS256", "b64": true, "crit": ["b64"]}), Some(CredentialsError::Extension)),
            (json!({"alg": "RS256", "crit": []}), Some(CredentialsError::Extension)),
            (json!({"alg": "RS256", "crit": ["exp"]}), Some(CredentialsError::Extension)),
            (json!({"alg": "RS256", "typ": "logout+jwt"}), Some(CredentialsError::Type)),
            (json!({"alg": "RS256", "typ": ""}), Some(CredentialsError::Type)),
        ] {
            assert_eq!(Jws::parse(&token(&header.to_string())).err(), fault, "{header}");
        }
        assert_eq!(Jws::parse(&token(r#"["RS256",null,null,null,null]"#)).err(), Some(CredentialsError::Malformed));
        assert_eq!(Jws::parse(&token(r#"{"alg":"none","alg":"RS256"}"#)).err(), Some(CredentialsError::Malformed));
    }
}
