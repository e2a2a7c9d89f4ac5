//! The audit trail: a line for each operation, which tells who asked for what, and never a value.

use auth0_graphql::graphql::{DocumentSettings, Permissions, ScopeMode};
use auth0_graphql::sandbox::{Options, TokenRequest};
use serde_json::{Value, json};

use crate::authentication::hash_of;
use crate::captured_log::CapturedLog;
use crate::gateway::{Setup, TestGateway};

const EMAIL: &str = "canary.bird@example.com";
const SECRET: &str = "canary-secret-9f2c";

/// The lines of the trail since the last time.
pub(crate) fn trail(log: &CapturedLog) -> Vec<Value> {
    let text = log.take();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["target"] == "auth0_graphql::audit").map(|mut line| line["fields"].take()).collect()
}

/// Logs into memory while the guards live. The test's runtime has one thread.
pub(crate) fn logging(level: tracing::Level) -> (CapturedLog, impl Sized) {
    let log = CapturedLog::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(level).json().with_writer(log.clone()).finish();
    // With two subscribers in the process all are asked whether anybody wants an event; a single one is asked once, in
    // whatever test comes by first.
    let other = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    (log, (tracing::subscriber::set_default(subscriber), other))
}

async fn gateway(scope_mode: ScopeMode) -> TestGateway {
    TestGateway::spawn_with(Setup {
        sandbox: Options::default(),
        takes_sandbox_tokens: true,
        permissions: Permissions { scope_mode, self_access: true },
        ..Setup::uncached()
    })
    .await
}

async fn token(gateway: &TestGateway, sub: &str, scope: &str) -> String {
    let request = TokenRequest { scope: scope.to_owned(), sub: Some(sub.to_owned()), ..TokenRequest::default() };
    gateway.sandbox.user_token(&request).unwrap()
}

async fn ask(gateway: &TestGateway, token: &str, request: Value) {
    let post = gateway.http.post(format!("{}/graphql", gateway.url)).header("X-Request-Id", "the-id");
    let post = if token.is_empty() { post } else { post.bearer_auth(token) };
    post.json(&request).send().await.unwrap();
}

/// The one line of an operation.
async fn line_of(log: &CapturedLog, gateway: &TestGateway, token: &str, request: Value) -> Value {
    trail(log);
    ask(gateway, token, request.clone()).await;
    let [mut line]: [Value; 1] = trail(log).try_into().unwrap_or_else(|lines| panic!("{request}: {lines:?}"));
    assert_eq!(line["request_id"], "the-id", "{line}");
    let duration = line.as_object_mut().unwrap().remove("duration_ms");
    assert!(duration.is_some_and(|milliseconds| milliseconds.is_u64()), "{line}");
    line
}

#[tokio::test]
async fn the_entities_that_a_federation_gateway_asks_for_are_named() {
    let (log, _guards) = logging(tracing::Level::INFO);
    let documents = DocumentSettings { federation: true, ..DocumentSettings::default() };
    let gateway = TestGateway::spawn_with(Setup { documents, ..Setup::uncached() }).await;
    let asked = json!([
        { "__typename": "User", "id": "auth0|1", "email": "ada@example.com" },
        { "__typename": "User", "id": "email|ada@example.com" },
        { "__typename": "Role", "id": "rol_1" },
    ]);
    let query = "query Q($r: [_Any!]!) { _entities(representations: $r) { __typename } }";
    let line = line_of(&log, &gateway, "", json!({ "query": query, "variables": { "r": asked } })).await;
    assert_eq!(line["fields"], "_entities", "{line}");
    let ids = line["ids"].as_str().unwrap();
    assert!(ids.starts_with("auth0|1,sha256:") && !ids.contains("ada"), "{line}");
}

#[tokio::test]
async fn an_operation_is_one_line_however_it_ends() {
    let (log, _guards) = logging(tracing::Level::INFO);
    let gateway = gateway(ScopeMode::Filter).await;
    let ada = gateway.sandbox.people()[0].user_id.clone();
    let users = token(&gateway, "auth0|caller", "read:users").await;
    let query = "query Support($id: ID!) { who: user(id: $id) { name appMetadata } again: user(id: $id) { email } gateway { version } }
                 query Other { logs { next } }";
    let request = json!({ "query": query, "operationName": "Support", "variables": { "id": ada } });
    let line = line_of(&log, &gateway, &users, request).await;
    let expected = json!({
        "message": "operation answered with errors",
        "outcome": "answered with errors",
        "caller.kind": "token",
        "caller.sub": "auth0|caller",
        "operation": "Support",
        "document": hash_of(query),
        "fields": "gateway,user",
        "ids": format!("{ada},{ada}"),
        "scopes.used": "read:users",
        "scopes.denied": "read:users_app_metadata",
        "errors": "FORBIDDEN",
        "upstream_calls": 1,
        "request_id": "the-id",
    });
    assert_eq!(line, expected);

    for (query, outcome, errors, fields, calls) in [
        ("{ users(perPage: 1) { page } me { name } }", "answered", "", "me,users", 2),
        ("{ users(perPage: 0) { page } }", "answered with errors", "BAD_USER_INPUT", "users", 0),
        ("{ nothing }", "refused", "GRAPHQL_VALIDATION_FAILED", "", 0),
        ("{ users {", "refused", "GRAPHQL_PARSE_FAILED", "", 0),
        ("{ gateway { version } }", "answered", "", "gateway", 0),
        ("{ __typename }", "answered", "", "__typename", 0),
    ] {
        let line = line_of(&log, &gateway, &users, json!({ "query": query })).await;
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        assert_eq!((text("outcome"), text("errors")), (outcome.to_owned(), errors.to_owned()), "{query}: {line}");
        assert_eq!((text("fields"), &line["upstream_calls"]), (fields.to_owned(), &json!(calls)), "{query}: {line}");
    }
    // A persisted document is known by the hash that it goes by.
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash_of(query) } });
    let request = json!({ "query": query, "operationName": "Other", "extensions": extensions });
    assert_eq!(line_of(&log, &gateway, &users, request).await["document"], hash_of(query));
    let line = line_of(
        &log,
        &gateway,
        "",
        json!({ "query": "{ logs(from: \"90020261102000000000000000000000000000\") { next } }" }),
    )
    .await;
    assert_eq!((&line["caller.kind"], &line["caller.sub"]), (&json!("anonymous"), &Value::Null));
    assert_eq!(line["ids"], "90020261102000000000000000000000000000");
}

#[tokio::test]
async fn what_was_refused_for_want_of_a_scope_is_in_the_trail() {
    let (log, _guards) = logging(tracing::Level::INFO);
    let gateway = gateway(ScopeMode::Reject).await;
    let logs = token(&gateway, "an-application@clients", "read:logs").await;
    let request = json!({ "query": "{ logs { nodes { user { name } } } }" });
    let line = line_of(&log, &gateway, &logs, request).await;
    assert_eq!((&line["outcome"], &line["errors"]), (&json!("refused"), &json!("FORBIDDEN")));
    assert_eq!((&line["scopes.used"], &line["scopes.denied"]), (&json!("read:logs"), &json!("read:users")));
    assert_eq!(line["caller.sub"], "an-application@clients");
}

#[tokio::test]
async fn who_hangs_up_is_in_the_trail() {
    let (log, _guards) = logging(tracing::Level::INFO);
    let gateway = gateway(ScopeMode::Filter).await;
    gateway.data("{ users(perPage: 1) { page } }").await;
    gateway.forget_calls().await;
    trail(&log);
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "slow": 60_000 } })).await;
    let request = gateway.http.post(format!("{}/graphql", gateway.url));
    let leaving = tokio::spawn(request.json(&json!({ "query": "query Left { users { total } }" })).send());
    while gateway.calls().await.is_empty() {}
    leaving.abort();
    let line = loop {
        if let Some(line) = trail(&log).pop() {
            break line;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((&line["outcome"], &line["operation"]), (&json!("abandoned"), &json!("Left")), "{line}");
}

#[tokio::test]
async fn no_value_is_in_the_trail_and_no_address_in_the_log() {
    let (log, _guards) = logging(tracing::Level::DEBUG);
    let gateway = gateway(ScopeMode::Filter).await;
    let sub = format!("samlp|corp|{EMAIL}");
    let token = token(&gateway, &sub, "read:users read:users_app_metadata read:logs").await;
    let mut lines = 0;
    for request in [
        json!({ "query": format!("{{ usersByEmail(email: {EMAIL:?}) {{ name }} }}") }),
        json!({ "query": format!("{{ users(q: \"email:{EMAIL} OR app_metadata.key:{SECRET}\") {{ nodes {{ name }} }} }}") }),
        json!({ "query": format!("{{ searchLogs(q: \"user_name:{EMAIL}\") {{ nodes {{ type }} }} }}") }),
        json!({ "query": format!("{{ user(id: {EMAIL:?}) {{ name }} log(id: {SECRET:?}) {{ type }} }}") }),
        json!({ "query": format!("{{ user(id: {sub:?}) {{ name }} logs(from: {EMAIL:?}) {{ next }} }}") }),
        json!({ "query": format!("{{ user(id: \"{EMAIL}/..\") {{ name }} }}") }),
        json!({ "query": format!("{{ nothing(at: {EMAIL:?}) }} # {SECRET}") }),
        json!({ "query": format!("{{ users(q: {EMAIL:?}") }),
        json!({ "query": "query Q($q: String) { users(q: $q) { page } }", "variables": { "q": [EMAIL, SECRET] } }),
        json!({ "query": "{ me { name } }", "operationName": EMAIL }),
        json!({ "documentId": EMAIL }),
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": EMAIL } } }),
        json!({ "query": "{ me { name } }" }),
    ] {
        ask(&gateway, &token, request).await;
        lines += 1;
    }
    let text = log.text();
    assert_eq!(text.matches(&format!("\"caller.sub\":\"sha256:{}\"", &hash_of(&sub)[..16])).count(), lines);
    for canary in [EMAIL, SECRET, "canary"] {
        let line = text.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary}");
    }
}
