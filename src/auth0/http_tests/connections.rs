//! Connections that are kept open.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;

use super::super::{ApiRequest, Fields, ManagementApi, UserId, endpoints};
use super::{TestResult, ample, client, later};

/// A server that never hangs up.
struct KeepAliveServer {
    api: ManagementApi,
    connections: Arc<AtomicUsize>,
}

impl KeepAliveServer {
    fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let api = client(&format!("http://{}", listener.local_addr()?))?;
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                thread::spawn(|| answer(stream?));
            }
        });
        Ok(Self { api, connections })
    }

    async fn read(&self, number: usize) -> TestResult {
        let user = UserId::parse(&format!("auth0|{number}"))?;
        self.api.read(&ApiRequest::record(&endpoints::USER, &user, &Fields::All), &ample()).await?;
        Ok(())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Gives every request the same answer, which is a token and a user.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let body = r#"{"access_token": "a-token"}"#;
    let mut request = [0; 4096];
    while stream.read(&mut request)? > 0 {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_is_used_again_and_others_are_opened_only_when_all_are_in_use() -> TestResult {
    let server = KeepAliveServer::start()?;
    for number in 0..5 {
        server.read(number).await?;
    }
    assert_eq!(server.connections(), 1);
    for _ in 0..3 {
        for outcome in join_all((0..4).map(|number| server.read(number))).await {
            outcome?;
        }
    }
    assert!((2..=4).contains(&server.connections()), "{}", server.connections());
    Ok(())
}

#[tokio::test]
async fn a_connection_that_nobody_has_used_for_long_is_not_used_again() -> TestResult {
    let server = KeepAliveServer::start()?;
    server.read(1).await?;
    later(Duration::from_secs(49)).await;
    server.read(2).await?;
    assert_eq!(server.connections(), 1);
    later(Duration::from_secs(51)).await;
    server.read(3).await?;
    assert_eq!(server.connections(), 2);
    Ok(())
}
