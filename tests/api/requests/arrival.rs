//! Bodies that are too large, come too slowly, or break off.

use std::time::Duration;

use auth0_graphql::http;

use super::{GOOD, must_be_unharmed};
use crate::answer::{Answer, JSON_POST};
use crate::gateway::{Setup, TestGateway};
use crate::metrics::refused;

async fn with(settings: http::Settings) -> TestGateway {
    TestGateway::spawn_with(Setup { http: settings, ..Setup::default() }).await
}

/// A good request of exactly this many bytes.
fn sized(length: usize) -> String {
    format!("{GOOD}{}", " ".repeat(length - GOOD.len()))
}

fn chunked(body: &str) -> String {
    let (first, last) = body.split_at(body.len() / 2);
    let chunks = format!("{:x}\r\n{first}\r\n{:x}\r\n{last}\r\n0\r\n\r\n", first.len(), last.len());
    format!("{JSON_POST}Transfer-Encoding: chunked\r\n\r\n{chunks}")
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let gateway = with(http::Settings { max_body_bytes: 1_000, ..http::Settings::default() }).await;
    assert_eq!(Answer::to_post(&gateway, sized(1_000)).await.status, 200);
    assert_eq!(Answer::to(&gateway, chunked(&sized(1_000))).await.status, 200);
    let says = "larger than 1000 bytes";
    Answer::to_post(&gateway, sized(1_001)).await.must_refuse("a length", 413, "BAD_REQUEST", says);
    Answer::to(&gateway, chunked(&sized(1_001))).await.must_refuse("chunks", 413, "BAD_REQUEST", says);
    must_be_unharmed(&gateway, "bodies over the limit").await;
}

#[tokio::test]
async fn a_body_that_is_announced_over_the_limit_is_refused_before_it_is_sent() {
    // A wait for the body would end in a 408.
    let gateway = with(http::Settings { request_timeout: Duration::from_secs(2), ..http::Settings::default() }).await;
    for (what, header) in [("no body", ""), ("a client that asks first", "Expect: 100-continue\r\n")] {
        let answer = Answer::to(&gateway, format!("{JSON_POST}{header}Content-Length: 100001\r\n\r\n")).await;
        answer.must_refuse(what, 413, "BAD_REQUEST", "larger than 100000 bytes");
    }
    must_be_unharmed(&gateway, "an announcement").await;
}

#[tokio::test]
async fn clients_that_send_everything_before_they_read_see_why_it_was_too_much() {
    let gateway = TestGateway::spawn().await;
    let http2 = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    for (what, client) in [("HTTP/1.1", &gateway.http), ("HTTP/2", &http2)] {
        let request = client.post(format!("{}/graphql", gateway.url)).header("content-type", "application/json");
        let answer = Answer::from(request.body(sized(5_000_000)).send().await.unwrap()).await;
        answer.must_refuse(what, 413, "BAD_REQUEST", "larger than 100000 bytes");
    }
    // Everything is written here before the first byte is read.
    Answer::to_post(&gateway, sized(5_000_000)).await.must_refuse("a length", 413, "BAD_REQUEST", "larger");
    Answer::to(&gateway, chunked(&sized(5_000_000))).await.must_refuse("chunks", 413, "BAD_REQUEST", "larger");
    must_be_unharmed(&gateway, "large bodies").await;
}

#[tokio::test]
async fn bodies_that_do_not_come_are_waited_for_no_longer_than_the_request_may_take() {
    let gateway = with(http::Settings {
        request_timeout: Duration::from_millis(200),
        metrics: true,
        ..http::Settings::default()
    })
    .await;
    for (what, rest) in [
        ("nothing", "Content-Length: 26\r\n\r\n"),
        ("the half", "Content-Length: 26\r\n\r\n{\"query\":"),
        ("no last chunk", "Transfer-Encoding: chunked\r\n\r\n1a\r\n{\"query\":\"{ __typename }\"}\r\n"),
    ] {
        let answer = Answer::to(&gateway, format!("{JSON_POST}{rest}")).await;
        answer.must_refuse(what, 408, "BAD_REQUEST", "took too long to arrive");
        must_be_unharmed(&gateway, what).await;
    }
    assert_eq!(refused(&gateway.url, "slow_body").await, 3.0);
}

#[tokio::test]
async fn bodies_that_break_off_are_refused() {
    let gateway = TestGateway::spawn().await;
    for rest in ["Content-Length: 26\r\n\r\n{\"query\":", "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"qu"] {
        let answer = Answer::to_what_breaks_off(&gateway, format!("{JSON_POST}{rest}")).await;
        answer.must_refuse(rest, 400, "BAD_REQUEST", "broke off");
    }
    let bad_chunk = format!("{JSON_POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n");
    Answer::to(&gateway, bad_chunk).await.must_refuse("a chunk without a length", 400, "BAD_REQUEST", "broke off");
    must_be_unharmed(&gateway, "bodies that break off").await;
}
