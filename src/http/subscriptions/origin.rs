//! Whose pages may open a WebSocket.

use axum::http::{HeaderMap, header};

use crate::http::Origins;

/// Whether a request to `authority` comes from a page of this gateway, of an origin in `allowed`, or from no page at all: only
/// browsers send `Origin`.
pub(crate) fn may_open(headers: &HeaderMap, authority: Option<&str>, allowed: &Origins) -> bool {
    let mut lines = headers.get_all(header::ORIGIN).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(origin), None) => {
            let is_own = || origin.to_str().is_ok_and(|origin| is_of(origin, authority.unwrap_or_default()));
            allowed.allow(Some(origin)) || is_own()
        }
        // Of two, somebody on the way might believe the other.
        (Some(_), Some(_)) => false,
    }
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
    use crate::http::Origin;

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
    fn pages_of_allowed_origins_may_come_from_elsewhere() {
        let these = Origins::These(vec![Origin::parse("https://app.example.com").unwrap()]);
        for (origin, allowed, expected) in [
            ("https://app.example.com", &these, true),
            ("http://app.example.com", &these, false),
            ("https://app.example.com:8443", &these, false),
            ("https://evil.app.example.com", &these, false),
            ("null", &these, false),
            ("https://evil.example.com", &Origins::Any, true),
        ] {
            let headers = HeaderMap::from_iter([(header::ORIGIN, origin.parse().unwrap())]);
            assert_eq!(may_open(&headers, Some("localhost"), allowed), expected, "{origin}");
        }
    }

    #[test]
    fn whoever_is_no_page_has_no_origin() {
        let none = Origins::default();
        let mut headers = HeaderMap::new();
        assert!(may_open(&headers, Some("localhost"), &none));
        headers.append(header::ORIGIN, "http://localhost".parse().unwrap());
        assert!(may_open(&headers, Some("localhost"), &none));
        assert!(!may_open(&headers, None, &none));
        headers.append(header::ORIGIN, "http://localhost".parse().unwrap());
        assert!(!may_open(&headers, Some("localhost"), &none), "two");
        assert!(!may_open(&headers, Some("localhost"), &Origins::Any), "two");
    }
}
