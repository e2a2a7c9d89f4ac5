//! What a token claims, judged (RFC 7519, RFC 9068 and Auth0's habits). Pure.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::caller::Caller;
use super::fault::Fault;
use super::jws;
use super::scope::{Scope, Scopes};

/// By how much the issuer's clock may differ from this machine's. Clocks that are set by NTP differ by far less; half a minute is
/// little beside a token's hours.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// What a token must claim to be taken.
#[derive(Debug)]
pub(crate) struct Expectations {
    pub(crate) issuer: Arc<str>,
    /// One of these is enough.
    pub(crate) audiences: Vec<String>,
}

/// Claims that are as they should be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judged {
    pub(crate) caller: Caller,
    /// From when on the token is not taken any more, in seconds since 1970.
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

impl Expectations {
    /// Judges the claims at `now`, in seconds since 1970. Whether it was the issuer who claimed them is for the signature to say.
    pub(crate) fn judge(&self, payload: &[u8], now: f64) -> Result<Judged, Fault> {
        let claims: Claims = jws::object(payload)?;
        if claims.iss.as_deref() != Some(&*self.issuer) {
            return Err(Fault::Issuer);
        }
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| ours == audience);
        if !claims.aud.as_ref().is_some_and(|audiences| audiences.iter().any(is_ours)) {
            return Err(Fault::Audience);
        }
        let leeway = LEEWAY.as_secs_f64();
        let ends_at = claims.exp.ok_or(Fault::NoExpiry)? + leeway;
        if ends_at <= now {
            return Err(Fault::Expired);
        }
        if claims.nbf.is_some_and(|start| start > now + leeway) {
            return Err(Fault::NotYetValid);
        }
        if claims.iat.is_some_and(|issued| issued > now + leeway) {
            return Err(Fault::IssuedInFuture);
        }
        let subject = claims.sub.as_deref().filter(|subject| !subject.is_empty()).ok_or(Fault::NoSubject)?;
        Ok(Judged { caller: Caller::of_token(&self.issuer, subject, claims.scopes()), ends_at })
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

    fn judge(payload: &[u8]) -> Result<Judged, Fault> {
        let audiences = vec!["https://gateway.example".to_owned(), "other".to_owned()];
        Expectations { issuer: ISSUER.into(), audiences }.judge(payload, NOW)
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
    fn claims_are_judged_one_by_one() {
        for (replaced, fault) in [
            (json!({}), None),
            (json!({"aud": ["https://example.us.auth0.com/userinfo", "other"]}), None),
            (json!({"nbf": null, "iat": null, "scope": null, "permissions": null}), None),
            (json!({"exp": NOW - 29.5, "nbf": NOW + 29.5, "iat": NOW + 30.0}), None),
            (json!({"exp": 1e300}), None),
            (json!({"exp": null}), Some(Fault::NoExpiry)),
            (json!({"exp": NOW - 30.0}), Some(Fault::Expired)),
            (json!({"exp": 0}), Some(Fault::Expired)),
            (json!({"exp": -1e300}), Some(Fault::Expired)),
            (json!({"exp": (NOW + 60.0).to_string()}), Some(Fault::Malformed)),
            (json!({"exp": true}), Some(Fault::Malformed)),
            (json!({"nbf": NOW + 31.0}), Some(Fault::NotYetValid)),
            (json!({"nbf": "tomorrow"}), Some(Fault::Malformed)),
            (json!({"iat": NOW + 31.0}), Some(Fault::IssuedInFuture)),
            (json!({"iss": "https://example.us.auth0.com"}), Some(Fault::Issuer)),
            (json!({"iss": "https://EXAMPLE.us.auth0.com/"}), Some(Fault::Issuer)),
            (json!({"iss": null}), Some(Fault::Issuer)),
            (json!({"iss": [ISSUER]}), Some(Fault::Malformed)),
            (json!({"aud": null}), Some(Fault::Audience)),
            (json!({"aud": []}), Some(Fault::Audience)),
            (json!({"aud": "https://gateway.example/"}), Some(Fault::Audience)),
            (json!({"aud": "other https://gateway.example"}), Some(Fault::Audience)),
            (json!({"aud": {"https://gateway.example": true}}), Some(Fault::Malformed)),
            (json!({"sub": null}), Some(Fault::NoSubject)),
            (json!({"sub": ""}), Some(Fault::NoSubject)),
            (json!({"sub": 1}), Some(Fault::Malformed)),
            (json!({"permissions": [1]}), Some(Fault::Malformed)),
        ] {
            assert_eq!(judge(&claims(&replaced)).err(), fault, "{replaced}");
        }
        for payload in ["", "[]", "null", "\"\"", "{", r#"{"exp":1,"exp":9999999999}"#, r#"{"exp":1e400}"#] {
            assert_eq!(judge(payload.as_bytes()), Err(Fault::Malformed), "{payload}");
        }
        assert_eq!(judge(&"[".repeat(4_000).into_bytes()), Err(Fault::Malformed));
        let mut payload = claims(&json!({ "nobody reads": "?" }));
        payload.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
        assert_eq!(judge(&payload), Err(Fault::Malformed), "not UTF-8");
    }

    #[test]
    fn the_caller_is_whom_the_token_is_for() {
        let judged = judge(&claims(&json!({}))).unwrap();
        assert_eq!(judged.ends_at, NOW + 90.0);
        let identity = Identity::Token { issuer: ISSUER.into(), subject: "auth0|1".into() };
        assert_eq!(judged.caller.identity(), &identity);
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
            assert_eq!(judge(&claims(&replaced)).unwrap().caller.authority(), expected, "{replaced}");
        }
    }
}
