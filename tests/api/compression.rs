//! Large answers are sent compressed to those who take that.

use async_compression::tokio::write::{BrotliDecoder, GzipDecoder};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::answer::Answer;
use crate::gateway::TestGateway;

const LARGE: &str = "/graphql?query={users(perPage:50){nodes{userId%20name%20email}}}";
const SMALL: &str = "/graphql?query={users(perPage:1){nodes{userId}}}";

async fn get(gateway: &TestGateway, target: &str, accept_encoding: &str) -> Answer {
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let request = client.get(format!("{}{target}", gateway.url)).header("accept-encoding", accept_encoding);
    Answer::from(request.send().await.unwrap()).await
}

async fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    async fn through(mut decoder: impl AsyncWrite + Unpin, bytes: &[u8]) {
        decoder.write_all(bytes).await.unwrap();
        decoder.shutdown().await.unwrap();
    }
    let mut content = Vec::new();
    match coding {
        "br" => through(BrotliDecoder::new(&mut content), bytes).await,
        "gzip" => through(GzipDecoder::new(&mut content), bytes).await,
        other => panic!("no decoder for {other:?}"),
    }
    content
}

#[tokio::test]
async fn large_answers_are_the_same_in_every_coding() {
    let gateway = TestGateway::spawn().await;
    let plain = get(&gateway, LARGE, "identity").await;
    assert_eq!((plain.status, plain.header("content-encoding")), (200, ""));
    assert_eq!(plain.header("vary"), "accept");
    for (accept_encoding, coding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, zstd", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("*", "br"),
        ("identity;q=0, gzip;q=0.5", "gzip"),
    ] {
        let answer = get(&gateway, LARGE, accept_encoding).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, coding), "{accept_encoding}");
        assert_eq!(answer.header("content-type"), plain.header("content-type"));
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["accept", "accept-encoding"]);
        assert!(answer.body.len() < plain.body.len() / 2, "{coding}: {} bytes", answer.body.len());
        assert_eq!(decoded(coding, &answer.body).await, plain.body, "{coding}");
    }
}

#[tokio::test]
async fn small_answers_and_those_for_whom_it_is_nothing_are_sent_as_they_are() {
    let gateway = TestGateway::spawn().await;
    let answer = get(&gateway, SMALL, "gzip, br, zstd").await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, ""));
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    // Node.js 20 offers zstd, and libraries on it fail at reading it.
    for accept_encoding in
        ["", "zstd", "deflate", "gzip;q=0", "nonsense", "*;q=0", "identity;q=0", "identity;q=0, *;q=0"]
    {
        let answer = get(&gateway, LARGE, accept_encoding).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, ""), "{accept_encoding}");
        assert!(answer.json()["data"]["users"]["nodes"][49].is_object(), "{accept_encoding}");
    }
}
