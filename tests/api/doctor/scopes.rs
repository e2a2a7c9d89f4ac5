//! Scopes: missing, and granted for nothing.

use serde_json::json;
use wiremock::ResponseTemplate;

use super::{Doctor, of_mock, of_scopes, sandbox};
use crate::mock::answering;

#[tokio::test]
async fn a_missing_scope_is_named() {
    let sandbox = sandbox().await;
    let examined = of_scopes(&sandbox, &["read:users"]).await.examine().await;
    assert!(examined.failed(&["GET /logs", "GET /users/{id}/logs", "scopes"]).contains("grant it"), "{examined:#?}");
    assert!(examined.check("scopes")["remedy"].as_str().unwrap().ends_with("grant read:logs"));
    assert!(examined.check("GET /logs")["finding"].as_str().unwrap().contains("read:logs"));
    let skipped = examined.that_are("skipped");
    assert!(skipped.contains(&"GET /logs?from") && skipped.contains(&"GET /logs/{id}"), "{skipped:?}");
    let scopes = examined.scopes();
    assert_eq!(
        scopes[..3],
        [("read:users_app_metadata", "optional"), ("read:user_idp_tokens", "optional"), ("read:logs", "missing")]
    );
    // Those of users' lists.
    assert_eq!(scopes.len(), 9);
    assert!(scopes[3..].iter().all(|(_, state)| *state == "optional"), "{scopes:?}");
}

#[tokio::test]
async fn an_endpoint_whose_scope_the_gateway_can_do_without_is_no_failure() {
    let sandbox = sandbox().await;
    let doctor = of_scopes(&sandbox, &["read:users", "read:logs"]).await;
    let examined = doctor.argument("--strict").examine().await;
    assert_eq!((examined.code, examined.that_are("failed")), (Some(0), vec![]), "{examined:#?}");
    let roles = examined.check("GET /users/{id}/roles");
    assert_eq!((&roles["status"], &roles["remedy"]), (&json!("skipped"), &json!(null)), "{roles}");
    let finding = roles["finding"].as_str().unwrap();
    assert!(finding.ends_with("Auth0 asks for all of read:users, read:roles, read:role_members"), "{roles}");
    assert_eq!(examined.check("GET /users/{id}/permissions")["status"], "ok");
}

#[tokio::test]
async fn a_scope_of_no_use_is_a_warning_which_only_the_strict_exit_with() {
    let sandbox = sandbox().await;
    let scopes = ["read:users", "read:logs", "delete:users"];
    let examined = of_scopes(&sandbox, &scopes).await.examine().await;
    assert_eq!(examined.that_are("warning"), ["scopes"], "{examined:#?}");
    assert_eq!((examined.code, &examined.report["status"]), (Some(0), &json!("warning")));
    assert!(examined.check("scopes")["remedy"].as_str().unwrap().contains("withdraw delete:users"));
    assert!(examined.scopes().contains(&("delete:users", "unused")));

    let said = of_scopes(&sandbox, &scopes).await.argument("--strict").say().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("\n  WARN  scopes "), "{}", said.stdout);
    assert!(said.stdout.contains("\n  1 warning.\n"), "{}", said.stdout);
}

#[tokio::test]
async fn a_scope_that_no_caller_can_hold_is_of_no_use() {
    let sandbox = sandbox().await;
    // Anonymous callers never get identity providers' tokens.
    let examined = Doctor::of_client(&sandbox, &sandbox.client()).examine().await;
    assert_eq!(examined.that_are("warning"), ["scopes"], "{examined:#?}");
    assert_eq!(examined.scopes(), [("read:user_idp_tokens", "unused")]);

    // Nor does a gateway need to read users if its only callers may read no more than logs.
    let keys = format!("reports:{}:read:logs", "5e".repeat(32));
    let examined =
        of_scopes(&sandbox, &["read:logs"]).await.with("API_KEYS", keys).argument("--strict").examine().await;
    assert_eq!(examined.code, Some(0), "{examined:#?}");
    assert_eq!(examined.check("GET /users")["status"], "skipped");
    assert_eq!(examined.check("GET /logs")["status"], "ok");
}

#[tokio::test]
async fn scopes_that_auth0_does_not_tell_are_not_guessed() {
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(json!([]))).await;
    let examined = of_mock(&auth0.uri()).examine().await;
    assert_eq!(examined.code, Some(0), "{examined:#?}");
    assert_eq!(examined.check("scopes")["status"], "skipped");
    assert!(examined.scopes().iter().all(|(_, state)| *state == "unknown"), "{examined:#?}");
    // Nor is there anybody to look up, or any rate limit to go by.
    for name in ["GET /users/{id}", "GET /logs?from", "GET /logs/{id}", "plan"] {
        assert_eq!(examined.check(name)["status"], "skipped", "{name}");
    }
}
