//! Answers that no tenant would give, and none at all.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::super::error::BODY_LIMIT;
use super::super::{
    ApiRequest, CallContext, Error, Fields, ManagementApi, MisconfigurationError, Page, UnavailableReason, UserSearch,
    endpoints,
};
use super::{Tenant, TestResult, ample, array, client, within};

async fn read(api: &ManagementApi, context: &CallContext) -> Result<Page, Error> {
    match UserSearch::new(None, 0, 1, None) {
        Ok(search) => api.read(&ApiRequest::list(&endpoints::USERS, &search, &Fields::All), context).await,
        Err(_) => unreachable!("the search is valid"),
    }
}

/// A client of a server on a bare socket, which grants a token, then answers every read with these
/// very bytes and hangs up.
fn raw(answer: Vec<u8>) -> Result<ManagementApi, Box<dyn std::error::Error>> {
    scripted(std::iter::repeat(answer))
}

/// The same, with other bytes for each read.
pub(super) fn scripted(
    mut answers: impl Iterator<Item = Vec<u8>> + Send + 'static,
) -> Result<ManagementApi, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream?;
            let mut request = [0; 4096];
            let length = stream.read(&mut request)?;
            if request[..length].starts_with(b"POST") {
                let body = json!({"access_token": "token-1"}).to_string();
                let length = body.len();
                write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")?;
            } else {
                stream.write_all(&answers.next().unwrap_or_default())?;
            }
        }
        Ok::<_, std::io::Error>(())
    });
    client(&address)
}

fn reason(outcome: Result<Page, Error>) -> Option<UnavailableReason> {
    match outcome {
        Err(Error::Unavailable(error)) => Some(error.reason),
        _ => None,
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_outage() -> TestResult {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[{\"user_id\"", UnavailableReason::Interrupted),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n[1,2]\r\n", UnavailableReason::Interrupted),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n[]", UnavailableReason::Interrupted),
        ("HTTP/1.1 200 OK\r\n", UnavailableReason::Connection),
        ("garbage", UnavailableReason::Connection),
        ("", UnavailableReason::Connection),
    ] {
        let outcome = read(&raw(answer.into())?, &ample()).await;
        assert_eq!(reason(outcome), Some(expected), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() -> TestResult {
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let endless = format!("{head}{}", chunk.repeat((BODY_LIMIT >> 20) + 1));
    assert_eq!(reason(read(&raw(endless.into())?, &ample()).await), Some(UnavailableReason::TooLarge));

    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n[", BODY_LIMIT + 1);
    assert_eq!(reason(read(&raw(announced.into())?, &ample()).await), Some(UnavailableReason::TooLarge));
    Ok(())
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() -> TestResult {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2,\r\n2\r\n3]\r\n0\r\n\r\n";
    assert_eq!(read(&raw(answer.into())?, &ample()).await?.records, "[1,2,3]");
    Ok(())
}

/// An answer that is packed.
fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // A vector takes everything.
    encoder.write_all(body).unwrap();
    let body = encoder.finish().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

#[tokio::test]
async fn a_packed_body_is_unpacked_up_to_the_limit() -> TestResult {
    assert_eq!(read(&raw(packed(b"[1,2,3]"))?, &ample()).await?.records, "[1,2,3]");
    let list = |blanks: usize| [b"[", &vec![b' '; blanks][..], b"]"].concat();
    assert_eq!(read(&raw(packed(&list(BODY_LIMIT - 2)))?, &ample()).await?.records.len(), BODY_LIMIT);
    assert_eq!(reason(read(&raw(packed(&list(BODY_LIMIT - 1)))?, &ample()).await), Some(UnavailableReason::TooLarge));
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_what_was_asked_for_is_an_outage() -> TestResult {
    for (body, expected) in [
        ("<html><title>502</title></html>", UnavailableReason::NotJson),
        ("[1", UnavailableReason::NotJson),
        ("{}", UnavailableReason::Unexpected),
        ("null", UnavailableReason::Unexpected),
    ] {
        let tenant = Tenant::granting().await?;
        tenant.answers("/api/v2/users", array(body)).await;
        assert_eq!(reason(read(&tenant.api, &ample()).await), Some(expected), "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_not_followed() -> TestResult {
    let tenant = Tenant::granting().await?;
    let elsewhere = format!("{}/elsewhere", tenant.server.uri());
    let redirect = ResponseTemplate::new(302).insert_header("location", elsewhere);
    tenant.answers("/api/v2/users", redirect).await;
    let outcome = read(&tenant.api, &ample()).await;
    let Err(Error::Misconfigured { what, .. }) = outcome else {
        unreachable!("{outcome:?}");
    };
    assert_eq!(what, MisconfigurationError::Redirected(302));
    assert_eq!(tenant.reads().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_silent_server_is_left_at_the_deadline() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.answers("/api/v2/users", array("[]").set_delay(Duration::from_secs(60))).await;
    let outcome = read(&tenant.api, &within(Duration::from_millis(50))).await;
    assert!(matches!(outcome, Err(Error::Timeout)), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn no_error_shows_where_auth0_is() -> TestResult {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    drop(listener);
    let api = client(&format!("http://127.0.0.1:{port}"))?;
    let Err(error) = read(&api, &ample()).await else {
        unreachable!("nobody listens there");
    };
    insta::assert_snapshot!(error, @"Auth0 cannot be reached: try again in a moment");
    assert!(error.causes().contains("refused"), "{}", error.causes());
    assert!(!error.causes().contains("/oauth/token"), "{}", error.causes());
    Ok(())
}
