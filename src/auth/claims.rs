//! Validation of a token's claims (RFC 7519, RFC 9068 and Auth0's habits). Pure.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::caller::Caller;
use super::error::CredentialsError;
use super::jws;
use super::scope::{Scope, Scopes};

/// Most by which the issuer's clock may differ from this machine's. Clocks that are set by NTP differ by far less; half a minute is
/// little beside a token's hours.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// Claims that a token must hold to be taken.
#[derive(Debug)]
pub(crate) struct ClaimsValidator {
    pub(crate) issuer: Arc<str>,
    /// A token must be for one of these.
    pub(crate) audiences: Vec<String>,
}

/// Claims that are as they should be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValidClaims {
    pub(crate) caller: Caller,
    /// Time from which on the token is not taken any more, in seconds since 1970.
    pub(crate) ends_at: f64,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<OneOrMany>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    scope: Option<OneOrMany>,
    scp: Option<OneOrMany>,
    permissions: Option<OneOrMany>,
    cnf: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        };
        texts.iter().map(String::as_str)
    }
}

impl ClaimsValidator {
    /// Validates the claims at `now`, in seconds since 1970. Whether it was the issuer who claimed them is for the signature to say.
    pub(crate) fn validate(&self, payload: &[u8], now: f64) -> Result<ValidClaims, CredentialsError> {
        let claims: Claims = jws::object(payload)?;
        if claims.iss.as_deref() != Some(&*self.issuer) {
            return Err(CredentialsError::Issuer);
        }
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| ours == audience);
        if !claims.aud.as_ref().is_some_and(|audiences| audiences.iter().any(is_ours)) {
            return Err(CredentialsError::Audience);
        }
        // RFC 7800; RFC 8705 and RFC 9449 for OAuth: without the proof, a bound token is as good as stolen.
        if claims.cnf.is_some() {
            return Err(CredentialsError::Bound);
        }
        let leeway = LEEWAY.as_secs_f64();
        let ends_at = claims.exp.ok_or(CredentialsError::NoExpiry)? + leeway;
        if ends_at <= now {
            return Err(CredentialsError::Expired);
        }
        if claims.nbf.is_some_and(|start| start > now + leeway) {
            return Err(CredentialsError::NotYetValid);
        }
        if claims.iat.is_some_and(|issued| issued > now + leeway) {
            return Err(CredentialsError::IssuedInFuture);
        }
        let subject = claims.sub.as_deref().filter(|subject| !subject.is_empty()).ok_or(CredentialsError::NoSubject)?;
        Ok(ValidClaims { caller: Caller::of_token(&self.issuer, subject, claims.scopes()), ends_at })
    }
}

impl Claims {
    /// `scope` is OAuth's, a list in some providers' tokens; `scp` is its name with others; `permissions` is where Auth0 puts what a
    /// user's roles allow (<https://auth0.com/docs/manage-users/access-control/rbac>). Names that the gateway does not know are no
    /// fault: a token may serve several APIs.
    fn scopes(&self) -> Scopes {
        let lists = [&self.scope, &self.scp, &self.permissions];
        let texts = lists.into_iter().flatten().flat_map(OneOrMany::iter);
        texts.flat_map(|text| text.split(' ')).filter_map(Scope::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::Identity;

    const NOW: f64 = 1_800_000_000.0;
    const ISSUER: &str = "https://example.us.auth0.com/";

    fn validate(payload: &[u8]) -> Result<ValidClaims, CredentialsError> {
        let audiences = vec!["https://gateway.example".to_owned(), "other".to_owned()];
        ClaimsValidator { issuer: ISSUER.into(), audiences }.validate(payload, NOW)
    }

    /// Good claims, with some replaced.
    fn claims(replaced: &Value) -> Vec<u8> {
        let mut claims = json!({
            "iss": ISSUER, "sub": "auth0|1", "aud": "https://gateway.example", "exp": NOW + 60.0, "iat": NOW - 1.0,
        });
        for (name, value) in replaced.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.to_string().into_bytes()
    }

    #[test]
    fn claims_are_validated_one_by_one() {
        for (replaced, fault) in [
            (json!({}), None),
            (json!({"aud": ["https://example.us.auth0.com/userinfo", "other"]}), None),
            (json!({"nbf": null, "iat": null, "scope": null, "permissions": null}), None),
            (json!({"exp": NOW - 29.5, "nbf": NOW + 29.5, "iat": NOW + 30.0}), None),
            (json!({"exp": 1e300}), None),
            (json!({"exp": null}), Some(CredentialsError::NoExpiry)),
            (json!({"exp": NOW - 30.0}), Some(CredentialsError::Expired)),
            (json!({"exp": 0}), Some(CredentialsError::Expired)),
            (json!({"exp": -1e300}), Some(CredentialsError::Expired)),
            (json!({"exp": (NOW + 60.0).to_string()}), Some(CredentialsError::Malformed)),
            (json!({"exp": true}), Some(CredentialsError::Malformed)),
            (json!({"nbf": NOW + 31.0}), Some(CredentialsError::NotYetValid)),
            (json!({"nbf": "tomorrow"}), Some(CredentialsError::Malformed)),
            (json!({"iat": NOW + 31.0}), Some(CredentialsError::IssuedInFuture)),
            (json!({"iss": "https://example.us.auth0.com"}), Some(CredentialsError::Issuer)),
            (json!({"iss": "https://EXAMPLE.us.auth0.com/"}), Some(CredentialsError::Issuer)),
            (json!({"iss": null}), Some(CredentialsError::Issuer)),
            (json!({"iss": [ISSUER]}), Some(CredentialsError::Malformed)),
            (json!({"aud": null}), Some(CredentialsError::Audience)),
            (json!({"aud": []}), Some(CredentialsError::Audience)),
            (json!({"aud": "https://gateway.example/"}), Some(CredentialsError::Audience)),
            (json!({"aud": "other https://gateway.example"}), Some(CredentialsError::Audience)),
            (json!({"aud": {"https://gateway.example": true}}), Some(CredentialsError::Malformed)),
            (json!({"sub": null}), Some(CredentialsError::NoSubject)),
            (json!({"sub": ""}), Some(CredentialsError::NoSubject)),
            (json!({"sub": 1}), Some(CredentialsError::Malformed)),
            (json!({"permissions": [1]}), Some(CredentialsError::Malformed)),
            (json!({"cnf": null}), None),
            (json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}), Some(CredentialsError::Bound)),
            (
                json!({"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}),
                Some(CredentialsError::Bound),
            ),
            (json!({"cnf": {}}), Some(CredentialsError::Bound)),
            (json!({"cnf": false}), Some(CredentialsError::Bound)),
        ] {
            assert_eq!(validate(&claims(&replaced)).err(), fault, "{replaced}");
        }
        for payload in ["", "[]", "null", "\"\"", "{", r#"{"exp":1,"exp":9999999999}"#, r#"{"exp":1e400}"#] {
            assert_eq!(validate(payload.as_bytes()), Err(CredentialsError::Malformed), "{payload}");
        }
        assert_eq!(validate(&"[".repeat(4_000).into_bytes()), Err(CredentialsError::Malformed));
        let mut payload = claims(&json!({ "nobody reads": "?" }));
        payload.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
        assert_eq!(validate(&payload), Err(CredentialsError::Malformed), "not UTF-8");
    }

    #[test]
    fn the_caller_is_whom_the_token_is_for() {
        let valid = validate(&claims(&json!({}))).unwrap();
        assert_eq!(valid.ends_at, NOW + 90.0);
        let identity = Identity::Token { issuer: ISSUER.into(), subject: "auth0|1".into() };
        assert_eq!(valid.caller.identity(), &identity);
    }

    #[test]
    fn scopes_are_read_wherever_providers_put_them() {
        let both = Scopes::of(&[Scope::ReadUsers, Scope::ReadLogs]);
        for (replaced, expected) in [
            (json!({"scope": "openid read:logs update:users read:users"}), both),
            (json!({"scope": ["read:logs", "read:users"]}), both),
            (json!({"scope": ["read:logs read:users"]}), both),
            (json!({"scope": "read:logs", "permissions": ["read:users"]}), both),
            (json!({"scope": "", "scp": "read:users", "permissions": ["read:logs"]}), both),
            (json!({"scp": ["read:users", "read:logs"]}), both),
            (json!({"scope": "READ:USERS read:users_ read:user read", "roles": ["read:logs"]}), Scopes::default()),
            (json!({}), Scopes::default()),
        ] {
            assert_eq!(validate(&claims(&replaced)).unwrap().caller.authority(), expected, "{replaced}");
        }
    }
}
