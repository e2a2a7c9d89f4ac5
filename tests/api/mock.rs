//! An Auth0 that answers what a test tells it to, where the sandbox would know better.

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::gateway::{Setup, TestGateway};

/// Grants tokens, and answers every read so. A test may mount more, which goes first.
pub(crate) async fn answering(read: ResponseTemplate) -> MockServer {
    let auth0 = MockServer::start().await;
    let grant = json!({ "access_token": "e30.e30.e30", "expires_in": 86_400 });
    let grant = ResponseTemplate::new(200).set_body_json(grant);
    Mock::given(method("POST")).and(path("/oauth/token")).respond_with(grant).with_priority(9).mount(&auth0).await;
    Mock::given(method("GET")).respond_with(read).with_priority(9).mount(&auth0).await;
    auth0
}

/// A gateway to such an Auth0.
pub(crate) async fn gateway_to(auth0: &MockServer) -> TestGateway {
    TestGateway::spawn_with(Setup { upstream: Some(auth0.uri()), ..Setup::uncached() }).await
}
