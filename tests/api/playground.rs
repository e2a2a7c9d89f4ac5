//! The page at `/` and the files behind it. A build without npm has a plain page and no files, and keeps the rest.

use std::io::Read as _;

use auth0_graphql::auth::{self, ApiKeys};
use auth0_graphql::http;
use flate2::read::GzDecoder;

use crate::answer::Answer;
use crate::authentication::hash_of;
use crate::gateway::{Setup, TestGateway};

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

async fn get(gateway: &TestGateway, path: &str, headers: &[&str]) -> Answer {
    Answer::to_get(gateway, path, headers).await
}

/// The paths of the files that the page refers to.
fn files(page: &Answer) -> Vec<String> {
    let quoted = page.text().split('"').filter(|value| value.starts_with("playground/"));
    quoted.map(|file| format!("/{file}")).collect()
}

#[tokio::test]
async fn the_page_is_served_where_it_is_wanted() {
    let gateway = TestGateway::spawn().await;
    let page = get(&gateway, "/", &["Accept: text/html"]).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
    if files(&page).is_empty() {
        assert!(page.text().contains("GraphiQL, the IDE, is not here because"), "{}", page.text());
    }
    let head = Answer::to(&gateway, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((head.status, head.header("etag")), (200, page.header("etag")));
    assert_eq!(head.header("content-length"), page.body.len().to_string());
    assert_eq!(gateway.all_calls().await, []);
}

#[tokio::test]
async fn there_is_no_page_where_it_is_off() {
    let http = http::Settings { playground: false, ..http::Settings::default() };
    let off = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    let on = TestGateway::spawn().await;
    let paths = [vec!["/".to_owned(), "/playground/x".to_owned()], files(&get(&on, "/", &[]).await)].concat();
    for path in paths {
        let answer = get(&off, &path, &["Accept: text/html"]).await;
        answer.must_refuse(&path, 404, "BAD_REQUEST", "GraphQL is served at /graphql");
    }
    assert_eq!(get(&off, "/graphql?query={__typename}", &[]).await.status, 200);
}

#[tokio::test]
async fn nothing_from_elsewhere_may_run_load_or_frame() {
    let gateway = TestGateway::spawn().await;
    let page = get(&gateway, "/", &[]).await;
    let mut paths = files(&page);
    paths.extend(["/".to_owned(), "/playground/nothing".to_owned()]);
    for path in paths {
        let answer = get(&gateway, &path, &[]).await;
        let policy = answer.header("content-security-policy");
        let directives: Vec<Vec<_>> = policy.split(';').map(|part| part.split_whitespace().collect()).collect();
        for expected in [
            &["default-src", "'none'"][..],
            &["script-src", "'self'"],
            &["worker-src", "'self'"],
            &["connect-src", "'self'"],
            &["base-uri", "'none'"],
            &["form-action", "'none'"],
            &["frame-ancestors", "'none'"],
        ] {
            assert!(directives.iter().any(|directive| directive == expected), "{path}: {expected:?} in {policy}");
        }
        for directive in &directives {
            let (name, sources) = directive.split_first().unwrap();
            for source in sources {
                let is_allowed = match *source {
                    "'none'" | "'self'" => true,
                    "data:" => ["font-src", "img-src"].contains(name),
                    "'unsafe-inline'" => *name == "style-src",
                    _ => false,
                };
                assert!(is_allowed, "{path}: {source} in {name}");
            }
        }
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    assert!(!page.text().contains("<script>"), "an inline script would not run: {}", page.text());
    for elsewhere in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
        assert!(!page.text().contains(elsewhere), "{elsewhere}: {}", page.text());
    }
}

#[tokio::test]
async fn a_token_is_filled_in_where_there_is_one_for_everybody() {
    let plain = get(&TestGateway::spawn().await, "/", &[]).await;
    assert!(!plain.text().contains("playground-token"), "{}", plain.text());

    let token = "e30.e30.c2ln";
    let http = http::Settings { playground_token: Some(token.into()), ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { http, takes_sandbox_tokens: true, ..Setup::default() }).await;
    let page = get(&gateway, "/", &[&format!("If-None-Match: {}", plain.header("etag"))]).await;
    let head = format!("  <meta name=\"playground-token\" content=\"{token}\" />\n  </head>");
    assert_eq!(page.text(), plain.text().replace("</head>", &head));
    // It is for nobody to keep.
    assert_eq!((page.status, page.header("cache-control"), page.header("etag")), (200, "no-store", ""));
    assert_eq!(page.header("content-security-policy"), plain.header("content-security-policy"));
    for path in files(&page) {
        assert!(!get(&gateway, &path, &[]).await.text().contains(token), "{path}");
    }
}

#[tokio::test]
async fn a_page_of_another_name_is_given_no_token() {
    let token = "e30.e30.c2ln";
    let http = http::Settings {
        playground_token: Some(token.into()),
        allowed_hosts: vec!["gateway.example.com".to_owned()],
        ..http::Settings::default()
    };
    // Where nobody is let in without a token, every name is answered.
    let key = format!("reports:{}:read:logs", hash_of("the key of the reports"));
    let auth = auth::Settings { api_keys: ApiKeys::parse(&key).unwrap(), ..auth::Settings::default() };
    let setup = Setup { http, auth, takes_sandbox_tokens: true, ..Setup::default() };
    let gateway = TestGateway::spawn_with(setup).await;
    for (host, is_given) in [
        ("localhost:3000", true),
        ("127.0.0.1", true),
        ("gateway.example.com", true),
        ("elsewhere.example.com", false),
        ("localhost.example.com", false),
    ] {
        let answer = Answer::to(&gateway, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{host}");
        assert_eq!(answer.text().contains(token), is_given, "{host}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_page_that_is_known_is_not_sent_again() {
    let gateway = TestGateway::spawn().await;
    let page = get(&gateway, "/", &[]).await;
    let etag = page.header("etag");
    assert!(etag.starts_with('"') && etag.len() > 10, "{etag}");
    // It names the files of one build: to be asked for each time.
    assert_eq!(page.header("cache-control"), "no-cache");
    for known in [etag.to_owned(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let answer = get(&gateway, "/", &[&format!("If-None-Match: {known}")]).await;
        assert_eq!((answer.status, answer.header("etag"), answer.text()), (304, etag, ""), "{known}");
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
    for unknown in ["\"other\"", "", etag.trim_matches('"')] {
        let answer = get(&gateway, "/", &[&format!("If-None-Match: {unknown}")]).await;
        assert_eq!((answer.status, answer.text()), (200, page.text()), "{unknown}");
    }
}

#[tokio::test]
async fn files_have_names_of_their_content_and_are_kept_for_good() {
    let gateway = TestGateway::spawn().await;
    for path in files(&get(&gateway, "/", &[]).await) {
        let hash = path.rsplit_once('-').and_then(|(_, rest)| rest.split_once('.')).unwrap().0;
        assert!(hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{path}");

        let plain = get(&gateway, &path, &[]).await;
        let gzip = get(&gateway, &path, &["Accept-Encoding: gzip"]).await;
        let brotli = get(&gateway, &path, &["Accept-Encoding: gzip, deflate, br, zstd"]).await;
        for (answer, coding) in [(&plain, ""), (&gzip, "gzip"), (&brotli, "br")] {
            assert_eq!((answer.status, answer.header("content-encoding")), (200, coding), "{path}");
            assert_eq!(answer.header("cache-control"), FOR_GOOD, "{path}");
            assert_eq!(answer.header("vary"), "accept-encoding", "{path}");
            let expected = match path.rsplit_once('.').unwrap().1 {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "txt" => "text/plain; charset=utf-8",
                other => panic!("{other} is not among the types of files"),
            };
            assert_eq!(answer.header("content-type"), expected, "{path}");
        }
        let mut content = Vec::new();
        GzDecoder::new(gzip.body.as_slice()).read_to_end(&mut content).unwrap();
        assert_eq!(content, plain.body, "{path}");
        assert!(brotli.body.len() < plain.body.len() && !brotli.body.is_empty(), "{path}");

        // A tag stands for bytes, and each coding has its own.
        let etags = [&plain, &gzip, &brotli].map(|answer| answer.header("etag"));
        assert!(etags[0] != etags[1] && etags[1] != etags[2] && etags[0] != etags[2], "{etags:?}");
        let known = [&*format!("If-None-Match: {}", etags[1]), "Accept-Encoding: gzip"];
        let answer = get(&gateway, &path, &known).await;
        assert_eq!((answer.status, answer.header("etag"), answer.body.len()), (304, etags[1], 0), "{path}");
        assert_eq!((answer.header("cache-control"), answer.header("vary")), (FOR_GOOD, "accept-encoding"), "{path}");
        assert_eq!(get(&gateway, &path, &known[..1]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn files_that_are_not_there_are_not_kept() {
    let gateway = TestGateway::spawn().await;
    for path in [
        "/playground/nothing.js",
        "/playground/main-AAAAAAAA.js",
        "/playground/../Cargo.toml",
        "/playground/..%2F..%2FCargo.toml",
        "/playground/%2Fetc%2Fpasswd",
        "/playground/%00",
        "/playground/%FF",
    ] {
        let answer = get(&gateway, path, &[]).await;
        assert_eq!((answer.status, answer.header("cache-control")), (404, "no-store"), "{path}");
        assert_eq!(answer.header("etag"), "", "{path}");
    }
}
