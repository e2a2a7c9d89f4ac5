//! `me`: one's own user.

use auth0_graphql::auth::{ApiKeys, Settings};
use auth0_graphql::graphql::{Permissions, ScopeMode};
use auth0_graphql::sandbox::TokenRequest;
use serde_json::json;

use super::{APP_METADATA, Reply, TOKENS, USERS, ask, codes, denials, reads, setup, upstream};
use crate::authentication::hash_of;
use crate::gateway::{Setup, TestGateway};

const ME: &str = "{ me { userId name appMetadata identities { provider accessToken } } }";

async fn gateway(scope_mode: ScopeMode, self_access: bool) -> TestGateway {
    let permissions = Permissions { scope_mode, self_access };
    TestGateway::spawn_with(Setup { permissions, ..setup(scope_mode) }).await
}

async fn token_of(gateway: &TestGateway, sub: &str, scopes: &[&str]) -> String {
    let request = TokenRequest { scope: scopes.join(" "), sub: Some(sub.to_owned()), ..TokenRequest::default() };
    gateway.sandbox.user_token(&request).unwrap()
}

#[tokio::test]
async fn one_s_own_user_needs_no_scope_where_that_is_allowed() {
    for scope_mode in [ScopeMode::Filter, ScopeMode::Reject] {
        let gateway = gateway(scope_mode, true).await;
        let ada = gateway.sandbox.people()[0].clone();
        let bare = token_of(&gateway, &ada.user_id, &[]).await;
        let Reply { status, body, .. } = ask(&gateway, &bare, "{ me { userId name } }").await;
        assert_eq!((status, &body), (200, &json!({ "data": { "me": { "userId": ada.user_id, "name": ada.name } } })));
        let [call] = reads(&gateway).await.try_into().unwrap();
        assert_eq!(call.path, format!("/api/v2/users/{}", ada.user_id.replace('|', "%7C")));

        // Nobody else's, and not what is guarded beyond.
        let other = &gateway.sandbox.people()[1].user_id;
        let body = ask(&gateway, &bare, &format!("{{ user(id: {other:?}) {{ name }} }}")).await.body;
        assert_eq!(codes(&body), ["FORBIDDEN"]);
        let Reply { status, body, .. } = ask(&gateway, &bare, ME).await;
        match scope_mode {
            ScopeMode::Reject => {
                assert_eq!(status, 403);
                assert_eq!(body["errors"][0]["extensions"]["scopes"], json!([APP_METADATA, TOKENS]));
            }
            ScopeMode::Filter => {
                let denied = [(APP_METADATA, "me.appMetadata"), (TOKENS, "me.identities.accessToken")];
                assert_eq!(denials(&body), denied.map(|(scope, path)| (scope, path.to_owned())));
                assert_eq!(body["data"]["me"]["name"], ada.name);
                assert!(reads(&gateway).await.iter().all(|call| !call.target().contains("app_metadata")));
            }
        }
        let guarded = token_of(&gateway, &ada.user_id, &[APP_METADATA, TOKENS]).await;
        let body = ask(&gateway, &guarded, ME).await.body;
        assert!(body["data"]["me"]["appMetadata"].is_object() && codes(&body).is_empty(), "{body}");
    }
}

#[tokio::test]
async fn where_it_is_not_one_s_own_user_needs_the_scope_of_users() {
    for (scope_mode, expected) in [(ScopeMode::Filter, 200), (ScopeMode::Reject, 403)] {
        let gateway = gateway(scope_mode, false).await;
        let ada = gateway.sandbox.people()[0].clone();
        let bare = token_of(&gateway, &ada.user_id, &[APP_METADATA]).await;
        let Reply { status, body, .. } = ask(&gateway, &bare, "{ me { name } }").await;
        assert_eq!((status, codes(&body)), (expected, vec!["FORBIDDEN"]), "{body}");
        assert!(body["errors"][0]["message"].as_str().unwrap().contains(USERS), "{body}");
        assert_eq!(upstream(&gateway).await, []);
        let users = token_of(&gateway, &ada.user_id, &[USERS]).await;
        assert_eq!(ask(&gateway, &users, "{ me { name } }").await.body["data"]["me"]["name"], ada.name);
    }
}

#[tokio::test]
async fn who_is_no_user_is_told_so() {
    let gateway = gateway(ScopeMode::Filter, true).await;
    let is_told = |body: &serde_json::Value, what: &str| {
        assert_eq!((codes(body), &body["data"]), (vec!["FORBIDDEN"], &json!({ "me": null })), "{body}");
        assert!(body["errors"][0]["message"].as_str().unwrap().contains(what), "{body}");
    };
    is_told(&gateway.query("{ me { name } }").await, "Authorization: Bearer");
    for sub in ["an-application@clients", "auth0|\u{1}"] {
        let token = token_of(&gateway, sub, &[USERS]).await;
        is_told(&ask(&gateway, &token, "{ me { name } }").await.body, "a client");
    }
    assert_eq!(upstream(&gateway).await, []);
    // It stays one segment of the path.
    let odd = token_of(&gateway, "auth0|../../logs", &[]).await;
    assert_eq!(ask(&gateway, &odd, "{ me { name } }").await.body, json!({ "data": { "me": null } }));
    let last = gateway.calls().await.pop().map(|call| call.path);
    assert_eq!(last.as_deref(), Some("/api/v2/users/auth0%7C..%2F..%2Flogs"));
    let gone = token_of(&gateway, "auth0|000000000000000000000000", &[]).await;
    assert_eq!(ask(&gateway, &gone, "{ me { name } }").await.body, json!({ "data": { "me": null } }));

    let key = "a key that is long enough";
    let api_keys = ApiKeys::parse(&format!("reports:{}:read:users", hash_of(key))).unwrap();
    let auth = Settings { api_keys, ..Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { auth, ..setup(ScopeMode::Filter) }).await;
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).header("X-API-Key", key);
    let response = request.json(&json!({ "query": "{ me { name } gateway { caller } }" })).send().await.unwrap();
    let mut body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["data"].as_object_mut().unwrap().remove("gateway"), Some(json!({ "caller": "API_KEY" })));
    is_told(&body, "API key");
}
