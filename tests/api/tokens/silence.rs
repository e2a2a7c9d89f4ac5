//! Token and secret are never told.

use std::time::Duration;

use auth0_graphql::sandbox::Client;
use secrecy::SecretString;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::USERS;
use crate::captured_log::CapturedLog;
use crate::gateway::{Setup, TestGateway};
use crate::time::later;

#[tokio::test]
async fn neither_token_nor_secret_is_ever_shown() {
    let log = CapturedLog::default();
    let _logging = log.keep(tracing::Level::TRACE);

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

    let log = log.text();
    assert!(shown.contains("Ada") && shown.contains("UPSTREAM_MISCONFIGURED"), "{shown}");
    for expected in ["TRACE", "obtained an access token", "does not accept the client's credentials", "Auth0 answered"]
    {
        assert!(log.contains(expected), "the log is not whole: {expected}");
    }
    for (what, hidden) in [("token", token.split('.').nth(1).unwrap()), ("secret", &secret)] {
        for (place, text) in [("answers", &shown), ("log", &log)] {
            let line = text.lines().find(|line| line.contains(hidden));
            assert_eq!(line, None, "the {what} is in the {place}");
        }
    }
}
