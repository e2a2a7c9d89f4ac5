//! The tenant's domain, and the URLs there.

use std::fmt;
use std::io;
use std::str::FromStr;

use url::{Host, Url};

use crate::deadline::Deadline;

/// The domain of an Auth0 tenant, canonical (`tenant.us.auth0.com`) or custom
/// (`login.example.com`).
///
/// Auth0 is always asked over HTTPS. Plain HTTP, and a port, are taken for loopback hosts only,
/// where a stand-in for Auth0 may listen; so neither a secret nor a token ever crosses a network in
/// the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Domain {
    /// Scheme, host, perhaps a port, and `/`.
    base: Url,
    is_loopback: bool,
    /// True if the host is an address, with no name to look up.
    is_address: bool,
}

impl Domain {
    /// Reads a domain as an operator writes it: `tenant.us.auth0.com`, with `https://` before it or
    /// `/` behind it if they like, or for a stand-in on this machine `http://127.0.0.1:PORT`,
    /// `http://localhost:PORT` or `http://[::1]:PORT`.
    ///
    /// # Errors
    ///
    /// Anything more than that is refused rather than dropped: who writes a path or a port means
    /// something by it.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        // The URL parser would quietly drop these.
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(DomainError::Whitespace);
        }
        let (scheme, rest) = text.split_once("://").map_or((None, text), |(s, rest)| (Some(s), rest));
        let is_http = match scheme.map(str::to_ascii_lowercase).as_deref() {
            None | Some("https") => false,
            Some("http") => true,
            Some(_) => return Err(DomainError::Scheme),
        };
        let url = Url::parse(&format!("{}://{rest}", if is_http { "http" } else { "https" }))
            .map_err(|_| DomainError::NotAHost)?;
        if !url.username().is_empty() || url.password().is_some() || rest.contains('@') {
            return Err(DomainError::UserName);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(DomainError::Query);
        }
        if url.path() != "/" {
            return Err(DomainError::Path);
        }
        let host = url.host().ok_or(DomainError::NotAHost)?;
        // A URL takes names for which no request can be made.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if matches!(host, Host::Domain(name) if !name.bytes().all(is_plain)) {
            return Err(DomainError::NotAHost);
        }
        let is_address = !matches!(host, Host::Domain(_));
        let (is_loopback, is_qualified) = match host {
            Host::Domain(name) => (name == "localhost", name.contains('.') && !name.ends_with('.')),
            Host::Ipv4(address) => (address.is_loopback(), true),
            Host::Ipv6(address) => (address.is_loopback(), true),
        };
        if is_loopback {
            return match scheme {
                Some(_) => Ok(Self { base: url, is_loopback, is_address }),
                None => Err(DomainError::LoopbackScheme),
            };
        }
        if is_http {
            return Err(DomainError::PublicHttp);
        }
        // Looked for in the text: the parsed URL no longer knows of an explicit `:443`.
        let authority = rest.trim_end_matches('/');
        if !authority.starts_with('[') && authority.contains(':') || authority.contains("]:") {
            return Err(DomainError::PublicPort);
        }
        if !is_qualified {
            return Err(DomainError::NotQualified);
        }
        Ok(Self { base: url, is_loopback, is_address })
    }

    /// The identifier of the tenant's Management API, `https://{host}/api/v2/`, if this is the
    /// canonical domain.
    ///
    /// Behind a custom domain the audience still names the canonical one, so it must then be given
    /// by hand.
    #[must_use]
    pub fn default_audience(&self) -> String {
        format!("{}api/v2/", self.base)
    }

    /// True if this is a stand-in on this very machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Looks the host up: how many addresses it has. One that is an address itself has one.
    ///
    /// # Errors
    ///
    /// The operating system's, or [`io::ErrorKind::TimedOut`] at the deadline.
    pub(crate) async fn look_up(&self, deadline: Deadline) -> io::Result<usize> {
        if self.is_address {
            return Ok(1);
        }
        // Which port makes no difference.
        let found = deadline.limit(tokio::net::lookup_host((self.host(), 443))).await;
        Ok(found.map_err(|_| io::ErrorKind::TimedOut)??.count())
    }

    /// True if the host is an address, with no name to look up.
    pub(crate) fn is_address(&self) -> bool {
        self.is_address
    }

    /// True if it is asked over TLS. It is, but for a stand-in on this machine.
    pub(crate) fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// The host alone, as it would stand in a message of Auth0's.
    pub(crate) fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// The address of a resource, given path and query, which are percent-encoded already.
    pub(crate) fn url(&self, target: &str) -> Result<Url, url::ParseError> {
        Url::parse(&format!("{}{target}", self.origin()))
    }

    fn origin(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        Self::parse(text)
    }
}

/// The domain as an operator would write it: the bare host name, or for a loopback host the address with its
/// scheme.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_loopback { self.origin() } else { self.host() })
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({self})")
    }
}

/// A text that is no domain of a tenant. `Display` tells an operator what to write instead; it never
/// repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// An empty text.
    #[error("is empty: write the tenant's domain, such as tenant.us.auth0.com")]
    Empty,
    /// Blanks, line ends or control characters, inside or around.
    #[error("holds white space or control characters: write the domain alone, such as tenant.us.auth0.com")]
    Whitespace,
    /// Neither `https` nor `http`.
    #[error("has a scheme other than https: write the domain alone, such as tenant.us.auth0.com")]
    Scheme,
    /// Not a host name at all.
    #[error("is not a host name: write the tenant's domain, such as tenant.us.auth0.com")]
    NotAHost,
    /// Credentials before the host.
    #[error("has a user name in it: write the domain alone; the client has settings of its own")]
    UserName,
    /// A query or a fragment behind the host.
    #[error("has a query or a fragment: write the domain alone, such as tenant.us.auth0.com")]
    Query,
    /// A path behind the host.
    #[error("has a path: write the domain alone, without /api/v2/; the audience is a setting of its own")]
    Path,
    /// `http://` before a host that is not this machine.
    #[error("uses http:// for a host that is not this machine, which would send the secret in the clear: leave it out")]
    PublicHttp,
    /// A port on a host that is not this machine.
    #[error("has a port, and Auth0 answers on 443 only: leave it out")]
    PublicPort,
    /// A loopback host without a scheme.
    #[error("is a loopback host without a scheme: write http:// before it")]
    LoopbackScheme,
    /// A single label, most often the tenant's name.
    #[error("is only part of a host name: write the full domain, such as tenant.us.auth0.com")]
    NotQualified,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_taken_as_operators_write_it() {
        for (text, audience, is_loopback) in [
            ("tenant.us.auth0.com", "https://tenant.us.auth0.com/api/v2/", false),
            ("https://tenant.us.auth0.com", "https://tenant.us.auth0.com/api/v2/", false),
            ("HTTPS://Tenant.US.auth0.com/", "https://tenant.us.auth0.com/api/v2/", false),
            ("login.example.com/", "https://login.example.com/api/v2/", false),
            ("http://127.0.0.1:3001", "http://127.0.0.1:3001/api/v2/", true),
            ("http://localhost:3001/", "http://localhost:3001/api/v2/", true),
            ("http://[::1]:3001", "http://[::1]:3001/api/v2/", true),
            ("https://localhost:8443", "https://localhost:8443/api/v2/", true),
        ] {
            let domain = Domain::parse(text);
            assert_eq!(domain.as_ref().map(Domain::default_audience), Ok(audience.to_owned()), "{text}");
            assert_eq!(domain.as_ref().map(Domain::is_loopback), Ok(is_loopback), "{text}");
            // The text that `Display` writes can be read again.
            assert_eq!(domain.as_ref().map(|d| Domain::parse(&d.to_string())), Ok(domain.clone()), "{text}");
        }
    }

    #[test]
    fn anything_more_is_refused_with_the_reason() {
        for (text, error) in [
            ("", DomainError::Empty),
            (" tenant.us.auth0.com", DomainError::Whitespace),
            ("tenant.us\n.auth0.com", DomainError::Whitespace),
            ("ftp://tenant.us.auth0.com", DomainError::Scheme),
            ("tenant_of ours", DomainError::Whitespace),
            ("https://", DomainError::NotAHost),
            ("a<b>.example.com", DomainError::NotAHost),
            ("me@tenant.us.auth0.com", DomainError::UserName),
            ("https://me:pass@tenant.us.auth0.com", DomainError::UserName),
            ("https://@tenant.us.auth0.com", DomainError::UserName),
            ("tenant.us.auth0.com/?a=b", DomainError::Query),
            ("tenant.us.auth0.com#top", DomainError::Query),
            ("https://tenant.us.auth0.com/api/v2/", DomainError::Path),
            ("tenant.us.auth0.com//", DomainError::Path),
            ("http://tenant.us.auth0.com", DomainError::PublicHttp),
            ("http://192.0.2.1:3001", DomainError::PublicHttp),
            ("tenant.us.auth0.com:8443", DomainError::PublicPort),
            ("https://tenant.us.auth0.com:443", DomainError::PublicPort),
            ("127.0.0.1:3001", DomainError::LoopbackScheme),
            ("localhost", DomainError::LoopbackScheme),
            ("tenant", DomainError::NotQualified),
            ("tenant.us.auth0.com.", DomainError::NotQualified),
            ("http://localhost.example.com:3001", DomainError::PublicHttp),
        ] {
            assert_eq!(Domain::parse(text), Err(error), "{text}");
        }
    }
}
