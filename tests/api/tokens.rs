//! The one access token that everybody shares, seen from both sides of the gateway.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth0_graphql::sandbox::{Client, Options};
use futures_util::future::join_all;
use secrecy::SecretString;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::gateway::{Setup, TestGateway, codes};
use crate::time::StoppedClock;

const USERS: &str = "{ users(perPage: 1) { page } }";
const LOGS: &str = "{ logs(take: 1) { next } }";

/// Longer than a failed grant is remembered.
const FAILURE_IS_FORGOTTEN: Duration = Duration::from_secs(1);

impl TestGateway {
    /// A gateway whose client's tokens live this many seconds.
    async fn with_token_lifetime(lifetime: impl Into<Value>) -> Self {
        let setup = Setup::uncached();
        let sandbox = Options { token_lifetime: lifetime.into(), ..setup.sandbox };
        Self::spawn_with(Setup { sandbox, ..setup }).await
    }

    /// The gateway, started anew with a client that the tenant has just created.
    async fn with_client(self, client: Value) -> Self {
        let created = self.control("clients", client).await;
        let text = |key: &str| created[key].as_str().unwrap().to_owned();
        let client = Client { id: text("client_id"), secret: SecretString::from(text("client_secret")) };
        Self::in_front_of(self.sandbox, client).await
    }

    /// How often a token was asked for.
    async fn grants(&self) -> usize {
        self.all_calls().await.iter().filter(|call| call.path == "/oauth/token").count()
    }

    /// The statuses of all other calls.
    async fn statuses(&self) -> Vec<u16> {
        self.calls().await.iter().filter_map(|call| call.status).collect()
    }

    /// Expires all tokens, at Auth0.
    async fn expire_tokens(&self) {
        self.control("tokens/expire", json!({})).await;
    }
}

/// Moves the gateway's clock, which stands still no longer than that.
async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by + Duration::from_millis(1)).await;
    tokio::time::resume();
}

/// An Auth0 that has users, and grants what `grant` is.
async fn auth0(grant: ResponseTemplate) -> MockServer {
    let auth0 = MockServer::start().await;
    Mock::given(method("POST")).and(path("/oauth/token")).respond_with(grant).mount(&auth0).await;
    let users = ResponseTemplate::new(200).set_body_json(json!([{ "user_id": "auth0|1" }]));
    Mock::given(method("GET")).and(path("/api/v2/users")).respond_with(users).mount(&auth0).await;
    auth0
}

#[tokio::test]
async fn a_thousand_first_requests_ask_for_one_token() {
    let grant = json!({ "access_token": "e30.e30.e30", "expires_in": 86_400 });
    let auth0 = auth0(ResponseTemplate::new(200).set_body_json(grant)).await;
    let gateway = TestGateway::spawn_with(Setup { upstream: Some(auth0.uri()), ..Setup::uncached() }).await;
    // One connection, on which HTTP/2 carries them side by side: two hundred at a time, which is what the gateway takes.
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let request = json!({ "query": "{ users { nodes { userId } } }" });
    let responses = (0..1_000).map(async |_| {
        let response = http.post(format!("{}/graphql", gateway.url)).json(&request).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    });
    for response in join_all(responses).await {
        assert_eq!(response, json!({ "data": { "users": { "nodes": [{ "userId": "auth0|1" }] } } }));
    }
    let requests = auth0.received_requests().await.unwrap();
    assert_eq!(requests.iter().filter(|request| request.url.path() == "/oauth/token").count(), 1);
    assert!(requests.len() > 1);
}

#[tokio::test]
async fn a_token_that_expired_at_auth0_is_replaced_unseen() {
    let gateway = TestGateway::uncached().await;
    gateway.data(USERS).await;
    gateway.expire_tokens().await;
    gateway.data(USERS).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.statuses().await, [200, 401, 200, 200]);
    assert_eq!(gateway.grants().await, 2);
}

#[tokio::test]
async fn many_callers_of_an_expired_token_get_one_new_one() {
    let gateway = TestGateway::uncached().await;
    gateway.data(USERS).await;
    gateway.expire_tokens().await;
    // Each asks something else, so that no two share a call.
    let queries: Vec<_> = (1..=20).map(|n| format!("{{ users(perPage: {n}) {{ page }} }}")).collect();
    for data in join_all(queries.iter().map(|query| gateway.data(query))).await {
        assert_eq!(data, json!({ "users": { "page": 0 } }));
    }
    assert_eq!(gateway.grants().await, 2);
}

#[tokio::test]
async fn a_token_that_stays_refused_is_a_matter_for_the_operator() {
    let gateway = TestGateway::uncached().await;
    let clock = StoppedClock::stop();
    gateway.fault(json!({ "path": "/api/v2/", "times": 100, "fault": { "status": 401 } })).await;
    for _ in 0..10 {
        let response = gateway.query(USERS).await;
        assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"], "{response}");
    }
    // The first caller tried twice, and the others were told what came of it.
    assert_eq!(gateway.statuses().await, [401, 401]);
    assert_eq!(gateway.grants().await, 2);

    // The operator mends it.
    gateway.mend().await;
    clock.advance(FAILURE_IS_FORGOTTEN).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.grants().await, 3);
}

#[tokio::test]
async fn an_aging_token_serves_while_the_next_one_is_fetched() {
    let gateway = TestGateway::with_token_lifetime(1_000).await;
    let clock = StoppedClock::stop();
    gateway.data(USERS).await;
    clock.advance_all(&gateway, Duration::from_secs(840)).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.grants().await, 1, "it is replaced too early");

    // The token endpoint does not answer before time goes on, and nobody waits for it.
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "slow": 5_000 } })).await;
    clock.advance_all(&gateway, Duration::from_secs(70)).await;
    for _ in 0..3 {
        gateway.data(USERS).await;
    }
    assert_eq!(gateway.statuses().await, [200; 5]);
    assert_eq!(gateway.grants().await, 2);

    // The old one would be at its end; the new one has come meanwhile.
    clock.advance_all(&gateway, Duration::from_secs(5)).await;
    while gateway.all_calls().await.iter().any(|call| call.status.is_none()) {}
    clock.advance_all(&gateway, Duration::from_secs(100)).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.statuses().await, [200; 6]);
    assert_eq!(gateway.grants().await, 2);
}

#[tokio::test]
async fn an_aging_token_survives_an_issuer_that_fails() {
    let gateway = TestGateway::with_token_lifetime(1_000).await;
    let clock = StoppedClock::stop();
    gateway.data(USERS).await;
    clock.advance_all(&gateway, Duration::from_secs(950)).await;
    gateway.fault(json!({ "path": "/oauth/token", "times": 100, "fault": { "status": 401 } })).await;
    for _ in 0..5 {
        gateway.data(USERS).await;
    }
    while gateway.grants().await < 2 {}
    assert_eq!(gateway.statuses().await, [200; 6]);
    assert_eq!(gateway.grants().await, 2, "the issuer is hammered");
}

#[tokio::test]
async fn an_expired_token_is_waited_for() {
    let gateway = TestGateway::with_token_lifetime(1_000).await;
    let clock = StoppedClock::stop();
    gateway.data(USERS).await;
    clock.advance_all(&gateway, Duration::from_secs(1_000)).await;
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "slow": 1_000 } })).await;
    let waiting = gateway.data(USERS);
    let granted = async {
        while gateway.grants().await < 2 {}
        assert_eq!(gateway.statuses().await, [200]);
        clock.advance(Duration::from_secs(1)).await;
    };
    tokio::join!(waiting, granted);
    // No call was made with the old one.
    assert_eq!(gateway.statuses().await, [200, 200]);
}

#[tokio::test]
async fn whoever_hangs_up_leaves_the_refresh_to_the_others() {
    let gateway = Arc::new(TestGateway::uncached().await);
    let clock = StoppedClock::stop();
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "slow": 1_000 } })).await;
    let ask = |query| {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { gateway.data(query).await })
    };
    let first = ask(USERS);
    while gateway.grants().await < 1 {}
    let second = ask(LOGS);
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    // Round trips of others, in which the gateway learns of it.
    for _ in 0..20 {
        gateway.data("{ __typename }").await;
    }
    clock.advance(Duration::from_secs(1)).await;
    second.await.unwrap();
    gateway.data(USERS).await;
    assert_eq!(gateway.grants().await, 1);
}

#[tokio::test]
async fn a_failed_grant_is_remembered_for_a_second() {
    let gateway = TestGateway::uncached().await;
    let clock = StoppedClock::stop();
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "status": 401 } })).await;
    for query in [USERS, LOGS, USERS] {
        assert_eq!(codes(&gateway.query(query).await), ["UPSTREAM_MISCONFIGURED"]);
    }
    assert_eq!(gateway.grants().await, 1);
    clock.advance(Duration::from_millis(900)).await;
    assert_eq!(codes(&gateway.query(USERS).await), ["UPSTREAM_MISCONFIGURED"]);
    assert_eq!(gateway.grants().await, 1);
    clock.advance(Duration::from_millis(100)).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.grants().await, 2);
}

#[tokio::test]
async fn a_quota_on_tokens_is_a_rate_limit() {
    let gateway = TestGateway::uncached().await;
    let clock = StoppedClock::stop();
    let quota = json!({ "status": 429, "retryAfter": 3_540 });
    gateway.fault(json!({ "path": "/oauth/token", "fault": quota })).await;
    for _ in 0..3 {
        let response = gateway.query(USERS).await;
        assert_eq!(codes(&response), ["RATE_LIMITED"], "{response}");
        let wait = response["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap();
        assert!((3_539_000..=3_540_000).contains(&wait), "{wait}");
    }
    assert_eq!(gateway.grants().await, 1);
    // An operator who raises the quota need not wait for the hour.
    clock.advance(Duration::from_secs(60)).await;
    gateway.data(USERS).await;
}

#[tokio::test]
async fn what_is_not_set_up_at_auth0_is_told_apart_for_the_operator_alone() {
    let wrong_secret = async {
        let setup = Setup::uncached();
        let gateway = TestGateway::spawn_with(setup).await;
        let client = Client { id: gateway.sandbox.client().id, secret: "wrong".into() };
        TestGateway::in_front_of(gateway.sandbox, client).await
    };
    let no_grant =
        async { TestGateway::uncached().await.with_client(json!({ "scopes": [], "audience": false })).await };
    let no_grant_type = async {
        let client = json!({ "scopes": ["read:users"], "grants": ["authorization_code"] });
        TestGateway::uncached().await.with_client(client).await
    };
    let unknown_audience = async {
        let audience = Some("https://login.example.com/api/v2/".to_owned());
        TestGateway::spawn_with(Setup { audience, ..Setup::uncached() }).await
    };
    for gateway in [wrong_secret.await, no_grant.await, no_grant_type.await, unknown_audience.await] {
        let response = gateway.query(USERS).await;
        assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"], "{response}");
        let message = response["errors"][0]["message"].as_str().unwrap();
        assert_eq!(
            message,
            "The gateway's access to Auth0 is not set up right: its operator finds the remedy in its log"
        );
        assert_eq!(gateway.statuses().await, [0; 0], "nothing is asked without a token");
        assert_eq!(gateway.grants().await, 1);
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let gateway = TestGateway::spawn_with_scopes(&["read:logs"]).await;
    let response = gateway.query("{ users { page } user(id: \"auth0|1\") { name } usersByEmail(email: \"a\") { name } logs { nodes { type } } }").await;
    assert!(response["data"]["logs"]["nodes"].as_array().is_some_and(|logs| !logs.is_empty()), "{response}");
    assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"; 3]);
    for error in response["errors"].as_array().unwrap() {
        assert!(error["message"].as_str().unwrap().contains("read:users"), "{error}");
        let scopes = error["extensions"]["missingScopes"].as_array().unwrap();
        assert!(scopes.contains(&json!("read:users")), "{error}");
    }

    let gateway = TestGateway::spawn_with_scopes(&["read:users"]).await;
    let response = gateway.query("{ log(id: \"900\") { type } searchLogs { page } users { page } }").await;
    assert_eq!(response["data"], json!({ "log": null, "searchLogs": null, "users": { "page": 0 } }));
    for error in response["errors"].as_array().unwrap() {
        assert_eq!(error["extensions"]["missingScopes"][0], "read:logs");
    }
}

#[tokio::test]
async fn lifetimes_that_are_none_are_survived() {
    for lifetime in [
        json!(null),
        json!(0),
        json!(-1),
        json!(0.25),
        json!(86_400.5),
        json!(1_u64 << 63),
        json!(-(1_i64 << 62)),
        json!(1e300),
        json!("86400"),
        json!(" 600 "),
        json!("tomorrow"),
        json!(""),
        json!(true),
        json!([]),
        json!({ "seconds": 5 }),
    ] {
        let gateway = TestGateway::with_token_lifetime(lifetime.clone()).await;
        for _ in 0..3 {
            gateway.data(USERS).await;
            later(Duration::from_secs(2)).await;
        }
        let token = gateway.data("{ gateway { token { expiresAt scopes } } }").await;
        assert!(token["gateway"]["token"]["expiresAt"].is_string(), "{lifetime}: {token}");
        assert_eq!(gateway.statuses().await, [200; 3], "{lifetime}");
        assert!(gateway.grants().await <= 3, "{lifetime}");
    }
}

#[tokio::test]
async fn whatever_comes_for_a_token_the_next_request_is_fine() {
    let gateway = TestGateway::uncached().await;
    let long = "a".repeat(200_000);
    for body in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "<html>".to_owned(),
        r#"{"access_token":"#.to_owned(),
        r#"{"access_token":null}"#.to_owned(),
        r#"{"access_token":17}"#.to_owned(),
        r#"{"access_token":""}"#.to_owned(),
        r#"{"access_token":"a\r\nX-Injected: b","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"a b","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"a\u0000","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"é","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"\ud800","expires_in":86400}"#.to_owned(),
        // These can stand in a header, and no Management API takes them.
        r#"{"access_token":"opaque","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"a.b.c","expires_in":86400}"#.to_owned(),
        r#"{"access_token":"a.b.c","expires_in":1e400,"scope":["read:users"]}"#.to_owned(),
        r#"{"access_token":"..","expires_in":"never","token_type":17}"#.to_owned(),
        format!(r#"{{"access_token":"{long}.b.c"}}"#),
    ] {
        // All tokens so far are refused, which is how this one comes to be asked for.
        gateway.expire_tokens().await;
        gateway.fault(json!({ "path": "/oauth/token", "fault": { "body": body } })).await;
        let response = gateway.query(USERS).await;
        let shown = &body[..body.len().min(80)];
        let is_survived = response["data"]["users"]["page"] == 0
            || ["UPSTREAM_UNAVAILABLE", "UPSTREAM_MISCONFIGURED"].contains(&codes(&response)[0]);
        assert!(is_survived, "{shown}: {response}");
        later(FAILURE_IS_FORGOTTEN).await;
        let response = gateway.query(USERS).await;
        assert_eq!(response, json!({ "data": { "users": { "page": 0 } } }), "after {shown}");
    }
}

/// A log that is kept in memory.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Written {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn neither_token_nor_secret_is_ever_shown() {
    let log = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // A process's only subscriber is asked by the thread that first comes by an event whether anybody wants it, and for the
    // threads of other tests nobody does. When there are two, all are asked.
    let _other = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    // The test's runtime has this one thread.
    let _logging = tracing::subscriber::set_default(subscriber);

    let word = || format!("{:032x}", fastrand::u128(..));
    let (token, secret) = (format!("eyJ{}.{}.{}", word(), word(), word()), word());
    let grant = json!({ "access_token": token, "expires_in": 86_400, "scope": "read:users" });
    let auth0 = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_body_json(grant)).mount(&auth0).await;
    // An answer of every kind, those included that repeat what they were sent.
    for (id, answer) in [
        ("200", ResponseTemplate::new(200).set_body_json(json!({ "name": "Ada" }))),
        (
            "400",
            ResponseTemplate::new(400)
                .set_body_json(json!({ "statusCode": 400, "message": format!("'{token}' is bad") })),
        ),
        ("401", ResponseTemplate::new(401).set_body_string(format!("Bearer {token}"))),
        (
            "403",
            ResponseTemplate::new(403)
                .set_body_json(json!({ "message": format!("Token {token} lacks any of: {token}") })),
        ),
        ("404", ResponseTemplate::new(404).set_body_string(token.clone())),
        ("429", ResponseTemplate::new(429).set_body_string(token.clone())),
        ("500", ResponseTemplate::new(500).set_body_string(token.clone())),
        ("501", ResponseTemplate::new(200).set_body_string(token.clone())),
    ] {
        Mock::given(path(format!("/api/v2/users/{id}"))).respond_with(answer).mount(&auth0).await;
    }
    let setup = Setup {
        upstream: Some(auth0.uri()),
        client: Some(Client { id: "gateway".to_owned(), secret: SecretString::from(secret.clone()) }),
        ..Setup::uncached()
    };
    let gateway = TestGateway::spawn_with(setup).await;
    let mut shown = String::new();
    for id in ["200", "400", "403", "404", "429", "500", "501", "401", "200"] {
        shown += &gateway
            .query(&format!("{{ user(id: \"{id}\") {{ name }} gateway {{ token {{ expiresAt scopes }} }} }}"))
            .await
            .to_string();
    }
    // And refusals of the grant itself, which repeat the secret.
    auth0.reset().await;
    for status in [400, 401, 403, 429, 503] {
        later(Duration::from_secs(86_400)).await;
        let refusal = json!({ "error": secret, "error_description": format!("{secret} is wrong") });
        let refusal = ResponseTemplate::new(status).set_body_json(refusal);
        Mock::given(method("POST")).respond_with(refusal).up_to_n_times(1).mount(&auth0).await;
        shown += &gateway.query(USERS).await.to_string();
    }

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(shown.contains("Ada") && shown.contains("UPSTREAM_MISCONFIGURED"), "{shown}");
    for expected in ["TRACE", "obtained an access token", "Auth0 refuses an access token", "Auth0 answered"] {
        assert!(log.contains(expected), "the log is not whole: {expected}");
    }
    for (what, hidden) in [("token", token.split('.').nth(1).unwrap()), ("secret", &secret)] {
        for (place, text) in [("answers", &shown), ("log", &log)] {
            let line = text.lines().find(|line| line.contains(hidden));
            assert_eq!(line, None, "the {what} is in the {place}");
        }
    }
}
