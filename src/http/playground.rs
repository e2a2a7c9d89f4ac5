//! The IDE at `GET /`: `GraphiQL`, bundled by `build.rs` and embedded.
//!
//! The page is a few lines of HTML; everything else has a name that changes with its
//! content, lies under `/playground/`, and may be kept by a browser for good. A build that
//! could not bundle it serves a plain page instead, which says how to get it.
//!
//! On a sandbox the page carries an access token, so that there is nothing to set up before the first
//! query. It is no secret, for the sandbox gives everybody one, and still it is not for keeping: such a
//! page is never stored.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::sync::LazyLock;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Router, body::Bytes};
use flate2::read::GzDecoder;
use secrecy::{ExposeSecret as _, SecretString};

use super::host;
use super::media_type::weight;
use super::state::ServerState;

/// An embedded file: its name, its content as Brotli, its content as gzip.
type Asset = (&'static str, &'static [u8], &'static [u8]);

include!(concat!(env!("OUT_DIR"), "/playground.rs"));

/// Policy of the pages. Nothing that the bundle needs comes from elsewhere, so nothing
/// else is allowed; `frame-ancestors` keeps other sites from putting the IDE in a frame.
///
/// Monaco, the editor inside, forces one exception, `'unsafe-inline'` for styles: it writes
/// `<style>` elements and `style` attributes, and takes no nonce for either. Fonts and
/// small images come as `data:` URLs inside the style sheet.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; \
     style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

static PAGE: LazyLock<Cow<'static, str>> =
    LazyLock::new(|| INDEX.map_or_else(|| Cow::Owned(plain_page()), Cow::Borrowed));

static PAGE_ETAG: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    PAGE.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
});

/// `GET` and `HEAD` of `/` and of the files that it leads to.
pub(crate) fn routes() -> Router<ServerState> {
    Router::new().route("/", get(page)).route("/playground/{file}", get(file)).route_layer(map_response(harden))
}

async fn page(State(state): State<ServerState>, request: Request) -> Response {
    let settings = &state.settings;
    // Not for a page whose name was made to lead here (DNS rebinding): it would be the page's own to read.
    if let Some(token) =
        settings.playground_token.as_ref().filter(|_| host::is_for_us(&request, &settings.allowed_hosts))
    {
        return ([(CACHE_CONTROL, "no-store")], Html(with_token(&PAGE, token))).into_response();
    }
    let request = request.headers();
    let caching = [(CACHE_CONTROL, "no-cache"), (ETAG, PAGE_ETAG.as_str())];
    if is_fresh(&list(request, &IF_NONE_MATCH), &PAGE_ETAG) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, Html(PAGE.as_ref())).into_response()
}

/// The page with a token in its head, where the script finds it.
fn with_token(page: &str, token: &SecretString) -> String {
    // Nothing that could end the attribute is in a token: RFC 6750, section 2.1.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let token: String = token.expose_secret().chars().filter(|&c| is_plain(c)).collect();
    page.replacen("</head>", &format!("  <meta name=\"playground-token\" content=\"{token}\" />\n  </head>"), 1)
}

async fn file(name: Result<Path<String>, PathRejection>, request: HeaderMap) -> Response {
    let asset = name.ok().and_then(|Path(name)| ASSETS.iter().find(|(known, ..)| *known == name));
    let Some(&(name, brotli, gzip)) = asset else {
        // A build that has the file may be there the next time.
        let caching = [(CACHE_CONTROL, "no-store")];
        return (StatusCode::NOT_FOUND, caching, "The playground has no such file.\n").into_response();
    };
    let coding = Coding::choose(&list(&request, &ACCEPT_ENCODING));
    // The name stands for the content already, the coding for its bytes.
    let etag = format!("\"{name}.{}\"", coding.name());
    let caching =
        [(CACHE_CONTROL, "public, max-age=31536000, immutable"), (ETAG, etag.as_str()), (VARY, "accept-encoding")];
    if is_fresh(&list(&request, &IF_NONE_MATCH), &etag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }

    let media_type = [(CONTENT_TYPE, media_type(name))];
    let encoded = [(CONTENT_ENCODING, coding.name())];
    match coding {
        Coding::Brotli => (caching, media_type, encoded, Bytes::from_static(brotli)).into_response(),
        Coding::Gzip => (caching, media_type, encoded, Bytes::from_static(gzip)).into_response(),
        Coding::Identity => match inflate(gzip) {
            Ok(content) => (caching, media_type, content).into_response(),
            Err(error) => {
                tracing::error!(%error, file = name, "an embedded file cannot be decompressed");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        },
    }
}

/// Sets what every response needs, a worker's script and a 404 included: a worker lives
/// under the policy that came with its own script, not the page's.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The content coding of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
    Identity,
}

impl Coding {
    /// The coding that an `Accept-Encoding` value likes best; the smaller one of two liked
    /// equally. Identity is always possible: a client that refuses all three gets it too,
    /// which RFC 9110, section 12.5.3, prefers to an error.
    fn choose(accept_encoding: &str) -> Self {
        // Thousandths, since a weight has three decimals at most.
        let mut best = (Self::Identity, 0);
        for coding in [Self::Brotli, Self::Gzip, Self::Identity] {
            let weight = coding.weight(accept_encoding);
            if weight > best.1 {
                best = (coding, weight);
            }
        }
        best.0
    }

    /// The weight of a coding in thousandths; 0 when it is refused or not named.
    fn weight(self, accept_encoding: &str) -> u16 {
        let mut wildcard = 0;
        for item in accept_encoding.split(',') {
            let mut parts = item.split(';');
            let name = parts.next().unwrap_or_default().trim();
            if name.eq_ignore_ascii_case(self.name()) {
                return weight(parts);
            }
            if name == "*" {
                wildcard = weight(parts);
            }
        }
        wildcard
    }

    fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }
}

/// True if an `If-None-Match` value names `etag`: the weak comparison of RFC 9110, section
/// 8.8.3.2, since a client may have been given a weakened tag by a proxy.
fn is_fresh(if_none_match: &str, etag: &str) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|candidate| candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == etag)
}

/// A list header as one value: its lines mean the same as one line with commas. A line
/// that is not text counts as absent.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines = headers.get_all(name).iter();
    lines.filter_map(|line| line.to_str().ok()).collect::<Vec<_>>().join(",")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "ttf")) => "font/ttf",
        Some((_, "txt")) => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Unpacks a file for the rare client without gzip; keeping the files a third time would cost more.
fn inflate(gzip: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut content)?;
    Ok(content)
}

fn plain_page() -> String {
    let (reason, remedy) = if cfg!(feature = "playground") {
        (
            "npm was missing or failed when this program was built",
            "install Node.js 20 or later with npm, then build again after \
             <code>touch build.rs</code>; the build's warning says what failed",
        )
    } else {
        (
            "this program was built without the cargo feature <code>playground</code>",
            "build it with the default features, or with <code>--features playground</code>, \
             on a machine with Node.js 20 or later and npm",
        )
    };
    format!(
        r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="color-scheme" content="light dark" />
    <title>auth0-graphql</title>
    <link rel="icon" href="data:," />
  </head>
  <body>
    <h1>auth0-graphql</h1>
    <p>The gateway is up and takes GraphQL at <code>/graphql</code>:</p>
    <pre>curl http://localhost:3000/graphql -H 'content-type: application/json' \
  -d '{{"query": "{{ users {{ nodes {{ userId name }} }} }}"}}'</pre>
    <p>GraphiQL, the IDE, is not here because {reason}.</p>
    <p>To get it, {remedy}.</p>
  </body>
</html>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_coding_is_chosen() {
        for (accept_encoding, chosen) in [
            ("", Coding::Identity),
            ("gzip, deflate, br, zstd", Coding::Brotli),
            ("gzip, deflate", Coding::Gzip),
            ("GZIP", Coding::Gzip),
            ("br;q=0.5, gzip;q=0.8", Coding::Gzip),
            ("br ; q=0.8 ,gzip; Q=0.8", Coding::Brotli),
            ("br;q=0, gzip", Coding::Gzip),
            ("br;q=0, *", Coding::Gzip),
            ("*", Coding::Brotli),
            ("*;q=0", Coding::Identity),
            ("gzip;q=0.001", Coding::Gzip),
            ("gzip;q=0.5, identity", Coding::Identity),
            ("identity;q=0, *;q=0", Coding::Identity),
            ("deflate, zstd", Coding::Identity),
        ] {
            assert_eq!(Coding::choose(accept_encoding), chosen, "{accept_encoding:?}");
        }
    }

    #[test]
    fn a_broken_weight_refuses_its_coding_only() {
        for broken in ["q=", "q=2", "q=-1", "q=NaN", "q=inf", "q=much"] {
            let accept_encoding = format!("br;{broken}, gzip");
            assert_eq!(Coding::choose(&accept_encoding), Coding::Gzip, "{broken}");
        }
    }

    #[test]
    fn an_etag_is_found_in_a_list_and_behind_a_weakness_mark() {
        for (if_none_match, fresh) in [
            (r#""a""#, true),
            (r#"W/"a""#, true),
            (r#""b", W/"a""#, true),
            ("*", true),
            ("", false),
            ("a", false),
            (r#""A""#, false),
            (r#""b","c""#, false),
        ] {
            assert_eq!(is_fresh(if_none_match, r#""a""#), fresh, "{if_none_match}");
        }
    }

    #[test]
    fn several_lines_of_a_list_header_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("deflate"));
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(list(&headers, &ACCEPT_ENCODING), "deflate,gzip");
    }

    #[test]
    fn every_file_that_the_page_names_is_embedded_whole() {
        let named = PAGE.split('"').filter_map(|value| value.strip_prefix("playground/"));
        let named: Vec<_> = named.collect();
        assert_eq!(named.is_empty(), ASSETS.is_empty());
        for file in named {
            assert!(ASSETS.iter().any(|(name, ..)| *name == file), "{file} is missing");
        }
        for (name, brotli, gzip) in ASSETS {
            assert!(inflate(gzip).is_ok_and(|content| !content.is_empty()), "{name}");
            assert!(!brotli.is_empty(), "{name}");
        }
    }
}
