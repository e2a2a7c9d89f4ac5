//! Retries, and the breaker.

use std::time::Duration;

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use super::super::retry::RetryPolicy;
use super::super::{
    ApiRequest, BreakerStatus, CallContext, Error, Fields, ManagementApi, Page, UnavailableReason, UserId, UserSearch,
    endpoints,
};
use super::faults::scripted;
use super::{KEEPING_NOTHING, Tenant, TestResult, ample, array, later, settings, some_time, within};

const USERS: &str = "/api/v2/users";
const USER: &str = "/api/v2/users/auth0%7C1";

async fn search(api: &ManagementApi, context: &CallContext) -> Result<Page, Error> {
    match UserSearch::new(None, 0, 1, None) {
        Ok(search) => api.read(&ApiRequest::list(&endpoints::USERS, &search, &Fields::All), context).await,
        Err(_) => unreachable!("the search is valid"),
    }
}

async fn user(api: &ManagementApi) -> Result<(), Error> {
    match UserId::parse("auth0|1") {
        Ok(id) => api.read(&ApiRequest::record(&endpoints::USER, &id, &Fields::All), &ample()).await.map(drop),
        Err(_) => unreachable!("the id is valid"),
    }
}

fn reason<T>(outcome: Result<T, Error>) -> Option<UnavailableReason> {
    match outcome {
        Err(Error::Unavailable(error)) => Some(error.reason),
        _ => None,
    }
}

fn status(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code)
}

impl Tenant {
    /// Answers the next requests so, and what is mounted after it once they are through.
    async fn first(&self, verb: &str, at: &str, times: u64, response: ResponseTemplate) {
        Mock::given(method(verb)).and(path(at)).respond_with(response).up_to_n_times(times).mount(&self.server).await;
    }

    /// Lets Auth0 fail until the breaker opens.
    async fn until_open(&self) {
        while self.api.breaker() == BreakerStatus::Closed {
            assert!(user(&self.api).await.is_err());
        }
        assert_eq!(self.api.breaker(), BreakerStatus::Open);
    }
}

#[tokio::test]
async fn what_passes_is_tried_until_it_has_passed() -> TestResult {
    for fault in [status(500), status(502), status(503), status(408), array("<html>"), array("[1")] {
        let tenant = Tenant::granting().await?;
        tenant.first("GET", USER, 2, fault).await;
        tenant.answers(USER, array("{}")).await;
        user(&tenant.api).await?;
        assert_eq!(tenant.reads().await.len(), 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_connection_and_a_cut_body_are_tried_again() -> TestResult {
    let script =
        ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[1]"];
    let api = scripted(script.into_iter().map(Vec::from))?;
    assert_eq!(search(&api, &ample()).await?.records, "[1]");
    Ok(())
}

#[tokio::test]
async fn what_stays_is_tried_three_times_and_a_search_twice() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.answers(USER, status(503)).await;
    assert_eq!(reason(user(&tenant.api).await), Some(UnavailableReason::Status(503)));
    assert_eq!(tenant.reads().await.len(), 3);

    let tenant = Tenant::granting().await?;
    tenant.answers(USERS, status(503)).await;
    assert_eq!(reason(search(&tenant.api, &ample()).await), Some(UnavailableReason::Status(503)));
    assert_eq!(tenant.reads().await.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_never_tried_again() -> TestResult {
    let envelope = json!({"statusCode": 400, "message": "No."});
    for code in [302, 400, 403, 404, 409, 414, 418, 451] {
        for response in [status(code).set_body_json(&envelope), status(code).set_body_string("<html>")] {
            let tenant = Tenant::granting().await?;
            tenant.answers(USERS, response).await;
            assert!(search(&tenant.api, &ample()).await.is_err());
            assert_eq!(tenant.reads().await.len(), 1, "{code}");
        }
    }
    for code in [400, 401, 403, 404] {
        let tenant = Tenant::empty().await?;
        tenant.first("POST", "/oauth/token", u64::MAX, status(code)).await;
        assert!(search(&tenant.api, &ample()).await.is_err());
        assert_eq!(tenant.grants_given().await, 1, "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_grant_is_tried_again() -> TestResult {
    let tenant = Tenant::empty().await?;
    tenant.first("POST", "/oauth/token", 1, status(500)).await;
    tenant.first("POST", "/oauth/token", 1, array("<html>")).await;
    tenant.grants(json!(86_400)).await;
    tenant.answers(USERS, array("[]")).await;
    search(&tenant.api, &ample()).await?;
    assert_eq!(tenant.grants_given().await, 3);
    Ok(())
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_only_if_there_is_time() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.first("GET", USERS, 1, status(429).insert_header("retry-after", "0")).await;
    tenant.first("GET", USERS, 1, status(429).insert_header("retry-after", "30")).await;
    tenant.answers(USERS, array("[]")).await;

    // Nothing to wait for, then more than there is time for.
    let outcome = search(&tenant.api, &ample()).await;
    let told = Some(Duration::from_secs(30));
    assert!(matches!(outcome, Err(Error::RateLimited { retry_after }) if retry_after == told), "{outcome:?}");
    assert_eq!(tenant.reads().await.len(), 2);

    // Until then nobody asks.
    let outcome = search(&tenant.api, &ample()).await;
    assert!(matches!(outcome, Err(Error::RateLimited { retry_after: Some(_) })), "{outcome:?}");
    assert_eq!(tenant.reads().await.len(), 2);

    // Nothing is told, so a second is taken, which there is not.
    let tenant = Tenant::granting().await?;
    tenant.first("GET", USERS, 1, status(429)).await;
    let outcome = search(&tenant.api, &within(Duration::from_secs(1))).await;
    let untold = Some(Duration::from_secs(1));
    assert!(matches!(outcome, Err(Error::RateLimited { retry_after }) if retry_after == untold), "{outcome:?}");
    assert_eq!(tenant.reads().await.len(), 1);
    assert_eq!(tenant.api.breaker(), BreakerStatus::Closed);
    Ok(())
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.answers(USER, status(500)).await;
    // So long that even a small part of it is too much.
    let policy = RetryPolicy { backoff: Duration::from_secs(u64::from(u32::MAX)), ..RetryPolicy::default() };
    let api = ManagementApi::with_retries(settings(&tenant.server.uri())?, &KEEPING_NOTHING, policy, None)?;
    assert_eq!(reason(user(&api).await), Some(UnavailableReason::Status(500)));
    assert_eq!(tenant.reads().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_outage_is_not_multiplied() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.answers(USER, status(500)).await;
    for _ in 0..30 {
        // So far apart that the breaker takes no part in it.
        later(Duration::from_secs(60)).await;
        assert!(user(&tenant.api).await.is_err());
    }
    assert_eq!(tenant.api.breaker(), BreakerStatus::Closed);
    // The first tries, the ten retries that were saved, and one for each ten first tries but for
    // the very first, whose share found the budget full.
    assert_eq!(tenant.reads().await.len(), 30 + 10 + 2);
    Ok(())
}

#[tokio::test]
async fn a_failing_host_is_left_alone_until_a_probe_succeeds() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.answers(USER, status(500)).await;
    tenant.answers(USERS, array("[]")).await;
    // Tells that there is no rate limit: without it, one call at a time would go to find out.
    search(&tenant.api, &ample()).await?;
    tenant.until_open().await;
    let asked = tenant.reads().await.len();
    assert!((9..=11).contains(&asked), "{asked}");

    // Not asked, whatever it is about.
    for outcome in [user(&tenant.api).await, search(&tenant.api, &ample()).await.map(drop)] {
        assert_eq!(reason(outcome), Some(UnavailableReason::BreakerOpen));
    }
    assert_eq!(tenant.reads().await.len(), asked);

    // The probe fails: one call, and no second.
    later(Duration::from_millis(500)).await;
    assert_eq!(tenant.api.breaker(), BreakerStatus::HalfOpen);
    assert_eq!(reason(user(&tenant.api).await), Some(UnavailableReason::Status(500)));
    assert_eq!(tenant.reads().await.len(), asked + 1);
    assert_eq!(reason(user(&tenant.api).await), Some(UnavailableReason::BreakerOpen));

    // Of many who ask at once, one is the probe.
    later(Duration::from_millis(500)).await;
    // Each a call of its own.
    let contexts = [ample(), ample()].map(CallContext::fresh);
    let (first, second) = tokio::join!(search(&tenant.api, &contexts[0]), search(&tenant.api, &contexts[1]));
    assert!(first.is_ok(), "{first:?}");
    assert_eq!(reason(second), Some(UnavailableReason::BreakerOpen));
    assert_eq!(tenant.api.breaker(), BreakerStatus::Closed);
    search(&tenant.api, &ample()).await?;
    assert_eq!(tenant.reads().await.len(), asked + 3);
    Ok(())
}

#[tokio::test]
async fn a_token_may_be_had_as_soon_as_the_breaker_lets_it() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.answers(USER, status(500)).await;
    tenant.answers(USERS, array("[]")).await;
    let tokens = tenant.api.tokens();
    let token = tokens.token(&some_time()).await?;
    tenant.until_open().await;
    tokens.invalidate(&token);
    assert_eq!(reason(search(&tenant.api, &ample()).await), Some(UnavailableReason::BreakerOpen));
    assert_eq!(tenant.grants_given().await, 1);

    // Sooner than a failed grant would be forgotten.
    later(Duration::from_millis(500)).await;
    search(&tenant.api, &ample()).await?;
    assert_eq!(tenant.grants_given().await, 2);
    Ok(())
}

#[tokio::test]
async fn the_attempts_are_counted() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.first("GET", USERS, 1, status(401)).await;
    tenant.first("GET", USERS, 1, status(500)).await;
    tenant.answers(USERS, array("[]")).await;
    tenant.answers(USER, status(400)).await;

    let user = UserId::parse("auth0|1")?;
    let (first, second, refused) = (ample(), ample(), ample());
    search(&tenant.api, &first).await?;
    search(&tenant.api, &second).await?;
    assert!(tenant.api.read(&ApiRequest::record(&endpoints::USER, &user, &Fields::All), &refused).await.is_err());
    let counted = [first, second, refused].map(|context| (context.stats().calls, context.stats().retries));
    // A call with a new token, and one after a failure, come on top of the first.
    assert_eq!(counted, [(3, 2), (1, 0), (1, 0)]);
    Ok(())
}
