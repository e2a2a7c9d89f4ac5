//! Authentication: from credentials to the caller who showed them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;

use super::api_keys::ApiKeys;
use super::caller::Caller;
use super::claims::ClaimsValidator;
use super::discovery::KeySource;
use super::error::{AuthenticationError, CredentialsError};
use super::jws::{self, Jws};
use super::key_cache::KeyCache;
use super::settings::{Settings, TokenSettings};
use crate::telemetry::KeyMetrics;

/// Credentials of a request. There is no `Debug`, for these are secrets.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// No credentials.
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

/// Verification of credentials.
#[derive(Debug)]
pub struct Authenticator {
    tokens: Option<TokenVerifier>,
    api_keys: ArcSwap<ApiKeys>,
    admits_anonymous: bool,
    metrics: KeyMetrics,
}

impl Authenticator {
    /// An authenticator that has fetched no keys yet.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn new(settings: Settings) -> Result<Self, BuildError> {
        let admits_anonymous = settings.admits_anonymous();
        let metrics = KeyMetrics::default();
        let tokens = settings.tokens.map(|tokens| TokenVerifier::new(tokens, metrics.clone())).transpose()?;
        Ok(Self { tokens, api_keys: ArcSwap::from_pointee(settings.api_keys), admits_anonymous, metrics })
    }

    /// Metrics of the issuer's keys.
    #[must_use]
    pub fn metrics(&self) -> &KeyMetrics {
        &self.metrics
    }

    /// True if callers without credentials are let in.
    #[must_use]
    pub fn admits_anonymous(&self) -> bool {
        self.admits_anonymous
    }

    /// True if access tokens are taken.
    #[must_use]
    pub fn takes_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// True if API keys are taken.
    #[must_use]
    pub fn takes_api_keys(&self) -> bool {
        !self.api_keys.load().is_empty()
    }

    /// Takes these API keys in place of those from before, from the next operation on.
    pub fn take_api_keys(&self, api_keys: ApiKeys) {
        self.api_keys.store(Arc::new(api_keys));
    }

    /// True if any credentials are taken. Where none are, those that come all the same are not looked at: a proxy that keeps strangers
    /// out in front of the gateway may pass its own on.
    #[must_use]
    pub fn takes_credentials(&self) -> bool {
        self.takes_tokens() || self.takes_api_keys()
    }

    /// Fetches the issuer's keys before they are needed. A failure is logged, and made good by later fetches.
    pub async fn warm_up(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.keys.warm_up().await;
        }
    }

    /// The caller who shows these credentials. Bad ones are refused even where none are needed: a caller who shows some does not mean to
    /// be anonymous.
    ///
    /// # Errors
    ///
    /// See [`AuthenticationError`].
    pub async fn authenticate(&self, credentials: Credentials<'_>) -> Result<Caller, AuthenticationError> {
        match credentials {
            _ if !self.takes_credentials() => Ok(Caller::ANONYMOUS),
            Credentials::None if self.admits_anonymous => Ok(Caller::ANONYMOUS),
            Credentials::None => Err(AuthenticationError::MissingCredentials),
            Credentials::ApiKey(key) => self.api_keys.load().caller(key).ok_or(CredentialsError::UnknownApiKey.into()),
            Credentials::Bearer(token) => match &self.tokens {
                Some(tokens) => tokens.verify(token, now()).await,
                None => Err(CredentialsError::TokensNotTaken.into()),
            },
        }
    }
}

#[derive(Debug)]
struct TokenVerifier {
    claims: ClaimsValidator,
    keys: KeyCache,
}

impl TokenVerifier {
    fn new(settings: TokenSettings, metrics: KeyMetrics) -> Result<Self, BuildError> {
        let TokenSettings { issuer, audiences, keys } = settings;
        let claims = ClaimsValidator { issuer: issuer.identifier().clone(), audiences };
        let source = KeySource::new(issuer, keys).map_err(BuildError)?;
        Ok(Self { claims, keys: KeyCache::new(source, metrics) })
    }

    async fn verify(&self, token: &str, now: f64) -> Result<Caller, AuthenticationError> {
        if token.len() > jws::MAX_LENGTH {
            return Err(CredentialsError::TooLong.into());
        }
        if let Some(caller) = self.keys.verified_caller(token, now) {
            return Ok(caller);
        }
        let jws = Jws::parse(token)?;
        // Before the signature: a token of another issuer, or an old one, is refused without the keys, and makes nobody fetch any.
        let claims = self.claims.validate(&jws.payload, now)?;
        let verified = self.keys.verify(&jws).await?;
        let caller = claims.caller.clone();
        verified.insert(token, claims);
        Ok(caller)
    }
}

/// Seconds since 1970, as tokens count them.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
