//! A request with any method, target, headers and body, answered by the whole gateway in front of a tenant that cannot be
//! reached: every answer is JSON or a page of ours, and none is an internal error.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use auth0_graphql::auth::{self, Authenticator};
use auth0_graphql::auth0::{self, ClientPolicy, Domain, ManagementApi};
use auth0_graphql::graphql::{self, DocumentSettings, Engine, GatewayMode, Limits, Permissions};
use auth0_graphql::http::{self, testing::Gateway};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use libfuzzer_sys::{Corpus, fuzz_target};
use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static GATEWAY: (Runtime, Gateway) = gateway();
}

fn gateway() -> (Runtime, Gateway) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    // Nobody listens on the discard port.
    let domain = Domain::parse("http://127.0.0.1:9").unwrap();
    let tenant = auth0::Settings {
        audience: domain.default_audience(),
        domain,
        client_id: "client".to_owned(),
        authentication: SecretString::from("secret").into(),
    };
    let api = ManagementApi::new(tenant, &ClientPolicy::default()).unwrap();
    let authenticator = Arc::new(Authenticator::new(auth::Settings::default()).unwrap());
    let settings = graphql::Settings {
        mode: GatewayMode::Tenant,
        limits: Limits::default(),
        permissions: Permissions::default(),
        admits_anonymous: authenticator.admits_anonymous(),
    };
    let engine = Engine::new(api, settings, DocumentSettings::default()).unwrap();
    // Whatever would wait for the tenant is told at once that it took too long.
    let settings = http::Settings { request_timeout: Duration::from_millis(1), ..http::Settings::default() };
    (runtime, Gateway::new(engine, authenticator, settings).unwrap())
}

/// A request as it would stand on the wire: a line with method and target, headers, a blank line, the body.
fn read(data: &[u8]) -> Option<Request<Body>> {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.splitn(2, |byte| *byte == b' ');
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = Method::from_bytes(words.next()?).ok()?;
    *request.uri_mut() = Uri::try_from(words.next()?).ok()?;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    Some(request)
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(request) = read(data) else { return Corpus::Reject };
    GATEWAY.with(|(runtime, gateway)| {
        runtime.block_on(async {
            let response = gateway.answer(request).await;
            let (status, headers) = (response.status(), response.headers().clone());
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(headers.contains_key("x-request-id") && headers.contains_key("x-content-type-options"));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let is_json =
                headers.get("content-type").is_some_and(|value| value.as_bytes().ends_with(b"json; charset=utf-8"));
            if is_json && !body.is_empty() {
                let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert!(answer.get("data").is_some() || answer["errors"].is_array(), "{answer}");
                let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
                let codes = errors.iter().map(|error| &error["extensions"]["code"]);
                codes.for_each(|code| assert!(code.is_string() && code != "INTERNAL_SERVER_ERROR", "{answer}"));
            }
        });
    });
    Corpus::Keep
});
