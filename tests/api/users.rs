//! Users: what is asked of Auth0 for them, and what its answers become.

mod fields;
mod pages;
mod siblings;

use auth0_graphql::sandbox::{Options, TokenRequest};
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};

#[tokio::test]
async fn auth0_is_asked_for_the_selected_fields_and_no_more() {
    let gateway = TestGateway::uncached().await;
    for (query, asked) in [
        ("{ users { nodes { email } } }", "users?page=0&per_page=50&search_engine=v3&fields=email&include_fields=true"),
        (
            "{ users(page: 1, perPage: 3) { nodes { userId identities { provider } } hasNextPage } }",
            "users?page=1&per_page=3&search_engine=v3&fields=identities,user_id&include_fields=true",
        ),
        (
            "{ users { total nodes { name again: name } } }",
            "users?page=0&per_page=50&search_engine=v3&include_totals=true&fields=name&include_fields=true",
        ),
        // Nothing of the users themselves: the id is the least that can be asked for.
        (
            "{ users { total } }",
            "users?page=0&per_page=50&search_engine=v3&include_totals=true&fields=user_id&include_fields=true",
        ),
        (
            "{ users { page nodes { __typename } } }",
            "users?page=0&per_page=50&search_engine=v3&fields=user_id&include_fields=true",
        ),
        // All but what this caller, who may not see tokens, would not be shown.
        (
            "{ users { nodes { email attributes } } }",
            "users?page=0&per_page=50&search_engine=v3&fields=identities&include_fields=false",
        ),
        ("{ users { nodes { attributes identities { provider } } } }", "users?page=0&per_page=50&search_engine=v3"),
        // `attributes` of an identity are inside the key that is asked for anyway.
        (
            "{ users { nodes { identities { attributes } } } }",
            "users?page=0&per_page=50&search_engine=v3&fields=identities&include_fields=true",
        ),
        (
            "{ users(q: \"name:\\\"Ada Brandt\\\"\", sort: { field: LAST_LOGIN, direction: DESC }) { nodes { name } } }",
            "users?page=0&per_page=50&search_engine=v3&q=name%3A%22Ada%20Brandt%22&sort=last_login%3A-1&fields=name&include_fields=true",
        ),
        (
            "{ users(q: \"  \") { nodes { name } } }",
            "users?page=0&per_page=50&search_engine=v3&fields=name&include_fields=true",
        ),
        (
            "{ user(id: \"auth0|1\") { lastLogin loginsCount } }",
            "users/auth0%7C1?fields=last_login,logins_count&include_fields=true",
        ),
        ("{ user(id: \"auth0|1\") { attributes } }", "users/auth0%7C1?fields=identities&include_fields=false"),
        (
            "{ usersByEmail(email: \"Ada+x@Example.com\") { userId } }",
            "users-by-email?email=Ada%2Bx%40Example.com&fields=user_id&include_fields=true",
        ),
        (
            "{ usersByEmail(email: \"a@example.com\") { attributes } }",
            "users-by-email?email=a%40example.com&fields=identities&include_fields=false",
        ),
        ("{ gateway { version } __typename }", ""),
    ] {
        gateway.data(query).await;
        let expected: Vec<_> =
            [asked].into_iter().filter(|asked| !asked.is_empty()).map(|asked| format!("/api/v2/{asked}")).collect();
        assert_eq!(gateway.asked().await, expected, "{query}");
    }
}

#[tokio::test]
async fn whoever_wants_every_field_gets_the_whole_profile() {
    let gateway = TestGateway::uncached().await;
    let data = gateway.data("{ __type(name: \"User\") { fields { name type { kind } } } }").await;
    // What is joined is an object each, and no part of the profile.
    let of_profile =
        data["__type"]["fields"].as_array().unwrap().iter().filter(|field| field["type"]["kind"] != "OBJECT");
    let names = of_profile.map(|field| field["name"].as_str().unwrap());
    let fields: Vec<_> = names
        .filter(|name| *name != "attributes")
        .map(|name| if name == "identities" { "identities { provider }" } else { name })
        .collect();
    assert!(fields.len() > 20, "{fields:?}");

    let ada = &gateway.sandbox.people()[0];
    let user = gateway.data(&format!("{{ user(id: {:?}) {{ {} }} }}", ada.user_id, fields.join(" "))).await;
    assert_eq!(user["user"]["email"], ada.email.as_str());
    let path = ada.user_id.replace('|', "%7C");
    assert_eq!(gateway.asked().await, [format!("/api/v2/users/{path}")]);

    let all_but_one = fields[..fields.len() - 1].join(" ");
    gateway.data(&format!("{{ users {{ nodes {{ {all_but_one} }} }} }}")).await;
    assert!(gateway.asked().await[0].contains("&fields="));
}

#[tokio::test]
async fn who_does_not_exist_is_null_without_an_error() {
    let gateway = TestGateway::uncached().await;
    let response = gateway
        .query("{ user(id: \"auth0|nobody\") { name } usersByEmail(email: \"nobody@example.com\") { name } }")
        .await;
    assert_eq!(response, json!({ "data": { "user": null, "usersByEmail": [] } }));
}

#[tokio::test]
async fn an_address_is_looked_up_as_written() {
    let gateway = TestGateway::uncached().await;
    let data = gateway
        .data(
            "{ exact: usersByEmail(email: \"Dara.Quist@Example.com\") { name }
               lower: usersByEmail(email: \"dara.quist@example.com\") { name }
               twice: usersByEmail(email: \"ada.brandt@example.com\") { name identities { connection } } }",
        )
        .await;
    assert_eq!(data["exact"], json!([{ "name": "Dara Quist" }]));
    assert_eq!(data["lower"], json!([]));
    let connections: Vec<_> =
        data["twice"].as_array().unwrap().iter().map(|user| user["identities"][0]["connection"].as_str()).collect();
    assert_eq!(connections.len(), 2);
    assert_ne!(connections[0], connections[1]);
}

/// Everything that Auth0's answers vary in, with what the table does not know.
const ODDITIES: &str =
    "userId email emailVerified phoneNumber phoneVerified name lastLogin lastIp loginsCount createdAt updatedAt blocked
    multifactor appMetadata userMetadata identities { userId isSocial profileData attributes } attributes";

#[tokio::test]
async fn odd_profiles_come_out_in_one_form_and_the_original_stays_in_attributes() {
    let gateway = TestGateway::uncached().await;
    let people = gateway.sandbox.people();
    let known = |name: &str| people.iter().find(|person| person.name == name).unwrap();
    for (person, pointer, expected) in [
        (known("Ada Brandt"), "/emailVerified", json!(true)),
        (known("Ada Brandt"), "/multifactor", json!(["guardian"])),
        (known("Ada Brandt"), "/lastIp", json!("2001:db8::1")),
        (known("Ada Brandt"), "/appMetadata/limits", json!({ "daily": 1e6, "ratio": 0.25, "none": null })),
        (known("Ada Brandt"), "/userMetadata/addresses/1/city", json!("Porto")),
        (known("Ada Brandt"), "/identities/0/profileData", Value::Null),
        (known("Ada Brandt"), "/identities/1/profileData/locale", json!("en")),
        (known("Ada Brandt"), "/attributes", json!({})),
        (known("Bruno Keita"), "/blocked", json!(true)),
        (known("新井 千代"), "/name", json!("新井 千代")),
        (known("新井 千代"), "/lastLogin", Value::Null),
        (known("新井 千代"), "/loginsCount", Value::Null),
        (known("新井 千代"), "/blocked", Value::Null),
        (known("新井 千代"), "/appMetadata", Value::Null),
        // The text "true" is true, and was understood: no original is needed.
        (known("Dara Quist"), "/emailVerified", json!(true)),
        (known("Dara Quist"), "/attributes", json!({ "groups": ["Engineering", "On-Call"], "department": "R&D" })),
        // Any other text is not.
        (known("Elif Demir"), "/emailVerified", Value::Null),
        (known("Elif Demir"), "/attributes", json!({ "email_verified": "elif.demir@example.org" })),
        (known("Finn Moreau"), "/identities/0/userId", json!("4000001")),
        (known("Finn Moreau"), "/identities/0/attributes", json!({})),
        (known("Finn Moreau"), "/attributes/company", Value::Null),
        (known("Finn Moreau"), "/attributes/site_admin", json!(false)),
        (known("Gala 🦊 Ferrer"), "/attributes/location/country/code", json!("es")),
        (known("Gala 🦊 Ferrer"), "/attributes/positions/values/0/company/name", json!("Atlas & Sons")),
        (known("+15550100007"), "/email", Value::Null),
        (known("+15550100007"), "/emailVerified", Value::Null),
        (known("+15550100007"), "/phoneNumber", json!("+15550100007")),
        (known("+15550100007"), "/phoneVerified", json!(true)),
        (known("hana.lind@example.org"), "/emailVerified", json!(false)),
        (known("Ivo Santos"), "/createdAt", Value::Null),
        (known("Ivo Santos"), "/updatedAt", Value::Null),
        (known("Ivo Santos"), "/lastLogin", Value::Null),
        (known("Ivo Santos"), "/lastIp", json!("")),
        (known("Ivo Santos"), "/loginsCount", json!(0)),
        (known("Ivo Santos"), "/appMetadata", json!({})),
        (known("Ivo Santos"), "/attributes", json!({ "created_at": "", "updated_at": {}, "last_login": "" })),
        (known("June Okoro"), "/attributes/groups", json!([])),
    ] {
        let data = gateway.data(&format!("{{ user(id: {:?}) {{ {ODDITIES} }} }}", person.user_id)).await;
        assert_eq!(data["user"]["userId"], person.user_id.as_str());
        assert_eq!(data["user"].pointer(pointer), Some(&expected), "{pointer} of {}", person.name);
        // The tenant's plan lets no more through at a time that stands still.
        gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
    }
}

#[tokio::test]
async fn a_user_looks_the_same_from_everywhere() {
    let gateway = TestGateway::uncached().await;
    let page = gateway.data(&format!("{{ users(perPage: 12) {{ nodes {{ {ODDITIES} }} }} }}")).await;
    let nodes = page["users"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 12);
    for (node, person) in nodes.iter().zip(gateway.sandbox.people()) {
        let data = gateway.data(&format!("{{ user(id: {:?}) {{ {ODDITIES} }} }}", person.user_id)).await;
        assert_eq!(&data["user"], node);
        if !person.email.is_empty() {
            let data = gateway.data(&format!("{{ usersByEmail(email: {:?}) {{ {ODDITIES} }} }}", person.email)).await;
            assert!(data["usersByEmail"].as_array().unwrap().contains(node), "{data}");
        }
    }
}

#[tokio::test]
async fn tokens_of_identity_providers_are_not_for_everybody() {
    let gateway = TestGateway::uncached().await;
    let ada = &gateway.sandbox.people()[0].user_id;
    let response = gateway
        .query(&format!(
            "{{ user(id: {ada:?}) {{ name identities {{ provider accessToken refreshToken attributes }} }} }}"
        ))
        .await;
    let paths: Vec<_> = response["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    let expected = [(0, "accessToken"), (0, "refreshToken"), (1, "accessToken"), (1, "refreshToken")];
    assert_eq!(paths, expected.map(|(identity, field)| json!(["user", "identities", identity, field])));
    assert_eq!(codes(&response), ["FORBIDDEN"; 4]);
    let google = &response["data"]["user"]["identities"][1];
    assert_eq!(
        google,
        &json!({ "provider": "google-oauth2", "accessToken": null, "refreshToken": null, "attributes": { "expires_in": 3599 } })
    );
}

#[tokio::test]
async fn what_a_scope_guards_is_not_in_attributes_either() {
    let gateway = TestGateway::uncached().await;
    for identities in [
        json!({ "provider": "p", "access_token": "guarded" }),
        json!([["access_token", "guarded"]]),
        json!([{ "provider": "p", "access_token": ["guarded"] }]),
        json!([{ "provider": "p", "access_token": { "value": "guarded" }, "access_token_secret": 1 }]),
        json!("access_token=guarded"),
    ] {
        let body = json!({ "user_id": "auth0|1", "identities": identities }).to_string();
        gateway.fault(json!({ "path": "/api/v2/users/", "fault": { "body": body } })).await;
        let query = "{ user(id: \"auth0|1\") { userId identities { provider attributes } attributes } }";
        let response = gateway.query(query).await;
        assert_eq!(response["data"]["user"]["userId"], "auth0|1");
        assert!(!response.to_string().contains("guarded"), "{response}");
    }
}

/// Users of a tenant whose callers' scopes are on their tokens.
async fn with_tokens() -> TestGateway {
    TestGateway::spawn_with(Setup { sandbox: Options::default(), takes_sandbox_tokens: true, ..Setup::uncached() })
        .await
}

/// The view that a caller with these scopes gets of a user whom Auth0 describes with `body`.
async fn seen(gateway: &TestGateway, scopes: &str, body: &Value, selection: &str) -> Value {
    let mut response = response_to(gateway, scopes, body, selection).await;
    assert_eq!(response.get("errors"), None, "{response}");
    response["data"]["user"].take()
}

/// The same with its errors.
async fn response_to(gateway: &TestGateway, scopes: &str, body: &Value, selection: &str) -> Value {
    gateway.fault(json!({ "path": "/api/v2/users/", "times": 1, "fault": { "body": body.to_string() } })).await;
    let request = TokenRequest { scope: format!("read:users {scopes}"), ..TokenRequest::default() };
    let token = gateway.sandbox.user_token(&request).unwrap();
    let query = json!({ "query": format!("{{ user(id: \"auth0|1\") {{ {selection} }} }}") });
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).bearer_auth(token).json(&query);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn what_is_unknown_of_an_identity_is_for_who_may_see_its_tokens() {
    let gateway = with_tokens().await;
    let secrets = json!({
        "id_token": "secret", "oauth_token_secret": "secret", "of_next_year": { "deep": ["secret"] }, "expires_in": { "t": "secret" },
    });
    let mut identity = secrets.clone();
    identity["provider"] = "p".into();
    identity["isSocial"] = "perhaps".into();
    identity["connection"] = json!({ "access_token": "secret" });
    let body = json!({ "user_id": "auth0|1", "identities": [identity] });
    let selection = "identities { provider attributes } attributes";
    // A value that did not fit its field is no secret: the field itself is for everybody.
    let kept = json!({ "identities": [{ "provider": "p", "attributes": { "isSocial": "perhaps", "connection": null } }], "attributes": {} });
    assert_eq!(seen(&gateway, "", &body, selection).await, kept);
    let all = seen(&gateway, "read:user_idp_tokens", &body, selection).await;
    let mut expected = secrets;
    expected["isSocial"] = "perhaps".into();
    expected["connection"] = json!({ "access_token": "secret" });
    assert_eq!(all["identities"][0]["attributes"], expected);
}

#[tokio::test]
async fn credentials_in_a_providers_profile_are_for_who_may_see_its_tokens() {
    let gateway = with_tokens().await;
    let profile = json!({
        "email": "ada@example.com", "email_verified": true, "locale": "pt", "name": { "access_token": "secret" },
        "access_token": "secret", "id_token": "secret", "oauth_token_secret": "secret", "nested": { "refresh_token": "secret" },
    });
    let selection = "identities { profileData } attributes";
    for (profile, open) in [
        (profile, json!({ "email": "ada@example.com", "email_verified": true, "locale": "pt" })),
        (json!("access_token=secret"), Value::Null),
        (json!(["secret"]), Value::Null),
        (json!({}), json!({})),
    ] {
        let body = json!({ "user_id": "auth0|1", "identities": [{ "profileData": profile }] });
        let expected = json!({ "identities": [{ "profileData": open }], "attributes": {} });
        assert_eq!(seen(&gateway, "", &body, selection).await, expected);
        let all = seen(&gateway, "read:user_idp_tokens", &body, selection).await;
        assert_eq!(all["identities"][0]["profileData"], profile);
    }
}

#[tokio::test]
async fn what_a_field_does_not_give_out_in_full_stays_readable() {
    let gateway = TestGateway::uncached().await;
    for (record, field, value, kept) in [
        (json!({ "multifactor": [{ "type": "totp" }] }), "multifactor", json!([]), true),
        (json!({ "multifactor": [["guardian", "duo"]] }), "multifactor", json!([]), true),
        (json!({ "multifactor": ["guardian", { "type": "sms" }, 7] }), "multifactor", json!(["guardian", "7"]), true),
        (json!({ "multifactor": { "p": "duo" } }), "multifactor", Value::Null, true),
        (json!({ "multifactor": ["guardian", true] }), "multifactor", json!(["guardian"]), true),
        (json!({ "multifactor": ["guardian", null, 7] }), "multifactor", json!(["guardian", "7"]), false),
        (json!({ "multifactor": "guardian duo" }), "multifactor", json!(["guardian duo"]), false),
        (json!({ "email": ["a@example.com", "b@example.com"] }), "email", json!("a@example.com"), true),
        (json!({ "email": [7, "b@example.com"] }), "email", json!("b@example.com"), true),
        (json!({ "email": ["a@example.com"] }), "email", json!("a@example.com"), false),
        (json!({ "email": [] }), "email", Value::Null, true),
        (json!({ "email": 7 }), "email", json!("7"), false),
        (json!({ "logins_count": 2_147_483_648_u64 }), "loginsCount", Value::Null, true),
        (json!({ "blocked": 1 }), "blocked", Value::Null, true),
    ] {
        let body = record.to_string();
        gateway.fault(json!({ "path": "/api/v2/users/", "times": 1, "fault": { "body": body } })).await;
        let data = gateway.data(&format!("{{ user(id: \"auth0|1\") {{ {field} attributes }} }}")).await;
        let attributes = if kept { record.clone() } else { json!({}) };
        assert_eq!(data["user"], json!({ field: value, "attributes": attributes }), "{record}");
    }
}

#[tokio::test]
async fn an_identity_that_is_no_object_stays_readable_for_who_may_see_identities_whole() {
    let gateway = with_tokens().await;
    let body = json!({ "user_id": "auth0|1", "identities": [{ "provider": "p" }, "auth0|2", null] });
    let selection = "identities { provider } attributes";
    for (scopes, attributes) in [("", json!({})), ("read:user_idp_tokens", json!({ "identities": body["identities"] }))]
    {
        let response = response_to(&gateway, scopes, &body, selection).await;
        let user = json!({ "identities": [{ "provider": "p" }], "attributes": attributes });
        assert_eq!(response["data"]["user"], user, "{response}");
        // Whoever is not shown them is told that they are there, and so is whoever does not look.
        assert_eq!(response["errors"][0]["path"], json!(["user", "identities"]), "{response}");
        assert_eq!(response["errors"][0]["extensions"]["leftOut"], 2);
        assert_eq!(response["errors"].as_array().unwrap().len(), 1);
    }
    let body = json!({ "user_id": "auth0|1", "identities": "auth0|2" });
    let some = response_to(&gateway, "", &body, selection).await;
    assert_eq!(some["data"]["user"], json!({ "identities": null, "attributes": {} }));
    assert_eq!(some["errors"][0]["extensions"]["leftOut"], 1, "{some}");
    let all = seen(&gateway, "read:user_idp_tokens", &body, selection).await;
    assert_eq!(all, json!({ "identities": null, "attributes": { "identities": "auth0|2" } }));
}

#[tokio::test]
async fn client_caches_find_ids_where_they_look_for_them() {
    let gateway = TestGateway::uncached().await;
    let data = gateway
        .data("{ users(perPage: 5) { nodes { id userId } } logs(take: 5) { nodes { id logId } } searchLogs(perPage: 5) { nodes { id } } }")
        .await;
    for user in data["users"]["nodes"].as_array().unwrap() {
        assert!(user["id"].is_string());
        assert_eq!(user["id"], user["userId"]);
    }
    for log in data["logs"]["nodes"].as_array().unwrap() {
        assert!(log["id"].is_string());
        assert_eq!(log["id"], log["logId"]);
    }
    assert!(data["searchLogs"]["nodes"][4]["id"].is_string());
}
