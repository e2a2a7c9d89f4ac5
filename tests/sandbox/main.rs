//! The sandbox's promises, over HTTP: it answers as Auth0 does, and misbehaves when told to.

#![cfg(feature = "sandbox")]
#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed, outside of test functions too")]

use std::time::Duration;

use auth0_graphql::sandbox::{Client, Clock, Options, Sandbox};
use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

mod assertions;
mod control;
mod limits;
mod logs;
mod search;
mod tokens;
mod user_lists;
mod users;

/// A sandbox on a manual clock, and a client of it.
struct Tenant {
    sandbox: Sandbox,
    clock: Clock,
    http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

fn noon() -> DateTime<Utc> {
    "2026-10-01T12:00:00Z".parse().expect("a date")
}

impl Tenant {
    async fn spawn() -> Self {
        Self::with(Options::default()).await
    }

    /// A sandbox with these options, except for the clock.
    async fn with(options: Options) -> Self {
        let clock = Clock::manual(noon());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let options = Options { clock: clock.clone(), ..options };
        Self {
            sandbox: Sandbox::start(options, listener).await.expect("a sandbox"),
            clock,
            http: reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client"),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.url())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: serde_json::from_str(&response.text().await.expect("a body")).unwrap_or(Value::Null),
        }
    }

    async fn ask(&self, client: &Client) -> Answer {
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": client.id,
            "client_secret": client.secret.expose_secret(),
            "audience": self.sandbox.audience(),
        });
        self.send(self.http.post(self.url("/oauth/token")).json(&body)).await
    }

    async fn token(&self) -> String {
        let answer = self.ask(&self.sandbox.client()).await;
        answer.body["access_token"].as_str().expect("a token").to_owned()
    }

    /// A call with a good token. The clock goes on, so that no rate limit is met.
    async fn get(&self, path: &str) -> Answer {
        let token = self.token().await;
        self.clock.advance(Duration::from_millis(100));
        self.get_with(&token, path).await
    }

    async fn get_with(&self, token: &str, path: &str) -> Answer {
        self.send(self.http.get(self.url(path)).bearer_auth(token)).await
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> Answer {
        self.send(self.http.request(method, self.url(path)).json(&body)).await
    }

    async fn new_client(&self, rights: Value) -> Client {
        let answer = self.control(Method::POST, "/_sandbox/clients", rights).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |name: &str| answer.body[name].as_str().expect(name).to_owned();
        Client { id: text("client_id"), secret: text("client_secret").into() }
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    fn rows(&self) -> &[Value] {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body.as_array().expect("an array")
    }

    /// One member of every row.
    fn column(&self, name: &str) -> Vec<&Value> {
        self.rows().iter().map(|row| &row[name]).collect()
    }

    fn error(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        assert_eq!(self.body["statusCode"], self.status.as_u16(), "{}", self.body);
        (self.status.as_u16(), text("message"), text("errorCode"))
    }
}
