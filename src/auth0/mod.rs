//! Placeholder: what Auth0 is to the gateway.

use std::net::IpAddr;

use secrecy::SecretString;
use url::{Host, Url};

/// How to reach the tenant.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The tenant's domain.
    pub domain: Domain,
    /// The Management API's identifier.
    pub audience: String,
    /// The application's client id.
    pub client_id: String,
    /// The application's client secret.
    pub client_secret: SecretString,
}

/// A tenant's domain.
#[derive(Debug, Clone)]
pub struct Domain(Url);

/// Why a text is no domain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DomainError(&'static str);

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Domain {
    /// Reads a host name, or an `http://` URL of a loopback host.
    ///
    /// # Errors
    ///
    /// When the text is neither.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let url = if text.contains("://") {
            Url::parse(text)
        } else {
            Url::parse(&format!("https://{text}"))
        }
        .map_err(|_| DomainError("is not a host name"))?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
            None => return Err(DomainError("is not a host name")),
        };
        if !loopback && url.scheme() != "https" {
            return Err(DomainError(
                "uses http:// for a host that is not this machine",
            ));
        }
        if !loopback && url.port().is_some() {
            return Err(DomainError("has a port"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(DomainError("has a user name"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(DomainError("has a path"));
        }
        Ok(Self(url))
    }

    /// The audience of the tenant's Management API.
    #[must_use]
    pub fn default_audience(&self) -> String {
        format!("{}api/v2/", self.0)
    }
}
