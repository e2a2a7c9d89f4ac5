//! Web origins whose pages may use the gateway from their visitors' browsers.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, header};
use url::Url;

/// A web origin, as browsers write it in `Origin`: scheme, host and, where it is not the scheme's own, port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// Not a web origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an origin such as https://app.example.com or http://localhost:5173")]
pub struct OriginError;

/// The origins whose pages may use the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// These, and the gateway's own.
    These(Vec<Origin>),
    /// Every origin.
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
    /// True if a page of this origin may use the gateway from elsewhere.
    pub(crate) fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::These(origins) => origins.iter().any(|allowed| allowed.header() == origin),
        }
    }

    /// The origin of the page that sent a request with these headers to `authority`.
    pub(crate) fn page_origin(&self, headers: &HeaderMap, authority: Option<&str>) -> PageOrigin {
        let mut lines = headers.get_all(header::ORIGIN).iter();
        match (lines.next(), lines.next()) {
            (None, _) => PageOrigin::Unknown,
            (Some(origin), None) if self.allow(origin) => PageOrigin::Allowed,
            (Some(origin), None) => match origin.to_str() {
                Ok(origin) if is_of(origin, authority.unwrap_or_default()) => PageOrigin::Own,
                _ => PageOrigin::Foreign,
            },
            // Of two, somebody on the way might believe the other.
            (Some(_), Some(_)) => PageOrigin::Foreign,
        }
    }
}

/// The origin of the page that sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageOrigin {
    /// None is given: browsers leave `Origin` out where a page only shows what it asks for, and programs always do.
    Unknown,
    /// The gateway's own host.
    Own,
    /// An origin that is allowed.
    Allowed,
    /// Any other.
    Foreign,
}

/// The scheme is not compared. Where a proxy ends TLS the gateway does not know its own.
fn is_of(origin: &str, authority: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    // Browsers leave the default port out; others may not.
    let without_default = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_ascii_lowercase();
    !host.is_empty() && without_default(host) == without_default(authority)
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
            assert_eq!(these.allow(&HeaderValue::from_static(origin)), expected, "{origin}");
        }
        assert!(Origins::Any.allow(&HeaderValue::from_static("null")));
    }

    #[test]
    fn an_origin_is_held_against_the_host() {
        for (origin, authority, expected) in [
            ("http://localhost:3000", "localhost:3000", true),
            ("http://LocalHost:3000", "localhost:3000", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("https://gateway.example.com", "gateway.example.com", true),
            ("https://gateway.example.com", "gateway.example.com:443", true),
            ("http://gateway.example.com:80", "gateway.example.com", true),
            ("https://gateway.example.com", "gateway.example.com:80", false),
            ("http://localhost:3001", "localhost:3000", false),
            ("http://localhost", "localhost:3000", false),
            ("http://127.0.0.1:3000", "localhost:3000", false),
            ("http://localhost:3000.example.com", "localhost:3000", false),
            ("http://example.com/localhost:3000", "localhost:3000", false),
            ("http://user@localhost:3000", "localhost:3000", false),
            ("ftp://localhost:3000", "localhost:3000", false),
            ("null", "null", false),
            ("null", "localhost:3000", false),
            ("http://", "", false),
            ("", "", false),
        ] {
            assert_eq!(is_of(origin, authority), expected, "{origin} at {authority}");
        }
    }

    #[test]
    fn pages_are_told_apart_by_their_origins() {
        let app = "https://app.example.com";
        let these = Origins::These(vec![Origin::parse(app).unwrap()]);
        for (origins, allowed, expected) in [
            (&[][..], &these, PageOrigin::Unknown),
            (&[app], &these, PageOrigin::Allowed),
            (&["http://app.example.com"], &these, PageOrigin::Foreign),
            (&["https://app.example.com:8443"], &these, PageOrigin::Foreign),
            (&["https://evil.app.example.com"], &these, PageOrigin::Foreign),
            (&["null"], &these, PageOrigin::Foreign),
            (&["http://localhost"], &these, PageOrigin::Own),
            (&["http://localhost", "http://localhost"], &these, PageOrigin::Foreign),
            (&["https://evil.example.com"], &Origins::Any, PageOrigin::Allowed),
            (&[app, app], &Origins::Any, PageOrigin::Foreign),
        ] {
            let lines = origins.iter().map(|origin| (header::ORIGIN, HeaderValue::from_static(origin)));
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, value);
            }
            assert_eq!(allowed.page_origin(&headers, Some("localhost")), expected, "{origins:?}");
        }
        let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("http://localhost"))]);
        assert_eq!(these.page_origin(&headers, None), PageOrigin::Foreign);
    }
}
