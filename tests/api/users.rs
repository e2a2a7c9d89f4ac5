//! Users: what is asked of Auth0 for them, and what its answers become.

mod fields;
mod pages;
mod siblings;

use serde_json::{Value, json};

use crate::gateway::{TestGateway, codes};

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
    let data = gateway.data("{ __type(name: \"User\") { fields { name } } }").await;
    let names = data["__type"]["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap());
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

    let all_but_one = fields[1..].join(" ");
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
    assert_eq!(codes(&response), ["FORBIDDEN"; 2]);
    assert_eq!(response["errors"][0]["path"], json!(["user", "identities", "accessToken"]));
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
        let data =
            gateway.data("{ user(id: \"auth0|1\") { userId identities { provider attributes } attributes } }").await;
        assert_eq!(data["user"]["userId"], "auth0|1");
        assert!(!data.to_string().contains("guarded"), "{data}");
    }
}
