//! The end of serving: with nothing half done, and in bounded time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth0_graphql::http::{self, Connections};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};

use super::http2::{Http2, INITIAL_WINDOW_SIZE, get_livez};
use super::{LIVEZ, NEVER, PATIENT, SHORT, Serving, patient};
use crate::time::StoppedClock;

#[tokio::test]
async fn what_is_under_way_is_finished_and_nothing_is_begun() {
    let mut serving = Serving::start(patient()).await;
    let mut idle = serving.connect().await;
    idle.write(LIVEZ).await;
    assert!(idle.read_until("ok\n").await.starts_with("HTTP/1.1 200 OK"));
    let client = serving.ask().await;
    let call = serving.auth0.call().await;

    serving.stop();
    assert_eq!(idle.rest().await, "");
    while TcpStream::connect(serving.address).await.is_ok() {}
    assert!(!serving.ended.is_finished(), "a request is under way");

    call.answer().await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with(r#"{"data":{"users":{"nodes":[]}}}"#), "{answer}");
    serving.ended.await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_on_its_way_is_answered_and_the_connection_closed() {
    let mut serving = Serving::start(patient()).await;
    let mut used = serving.connect().await;
    used.write(LIVEZ).await;
    used.read_until("ok\n").await;
    let new = serving.connect().await;
    // The moment for a last request lasts until the test is through with it.
    let clock = StoppedClock::stop();
    serving.stop();
    while TcpStream::connect(serving.address).await.is_ok() {}
    for mut client in [used, new] {
        client.write(LIVEZ).await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    drop(clock);
    tokio::time::resume();
    serving.ended.await.unwrap();
}

#[tokio::test]
async fn clients_are_told_to_leave_their_connections_before_these_end() {
    let mut serving = Serving::start(http::Settings { shutdown_delay: NEVER, ..patient() }).await;
    let mut client = serving.connect().await;
    client.write(LIVEZ).await;
    assert!(!client.read_until("ok\n").await.contains("connection: close"));
    serving.stop();
    while serving.get("/readyz").await.unwrap().status() == 200 {}
    client.write(LIVEZ).await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off() {
    let connections = Connections { drain_timeout: SHORT, ..PATIENT };
    let mut serving = Serving::start(http::Settings { request_timeout: SHORT, connections, ..patient() }).await;
    // With this window the server may not send the body.
    let mut client = Http2::connect(serving.address, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.write(&get_livez(1)).await;
    while client.frame().await.unwrap().kind != super::http2::HEADERS {}
    serving.stop();
    serving.ended.await.unwrap();
    client.rest().await;
}

#[tokio::test]
async fn load_balancers_are_told_before_requests_are_refused() {
    let mut serving = Serving::start(http::Settings { shutdown_delay: NEVER, ..patient() }).await;
    let ready = async |serving: &Serving| {
        let response = serving.get("/readyz").await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(ready(&serving).await, (200, "ok\n".to_owned()));
    serving.stop();
    while ready(&serving).await.0 == 200 {}
    assert_eq!(ready(&serving).await, (503, "stopping\n".to_owned()));
    assert_eq!(serving.get("/livez").await.unwrap().status(), 200);

    let mut client = serving.ask().await;
    serving.auth0.call().await.answer().await;
    let answer = client.read_until("}}}").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn strangers_who_keep_connecting_delay_no_stop_and_subscribers_are_told_of_it() {
    const STRANGERS: usize = 100;
    let connections = Connections { most: NonZeroUsize::MIN, drain_timeout: SHORT, ..PATIENT };
    let mut serving = Serving::start(http::Settings { request_timeout: SHORT, connections, ..patient() }).await;
    let mut subscriber = serving.connect().await;
    let body = r#"{"query":"subscription { logs { logId } }"}"#;
    let head =
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: text/event-stream";
    subscriber.write(&format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    let begun = subscriber.read_until(":\n\n\r\n").await;
    assert!(begun.starts_with("HTTP/1.1 200 OK"), "{begun}");

    let (address, connected) = (serving.address, Arc::new(AtomicUsize::new(0)));
    let mut strangers = JoinSet::new();
    for _ in 0..STRANGERS {
        let connected = Arc::clone(&connected);
        strangers.spawn(async move {
            loop {
                if let Ok(mut stream) = TcpStream::connect(address).await {
                    connected.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(b"G").await;
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
                yield_now().await;
            }
        });
    }
    while connected.load(Ordering::SeqCst) < STRANGERS {
        yield_now().await;
    }
    serving.stop();
    serving.ended.await.unwrap();
    let told = subscriber.rest().await;
    assert!(told.contains("GATEWAY_STOPPING") && told.contains("event: complete"), "{told}");
}

#[tokio::test]
async fn the_admin_address_answers_until_the_last_request_is_finished() {
    let admin = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", admin.local_addr().unwrap());
    let mut serving = Serving::start_with(patient(), |app| app.with_admin(admin)).await;
    let client = serving.ask().await;
    let call = serving.auth0.call().await;
    serving.stop();
    while TcpStream::connect(serving.address).await.is_ok() {}
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, expected) in [("/readyz", (503, "stopping\n")), ("/livez", (200, "ok\n"))] {
        let answer = http.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), expected, "{path}");
    }
    call.answer().await;
    assert!(client.rest().await.starts_with("HTTP/1.1 200 OK"));
    // The client keeps its connection to the admin address, which is not waited for.
    serving.ended.await.unwrap();
    http.get(url).send().await.unwrap_err();
}
