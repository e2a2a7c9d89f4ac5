//! The data that each caller may see: what their scopes say, by whatever way they ask.

mod own_user;
mod searches;
mod the_gateway;

use auth0_graphql::graphql::{Permissions, ScopeMode};
use auth0_graphql::sandbox::{Options, TokenRequest};
use futures_util::future::join_all;
use indexmap::IndexSet;
use serde_json::{Value, json};

use crate::gateway::{Call, Setup, TestGateway, codes};

pub(crate) const USERS: &str = "read:users";
const APP_METADATA: &str = "read:users_app_metadata";
const TOKENS: &str = "read:user_idp_tokens";
const ORGANIZATIONS: &str = "read:organizations";
pub(crate) const LOGS: &str = "read:logs";

/// Root fields, with what each needs.
const ROOTS: [(&str, &str, &str); 6] = [
    ("users", "users(perPage: 1) { nodes { userId } }", USERS),
    ("user", "user(id: \"ID\") { userId }", USERS),
    ("usersByEmail", "usersByEmail(email: \"EMAIL\") { userId }", USERS),
    ("logs", "logs(take: 1) { nodes { type } }", LOGS),
    ("log", "log(id: \"LOG\") { type }", LOGS),
    ("searchLogs", "searchLogs(perPage: 1) { nodes { type } }", LOGS),
];

/// Guarded fields: where they stand, the path to them, and what they need beside what that needs.
const GUARDED: [(&str, &[&str], &str); 7] = [
    ("user(id: \"ID\") { userId FIELD }", &["user", "appMetadata"], APP_METADATA),
    ("users(perPage: 1) { nodes { userId FIELD } }", &["users", "nodes", "appMetadata"], APP_METADATA),
    ("usersByEmail(email: \"EMAIL\") { userId FIELD }", &["usersByEmail", "appMetadata"], APP_METADATA),
    ("user(id: \"ID\") { identities { provider FIELD } }", &["user", "identities", "accessToken"], TOKENS),
    ("user(id: \"ID\") { identities { provider FIELD } }", &["user", "identities", "accessTokenSecret"], TOKENS),
    ("user(id: \"ID\") { identities { provider FIELD } }", &["user", "identities", "refreshToken"], TOKENS),
    (
        "logs(take: 30) { nodes { type user { userId FIELD } } }",
        &["logs", "nodes", "user", "appMetadata"],
        APP_METADATA,
    ),
];

pub(crate) fn setup(scope_mode: ScopeMode) -> Setup {
    Setup {
        // Its tokens are judged by the time that it is.
        sandbox: Options::default(),
        takes_sandbox_tokens: true,
        permissions: Permissions { scope_mode, ..Permissions::default() },
        ..Setup::uncached()
    }
}

pub(crate) async fn gateway(scope_mode: ScopeMode) -> TestGateway {
    TestGateway::spawn_with(setup(scope_mode)).await
}

pub(crate) async fn token(gateway: &TestGateway, scopes: &[&str]) -> String {
    let request = TokenRequest { scope: scopes.join(" "), ..TokenRequest::default() };
    gateway.sandbox.user_token(&request).unwrap()
}

/// The calls to the tenant for callers, those for tokens included; those who verify theirs ask for its keys.
async fn upstream(gateway: &TestGateway) -> Vec<Call> {
    let mut calls = gateway.all_calls().await;
    calls.retain(|call| !call.path.starts_with("/.well-known/"));
    calls
}

/// The reads of the tenant for callers.
async fn reads(gateway: &TestGateway) -> Vec<Call> {
    let mut calls = gateway.all_calls().await;
    calls.retain(|call| call.path.starts_with("/api/v2/"));
    calls
}

/// An answer and what came with it.
pub(crate) struct Reply {
    status: u16,
    challenge: Option<String>,
    pub(crate) body: Value,
}

pub(crate) async fn ask(gateway: &TestGateway, token: &str, query: &str) -> Reply {
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": query }));
    let response = request.bearer_auth(token).send().await.unwrap();
    let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    Reply { status: response.status().as_u16(), challenge, body: response.json().await.unwrap() }
}

/// The ways to write one selection on the type `on`.
fn ways(selection: &str, on: &str) -> [String; 4] {
    [
        format!("{{ {selection} }}"),
        format!("{{ ... {{ {selection} }} }}"),
        format!("{{ ...F }} fragment F on {on} {{ {selection} }}"),
        format!(
            "query Q($yes: Boolean = true) {{ ...F @include(if: $yes) }} fragment F on {on} {{ ... on {on} {{ {selection} }} }}"
        ),
    ]
}

/// Puts a user and a log that are there into a query.
async fn filled(gateway: &TestGateway, query: &str) -> String {
    let log = ask(gateway, &token(gateway, &[LOGS]).await, "{ logs(take: 1) { nodes { logId } } }").await;
    let log = log.body["data"]["logs"]["nodes"][0]["logId"].as_str().unwrap().to_owned();
    let ada = &gateway.sandbox.people()[0];
    query.replace("ID", &ada.user_id).replace("EMAIL", &ada.email).replace("LOG", &log)
}

/// The scopes that errors name, and where, each once: of lists without the indices.
fn denials(body: &Value) -> Vec<(&str, String)> {
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let all: IndexSet<_> = errors
        .iter()
        .map(|error| {
            assert_eq!(error["extensions"]["code"], "FORBIDDEN", "{body}");
            let scope = error["extensions"]["scope"].as_str().unwrap();
            assert!(error["message"].as_str().unwrap().contains(&format!("`{scope}`")), "{body}");
            let path: Vec<_> = error["path"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            (scope, path.join("."))
        })
        .collect();
    all.into_iter().collect()
}

fn all_but(scope: &str) -> Vec<&'static str> {
    [USERS, APP_METADATA, TOKENS, LOGS, ORGANIZATIONS].into_iter().filter(|other| *other != scope).collect()
}

#[tokio::test]
async fn a_root_field_is_null_without_its_scope_and_not_asked_for() {
    let gateway = gateway(ScopeMode::Filter).await;
    for (field, selection, scope) in ROOTS {
        let selection = filled(&gateway, selection).await;
        let (with, without) = (token(&gateway, &[scope]).await, token(&gateway, &all_but(scope)).await);
        for (key, selection) in [(field, selection.clone()), ("other", format!("other: {selection}"))] {
            for query in ways(&selection, "Query") {
                gateway.forget_calls().await;
                let Reply { status, body, .. } = ask(&gateway, &without, &query).await;
                assert_eq!((status, &body["data"]), (200, &json!({ key: null })), "{query}");
                assert_eq!(denials(&body), [(scope, key.to_owned())], "{query}");
                assert_eq!(upstream(&gateway).await, [], "{query}");
                let Reply { body, .. } = ask(&gateway, &with, &query).await;
                assert_eq!(codes(&body), [""; 0], "{query}");
                assert!(!body["data"][key].is_null(), "{query}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn a_guarded_field_is_null_beside_its_siblings_and_not_asked_for() {
    let gateway = gateway(ScopeMode::Filter).await;
    for (root, path, scope) in GUARDED {
        let (field, above) = path.split_last().unwrap();
        let (with, without) = (token(&gateway, &[USERS, LOGS, scope]).await, token(&gateway, &all_but(scope)).await);
        let on = if scope == TOKENS { "Identity" } else { "User" };
        for (key, selection, fragment) in [
            (*field, (*field).to_owned(), String::new()),
            ("other", format!("other: {field}"), String::new()),
            (field, "... { ...G }".to_owned(), format!("fragment G on {on} {{ {field} }}")),
        ] {
            let query = format!("{{ {} }} {fragment}", root.replace("FIELD", &selection));
            let query = filled(&gateway, &query).await;
            gateway.forget_calls().await;
            let Reply { status, body, .. } = ask(&gateway, &without, &query).await;
            assert_eq!(status, 200, "{query}");
            let expected = [above, &[key]].concat().join(".");
            assert_eq!(denials(&body), [(scope, expected)], "{query}: {body}");
            assert!(!body["data"][above[0]].is_null(), "{query}: {body}");
            let calls = gateway.asked().await;
            assert!(!calls.is_empty() && calls.iter().all(|call| !call.contains("app_metadata")), "{calls:?}");
            let shown = body["data"].to_string();
            assert!(shown.contains(&format!("\"{key}\":null")) || path[0] == "logs", "{shown}");

            let Reply { body, .. } = ask(&gateway, &with, &query).await;
            assert_eq!(codes(&body), [""; 0], "{query}");
            let wanted = gateway.asked().await.iter().any(|call| call.contains("app_metadata"));
            assert_eq!(wanted, scope == APP_METADATA, "{query}");
        }
    }
}

#[tokio::test]
async fn the_users_of_logs_need_the_scope_of_users() {
    let gateway = gateway(ScopeMode::Filter).await;
    let token = token(&gateway, &[LOGS, APP_METADATA]).await;
    let query = "{ logs(take: 5) { nodes { type user { name } } } }";
    let Reply { body, .. } = ask(&gateway, &token, query).await;
    assert_eq!(denials(&body), [(USERS, "logs.nodes.user".to_owned())]);
    let logs = body["data"]["logs"]["nodes"].as_array().unwrap();
    assert!(logs.len() == 5 && logs.iter().all(|log| log["type"].is_string() && log["user"].is_null()), "{body}");
    assert_eq!(reads(&gateway).await.len(), 1, "users are not looked up");
}

#[tokio::test]
async fn an_operation_can_be_refused_as_a_whole_before_anything_runs() {
    let gateway = gateway(ScopeMode::Reject).await;
    let all = token(&gateway, &all_but("")).await;
    let roots = ROOTS.map(|(field, selection, scope)| (selection.to_owned(), scope, field.to_owned()));
    let guarded =
        GUARDED.map(|(root, path, scope)| (root.replace("FIELD", path.last().unwrap()), scope, path.join(".")));
    for (selection, scope, path) in roots.into_iter().chain(guarded) {
        let selection = filled(&gateway, &selection).await;
        let without = token(&gateway, &all_but(scope)).await;
        for query in ways(&format!("{selection} gateway {{ version }}"), "Query") {
            gateway.forget_calls().await;
            let Reply { status, challenge, body } = ask(&gateway, &without, &query).await;
            assert_eq!(status, 403, "{query}: {body}");
            assert_eq!(challenge, Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")));
            assert_eq!((body.get("data"), codes(&body)), (None, vec!["FORBIDDEN"]), "{query}");
            let extensions = &body["errors"][0]["extensions"];
            assert_eq!((&extensions["scopes"], &extensions["fields"]), (&json!([scope]), &json!([path])), "{query}");
            assert_eq!(upstream(&gateway).await, [], "{query}");
            assert_eq!(codes(&ask(&gateway, &all, &query).await.body), [""; 0], "{query}");
        }
    }
}

#[tokio::test]
async fn what_an_operation_leaves_out_is_not_held_against_it() {
    let gateway = gateway(ScopeMode::Reject).await;
    let logs = token(&gateway, &[LOGS]).await;
    let query = "query Q($all: Boolean = false) {
        logs(take: 1) { nodes { type user @include(if: $all) { name } } } users @skip(if: true) { total }
    }
    query Other { users { total } }";
    for (variables, status) in [(json!({}), 200), (json!({ "all": true }), 403)] {
        let request = gateway.http.post(format!("{}/graphql", gateway.url)).bearer_auth(&logs);
        let request = request.json(&json!({ "query": query, "operationName": "Q", "variables": variables }));
        assert_eq!(request.send().await.unwrap().status(), status, "{variables}");
    }
}

#[tokio::test]
async fn callers_who_ask_the_same_at_once_are_shown_what_is_theirs() {
    let gateway = gateway(ScopeMode::Filter).await;
    let (all, some) = (token(&gateway, &all_but("")).await, token(&gateway, &[USERS]).await);
    let query = filled(
        &gateway,
        "{ user(id: \"ID\") { name appMetadata identities { accessToken } attributes }
           users(perPage: 3) { nodes { userId appMetadata identities { accessToken } attributes } } }",
    )
    .await;
    let alone = ask(&gateway, &all, &query).await.body;
    assert_eq!(codes(&alone), [""; 0]);
    assert!(alone.to_string().contains("plan") && alone["data"]["user"]["identities"][1]["accessToken"].is_string());
    gateway.forget_calls().await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 20, "fault": { "slow": 500 } })).await;
    let askers = (0..20).map(|place| {
        let (gateway, query, token) = (&gateway, &query, if place % 2 == 0 { &all } else { &some });
        async move { ask(gateway, token, query).await.body }
    });
    for (place, body) in join_all(askers).await.into_iter().enumerate() {
        if place % 2 == 0 {
            assert_eq!(body["data"], alone["data"]);
        } else {
            assert_eq!(body["data"]["user"]["name"], alone["data"]["user"]["name"]);
            assert_eq!(denials(&body).len(), 4, "{body}");
            let secret = alone["data"]["user"]["identities"][1]["accessToken"].as_str().unwrap();
            assert!(!body.to_string().contains(secret) && !body.to_string().contains("plan"), "{body}");
        }
    }
    assert!(reads(&gateway).await.len() < 20, "calls are shared all the same");
}

#[tokio::test]
async fn what_is_kept_of_one_caller_s_search_is_not_shown_to_another() {
    let gateway = TestGateway::spawn_with(Setup {
        policy: auth0_graphql::auth0::ClientPolicy {
            cache_ttl: std::time::Duration::from_secs(3600),
            ..Default::default()
        },
        ..setup(ScopeMode::Filter)
    })
    .await;
    let (all, some) = (token(&gateway, &all_but("")).await, token(&gateway, &[USERS]).await);
    // The tokens come with the identities, so that both ask the same of Auth0.
    let query = "{ users(perPage: 3) { nodes { identities { provider accessToken } } } }";
    let seen = ask(&gateway, &all, query).await.body;
    let shown = seen["data"].to_string();
    assert!(shown.contains("\"accessToken\":\""), "{seen}");
    let body = ask(&gateway, &some, query).await.body;
    assert_eq!(reads(&gateway).await.len(), 1);
    assert_eq!(denials(&body), [(TOKENS, "users.nodes.identities.accessToken".to_owned())]);
    assert!(!body.to_string().contains("\"accessToken\":\""), "{body}");
    assert_eq!(body.to_string().matches("provider").count(), shown.matches("provider").count());
}

#[tokio::test]
async fn attributes_leave_with_auth0_what_the_caller_may_not_see() {
    let gateway = gateway(ScopeMode::Filter).await;
    let roots = [
        "user(id: \"ID\") { FIELDS }",
        "users(perPage: 3) { nodes { FIELDS } }",
        "usersByEmail(email: \"EMAIL\") { FIELDS }",
        "logs(take: 30) { nodes { user { FIELDS } } }",
    ];
    let with = |scopes: &[&'static str]| [&[USERS, LOGS], scopes].concat();
    for (scopes, fields, left_out) in [
        (with(&[APP_METADATA, TOKENS]), "attributes", None),
        (with(&[TOKENS]), "attributes", Some("app_metadata")),
        (with(&[TOKENS]), "appMetadata other: attributes", Some("app_metadata")),
        (with(&[APP_METADATA]), "attributes name", Some("identities")),
        // They are wanted without their tokens, which cannot be said to Auth0.
        (with(&[APP_METADATA]), "attributes identities { provider }", None),
        (with(&[]), "attributes", Some("app_metadata,identities")),
    ] {
        let token = token(&gateway, &scopes).await;
        for root in roots {
            let query = filled(&gateway, &format!("{{ {} }}", root.replace("FIELDS", fields))).await;
            gateway.forget_calls().await;
            let Reply { body, .. } = ask(&gateway, &token, &query).await;
            assert!(body["data"].to_string().contains("\":{"), "{query}: {body}");
            let asked = gateway.asked().await;
            let of_users: Vec<_> = asked.iter().filter(|target| target.starts_with("/api/v2/users")).collect();
            assert!(!of_users.is_empty(), "{query}");
            for target in of_users {
                let told = left_out.map(|keys| format!("fields={keys}&include_fields=false"));
                assert_eq!(target.split_once("fields=").map(|(_, keys)| format!("fields={keys}")), told, "{query}");
            }
        }
    }
}

#[tokio::test]
async fn attributes_hold_a_misshapen_value_only_for_who_may_see_all_of_it() {
    let gateway = gateway(ScopeMode::Filter).await;
    let (all, some) = (token(&gateway, &all_but("")).await, token(&gateway, &[USERS, APP_METADATA]).await);
    let query = "{ user(id: \"auth0|1\") { identities { provider } attributes } }";
    let identities = json!({ "provider": "p", "access_token": "guarded" });
    let body = json!({ "user_id": "auth0|1", "app_metadata": "guarded", "shoe_size": 43, "identities": identities });
    gateway.fault(json!({ "path": "/api/v2/users/", "times": 2, "fault": { "body": body.to_string() } })).await;
    let seen = ask(&gateway, &all, query).await.body;
    assert_eq!(seen["data"]["user"]["attributes"], json!({ "shoe_size": 43, "identities": identities }));
    let seen = ask(&gateway, &some, query).await.body;
    assert_eq!(seen["data"]["user"], json!({ "identities": null, "attributes": { "shoe_size": 43 } }));
}

#[tokio::test]
async fn the_schema_s_own_directive_is_none_for_operations() {
    let gateway = gateway(ScopeMode::Filter).await;
    let response = gateway.query("{ users @requiresScope(scope: \"read:logs\") { page } }").await;
    assert_eq!(codes(&response), ["GRAPHQL_VALIDATION_FAILED"]);
}
