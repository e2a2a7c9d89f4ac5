//! `private_key_jwt`: the gateway shows who it is by an assertion that it signs.

use std::fs;
use std::path::PathBuf;

use auth0_graphql::app::{App, Settings};
use auth0_graphql::auth0::{self, AssertionAlgorithm, AssertionKey, ClientAuthentication, Domain};
use auth0_graphql::sandbox::{Clock, Options, PublicKey, Sandbox};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::gateway::{Setup, TestGateway, codes};

const USERS: &str = "{ users(perPage: 1) { page } }";

/// A key of a test's own, as the sandbox makes it: its public half, and the text of its file.
fn key(name: &str) -> (PublicKey, String) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pem"));
    let _ = fs::remove_file(&path);
    let public = PublicKey::of_private_key_file(&path).unwrap();
    (public, fs::read_to_string(path).unwrap())
}

fn authentication(pem: &str, algorithm: AssertionAlgorithm) -> ClientAuthentication {
    ClientAuthentication::PrivateKeyJwt(AssertionKey::parse(pem).unwrap(), algorithm)
}

/// A sandbox on the machine's clock, by which the gateway dates its assertions.
async fn sandbox(client_key: PublicKey) -> Sandbox {
    let options = Options { clock: Clock::system(), client_key: Some(client_key), ..Options::default() };
    Sandbox::start(options, TcpListener::bind(("127.0.0.1", 0)).await.unwrap()).await.unwrap()
}

/// The address of a gateway to a tenant at `url`.
async fn gateway(url: &str, client_id: String, authentication: ClientAuthentication) -> String {
    let domain = Domain::parse(url).unwrap();
    let settings = auth0::Settings { audience: domain.default_audience(), domain, client_id, authentication };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    tokio::spawn(App::build(Settings::new(settings)).unwrap().serve(listener, std::future::pending()));
    url
}

async fn query(url: &str) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.post(url).json(&json!({ "query": USERS })).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_gateway_with_a_key_needs_no_secret() {
    let (public, pem) = key("assertions");
    let sandbox = sandbox(public).await;
    for algorithm in [AssertionAlgorithm::Rs256, AssertionAlgorithm::Rs384, AssertionAlgorithm::Ps256] {
        let gateway = gateway(&sandbox.url(), sandbox.client().id, authentication(&pem, algorithm)).await;
        assert_eq!(query(&gateway).await, json!({ "data": { "users": { "page": 0 } } }), "{algorithm:?}");
    }
}

#[tokio::test]
async fn another_s_key_is_refused_as_a_wrong_secret_is() {
    let (public, _) = key("assertions_own");
    let (_, pem) = key("assertions_other");
    let sandbox = sandbox(public).await;
    let gateway = gateway(&sandbox.url(), sandbox.client().id, authentication(&pem, AssertionAlgorithm::Rs256)).await;
    let answer = query(&gateway).await;
    assert_eq!(codes(&answer), ["UPSTREAM_MISCONFIGURED"], "{answer}");
}

#[tokio::test]
async fn a_secret_is_refused_where_the_application_has_a_key() {
    let (public, _) = key("assertions_only");
    let setup = Setup::default();
    let options = Options { client_key: Some(public), ..setup.sandbox };
    let gateway = TestGateway::spawn_with(Setup { sandbox: options, ..setup }).await;
    let answer = gateway.query(USERS).await;
    assert_eq!(codes(&answer), ["UPSTREAM_MISCONFIGURED"], "{answer}");
}

#[tokio::test]
async fn each_attempt_has_an_assertion_of_its_own() {
    let (_, pem) = key("assertions_anew");
    let auth0 = MockServer::start().await;
    let failing = Mock::given(path("/oauth/token")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1);
    failing.mount(&auth0).await;
    let token = json!({ "access_token": "a.b.c" });
    let granting = Mock::given(path("/oauth/token")).respond_with(ResponseTemplate::new(200).set_body_json(token));
    granting.mount(&auth0).await;
    Mock::given(path("/api/v2/users"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
        .mount(&auth0)
        .await;
    let authentication = authentication(&pem, AssertionAlgorithm::Rs256);
    let gateway = gateway(&auth0.uri(), "an-id".to_owned(), authentication).await;
    query(&gateway).await;

    let requests = auth0.received_requests().await.unwrap();
    let grants = requests.iter().filter(|request| request.url.path() == "/oauth/token");
    let bodies: Vec<Value> = grants.map(|request| request.body_json().unwrap()).collect();
    assert_eq!(bodies.len(), 2);
    assert_ne!(bodies[0]["client_assertion"], bodies[1]["client_assertion"]);
    for body in bodies {
        assert_eq!(body.get("client_secret"), None);
        assert_eq!(body["client_id"], "an-id");
        assert_eq!(body["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    }
}
