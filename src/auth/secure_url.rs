//! URLs of keys and of what leads to them: over HTTPS, or of this very machine.

use std::fmt;

use url::{Host, Url};

/// An `https://` URL, or an `http://` URL of a loopback host, where a stand-in for an OpenID provider may listen. Keys that anyone on
/// the way could swap would let anyone in.
#[derive(Clone, PartialEq, Eq)]
pub struct SecureUrl(Url);

/// A text is no [`SecureUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecureUrlError {
    /// No absolute URL.
    #[error("must be a URL such as https://example.us.auth0.com/")]
    NotAUrl,
    /// Neither `https` nor `http`.
    #[error("must begin with https://")]
    Scheme,
    /// Plain HTTP to another machine.
    #[error("must begin with https://: http:// is taken for loopback hosts only")]
    PublicHttp,
    /// Credentials before the host.
    #[error("must not hold a user name or a password")]
    UserName,
    /// `#…`, or `?…` where none belongs.
    #[error("must not hold ? or #")]
    Query,
}

impl SecureUrl {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// See [`SecureUrlError`].
    pub fn parse(text: &str) -> Result<Self, SecureUrlError> {
        // The URL parser would quietly drop or mend these.
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(SecureUrlError::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| SecureUrlError::NotAUrl)?;
        let is_loopback = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            "http" => return Err(SecureUrlError::PublicHttp),
            _ => return Err(SecureUrlError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SecureUrlError::UserName);
        }
        if url.fragment().is_some() {
            return Err(SecureUrlError::Query);
        }
        Ok(Self(url))
    }

    /// True if the host is this very machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for SecureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SecureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecureUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_come_over_plain_http_from_elsewhere() {
        for text in
            ["https://example.com/jwks", "https://example.com:8443/a?b=c", "http://127.0.0.1:4000/", "http://[::1]:1/"]
        {
            assert_eq!(SecureUrl::parse(text).unwrap().to_string(), text);
        }
        for (text, error) in [
            ("http://example.com/jwks", SecureUrlError::PublicHttp),
            ("http://localhost.example.com/", SecureUrlError::PublicHttp),
            ("http://127.0.0.1.example.com/", SecureUrlError::PublicHttp),
            ("http://10.0.0.1/", SecureUrlError::PublicHttp),
            ("ftp://example.com/", SecureUrlError::Scheme),
            ("file:///etc/keys", SecureUrlError::Scheme),
            ("example.us.auth0.com", SecureUrlError::NotAUrl),
            ("https://exam ple.com/", SecureUrlError::NotAUrl),
            ("https:\\\\example.com/", SecureUrlError::NotAUrl),
            ("https://somebody@example.com/", SecureUrlError::UserName),
            ("https://example.com/#keys", SecureUrlError::Query),
            ("", SecureUrlError::NotAUrl),
        ] {
            assert_eq!(SecureUrl::parse(text), Err(error), "{text}");
        }
    }
}
