//! The client-credentials grant: `POST /oauth/token`, once per call of
//! [`AuthenticationApi::grant`].
//!
//! <https://auth0.com/docs/get-started/authentication-and-authorization-flow/client-credentials-flow>

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::HeaderValue;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::client_authentication::ClientAuthentication;
use super::error::{Error, MisconfigurationError, UnavailableReason};
use super::error_mapping::retry_after;
use super::freshness::life;
use super::http_client::UpstreamResponse;
use super::transport::Transport;
use crate::deadline::Deadline;
use crate::telemetry::UpstreamMetrics;

/// Longest time that a grant may take. It belongs to nobody's request, so it has a time of its own: as long
/// as the most patient of its waiters is likely to have.
pub(crate) const GRANT_TIMEOUT: Duration = Duration::from_secs(10);

/// The endpoint that gives tokens, and what it wants to know. `Debug` shows no secret.
#[derive(Debug)]
pub(crate) struct AuthenticationApi {
    transport: Transport,
    audience: String,
    client_id: String,
    authentication: ArcSwap<ClientAuthentication>,
}

/// A token as it was granted.
#[derive(Debug)]
pub(crate) struct Grant {
    /// `Bearer …`, marked sensitive so that nothing prints it.
    pub(crate) header: HeaderValue,
    /// Moment at which it was asked for: from then on it ages.
    pub(crate) asked_at: Instant,
    pub(crate) life: Duration,
    pub(crate) scopes: Option<Vec<String>>,
    /// True if another replica has asked for it.
    pub(crate) is_shared: bool,
}

impl AuthenticationApi {
    pub(crate) fn new(
        transport: Transport,
        audience: String,
        client_id: String,
        authentication: ClientAuthentication,
    ) -> Self {
        Self { transport, audience, client_id, authentication: ArcSwap::from_pointee(authentication) }
    }

    /// Authenticates by this from the next request on.
    pub(crate) fn authenticate_by(&self, authentication: ClientAuthentication) {
        self.authentication.store(Arc::new(authentication));
    }

    /// The client: its authentication, its id, and the audience that it asks for.
    pub(crate) fn client(&self) -> (Arc<ClientAuthentication>, &str, &str) {
        (self.authentication.load_full(), &self.client_id, &self.audience)
    }

    pub(crate) fn metrics(&self) -> &UpstreamMetrics {
        self.transport.metrics()
    }

    /// Asks for a token, in as many attempts as it takes.
    pub(crate) async fn grant(&self) -> Result<Grant, Error> {
        let asked_at = Instant::now();
        let read = |answer: &UpstreamResponse| {
            if answer.status.is_success() { granted(&answer.body, asked_at) } else { Err(refused(answer, Utc::now())) }
        };
        let deadline = Deadline::within(GRANT_TIMEOUT).into();
        self.transport.post("/oauth/token", "oauth/token", || self.request(Utc::now()), deadline, read).await
    }

    /// The body of a token request, for one attempt: an assertion is taken only once.
    fn request(&self, now: DateTime<Utc>) -> Result<Bytes, Error> {
        let audience = self.transport.url("/")?;
        let parameters = self.authentication.load().parameters(&self.client_id, audience.as_str(), now);
        let mut request = parameters.map_err(Error::misconfigured)?;
        request["grant_type"] = "client_credentials".into();
        request["audience"] = self.audience.as_str().into();
        Ok(request.to_string().into())
    }
}

/// Reads a grant. Without a token that can stand in a header it is none; everything else may be
/// missing.
fn granted(body: &[u8], asked_at: Instant) -> Result<Grant, Error> {
    // Values stay raw: one that no Rust number can hold must not spoil the rest. A parser's error
    // is not kept, for it might quote what it read.
    let answer: HashMap<String, &RawValue> =
        serde_json::from_slice(body).map_err(|_| Error::unavailable(UnavailableReason::NotJson))?;
    let text = |key: &str| answer.get(key).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let token = text("access_token")
        .filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()))
        .ok_or(Error::unavailable(UnavailableReason::Unexpected))?;
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Error::unavailable(UnavailableReason::Unexpected))?;
    header.set_sensitive(true);
    Ok(Grant {
        header,
        asked_at,
        life: life(answer.get("expires_in").map(|raw| raw.get())),
        scopes: text("scope").or_else(|| scope_claim(&token)).map(|scope| split(&scope)),
        is_shared: false,
    })
}

/// The names in a `scope`. What is no name of a scope is left out: callers are shown them.
fn split(scope: &str) -> Vec<String> {
    scope.split_whitespace().filter(|name| is_scope_token(name)).map(str::to_owned).collect()
}

/// True if a text is made of the characters of a scope's name (RFC 6749, section 3.3).
fn is_scope_token(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// The `scope` claim of a JWT. The signature is not looked at: Auth0 will, and nothing is decided
/// by this.
fn scope_claim(token: &str) -> Option<String> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let payload = BASE64.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.get("scope")?.as_str().map(str::to_owned)
}

/// Maps an answer of the token endpoint other than success. Its errors are OAuth's, `{error,
/// error_description}`, and not the Management API's.
fn refused(answer: &UpstreamResponse, now: DateTime<Utc>) -> Error {
    let status = answer.status.as_u16();
    let body = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
    let text = |key: &str| body.as_ref().and_then(|body| body.get(key)).and_then(Value::as_str);
    let description = text("error_description").unwrap_or_default();
    let error = text("error").filter(|error| is_error_code(error));
    Error::misconfigured(match status {
        300..=399 => MisconfigurationError::Redirected(status),
        401 => MisconfigurationError::ClientRefused,
        404 => MisconfigurationError::NotFound,
        429 => {
            return Error::RateLimited { retry_after: retry_after(&answer.headers, now) };
        }
        408 | 500.. => return Error::unavailable(UnavailableReason::Status(status)),
        // A page of a firewall's in between, which may let the next call pass.
        _ if body.is_none() => return Error::unavailable(UnavailableReason::Blocked(status)),
        _ if error == Some("invalid_client") => MisconfigurationError::ClientRefused,
        // OAuth's code for it (RFC 6749, section 5.2).
        _ if error == Some("unauthorized_client") => MisconfigurationError::GrantTypeDisabled,
        // These two differ from each other, and from other refusals, only in the text.
        _ if description.starts_with("Service not enabled within domain") => MisconfigurationError::UnknownAudience,
        _ if description.contains("client-grant") || description.contains("not authorized to access") => {
            MisconfigurationError::NoClientGrant
        }
        _ => MisconfigurationError::GrantRefused { status, error: error.map(str::to_owned) },
    })
}

/// True if a text is a code as OAuth and Auth0 write them, such as `access_denied`; one with digits or capitals could be
/// anything, even what was sent.
fn is_error_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn grant(body: &str) -> Result<Grant, Error> {
        granted(body.as_bytes(), Instant::now())
    }

    #[tokio::test]
    async fn a_grant_is_read_however_little_it_says() -> Result<(), Error> {
        let full = grant(
            r#"{"access_token":"a.b.c","expires_in":86400,"scope":"read:users  read:logs","token_type":"Bearer"}"#,
        )?;
        assert_eq!(full.header, "Bearer a.b.c");
        assert_eq!(full.life, Duration::from_secs(86_400));
        assert_eq!(full.scopes, Some(vec!["read:users".to_owned(), "read:logs".to_owned()]));

        let bare = grant(r#"{"access_token":"opaque","expires_in":1e999,"scope":["read:users"]}"#)?;
        assert_eq!(bare.life, Duration::from_secs(30 * 86_400));
        assert_eq!(bare.scopes, None);
        Ok(())
    }

    #[tokio::test]
    async fn the_scopes_may_be_read_from_the_token() -> Result<(), Error> {
        let scopes = |payload: &str| {
            let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
            grant(&format!(r#"{{"access_token":"e30.{payload}.x"}}"#)).map(|grant| grant.scopes)
        };
        assert_eq!(scopes(r#"{"scope":"read:users"}"#)?, Some(vec!["read:users".to_owned()]));
        assert_eq!(scopes(r#"{"scope":"read:users a\u001b[31m b\u202ec"}"#)?, Some(vec!["read:users".to_owned()]));
        assert_eq!(scopes(r#"{"scope":17}"#)?, None);
        assert_eq!(scopes("not JSON")?, None);
        Ok(())
    }

    #[test]
    fn what_is_no_name_of_a_scope_is_none() {
        let scope = "read:users\u{a0}x!y~ \u{1b}[31m a\u{202e}b \u{e0041} q\"uote back\\slash é\u{7f} \u{200b}";
        assert_eq!(split(scope), ["read:users", "x!y~"]);
    }

    #[tokio::test]
    async fn what_cannot_stand_in_a_header_is_no_token() {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"access_token":null}"#,
            r#"{"access_token":17}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":"a\r\nX-Evil: b"}"#,
            r#"{"access_token":"a b"}"#,
            r#"{"access_token":"a\u0000"}"#,
            r#"{"access_token":"é"}"#,
            r#"{"access_token":"a"#,
        ] {
            assert!(matches!(grant(body), Err(Error::Unavailable(_))), "{body}");
        }
    }

    #[tokio::test]
    async fn nothing_prints_the_token() -> Result<(), Error> {
        let shown = format!("{:?}", grant(r#"{"access_token":"do-not-print-me"}"#)?);
        assert!(!shown.contains("do-not-print-me"), "{shown}");
        Ok(())
    }

    #[test]
    fn a_refusal_is_traced_to_the_setting_that_is_wrong() {
        let judge = |status, body: &'static str| {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            let body = Bytes::from_static(body.as_bytes());
            refused(&UpstreamResponse { status, headers: HeaderMap::new(), body }, DateTime::UNIX_EPOCH)
        };
        let denied = MisconfigurationError::GrantRefused { status: 403, error: Some("access_denied".to_owned()) };
        for (status, body, expected) in [
            (
                401,
                r#"{"error":"access_denied","error_description":"Unauthorized"}"#,
                MisconfigurationError::ClientRefused,
            ),
            (401, "<html>", MisconfigurationError::ClientRefused),
            (400, r#"{"error":"invalid_client"}"#, MisconfigurationError::ClientRefused),
            (
                403,
                r#"{"error":"access_denied","error_description":"Client is not authorized to access \"https://t.example.com/api/v2/\". You might probably want to create a \"client-grant\" associated to this API."}"#,
                MisconfigurationError::NoClientGrant,
            ),
            (
                403,
                r#"{"error":"access_denied","error_description":"Service not enabled within domain: https://login.example.com/api/v2/"}"#,
                MisconfigurationError::UnknownAudience,
            ),
            (
                403,
                r#"{"error":"unauthorized_client","error_description":"Grant type 'client_credentials' not allowed for the client."}"#,
                MisconfigurationError::GrantTypeDisabled,
            ),
            (403, r#"{"error":"access_denied","error_description":"No."}"#, denied),
            (403, r#"{"error":"<b>"}"#, MisconfigurationError::GrantRefused { status: 403, error: None }),
            (403, r#"{"error":"a1B2c3"}"#, MisconfigurationError::GrantRefused { status: 403, error: None }),
            (404, "<html>", MisconfigurationError::NotFound),
            (301, "", MisconfigurationError::Redirected(301)),
        ] {
            assert!(
                matches!(judge(status, body), Error::Misconfigured { what, .. } if what == expected),
                "{status} {body}"
            );
        }
        assert!(matches!(judge(429, "{}"), Error::RateLimited { retry_after: None }));
        for (status, body) in [(403, "<html>"), (500, "{}"), (503, ""), (408, "")] {
            assert!(matches!(judge(status, body), Error::Unavailable(_)), "{status} {body}");
        }
    }
}
