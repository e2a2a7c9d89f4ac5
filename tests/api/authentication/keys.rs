//! The issuer's keys: rotated, asked for too often, not to be had.

use std::net::TcpListener;
use std::time::Duration;

use auth0_graphql::auth::{SecureUrl, Settings};
use futures_util::future::join_all;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::issuer::{self, TestIssuer};
use super::{Answer, gateway_of, gateway_with, whoami, whoami_with};
use crate::gateway::{Setup, TestGateway};
use crate::metrics::refused;

/// A token that names a key which the issuer does not have.
fn forged(key: &issuer::Key, issuer: &TestIssuer, number: usize) -> String {
    key.token_with(&json!({ "kid": format!("forged {number}") }), &issuer.claims(&json!({})))
}

#[tokio::test]
async fn forged_keys_make_a_few_fetches_however_many_they_are() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    let gateway = gateway_of(&issuer).await;
    let good = key.token(&issuer.claims(&json!({})));
    assert_eq!(whoami_with(&gateway, &good).await.status, 200);
    assert_eq!(issuer.fetches().await, 1);

    for _round in 0..2 {
        let forged = (0..100).map(|number| forged(&key, &issuer, number));
        let answers = join_all(forged.map(async |token| whoami_with(&gateway, &token).await)).await;
        for answer in answers.iter().filter(|answer| answer.status != 503) {
            assert!(answer.refusal(401, "UNAUTHENTICATED").contains("does not have"));
        }
    }
    // One at the start, and three for the sake of keys that are not there.
    for number in 0..3 {
        whoami_with(&gateway, &forged(&key, &issuer, number)).await;
    }
    assert_eq!(issuer.fetches().await, 4);
    assert_eq!(whoami_with(&gateway, &key.token(&issuer.claims(&json!({ "jti": "new" })))).await.status, 200);
    assert_eq!(issuer.fetches().await, 4);
}

#[tokio::test]
async fn a_forged_key_does_not_keep_out_the_next_one_that_the_issuer_signs_with() {
    let (old, new) = (issuer::ed("old"), issuer::ed("new"));
    let issuer = TestIssuer::start(vec![old.public()]).await;
    let gateway = gateway_of(&issuer).await;
    assert_eq!(whoami_with(&gateway, &old.token(&issuer.claims(&json!({})))).await.status, 200);
    whoami_with(&gateway, &forged(&old, &issuer, 0)).await.refusal(401, "UNAUTHENTICATED");
    issuer.rotate(&[new.public(), old.public()]);
    assert_eq!(whoami_with(&gateway, &new.token(&issuer.claims(&json!({})))).await.status, 200);
}

#[tokio::test]
async fn a_key_that_cannot_be_asked_for_yet_is_no_fault_of_the_caller_s() {
    let (old, new) = (issuer::ed("old"), issuer::ed("new"));
    let issuer = TestIssuer::start(vec![old.public()]).await;
    let gateway = gateway_of(&issuer).await;
    assert_eq!(whoami_with(&gateway, &old.token(&issuer.claims(&json!({})))).await.status, 200);
    for number in 0..3 {
        whoami_with(&gateway, &forged(&old, &issuer, number)).await.refusal(401, "UNAUTHENTICATED");
    }
    issuer.rotate(&[new.public(), old.public()]);
    let answer = whoami_with(&gateway, &new.token(&issuer.claims(&json!({})))).await;
    assert!(answer.refusal(503, "UPSTREAM_UNAVAILABLE").contains("Try again"));
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&seconds), "{seconds}");
    assert!(answer.header("www-authenticate").is_none());
    assert_eq!(whoami_with(&gateway, &old.token(&issuer.claims(&json!({ "jti": 1 })))).await.status, 200);
}

#[tokio::test]
async fn tokens_of_a_key_that_was_withdrawn_are_forgotten_when_the_keys_change() {
    let (old, new) = (issuer::ed("old"), issuer::ed("new"));
    let issuer = TestIssuer::start(vec![old.public()]).await;
    let gateway = gateway_of(&issuer).await;
    let token = old.token(&issuer.claims(&json!({})));
    for _twice in 0..2 {
        assert_eq!(whoami_with(&gateway, &token).await.status, 200);
    }
    issuer.rotate(&[new.public()]);
    assert_eq!(whoami_with(&gateway, &new.token(&issuer.claims(&json!({})))).await.status, 200);
    assert!(whoami_with(&gateway, &token).await.refusal(401, "UNAUTHENTICATED").contains("does not have"));
}

#[tokio::test]
async fn a_key_that_is_replaced_under_its_name_opens_nothing_more() {
    let (old, new) = (issuer::ed("same"), issuer::ed("same"));
    let issuer = TestIssuer::start(vec![old.public()]).await;
    let gateway = gateway_of(&issuer).await;
    let token = old.token(&issuer.claims(&json!({})));
    assert_eq!(whoami_with(&gateway, &token).await.status, 200);
    issuer.rotate(&[new.public()]);
    whoami_with(&gateway, &forged(&new, &issuer, 0)).await.refusal(401, "UNAUTHENTICATED");
    assert!(whoami_with(&gateway, &token).await.refusal(401, "UNAUTHENTICATED").contains("signature"));
}

#[tokio::test]
async fn tokens_of_others_make_no_fetch() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    let gateway = gateway_of(&issuer).await;
    assert_eq!(whoami_with(&gateway, &key.token(&issuer.claims(&json!({})))).await.status, 200);
    for claims in [json!({ "iss": "https://example.com/" }), json!({ "exp": 1 }), json!({ "aud": "elsewhere" })] {
        let token = key.token_with(&json!({ "kid": "unknown" }), &issuer.claims(&claims));
        whoami_with(&gateway, &token).await.refusal(401, "UNAUTHENTICATED");
    }
    assert_eq!(issuer.fetches().await, 1);
}

#[tokio::test]
async fn first_callers_share_one_fetch() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    let gateway = gateway_of(&issuer).await;
    let tokens = (0..50).map(|number| key.token(&issuer.claims(&json!({ "jti": number }))));
    let answers = join_all(tokens.map(async |token| whoami_with(&gateway, &token).await.status)).await;
    assert_eq!(answers, [200; 50]);
    assert_eq!(issuer.fetches().await, 1);
}

#[tokio::test]
async fn keys_are_rotated_without_a_request_being_dropped() {
    let (old, new) = (issuer::ed("old"), issuer::ed("new"));
    let issuer = TestIssuer::start(vec![old.public()]).await;
    let gateway = gateway_of(&issuer).await;
    assert_eq!(whoami_with(&gateway, &old.token(&issuer.claims(&json!({})))).await.status, 200);

    // Auth0 shows the next key beside the one in use, and the one before it for a while.
    issuer.rotate(&[new.public(), old.public()]);
    let tokens = (0..100).map(|number| {
        let key = if number % 2 == 0 { &old } else { &new };
        key.token(&issuer.claims(&json!({ "jti": number })))
    });
    let answers = join_all(tokens.map(async |token| whoami_with(&gateway, &token).await.status)).await;
    assert_eq!(answers, [200; 100]);
    assert_eq!(issuer.fetches().await, 2);
}

#[tokio::test]
async fn old_keys_stay_while_new_ones_cannot_be_had() {
    let (old, new) = (issuer::ed("old"), issuer::ed("new"));
    let large = vec![b' '; 300_000];
    for failure in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(302).insert_header("Location", "/elsewhere"),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_json(json!({ "keys": [] })),
        ResponseTemplate::new(200).set_body_bytes(large),
    ] {
        let issuer = TestIssuer::start(vec![old.public()]).await;
        let gateway = gateway_of(&issuer).await;
        let token = |key: &issuer::Key, number| key.token(&issuer.claims(&json!({ "jti": number })));
        assert_eq!(whoami_with(&gateway, &token(&old, 1)).await.status, 200);
        issuer.answer_keys_with(failure);
        // It may be a key that was not fetched, so nothing is said against it.
        whoami_with(&gateway, &token(&new, 2)).await.refusal(503, "UPSTREAM_UNAVAILABLE");
        assert_eq!(whoami_with(&gateway, &token(&old, 3)).await.status, 200);
        whoami_with(&gateway, &token(&new, 4)).await.refusal(503, "UPSTREAM_UNAVAILABLE");
        assert_eq!(issuer.fetches().await, 2, "a failing issuer is left in peace for a while");
        assert!(!issuer.requests().await.contains(&"/elsewhere".to_owned()));
    }
}

#[tokio::test]
async fn a_gateway_starts_before_its_issuer_and_recovers_by_itself() {
    let key = issuer::ed("a");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let identifier = format!("http://{address}/");
    let settings = Settings { tokens: Some(issuer::settings(&identifier)), ..Settings::default() };
    let gateway = gateway_with(settings).await;
    let token = key.token(&issuer::claims(&identifier, &json!({ "scope": "read:logs" })));

    let answer = whoami_with(&gateway, &token).await;
    assert!(answer.refusal(503, "UPSTREAM_UNAVAILABLE").contains("Try again"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.body["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap() <= 1_000);
    assert!(!answer.text.contains(&address.to_string()), "{}", answer.text);
    // What can be judged without keys is.
    let expired = key.token(&issuer::claims(&identifier, &json!({ "exp": 1 })));
    whoami_with(&gateway, &expired).await.refusal(401, "UNAUTHENTICATED");
    Answer::to(whoami(&gateway)).await.refusal(401, "UNAUTHENTICATED");

    let issuer = TestIssuer::start_at(TcpListener::bind(address).unwrap(), vec![key.public()]).await;
    let mut answer = whoami_with(&gateway, &token).await;
    for _attempt in 0..100_000 {
        if answer.status == 200 {
            break;
        }
        answer.refusal(503, "UPSTREAM_UNAVAILABLE");
        answer = whoami_with(&gateway, &token).await;
    }
    assert_eq!(answer.scopes(), ["read:logs"]);
    assert_eq!(issuer.fetches().await, 1);
}

#[tokio::test]
async fn an_issuer_that_never_answers_is_not_waited_for_forever() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![]).await;
    issuer.answer_keys_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(3_600)));
    // The request itself has more time than the test's client waits.
    let mut setup = Setup::default();
    setup.http.request_timeout = Duration::from_secs(120);
    setup.http.metrics = true;
    setup.auth = Settings { tokens: Some(issuer.settings()), ..Settings::default() };
    let gateway = TestGateway::spawn_with(setup).await;
    whoami_with(&gateway, &key.token(&issuer.claims(&json!({})))).await.refusal(503, "UPSTREAM_UNAVAILABLE");
    assert_eq!(refused(&gateway.url, "no_keys").await, 1.0);
}

#[tokio::test]
async fn keys_of_a_provider_that_calls_itself_otherwise_are_not_taken() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    // The same provider by another name: its configuration does not say so.
    let name = issuer.settings().issuer.to_string().replace("127.0.0.1", "localhost");
    let gateway = gateway_with(Settings { tokens: Some(issuer::settings(&name)), ..Settings::default() }).await;
    let token = key.token(&issuer::claims(&name, &json!({})));
    whoami_with(&gateway, &token).await.refusal(503, "UPSTREAM_UNAVAILABLE");
    assert_eq!(issuer.fetches().await, 0);
}

#[tokio::test]
async fn keys_can_be_had_without_discovery() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    let address = SecureUrl::parse(&format!("{}keys", issuer.settings().issuer)).unwrap();
    let mut tokens = issuer::settings("https://issuer.example/");
    tokens.keys = Some(address);
    let gateway = gateway_with(Settings { tokens: Some(tokens), ..Settings::default() }).await;
    let token = key.token(&issuer::claims("https://issuer.example/", &json!({})));
    assert_eq!(whoami_with(&gateway, &token).await.status, 200);
    assert_eq!(issuer.requests().await, ["/keys"]);
}
