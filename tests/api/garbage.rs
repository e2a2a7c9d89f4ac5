//! Answers that no Auth0 would give: each is refused with a code, shows nothing, and spoils nothing for the next request.

use std::io::Write as _;

use serde_json::json;
use wiremock::matchers::path;
use wiremock::{Mock, ResponseTemplate};

use crate::audit::logging;
use crate::gateway::codes;
use crate::mock;

/// Text that no error may show: it stands in every answer that is garbage.
const SECRET: &str = "kept-to-ourselves";

/// Has Auth0 answer the user search so, which must fail, and other reads properly, which must succeed.
async fn refused(what: &str, answer: ResponseTemplate) {
    let auth0 = mock::answering(ResponseTemplate::new(200).set_body_json(json!([{ "name": "Ada" }]))).await;
    Mock::given(path("/api/v2/users")).respond_with(answer).with_priority(1).mount(&auth0).await;
    let gateway = mock::gateway_to(&auth0).await;
    let response = gateway.query("{ users { nodes { name } } gateway { mode } }").await;
    assert_eq!(codes(&response), ["UPSTREAM_UNAVAILABLE"], "{what}: {response}");
    assert_eq!(response["data"], json!({ "users": null, "gateway": { "mode": "TENANT" } }), "{what}");
    assert!(response["errors"][0]["message"].as_str().is_some_and(|message| message.len() > 20), "{what}: {response}");
    for hidden in [SECRET, "127.0.0.1", "://", "/api/v2", "gzip", "header", "hyper"] {
        assert!(!response.to_string().contains(hidden), "{what}: {hidden} is in {response}");
    }
    let next = gateway.data("{ usersByEmail(email: \"a@example.com\") { name } }").await;
    assert_eq!(next, json!({ "usersByEmail": [{ "name": "Ada" }] }), "{what}");
}

fn json_body(body: impl Into<Vec<u8>>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(body).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn a_flood_of_headers_is_not_taken_in() {
    let many = (0..500).fold(json_body("[]"), |answer, n| answer.append_header(format!("x-{SECRET}-{n}"), SECRET));
    refused("many", many).await;
    refused("long", json_body("[]").append_header("x-long", SECRET.repeat(1 << 16))).await;
}

#[tokio::test]
async fn headers_that_are_only_many_do_no_harm() {
    let answer = json_body(r#"[{"name":"Ada"}]"#);
    let many = (0..60).fold(answer, |answer, _| answer.append_header("x-ratelimit-limit", "7"));
    let auth0 = mock::answering(many).await;
    let gateway = mock::gateway_to(&auth0).await;
    assert_eq!(gateway.data("{ users { nodes { name } } }").await["users"]["nodes"], json!([{ "name": "Ada" }]));
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_refused() {
    let page = packed(format!(r#"[{{"name":"{}"}}]"#, SECRET.repeat(1_000)).as_bytes());
    let mut damaged = page.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    for (what, body) in [
        ("not packed at all", format!(r#"[{{"name":"{SECRET}"}}]"#).into_bytes()),
        ("cut", page[..page.len() / 2].to_vec()),
        ("without its end", page[..page.len() - 8].to_vec()),
        ("damaged", damaged),
        ("packed twice", packed(&page)),
    ] {
        refused(what, json_body(body).insert_header("content-encoding", "gzip")).await;
    }
    refused("packed otherwise", json_body(page).insert_header("content-encoding", SECRET)).await;
}

#[tokio::test]
async fn a_body_beyond_reason_is_refused() {
    let mut huge = vec![b' '; 100 << 20];
    huge[0] = b'[';
    *huge.last_mut().unwrap() = b']';
    refused("packed", json_body(packed(&huge)).insert_header("content-encoding", "gzip")).await;
    refused("announced", json_body(huge)).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_not_kept() {
    let auth0 = mock::answering(json_body(r#"[{"name":"Ada"}]"#)).await;
    let spoiled = Mock::given(path("/api/v2/users")).respond_with(json_body(r#"[{"name":}]"#));
    spoiled.up_to_n_times(1).with_priority(1).mount(&auth0).await;
    let gateway = mock::gateway_to(&auth0).await;
    let query = "{ users { nodes { name } } }";
    assert_eq!(codes(&gateway.query(query).await), ["UPSTREAM_UNAVAILABLE"]);
    assert_eq!(gateway.data(query).await["users"]["nodes"], json!([{ "name": "Ada" }]));
}

#[tokio::test]
async fn users_who_have_no_place_in_a_connection_are_left_out_of_it_and_that_is_told_and_logged() {
    let placed = json!({ "user_id": "auth0|1", "created_at": "2026-01-01T00:00:00.000Z" });
    let users = json!({ "users": [placed, { "user_id": "auth0|2", "created_at": "long ago" }] });
    let auth0 = mock::answering(ResponseTemplate::new(200).set_body_json(users)).await;
    let gateway = mock::gateway_to(&auth0).await;
    let (log, _guards) = logging(tracing::Level::WARN);
    let response = gateway.query("{ usersConnection(first: 2) { nodes { userId } } }").await;
    assert_eq!(response["data"]["usersConnection"]["nodes"], json!([{ "userId": "auth0|1" }]));
    assert_eq!(codes(&response), ["UPSTREAM_UNAVAILABLE"], "{response}");
    assert_eq!(response["errors"][0]["extensions"]["count"], 1);
    let text = log.text();
    assert!(text.contains("records of a connection were left out") && !text.contains("auth0|2"), "{text}");
}
