//! The OpenID provider whose tokens are taken.

use std::fmt;
use std::sync::Arc;

use super::secure_url::{SecureUrl, SecureUrlError};

/// An OpenID provider: the `iss` of its tokens, letter by letter, and the URL of its configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    identifier: Arc<str>,
    configuration: SecureUrl,
}

/// A text is no [`Issuer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// No fit URL.
    #[error(transparent)]
    Url(#[from] SecureUrlError),
    /// A domain of Auth0's without the slash that every `iss` of Auth0's ends with.
    #[error("must end with a slash: it is compared letter by letter, and Auth0's tokens hold https://…auth0.com/")]
    Slash,
}

impl Issuer {
    /// Reads an issuer's identifier: a URL without query and fragment (OpenID Connect Discovery 1.0, 3).
    ///
    /// # Errors
    ///
    /// See [`IssuerError`].
    pub fn parse(text: &str) -> Result<Self, IssuerError> {
        let url = SecureUrl::parse(text)?;
        if url.url().query().is_some() {
            return Err(SecureUrlError::Query.into());
        }
        if url.url().host_str().is_some_and(|host| host.ends_with(".auth0.com")) && !text.ends_with('/') {
            return Err(IssuerError::Slash);
        }
        // "Concatenating": an identifier with a path keeps it (OpenID Connect Discovery 1.0, 4).
        let configuration = format!("{}/.well-known/openid-configuration", text.strip_suffix('/').unwrap_or(text));
        Ok(Self { identifier: text.into(), configuration: SecureUrl::parse(&configuration)? })
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn identifier(&self) -> &Arc<str> {
        &self.identifier
    }

    /// True if it is on this very machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.configuration.is_loopback()
    }

    /// The URL of the provider's OpenID configuration.
    pub(crate) fn configuration(&self) -> &SecureUrl {
        &self.configuration
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.identifier)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_beside_the_issuer_with_and_without_its_slash() {
        for (text, expected) in [
            ("https://example.us.auth0.com/", "https://example.us.auth0.com/.well-known/openid-configuration"),
            ("https://login.example.com", "https://login.example.com/.well-known/openid-configuration"),
            ("https://example.com/realms/a", "https://example.com/realms/a/.well-known/openid-configuration"),
        ] {
            let issuer = Issuer::parse(text).unwrap();
            assert_eq!(issuer.configuration().to_string(), expected);
            assert_eq!(&**issuer.identifier(), text);
        }
    }

    #[test]
    fn an_issuer_of_auth0_without_its_slash_is_caught() {
        assert_eq!(Issuer::parse("https://example.us.auth0.com"), Err(IssuerError::Slash));
        assert_eq!(Issuer::parse("https://example.com/?a=b"), Err(SecureUrlError::Query.into()));
    }
}
