//! API keys.

use auth0_graphql::auth::{ApiKeys, Settings};
use serde_json::json;

use super::issuer::{self, TestIssuer};
use super::{Answer, gateway_with, hash_of, whoami, whoami_with};

const REPORTS: &str = "the key of the reports";
const SUPPORT: &str = "the key of the support desk";
const SHORT: &str = "nineteen characters";

fn api_keys() -> ApiKeys {
    let keys = [
        ("reports", REPORTS, "read:logs"),
        ("support", SUPPORT, "read:users read:logs read:user_idp_tokens"),
        ("short", SHORT, "read:logs"),
    ];
    let entries = keys.map(|(name, key, scopes)| format!("{name}:{}:{scopes}", hash_of(key)));
    ApiKeys::parse(&entries.join(",")).unwrap()
}

#[tokio::test]
async fn an_api_key_opens_what_it_was_made_for() {
    let gateway = gateway_with(Settings { api_keys: api_keys(), ..Settings::default() }).await;
    let with = |key: &str| Answer::to(whoami(&gateway).header("X-API-Key", key));
    assert_eq!(with(REPORTS).await.scopes(), ["read:logs"]);
    assert_eq!(with(SUPPORT).await.scopes(), ["read:users", "read:user_idp_tokens", "read:logs"]);
    let almost = format!("{REPORTS}.");
    for wrong in ["", "reports", &almost, &REPORTS[..REPORTS.len() - 1], &REPORTS.to_uppercase(), SHORT] {
        let answer = with(wrong).await;
        assert_eq!(answer.refusal(401, "UNAUTHENTICATED"), "The API key is not known.", "{wrong}");
        assert_eq!(answer.header("www-authenticate"), Some("ApiKey"));
    }
    // Neither the hash nor a token is a key.
    with(&hash_of(REPORTS)).await.refusal(401, "UNAUTHENTICATED");
    assert!(whoami_with(&gateway, REPORTS).await.refusal(401, "UNAUTHENTICATED").contains("API keys"));
    assert!(Answer::to(whoami(&gateway)).await.refusal(401, "UNAUTHENTICATED").contains("X-API-Key"));
}

#[tokio::test]
async fn tokens_and_api_keys_go_side_by_side() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    let settings = Settings { tokens: Some(issuer.settings()), api_keys: api_keys(), allow_anonymous: false };
    let gateway = gateway_with(settings).await;
    let token = key.token(&issuer.claims(&json!({ "scope": "read:users" })));
    assert_eq!(whoami_with(&gateway, &token).await.scopes(), ["read:users"]);
    assert_eq!(Answer::to(whoami(&gateway).header("X-API-Key", REPORTS)).await.scopes(), ["read:logs"]);
    let answer = Answer::to(whoami(&gateway).header("X-API-Key", "the key of nobody at all")).await;
    answer.refusal(401, "UNAUTHENTICATED");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "it is no token that is wrong");
}
