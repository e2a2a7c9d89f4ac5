//! The callers who are let in, and their scopes.

mod api_keys;
mod hostile;
mod issuer;
mod keys;
mod requests;

use auth0_graphql::auth::{Settings, TokenSettings};
use aws_lc_rs::digest;
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use self::issuer::TestIssuer;
use crate::gateway::{Setup, TestGateway};

/// An answer of the gateway.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
    body: Value,
}

impl Answer {
    async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
        Self { status, headers, text, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The scopes of the caller, who was let in.
    #[track_caller]
    fn scopes(&self) -> Vec<&str> {
        assert_eq!(self.status, 200, "{self:?}");
        let scopes = self.body["data"]["gateway"]["scopes"].as_array().unwrap();
        scopes.iter().map(|scope| scope.as_str().unwrap()).collect()
    }

    /// The message of a refusal, which must be GraphQL-shaped.
    #[track_caller]
    fn refusal(&self, status: u16, code: &str) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        let [error] = self.body["errors"].as_array().unwrap().as_slice() else { panic!("{self:?}") };
        assert_eq!(self.body, json!({ "errors": [error] }), "nothing beside the error");
        assert_eq!(error["extensions"]["code"], code, "{self:?}");
        assert_eq!(error["extensions"]["requestId"].as_str(), self.header("x-request-id"));
        assert!(self.header("content-type").unwrap().starts_with("application/"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        error["message"].as_str().unwrap()
    }
}

/// A request for the caller's scopes, which needs no call of Auth0.
fn whoami(gateway: &TestGateway) -> RequestBuilder {
    gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": "{ gateway { scopes } }" }))
}

async fn whoami_with(gateway: &TestGateway, token: &str) -> Answer {
    Answer::to(whoami(gateway).bearer_auth(token)).await
}

/// A gateway that takes an issuer's tokens.
async fn gateway_of(issuer: &TestIssuer) -> TestGateway {
    gateway_with(Settings { tokens: Some(issuer.settings()), ..Settings::default() }).await
}

async fn gateway_with(auth: Settings) -> TestGateway {
    TestGateway::spawn_with(Setup { auth, ..Setup::default() }).await
}

/// The SHA-256 of a text, in hexadecimal.
pub(crate) fn hash_of(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_token_is_taken_with_its_scopes_whatever_it_is_signed_with() {
    for key in issuer::one_of_each_kind() {
        let issuer = TestIssuer::start(vec![key.public()]).await;
        let gateway = gateway_of(&issuer).await;
        for (claims, scopes) in [
            (json!({ "scope": "openid read:logs read:users" }), &["read:users", "read:logs"][..]),
            (json!({ "permissions": ["read:users_app_metadata", "update:users"] }), &["read:users_app_metadata"]),
            (json!({ "scp": ["read:user_idp_tokens"] }), &["read:user_idp_tokens"]),
            (json!({ "aud": ["elsewhere", issuer::AUDIENCE] }), &[]),
        ] {
            let token = key.token(&issuer.claims(&claims));
            for attempt in ["judged", "remembered"] {
                let answer = whoami_with(&gateway, &token).await;
                assert_eq!(answer.scopes(), scopes, "{} {claims}, {attempt}", key.algorithm());
            }
        }
    }
}

#[tokio::test]
async fn a_scope_that_the_token_lacks_is_not_there() {
    let key = issuer::ed("a");
    let issuer = TestIssuer::start(vec![key.public()]).await;
    let gateway = gateway_of(&issuer).await;
    let token = key.token(&issuer.claims(&json!({ "scope": "read:logs" })));
    let query = json!({ "query": "{ logs(take: 1) { nodes { type } } users(perPage: 1) { total } }" });
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&query);
    let answer = Answer::to(request.bearer_auth(token)).await;
    assert_eq!(answer.body["data"]["logs"]["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(crate::gateway::codes(&answer.body), ["FORBIDDEN"]);
    assert!(gateway.calls().await.iter().all(|call| call.path == "/api/v2/logs"));
}

#[tokio::test]
async fn tokens_of_the_sandbox_are_taken_where_it_is_the_issuer() {
    use auth0_graphql::auth::Issuer;
    use auth0_graphql::sandbox::{GATEWAY_AUDIENCE, Options, Sandbox, TokenRequest};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(Options::default(), listener).await.unwrap();
    let tokens = TokenSettings {
        issuer: Issuer::parse(&sandbox.issuer()).unwrap(),
        audiences: vec![GATEWAY_AUDIENCE.to_owned()],
        keys: None,
    };
    let gateway = gateway_with(Settings::default().or_tokens(tokens)).await;

    let request = TokenRequest { scope: "read:logs".to_owned(), ..TokenRequest::default() };
    let token = sandbox.user_token(&request).unwrap();
    assert_eq!(whoami_with(&gateway, &token).await.scopes(), ["read:logs"]);
    assert_eq!(Answer::to(whoami(&gateway)).await.scopes().len(), 9, "nobody is shut out");

    let expired = sandbox.user_token(&TokenRequest { expires_in: -60, ..request.clone() }).unwrap();
    assert!(whoami_with(&gateway, &expired).await.refusal(401, "UNAUTHENTICATED").contains("expired"));
    let other = TokenRequest { audience: "https://other.example".to_owned(), ..request };
    let other = sandbox.user_token(&other).unwrap();
    assert!(whoami_with(&gateway, &other).await.refusal(401, "UNAUTHENTICATED").contains("audience"));
}
