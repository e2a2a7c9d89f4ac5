//! Typed filters: the search that is made of them, what it finds, and what is refused before any call.

use auth0_graphql::graphql::ScopeMode;
use serde_json::{Value, json};

use crate::gateway::{TestGateway, codes};
use crate::scopes;

const USERS: &str =
    "query Q($filter: UserFilter, $q: String) { users(filter: $filter, q: $q, perPage: 100) { nodes { name } } }";
const LOGS: &str = "query Q($filter: LogFilter, $q: String) { searchLogs(filter: $filter, q: $q, perPage: 100) { nodes { type outcome } } }";

async fn search(gateway: &TestGateway, query: &str, filter: &Value, q: Option<&str>) -> Value {
    gateway.send(json!({ "query": query, "variables": { "filter": filter, "q": q } })).await
}

/// The names of the users whom a filter finds.
async fn names(gateway: &TestGateway, filter: Value) -> Vec<String> {
    let response = search(gateway, USERS, &filter, None).await;
    let nodes = response["data"]["users"]["nodes"].as_array();
    let nodes = nodes.unwrap_or_else(|| panic!("{filter}: {response}"));
    nodes.iter().map(|node| node["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The `q` of the one call that was made.
async fn asked(gateway: &TestGateway) -> String {
    let calls = gateway.calls().await;
    gateway.forget_calls().await;
    let [call] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    let url = reqwest::Url::parse("http://tenant").unwrap().join(&call.target()).unwrap();
    url.query_pairs().find(|(key, _)| key == "q").map(|(_, q)| q.into_owned()).unwrap()
}

#[tokio::test]
async fn conditions_on_users_become_a_search() {
    let gateway = TestGateway::uncached().await;
    for (filter, q) in [
        (json!({ "email": { "eq": "Ada.Brandt@example.com" } }), r#"email:"Ada.Brandt@example.com""#),
        (json!({ "connection": { "in": ["a", "b c"] } }), r#"identities.connection:("a" OR "b c")"#),
        (json!({ "name": { "startsWith": "Ada B" } }), r"name:Ada\ B*"),
        (json!({ "email": { "endsWith": "@example.org" } }), r"email:*\@example\.org"),
        (json!({ "blocked": { "eq": true } }), "blocked:true"),
        (json!({ "blocked": { "eq": false } }), "created_at:[1970-01-01 TO *] AND NOT blocked:true"),
        (
            json!({ "lastLogin": { "gte": "2026-01-01T00:00:00.4059Z", "lte": "2026-01-01T00:00:00.4059Z" } }),
            "last_login:[2026-01-01T00:00:00.406Z TO 2026-01-01T00:00:00.405Z]",
        ),
        (json!({ "lastLogin": { "lt": "2016-12-31T23:59:60Z" } }), "last_login:[* TO 2017-01-01T00:00:00.000Z}"),
        (json!({ "neverLoggedIn": true }), "created_at:[1970-01-01 TO *] AND NOT logins_count:[1 TO *]"),
        (json!({ "neverLoggedIn": false }), "logins_count:[1 TO *]"),
        (json!({ "loginsCount": { "gt": 3 } }), "logins_count:{3 TO *]"),
        (json!({ "loginsCount": { "lt": 3 } }), "created_at:[1970-01-01 TO *] AND NOT logins_count:[3 TO *]"),
        (
            json!({ "createdAt": { "gte": "2025-01-01T00:00:00+02:00", "lt": "2026-01-01T00:00:00.5Z" } }),
            "created_at:[2024-12-31T22:00:00.000Z TO 2026-01-01T00:00:00.500Z}",
        ),
        (json!({ "appMetadata": { "path": "plan", "eq": "gold" } }), r#"app_metadata.plan:"gold""#),
        (
            json!({ "appMetadata": { "path": "limits.daily", "gte": 0.5, "lt": 10 } }),
            "app_metadata.limits.daily:[0.5 TO 10}",
        ),
        (
            json!({ "userMetadata": { "path": "addresses.city", "in": "Porto" } }),
            r#"user_metadata.addresses.city:"Porto""#,
        ),
        (
            json!({ "name": { "eq": "A" }, "or": [{ "nickname": { "eq": "a" } }, { "not": { "provider": { "eq": "p" } } }] }),
            r#"name:"A" AND (nickname:"a" OR (created_at:[1970-01-01 TO *] AND NOT identities.provider:"p"))"#,
        ),
    ] {
        let response = search(&gateway, USERS, &filter, None).await;
        assert_eq!(response.get("errors"), None, "{filter}: {response}");
        assert_eq!(asked(&gateway).await, q, "{filter}");
        gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
    }
}

#[tokio::test]
async fn conditions_on_logs_become_a_search() {
    let gateway = TestGateway::uncached().await;
    for (filter, q) in [
        (json!({ "type": { "in": ["f", "fp"] } }), r#"type:("f" OR "fp")"#),
        (json!({ "userName": { "eq": "a@example.com" } }), r#"user_name:"a@example.com""#),
        (json!({ "ip": { "startsWith": "2001:db8:" } }), r"ip:2001\:db8\:*"),
        (json!({ "not": { "strategy": { "eq": "auth0" } } }), r#"date:[1970-01-01 TO *] AND NOT strategy:"auth0""#),
    ] {
        let response = search(&gateway, LOGS, &filter, None).await;
        assert_eq!(response.get("errors"), None, "{filter}: {response}");
        assert_eq!(asked(&gateway).await, q, "{filter}");
        gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
    }
}

#[tokio::test]
async fn logs_of_one_outcome_are_found_by_their_types_and_others_are_the_rest() {
    let gateway = TestGateway::uncached().await;
    let mut found = 0;
    for outcome in ["SUCCESS", "FAILURE", "WARNING", "OTHER"] {
        let response = search(&gateway, LOGS, &json!({ "outcome": { "eq": outcome } }), None).await;
        let nodes = response["data"]["searchLogs"]["nodes"].as_array().unwrap_or_else(|| panic!("{response}"));
        assert!(nodes.iter().all(|node| node["outcome"] == outcome), "{response}");
        found += nodes.len();
        gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
    }
    assert!(found > 100, "{found}");
    gateway.forget_calls().await;
    let all = json!({ "outcome": { "in": ["SUCCESS", "FAILURE", "WARNING", "OTHER"] } });
    assert_eq!(search(&gateway, LOGS, &all, None).await.get("errors"), None);
    assert_eq!(asked(&gateway).await, "date:[1970-01-01 TO *]");
}

#[tokio::test]
async fn who_lacks_a_value_is_found_as_who_has_the_value_that_it_stands_for() {
    let gateway = TestGateway::uncached().await;
    let chiyo = "新井 千代".to_owned();
    for (filter, is_found) in [
        (json!({ "name": { "startsWith": "新井" }, "blocked": { "eq": false } }), true),
        (json!({ "name": { "startsWith": "新井" }, "blocked": { "eq": true } }), false),
        (json!({ "name": { "startsWith": "新井" }, "neverLoggedIn": true }), true),
        (json!({ "name": { "startsWith": "新井" }, "loginsCount": { "eq": 0 } }), true),
        (json!({ "name": { "startsWith": "新井" }, "loginsCount": { "lte": 7 } }), true),
        (json!({ "name": { "startsWith": "新井" }, "loginsCount": { "gte": 0 } }), true),
        (json!({ "name": { "startsWith": "新井" }, "loginsCount": { "gt": 0 } }), false),
    ] {
        assert_eq!(names(&gateway, filter.clone()).await.contains(&chiyo), is_found, "{filter}");
        gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
    }
}

#[tokio::test]
async fn an_address_is_found_whatever_its_case() {
    let gateway = TestGateway::uncached().await;
    assert_eq!(names(&gateway, json!({ "email": { "eq": "dara.QUIST@example.com" } })).await, ["Dara Quist"]);
}

#[tokio::test]
async fn nothing_that_a_value_holds_is_an_operator() {
    let gateway = TestGateway::uncached().await;
    let all = names(&gateway, json!({ "not": { "name": { "eq": "nobody at all" } } })).await;
    assert!(all.len() > 10);
    for value in [
        "*",
        "?",
        "x OR *",
        "x\" OR name:*",
        "x\\",
        "x\\\" OR *",
        "(",
        ")",
        "[* TO *]",
        "a) OR (b",
        "/.*/",
        "x~",
        "x^2",
        "&&",
        "||",
        "!x",
        "-x",
        "+x",
        "name:*",
        "\u{3000}OR\u{3000}*",
        "_exists_:name",
        "AND",
        "\\u002a",
    ] {
        for operator in ["eq", "in", "startsWith", "endsWith"] {
            let filter = json!({ "name": { operator: format!("zzz{value}") } });
            assert_eq!(names(&gateway, filter.clone()).await, [""; 0], "{filter}");
            gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
        }
    }
}

#[tokio::test]
async fn what_was_forgotten_does_not_find_everybody() {
    let gateway = TestGateway::uncached().await;
    for (filter, place) in [
        (json!({}), "`filter` has no condition"),
        (json!({ "email": {} }), "`filter.email` has no condition"),
        (json!({ "email": { "eq": null } }), "`filter.email.eq` is null"),
        (json!({ "email": null }), "`filter.email` is null"),
        (json!({ "email": { "eq": "" } }), "`filter.email.eq` is empty"),
        (json!({ "email": { "in": [] } }), "`filter.email.in` is an empty list"),
        (json!({ "and": [] }), "`filter.and` is an empty list"),
        (json!({ "or": [{ "name": { "eq": "a" } }, {}] }), "`filter.or.1` has no condition"),
        (json!({ "not": {} }), "`filter.not` has no condition"),
        (json!({ "not": null }), "`filter.not` is null"),
        (json!({ "neverLoggedIn": null }), "`filter.neverLoggedIn` is null"),
        (json!({ "loginsCount": { "gt": null } }), "`filter.loginsCount.gt` is null"),
        (json!({ "appMetadata": { "path": "plan" } }), "`filter.appMetadata` has no condition"),
    ] {
        let response = search(&gateway, USERS, &filter, None).await;
        assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{filter}: {response}");
        let message = response["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with(place), "{filter}: {message}");
    }
    let forgotten = "query Q($email: String) { users(filter: { email: { eq: $email } }) { nodes { name } } }";
    assert_eq!(codes(&gateway.query(forgotten).await), ["BAD_USER_INPUT"]);
    assert_eq!(gateway.calls().await.len(), 0);
}

#[tokio::test]
async fn what_auth0_would_refuse_or_pass_over_is_refused_before_any_call() {
    let gateway = TestGateway::uncached().await;
    for filter in [
        json!({ "email": { "endsWith": "io" } }),
        json!({ "name": { "eq": "a\nb" } }),
        json!({ "createdAt": { "gt": "yesterday" } }),
        json!({ "createdAt": { "lt": "9999-12-31T23:59:59-23:59" } }),
        json!({ "createdAt": { "lt": "0000-01-01T00:00:00+23:59" } }),
        json!({ "createdAt": { "gt": "2026-01-01T00:00:00Z", "gte": "2026-01-01T00:00:00Z" } }),
        json!({ "loginsCount": { "eq": 1, "lt": 3 } }),
        json!({ "appMetadata": { "path": "a:b", "eq": "c" } }),
        json!({ "appMetadata": { "path": "", "eq": "c" } }),
        json!({ "appMetadata": { "path": "a..b", "eq": "c" } }),
        json!({ "userMetadata": { "path": "a) OR (b", "eq": "c" } }),
        json!({ "userId": { "in": vec!["a".repeat(100); 50] } }),
    ] {
        let response = search(&gateway, USERS, &filter, None).await;
        assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{filter}: {response}");
        assert_eq!(response["errors"][0]["extensions"]["argument"], "filter");
    }
    let wildcard = json!({ "userMetadata": { "path": "city", "startsWith": "P" } });
    assert_eq!(codes(&search(&gateway, USERS, &wildcard, None).await), ["GRAPHQL_VALIDATION_FAILED"]);
    assert_eq!(gateway.calls().await.len(), 0);
}

#[tokio::test]
async fn a_search_beside_a_filter_stays_whole() {
    let gateway = TestGateway::uncached().await;
    let filter = json!({ "blocked": { "eq": true } });
    assert_eq!(search(&gateway, USERS, &filter, Some("name:a* OR name:b*")).await.get("errors"), None);
    assert_eq!(asked(&gateway).await, "(name:a* OR name:b*) AND blocked:true");
    assert_eq!(search(&gateway, USERS, &filter, Some("  ")).await.get("errors"), None);
    assert_eq!(asked(&gateway).await, "blocked:true");
    for q in ["a) OR (b", "\"", "name:(a", "a\\", "/x) OR (y/"] {
        let response = search(&gateway, USERS, &filter, Some(q)).await;
        assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{q}: {response}");
        assert_eq!(response["errors"][0]["extensions"]["argument"], "q");
    }
    assert_eq!(gateway.calls().await.len(), 0);
}

#[tokio::test]
async fn a_filter_by_what_the_caller_may_not_see_is_not_made() {
    let gateway = scopes::gateway(ScopeMode::Filter).await;
    let users = scopes::token(&gateway, &["read:users"]).await;
    for filter in [
        r#"{ appMetadata: { path: "plan", eq: "gold" } }"#,
        r#"{ name: { eq: "a" }, or: [{ not: { and: [{ appMetadata: { path: "plan", eq: "gold" } }] } }] }"#,
    ] {
        let body =
            scopes::ask(&gateway, &users, &format!("{{ users(filter: {filter}) {{ nodes {{ name }} }} }}")).await.body;
        assert_eq!(codes(&body), ["FORBIDDEN"], "{filter}: {body}");
        assert_eq!(body["errors"][0]["extensions"]["argument"], "filter");
        assert_eq!(body["errors"][0]["extensions"]["scope"], "read:users_app_metadata");
    }
    let open = r#"{ users(filter: { userMetadata: { path: "plan", eq: "gold" }, provider: { eq: "auth0" } }) { nodes { name } } }"#;
    assert_eq!(scopes::ask(&gateway, &users, open).await.body.get("errors"), None);
}

#[tokio::test]
async fn who_asks_is_told_the_search_that_was_made() {
    let gateway = TestGateway::uncached().await;
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).header("x-explain", "run");
    let query = r#"{ users(filter: { name: { eq: "Ada" } }) { nodes { name } } other: users { page } }"#;
    let response: Value = request.json(&json!({ "query": query })).send().await.unwrap().json().await.unwrap();
    assert_eq!(response["extensions"]["upstream"][0]["q"], r#"name:"Ada""#, "{response}");
    assert_eq!(response["extensions"]["upstream"][1].get("q"), None);
}

#[tokio::test]
async fn a_variable_that_is_named_often_cannot_grow_beyond_a_bound() {
    let gateway = TestGateway::uncached().await;
    let times = vec!["$f"; 180].join(",");
    let query = format!("query Q($f: UserFilter!) {{ users(filter: {{ or: [{times}] }}) {{ total }} }}");
    let variables = json!({ "f": { "email": { "in": vec!["a".repeat(300); 180] } } });
    let response = gateway.send(json!({ "query": query, "variables": variables })).await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"], "{response}");
    assert_eq!(response["errors"][0]["extensions"]["measure"], "argument bytes");
    assert_eq!(response.get("data"), None);
    assert_eq!(gateway.calls().await.len(), 0);
}

#[tokio::test]
async fn a_field_that_a_filter_has_not_is_named_and_what_can_be_no_name_is_not() {
    let gateway = TestGateway::uncached().await;
    let filter =
        json!({ "emial": { "eq": "a" }, "name": { "eq": "a", "equals": "b" }, "not": { "ada@example.com": 1 } });
    let response = search(&gateway, USERS, &filter, None).await;
    let messages: Vec<_> = response["errors"].as_array().unwrap().iter().map(|error| &error["message"]).collect();
    assert_eq!(messages, ["The variable `$filter.emial` does not fit: a field of `UserFilter` is expected.",]);
    let filter = json!({ "name": { "equals": "b" }, "not": { "ada@example.com": 1 } });
    let response = search(&gateway, USERS, &filter, None).await;
    let mut messages: Vec<_> =
        response["errors"].as_array().unwrap().iter().map(|error| error["message"].as_str()).collect();
    messages.sort_unstable();
    assert_eq!(
        messages,
        [
            Some("The variable `$filter.name.equals` does not fit: a field of `StringFilter` is expected."),
            Some("The variable `$filter.not` does not fit: a field of `UserFilter` is expected."),
        ]
    );
    assert_eq!(gateway.calls().await, []);
}
