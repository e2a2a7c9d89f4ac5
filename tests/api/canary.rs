//! An e-mail address and a secret that turn up wherever a request or an answer of Auth0's has room for them, and in no log line, error
//! or header of the gateway's.

use auth0_graphql::auth::{ApiKeys, Settings};
use auth0_graphql::sandbox::Client;
use reqwest::RequestBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::audit::logging;
use crate::authentication::hash_of;
use crate::gateway::{Setup, TestGateway};

const EMAIL: &str = "canary.bird@example.com";
const SECRET: &str = "canary-secret-9f2c";

/// Everything that has been said beside the data that was asked for.
#[derive(Default)]
struct Said {
    text: String,
    answers: usize,
}

impl Said {
    async fn by(&mut self, request: RequestBuilder) -> u16 {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        self.text += &format!("{:?}\n", response.headers());
        let body = response.text().await.unwrap();
        match serde_json::from_str::<Value>(&body) {
            Ok(Value::Object(mut answer)) => {
                answer.remove("data");
                self.text += &Value::Object(answer).to_string();
            }
            _ => self.text += &body,
        }
        self.answers += 1;
        status
    }

    fn must_be_silent(&self, log: &str) {
        for (place, text) in [("log", log), ("errors and headers", &self.text)] {
            for canary in [EMAIL, SECRET, "canary"] {
                let line = text.lines().find(|line| line.contains(canary));
                assert_eq!(line, None, "{canary} is in the {place}");
            }
        }
    }
}

/// Every way in which an answer can go wrong, with canaries in all of its parts.
fn failures() -> Vec<ResponseTemplate> {
    // Auth0's explanation is passed on, without addresses and tokens.
    let message = format!("'{EMAIL}' is not what eyJ{SECRET} is for");
    let enveloped = |status: u16| json!({ "statusCode": status, "error": SECRET, "message": message.clone(), "errorCode": EMAIL, "hint": SECRET });
    let with_headers = |answer: ResponseTemplate| {
        answer
            .insert_header("x-note", EMAIL)
            .insert_header("set-cookie", format!("session={SECRET}"))
            .insert_header("link", format!("<https://{SECRET}.example.com/?from={EMAIL}>; rel=\"next\""))
            .insert_header("x-ratelimit-limit", SECRET)
            .insert_header("retry-after", EMAIL)
    };
    let mut answers: Vec<_> = [400, 401, 402, 403, 404, 408, 409, 414, 429, 500, 502, 503, 504]
        .into_iter()
        .map(|status| ResponseTemplate::new(status).set_body_json(enveloped(status)))
        .collect();
    answers
        .push(ResponseTemplate::new(302).insert_header("location", format!("https://example.com/?{EMAIL}&{SECRET}")));
    for body in [
        format!("<html>{EMAIL} {SECRET}</html>"),
        format!("[{{\"name\":\"{EMAIL}\",\"note\":\"{SECRET}\""),
        format!("\"{EMAIL} {SECRET}\""),
        format!("{{\"{EMAIL}\":{{}},\"users\":\"{SECRET}\"}}"),
        format!("[\"{EMAIL}\", {SECRET}]"),
    ] {
        answers.push(ResponseTemplate::new(200).set_body_raw(body, "application/json"));
    }
    answers.into_iter().map(with_headers).collect()
}

#[tokio::test]
async fn what_auth0_says_in_a_failure_is_not_passed_on() {
    let (log, _guards) = logging(tracing::Level::DEBUG);
    let mut said = Said::default();
    for failure in failures() {
        let auth0 = MockServer::start().await;
        let grant = json!({ "access_token": SECRET, "expires_in": 86_400, "note": EMAIL });
        let grant = ResponseTemplate::new(200).set_body_json(grant);
        Mock::given(method("POST")).respond_with(grant).up_to_n_times(1).with_priority(1).mount(&auth0).await;
        Mock::given(method("GET")).respond_with(failure.clone()).mount(&auth0).await;
        Mock::given(path("/oauth/token")).respond_with(failure).mount(&auth0).await;
        let client = Client { id: "gateway".to_owned(), secret: SecretString::from(SECRET) };
        let setup = Setup { upstream: Some(auth0.uri()), client: Some(client), ..Setup::uncached() };
        let gateway = TestGateway::spawn_with(setup).await;
        let query = format!(
            "{{ users(q: \"email:{EMAIL}\") {{ nodes {{ name }} }} usersByEmail(email: \"{EMAIL}\") {{ name }} user(id: \"email|{EMAIL}\") {{ name }}
                searchLogs(q: \"{SECRET}\") {{ nodes {{ type }} }} logs {{ next }} }}"
        );
        let post = || gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": query }));
        assert_eq!(said.by(post().header("X-Explain", "run").header("X-Request-Timeout", "2s")).await, 200);
        // Once more, that the grant may fail as well.
        said.by(post().header("X-Request-Timeout", "1s")).await;
    }
    assert!(said.text.contains("UPSTREAM_UNAVAILABLE") && said.text.contains("UPSTREAM_REJECTED"), "{}", said.text);
    let log = log.text();
    assert!(log.contains("DEBUG") && log.contains("Auth0"), "the log is not whole");
    said.must_be_silent(&log);
}

#[tokio::test]
async fn what_a_request_brings_is_not_repeated() {
    let (log, _guards) = logging(tracing::Level::DEBUG);
    let keys = format!("reports:{}:read:users", hash_of("the key of the reports"));
    let auth = Settings { api_keys: ApiKeys::parse(&keys).unwrap(), ..Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { auth, takes_sandbox_tokens: true, ..Setup::uncached() }).await;
    let mut said = Said::default();
    let url = format!("{}/graphql", gateway.url);
    let good = json!({ "query": "{ users(perPage: 1) { nodes { name } } }" });
    let post = || gateway.http.post(&url).json(&good);
    let keyed = || post().header("X-API-Key", "the key of the reports");
    let claims = |part: &str| format!("e30.{part}.c2ln");
    for request in [
        post().bearer_auth(format!("{EMAIL}.{SECRET}")),
        post().bearer_auth(claims(SECRET)),
        post().basic_auth(EMAIL, Some(SECRET)),
        post().header("Authorization", format!("{SECRET} {EMAIL}")),
        post().header("X-API-Key", SECRET),
        post().header("X-API-Key", EMAIL).bearer_auth(SECRET),
        keyed().header("Cookie", format!("session={SECRET}; user={EMAIL}")),
        keyed().header("X-Request-Id", EMAIL),
        keyed().header("X-Forwarded-For", SECRET).header("Forwarded", format!("for={EMAIL}")),
        keyed().header("User-Agent", EMAIL).header("Referer", format!("https://example.com/?{SECRET}")),
        keyed().header("Origin", format!("https://{SECRET}.example.com")),
        keyed().header("Accept", SECRET),
        keyed().header("Content-Type", SECRET),
        keyed().header("X-Explain", SECRET).header("X-Request-Timeout", EMAIL),
        keyed().header("Cache-Control", EMAIL),
        gateway
            .http
            .get(format!("{url}?query=%7B{SECRET}&variables={EMAIL}"))
            .header("X-API-Key", "the key of the reports"),
        gateway.http.get(format!("{}/{EMAIL}?token={SECRET}", gateway.url)),
        gateway.http.get(format!("{}/playground/{SECRET}", gateway.url)),
        gateway.http.put(format!("{url}?{SECRET}")).body(EMAIL),
        gateway
            .http
            .post(&url)
            .header("X-API-Key", "the key of the reports")
            .body(format!("{{\"query\":\"{EMAIL} {SECRET}")),
    ] {
        said.by(request).await;
    }
    assert_eq!(said.answers, 20);
    assert!(said.text.contains("UNAUTHENTICATED") && said.text.contains("BAD_REQUEST"), "{}", said.text);
    said.must_be_silent(&log.text());
}
