//! The life of the shared token.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, Request, ResponseTemplate};

use super::super::{ApiRequest, Error, Fields, ManagementApi, MisconfigurationError, UserSearch, endpoints};
use super::{Tenant, TestResult, ample, array, later, some_time};

async fn read(api: &ManagementApi) -> Result<(), Error> {
    match UserSearch::new(None, 0, 1, None) {
        Ok(search) => api.read(&ApiRequest::list(&endpoints::USERS, &search, &Fields::All), &ample()).await.map(drop),
        Err(_) => unreachable!("the search is valid"),
    }
}

#[tokio::test]
async fn a_thousand_first_callers_ask_for_one_token() -> TestResult {
    let tenant = Tenant::granting().await?;
    let tokens = tenant.api.tokens();
    let outcomes = join_all((0..1000).map(|_| async { tokens.token(&some_time()).await })).await;
    let tokens = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert!(tokens.iter().all(|token| Arc::ptr_eq(token, &tokens[0])));
    assert_eq!(tenant.grants_given().await, 1);
    Ok(())
}

#[tokio::test]
async fn the_grant_says_who_asks_for_what() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.api.tokens().token(&some_time()).await?;
    let requests = tenant.requests().await;
    let mut body: serde_json::Value = requests[0].body_json()?;
    let secret = body.as_object_mut().and_then(|body| body.remove("client_secret"));
    assert!(secret.is_some_and(|secret| secret.as_str().is_some_and(|secret| !secret.is_empty())));
    let audience = format!("{}/api/v2/", tenant.server.uri());
    assert_eq!(body, json!({"grant_type": "client_credentials", "client_id": "gateway", "audience": audience}));
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert!(requests[0].headers["user-agent"].to_str()?.starts_with("auth0-graphql/"));
    Ok(())
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() -> TestResult {
    let tenant = Tenant::granting().await?;
    Mock::given(header("authorization", "Bearer token-1"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&tenant.server)
        .await;
    tenant.answers("/api/v2/users", array("[]")).await;

    join_all((0..20).map(|_| read(&tenant.api))).await.into_iter().collect::<Result<(), _>>()?;
    read(&tenant.api).await?;

    assert_eq!(tenant.grants_given().await, 2);
    assert_eq!(tenant.bearers().await.last().map(String::as_str), Some("Bearer token-2"));
    Ok(())
}

#[tokio::test]
async fn a_tenant_that_refuses_every_token_is_not_asked_for_more() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.answers("/api/v2/users", ResponseTemplate::new(401)).await;

    for _ in 0..3 {
        let outcome = read(&tenant.api).await;
        let Err(Error::Misconfigured { what, .. }) = outcome else {
            unreachable!("{outcome:?}");
        };
        assert_eq!(what, MisconfigurationError::TokenRefused);
    }
    assert_eq!(tenant.bearers().await, ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(tenant.grants_given().await, 2);
    assert_eq!(tenant.api.token_status(), None);

    // A moment later the next call tries anew.
    later(Duration::from_secs(1)).await;
    assert!(read(&tenant.api).await.is_err());
    assert_eq!(tenant.grants_given().await, 4);
    Ok(())
}

#[tokio::test]
async fn whoever_hangs_up_leaves_the_refresh_to_the_others() -> TestResult {
    let tenant = Tenant::granting().await?;
    let tokens = tenant.api.tokens().clone();
    let first = tokio::spawn(async move { tokens.token(&some_time()).await });
    // It gets as far as to start a refresh, of which nothing can have come yet.
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));

    tenant.api.tokens().token(&some_time()).await?;
    assert_eq!(tenant.grants_given().await, 1);
    Ok(())
}

#[tokio::test]
async fn an_aging_token_serves_while_the_next_is_fetched() -> TestResult {
    let tenant = Tenant::empty().await?;
    tenant.grants(json!(1000)).await;
    let tokens = tenant.api.tokens();
    let first = tokens.token(&some_time()).await?;

    later(Duration::from_secs(800)).await;
    assert!(Arc::ptr_eq(&first, &tokens.token(&some_time()).await?), "it is replaced too early");
    assert_eq!(tenant.grants_given().await, 1);

    later(Duration::from_secs(150)).await;
    assert!(Arc::ptr_eq(&first, &tokens.token(&some_time()).await?), "it is waited for");
    let replaced = async {
        while Arc::ptr_eq(&first, &tokens.token(&some_time()).await?) {
            tokio::task::yield_now().await;
        }
        Ok::<_, Error>(())
    };
    some_time().limit(pin!(replaced)).await??;
    assert_eq!(tenant.grants_given().await, 2);
    Ok(())
}

#[tokio::test]
async fn an_expired_token_is_waited_for() -> TestResult {
    let tenant = Tenant::granting().await?;
    let tokens = tenant.api.tokens();
    let first = tokens.token(&some_time()).await?;
    later(Duration::from_secs(86_400)).await;
    assert!(!Arc::ptr_eq(&first, &tokens.token(&some_time()).await?));
    assert_eq!(tenant.grants_given().await, 2);
    Ok(())
}

#[tokio::test]
async fn a_token_that_comes_expired_serves_those_who_wait_for_it() -> TestResult {
    let tenant = Tenant::empty().await?;
    tenant.grants(json!(-1)).await;
    tenant.answers("/api/v2/users", array("[]")).await;
    read(&tenant.api).await?;
    later(Duration::from_secs(2)).await;
    read(&tenant.api).await?;
    assert_eq!(tenant.bearers().await, ["Bearer token-1", "Bearer token-2"]);
    Ok(())
}

#[tokio::test]
async fn a_failed_grant_is_remembered_for_a_second() -> TestResult {
    let tenant = Tenant::empty().await?;
    let refused = json!({"error": "access_denied", "error_description": "Unauthorized"});
    Mock::given(method("POST"))
        .and(path("/oauth/token"))
        .respond_with(ResponseTemplate::new(401).set_body_json(refused))
        .up_to_n_times(1)
        .mount(&tenant.server)
        .await;
    tenant.grants(json!(86_400)).await;
    tenant.answers("/api/v2/users", array("[]")).await;

    for outcome in join_all((0..20).map(|_| read(&tenant.api))).await {
        let Err(Error::Misconfigured { what, .. }) = outcome else {
            unreachable!("{outcome:?}");
        };
        assert_eq!(what, MisconfigurationError::ClientRefused);
    }
    assert!(read(&tenant.api).await.is_err(), "it is forgotten at once");
    assert_eq!(tenant.grants_given().await, 1);
    later(Duration::from_secs(1)).await;
    read(&tenant.api).await?;
    assert_eq!(tenant.grants_given().await, 2);
    Ok(())
}

#[tokio::test]
async fn an_aging_token_survives_a_failing_issuer() -> TestResult {
    let tenant = Tenant::empty().await?;
    let grant = |request: &Request| {
        let _ = request;
        ResponseTemplate::new(200).set_body_json(json!({"access_token": "token-1", "expires_in": 1000}))
    };
    Mock::given(method("POST")).respond_with(grant).up_to_n_times(1).mount(&tenant.server).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).mount(&tenant.server).await;
    tenant.answers("/api/v2/users", array("[]")).await;
    read(&tenant.api).await?;
    later(Duration::from_secs(950)).await;
    let failed = async {
        while tenant.grants_given().await < 2 {
            read(&tenant.api).await?;
        }
        read(&tenant.api).await
    };
    some_time().limit(pin!(failed)).await??;
    Ok(())
}

#[tokio::test]
async fn a_quota_on_tokens_is_a_rate_limit() -> TestResult {
    let tenant = Tenant::empty().await?;
    let limited = ResponseTemplate::new(429)
        .insert_header("retry-after", "3540")
        .set_body_json(json!({"error": "too_many_requests"}));
    Mock::given(method("POST")).respond_with(limited).mount(&tenant.server).await;
    for _ in 0..2 {
        let outcome = read(&tenant.api).await;
        let Err(Error::RateLimited { retry_after: Some(wait) }) = outcome else {
            unreachable!("{outcome:?}");
        };
        assert!(wait > Duration::from_secs(3500) && wait <= Duration::from_secs(3540));
    }
    assert_eq!(tenant.grants_given().await, 1);
    Ok(())
}

#[tokio::test]
async fn the_status_tells_all_but_the_token() -> TestResult {
    let tenant = Tenant::empty().await?;
    let grant = json!({"access_token": "token-1", "expires_in": 86_400, "scope": "read:users"});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_json(grant))
        .mount(&tenant.server)
        .await;
    assert_eq!(tenant.api.token_status(), None);
    let before = chrono::Utc::now();
    tenant.api.tokens().token(&some_time()).await?;
    let status = tenant.api.token_status().ok_or("there is a token")?;
    assert_eq!(status.scopes.as_deref(), Some(&["read:users".to_owned()][..]));
    let life = status.expires_at - before;
    assert_eq!((life + chrono::TimeDelta::seconds(30)).num_minutes(), 1440);
    assert!(!format!("{status:?} {:?}", tenant.api).contains("token-1"));
    Ok(())
}
