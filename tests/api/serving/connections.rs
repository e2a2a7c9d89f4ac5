//! Connections that are silent, slow, idle, greedy or too many.

use std::num::NonZeroUsize;

use auth0_graphql::http::{self, Connections};

use super::http2::{
    DATA, ENHANCE_YOUR_CALM, GOAWAY, Http2, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE,
    RST_STREAM, SETTINGS, frame, get_livez,
};
use super::{LIVEZ, NEVER, PATIENT, SHORT, Serving, patient, users};

async fn with(connections: Connections) -> Serving {
    Serving::start(http::Settings { connections, ..patient() }).await
}

#[tokio::test]
async fn a_request_s_head_has_to_come_in_time() {
    let serving = with(Connections { head_timeout: SHORT, ..PATIENT }).await;
    for head in ["", "G", "GET /livez HTTP/1.1\r\nHost: local", "PRI * HTTP/2.0\r\n"] {
        let mut client = serving.connect().await;
        client.write(head).await;
        assert_eq!(client.rest().await, "", "{head}");
    }
    // The second on a connection as well.
    let mut client = serving.connect().await;
    client.write(LIVEZ).await;
    assert!(client.read_until("ok\n").await.starts_with("HTTP/1.1 200 OK"));
    client.write("GET /livez HTTP/1.1\r\nHo").await;
    assert_eq!(client.rest().await, "");

    let frames = Http2::connect(serving.address, &[]).await.rest().await;
    assert!(frames.iter().any(|frame| frame.kind == GOAWAY), "{frames:?}");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let serving = with(Connections { idle_timeout: SHORT, ..PATIENT }).await;
    let mut client = serving.connect().await;
    client.write(LIVEZ).await;
    assert!(client.rest().await.ends_with("\r\n\r\nok\n"));

    let mut client = Http2::connect(serving.address, &[]).await;
    client.write(&get_livez(1)).await;
    let frames = client.rest().await;
    assert!(frames.iter().any(|frame| frame.kind == DATA && frame.payload == b"ok\n"), "{frames:?}");
    assert!(frames.iter().any(|frame| frame.kind == GOAWAY), "{frames:?}");
}

#[tokio::test]
async fn a_connection_is_kept_while_a_request_is_under_way() {
    let mut serving = with(Connections { head_timeout: SHORT, idle_timeout: SHORT, ..PATIENT }).await;
    let client = serving.ask().await;
    let call = serving.auth0.call().await;
    // Others come and go meanwhile, over the same times.
    for _ in 0..3 {
        assert_eq!(serving.connect().await.rest().await, "");
    }
    call.answer().await;
    let answer = client.rest().await;
    assert!(answer.ends_with(r#"{"data":{"users":{"nodes":[]}}}"#), "{answer}");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let serving = with(Connections { idle_timeout: SHORT, ..PATIENT }).await;
    // With this window the server may not send the body.
    let mut client = Http2::connect(serving.address, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.write(&get_livez(1)).await;
    let frames = client.rest().await;
    assert!(!frames.iter().any(|frame| frame.kind == DATA), "{frames:?}");
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed() {
    let serving = with(Connections { most: NonZeroUsize::new(2).unwrap(), ..PATIENT }).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = serving.connect().await;
        client.write(LIVEZ).await;
        assert!(client.read_until("ok\n").await.starts_with("HTTP/1.1 200 OK"));
        kept.push(client);
    }
    for _ in 0..3 {
        assert_eq!(serving.connect().await.rest().await, "");
    }
    for client in &mut kept {
        client.write(LIVEZ).await;
        assert!(client.read_until("ok\n").await.starts_with("HTTP/1.1 200 OK"));
    }
    kept.pop();
    // The server sees that it is gone, sooner or later.
    while serving.get("/livez").await.is_err() {}
}

#[tokio::test]
async fn http_2_clients_are_told_their_bounds() {
    let serving = Serving::start(patient()).await;
    let mut client = Http2::connect(serving.address, &[]).await;
    let settings = client.frame().await.unwrap();
    assert_eq!((settings.kind, settings.flags), (SETTINGS, 0));
    let settings: Vec<_> = settings.payload.chunks(6).map(|setting| setting.split_at(2)).collect();
    for (name, value) in
        [(MAX_CONCURRENT_STREAMS, 50_u32), (MAX_HEADER_LIST_SIZE, 128 * 1024), (INITIAL_WINDOW_SIZE, 64 * 1024)]
    {
        let expected = (&name.to_be_bytes()[..], &value.to_be_bytes()[..]);
        assert!(settings.contains(&expected), "{name} in {settings:?}");
    }
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_connection() {
    let serving = Serving::start(patient()).await;
    let mut client = Http2::connect(serving.address, &[]).await;
    let resets =
        (0..1_000).flat_map(|n| [get_livez(2 * n + 1), frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat());
    let resets: Vec<_> = resets.collect();
    client.write(&resets).await;
    let frames = client.rest().await;
    let farewell = frames.iter().find(|frame| frame.kind == GOAWAY).unwrap();
    assert_eq!(farewell.payload[4..8], ENHANCE_YOUR_CALM.to_be_bytes());
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let serving = Serving::start(patient()).await;
    let mut client = serving.connect().await;
    client.write(&format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: {}", "x".repeat(140_000))).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn calls_that_nobody_waits_for_any_more_are_given_up() {
    let mut serving = Serving::start(http::Settings { request_timeout: NEVER, ..patient() }).await;
    let client = serving.ask().await;
    let call = serving.auth0.call().await;
    drop(client);
    call.given_up().await;

    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let (_, body) = users().split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.to_owned())).unwrap();
    let request = client.post(format!("{}/graphql", serving.url)).header("content-type", "application/json").body(body);
    let asking = tokio::spawn(request.send());
    let call = serving.auth0.call().await;
    // Only the stream is reset; the connection stays.
    asking.abort();
    call.given_up().await;
}
