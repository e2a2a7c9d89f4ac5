//! Protection against cross-site request forgery: requests that other sites' pages have their visitors' browsers send.
//!
//! A gateway on loopback, or behind a VPN, takes the browser's word for its user: a page anywhere could have it ask Auth0 on
//! and on. A POST of `application/json` needs a preflight already; this holds without one as well.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::Response;
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};

use super::error::HttpError;
use super::host;
use super::origins::{Origins, PageOrigin};
use super::responder::Responder;
use super::state::ServerState;
use crate::graphql::{ErrorCode, GraphqlError};

/// The site that a request comes from, as the browser says: <https://www.w3.org/TR/fetch-metadata/>.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The kind of element that the response is for.
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The response to a request from elsewhere.
pub(crate) type Rejection = fn(ProtectionError) -> Response<Body>;

/// Judges requests that are no GET by `Sec-Fetch-Site` and `Origin`; nothing where every origin is allowed.
pub(crate) fn layer(origins: &Origins) -> Result<Option<CsrfLayer<Rejection>>, ConfigError> {
    let Origins::These(origins) = origins else { return Ok(None) };
    let mut layer = CsrfLayer::new();
    for origin in origins {
        layer = layer.add_trusted_origin(origin.as_str())?;
    }
    let rejection: Rejection = |_| Responder::default().refuse(foreign());
    Ok(Some(layer.with_rejection_response(rejection)))
}

/// The refusal of a GET, or of a WebSocket over HTTP/2, of a page that may not send it. The library's layer lets GETs pass since
/// they change nothing; ours cost calls to Auth0, and an image's address is enough to send one. Browsers open WebSockets to every
/// host, whatever their rules for other requests are: so it is for the host to refuse.
///
/// A POST is for the layer to judge, but for one that names no origin, or several: the layer takes the first of them for all, and an
/// empty one for none.
pub(crate) fn refusal(request: &Request, state: &ServerState) -> Option<HttpError> {
    let headers = request.headers();
    let (host, origins) = (host::host(request), &state.settings.cors_origins);
    let is_refused = match *request.method() {
        Method::GET | Method::CONNECT => is_foreign(headers, host, origins),
        Method::POST => is_ambiguous(headers) && origins.page_origin(headers, host) == PageOrigin::Foreign,
        _ => false,
    };
    is_refused.then(foreign)
}

/// True if there is more than one `Origin`, or an empty one. No browser sends that.
fn is_ambiguous(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::ORIGIN).iter();
    lines.next().is_some_and(|first| first.is_empty() || lines.next().is_some())
}

fn is_foreign(headers: &HeaderMap, authority: Option<&str>, origins: &Origins) -> bool {
    match origins.page_origin(headers, authority) {
        PageOrigin::Allowed => false,
        PageOrigin::Foreign => true,
        PageOrigin::Unknown | PageOrigin::Own => *origins != Origins::Any && is_from_elsewhere(headers),
    }
}

/// True if another site's page sent this. A link that its reader follows is the reader's own doing.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let is = |name: HeaderName, values: &[&str]| {
        headers.get(name).is_some_and(|value| values.iter().any(|known| value.as_bytes() == known.as_bytes()))
    };
    headers.contains_key(SITE) && !is(SITE, &["same-origin", "none"]) && !is(DESTINATION, &["document"])
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
            assert_eq!(is_from_elsewhere(&headers), expected, "{site:?} {destination:?}");
        }
    }
}
