//! The one access token that everybody shares, seen from both sides of the gateway.

mod assertions;
mod oddities;
mod refusals;
mod silence;

use std::sync::Arc;
use std::time::Duration;

use auth0_graphql::sandbox::{Client, Options};
use futures_util::future::join_all;
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::gateway::{Setup, TestGateway, codes};
use crate::mock;
use crate::time::StoppedClock;

const USERS: &str = "{ users(perPage: 1) { page } }";
const LOGS: &str = "{ logs(take: 1) { next } }";

/// Longer than a failed grant is remembered.
const FAILURE_IS_FORGOTTEN: Duration = Duration::from_secs(1);

impl TestGateway {
    /// A gateway whose client's tokens live this many seconds.
    async fn with_token_lifetime(lifetime: impl Into<Value>) -> Self {
        let setup = Setup::uncached();
        let sandbox = Options { token_lifetime: lifetime.into(), ..setup.sandbox };
        Self::spawn_with(Setup { sandbox, ..setup }).await
    }

    /// The gateway, started anew with a client that the tenant has just created.
    async fn with_client(self, client: Value) -> Self {
        let created = self.control("clients", client).await;
        let text = |key: &str| created[key].as_str().unwrap().to_owned();
        let client = Client { id: text("client_id"), secret: SecretString::from(text("client_secret")) };
        Self::in_front_of(self.sandbox, client).await
    }

    /// The number of times that a token was asked for.
    async fn grants(&self) -> usize {
        self.all_calls().await.iter().filter(|call| call.path == "/oauth/token").count()
    }

    /// The statuses of all other calls.
    async fn statuses(&self) -> Vec<u16> {
        self.calls().await.iter().filter_map(|call| call.status).collect()
    }

    /// Expires all tokens, at Auth0.
    async fn expire_tokens(&self) {
        self.control("tokens/expire", json!({})).await;
    }
}

#[tokio::test]
async fn a_thousand_first_requests_ask_for_one_token() {
    let auth0 = mock::answering(ResponseTemplate::new(200).set_body_json(json!([{ "user_id": "auth0|1" }]))).await;
    let gateway = mock::gateway_to(&auth0).await;
    // One connection, on which HTTP/2 carries them side by side: two hundred at a time, which is what the gateway takes.
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let request = json!({ "query": "{ users { nodes { userId } } }" });
    let responses = (0..1_000).map(async |_| {
        let response = http.post(format!("{}/graphql", gateway.url)).json(&request).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    });
    for response in join_all(responses).await {
        assert_eq!(response, json!({ "data": { "users": { "nodes": [{ "userId": "auth0|1" }] } } }));
    }
    let requests = auth0.received_requests().await.unwrap();
    assert_eq!(requests.iter().filter(|request| request.url.path() == "/oauth/token").count(), 1);
    assert!(requests.len() > 1);
}

#[tokio::test]
async fn a_token_that_expired_at_auth0_is_replaced_unseen() {
    let gateway = TestGateway::uncached().await;
    gateway.data(USERS).await;
    gateway.expire_tokens().await;
    gateway.data(USERS).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.statuses().await, [200, 401, 200, 200]);
    assert_eq!(gateway.grants().await, 2);
}

#[tokio::test]
async fn many_callers_of_an_expired_token_get_one_new_one() {
    let gateway = TestGateway::uncached().await;
    gateway.data(USERS).await;
    gateway.expire_tokens().await;
    // Each asks something else, so that no two share a call.
    let queries: Vec<_> = (1..=20).map(|n| format!("{{ users(perPage: {n}) {{ page }} }}")).collect();
    for data in join_all(queries.iter().map(|query| gateway.data(query))).await {
        assert_eq!(data, json!({ "users": { "page": 0 } }));
    }
    assert_eq!(gateway.grants().await, 2);
}

#[tokio::test]
async fn a_token_that_stays_refused_is_a_matter_for_the_operator() {
    let gateway = TestGateway::uncached().await;
    let clock = StoppedClock::stop();
    gateway.fault(json!({ "path": "/api/v2/", "times": 100, "fault": { "status": 401 } })).await;
    for _ in 0..10 {
        let response = gateway.query(USERS).await;
        assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"], "{response}");
    }
    // The first caller tried twice, and the others were told what came of it.
    assert_eq!(gateway.statuses().await, [401, 401]);
    assert_eq!(gateway.grants().await, 2);

    // The operator mends it.
    gateway.mend().await;
    clock.advance(FAILURE_IS_FORGOTTEN).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.grants().await, 3);
}

#[tokio::test]
async fn an_aging_token_serves_while_the_next_one_is_fetched() {
    let gateway = TestGateway::with_token_lifetime(1_000).await;
    let clock = StoppedClock::stop();
    gateway.data(USERS).await;
    clock.advance_all(&gateway, Duration::from_secs(840)).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.grants().await, 1, "it is replaced too early");

    // The token endpoint does not answer before time goes on, and nobody waits for it.
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "slow": 5_000 } })).await;
    clock.advance_all(&gateway, Duration::from_secs(70)).await;
    for _ in 0..3 {
        gateway.data(USERS).await;
    }
    assert_eq!(gateway.statuses().await, [200; 5]);
    assert_eq!(gateway.grants().await, 2);

    // The old one would be at its end; the new one has come meanwhile.
    clock.advance_all(&gateway, Duration::from_secs(5)).await;
    while gateway.all_calls().await.iter().any(|call| call.status.is_none()) {}
    clock.advance_all(&gateway, Duration::from_secs(100)).await;
    gateway.data(USERS).await;
    assert_eq!(gateway.statuses().await, [200; 6]);
    assert_eq!(gateway.grants().await, 2);
}

#[tokio::test]
async fn an_aging_token_survives_an_issuer_that_fails() {
    let gateway = TestGateway::with_token_lifetime(1_000).await;
    let clock = StoppedClock::stop();
    gateway.data(USERS).await;
    clock.advance_all(&gateway, Duration::from_secs(950)).await;
    gateway.fault(json!({ "path": "/oauth/token", "times": 100, "fault": { "status": 401 } })).await;
    for _ in 0..5 {
        gateway.data(USERS).await;
    }
    while gateway.grants().await < 2 {}
    assert_eq!(gateway.statuses().await, [200; 6]);
    assert_eq!(gateway.grants().await, 2, "the issuer is hammered");
}

#[tokio::test]
async fn an_expired_token_is_waited_for() {
    let gateway = TestGateway::with_token_lifetime(1_000).await;
    let clock = StoppedClock::stop();
    gateway.data(USERS).await;
    clock.advance_all(&gateway, Duration::from_secs(1_000)).await;
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "slow": 1_000 } })).await;
    let waiting = gateway.data(USERS);
    let granted = async {
        while gateway.grants().await < 2 {}
        assert_eq!(gateway.statuses().await, [200]);
        clock.advance(Duration::from_secs(1)).await;
    };
    tokio::join!(waiting, granted);
    // No call was made with the old one.
    assert_eq!(gateway.statuses().await, [200, 200]);
}

#[tokio::test]
async fn whoever_hangs_up_leaves_the_refresh_to_the_others() {
    let gateway = Arc::new(TestGateway::uncached().await);
    let clock = StoppedClock::stop();
    gateway.fault(json!({ "path": "/oauth/token", "fault": { "slow": 1_000 } })).await;
    let ask = |query| {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { gateway.data(query).await })
    };
    let first = ask(USERS);
    while gateway.grants().await < 1 {}
    let second = ask(LOGS);
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    // Round trips of others, in which the gateway learns of it.
    for _ in 0..20 {
        gateway.data("{ __typename }").await;
    }
    clock.advance(Duration::from_secs(1)).await;
    second.await.unwrap();
    gateway.data(USERS).await;
    assert_eq!(gateway.grants().await, 1);
}
