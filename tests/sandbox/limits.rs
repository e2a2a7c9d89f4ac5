//! Rate limits.

use std::time::Duration;

use auth0_graphql::sandbox::{Options, Plan};

use super::{Tenant, noon};

#[tokio::test]
async fn a_free_tenant_is_soon_exhausted_and_soon_refilled() {
    let tenant = Tenant::with(Options { plan: Plan::Free, ..Options::default() }).await;
    let token = tenant.token().await;
    let call = |path| tenant.get_with(&token, path);
    let first = call("/api/v2/users?per_page=1").await;
    let header = |name| first.header(name).expect(name).parse::<i64>().expect("a number");
    assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), (2, 1));
    assert_eq!(header("x-ratelimit-reset"), noon().timestamp() + 1);
    assert_eq!(call("/api/v2/logs?per_page=1").await.status, 200);

    let refused = call("/api/v2/users").await;
    assert_eq!(refused.error(), (429, "Global limit has been reached", "too_many_requests"));
    assert_eq!(refused.header("x-ratelimit-limit"), None);
    tenant.clock.advance(Duration::from_millis(500));
    assert_eq!(call("/api/v2/users?per_page=1").await.status, 200);
    assert_eq!(call("/api/v2/users?per_page=1").await.status, 429);
}

#[tokio::test]
async fn errors_carry_no_rate_limit_headers() {
    let tenant = Tenant::spawn().await;
    for path in ["/api/v2/users?per_page=101", "/api/v2/users/auth0%7Cnone", "/api/v2/logs/none"] {
        let answer = tenant.get(path).await;
        assert!(answer.status.is_client_error());
        assert_eq!(answer.header("x-ratelimit-remaining"), None, "{path}");
    }
    assert_eq!(tenant.get("/api/v2/logs/none").await.header("x-ratelimit-reset"), None);
}
