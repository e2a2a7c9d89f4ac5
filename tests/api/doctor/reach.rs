//! Servers that cannot be reached, and clocks that are off.

use auth0_graphql::sandbox::Clock;
use chrono::{TimeDelta, Utc};

use super::{of_health, of_mock, of_scopes, sandbox, sandbox_at};

/// A port on which nobody listens: connections to it are refused.
const NOBODY: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn a_clock_that_is_off_is_told_and_fails_where_tokens_are_judged_by_it() {
    let sandbox = sandbox_at(Clock::manual(Utc::now() - TimeDelta::minutes(10))).await;
    let examined = of_health(&sandbox).examine().await;
    assert!(examined.failed(&["clock"]).contains("NTP"), "{examined:#?}");
    let finding = examined.check("clock")["finding"].as_str().unwrap();
    assert!(finding.contains("s ahead of the tenant's"), "{finding}");

    let examined = of_scopes(&sandbox, &["read:users", "read:logs"]).await.examine().await;
    assert_eq!((examined.code, examined.that_are("warning")), (Some(0), vec!["clock"]), "{examined:#?}");
}

#[tokio::test]
async fn a_host_where_nobody_listens_is_told() {
    let examined = of_mock(NOBODY).examine().await;
    assert!(examined.failed(&["connection"]).contains("AUTH0_DOMAIN"), "{examined:#?}");
    assert_eq!(examined.that_are("ok"), ["settings", "callers", "dns"]);
}

#[tokio::test]
async fn a_host_that_does_not_speak_tls_is_told() {
    let sandbox = sandbox().await;
    let url = sandbox.url().replace("http://", "https://");
    let examined = of_mock(&url).examine().await;
    assert!(examined.failed(&["tls"]).contains("AUTH0_DOMAIN"), "{examined:#?}");
    assert_eq!(examined.check("tls")["finding"], "what answers there does not speak TLS");
    assert_eq!(examined.check("connection")["status"], "ok");
}

#[tokio::test]
async fn an_issuer_without_keys_is_told() {
    let sandbox = sandbox().await;
    let examined = of_health(&sandbox).with("JWT_ISSUER", format!("{NOBODY}/")).examine().await;
    assert!(examined.failed(&["keys"]).contains("JWT_ISSUER"), "{examined:#?}");

    // One that calls itself otherwise.
    let examined = of_health(&sandbox).with_tokens_of(sandbox.url()).examine().await;
    examined.failed(&["keys"]);
    assert!(examined.check("keys")["finding"].as_str().unwrap().contains("letter by letter"), "{examined:#?}");
}
