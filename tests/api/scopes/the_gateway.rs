//! The scopes of the gateway itself, and what it says of who may ask.

use auth0_graphql::graphql::ScopeMode;
use auth0_graphql::sandbox::Client;
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{APP_METADATA, LOGS, TOKENS, USERS, ask, codes, setup, token};
use crate::gateway::{Setup, TestGateway};

/// A gateway to a stand-in for Auth0 that grants what `grant` says and has one user.
async fn in_front_of(grant: Value) -> (TestGateway, MockServer) {
    let auth0 = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_body_json(grant)).mount(&auth0).await;
    let user = json!({ "user_id": "auth0|1", "name": "Ada", "app_metadata": {}, "identities": [{ "provider": "p" }] });
    Mock::given(path("/api/v2/users/auth0%7C1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(user))
        .mount(&auth0)
        .await;
    let refusal = json!({ "statusCode": 403, "message": "Insufficient scope, expected any of: read:logs", "errorCode": "insufficient_scope" });
    Mock::given(path("/api/v2/logs"))
        .respond_with(ResponseTemplate::new(403).set_body_json(refusal))
        .mount(&auth0)
        .await;
    let client = Client { id: "gateway".to_owned(), secret: SecretString::from("secret") };
    let setup = Setup { upstream: Some(auth0.uri()), client: Some(client), ..setup(ScopeMode::Filter) };
    (TestGateway::spawn_with(setup).await, auth0)
}

async fn calls(auth0: &MockServer) -> usize {
    auth0.received_requests().await.unwrap().iter().filter(|request| request.url.path() != "/oauth/token").count()
}

#[tokio::test]
async fn a_scope_that_the_gateway_lacks_is_named_before_a_call_is_wasted() {
    let jwt = format!(
        "e30.{}.x",
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, "{\"scope\":\"read:users\"}")
    );
    for grant in [json!({ "access_token": "opaque", "scope": "read:users" }), json!({ "access_token": jwt })] {
        let (gateway, auth0) = in_front_of(grant).await;
        let all = token(&gateway, &[USERS, LOGS, TOKENS, APP_METADATA]).await;
        let missing = |body: &Value, scope: &str| {
            assert_eq!(codes(body), ["UPSTREAM_MISCONFIGURED"], "{body}");
            assert_eq!(body["errors"][0]["extensions"]["missingScopes"], json!([scope]));
            assert!(body["errors"][0]["message"].as_str().unwrap().contains(scope), "{body}");
        };
        // The first call brings the token; Auth0 just leaves out what it guards, which is not the same as there being none.
        let query = "{ user(id: \"auth0|1\") { name appMetadata identities { provider accessToken } } }";
        for _ in 0..2 {
            let body = ask(&gateway, &all, query).await.body;
            missing(&body, TOKENS);
            assert_eq!(body["errors"][0]["path"], json!(["user", "identities", 0, "accessToken"]));
            let user =
                json!({ "name": "Ada", "appMetadata": {}, "identities": [{ "provider": "p", "accessToken": null }] });
            assert_eq!(body["data"]["user"], user);
        }
        let before = calls(&auth0).await;
        missing(&ask(&gateway, &all, "{ logs { next } }").await.body, LOGS);
        assert_eq!(calls(&auth0).await, before);

        let body = ask(&gateway, &all, "{ gateway { token { scopes missingScopes } } }").await.body;
        let told = &body["data"]["gateway"]["token"];
        assert_eq!(told["scopes"], json!([USERS]));
        let missing = told["missingScopes"].as_array().unwrap();
        assert_eq!(missing[..3], [APP_METADATA, TOKENS, LOGS]);
        // All others are those of users' lists.
        assert_eq!(missing.len(), 9, "{told}");
    }
}

#[tokio::test]
async fn the_scope_of_tokens_reads_users_but_not_by_their_address() {
    let gateway = TestGateway::spawn_with_scopes(&[TOKENS]).await;
    let user = gateway.data("{ users(perPage: 1) { nodes { email } } }").await;
    let email = user["users"]["nodes"][0]["email"].as_str().unwrap();
    gateway.forget_calls().await;
    let answer = gateway.query(&format!("{{ usersByEmail(email: \"{email}\") {{ name }} }}")).await;
    assert_eq!(codes(&answer), ["UPSTREAM_MISCONFIGURED"], "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["missingScopes"], json!([USERS]));
    assert_eq!(gateway.all_calls().await, [], "it is known before a call is wasted");
}

#[tokio::test]
async fn where_auth0_does_not_tell_what_it_granted_nothing_is_prejudged() {
    let (gateway, auth0) = in_front_of(json!({ "access_token": "opaque" })).await;
    let all = token(&gateway, &[USERS, LOGS, TOKENS]).await;
    let query = "{ user(id: \"auth0|1\") { identities { accessToken } } }";
    for _ in 0..2 {
        let body = ask(&gateway, &all, query).await.body;
        assert_eq!(body["data"]["user"]["identities"], json!([{ "accessToken": null }]));
        assert_eq!(codes(&body), [""; 0]);
    }
    let before = calls(&auth0).await;
    let body = ask(&gateway, &all, "{ logs { next } gateway { token { missingScopes } } }").await.body;
    assert_eq!(codes(&body), ["UPSTREAM_MISCONFIGURED"]);
    assert_eq!(body["errors"][0]["extensions"]["missingScopes"], json!([LOGS]));
    assert_eq!(body["data"]["gateway"]["token"]["missingScopes"], Value::Null);
    assert_eq!(calls(&auth0).await, before + 1);
}

#[tokio::test]
async fn the_gateway_says_who_is_let_in_and_what_they_may_see() {
    let gateway = super::gateway(ScopeMode::Reject).await;
    let query = "{ gateway { caller scopes scopeMode selfAccess anonymousAccess warnings } }";
    let token = token(&gateway, &[LOGS]).await;
    let told = &ask(&gateway, &token, query).await.body["data"]["gateway"];
    assert_eq!((&told["caller"], &told["scopes"]), (&json!("TOKEN"), &json!([LOGS])));
    assert_eq!((&told["scopeMode"], &told["selfAccess"]), (&json!("REJECT"), &json!(false)));
    let told = &gateway.data(query).await["gateway"];
    assert_eq!((&told["caller"], &told["anonymousAccess"]), (&json!("ANONYMOUS"), &json!(true)));
    let warnings = told["warnings"].to_string();
    assert!(warnings.contains("ANONYMOUS ACCESS") && warnings.contains(APP_METADATA), "{warnings}");
    assert!(!warnings.contains(TOKENS), "{warnings}");
}
