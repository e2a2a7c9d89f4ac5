//! Faults between the gateway and Auth0: each has its code, none shows where Auth0 is, and the next request is answered.

use std::io::Write as _;
use std::time::Duration;

use auth0_graphql::graphql::{Enforcement, Limits};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::audit::logging;
use crate::gateway::{Setup, TestGateway, codes};
use crate::mock;
use crate::time::{StoppedClock, later};

/// An Auth0 that has been failing is left alone for a moment, and a failed grant is remembered for one.
const RECOVERY: Duration = Duration::from_secs(1);

/// A root field of each endpoint, with the path that it reads.
const ENDPOINTS: [(&str, &str); 6] = [
    ("users { page }", "/api/v2/users"),
    ("user(id: \"github|4000001\") { name }", "/api/v2/users/"),
    ("usersByEmail(email: \"a@example.com\") { name }", "/api/v2/users-by-email"),
    ("logs { next }", "/api/v2/logs"),
    ("searchLogs { page }", "/api/v2/logs"),
    ("log(id: \"900\") { type }", "/api/v2/logs/"),
];

/// Asks for `field`, which must fail with this code, and gives back the error.
async fn failed(gateway: &TestGateway, field: &str, code: &str) -> Value {
    let response = gateway.query(&format!("{{ {field} }}")).await;
    assert_eq!(codes(&response), [code], "{field}: {response}");
    let name = field.split(['(', ' ']).next().unwrap();
    assert_eq!(response["data"], json!({ name: null }), "{field}");
    let error = &response["errors"][0];
    assert_eq!(error["path"], json!([name]), "{field}");
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 20), "{response}");
    for hidden in ["127.0.0.1", "localhost", "://", "/api/v2", "/oauth", "html"] {
        assert!(!response.to_string().contains(hidden), "{hidden} is in {response}");
    }
    error.clone()
}

/// Asks for `field`, which must succeed.
async fn answered(gateway: &TestGateway, field: &str) {
    gateway.data(&format!("{{ {field} }}")).await;
}

/// An Auth0 that answers every read so, and a gateway to it.
async fn auth0(answer: ResponseTemplate) -> (MockServer, TestGateway) {
    let auth0 = mock::answering(answer).await;
    let gateway = mock::gateway_to(&auth0).await;
    (auth0, gateway)
}

/// A body of JSON, well-formed or not.
fn body(json: impl Into<Vec<u8>>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(json, "application/json; charset=utf-8")
}

#[tokio::test]
async fn an_auth0_that_fails_is_unavailable_at_every_endpoint() {
    let gateway = TestGateway::uncached().await;
    for (field, path) in ENDPOINTS {
        for fault in [
            json!({ "status": 500 }),
            json!({ "status": 502 }),
            json!({ "status": 503 }),
            json!({ "status": 504 }),
            json!({ "status": 408 }),
            json!("html"),
            json!("reset"),
            json!({ "body": "<html>", "status": 200 }),
            json!({ "body": "<html>", "status": 403 }),
            json!({ "body": "", "status": 200 }),
        ] {
            gateway.fault(json!({ "path": path, "times": 100, "fault": fault })).await;
            failed(&gateway, field, "UPSTREAM_UNAVAILABLE").await;
            gateway.mend().await;
            later(RECOVERY).await;
            answered(&gateway, field).await;
            gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_never_taken_for_a_whole_one() {
    let gateway = TestGateway::uncached().await;
    for field in [
        "users { nodes { userId attributes } }",
        "logs { nodes { attributes } }",
        "user(id: \"github|4000001\") { attributes }",
    ] {
        gateway.fault(json!({ "path": "/api/v2/", "times": 100, "fault": "cut" })).await;
        failed(&gateway, field, "UPSTREAM_UNAVAILABLE").await;
        gateway.mend().await;
        later(RECOVERY).await;
        answered(&gateway, field).await;
    }
}

#[tokio::test]
async fn the_reason_of_an_attempt_that_failed_is_logged_once() {
    let gateway = TestGateway::uncached().await;
    answered(&gateway, "users { page }").await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": "reset" })).await;
    let (log, _guards) = logging(tracing::Level::DEBUG);
    answered(&gateway, "users { page }").await;
    let text = log.text();
    let of_attempts = || text.lines().filter(|line| line.contains("\"auth0_graphql::auth0::transport\""));
    assert_eq!(of_attempts().filter(|line| line.contains("Auth0 gave no answer")).count(), 1, "{text}");
    assert_eq!(of_attempts().filter(|line| line.contains("cannot be reached")).count(), 1, "{text}");
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_unavailable_too() {
    for fault in [
        json!({ "status": 500 }),
        json!({ "status": 503 }),
        json!("html"),
        json!("reset"),
        json!("cut"),
        json!({ "body": "<html>", "status": 200 }),
        json!({ "body": "<html>", "status": 403 }),
    ] {
        let gateway = TestGateway::uncached().await;
        gateway.fault(json!({ "path": "/oauth/token", "times": 100, "fault": fault })).await;
        failed(&gateway, "users { page }", "UPSTREAM_UNAVAILABLE").await;
        gateway.mend().await;
        later(RECOVERY).await;
        answered(&gateway, "users { page }").await;
    }
}

#[tokio::test]
async fn an_auth0_that_does_not_answer_is_left_at_the_deadline() {
    for path in ["/oauth/token", "/api/v2/users"] {
        let gateway = TestGateway::uncached().await;
        let clock = StoppedClock::stop();
        gateway.fault(json!({ "path": path, "times": 100, "fault": { "slow": 3_600_000 } })).await;
        let waiting = failed(&gateway, "users { page }", "UPSTREAM_TIMEOUT");
        let deadline = async {
            while !gateway.all_calls().await.iter().any(|call| call.path == path) {}
            clock.advance(Duration::from_secs(10)).await;
        };
        tokio::join!(waiting, deadline);
        gateway.mend().await;
        clock.advance(RECOVERY).await;
        answered(&gateway, "users { page }").await;
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_slow_field_does_not_hold_the_others_beyond_the_deadline() {
    let gateway = TestGateway::uncached().await;
    let clock = StoppedClock::stop();
    answered(&gateway, "users { page }").await;
    gateway.forget_calls().await;
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 100, "fault": { "slow": 3_600_000 } })).await;
    let waiting = gateway.query("{ users { page } logs { next } gateway { mode } }");
    let deadline = async {
        while gateway.calls().await.len() < 2 {}
        clock.advance(Duration::from_secs(10)).await;
    };
    let (response, ()) = tokio::join!(waiting, deadline);
    assert_eq!(codes(&response), ["UPSTREAM_TIMEOUT"], "{response}");
    assert_eq!(response["data"], json!({ "users": { "page": 0 }, "logs": null, "gateway": { "mode": "TENANT" } }));
}

#[tokio::test]
async fn a_rate_limit_is_passed_on_with_the_time_to_wait() {
    for (field, path) in ENDPOINTS {
        let gateway = TestGateway::uncached().await;
        gateway.fault(json!({ "path": path, "times": 100, "fault": { "status": 429, "retryAfter": 60 } })).await;
        let error = failed(&gateway, field, "RATE_LIMITED").await;
        assert!(error["message"].as_str().unwrap().contains("60 s"), "{error}");
        assert_eq!(error["extensions"]["retryAfterMs"], 60_000, "{error}");
        gateway.mend().await;
        later(Duration::from_secs(60)).await;
        answered(&gateway, field).await;
    }
    let gateway = TestGateway::uncached().await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 100, "fault": { "status": 429 } })).await;
    failed(&gateway, "users { page }", "RATE_LIMITED").await;
}

#[tokio::test]
async fn the_plan_s_own_limit_is_passed_on() {
    let setup = Setup::uncached();
    let sandbox = auth0_graphql::sandbox::Options { plan: auth0_graphql::sandbox::Plan::Free, ..setup.sandbox };
    let gateway = TestGateway::spawn_with(Setup { sandbox, ..setup }).await;
    let aliases: String = (1..=12).map(|n| format!("a{n}: users(perPage: {n}) {{ page }} ")).collect();
    let response = gateway.query(&format!("{{ {aliases} }}")).await;
    let answered = response["data"].as_object().unwrap().values().filter(|page| !page.is_null()).count();
    assert!(answered >= 2, "{response}");
    assert!(codes(&response).iter().all(|code| *code == "RATE_LIMITED"), "{response}");
    assert_eq!(answered + codes(&response).len(), 12);
}

#[tokio::test]
async fn refusals_that_only_an_operator_can_mend_are_tried_once() {
    let gateway = TestGateway::uncached().await;
    for (field, path) in ENDPOINTS {
        for fault in [
            json!({ "status": 403 }),
            json!({ "status": 404 }),
            json!({ "body": "<html>", "status": 404 }),
            json!({ "body": "", "status": 301 }),
        ] {
            gateway.forget_calls().await;
            gateway.fault(json!({ "path": path, "times": 100, "fault": fault })).await;
            failed(&gateway, field, "UPSTREAM_MISCONFIGURED").await;
            assert_eq!(gateway.calls().await.len(), 1, "{field} {fault}");
            gateway.mend().await;
            answered(&gateway, field).await;
            gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
        }
    }
}

#[tokio::test]
async fn a_plan_that_leaves_something_out_is_told() {
    let gateway = TestGateway::uncached().await;
    let refusal = json!({
        "statusCode": 403, "error": "Forbidden", "errorCode": "insufficient_entitlement",
        "message": "Please upgrade your subscription to use this",
    });
    gateway.fault(json!({ "path": "/api/v2/logs", "fault": { "status": 403, "body": refusal.to_string() } })).await;
    let error = failed(&gateway, "logs { next }", "UPSTREAM_MISCONFIGURED").await;
    assert_eq!(error["message"], "The Auth0 subscription of this tenant does not include this");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = MockServer::start().await;
    let redirect = ResponseTemplate::new(302).insert_header("location", format!("{}/api/v2/users", elsewhere.uri()));
    let (_auth0, gateway) = auth0(redirect).await;
    failed(&gateway, "users { page }", "UPSTREAM_MISCONFIGURED").await;
    assert!(elsewhere.received_requests().await.unwrap().is_empty(), "the token was carried elsewhere");
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_unavailable() {
    let port = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let setup = Setup { upstream: Some(format!("http://127.0.0.1:{port}")), ..Setup::uncached() };
    let gateway = TestGateway::spawn_with(setup).await;
    let error = failed(&gateway, "users { page }", "UPSTREAM_UNAVAILABLE").await;
    assert!(!error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn what_is_not_the_json_of_the_endpoint_is_unavailable() {
    for json in [
        &b""[..],
        b"<html>",
        b"null",
        b"17",
        b"\"users\"",
        b"{}",
        b"{\"users\":{}}",
        b"{\"users\":null,\"total\":3}",
        b"{\"roles\":[]}",
        b"[1",
        b"[] []",
        b"[{\"user_id\":\"auth0|1\"},]",
        b"[{\"user_id\":\"auth0|\xff\"}]",
        b"\xef\xbb\xbf[]",
        b"[{user_id:1}]",
    ] {
        let (_auth0, gateway) = auth0(body(json)).await;
        for field in [
            "users { nodes { name } total }",
            "usersByEmail(email: \"a\") { name }",
            "logs { next }",
            "logs(from: \"9\") { nodes { type } }",
            "user(id: \"a\") { name }",
            "log(id: \"9\") { type }",
        ] {
            // An object is a record.
            if json.starts_with(b"{") && (field.starts_with("user(") || field.starts_with("log(")) {
                continue;
            }
            failed(&gateway, field, "UPSTREAM_UNAVAILABLE").await;
        }
    }
    for json in ["[]", "[{\"name\":\"Ada\"}]"] {
        let (_auth0, gateway) = auth0(body(json)).await;
        for field in ["user(id: \"a\") { name }", "log(id: \"9\") { type }"] {
            failed(&gateway, field, "UPSTREAM_UNAVAILABLE").await;
        }
    }
}

#[tokio::test]
async fn odd_records_spoil_no_page() {
    let list = r#"[null, 1, "x", [], {"name":"Ada","name":"Ada B","email":"\ud800","n\u0069ckname":"a","x":1e400},
        {"user_id":9223372036854775808,"logins_count":2147483648,"created_at":0,"identities":[null,{"user_id":1.5}]}, {}]"#;
    let (_auth0, gateway) = auth0(body(list)).await;
    let mut response = gateway
        .query("{ users { nodes { userId name email nickname loginsCount createdAt identities { userId } } total hasNextPage } }")
        .await;
    let data = response["data"].take();
    assert_eq!(codes(&response), ["UPSTREAM_UNAVAILABLE"; 2]);
    let left_out = |error: usize| {
        let error = &response["errors"][error];
        json!([error["path"], error["extensions"]["leftOut"], error["locations"][0]["column"]])
    };
    assert_eq!(left_out(0), json!([["users", "nodes", 1, "identities"], 1, 68]));
    assert_eq!(left_out(1), json!([["users", "nodes"], 4, 11]));
    let nobody = json!({
        "userId": null, "name": null, "email": null, "nickname": null, "loginsCount": null, "createdAt": null, "identities": null,
    });
    let with = |differences: Value| {
        let mut node = nobody.clone();
        node.as_object_mut().unwrap().extend(differences.as_object().unwrap().clone());
        node
    };
    let nodes = json!([
        with(json!({ "name": "Ada B", "email": "\u{fffd}", "nickname": "a" })),
        with(json!({ "userId": "9223372036854775808", "identities": [{ "userId": null }] })),
        nobody,
    ]);
    assert_eq!(data["users"], json!({ "nodes": nodes, "total": null, "hasNextPage": false }));
}

#[tokio::test]
async fn json_is_read_whatever_its_content_type_says() {
    let answer = ResponseTemplate::new(200).set_body_raw(r#"[{"name":"Ada"}]"#, "text/plain");
    let (_auth0, gateway) = auth0(answer).await;
    let data = gateway.data("{ users { nodes { name } } }").await;
    assert_eq!(data["users"]["nodes"], json!([{ "name": "Ada" }]));
}

#[tokio::test]
async fn an_answer_beyond_reason_is_not_taken_in() {
    let huge = format!(r#"[{{"name":"{}"}}]"#, "a".repeat(17 << 20));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(huge.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 1 << 20);
    for answer in [body(huge), body(packed).insert_header("content-encoding", "gzip")] {
        let (auth0, gateway) = auth0(answer).await;
        let error = failed(&gateway, "users { nodes { name } }", "UPSTREAM_UNAVAILABLE").await;
        assert!(error["message"].as_str().unwrap().contains("fewer records"), "{error}");
        let small = body(r#"[{"name":"Ada"}]"#);
        Mock::given(path("/api/v2/users-by-email")).respond_with(small).with_priority(1).mount(&auth0).await;
        answered(&gateway, "usersByEmail(email: \"a\") { name }").await;
    }
}

#[tokio::test]
async fn packed_answers_are_unpacked() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(br#"{"users":[{"name":"Ada"}],"total":7}"#).unwrap();
    let answer = body(packed.finish().unwrap()).insert_header("content-encoding", "gzip");
    let (_auth0, gateway) = auth0(answer).await;
    let data = gateway.data("{ users { nodes { name } total } }").await;
    assert_eq!(data["users"], json!({ "nodes": [{ "name": "Ada" }], "total": 7 }));
}

#[tokio::test]
async fn a_refusal_that_no_caller_can_mend_is_the_operator_s() {
    let gateway = TestGateway::uncached().await;
    for status in [402, 409, 415, 418] {
        let body = json!({ "statusCode": status, "error": "No", "message": "An internal matter.", "errorCode": "odd" });
        gateway.fault(json!({ "path": "/api/v2/logs", "fault": { "status": status, "body": body.to_string() } })).await;
        let response = gateway.query("{ logs { next } }").await;
        assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"], "{response}");
        assert!(!response.to_string().contains("internal matter"), "{response}");
    }
}

#[tokio::test]
async fn an_explanation_in_oauth_s_form_is_read() {
    let gateway = TestGateway::uncached().await;
    let body = json!({ "error": "invalid_request", "error_description": "The\u{202e} sort is\u{200b} unknown." });
    gateway.fault(json!({ "path": "/api/v2/logs", "fault": { "status": 400, "body": body.to_string() } })).await;
    let response = gateway.query("{ logs { next } }").await;
    assert_eq!(codes(&response), ["UPSTREAM_REJECTED"], "{response}");
    let error = &response["errors"][0];
    assert_eq!(error["message"], json!("Auth0 refused the request: The sort is unknown."));
    assert_eq!(error["extensions"]["auth0Code"], json!("invalid_request"));
}

#[tokio::test]
async fn an_answer_that_memory_has_no_room_for_is_refused_even_where_limits_are_only_measured() {
    let record = json!({ "user_id": "auth0|1", "user_metadata": { "much": "a".repeat(4 << 20) } });
    let auth0 = mock::answering(ResponseTemplate::new(200).set_body_json(json!([record]))).await;
    let limits = Limits { enforcement: Enforcement::Measure, ..Limits::default() };
    let gateway = TestGateway::spawn_with(Setup { upstream: Some(auth0.uri()), limits, ..Setup::uncached() }).await;
    let aliases = |count| (0..count).map(|n| format!("a{n}: userMetadata ")).collect::<String>();
    let fits = gateway.query(&format!("{{ users {{ nodes {{ {} }} }} }}", aliases(3))).await;
    assert_eq!(codes(&fits), [""; 0]);
    for query in [
        format!("{{ users {{ nodes {{ {} }} }} }}", aliases(9)),
        format!("{{ usersByEmail(email: \"a@example.com\") {{ {} }} }}", aliases(9)),
    ] {
        let response = gateway.query(&query).await;
        assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"]);
        assert_eq!(response["errors"][0]["extensions"]["measure"], "answer bytes");
        assert!(response["data"].as_object().unwrap().values().all(Value::is_null));
    }
    // Together as alone.
    let both = format!("{{ a: users {{ nodes {{ {0} }} }} b: users(page: 1) {{ nodes {{ {0} }} }} }}", aliases(5));
    let response = gateway.query(&both).await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"]);
    assert_eq!(response["errors"][0]["path"], json!(["b"]));
    assert!(response["data"]["a"].is_object());
}
