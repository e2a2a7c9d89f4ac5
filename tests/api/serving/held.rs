//! An Auth0 that holds calls back until the test lets them go, and tells when one is given up.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// An Auth0 that gives out tokens and holds every other call.
pub(crate) struct HeldAuth0 {
    pub(crate) url: String,
    calls: mpsc::UnboundedReceiver<HeldCall>,
}

/// A call that waits for its answer.
pub(crate) struct HeldCall(TcpStream);

impl HeldAuth0 {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(meet(stream, sender.clone()));
            }
        });
        Self { url, calls }
    }

    /// The next call to the Management API.
    pub(crate) async fn call(&mut self) -> HeldCall {
        self.calls.recv().await.unwrap()
    }
}

impl HeldCall {
    /// Answers that no user was found.
    pub(crate) async fn answer(mut self) {
        write(&mut self.0, "[]").await;
    }

    /// Resolves when whoever called gives up.
    pub(crate) async fn given_up(mut self) {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.0.read_to_end(&mut rest).await;
    }
}

async fn meet(mut stream: TcpStream, calls: mpsc::UnboundedSender<HeldCall>) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") && !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
        // The head of a POST alone is not all of it.
        if request.starts_with(b"POST") && request.ends_with(b"\r\n\r\n") {
            let _ = stream.read_buf(&mut request).await;
        }
    }
    if request.starts_with(b"POST /oauth/token ") {
        let token =
            r#"{"access_token":"a-token","token_type":"Bearer","expires_in":86400,"scope":"read:users read:logs"}"#;
        write(&mut stream, token).await;
    } else {
        let _ = calls.send(HeldCall(stream));
    }
}

async fn write(stream: &mut TcpStream, body: &str) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}
