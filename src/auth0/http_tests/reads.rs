//! Reads: the requests to each endpoint, and what its answers become.

use bytes::Bytes;
use serde_json::json;
use wiremock::ResponseTemplate;

use super::super::endpoints::{LOG, LOG_SEARCH, LOG_STREAM, USER, USERS, USERS_BY_EMAIL};
use super::super::{
    ApiRequest, Direction, Email, Error, Fields, LogCheckpoint, LogId, LogSearch, MisconfigurationError, UserId,
    UserSearch,
};
use super::{Tenant, TestResult, ample, array};

#[tokio::test]
async fn each_endpoint_is_asked_for_exactly_what_is_wanted() -> TestResult {
    let tenant = Tenant::granting().await?;
    for list in ["/api/v2/users", "/api/v2/users-by-email", "/api/v2/logs"] {
        tenant.answers(list, array("[]")).await;
    }
    for one in ["/api/v2/users/auth0%7Ca%20b", "/api/v2/logs/9001"] {
        tenant.answers(one, array("{}")).await;
    }
    let api = &tenant.api;
    let some = Fields::Only(vec!["email", "name"]);

    let plain = UserSearch::new(None, 0, 50, None)?;
    api.read(&ApiRequest::list(&USERS, &plain, &Fields::All), &ample()).await?;
    let sort = Some(("last_login".to_owned(), Direction::Descending));
    let search = UserSearch::new(Some("name:\"Ada L\" OR a+b&c"), 3, 10, sort)?;
    api.read(&ApiRequest::list(&USERS, &search.with_total(true), &some), &ample()).await?;
    api.read(&ApiRequest::record(&USER, &UserId::parse("auth0|a b")?, &some), &ample()).await?;
    api.read(&ApiRequest::list(&USERS_BY_EMAIL, &Email::parse("Ada+x@example.com")?, &Fields::All), &ample()).await?;
    api.read(&ApiRequest::list(&LOG_SEARCH, &LogSearch::newest(7)?, &Fields::Only(vec!["date"])), &ample()).await?;
    let search = LogSearch::new(Some("type:f"), 1, 100, Direction::Ascending)?;
    api.read(&ApiRequest::list(&LOG_SEARCH, &search, &Fields::All), &ample()).await?;
    api.read(&ApiRequest::list(&LOG_STREAM, &LogCheckpoint::new("9001", 100)?, &Fields::All), &ample()).await?;
    api.read(&ApiRequest::record(&LOG, &LogId::parse("9001")?, &Fields::All), &ample()).await?;

    insta::assert_snapshot!(tenant.reads().await.join("\n"), @r"
    /api/v2/users?page=0&per_page=50&search_engine=v3
    /api/v2/users?page=3&per_page=10&search_engine=v3&q=name%3A%22Ada%20L%22%20OR%20a%2Bb%26c&sort=last_login%3A-1&include_totals=true&fields=email,name&include_fields=true
    /api/v2/users/auth0%7Ca%20b?fields=email,name&include_fields=true
    /api/v2/users-by-email?email=Ada%2Bx%40example.com
    /api/v2/logs?page=0&per_page=7&sort=date%3A-1&fields=date&include_fields=true
    /api/v2/logs?page=1&per_page=100&sort=date%3A1&q=type%3Af
    /api/v2/logs?from=9001&take=100
    /api/v2/logs/9001
    ");
    Ok(())
}

#[tokio::test]
async fn requests_tell_who_asks_and_how_they_may_be_answered() -> TestResult {
    let tenant = Tenant::granting().await?;
    tenant.answers("/api/v2/users", array("[]")).await;
    let search = UserSearch::new(None, 0, 1, None)?;
    tenant.api.read(&ApiRequest::list(&USERS, &search, &Fields::All), &ample()).await?;

    let host = tenant.server.address().to_string();
    let own_name = concat!("auth0-graphql/", env!("CARGO_PKG_VERSION"));
    let requests = tenant.requests().await;
    let [grant, read] = &requests[..] else { unreachable!("{requests:?}") };
    for (request, own) in [(grant, ("content-type", "application/json")), (read, ("authorization", "Bearer token-1"))] {
        let mut headers: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        headers.retain(|(name, _)| *name != "content-length");
        headers.sort_unstable_by_key(|(name, _)| *name);
        let mut expected =
            [("accept", "*/*"), ("accept-encoding", "gzip"), ("host", &*host), ("user-agent", own_name), own];
        expected.sort_unstable();
        assert_eq!(headers, expected);
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_is_passed_on_as_it_came() -> TestResult {
    let tenant = Tenant::granting().await?;
    let body = r#"{"start":0,"users":[ {"user_id":"auth0|1","email_verified":"true"} ],"total":41}"#;
    tenant.answers("/api/v2/users", array(body)).await;
    tenant.answers("/api/v2/users/auth0%7C1", array(" {\"a\" : 1e400}\n")).await;

    let search = UserSearch::new(None, 0, 1, None)?;
    let page = tenant.api.read(&ApiRequest::list(&USERS, &search.with_total(true), &Fields::All), &ample()).await?;
    assert_eq!(page.records, r#"[ {"user_id":"auth0|1","email_verified":"true"} ]"#);
    assert_eq!(page.total, Some(41));
    assert_eq!(page.next, None);

    let user = tenant.api.read(&ApiRequest::record(&USER, &UserId::parse("auth0|1")?, &Fields::All), &ample()).await?;
    assert_eq!(user, Some(Bytes::from_static(b"{\"a\" : 1e400}")));
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_tells_where_the_logs_go_on() -> TestResult {
    let tenant = Tenant::granting().await?;
    let link = r#"<https://elsewhere.example.com/api/v2/logs?from=9002&take=1>; rel="next""#;
    let answer = array(r#"[{"log_id":"9002"}]"#).insert_header("link", link);
    tenant.answers("/api/v2/logs", answer).await;

    let page = tenant
        .api
        .read(&ApiRequest::list(&LOG_STREAM, &LogCheckpoint::new("9001", 1)?, &Fields::All), &ample())
        .await?;
    assert_eq!(page.next.as_deref(), Some("9002"));
    assert_eq!(page.total, None);
    Ok(())
}

#[tokio::test]
async fn what_does_not_exist_is_none_and_a_wrong_address_is_an_error() -> TestResult {
    let tenant = Tenant::granting().await?;
    let absent = json!({
        "statusCode": 404,
        "error": "Not Found",
        "message": "The user does not exist.",
        "errorCode": "inexistent_user",
    });
    let not_found = |body| ResponseTemplate::new(404).set_body_json(body);
    tenant.answers("/api/v2/users/auth0%7C1", not_found(absent)).await;
    let absent = json!({"statusCode": 404, "error": "Not Found", "message": "Log not found"});
    tenant.answers("/api/v2/logs/9001", not_found(absent)).await;
    let generic = json!({"statusCode": 404, "error": "Not Found", "message": "Not Found"});
    tenant.answers("/api/v2/users/auth0%7C2", not_found(generic.clone())).await;
    tenant.answers("/api/v2/logs/9002", not_found(generic)).await;

    let user = async |id| {
        tenant
            .api
            .read(&ApiRequest::record(&USER, &UserId::parse(id)?, &Fields::All), &ample())
            .await
            .map_err(Box::from)
    };
    let log = async |id| {
        tenant.api.read(&ApiRequest::record(&LOG, &LogId::parse(id)?, &Fields::All), &ample()).await.map_err(Box::from)
    };
    let is_misconfigured = |outcome: Result<Option<Bytes>, Box<dyn std::error::Error>>| {
        let error = outcome.err().and_then(|error| error.downcast::<Error>().ok());
        matches!(error.as_deref(), Some(Error::Misconfigured { what: MisconfigurationError::NotFound, .. }))
    };
    assert_eq!(user("auth0|1").await?, None);
    assert_eq!(log("9001").await?, None);
    assert!(is_misconfigured(user("auth0|2").await));
    assert!(is_misconfigured(log("9002").await));
    // An address for which the server has no answer at all.
    assert!(is_misconfigured(user("auth0|3").await));
    Ok(())
}
