//! `/oauth/token` for clients with a key (`private_key_jwt`).

use std::fs;
use std::path::PathBuf;

use auth0_graphql::sandbox::{Options, PublicKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Answer, Tenant, noon};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A tenant whose client has a key.
struct WithKey {
    tenant: Tenant,
    key: EncodingKey,
}

impl WithKey {
    async fn spawn(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pem"));
        let _ = fs::remove_file(&path);
        let made = PublicKey::of_private_key_file(&path).expect("a key");
        let key = EncodingKey::from_rsa_pem(&fs::read(&path).expect("its file")).expect("a private key");
        // What was made is read the next time.
        let read = PublicKey::of_private_key_file(&path).expect("the same key");
        assert_eq!(format!("{made:?}"), format!("{read:?}"));
        let tenant = Tenant::with(Options { client_key: Some(read), ..Options::default() }).await;
        Self { tenant, key }
    }

    /// Good claims, with these in place of their own.
    fn claims(&self, changed: &Value) -> Value {
        let id = self.tenant.sandbox.client().id;
        let mut claims = json!({
            "iss": id, "sub": id, "aud": self.tenant.sandbox.issuer(), "jti": "one", "exp": noon().timestamp() + 60,
        });
        for (name, value) in changed.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims
    }

    fn sign(&self, changed: &Value) -> String {
        encode(&Header::new(Algorithm::RS256), &self.claims(changed), &self.key).expect("a JWT")
    }

    async fn ask(&self, assertion: &str, changed: Value) -> Answer {
        let mut body = json!({
            "grant_type": "client_credentials", "client_id": self.tenant.sandbox.client().id,
            "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion,
            "audience": self.tenant.sandbox.audience(),
        });
        for (name, value) in changed.as_object().expect("an object") {
            body[name] = value.clone();
        }
        self.tenant.send(self.tenant.http.post(self.tenant.url("/oauth/token")).json(&body)).await
    }
}

#[tokio::test]
async fn an_assertion_is_taken_once() {
    let tenant = WithKey::spawn("sandbox_once").await;
    let assertion = tenant.sign(&json!({}));
    assert_eq!(tenant.ask(&assertion, json!({})).await.status, 200);
    let again = tenant.ask(&assertion, json!({})).await;
    assert_eq!((again.status.as_u16(), &again.body["error"]), (401, &"invalid_client".into()));
    assert!(again.body["error_description"].as_str().expect("words").ends_with("the assertion was used before"));
    assert_eq!(tenant.ask(&tenant.sign(&json!({"jti": "two"})), json!({})).await.status, 200);
}

#[tokio::test]
async fn an_assertion_for_another_client_tenant_or_time_is_refused() {
    let tenant = WithKey::spawn("sandbox_wrong").await;
    let now = noon().timestamp();
    let slashless = tenant.tenant.sandbox.url();
    for (changed, fault) in [
        (json!({"iss": "other"}), "iss and sub"),
        (json!({"sub": "other"}), "iss and sub"),
        (json!({"aud": slashless}), "aud must"),
        (json!({"aud": "https://other.example/"}), "aud must"),
        (json!({"exp": null}), "exp must"),
        (json!({"exp": now - 11}), "exp must"),
        (json!({"exp": now + 311}), "exp must"),
        (json!({"iat": now + 11}), "exp must"),
        (json!({"jti": ""}), "jti is missing"),
        (json!({"jti": "j".repeat(65)}), "jti is missing"),
    ] {
        let answer = tenant.ask(&tenant.sign(&changed), json!({})).await;
        assert_eq!(answer.status, 401, "{changed}: {}", answer.body);
        assert!(
            answer.body["error_description"].as_str().expect("words").contains(fault),
            "{changed}: {}",
            answer.body
        );
    }
    let other = WithKey::spawn("sandbox_wrong_key").await;
    let foreign = encode(&Header::new(Algorithm::RS256), &tenant.claims(&json!({})), &other.key).expect("a JWT");
    let unsigned = tenant.sign(&json!({})).rsplit_once('.').map(|(signed, _)| format!("{signed}.")).expect("parts");
    for assertion in [foreign, unsigned, "a.b.c".to_owned(), "nonsense".to_owned()] {
        assert_eq!(tenant.ask(&assertion, json!({})).await.status, 401, "{assertion}");
    }
}

#[tokio::test]
async fn a_client_authenticates_by_the_one_method_that_it_registered() {
    use secrecy::ExposeSecret as _;

    let tenant = WithKey::spawn("sandbox_methods").await;
    let client = tenant.tenant.sandbox.client();
    assert_eq!(tenant.tenant.ask(&client).await.status, 401, "a secret is taken where there is a key");
    let assertion = tenant.sign(&json!({}));
    for changed in [
        json!({"client_secret": client.secret.expose_secret()}),
        json!({"client_assertion_type": null}),
        json!({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}),
    ] {
        assert_eq!(tenant.ask(&assertion, changed.clone()).await.status, 400, "{changed}");
    }
    let other = tenant.tenant.new_client(json!({"scopes": ["read:users"]})).await;
    let changed = json!({"iss": other.id, "sub": other.id});
    let answer = tenant.ask(&tenant.sign(&changed), json!({"client_id": other.id})).await;
    assert_eq!(answer.status, 401, "a client with a secret is let in by a key");
}
