//! Entry points for the fuzz targets in `fuzz/`. Each panics if a promise of this module is broken.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::caller::Identity;
use super::claims::{ClaimsValidator, LEEWAY};
use super::jws::Jws;
use super::key_set::KeySet;

const ISSUER: &str = "https://example.us.auth0.com/";
const AUDIENCE: &str = "https://gateway.example.com";
const NOW: f64 = 1_800_000_000.0;

/// A token as it comes.
pub fn token(text: &str) {
    if let Ok(jws) = Jws::parse(text) {
        assert!(jws.signed.len() + 1 + jws.signature.len() == text.len());
        claims(&jws.payload);
    }
}

/// A token of a header and claims that are not encoded yet, and so within reach of a fuzzer.
pub fn header_and_claims(header: &[u8], payload: &[u8]) {
    let text = format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    if let Ok(jws) = Jws::parse(&text) {
        assert_eq!(jws.payload, payload);
        // A slower reader, whose words for the same must be the same.
        let Ok(header) = serde_json::from_slice::<Value>(header) else { return claims(payload) };
        assert!(["RS256", "PS256", "ES256", "EdDSA"].iter().any(|allowed| header["alg"] == *allowed), "{header}");
        assert!(header.get("crit").is_none_or(Value::is_null) && header["b64"] != false, "{header}");
    }
    claims(payload);
}

/// Claims that are taken are those that were asked for, whichever reader reads them.
fn claims(payload: &[u8]) {
    let validator = ClaimsValidator { issuer: Arc::from(ISSUER), audiences: vec![AUDIENCE.to_owned()] };
    let Ok(valid) = validator.validate(payload, NOW) else { return };
    // It refuses numbers beyond all bounds and halves of surrogate pairs even in members that nobody reads.
    let Ok(claims) = serde_json::from_slice::<Value>(payload) else { return };
    assert_eq!(claims["iss"], ISSUER);
    let audience = &claims["aud"];
    assert!(audience == AUDIENCE || audience.as_array().is_some_and(|all| all.iter().any(|one| one == AUDIENCE)));
    let leeway = LEEWAY.as_secs_f64();
    assert!(claims["exp"].as_f64().is_some_and(|end| end + leeway > NOW));
    for start in ["nbf", "iat"] {
        assert!(claims[start].as_f64().is_none_or(|start| start <= NOW + leeway));
    }
    let subject = claims["sub"].as_str().unwrap_or_default();
    assert!(!subject.is_empty() && claims["cnf"].is_null());
    assert_eq!(valid.caller.identity(), &Identity::Token { issuer: Arc::from(ISSUER), subject: Arc::from(subject) });
}

/// Reads an issuer's keys, whatever they are: none of them signed what nobody signed.
pub fn key_set(json: &[u8]) {
    let Ok(keys) = KeySet::parse(json) else { return };
    assert!(keys.len() > 0);
    for header in [
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"PS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"RS256","kid":"a"}"#,
        r#"{"alg":"ES256","kid":"a"}"#,
    ] {
        let text = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
        if let Ok(jws) = Jws::parse(&text) {
            assert!(keys.verify(&jws).is_err());
        }
    }
}
