//! Tokens that somebody made who should not have.

use aws_lc_rs::hmac;
use reqwest::Method;
use serde_json::{Value, json};
use wiremock::MockServer;

use super::issuer::{self, Key, TestIssuer, encode, now, unsigned};
use super::{Answer, gateway_of, whoami_with};
use crate::gateway::TestGateway;

/// A gateway, its issuer and the issuer's key.
struct Setup {
    key: Key,
    issuer: TestIssuer,
    gateway: TestGateway,
}

impl Setup {
    async fn build() -> Self {
        Self::of(issuer::rsa("a")).await
    }

    async fn of(key: Key) -> Self {
        let issuer = TestIssuer::start(vec![key.public()]).await;
        let gateway = gateway_of(&issuer).await;
        let setup = Self { key, issuer, gateway };
        // What is refused below is refused for what is wrong with it.
        assert_eq!(whoami_with(&setup.gateway, &setup.token(&json!({}), &json!({}))).await.status, 200);
        setup
    }

    /// A token of the issuer's own, with some of its header and claims replaced.
    fn token(&self, header: &Value, claims: &Value) -> String {
        self.key.token_with(header, &self.issuer.claims(claims))
    }

    async fn refuses(&self, token: &str, because: &str) {
        let answer = whoami_with(&self.gateway, token).await;
        let message = answer.refusal(401, "UNAUTHENTICATED");
        assert!(message.contains(because), "{because:?} is not in {message:?}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(challenge, format!("Bearer error=\"invalid_token\", error_description=\"{message}\""));
        for part in token.split(['.', ' ']).filter(|part| part.len() > 8) {
            assert!(!answer.text.contains(part) && !challenge.contains(part), "the answer holds {part}");
        }
    }
}

#[tokio::test]
async fn tokens_that_nobody_signed_are_refused() {
    let setup = Setup::build().await;
    let claims = setup.issuer.claims(&json!({ "scope": "read:users" }));
    for alg in ["none", "None", "NONE", ""] {
        let token = unsigned(&json!({ "alg": alg, "kid": "a" }), &claims);
        setup.refuses(&format!("{token}."), "algorithm").await;
        setup.refuses(&format!("{token}.c2ln"), "algorithm").await;
    }
    let good = setup.token(&json!({}), &json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    setup.refuses(&format!("{signed}."), "signature").await;
    setup.refuses(&format!("{signed}.{}", encode([0; 256])), "signature").await;
    setup.refuses(&format!("{signed}.{signature}="), "signature").await;
    let header = signed.split_once('.').unwrap().0;
    setup.refuses(&format!("{header}.{}.{signature}", encode(claims.to_string())), "signature").await;
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let setup = Setup::build().await;
    let public = setup.key.public();
    let token = unsigned(&json!({ "alg": "HS256", "kid": "a" }), &setup.issuer.claims(&json!({})));
    for secret in [public.to_string(), public["n"].as_str().unwrap().to_owned()] {
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), token.as_bytes());
        setup.refuses(&format!("{token}.{}", encode(signature)), "algorithm").await;
    }
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused() {
    let setup = Setup::build().await;
    for (claims, because) in [
        (json!({ "exp": now() - 31 }), "expired"),
        (json!({ "exp": null }), "when it expires"),
        (json!({ "exp": (now() + 60).to_string() }), "cannot be read"),
        (json!({ "nbf": now() + 60 }), "not valid yet"),
        (json!({ "iat": now() + 60 }), "in the future"),
        (json!({ "iss": "https://example.com/" }), "issuer"),
        (json!({ "iss": null }), "issuer"),
        (json!({ "aud": "https://other.example" }), "audience"),
        (json!({ "aud": null }), "audience"),
        (json!({ "sub": null }), "whom it is for"),
        (json!({ "permissions": { "read:users": true } }), "cannot be read"),
        // Of use to whoever stole them, were the proof that belongs to them not asked for (RFC 9449, RFC 8705).
        (json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }), "bound to a key"),
        (json!({ "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } }), "bound to a key"),
        (json!({ "cnf": {} }), "bound to a key"),
    ] {
        setup.refuses(&setup.token(&json!({}), &claims), because).await;
    }
    // Clocks may differ a little.
    for claims in [json!({ "exp": now() - 20 }), json!({ "nbf": now() + 20, "iat": now() + 20 })] {
        assert_eq!(whoami_with(&setup.gateway, &setup.token(&json!({}), &claims)).await.status, 200, "{claims}");
    }
}

#[tokio::test]
async fn headers_that_change_what_is_signed_are_refused() {
    let setup = Setup::build().await;
    for (header, because) in [
        (json!({ "b64": false }), "extensions"),
        (json!({ "b64": false, "crit": ["b64"] }), "extensions"),
        (json!({ "crit": ["exp"] }), "extensions"),
        (json!({ "crit": [] }), "extensions"),
        (json!({ "typ": "logout+jwt" }), "type"),
        (json!({ "alg": "PS256" }), "algorithm"),
        (json!({ "alg": "ES256" }), "algorithm"),
        (json!({ "alg": "RS512" }), "algorithm"),
    ] {
        setup.refuses(&setup.token(&header, &json!({})), because).await;
    }
    for header in [json!({ "typ": "at+jwt" }), json!({ "typ": null }), json!({ "kid": null })] {
        assert_eq!(whoami_with(&setup.gateway, &setup.token(&header, &json!({}))).await.status, 200, "{header}");
    }
}

#[tokio::test]
async fn a_key_s_name_is_a_name_and_no_path() {
    let empty = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), b"");
    for kid in ["../../../../dev/null", "/dev/null", "..%2f..%2fkeys", "a\0", "a' OR '1'='1", "http://127.0.0.1/a", ""]
    {
        // Each its own, for keys that are not there are asked for a few times only.
        let setup = Setup::of(issuer::ed("a")).await;
        setup.refuses(&setup.token(&json!({ "kid": kid }), &json!({})), "does not have").await;
        let token = unsigned(&json!({ "alg": "HS256", "kid": kid }), &setup.issuer.claims(&json!({})));
        setup.refuses(&format!("{token}.{}", encode(empty)), "algorithm").await;
        setup.refuses(&setup.token(&json!({ "kid": ["a"] }), &json!({})), "cannot be read").await;
        let expected = ["/.well-known/openid-configuration", "/keys"];
        assert!(setup.issuer.requests().await.iter().all(|path| expected.contains(&path.as_str())));
    }
}

#[tokio::test]
async fn a_token_does_not_bring_its_own_key() {
    let (forged, of_the_same_name) = (issuer::ed("forged"), issuer::ed("a"));
    let elsewhere = MockServer::start().await;
    let at = |path: &str| format!("{}/{path}", elsewhere.uri());
    for header in [
        json!({}),
        json!({ "jku": at("keys") }),
        json!({ "x5u": at("chain") }),
        json!({ "jwk": of_the_same_name.public() }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "jku": at("keys"), "x5u": at("chain"), "jwk": of_the_same_name.public(), "x5c": "nonsense" }),
    ] {
        let setup = Setup::of(issuer::ed("a")).await;
        let claims = setup.issuer.claims(&json!({}));
        setup.refuses(&forged.token_with(&header, &claims), "does not have").await;
        setup.refuses(&of_the_same_name.token_with(&header, &claims), "signature").await;
        // Of the issuer's own such headers take nothing away.
        assert_eq!(whoami_with(&setup.gateway, &setup.token(&header, &json!({}))).await.status, 200, "{header}");
    }
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let setup = Setup::build().await;
    let good = setup.token(&json!({}), &json!({}));
    let five = format!("{good}.a.b");
    for token in ["opaque", "a.b", &five, &format!("{good} {good}"), "%s%n", "{}", "..", "é.é.é"] {
        setup.refuses(token, "").await;
    }
    let padded = setup.token(&json!({}), &json!({ "padding": "x".repeat(6_000) }));
    assert!(padded.len() > 8 * 1024);
    setup.refuses(&padded, "larger than 8 KiB").await;
    setup.refuses(&"a".repeat(100_000), "larger than 8 KiB").await;
    let large = setup.token(&json!({}), &json!({ "padding": "x".repeat(5_000) }));
    assert_eq!(whoami_with(&setup.gateway, &large).await.status, 200, "{} bytes", large.len());
}

#[tokio::test]
async fn a_token_in_the_address_is_not_seen() {
    let setup = Setup::build().await;
    let token = setup.token(&json!({}), &json!({}));
    let url = format!("{}/graphql?query=%7B__typename%7D&access_token={token}", setup.gateway.url);
    for method in [Method::GET, Method::POST] {
        let request = setup.gateway.http.request(method, &url);
        let answer = Answer::to(request.header("Accept", "application/json")).await;
        answer.refusal(401, "UNAUTHENTICATED");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}
