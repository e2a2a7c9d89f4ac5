//! From credentials to the caller who showed them.

use std::time::{SystemTime, UNIX_EPOCH};

use super::address::Address;
use super::api_keys::ApiKeys;
use super::caller::Caller;
use super::claims::Expectations;
use super::discovery::KeySource;
use super::fault::{Fault, Rejection};
use super::issuer::Issuer;
use super::jws::{self, Jws};
use super::key_cache::KeyCache;
use super::remembered::Remembered;
use super::scope::{Scope, Scopes};

/// How callers are told apart. By default they are not: everyone is anonymous.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whose access tokens are taken.
    pub tokens: Option<TokenSettings>,
    /// The API keys that are taken.
    pub api_keys: ApiKeys,
    /// Whether callers without credentials are let in though others show some. Where no credentials are taken, everyone is.
    pub allow_anonymous: bool,
}

/// Which access tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// Who must have issued them.
    pub issuer: Issuer,
    /// For which API: the `aud` of a token must hold one of these, letter by letter.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are, if not where its OpenID configuration says.
    pub keys: Option<Address>,
}

impl Settings {
    /// Whether callers can show credentials at all.
    #[must_use]
    pub fn takes_credentials(&self) -> bool {
        self.tokens.is_some() || !self.api_keys.is_empty()
    }

    /// Whether callers without credentials are let in.
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

    /// The same, with these access tokens taken if none were. Who was let in without credentials still is.
    #[must_use]
    pub fn or_tokens(mut self, tokens: TokenSettings) -> Self {
        self.allow_anonymous = self.admits_anonymous();
        self.tokens.get_or_insert(tokens);
        self
    }
}

/// What came with a request to say who asks. There is no `Debug`, for these are secrets.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// Nothing.
    None,
    /// An access token.
    Bearer(&'a str),
    /// An API key.
    ApiKey(&'a str),
}

/// The HTTP client that fetches the issuer's keys cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client for the issuer's keys")]
pub struct BuildError(#[source] reqwest::Error);

/// Tells callers apart.
#[derive(Debug)]
pub struct Authenticator {
    tokens: Option<TokenVerifier>,
    api_keys: ApiKeys,
    admits_anonymous: bool,
}

impl Authenticator {
    /// An authenticator that has fetched no keys yet.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(settings: Settings) -> Result<Self, BuildError> {
        let admits_anonymous = settings.admits_anonymous();
        let tokens = settings.tokens.map(TokenVerifier::new).transpose()?;
        Ok(Self { tokens, api_keys: settings.api_keys, admits_anonymous })
    }

    /// Whether callers without credentials are let in.
    #[must_use]
    pub fn admits_anonymous(&self) -> bool {
        self.admits_anonymous
    }

    /// Whether access tokens are taken.
    #[must_use]
    pub fn takes_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Whether API keys are taken.
    #[must_use]
    pub fn takes_api_keys(&self) -> bool {
        !self.api_keys.is_empty()
    }

    /// Whether any credentials are taken. Where none are, those that come all the same are not looked at: whatever keeps strangers out in
    /// front of the gateway may pass its own on.
    #[must_use]
    pub fn takes_credentials(&self) -> bool {
        self.takes_tokens() || self.takes_api_keys()
    }

    /// Fetches the issuer's keys before they are needed; that it failed is logged, and made good later. Returns when that is done.
    pub async fn warm_up(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.keys.warm_up().await;
        }
    }

    /// Whoever shows these credentials. Bad ones are refused even where none are needed: who shows some does not mean to be anonymous.
    ///
    /// # Errors
    ///
    /// See [`Rejection`].
    pub async fn authenticate(&self, credentials: Credentials<'_>) -> Result<Caller, Rejection> {
        match credentials {
            _ if !self.takes_credentials() => Ok(Caller::ANONYMOUS),
            Credentials::None if self.admits_anonymous => Ok(Caller::ANONYMOUS),
            Credentials::None => Err(Rejection::Missing),
            Credentials::ApiKey(key) => self.api_keys.caller(key).ok_or(Fault::UnknownApiKey.into()),
            Credentials::Bearer(token) => match &self.tokens {
                Some(tokens) => tokens.verify(token, now()).await,
                None => Err(Fault::TokensNotTaken.into()),
            },
        }
    }
}

#[derive(Debug)]
struct TokenVerifier {
    expectations: Expectations,
    keys: KeyCache,
    remembered: Remembered,
}

impl TokenVerifier {
    fn new(settings: TokenSettings) -> Result<Self, BuildError> {
        let TokenSettings { issuer, audiences, keys } = settings;
        let expectations = Expectations { issuer: issuer.identifier().clone(), audiences };
        let source = KeySource::new(issuer, keys).map_err(BuildError)?;
        Ok(Self { expectations, keys: KeyCache::new(source), remembered: Remembered::new() })
    }

    async fn verify(&self, token: &str, now: f64) -> Result<Caller, Rejection> {
        if token.len() > jws::LONGEST {
            return Err(Fault::TooLong.into());
        }
        if let Some(caller) = self.remembered.caller(token, now) {
            return Ok(caller);
        }
        let jws = Jws::read(token)?;
        // Before the signature: a token of another issuer, or an old one, is refused without the keys, and makes nobody fetch any.
        let judged = self.expectations.judge(&jws.payload, now)?;
        self.keys.verify(&jws).await?;
        let caller = judged.caller.clone();
        self.remembered.keep(token, judged);
        Ok(caller)
    }
}

/// Seconds since 1970, as tokens count them.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
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
