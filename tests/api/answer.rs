//! An answer as it came over the wire, to a request that is written byte by byte: client libraries mend what they send.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::gateway::TestGateway;

/// The head of a JSON POST to a gateway, but for the headers that tell the body's length, and the blank line.
pub(crate) const JSON_POST: &str = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

/// An answer to an HTTP request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The answer to these bytes.
    pub(crate) async fn to(gateway: &TestGateway, request: impl AsRef<[u8]>) -> Self {
        let mut stream = BufReader::new(connect(gateway).await);
        stream.write_all(request.as_ref()).await.unwrap();
        Self::read(&mut stream, !request.as_ref().starts_with(b"HEAD ")).await
    }

    /// The answer to these bytes, after which the client closes its end.
    pub(crate) async fn to_what_breaks_off(gateway: &TestGateway, request: impl AsRef<[u8]>) -> Self {
        let mut stream = BufReader::new(connect(gateway).await);
        stream.write_all(request.as_ref()).await.unwrap();
        stream.shutdown().await.unwrap();
        Self::read(&mut stream, true).await
    }

    /// The answer to a JSON POST with this body and no `Accept`.
    pub(crate) async fn to_post(gateway: &TestGateway, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!("{JSON_POST}Content-Length: {}\r\n\r\n", body.len());
        Self::to(gateway, [head.as_bytes(), body].concat()).await
    }

    /// The answer to a GET of `target` with these headers, each a whole line.
    pub(crate) async fn to_get(gateway: &TestGateway, target: &str, headers: &[&str]) -> Self {
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        Self::to(gateway, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")).await
    }

    /// The same from a client library's response.
    pub(crate) async fn from(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    async fn read(stream: &mut BufReader<TcpStream>, has_body: bool) -> Self {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let length = stream.read_line(&mut line).await.unwrap();
            assert_ne!(length, 0, "the connection was closed after {lines:?}");
            if line == "\r\n" {
                break;
            }
            lines.push(line);
        }
        let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in &lines[1..] {
            let (name, value) = line.split_once(':').unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
        }
        let length = headers.get("content-length").filter(|_| has_body);
        let mut body = vec![0; length.map_or(0, |length| length.to_str().unwrap().parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        Self { status, headers, body }
    }

    /// A header's value; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Holds a refusal to what every refusal promises, and to its own status, code and words.
    #[track_caller]
    pub(crate) fn must_refuse(&self, what: &str, status: u16, code: &str, says: &str) {
        let body = self.json();
        assert_eq!(self.status, status, "{what}: {body}");
        assert!(self.header("content-type").ends_with("json; charset=utf-8"), "{what}: {self:?}");
        assert_eq!(self.header("cache-control"), "no-store", "{what}");
        assert_eq!(self.header("x-upstream-calls"), "0", "{what}");
        assert_eq!(body.get("data"), None, "{what}: {body}");
        let errors = body["errors"].as_array().unwrap();
        assert_eq!(errors[0]["extensions"]["code"], code, "{what}: {body}");
        let message = errors[0]["message"].as_str().unwrap();
        assert!(message.contains(says), "{what}: {message:?} does not say {says:?}");
        for error in errors {
            assert_eq!(error["extensions"]["requestId"], self.header("x-request-id"), "{what}: {body}");
            let message = error["message"].as_str().unwrap();
            // Rust's own words are not for clients.
            for word in ["::", "Some(", "Err(", "Error", " { ", "panic", "serde", "hyper", "src/", "line 1 column"] {
                assert!(!message.contains(word), "{what}: {message}");
            }
        }
    }
}

async fn connect(gateway: &TestGateway) -> TcpStream {
    TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).await.unwrap()
}
