//! `fields`, of which Auth0's endpoints for single users take some names and no others.

use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::gateway::{TestGateway, codes};
use crate::mock::{answering, gateway_to};

/// Fields whose keys Auth0 refuses to be asked for by name.
const UNLISTED: &[&str] =
    &["phoneVerified", "multifactor", "multifactorLastModified", "lastPasswordReset", "attributes"];

#[tokio::test]
async fn a_user_comes_whole_where_auth0_would_refuse_a_name() {
    let gateway = TestGateway::uncached().await;
    let users = gateway.data("{ users(perPage: 1) { nodes { userId email } } }").await;
    let (id, email) = (&users["users"]["nodes"][0]["userId"], &users["users"]["nodes"][0]["email"]);
    gateway.forget_calls().await;
    for field in UNLISTED {
        for root in [format!("user(id: {id})"), format!("usersByEmail(email: {email})")] {
            let query = format!("{{ {root} {{ email {field} }} }}");
            let response = gateway.query(&query).await;
            assert_eq!(response.get("errors"), None, "{query}: {response}");
            let asked = gateway.asked().await;
            let [target] = &asked[..] else { panic!("{query} is one call: {asked:?}") };
            // Of `attributes` it is known what is not to be shown, and that is on the list.
            assert_eq!(target.contains("fields="), *field == "attributes", "{target}");
        }
    }
}

#[tokio::test]
async fn the_user_of_a_log_whom_the_search_does_not_know_yet_comes_whole_too() {
    let gateway = TestGateway::uncached().await;
    let id = gateway.sandbox.people()[0].user_id.clone();
    let log = json!([{ "log_id": "900", "user_id": id }]).to_string();
    for field in UNLISTED {
        gateway.fault(json!({ "path": "/api/v2/logs", "times": 1, "fault": { "body": log } })).await;
        gateway.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "body": "[]" } })).await;
        let query = format!("{{ logs {{ nodes {{ user {{ email {field} }} }} }} }}");
        let response = gateway.query(&query).await;
        assert_eq!(response.get("errors"), None, "{query}: {response}");
        assert!(response["data"]["logs"]["nodes"][0]["user"]["email"].is_string(), "{query}: {response}");
        gateway.mend().await;
        gateway.control("clock", json!({ "advanceMs": 2_000 })).await;
    }
}

#[tokio::test]
async fn every_field_of_a_user_can_be_had_by_itself() {
    let gateway = TestGateway::uncached().await;
    let users = gateway.data("{ users(perPage: 1) { nodes { userId email } } }").await;
    let id = &users["users"]["nodes"][0]["userId"];
    let fields = gateway.data("{ __type(name: \"User\") { fields { name type { kind ofType { kind } } } } }").await;
    for field in fields["__type"]["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        let selection = match name {
            "identities" => "{ provider }",
            "enrollments" | "sessions" | "refreshTokens" | "blocks" => "{ nodes { __typename } }",
            "logs" | "roles" | "permissions" | "organizations" | "authenticationMethods" => "{ page }",
            _ => "",
        };
        let response = gateway.query(&format!("{{ user(id: {id}) {{ {name} {selection} }} }}")).await;
        assert_eq!(response.get("errors"), None, "{name}: {response}");
        assert!(response["data"]["user"].is_object(), "{name}: {response}");
    }
}

/// Auth0's words for a refusal of names in `fields`, with those that it takes.
fn refusal_of(names: &str, list: &str) -> String {
    format!(
        "Query validation error: 'String '{names}' does not match pattern. Must be a comma separated list of the following \
         values: {list}' on property fields (A comma separated list of fields)."
    )
}

fn rejection(message: &str) -> ResponseTemplate {
    let error = json!({
        "statusCode": 400, "error": "Bad Request", "message": message, "errorCode": "invalid_query_string",
    });
    ResponseTemplate::new(400).set_body_json(error)
}

/// The value of a parameter.
fn parameter(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// Auth0's refusal of the names in `fields`, with those that it takes.
fn refusing(list: &'static str) -> impl Fn(&Request) -> ResponseTemplate {
    move |request| rejection(&refusal_of(&parameter(request, "fields").unwrap_or_default(), list))
}

/// An Auth0 that refuses every read for its `fields`.
async fn refusing_all(list: &'static str) -> MockServer {
    let auth0 = answering(ResponseTemplate::new(404)).await;
    Mock::given(method("GET")).respond_with(refusing(list)).with_priority(8).mount(&auth0).await;
    auth0
}

/// An Auth0 that refuses `fields`, and says that it takes the `list`, unless all that is asked for is on it.
async fn strict(list: &'static str) -> MockServer {
    let user = json!({ "user_id": "auth0|1", "email": "ada@example.com", "name": "Ada", "nickname": "ada" });
    let auth0 = answering(ResponseTemplate::new(200).set_body_json(&user)).await;
    let is_refused = move |request: &Request| {
        let fields = parameter(request, "fields");
        fields.is_some_and(|names| !names.split(',').all(|name| list.split(',').any(|taken| taken == name)))
    };
    Mock::given(method("GET"))
        .and(path("/api/v2/users/auth0%7C1"))
        .and(is_refused)
        .respond_with(refusing(list))
        .mount(&auth0)
        .await;
    auth0
}

/// The values of `fields` that were asked for, call by call.
async fn fields_asked(auth0: &MockServer) -> Vec<Option<String>> {
    let requests = auth0.received_requests().await.unwrap();
    let reads = requests.iter().filter(|request| request.method == "GET");
    reads.map(|request| parameter(request, "fields")).collect()
}

#[tokio::test]
async fn a_refusal_of_fields_is_asked_once_more_without_and_remembered() {
    let auth0 = strict("email,user_id").await;
    let gateway = gateway_to(&auth0).await;
    let user = |fields: &'static str| {
        let query = format!("{{ user(id: \"auth0|1\") {{ {fields} }} }}");
        let gateway = &gateway;
        async move { gateway.data(&query).await["user"].take() }
    };
    assert_eq!(user("email name").await, json!({ "email": "ada@example.com", "name": "Ada" }));
    // The list is known now.
    assert_eq!(user("nickname").await, json!({ "nickname": "ada" }));
    assert_eq!(user("email").await, json!({ "email": "ada@example.com" }));
    let told = gateway.data("{ gateway { warnings } }").await["gateway"]["warnings"].take();
    let warning = "Auth0 does not take name, nickname in `fields` of user: what selects them reads whole records.";
    assert!(told.as_array().unwrap().contains(&json!(warning)), "{told}");
    assert_eq!(fields_asked(&auth0).await, [Some("email,name".to_owned()), None, None, Some("email".to_owned())]);
}

#[tokio::test]
async fn a_refusal_without_a_list_ends_the_asking_for_fields() {
    let auth0 = strict("").await;
    let gateway = gateway_to(&auth0).await;
    for _ in 0..2 {
        let data = gateway.data("{ user(id: \"auth0|1\") { email } }").await;
        assert_eq!(data["user"]["email"], json!("ada@example.com"));
    }
    assert_eq!(fields_asked(&auth0).await, [Some("email".to_owned()), None, None]);
}

#[tokio::test]
async fn a_search_whose_fields_are_refused_is_made_again_for_whole_records() {
    let users = json!([{ "user_id": "auth0|1", "email": "ada@example.com" }]);
    let auth0 = refusing_all("email,user_id").await;
    Mock::given(method("GET"))
        .and(path("/api/v2/users"))
        .and(query_param_is_missing("fields"))
        .respond_with(ResponseTemplate::new(200).set_body_json(users))
        .mount(&auth0)
        .await;
    let gateway = gateway_to(&auth0).await;
    let data = gateway.data("{ users { nodes { email name } } }").await;
    assert_eq!(data["users"]["nodes"], json!([{ "email": "ada@example.com", "name": Value::Null }]));
}

#[tokio::test]
async fn an_endpoint_that_refuses_whole_records_for_their_fields_is_asked_no_third_time() {
    let auth0 = refusing_all("email,user_id").await;
    let gateway = gateway_to(&auth0).await;
    // Since it was not for the fields, they are sent the next time as well.
    for _ in 0..2 {
        let response = gateway.query("{ users { nodes { email name } } }").await;
        assert_eq!(response["errors"][0]["extensions"]["code"], json!("UPSTREAM_REJECTED"));
    }
    let fields = Some("email,name".to_owned());
    assert_eq!(fields_asked(&auth0).await, [fields.clone(), None, fields, None]);
}

/// An Auth0 that refuses what holds the words of its own refusals, and says so in them.
async fn echoing() -> MockServer {
    let echo = |request: &Request| {
        let asked = |name| parameter(request, name).unwrap_or_default();
        let id = request.url.path_segments().and_then(Iterator::last).unwrap_or_default();
        let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy().into_owned();
        let (q, email) = (asked("q"), asked("email"));
        let is_hostile = |text: &str| text.contains("on property");
        if is_hostile(&q) {
            rejection(&format!("The query '{q}' cannot be parsed. Please revise the query."))
        } else if is_hostile(&email) {
            rejection(&format!(
                "Query validation error: 'String '{email}' does not match pattern. Must be an address.' on property email (An address)."
            ))
        } else if is_hostile(&id) {
            rejection(&format!(
                "Path validation error: 'Object didn't pass validation for format user-id: {id}' on property id (An id)."
            ))
        } else {
            let record = json!({ "user_id": "auth0|1", "email": "ada@example.com", "log_id": "9001", "type": "s" });
            let is_record = request.url.path().starts_with("/api/v2/users/");
            ResponseTemplate::new(200).set_body_json(if is_record { record } else { json!([record]) })
        }
    };
    let auth0 = answering(ResponseTemplate::new(404)).await;
    Mock::given(method("GET")).respond_with(echo).with_priority(8).mount(&auth0).await;
    auth0
}

#[tokio::test]
async fn no_value_of_a_callers_ends_the_asking_for_fields() {
    let refusal = refusal_of("email", "user_id");
    let words = refusal.strip_prefix("Query validation error: 'String '").unwrap();
    for (query, harmless, fields) in [
        ("query($v: String) { searchLogs(q: $v) { nodes { type } } }", "type:s", "type"),
        ("query($v: String!) { usersByEmail(email: $v) { email } }", "ada@example.com", "email"),
        ("query($v: ID!) { user(id: $v) { email } }", "auth0|1", "email"),
    ] {
        let auth0 = echoing().await;
        let gateway = gateway_to(&auth0).await;
        let hostile = ["a:[ ' on property fields", "' on property fields (", words, &refusal];
        for value in hostile {
            let response = gateway.send(json!({ "query": query, "variables": { "v": value } })).await;
            assert_eq!(codes(&response), ["UPSTREAM_REJECTED"], "{value}: {response}");
        }
        let response = gateway.send(json!({ "query": query, "variables": { "v": harmless } })).await;
        assert_eq!(response.get("errors"), None, "{response}");
        assert_eq!(fields_asked(&auth0).await, vec![Some(fields.to_owned()); hostile.len() + 1], "{query}");
        let told = gateway.data("{ gateway { warnings } }").await["gateway"]["warnings"].to_string();
        assert!(!told.contains("does not take"), "{told}");
    }
}
