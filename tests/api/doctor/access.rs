//! Refusals by Auth0.

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use super::{Doctor, ENDPOINTS, client, of_health, of_mock, sandbox};
use crate::mock::answering;

#[tokio::test]
async fn a_wrong_secret_is_told_and_what_depends_on_it_skipped() {
    let sandbox = sandbox().await;
    let examined = of_health(&sandbox).with("AUTH0_CLIENT_SECRET", "not-the-one-it-is").examine().await;
    assert!(examined.failed(&["token"]).contains("AUTH0_CLIENT_SECRET"), "{examined:#?}");
    assert_eq!(examined.that_are("skipped"), [&["tls", "audience"][..], &ENDPOINTS, &["scopes", "plan"]].concat());
}

#[tokio::test]
async fn an_application_that_is_not_authorized_is_told() {
    let sandbox = sandbox().await;
    let client = client(&sandbox, json!({ "scopes": [], "audience": false })).await;
    let examined = Doctor::of_client(&sandbox, &client).examine().await;
    assert!(examined.failed(&["audience"]).contains("authorize the application"), "{examined:#?}");
}

#[tokio::test]
async fn an_application_that_may_not_use_the_grant_is_told() {
    let sandbox = sandbox().await;
    let client = client(&sandbox, json!({ "scopes": [], "grants": ["authorization_code"] })).await;
    let examined = Doctor::of_client(&sandbox, &client).examine().await;
    assert!(examined.failed(&["token"]).contains("machine-to-machine application"), "{examined:#?}");
}

#[tokio::test]
async fn an_unknown_audience_is_told() {
    let sandbox = sandbox().await;
    let examined = of_health(&sandbox).with("AUTH0_AUDIENCE", "https://other.example.com/api/v2/").examine().await;
    assert!(examined.failed(&["audience"]).contains("AUTH0_AUDIENCE"), "{examined:#?}");
    assert_eq!(examined.check("token")["status"], "ok");
}

#[tokio::test]
async fn a_token_that_the_management_api_does_not_take_is_told() {
    let auth0 = answering(ResponseTemplate::new(401)).await;
    let examined = of_mock(&auth0.uri()).examine().await;
    assert!(examined.failed(&["audience"]).contains("AUTH0_AUDIENCE"), "{examined:#?}");
    let skipped = examined.that_are("skipped");
    assert!(ENDPOINTS.iter().all(|endpoint| skipped.contains(endpoint)), "{skipped:?}");
}

#[tokio::test]
async fn an_endpoint_that_fails_is_told_and_the_others_are_asked_all_the_same() {
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    // It repeats what was asked for, as Auth0 does.
    let refusal =
        json!({ "statusCode": 400, "message": "auth0|somebody, nobody@example.com", "errorCode": "invalid_uri" });
    let refusal = ResponseTemplate::new(400).set_body_json(refusal);
    let by_email = Mock::given(method("GET")).and(path("/api/v2/users-by-email"));
    by_email.respond_with(refusal).mount(&auth0).await;
    let examined = of_mock(&auth0.uri()).examine().await;
    assert_eq!(examined.that_are("failed"), ["GET /users-by-email"], "{examined:#?}");
    assert!(examined.check("GET /users-by-email")["finding"].as_str().unwrap().contains("invalid_uri"));
    assert_eq!(examined.check("GET /logs")["status"], "ok");
}

#[tokio::test]
async fn an_endpoint_of_single_users_is_not_tried_where_the_tenant_has_none() {
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let examined = of_mock(&auth0.uri()).examine().await;
    assert_eq!(examined.code, Some(0), "{examined:#?}");
    for endpoint in ENDPOINTS {
        let check = examined.check(endpoint);
        let (status, records) = match endpoint {
            "GET /logs?from" | "GET /logs/{id}" => ("skipped", "logs"),
            _ if endpoint.contains("{id}") => ("skipped", "users"),
            _ => ("ok", ""),
        };
        assert_eq!(check["status"], status, "{check}");
        let finding = check["finding"].as_str().unwrap();
        assert!(status == "ok" || finding == format!("not tried: the tenant has no {records}"), "{check}");
    }
    let asked = auth0.received_requests().await.unwrap();
    let asked = asked.iter().filter(|request| request.url.path().starts_with("/api/v2/")).count();
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn a_tenant_whose_first_user_has_no_id_is_told_from_one_without_users() {
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(json!([{ "email": "ada@example.com" }]))).await;
    let examined = of_mock(&auth0.uri()).examine().await;
    for (endpoint, records) in [("GET /users/{id}", "users"), ("GET /logs/{id}", "logs")] {
        let check = examined.check(endpoint);
        assert_eq!(check["status"], "skipped", "{check}");
        assert_eq!(check["finding"], format!("not tried: the first of the {records} has no id"), "{check}");
    }
}

#[tokio::test]
async fn the_scopes_that_auth0_asks_for_are_told_as_it_asks_for_them() {
    for (expected, finding) in [
        ("all of: read:users,read:roles", "Auth0 asks for all of read:users, read:roles"),
        ("any of: read:roles,read:clients", "Auth0 asks for any of read:roles, read:clients"),
        ("any of: read:users,read:clients", "Auth0 asks for read:users"),
    ] {
        let refusal =
            json!({ "message": format!("Insufficient scope, expected {expected}"), "errorCode": "insufficient_scope" });
        let auth0 = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
        let users = Mock::given(method("GET")).and(path("/api/v2/users"));
        users.respond_with(ResponseTemplate::new(403).set_body_json(refusal)).mount(&auth0).await;
        let examined = of_mock(&auth0.uri()).examine().await;
        let told = examined.check("GET /users")["finding"].as_str().unwrap();
        assert!(told.ends_with(finding), "{told}");
    }
}

#[tokio::test]
async fn a_list_that_the_tenants_plan_does_not_have_is_no_fault() {
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let user = ResponseTemplate::new(200).set_body_json(json!([{ "user_id": "auth0|1" }]));
    Mock::given(method("GET")).and(path("/api/v2/users")).respond_with(user).with_priority(1).mount(&auth0).await;
    let refusal = json!({ "message": "Upgrade your subscription.", "errorCode": "insufficient_entitlement" });
    let refusal = ResponseTemplate::new(403).set_body_json(refusal);
    let sessions = Mock::given(method("GET")).and(path("/api/v2/users/auth0%7C1/sessions"));
    sessions.respond_with(refusal).with_priority(1).mount(&auth0).await;
    let examined = of_mock(&auth0.uri()).examine().await;
    let check = examined.check("GET /users/{id}/sessions");
    assert_eq!(check["status"], "skipped", "{check}");
    assert!(check["finding"].as_str().unwrap().contains("subscription"), "{check}");
}

#[tokio::test]
async fn an_explanation_of_auth0s_is_no_remedy() {
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let refusal =
        ResponseTemplate::new(418).set_body_json(json!({ "message": "No tea: auth0|somebody, brew coffee." }));
    let users = Mock::given(method("GET")).and(path("/api/v2/users"));
    users.respond_with(refusal).mount(&auth0).await;
    let examined = of_mock(&auth0.uri()).examine().await;
    let check = examined.check("GET /users");
    assert_eq!(check["finding"], "the Management API refuses the gateway's call (status 418)", "{examined:#?}");
    assert!(check["remedy"].as_str().unwrap().contains("is in the gateway's log"), "{check}");
    assert!(!format!("{examined:?}").contains("coffee"), "{examined:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_is_as_good_as_a_secret_and_told_when_others_can_read_it() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use auth0_graphql::sandbox::{Clock, Options, PublicKey, Sandbox};

    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("doctor_key.pem");
    let _ = std::fs::remove_file(&path);
    let client_key = Some(PublicKey::of_private_key_file(&path).unwrap());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let options = Options { clock: Clock::system(), client_key, ..Options::default() };
    let sandbox = Sandbox::start(options, listener).await.unwrap();
    let doctor = || {
        let mut doctor = of_health(&sandbox);
        doctor.settings.retain(|(name, _)| *name != "AUTH0_CLIENT_SECRET");
        doctor.with("AUTH0_CLIENT_ASSERTION_KEY_FILE", path.to_str().unwrap())
    };
    let examined = doctor().argument("--strict").examine().await;
    assert_eq!(examined.code, Some(0), "{examined:#?}");
    let finding = examined.check("token")["finding"].as_str().unwrap();
    assert!(finding.starts_with("the application's key (private_key_jwt) is accepted"), "{finding}");

    set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let examined = doctor().argument("--strict").examine().await;
    assert_eq!((examined.code, examined.that_are("warning")), (Some(1), vec!["settings"]), "{examined:#?}");
    let finding = examined.check("settings")["finding"].as_str().unwrap();
    assert!(finding.starts_with("AUTH0_CLIENT_ASSERTION_KEY_FILE: every user"), "{finding}");
}
