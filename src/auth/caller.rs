//! The caller of a request.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;

use super::scope::{Scope, Scopes};

/// The sender of a request. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    identity: Identity,
    scopes: Scopes,
    key: u64,
}

/// Identity of a caller.
#[derive(Clone, PartialEq, Eq)]
pub enum Identity {
    /// No credentials were shown.
    Anonymous,
    /// An API key.
    ApiKey {
        /// The name that the operator gave to the key.
        name: Arc<str>,
    },
    /// An access token.
    Token {
        /// Its `iss`.
        issuer: Arc<str>,
        /// Its `sub`: a user's id, or that of a client for itself. Personal data.
        subject: Arc<str>,
    },
}

impl Caller {
    /// A caller who showed no credentials. Where such callers are let in at all they may read everything but identity
    /// providers' tokens, which open other services.
    pub const ANONYMOUS: Self = Self {
        identity: Identity::Anonymous,
        scopes: Scopes::of(&Scope::ALL).without(Scopes::of(&[Scope::ReadUserIdpTokens])),
        key: 0,
    };

    /// The holder of an API key.
    pub(crate) fn of_api_key(name: &Arc<str>, scopes: Scopes) -> Self {
        let key = hash("api key", name, "");
        Self { identity: Identity::ApiKey { name: Arc::clone(name) }, scopes, key }
    }

    /// The subject of a token.
    pub(crate) fn of_token(issuer: &Arc<str>, subject: &str, scopes: Scopes) -> Self {
        let key = hash("token", issuer, subject);
        Self { identity: Identity::Token { issuer: Arc::clone(issuer), subject: subject.into() }, scopes, key }
    }

    /// The caller's identity.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// True if the caller holds `scope`.
    #[must_use]
    pub const fn holds(&self, scope: Scope) -> bool {
        self.scopes.holds(scope)
    }

    /// Scopes of the caller. Data that was fetched for one caller may be given to another of the same authority.
    #[must_use]
    pub const fn authority(&self) -> Scopes {
        self.scopes
    }

    /// A number for the identity, whatever its scopes are: equal for the same caller in every gateway and at every time, and different
    /// for others. Fit for rate limits and for logs, since nobody reads the identity from it. All anonymous callers share one.
    #[must_use]
    pub const fn key(&self) -> u64 {
        self.key
    }
}

/// The beginning of a SHA-256. Lengths go in, so that no two pairs of texts run together to the same.
fn hash(kind: &str, first: &str, second: &str) -> u64 {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [kind, first, second] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The identity without a token's subject.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::ApiKey { name } => f.debug_struct("ApiKey").field("name", name).finish(),
            Self::Token { issuer, .. } => f.debug_struct("Token").field("issuer", issuer).finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anonymous_caller_holds_everything_but_identity_providers_tokens() {
        let lacking: Vec<_> = Scopes::of(&Scope::ALL).without(Caller::ANONYMOUS.authority()).iter().collect();
        assert_eq!(lacking, [Scope::ReadUserIdpTokens]);
    }

    #[test]
    fn the_key_follows_the_identity_and_not_the_scopes() {
        let issuer: Arc<str> = "https://example.us.auth0.com/".into();
        let none = Scopes::default();
        let key = |subject| Caller::of_token(&issuer, subject, none).key();
        assert_eq!(key("auth0|1"), Caller::of_token(&issuer, "auth0|1", Scopes::of(&Scope::ALL)).key());
        assert_ne!(key("auth0|1"), key("auth0|2"));
        assert_ne!(key(""), Caller::of_api_key(&issuer, none).key());
        assert_ne!(key("auth0|1"), Caller::ANONYMOUS.key());
        // Held fast: it may stand in other systems' logs.
        assert_eq!(format!("{:016x}", key("auth0|1")), "f6172255358faaa1");
    }

    #[test]
    fn debug_does_not_show_whom_a_token_is_for() {
        let caller = Caller::of_token(&"https://example.us.auth0.com/".into(), "auth0|somebody", Scopes::default());
        let shown = format!("{caller:?}");
        assert!(!shown.contains("somebody"), "{shown}");
    }
}
