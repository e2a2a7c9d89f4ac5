//! Settings of authentication: which credentials are taken.

use super::api_keys::ApiKeys;
use super::caller::Caller;
use super::issuer::Issuer;
use super::scope::{Scope, Scopes};
use super::secure_url::SecureUrl;

/// Credentials that are taken. By default none are, and everyone is anonymous.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The issuer whose access tokens are taken.
    pub tokens: Option<TokenSettings>,
    /// The API keys that are taken.
    pub api_keys: ApiKeys,
    /// Lets callers without credentials in though others show some. Where no credentials are taken, everyone is let in.
    pub allow_anonymous: bool,
}

/// Access tokens that are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// The OpenID provider that must have issued them.
    pub issuer: Issuer,
    /// The APIs that they may be for: the `aud` of a token must hold one of these, letter by letter.
    pub audiences: Vec<String>,
    /// The issuer's key set, if it is not where its OpenID configuration says.
    pub keys: Option<SecureUrl>,
}

impl Settings {
    /// True if callers can show credentials at all.
    #[must_use]
    pub fn takes_credentials(&self) -> bool {
        self.tokens.is_some() || !self.api_keys.is_empty()
    }

    /// True if callers without credentials are let in.
    #[must_use]
    pub fn admits_anonymous(&self) -> bool {
        self.allow_anonymous || !self.takes_credentials()
    }

    /// Every scope that some caller can hold. Tokens may hold any.
    #[must_use]
    pub fn holdable_scopes(&self) -> Scopes {
        let anonymous = self.admits_anonymous().then_some(Caller::ANONYMOUS.authority());
        let of_tokens = self.tokens.as_ref().map(|_| Scopes::of(&Scope::ALL));
        anonymous.iter().chain(&of_tokens).flat_map(|scopes| scopes.iter()).chain(self.api_keys.scopes()).collect()
    }

    /// The same settings with these access tokens taken if none were. Callers who were let in without credentials still are.
    #[must_use]
    pub fn or_tokens(mut self, tokens: TokenSettings) -> Self {
        self.allow_anonymous = self.admits_anonymous();
        self.tokens.get_or_insert(tokens);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_a_sandbox_shut_nobody_out() {
        let tokens = |issuer| TokenSettings {
            issuer: Issuer::parse(issuer).unwrap(),
            audiences: vec!["a".to_owned()],
            keys: None,
        };
        let (own, sandbox) = (tokens("https://example.com/"), tokens("http://127.0.0.1:4000/"));
        let open = Settings::default().or_tokens(sandbox.clone());
        assert!(open.admits_anonymous());
        assert_eq!(open.tokens, Some(sandbox.clone()));
        let closed = Settings { tokens: Some(own.clone()), ..Settings::default() }.or_tokens(sandbox);
        assert!(!closed.admits_anonymous());
        assert_eq!(closed.tokens, Some(own));
    }
}
