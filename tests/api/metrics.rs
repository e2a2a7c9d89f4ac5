//! Metrics: each moves when its thing happens, and none tells a secret or grows with what strangers send.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use auth0_graphql::app::{App, Settings};
use auth0_graphql::auth0::{self, Domain};
use auth0_graphql::http::{self, Period, RateLimit};
use auth0_graphql::sandbox::{Options, TokenRequest};
use auth0_graphql::telemetry::Metrics;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

use crate::gateway::{Setup, TestGateway, codes};
use crate::websocket::Client;

const USERS: &str = "{ users(perPage: 3) { nodes { email } } }";

fn setup() -> Setup {
    let http = http::Settings { metrics: true, ..http::Settings::default() };
    Setup { http, ..Setup::default() }
}

async fn gateway() -> TestGateway {
    TestGateway::spawn_with(setup()).await
}

/// The number of requests that a gateway, whose metrics are at its own address, has refused for this reason.
pub(crate) async fn refused(url: &str, reason: &str) -> f64 {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = http.get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    Scrape(text).value(&format!("auth0_graphql_refusals_total{{reason=\"{reason}\"}}"))
}

/// Metrics at one moment.
struct Scrape(String);

impl Scrape {
    async fn of(gateway: &TestGateway) -> Self {
        let response = gateway.http.get(format!("{}/metrics", gateway.url)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Self(response.text().await.unwrap())
    }

    /// The value of a series; 0 of one that is not there.
    fn value(&self, series: &str) -> f64 {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// The gateway's own metrics by these names.
    fn values<const N: usize>(&self, series: [&str; N]) -> [f64; N] {
        series.map(|series| self.value(&format!("auth0_graphql_{series}")))
    }

    /// Every series, without its value.
    fn series(&self) -> BTreeSet<&str> {
        let samples = self.0.lines().filter(|line| !line.starts_with('#'));
        samples.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series).collect()
    }
}

#[tokio::test]
async fn operations_are_counted_by_their_codes_and_timed() {
    let gateway = gateway().await;
    gateway.data(USERS).await;
    gateway.query("{").await;
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 9, "fault": { "status": 403 } })).await;
    assert_eq!(codes(&gateway.query("{ logs { next } }").await), ["UPSTREAM_MISCONFIGURED"]);
    let mut client = Client::ready(&gateway).await;
    client.run(json!({ "query": "{ gateway { version } }" })).await;
    let tail = json!({ "query": "subscription { logs { logId } }" });
    gateway.send(tail.clone()).await;
    let events = gateway.http.post(format!("{}/graphql", gateway.url)).header("accept", "text/event-stream");
    assert_eq!(events.json(&tail).send().await.unwrap().status(), 200);
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(
        scrape.values([
            r#"operations_total{transport="http",kind="query",code="OK"}"#,
            r#"operations_total{transport="http",kind="unknown",code="GRAPHQL_PARSE_FAILED"}"#,
            r#"operations_total{transport="http",kind="query",code="UPSTREAM_MISCONFIGURED"}"#,
            r#"operations_total{transport="websocket",kind="query",code="OK"}"#,
            r#"operations_total{transport="http",kind="subscription",code="BAD_REQUEST"}"#,
            r#"operations_total{transport="sse",kind="subscription",code="OK"}"#,
            "operation_duration_seconds_count",
            "operation_busy_seconds_count",
        ]),
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 6.0, 6.0]
    );
    // The time for Auth0 is told apart from the gateway's own.
    let [whole, busy] = scrape.values(["operation_duration_seconds_sum", "operation_busy_seconds_sum"]);
    assert!(0.0 < busy && busy < whole, "{busy} of {whole}");
}

#[tokio::test]
async fn calls_to_auth0_are_counted_by_endpoint_and_outcome_and_timed() {
    let gateway = gateway().await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "status": 503 } })).await;
    gateway.data(USERS).await;
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 9, "fault": { "status": 403 } })).await;
    gateway.query("{ logs { next } }").await;
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(
        scrape.values([
            r#"upstream_requests_total{endpoint="users",outcome="server_error"}"#,
            r#"upstream_requests_total{endpoint="users",outcome="ok"}"#,
            r#"upstream_requests_total{endpoint="logs",outcome="client_error"}"#,
            r#"upstream_requests_total{endpoint="oauth/token",outcome="ok"}"#,
            r#"upstream_request_duration_seconds_count{endpoint="users"}"#,
            r#"upstream_retries_total{endpoint="users"}"#,
            r#"upstream_tokens_total{outcome="ok"}"#,
            r#"pacing_wait_seconds_count{class="users"}"#,
        ]),
        [1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0]
    );
    assert!(scrape.value("auth0_graphql_upstream_token_expiry_timestamp_seconds") > 1.7e9);
}

#[tokio::test]
async fn a_token_that_is_refused_is_counted_as_one_that_failed() {
    let gateway = gateway().await;
    gateway.fault(json!({ "path": "/oauth/token", "times": 99, "fault": { "status": 401 } })).await;
    gateway.query(USERS).await;
    assert_eq!(Scrape::of(&gateway).await.values([r#"upstream_tokens_total{outcome="failed"}"#]), [1.0]);
}

#[tokio::test]
async fn calls_that_were_not_made_are_counted_by_what_saved_them() {
    let mut setup = setup();
    setup.policy.cache_ttl = std::time::Duration::from_secs(3_600);
    let gateway = TestGateway::spawn_with(setup).await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "slow": 2_000 } })).await;
    join_all((0..9).map(|_| gateway.data(USERS))).await;
    for _ in 0..3 {
        gateway.data(USERS).await;
    }
    let calls = gateway.calls().await.len() as f64;
    let saved = [r#"upstream_calls_saved_total{by="sharing"}"#, r#"upstream_calls_saved_total{by="cache"}"#];
    let [sharing, cache] = Scrape::of(&gateway).await.values(saved);
    assert_eq!(calls + sharing + cache, 12.0);
    assert!(sharing >= 1.0 && cache >= 3.0, "{sharing} {cache}");
}

#[tokio::test]
async fn the_state_of_breaker_and_pacing_is_that_of_the_moment() {
    let gateway = TestGateway::spawn_with(Setup { http: setup().http, ..Setup::uncached() }).await;
    let states = |scrape: &Scrape| {
        scrape.values([
            r#"upstream_breaker_state{state="closed"}"#,
            r#"upstream_breaker_state{state="open"}"#,
            r#"upstream_breaker_state{state="half_open"}"#,
        ])
    };
    gateway.data(USERS).await;
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(states(&scrape), [1.0, 0.0, 0.0]);
    let limits = gateway.data("{ gateway { rateLimits { limit } } }").await;
    let bucket = scrape.series().into_iter().find(|series| series.starts_with("auth0_graphql_pacing_limit{")).unwrap();
    assert_eq!(json!(scrape.value(bucket) as u32), limits["gateway"]["rateLimits"][0]["limit"]);
    let remaining = scrape.value(&bucket.replace("limit", "remaining"));
    assert!(remaining > 0.0 && remaining < scrape.value(bucket), "{remaining}");
    assert!(scrape.series().contains(&*bucket.replace("limit", "queued")));

    gateway.fault(json!({ "path": "/api/v2/", "times": 1_000, "fault": { "status": 500 } })).await;
    while states(&Scrape::of(&gateway).await) == [1.0, 0.0, 0.0] {
        gateway.query(USERS).await;
    }
}

#[tokio::test]
async fn refusals_are_counted_by_their_reasons() {
    let mut setup = setup();
    setup.http.rate_limit = Some(RateLimit { requests: NonZeroU32::new(8).unwrap(), per: Period::Hour });
    setup.http.max_body_bytes = 100;
    setup.sandbox = Options::default();
    let gateway = TestGateway::spawn_with(Setup { takes_sandbox_tokens: true, ..setup }).await;
    let graphql = format!("{}/graphql", gateway.url);
    let post = || gateway.http.post(&graphql).header("content-type", "application/json");
    for (request, status) in [
        (gateway.http.get(format!("{}/nothing", gateway.url)), 404),
        (gateway.http.delete(&graphql), 405),
        (post().header("accept", "text/csv").body("{}"), 406),
        (post().body("x".repeat(101)), 413),
        (gateway.http.post(&graphql).body("{}"), 415),
        (post().header("host", "rebound.example.com").body("{}"), 421),
        (post().body("{"), 400),
        (post().header("authorization", "Bearer none").body("{}"), 401),
        (post().header("authorization", "Bearer a").header("authorization", "Bearer b").body("{}"), 400),
        (gateway.http.get(&graphql).header("origin", "https://example.com"), 403),
    ] {
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
    let mut status = StatusCode::OK;
    while status != StatusCode::TOO_MANY_REQUESTS {
        status = post().body(r#"{"query":"{__typename}"}"#).send().await.unwrap().status();
    }
    let scrape = Scrape::of(&gateway).await;
    for (reason, times) in [
        ("not_found", 1.0),
        ("method", 1.0),
        ("not_acceptable", 1.0),
        ("large_body", 1.0),
        ("media_type", 1.0),
        ("host", 1.0),
        ("bad_request", 2.0),
        ("unauthenticated", 1.0),
        ("foreign_page", 1.0),
        ("rate_limited", 1.0),
    ] {
        let series = format!("refusals_total{{reason=\"{reason}\"}}");
        assert_eq!(scrape.values([&*series]), [times], "{reason}\n{}", scrape.0);
    }
}

#[tokio::test]
async fn connections_websockets_and_bytes_are_counted() {
    let gateway = gateway().await;
    let series = [
        "connections",
        "connections_opened_total",
        "websockets",
        r#"connection_bytes_total{direction="received"}"#,
        r#"connection_bytes_total{direction="sent"}"#,
    ];
    let [connections, opened, web_sockets, received, sent] = Scrape::of(&gateway).await.values(series);
    assert_eq!((connections, opened, web_sockets), (1.0, 1.0, 0.0));
    assert!(received > 0.0);
    let mut client = Client::ready(&gateway).await;
    client.run(json!({ "query": "{ gateway { version } }" })).await;
    let [connections, opened, web_sockets, more_received, more_sent] = Scrape::of(&gateway).await.values(series);
    assert_eq!((connections, opened, web_sockets), (2.0, 2.0, 1.0));
    assert!(more_received > received + 100.0 && more_sent > sent + 1_000.0, "{more_received} {more_sent}");
    drop(client);
    while Scrape::of(&gateway).await.values(["connections", "websockets"]) != [1.0, 0.0] {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_issuer_s_keys_are_counted_when_they_are_fetched() {
    let setup = Setup { sandbox: Options::default(), takes_sandbox_tokens: true, ..setup() };
    let gateway = TestGateway::spawn_with(setup).await;
    let token = gateway.sandbox.user_token(&TokenRequest::default()).unwrap();
    let post = gateway.http.post(format!("{}/graphql", gateway.url)).bearer_auth(token);
    assert_eq!(post.json(&json!({ "query": "{ __typename }" })).send().await.unwrap().status(), 200);
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(scrape.values([r#"jwks_fetches_total{outcome="ok"}"#, "jwks_keys"]), [1.0, 1.0]);
    assert!(scrape.value("auth0_graphql_jwks_fetched_timestamp_seconds") > 1.7e9);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_is_measured() {
    let scrape = Scrape::of(&gateway().await).await;
    assert!(scrape.value("process_resident_memory_bytes") > 1e6);
    assert!(scrape.value("process_open_fds") >= 5.0);
    assert!(scrape.value("process_start_time_seconds") > 1.7e9);
    assert!(scrape.value("process_cpu_seconds_total") > 0.0);
}

#[tokio::test]
async fn nobody_makes_metrics_grow_or_tell_what_was_asked() {
    const CANARY: &str = "canary.bird@example.com";
    let secret = "canary-secret-9f2c";
    let gateway = gateway().await;
    let graphql = format!("{}/graphql", gateway.url);
    let odd = |number: usize| {
        let name = format!("canary{number}");
        let document = format!("query {name} {{ {name}: users(q: \"email:{CANARY}{number}\") {{ total }} }}");
        let post = gateway
            .http
            .post(&graphql)
            .bearer_auth(secret)
            .header("x-request-id", format!("canary-{number}"))
            .json(&json!({ "query": document, "operationName": name }));
        let method = Method::from_bytes(format!("CANARY{number}").as_bytes()).unwrap();
        let page = gateway.http.request(method, format!("{}/canary{number}?{secret}", gateway.url));
        let invalid = gateway.http.post(&graphql).json(&json!({ "query": format!("{{ canary{number} }}") }));
        [post, page, invalid].map(|request| async { request.send().await.unwrap().bytes().await.unwrap() })
    };
    join_all(odd(0)).await;
    // The scrape itself is counted, too.
    Scrape::of(&gateway).await;
    let before = Scrape::of(&gateway).await;
    for number in 1..20 {
        join_all(odd(number)).await;
    }
    let after = Scrape::of(&gateway).await;
    assert_eq!(after.series(), before.series());
    let client = gateway.sandbox.client();
    for private in ["canary", secret, &client.id, &gateway.sandbox.url()] {
        assert!(!after.0.contains(private), "{private}:\n{}", after.0);
    }
}

#[tokio::test]
async fn metrics_are_where_the_operator_wants_them_and_nowhere_else() {
    let hidden = TestGateway::spawn().await;
    let get = |url: String| async { hidden.http.get(url).send().await.unwrap().status().as_u16() };
    assert_eq!(get(format!("{}/metrics", hidden.url)).await, 404);

    let client = hidden.sandbox.client();
    let domain = Domain::parse(&hidden.sandbox.url()).unwrap();
    let audience = domain.default_audience();
    let tenant = auth0::Settings { domain, audience, client_id: client.id, authentication: client.secret.into() };
    let [public, admin] = [listener().await, listener().await];
    let [public_url, admin_url] = [&public, &admin].map(|at| format!("http://{}", at.local_addr().unwrap()));
    let app = App::build(Settings::new(tenant)).unwrap().with_admin(admin);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(app.serve(public, async { _ = stopped.await }));
    for (path, on_public, on_admin) in [("/metrics", 404, 200), ("/livez", 200, 200), ("/readyz", 200, 200)] {
        assert_eq!(get(format!("{public_url}{path}")).await, on_public, "{path}");
        assert_eq!(get(format!("{admin_url}{path}")).await, on_admin, "{path}");
    }
    assert_eq!(get(format!("{admin_url}/graphql?query={{__typename}}")).await, 404);
    stop.send(()).unwrap();
    serving.await.unwrap();
    assert!(hidden.http.get(admin_url).send().await.is_err(), "the admin address is given back");
}

async fn listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap()
}

#[test]
fn the_list_in_the_documentation_is_that_of_the_program() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(&Metrics::list()), "docs/metrics.md has to hold:\n{}", Metrics::list());
}

#[tokio::test]
async fn labels_are_those_of_the_list() {
    let gateway = gateway().await;
    gateway.data(USERS).await;
    let list = Metrics::list();
    let scrape = Scrape::of(&gateway).await;
    for series in scrape.series() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
        let named = |name: &str| list.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = named(name).or_else(|| named(histogram?)).unwrap_or_else(|| panic!("{name} is not in the list"));
        let keys = labels.trim_end_matches('}').split(',').filter_map(|label| Some(label.split_once('=')?.0));
        for key in keys.filter(|key| *key != "le") {
            assert!(row.contains(&format!("`{key}`")), "{key} of {name} is not in the list");
        }
    }
    let build = concat!("auth0_graphql_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    assert_eq!(scrape.value(build), 1.0);
}
