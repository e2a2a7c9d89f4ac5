//! The log of the program while it runs.

use std::thread::{self, JoinHandle};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::Run;
use super::running::{Running, value, word};

/// Stands in searches and variables.
const CANARY: &str = "canarybird";

/// A gateway with a sandbox, and its log.
struct Logging {
    gateway: Running,
    log: JoinHandle<String>,
    url: String,
    /// A token that reads everything.
    token: String,
}

impl Logging {
    fn start(folder: &str, log: &str) -> Self {
        let mut gateway = Run::new(folder, &["--sandbox", "--port", "0"]).env("LOG", log).start();
        // Read while it is written, or the pipe is full before the end.
        let mut stderr = gateway.child.stderr.take().unwrap();
        let log = thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
        let printed = gateway.printed_until("Ctrl-C");
        let url = value(&printed, "GraphQL").to_owned();
        let arguments = ["sandbox", "token", "--url", word(&printed, "--url "), "--scope", "read:users read:logs"];
        let token = Run::new(&format!("{folder}_token"), &arguments).end().stdout.trim_end().to_owned();
        Self { gateway, log, url, token }
    }

    /// The log of a gateway that was asked over HTTP/1.1, HTTP/2 and a WebSocket, and an e-mail address of its answers.
    async fn of_every_transport(self) -> (String, String) {
        let query = "query($q: String) { users(q: $q, perPage: 1) { nodes { email } } all: users(perPage: 1) { nodes { email } } }";
        let request = json!({ "query": query, "variables": { "q": format!("name:{CANARY}*") } });
        let mut emails = Vec::new();
        for builder in [reqwest::Client::builder().http1_only(), reqwest::Client::builder().http2_prior_knowledge()] {
            let http = builder.no_proxy().build().unwrap();
            let answer = http.post(&self.url).bearer_auth(&self.token).json(&request).send().await.unwrap();
            emails.push(email(&answer.json().await.unwrap()));
        }
        emails.push(email(&self.over_a_web_socket(&request).await));
        let email = emails.pop().unwrap();
        assert!(email.contains('@') && emails.iter().all(|other| *other == email), "{emails:?}");
        assert_eq!(self.gateway.stop("TERM"), Some(0));
        (self.log.join().unwrap(), email)
    }

    async fn over_a_web_socket(&self, operation: &Value) -> Value {
        let mut request = self.url.replacen("http", "ws", 1).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (mut socket, _) = connect_async(request).await.unwrap();
        let authorization = format!("Bearer {}", self.token);
        for message in [
            json!({ "type": "connection_init", "payload": { "authorization": authorization } }),
            json!({ "type": "subscribe", "id": "1", "payload": operation }),
        ] {
            socket.send(Message::text(message.to_string())).await.unwrap();
        }
        loop {
            let message = socket.next().await.unwrap().unwrap().into_text().unwrap();
            let mut message: Value = serde_json::from_str(&message).unwrap();
            if message["type"] == "next" {
                return message["payload"].take();
            }
        }
    }
}

fn email(answer: &Value) -> String {
    answer["data"]["all"]["nodes"][0]["email"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn a_log_at_trace_holds_no_token_no_search_and_no_answer() {
    let gateway = Logging::start("log_trace", "trace");
    let token = gateway.token.clone();
    let (log, email) = gateway.of_every_transport().await;
    assert!(log.contains("DEBUG h2::") || log.contains("DEBUG Connection"), "libraries are heard up to debug: {log}");
    for secret in token.split('.').chain([CANARY, &email]) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test]
async fn a_library_that_is_named_is_logged_as_it_is_told() {
    let (log, email) = Logging::start("log_named", "info,tungstenite=trace").of_every_transport().await;
    let told = log.lines().filter(|line| line.contains("TRACE") && line.contains(" tungstenite::"));
    let told: Vec<_> = told.filter(|line| line.contains(CANARY) || line.contains(&email)).collect();
    assert!(!told.is_empty(), "{log}");
    assert!(!log.contains(" h2::"), "{log}");
}
