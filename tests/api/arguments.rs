//! Arguments: what Auth0 would refuse is refused before any call, and what it takes arrives as it was written.

use serde_json::{Value, json};

use crate::gateway::{TestGateway, codes};

/// Sends a root field with its arguments as variables, and gives back the whole response.
async fn ask(gateway: &TestGateway, field: &str, variables: Value) -> Value {
    let (declared, query) = match field {
        "users" => (
            "$q: String, $page: Int! = 0, $perPage: Int! = 50",
            "users(q: $q, page: $page, perPage: $perPage) { page }",
        ),
        "searchLogs" => (
            "$q: String, $page: Int! = 0, $perPage: Int! = 50",
            "searchLogs(q: $q, page: $page, perPage: $perPage) { page }",
        ),
        "logs" => ("$from: ID, $take: Int! = 50", "logs(from: $from, take: $take) { next }"),
        "user" => ("$id: ID!", "user(id: $id) { name }"),
        "log" => ("$id: ID!", "log(id: $id) { type }"),
        "usersByEmail" => ("$email: String!", "usersByEmail(email: $email) { name }"),
        _ => panic!("no such field: {field}"),
    };
    gateway.send(json!({ "query": format!("query ({declared}) {{ {query} }}"), "variables": variables })).await
}

#[tokio::test]
async fn an_argument_out_of_bounds_is_named_and_nothing_is_called() {
    let gateway = TestGateway::uncached().await;
    let long_id = "9".repeat(513);
    let long_q = "a".repeat(4_097);
    let long_address = format!("{}@example.com", "a".repeat(309));
    for (fields, argument, variables) in [
        ("users searchLogs", "perPage", json!({ "perPage": 0 })),
        ("users searchLogs", "perPage", json!({ "perPage": 101 })),
        ("users searchLogs", "perPage", json!({ "perPage": -1 })),
        ("users searchLogs", "perPage", json!({ "perPage": i32::MAX })),
        ("users searchLogs", "perPage", json!({ "perPage": i32::MIN })),
        ("users searchLogs", "page", json!({ "page": -1 })),
        ("users searchLogs", "page", json!({ "page": i32::MIN })),
        // The wall.
        ("users searchLogs", "page", json!({ "page": 20, "perPage": 50 })),
        ("users searchLogs", "page", json!({ "page": 20 })),
        ("users searchLogs", "page", json!({ "page": 10, "perPage": 100 })),
        ("users searchLogs", "page", json!({ "page": 1_000, "perPage": 1 })),
        ("users searchLogs", "page", json!({ "page": 11, "perPage": 90 })),
        ("users searchLogs", "page", json!({ "page": i32::MAX, "perPage": 1 })),
        ("users searchLogs", "page", json!({ "page": i32::MAX, "perPage": 100 })),
        ("users searchLogs", "q", json!({ "q": long_q })),
        ("users searchLogs", "q", json!({ "q": "name:a\nb" })),
        ("users searchLogs", "q", json!({ "q": "name:\u{0}" })),
        ("users searchLogs", "q", json!({ "q": "name:\u{9b}" })),
        ("logs", "take", json!({ "take": 0 })),
        ("logs", "take", json!({ "take": 101 })),
        ("logs", "take", json!({ "take": -1 })),
        ("logs", "take", json!({ "take": i32::MAX })),
        ("logs", "take", json!({ "take": 0, "from": "900" })),
        ("logs", "take", json!({ "take": 101, "from": "900" })),
        ("logs", "from", json!({ "from": "" })),
        ("logs", "from", json!({ "from": ".." })),
        ("logs", "from", json!({ "from": "900\r\nX: y" })),
        ("logs", "from", json!({ "from": long_id })),
        ("user log", "id", json!({ "id": "" })),
        ("user log", "id", json!({ "id": "." })),
        ("user log", "id", json!({ "id": ".." })),
        ("user log", "id", json!({ "id": "auth0|1\r\nHost: x" })),
        ("user log", "id", json!({ "id": "auth0|\u{0}" })),
        ("user log", "id", json!({ "id": "auth0|\u{85}" })),
        ("user log", "id", json!({ "id": long_id })),
        ("usersByEmail", "email", json!({ "email": "" })),
        ("usersByEmail", "email", json!({ "email": "a@example.com\n" })),
        ("usersByEmail", "email", json!({ "email": long_address })),
    ] {
        for field in fields.split(' ') {
            let response = ask(&gateway, field, variables.clone()).await;
            assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{field} {variables}: {response}");
            let error = &response["errors"][0];
            assert_eq!(error["extensions"]["argument"], argument, "{field} {variables}");
            assert_eq!(error["path"], json!([field]), "{field} {variables}");
            let message = error["message"].as_str().unwrap();
            assert!(message.starts_with(&format!("`{argument}` ")) && message.len() < 400, "{message}");
            assert_eq!(response["data"], json!({ field: null }), "{field} {variables}");
        }
    }
    assert_eq!(gateway.all_calls().await, [], "not even a token is asked for");
}

#[tokio::test]
async fn a_page_beyond_reach_says_how_to_get_further() {
    let gateway = TestGateway::uncached().await;
    let response = ask(&gateway, "users", json!({ "page": 20 })).await;
    let message = response["errors"][0]["message"].as_str().unwrap();
    for part in ["1000", "(page + 1) * perPage", "`q`"] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn what_is_just_in_bounds_is_asked() {
    let gateway = TestGateway::uncached().await;
    for (field, variables, asked) in [
        ("users", json!({ "page": 19 }), "/api/v2/users?page=19&per_page=50&"),
        ("users", json!({ "page": 999, "perPage": 1 }), "/api/v2/users?page=999&per_page=1&"),
        ("searchLogs", json!({ "page": 9, "perPage": 100 }), "/api/v2/logs?page=9&per_page=100&"),
        ("logs", json!({ "take": 1 }), "/api/v2/logs?page=0&per_page=1&"),
        ("logs", json!({ "take": 100, "from": "900" }), "/api/v2/logs?from=900&take=100"),
        ("user", json!({ "id": "9".repeat(512) }), "/api/v2/users/9999"),
        ("users", json!({ "q": "a".repeat(4_096) }), "/api/v2/users?page=0&per_page=50&search_engine=v3&q=aaaa"),
        // An id may be a number, as ids are in GraphQL.
        ("logs", json!({ "from": 900 }), "/api/v2/logs?from=900&take=50"),
    ] {
        let response = ask(&gateway, field, variables.clone()).await;
        assert_eq!(response.get("errors"), None, "{field} {variables}: {response}");
        let calls = gateway.asked().await;
        assert!(calls.len() == 1 && calls[0].starts_with(asked), "{field} {variables}: {calls:?}");
    }
}

#[tokio::test]
async fn ids_stay_one_segment_of_the_path() {
    let gateway = TestGateway::uncached().await;
    for (id, segment) in [
        ("auth0|64b1f0", "auth0%7C64b1f0"),
        ("samlp|corp|CORP\\ada", "samlp%7Ccorp%7CCORP%5Cada"),
        ("oauth2|a b", "oauth2%7Ca%20b"),
        ("x|日本é🦊", "x%7C%E6%97%A5%E6%9C%AC%C3%A9%F0%9F%A6%8A"),
        ("x|%2F", "x%7C%252F"),
        ("x|%2e%2e%2fclients", "x%7C%252e%252e%252fclients"),
        ("x|a?fields=b#c", "x%7Ca%3Ffields%3Db%23c"),
        ("x|a&b;c=d+e,f:g@h", "x%7Ca%26b%3Bc%3Dd%2Be%2Cf%3Ag%40h"),
        ("x|\"<>'`{}[]^", "x%7C%22%3C%3E%27%60%7B%7D%5B%5D%5E"),
        ("samlp|corp|AAdz/abc+def==", "samlp%7Ccorp%7CAAdz%2Fabc%2Bdef%3D%3D"),
        ("oidc|c|https://idp.example/users/1", "oidc%7Cc%7Chttps%3A%2F%2Fidp.example%2Fusers%2F1"),
        ("email|john..doe@example.com", "email%7Cjohn..doe%40example.com"),
        ("../clients", "..%2Fclients"),
        ("/", "%2F"),
        ("auth0|..", "auth0%7C.."),
        (" lead and trail ", "%20lead%20and%20trail%20"),
        ("a.b-c_d~e", "a.b-c_d~e"),
    ] {
        for (field, collection) in [("user", "users"), ("log", "logs")] {
            let response = ask(&gateway, field, json!({ "id": id })).await;
            assert_eq!(response, json!({ "data": { field: null } }), "{id}");
            let calls = gateway.calls().await;
            assert_eq!(calls.last().unwrap().path, format!("/api/v2/{collection}/{segment}"), "{id}");
            assert_eq!(calls.last().unwrap().status, Some(404), "{id}");
            // The tenant's plan lets no more through at a time that stands still.
            gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
        }
    }
}

#[tokio::test]
async fn values_arrive_as_they_were_written() {
    let gateway = TestGateway::uncached().await;
    // A plus sign, which many a decoder takes for a blank, is part of every phone number.
    for (q, expected) in [
        ("phone_number:\"+15550100007\"", "+15550100007"),
        ("name:\"新井 千代\"", "新井 千代"),
        ("name:\"Gala 🦊 Ferrer\"", "Gala 🦊 Ferrer"),
        ("user_id:\"github|4000001\"", "Finn Moreau"),
    ] {
        let query = "query ($q: String) { users(q: $q) { nodes { name } } }";
        let response = gateway.send(json!({ "query": query, "variables": { "q": q } })).await;
        assert_eq!(response["data"]["users"]["nodes"], json!([{ "name": expected }]), "{q}: {response}");
    }
    gateway.forget_calls().await;
    let response = ask(&gateway, "usersByEmail", json!({ "email": " A+b%40&c=d#e?é@Example.com " })).await;
    assert_eq!(response, json!({ "data": { "usersByEmail": [] } }));
    let response = ask(&gateway, "logs", json!({ "from": "9|a+b&take=1#c%20d" })).await;
    assert_eq!(response["data"]["logs"]["next"], "9|a+b&take=1#c%20d");
    let asked = [
        "/api/v2/users-by-email?email=%20A%2Bb%2540%26c%3Dd%23e%3F%C3%A9%40Example.com%20&fields=name&include_fields=true",
        "/api/v2/logs?from=9%7Ca%2Bb%26take%3D1%23c%2520d&take=50",
    ];
    assert_eq!(gateway.asked().await, asked);
}

#[tokio::test]
async fn a_search_that_auth0_refuses_comes_back_with_its_explanation() {
    let gateway = TestGateway::uncached().await;
    for (field, q, explanation) in [
        ("users", "name:*ab", "A wildcard at the beginning of a term needs at least 3 characters after it on [name]."),
        ("users", "user_metadata.theme:da*", "Wildcards and ranges are not supported on [user_metadata.theme]."),
        ("searchLogs", "user_email:a", "The search query string has an error: unknown field \"user_email\""),
        ("searchLogs", "log_id:[ TO *]", "The query 'log_id:[ TO *]' cannot be parsed."),
    ] {
        let response = ask(&gateway, field, json!({ "q": q })).await;
        assert_eq!(codes(&response), ["UPSTREAM_REJECTED"], "{q}: {response}");
        assert_eq!(response["data"], json!({ field: null }));
        let message = response["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("Auth0 refused the request: ") && message.contains(explanation), "{message}");
        // It is refused once: to ask the same again would be in vain.
        let calls = gateway.calls().await;
        assert_eq!((calls.len(), calls[0].status), (1, Some(400)), "{q}");
        gateway.forget_calls().await;
    }
}

#[tokio::test]
async fn an_explanation_repeats_no_address() {
    let gateway = TestGateway::uncached().await;
    let response = ask(&gateway, "searchLogs", json!({ "q": "user_name:\"ada.brandt@example.com\" AND (" })).await;
    assert_eq!(codes(&response), ["UPSTREAM_REJECTED"], "{response}");
    assert!(!response.to_string().contains("ada.brandt@example.com"), "{response}");
}

#[tokio::test]
async fn a_search_that_grows_too_long_on_its_way_says_so() {
    let gateway = TestGateway::uncached().await;
    // Within the limit of bytes, but three times as long once it is percent-encoded.
    let response = ask(&gateway, "users", json!({ "q": "é".repeat(2_048) })).await;
    assert_eq!(codes(&response), ["UPSTREAM_REJECTED"], "{response}");
    assert!(response["errors"][0]["message"].as_str().unwrap().contains("shorten `q`"), "{response}");
}
