//! Whose pages may use the gateway from their visitors' browsers.

use std::fmt;

use axum::http::HeaderValue;
use url::Url;

/// A web origin, as browsers write it in `Origin`: scheme, host and, where it is not the scheme's own, port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// Not a web origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an origin such as https://app.example.com or http://localhost:5173")]
pub struct OriginError;

/// Whose pages may use the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Those of these origins, and the gateway's own.
    These(Vec<Origin>),
    /// Everyone's.
    Any,
}

impl Default for Origins {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Origin {
    /// Reads an origin. Upper case, a slash at the end and the scheme's own port are taken, and left out, as a browser does.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        // The parser mends what nobody means: `https:app.example.com`, backslashes. And it takes a star for a letter.
        let is_written_out = text.split_once("://").is_some_and(|(_, rest)| !rest.contains(['\\', '@', '*']));
        if !["http", "https"].contains(&url.scheme()) || !is_bare || !is_anonymous || !is_written_out {
            return Err(OriginError);
        }
        HeaderValue::try_from(url.origin().ascii_serialization()).map(Self).map_err(|_| OriginError)
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        // It was made of a string.
        self.0.to_str().unwrap_or_default()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Origins {
    /// Whether a page with this `Origin` header may use the gateway from elsewhere.
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>) -> bool {
        match self {
            Self::Any => true,
            Self::These(origins) => {
                origin.is_some_and(|origin| origins.iter().any(|allowed| allowed.header() == origin))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (text, expected) in [
            ("https://app.example.com", Some("https://app.example.com")),
            ("HTTPS://App.Example.com/", Some("https://app.example.com")),
            ("https://app.example.com:443", Some("https://app.example.com")),
            ("http://localhost:5173", Some("http://localhost:5173")),
            ("http://[::1]:80", Some("http://[::1]")),
            ("https://müller.example", Some("https://xn--mller-kva.example")),
            ("app.example.com", None),
            ("localhost:5173", None),
            ("https://app.example.com/login", None),
            ("https://app.example.com/?a", None),
            ("https://app.example.com/#a", None),
            ("https://someone@app.example.com", None),
            ("https://@app.example.com", None),
            ("https:app.example.com", None),
            ("https://app.example.com\\", None),
            ("https://*.example.com", None),
            ("ftp://app.example.com", None),
            ("file:///", None),
            ("null", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(Origin::parse(text).ok().map(|origin| origin.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_the_very_origin_is_allowed() {
        let these = Origins::These(vec![Origin::parse("https://app.example.com").unwrap()]);
        for (origin, expected) in [
            ("https://app.example.com", true),
            ("http://app.example.com", false),
            ("https://app.example.com:8443", false),
            ("https://app.example.com.example.org", false),
            ("https://example.com", false),
            ("null", false),
        ] {
            assert_eq!(these.allow(Some(&HeaderValue::from_static(origin))), expected, "{origin}");
        }
        assert!(!these.allow(None));
        assert!(Origins::Any.allow(Some(&HeaderValue::from_static("null"))));
    }
}
