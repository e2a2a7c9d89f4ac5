//! Protection against cross-site request forgery: requests that other sites' pages have their visitors' browsers send.
//!
//! A gateway on loopback, or behind a VPN, takes the browser's word for its user: a page anywhere could have it ask Auth0 on
//! and on. A POST of `application/json` needs a preflight already; this holds without one as well.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::error::HttpError;
use super::host;
use super::origins::{Origins, PageOrigin};
use super::state::ServerState;
use crate::graphql::{ErrorCode, GraphqlError};

/// The site that a request comes from, as the browser says: <https://www.w3.org/TR/fetch-metadata/>.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The kind of element that the response is for.
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The refusal of a request of a page that may not send it. tower-http's layer lets GETs pass since they change nothing; ours cost
/// calls to Auth0, and an image's address is enough to send one. Browsers open WebSockets, which are a CONNECT over HTTP/2, to
/// every host, whatever their rules for other requests are: so it is for the host to refuse.
pub(crate) fn refusal(request: &Request, state: &ServerState) -> Option<HttpError> {
    let (headers, origins) = (request.headers(), &state.settings.cors_origins);
    let reads = match *request.method() {
        // They have nothing done, and a preflight is from elsewhere by nature.
        Method::HEAD | Method::OPTIONS => return None,
        Method::GET | Method::CONNECT => true,
        _ => false,
    };
    let is_foreign = match origins.page_origin(headers, host::host(request)) {
        PageOrigin::Allowed => false,
        // Where a proxy has changed the host, the browser knows better than the comparison.
        PageOrigin::Foreign => reads || is_ambiguous(headers) || !is_from_own_page(headers),
        PageOrigin::Unknown | PageOrigin::Own => *origins != Origins::Any && is_from_elsewhere(headers, reads),
    };
    is_foreign.then(foreign)
}

/// True if there is more than one `Origin`, or an empty one. No browser sends that.
fn is_ambiguous(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::ORIGIN).iter();
    lines.next().is_some_and(|first| first.is_empty() || lines.next().is_some())
}

fn is_from_own_page(headers: &HeaderMap) -> bool {
    headers.get(SITE).is_some_and(|site| site == "same-origin" || site == "none")
}

/// True if another site's page sent this. A link that its reader follows is the reader's own doing.
fn is_from_elsewhere(headers: &HeaderMap, reads: bool) -> bool {
    let is_followed = reads && headers.get(DESTINATION).is_some_and(|destination| destination == "document");
    headers.contains_key(SITE) && !is_from_own_page(headers) && !is_followed
}

fn foreign() -> HttpError {
    let message = "A page of another origin sent this. The gateway's operator can add its origin to CORS_ORIGINS.";
    HttpError::new(StatusCode::FORBIDDEN, GraphqlError::new(ErrorCode::Forbidden, message))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn pages_are_told_from_readers_and_from_programs() {
        for (site, destination, expected) in [
            (None, None, false),
            (Some("none"), Some("document"), false),
            (Some("same-origin"), Some("empty"), false),
            (Some("cross-site"), Some("document"), false),
            (Some("cross-site"), Some("image"), true),
            (Some("cross-site"), Some("empty"), true),
            (Some("cross-site"), Some("iframe"), true),
            (Some("same-site"), Some("empty"), true),
            (Some("cross-site"), None, true),
            (Some(""), Some("script"), true),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(SITE, site), (DESTINATION, destination)] {
                headers.extend(value.map(|value| (name, HeaderValue::from_static(value))));
            }
            assert_eq!(is_from_elsewhere(&headers, true), expected, "{site:?} {destination:?}");
            let is_document = destination == Some("document") && site == Some("cross-site");
            assert_eq!(is_from_elsewhere(&headers, false), expected || is_document, "{site:?} {destination:?}");
        }
    }
}
