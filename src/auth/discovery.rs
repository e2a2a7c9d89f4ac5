//! Fetches an issuer's keys: from a given address, or from where its OpenID configuration says they are.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Chain;
use reqwest::StatusCode;
use serde::Deserialize;
use tokio::time::Instant;

use super::issuer::Issuer;
use super::key_set::{KeySet, KeySetError};
use super::secure_url::SecureUrl;
use super::settings::TokenSettings;
use crate::outbound::client_builder;

/// Time for the keys to come, the configuration before them included. Somebody waits for them.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(3);

/// The most that either document may hold, in bytes. Auth0's have two or three thousand.
const SIZE_LIMIT: usize = 256 * 1024;

/// Source of one issuer's keys.
#[derive(Debug)]
pub(crate) struct KeySource {
    client: reqwest::Client,
    issuer: Issuer,
    /// Fetched instead of the configuration.
    keys: Option<SecureUrl>,
}

/// The keys cannot be fetched. For the log: it is the operator who can do something.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the issuer cannot be reached: {}", causes(.0))]
    Unreachable(Arc<reqwest::Error>),
    #[error("the issuer answered {0}, which is not the document that was asked for: check JWT_ISSUER and JWT_JWKS_URL")]
    Status(StatusCode),
    #[error("the issuer's answer is larger than {SIZE_LIMIT} bytes")]
    TooLarge,
    #[error("the issuer's OpenID configuration is not JSON with `issuer` and `jwks_uri`: check JWT_ISSUER")]
    Configuration,
    #[error(
        "the OpenID configuration is that of another issuer: JWT_ISSUER has to be what it says, letter by letter, which is {0:?}"
    )]
    OtherIssuer(String),
    #[error("the OpenID configuration has the keys at an address that is not https")]
    KeysUrl,
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable(Arc::new(error.without_url()))
    }
}

/// The error with its sources, in which reqwest says what went wrong.
fn causes(error: &reqwest::Error) -> String {
    let chain: Vec<String> = Chain::new(error).map(ToString::to_string).collect();
    chain.join(": ")
}

/// <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata>
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

/// Fetches an issuer's keys, and counts those that can verify its tokens.
pub(crate) async fn count_keys(settings: &TokenSettings) -> Result<usize, FetchError> {
    let source = KeySource::new(settings.issuer.clone(), settings.keys.clone())?;
    Ok(source.fetch().await?.len())
}

impl KeySource {
    pub(crate) fn new(issuer: Issuer, keys: Option<SecureUrl>) -> Result<Self, reqwest::Error> {
        let is_loopback = keys.as_ref().map_or(issuer.is_loopback(), SecureUrl::is_loopback);
        let client = client_builder(is_loopback).https_only(!is_loopback).build()?;
        Ok(Self { client, issuer, keys })
    }

    /// Fetches the keys that the issuer signs with now.
    pub(crate) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let until = Instant::now() + TIME_LIMIT;
        let keys = match &self.keys {
            Some(keys) => self.get(keys, until).await?,
            None => {
                let configuration = self.get(self.issuer.configuration(), until).await?;
                self.get(&self.keys_url(&configuration)?, until).await?
            }
        };
        Ok(KeySet::parse(&keys)?)
    }

    /// The URL of the keys in the configuration, which must be the issuer's own (OpenID Connect Discovery 1.0, 4.3).
    fn keys_url(&self, configuration: &[u8]) -> Result<SecureUrl, FetchError> {
        let configuration: Configuration =
            serde_json::from_slice(configuration).map_err(|_| FetchError::Configuration)?;
        if configuration.issuer != **self.issuer.identifier() {
            return Err(FetchError::OtherIssuer(configuration.issuer.chars().take(200).collect()));
        }
        let keys = SecureUrl::parse(&configuration.jwks_uri).map_err(|_| FetchError::KeysUrl)?;
        // A provider elsewhere has no business with this machine's own services.
        if keys.is_loopback() && !self.issuer.is_loopback() {
            return Err(FetchError::KeysUrl);
        }
        Ok(keys)
    }

    async fn get(&self, url: &SecureUrl, until: Instant) -> Result<Vec<u8>, FetchError> {
        let remaining = until.saturating_duration_since(Instant::now());
        let mut response = self.client.get(url.url().clone()).timeout(remaining).send().await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > SIZE_LIMIT {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_taken_from_its_own_issuer_only() {
        let source = |issuer| KeySource::new(Issuer::parse(issuer).unwrap(), None).unwrap();
        let auth0 = source("https://example.us.auth0.com/");
        let configuration = |issuer: &str, keys: &str| format!(r#"{{"issuer":"{issuer}","jwks_uri":"{keys}"}}"#);
        let told = |text: String| match auth0.keys_url(text.as_bytes()) {
            Ok(url) => url.to_string(),
            Err(error) => error.to_string(),
        };
        let keys = "https://example.us.auth0.com/.well-known/jwks.json";
        assert_eq!(told(configuration("https://example.us.auth0.com/", keys)), keys);
        for (text, expected) in [
            (configuration("https://example.us.auth0.com", keys), "which is \"https://example.us.auth0.com\""),
            (configuration("https://other.example.com/", keys), "letter by letter"),
            (configuration("https://example.us.auth0.com/", "http://example.us.auth0.com/keys"), "not https"),
            (configuration("https://example.us.auth0.com/", "http://127.0.0.1:8080/"), "not https"),
            (configuration("https://example.us.auth0.com/", "https://localhost/"), "not https"),
            (configuration("https://example.us.auth0.com/", "file:///etc/passwd"), "not https"),
            ("<html>".to_owned(), "JWT_ISSUER"),
            ("{}".to_owned(), "JWT_ISSUER"),
        ] {
            let told = told(text);
            assert!(told.contains(expected), "{told}");
        }
    }
}
