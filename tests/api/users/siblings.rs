//! Root fields beside one another: side by side, sharing a call, or one failing alone.

use std::time::Duration;

use serde_json::json;

use crate::gateway::{TestGateway, codes};
use crate::time::StoppedClock;

#[tokio::test]
async fn aliases_that_ask_the_same_share_one_call() {
    let gateway = TestGateway::uncached().await;
    let data = gateway
        .data(
            "{ a: users(perPage: 2) { nodes { email } hasNextPage }
               b: users(page: 0, perPage: 2, q: null) { nodes { name } total }
               c: users(perPage: 3) { nodes { email } } }",
        )
        .await;
    for (alias, keys) in [("a", "email"), ("b", "name"), ("c", "email")] {
        for node in data[alias]["nodes"].as_array().unwrap() {
            assert_eq!(node.as_object().unwrap().keys().collect::<Vec<_>>(), [keys], "{alias}");
        }
    }
    assert_eq!(data["b"]["total"], 1_000, "Auth0 counts no further");
    assert_eq!(data["c"]["nodes"].as_array().unwrap().len(), 3);
    let mut asked = gateway.asked().await;
    asked.sort();
    let with = |rest: &str| format!("/api/v2/users?page=0&{rest}");
    let expected = [
        with("per_page=2&search_engine=v3&include_totals=true&fields=email,name&include_fields=true"),
        with("per_page=3&search_engine=v3&fields=email&include_fields=true"),
    ];
    assert_eq!(asked, expected);

    let data = gateway
        .data(
            "{ a: user(id: \"github|4000001\") { name } b: user(id: \"github|4000001\") { attributes }
               c: usersByEmail(email: \"finn.moreau@example.com\") { name }
               d: usersByEmail(email: \"finn.moreau@example.com\") { nickname } }",
        )
        .await;
    assert_eq!(data["a"], json!({ "name": "Finn Moreau" }));
    assert_eq!(data["b"]["attributes"]["public_repos"], 42);
    assert_eq!((&data["c"], &data["d"]), (&json!([{ "name": "Finn Moreau" }]), &json!([{ "nickname": "finnm" }])));
    let mut asked = gateway.asked().await;
    asked.sort();
    let by_email = "/api/v2/users-by-email?email=finn.moreau%40example.com&fields=name,nickname&include_fields=true";
    assert_eq!(asked, [by_email, "/api/v2/users/github%7C4000001?fields=identities&include_fields=false"]);
}

#[tokio::test]
async fn a_shared_call_that_fails_fails_each_of_its_aliases() {
    let gateway = TestGateway::uncached().await;
    gateway.fault(json!({ "path": "/api/v2/users", "times": 20, "fault": { "status": 403 } })).await;
    let response = gateway.query("{ a: users { page } b: users { total } }").await;
    assert_eq!(response["data"], json!({ "a": null, "b": null }));
    assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"; 2]);
    assert_eq!(gateway.calls().await.len(), 1);
}

#[tokio::test]
async fn one_root_field_may_fail_while_its_siblings_answer() {
    let gateway = TestGateway::uncached().await;
    gateway.fault(json!({ "path": "/api/v2/users-by-email", "times": 20, "fault": { "status": 403 } })).await;
    let response = gateway
        .query(
            "{ users(perPage: 1) { page } found: usersByEmail(email: \"ada.brandt@example.com\") { name }
               bad: users(perPage: 0) { page } user(id: \"github|4000001\") { name } gateway { mode } }",
        )
        .await;
    let data = json!({
        "users": { "page": 0 }, "found": null, "bad": null, "user": { "name": "Finn Moreau" }, "gateway": { "mode": "TENANT" },
    });
    assert_eq!(response["data"], data);
    let mut errors: Vec<_> = response["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{} {}", error["path"], error["extensions"]["code"]))
        .collect();
    errors.sort();
    assert_eq!(errors, [r#"["bad"] "BAD_USER_INPUT""#, r#"["found"] "UPSTREAM_MISCONFIGURED""#]);
    assert!(response["errors"].as_array().unwrap().iter().all(|error| error["extensions"]["requestId"].is_string()));
}

#[tokio::test]
async fn root_fields_are_fetched_side_by_side() {
    let gateway = TestGateway::uncached().await;
    let clock = StoppedClock::stop();
    gateway.data("{ users(perPage: 1) { page } }").await;
    gateway.forget_calls().await;
    gateway.fault(json!({ "path": "/api/v2/", "times": 3, "fault": { "slow": 1_000 } })).await;
    let query = gateway.data("{ users { page } logs { next } user(id: \"github|4000001\") { name } }");
    let answered = async {
        // None is answered before all are asked, since time stands still.
        while gateway.calls().await.len() < 3 {}
        assert!(gateway.calls().await.iter().all(|call| call.status.is_none()));
        clock.advance(Duration::from_secs(1)).await;
    };
    let (data, ()) = tokio::join!(query, answered);
    assert_eq!(data["user"]["name"], "Finn Moreau");
}
