//! The lists that belong to a user, joined to them: roles, permissions, organizations, sessions and the like.

use auth0_graphql::graphql::Permissions;
use auth0_graphql::sandbox::{Options, TokenRequest};
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};

/// Everything that can be asked of a user's lists.
const EVERYTHING: &str = "
    roles { nodes { id name description attributes } page perPage hasNextPage }
    permissions { nodes { name description resourceServerName resourceServerIdentifier sources { id name type } } hasNextPage }
    organizations { nodes { id name displayName branding metadata } hasNextPage }
    authenticationMethods { nodes { id type name confirmed createdAt phoneNumber email } hasNextPage }
    enrollments { nodes { id status type name identifier phoneNumber authMethod enrolledAt lastAuth } }
    sessions { nodes { id userId createdAt idleExpiresAt device { initialUserAgent lastIp } clients { clientId }
        authentication { methods { name timestamp } } } next }
    refreshTokens { nodes { id clientId rotating createdAt expiresAt resourceServers { audience scopes } } next }
    blocks { nodes { identifier ip connection } }";

const PATHS: [&str; 8] = [
    "users/{}/roles?page=0&per_page=50",
    "users/{}/permissions?page=0&per_page=50",
    "users/{}/organizations?page=0&per_page=50",
    "users/{}/authentication-methods?page=0&per_page=50",
    "users/{}/enrollments",
    "users/{}/sessions?take=50",
    "users/{}/refresh-tokens?take=50",
    "user-blocks/{}",
];

/// The ids of the first users, as they are and as they stand in a path.
fn users(gateway: &TestGateway, count: usize) -> Vec<(String, String)> {
    let people = gateway.sandbox.people();
    people.iter().take(count).map(|person| (person.user_id.clone(), person.user_id.replace('|', "%7C"))).collect()
}

/// Has the sandbox answer the list of this path with this.
async fn answers(gateway: &TestGateway, path: &str, body: Value) {
    gateway.fault(json!({ "path": path, "times": 1, "fault": { "body": body.to_string() } })).await;
}

#[tokio::test]
async fn one_query_brings_all_that_belongs_to_a_user() {
    let mut seen = [false; PATHS.len()];
    for number in 0..12 {
        // Each has the whole of a tenant's rate limit.
        let gateway = TestGateway::uncached().await;
        let (id, path) = users(&gateway, number + 1).remove(number);
        let data = gateway.data(&format!("{{ user(id: {id:?}) {{ {EVERYTHING} }} }}")).await;
        let user = data["user"].as_object().unwrap();
        for (seen, (name, list)) in seen.iter_mut().zip(user) {
            let nodes = list["nodes"].as_array().unwrap_or_else(|| panic!("{name}: {list}"));
            *seen |= !nodes.is_empty();
            assert!(nodes.iter().all(Value::is_object), "{name}: {list}");
        }
        assert!(user["sessions"]["nodes"].as_array().unwrap().iter().all(|session| session["userId"] == id.as_str()));
        let mut asked = gateway.asked().await;
        assert_eq!(asked.remove(0), format!("/api/v2/users/{path}?fields=user_id&include_fields=true"));
        asked.sort_unstable();
        let mut expected = PATHS.map(|target| format!("/api/v2/{}", target.replace("{}", &path)));
        expected.sort_unstable();
        assert_eq!(asked, expected);
    }
    assert_eq!(seen, [true; PATHS.len()]);
}

#[tokio::test]
async fn lists_are_below_logs_and_logs_below_them() {
    let gateway = TestGateway::uncached().await;
    let data = gateway
        .data("{ logs(take: 8) { nodes { userId user { userId roles { nodes { name } } logs(perPage: 1) { nodes { user { userId } } } } } } }")
        .await;
    let nodes = data["logs"]["nodes"].as_array().unwrap();
    let users: Vec<_> = nodes.iter().filter(|node| !node["user"].is_null()).collect();
    assert!(!users.is_empty());
    for node in users {
        assert!(node["user"]["roles"]["nodes"].is_array(), "{node}");
        assert_eq!(node["user"]["logs"]["nodes"][0]["user"]["userId"], node["userId"], "{node}");
    }
}

#[tokio::test]
async fn the_same_list_of_the_same_user_is_one_call() {
    let gateway = TestGateway::uncached().await;
    let (id, _) = users(&gateway, 1).remove(0);
    let query = format!(
        "{{ a: user(id: {id:?}) {{ roles {{ nodes {{ name }} }} again: roles(page: 0) {{ nodes {{ id }} page }} sessions {{ next }} }}
            b: user(id: {id:?}) {{ roles(perPage: 50) {{ perPage }} sessions(from: null) {{ nodes {{ id }} }} other: roles(perPage: 1) {{ page }} }} }}"
    );
    gateway.data(&query).await;
    // The user, two pages of roles, the sessions.
    assert_eq!(gateway.calls().await.len(), 4);
}

#[tokio::test]
async fn a_list_is_paged_as_its_endpoint_is() {
    for number in 0..6 {
        let gateway = TestGateway::uncached().await;
        let (id, _) = users(&gateway, number + 1).remove(number);
        let all = gateway.data(&format!("{{ user(id: {id:?}) {{ sessions {{ nodes {{ id }} next }} permissions(perPage: 100) {{ nodes {{ name }} }} }} }}")).await;
        let (sessions, permissions) = (&all["user"]["sessions"], &all["user"]["permissions"]["nodes"]);
        assert_eq!(sessions["next"], Value::Null);
        let (mut walked, mut from) = (Vec::new(), Value::Null);
        loop {
            let query = format!(
                "query ($from: String) {{ user(id: {id:?}) {{ sessions(from: $from, take: 2) {{ nodes {{ id }} next }} }} }}"
            );
            let part = gateway.send(json!({ "query": query, "variables": { "from": from } })).await;
            let part = &part["data"]["user"]["sessions"];
            walked.extend(part["nodes"].as_array().unwrap().clone());
            if part["next"].is_null() {
                break;
            }
            from = part["next"].clone();
        }
        assert_eq!(&Value::from(walked), &sessions["nodes"]);
        let page = gateway.data(&format!("{{ user(id: {id:?}) {{ permissions(page: 1, perPage: 2) {{ nodes {{ name }} page perPage hasNextPage }} }} }}")).await;
        let page = &page["user"]["permissions"];
        let expected: Vec<_> = permissions.as_array().unwrap().iter().skip(2).take(2).cloned().collect();
        assert_eq!(page["hasNextPage"], expected.len() == 2);
        assert_eq!(page["nodes"], Value::from(expected));
    }
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_before_any_call_for_it() {
    let gateway = TestGateway::uncached().await;
    let (id, _) = users(&gateway, 1).remove(0);
    for list in [
        "roles(perPage: 101) { page }",
        "permissions(page: -1) { page }",
        "organizations(perPage: 0) { page }",
        "authenticationMethods(page: 20) { page }",
        "sessions(take: 0) { next }",
        "refreshTokens(from: \"\") { next }",
        "sessions(from: \"a\\nb\") { next }",
    ] {
        let response = gateway.query(&format!("{{ user(id: {id:?}) {{ name {list} }} }}")).await;
        assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{list}: {response}");
        assert!(response["data"]["user"]["name"].is_string());
        assert_eq!(gateway.asked().await.len(), 1, "{list}");
    }
}

#[tokio::test]
async fn auth0_s_odd_forms_are_read_for_what_they_are() {
    let gateway = TestGateway::uncached().await;
    let (id, path) = users(&gateway, 1).remove(0);
    let below = |list: &str| format!("/api/v2/users/{path}/{list}");
    let ask = async |list: &str| {
        gateway.data(&format!("{{ user(id: {id:?}) {{ list: {list} }} }}")).await["user"]["list"].take()
    };
    // Totals that contradict the list, and a `total` of none.
    answers(
        &gateway,
        &below("organizations"),
        json!({ "organizations": [{ "id": "org_1", "display_name": "A" }], "total": 0 }),
    )
    .await;
    assert_eq!(
        ask("organizations(perPage: 1) { nodes { id displayName } hasNextPage }").await,
        json!({ "nodes": [{ "id": "org_1", "displayName": "A" }], "hasNextPage": true })
    );
    answers(
        &gateway,
        &below("authentication-methods"),
        json!({ "authenticators": [{ "type": "totp", "totp_secret": "s" }] }),
    )
    .await;
    assert_eq!(ask("authenticationMethods { nodes { type } }").await, json!({ "nodes": [{ "type": "totp" }] }));
    answers(&gateway, &below("permissions"), json!([{ "permission_name": "read:a" }])).await;
    assert_eq!(
        ask("permissions { nodes { name sources { id } } }").await,
        json!({ "nodes": [{ "name": "read:a", "sources": null }] })
    );
    answers(
        &gateway,
        &below("sessions"),
        json!({ "sessions": [{ "id": "s", "expires_at": { "odd": 1 }, "updated_at": null }], "next": "" }),
    )
    .await;
    assert_eq!(
        ask("sessions { nodes { expiresAt updatedAt attributes } next }").await,
        json!({ "nodes": [{ "expiresAt": null, "updatedAt": null, "attributes": { "expires_at": { "odd": 1 } } }], "next": null })
    );
    answers(&gateway, "/api/v2/user-blocks", json!({ "blocked_for": [{ "identifier": "ada@example.com" }] })).await;
    assert_eq!(
        ask("blocks { nodes { identifier ip } }").await,
        json!({ "nodes": [{ "identifier": "ada@example.com", "ip": null }] })
    );
}

#[tokio::test]
async fn no_form_of_auth0_s_brings_a_refresh_token_to_light() {
    let gateway = TestGateway::uncached().await;
    let (id, path) = users(&gateway, 1).remove(0);
    let below = |list: &str| format!("/api/v2/users/{path}/{list}");
    let types = gateway.data("{ __type(name: \"RefreshToken\") { fields { name } } }").await;
    let fields: Vec<_> =
        types["__type"]["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert!(!fields.contains(&"token"), "{fields:?}");
    let token = json!({
        "id": "1", "token": "SECRET", "refresh_token": "SECRET", "rotating": "perhaps",
        "client_id": { "refresh_token": "SECRET" }, "session_id": ["a", ["SECRET"]],
        "device": { "key": "SECRET", "initial_ip": ["1.1.1.1", "2.2.2.2"] },
        "resource_servers": [{ "audience": "a", "scopes": "b", "key": "SECRET" }, ["SECRET"]],
    });
    let odd = json!({ "id": "2", "device": ["SECRET"], "resource_servers": { "token": "SECRET" } });
    let simple = json!({ "id": "3", "device": 5 });
    answers(&gateway, &below("refresh-tokens"), json!({ "tokens": [token, odd, simple] })).await;
    let query = format!(
        "{{ user(id: {id:?}) {{ refreshTokens {{ nodes {{ id userId clientId sessionId rotating createdAt attributes
            device {{ initialIp attributes }} resourceServers {{ audience scopes attributes }} }} }} }} }}"
    );
    let response = gateway.query(&query).await;
    let nodes = &response["data"]["user"]["refreshTokens"]["nodes"];
    assert_eq!(nodes[0]["id"], "1");
    assert!(!response.to_string().contains("SECRET"), "{response}");
    // What is known of it and does not fit is no secret.
    assert_eq!(nodes[0]["attributes"], json!({ "rotating": "perhaps", "client_id": null, "session_id": null }));
    assert_eq!(nodes[0]["device"]["attributes"], json!({ "initial_ip": ["1.1.1.1", "2.2.2.2"] }));
    assert_eq!(nodes[2]["attributes"], json!({ "device": 5 }));
    // What is kept back all the same is told of.
    let at = |index: usize, field: &str| json!(["user", "refreshTokens", "nodes", index, field]);
    let mut told: Vec<_> = response["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    told.sort_by_key(Value::to_string);
    assert_eq!(told, [at(0, "resourceServers"), at(1, "device"), at(1, "resourceServers")]);
}

#[tokio::test]
async fn whoever_is_gone_meanwhile_has_nothing() {
    let gateway = TestGateway::uncached().await;
    let (id, path) = users(&gateway, 1).remove(0);
    let below = |list: &str| format!("/api/v2/users/{path}/{list}");
    let gone = json!({ "statusCode": 404, "error": "Not Found", "message": "The user does not exist.", "errorCode": "inexistent_user" });
    gateway
        .fault(json!({ "path": below("roles"), "times": 1, "fault": { "status": 404, "body": gone.to_string() } }))
        .await;
    let data = gateway.data(&format!("{{ user(id: {id:?}) {{ roles {{ nodes {{ name }} hasNextPage }} }} }}")).await;
    assert_eq!(data["user"]["roles"], json!({ "nodes": [], "hasNextPage": false }));
}

#[tokio::test]
async fn what_may_come_to_too_many_calls_is_refused_before_the_first() {
    let gateway = TestGateway::uncached().await;
    let data = gateway
        .data("{ users(perPage: 9) { nodes { roles { nodes { name } } organizations { nodes { name } } } } }")
        .await;
    assert_eq!(data["users"]["nodes"].as_array().unwrap().len(), 9);
    assert_eq!(gateway.asked().await.len(), 19);
    let response = gateway.query("{ users(perPage: 50) { nodes { roles { page } organizations { page } } } }").await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"]);
    let told = &response["errors"][0]["extensions"];
    assert_eq!((&told["value"], &told["limit"], &told["largestPage"]), (&json!(101), &json!(20), &json!(9)));
    assert_eq!(gateway.calls().await, []);
}

/// A gateway whose callers hold what their tokens say, and a token of these scopes.
async fn with_token(scopes: &str, self_access: bool) -> (TestGateway, String, String) {
    let setup = Setup {
        sandbox: Options::default(),
        takes_sandbox_tokens: true,
        permissions: Permissions { self_access, ..Permissions::default() },
        ..Setup::uncached()
    };
    let gateway = TestGateway::spawn_with(setup).await;
    let ada = gateway.sandbox.people()[0].user_id.clone();
    let request = TokenRequest { scope: scopes.to_owned(), sub: Some(ada.clone()), ..TokenRequest::default() };
    let token = gateway.sandbox.user_token(&request).unwrap();
    (gateway, token, ada)
}

async fn ask(gateway: &TestGateway, token: &str, query: &str) -> Value {
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": query }));
    request.bearer_auth(token).send().await.unwrap().json().await.unwrap()
}

/// The fields that were denied, with the scope for want of which.
fn denied(response: &Value) -> Vec<(String, String)> {
    let errors = response["errors"].as_array().into_iter().flatten();
    let denied = errors.map(|error| {
        assert_eq!(error["extensions"]["code"], "FORBIDDEN", "{error}");
        let field = error["path"].as_array().unwrap().last().unwrap();
        (field.as_str().unwrap().to_owned(), error["extensions"]["scope"].as_str().unwrap().to_owned())
    });
    denied.collect()
}

#[tokio::test]
async fn each_list_needs_its_scopes_of_the_caller_and_fails_by_itself() {
    let (gateway, token, ada) = with_token("read:users read:roles read:sessions", false).await;
    let response = ask(&gateway, &token, &format!("{{ user(id: {ada:?}) {{ userId {EVERYTHING} }} }}")).await;
    let expected = [
        ("roles", "read:role_members"),
        ("organizations", "read:organizations"),
        ("authenticationMethods", "read:authentication_methods"),
        ("refreshTokens", "read:refresh_tokens"),
    ];
    assert_eq!(denied(&response), expected.map(|(field, scope)| (field.to_owned(), scope.to_owned())));
    let user = &response["data"]["user"];
    assert_eq!(user["userId"], ada.as_str());
    for (field, list) in user.as_object().unwrap().iter().skip(1) {
        assert_eq!(list.is_null(), expected.iter().any(|(denied, _)| denied == field), "{field}: {list}");
    }
}

#[tokio::test]
async fn self_access_covers_no_list() {
    let (gateway, token, ada) = with_token("read:logs", true).await;
    let response = ask(
        &gateway,
        &token,
        "{ me { userId permissions { page } enrollments { nodes { id } } blocks { nodes { ip } } sessions { next } } }",
    )
    .await;
    assert_eq!(response["data"]["me"]["userId"], ada.as_str(), "{response}");
    let fields: Vec<_> = denied(&response).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["permissions", "enrollments", "blocks", "sessions"]);
    let asked = gateway.asked().await;
    assert_eq!(asked.iter().filter(|target| target.starts_with("/api/")).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn a_list_that_the_gateway_was_not_granted_fails_by_itself() {
    let gateway = TestGateway::spawn_with_scopes(&["read:users", "read:sessions"]).await;
    let (id, _) = users(&gateway, 1).remove(0);
    for _ in 0..2 {
        let response = gateway
            .query(&format!(
                "{{ user(id: {id:?}) {{ userId roles {{ page }} sessions {{ next }} organizations {{ page }} }} }}"
            ))
            .await;
        assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"], "{response}");
        assert_eq!(response["errors"][0]["path"], json!(["user", "roles"]));
        assert!(
            response["data"]["user"]["sessions"].is_object() && response["data"]["user"]["organizations"].is_object()
        );
    }
    // What was granted comes with the token: it is not asked for again.
    let calls = gateway.calls().await;
    assert!(calls.iter().filter(|call| call.path.ends_with("/roles")).count() <= 1, "{calls:?}");
}
