//! Values in forms that Auth0's documentation does not know: nothing of them may vanish, whichever field they stand in.

use auth0_graphql::sandbox::{Options, TokenRequest};
use serde_json::{Map, Value, json};

use crate::gateway::{Setup, TestGateway};

/// The types of the records below a user, each with the way to it: fields, with the keys that they have on the wire.
const BELOW_USERS: &[(&str, &[(&str, &str)])] = &[
    ("Role", &[("roles", "users/auth0%7C1/roles")]),
    ("Permission", &[("permissions", "users/auth0%7C1/permissions")]),
    ("PermissionSource", &[("permissions", "users/auth0%7C1/permissions"), ("sources", "sources")]),
    ("Organization", &[("organizations", "users/auth0%7C1/organizations")]),
    ("AuthenticationMethod", &[("authenticationMethods", "users/auth0%7C1/authentication-methods")]),
    ("Enrollment", &[("enrollments", "users/auth0%7C1/enrollments")]),
    ("Session", &[("sessions", "users/auth0%7C1/sessions")]),
    ("Device", &[("sessions", "users/auth0%7C1/sessions"), ("device", "device")]),
    ("SessionClient", &[("sessions", "users/auth0%7C1/sessions"), ("clients", "clients")]),
    ("SessionAuthentication", &[("sessions", "users/auth0%7C1/sessions"), ("authentication", "authentication")]),
    (
        "SessionAuthenticationMethod",
        &[("sessions", "users/auth0%7C1/sessions"), ("authentication", "authentication"), ("methods", "methods")],
    ),
    ("RefreshToken", &[("refreshTokens", "users/auth0%7C1/refresh-tokens")]),
    ("Device", &[("refreshTokens", "users/auth0%7C1/refresh-tokens"), ("device", "device")]),
    (
        "RefreshTokenResourceServer",
        &[("refreshTokens", "users/auth0%7C1/refresh-tokens"), ("resourceServers", "resource_servers")],
    ),
    ("UserBlock", &[("blocks", "user-blocks/auth0%7C1")]),
    ("User", &[]),
    ("Identity", &[("identities", "identities")]),
];

/// The same of logs.
const IN_LOGS: &[(&str, &[(&str, &str)])] = &[
    ("Log", &[]),
    ("LocationInfo", &[("locationInfo", "location_info")]),
    ("SecurityContext", &[("securityContext", "security_context")]),
    ("LogReferences", &[("references", "references")]),
    ("LogEventSchema", &[("eventSchema", "$event_schema")]),
];

/// Fields whose values are lists on the wire.
const LISTS: [&str; 5] = ["identities", "sources", "clients", "methods", "resourceServers"];

/// Fields that do not give out what stands under a key.
const DERIVED: [&str; 4] = ["id", "attributes", "typeDescription", "outcome"];

/// The key of a field, which as a rule is its name in another spelling.
fn key(ty: &str, field: &str) -> String {
    match (ty, field) {
        ("Permission", "name") => "permission_name".into(),
        ("PermissionSource", name) => format!("source_{name}"),
        ("Session", "metadata") => "session_metadata".into(),
        ("Log", "eventSchema") => "$event_schema".into(),
        (_, "isMobile" | "isSocial" | "profileData") => field.into(),
        _ => field.chars().fold(String::new(), |key, letter| {
            if letter.is_ascii_uppercase() {
                format!("{key}_{}", letter.to_ascii_lowercase())
            } else {
                format!("{key}{letter}")
            }
        }),
    }
}

/// Forms that a value may have, each with marks that show where it went.
fn forms(mark: &str) -> Vec<Value> {
    vec![
        json!(format!("{mark}a")),
        json!({ "k": format!("{mark}a") }),
        json!({ "k": { "deep": [format!("{mark}a")] } }),
        json!([format!("{mark}a"), format!("{mark}b")]),
        json!([[format!("{mark}a")]]),
        json!([null, { "k": format!("{mark}a") }, format!("{mark}b")]),
    ]
}

/// The fields of a type without arguments, each with its innermost type.
async fn fields_of(gateway: &TestGateway, ty: &str) -> Vec<(String, String)> {
    let query = format!(
        "{{ __type(name: \"{ty}\") {{ fields {{ name args {{ name }} type {{ name ofType {{ name ofType {{ name ofType {{ name }} }} }} }} }} }} }}"
    );
    let data = gateway.data(&query).await;
    let fields = data["__type"]["fields"].as_array().unwrap_or_else(|| panic!("{ty}")).iter();
    let fields = fields.filter(|field| field["args"].as_array().unwrap().is_empty());
    fields
        .filter(|field| !["enrollments", "blocks", "user"].contains(&field["name"].as_str().unwrap()))
        .map(|field| {
            let mut ty = &field["type"];
            while ty["name"].is_null() {
                ty = &ty["ofType"];
            }
            (field["name"].as_str().unwrap().to_owned(), ty["name"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Holds that a form of every field can be read in the field or in `attributes`, or that an error says that something was left out.
async fn hold(root: &str, records: &str, types: &[(&str, &[(&str, &str)])]) {
    for (ty, way) in types {
        // Each has the whole of a tenant's rate limit.
        let setup = Setup { sandbox: Options::default(), takes_sandbox_tokens: true, ..Setup::uncached() };
        let gateway = TestGateway::spawn_with(setup).await;
        let scope = "read:users read:logs read:users_app_metadata read:user_idp_tokens read:roles read:role_members read:organizations \
                     read:authentication_methods read:sessions read:refresh_tokens";
        let token = TokenRequest { scope: scope.to_owned(), ..TokenRequest::default() };
        let token = gateway.sandbox.user_token(&token).unwrap();
        let all = fields_of(&gateway, ty).await;
        assert!(all.iter().any(|(name, _)| name == "attributes"), "{ty} has no room for what does not fit");
        let mut selection = all
            .iter()
            .filter(|(_, ty)| {
                ["ID", "String", "Boolean", "Int", "Float", "DateTime", "JSON", "LogOutcome"].contains(&&**ty)
            })
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
            .join(" ");
        for (name, _) in all.iter().filter(|(name, _)| {
            LISTS.contains(&&**name)
                || ["device", "authentication", "locationInfo", "securityContext", "references", "eventSchema"]
                    .contains(&&**name)
        }) {
            selection.push_str(&format!(" {name} {{ attributes }}"));
        }
        let known: Vec<_> =
            all.iter().filter(|(name, _)| !DERIVED.contains(&&**name)).map(|(name, _)| key(ty, name)).collect();
        let is_below = way.first().is_some_and(|(_, path)| path.contains('/'));
        for form in 0..forms("").len() {
            let mut record = Map::new();
            let mut marks = Vec::new();
            for (number, key) in known.iter().enumerate() {
                // An id that is none is told of: there is another test for that.
                if (*ty == "User" && key == "user_id") || (*ty == "Log" && key == "log_id") {
                    record.insert(key.clone(), json!("auth0|1"));
                    continue;
                }
                let mark = format!("mark{number}x");
                let value = forms(&mark).remove(form);
                let text = value.to_string();
                marks.extend(
                    [format!("{mark}a"), format!("{mark}b")]
                        .into_iter()
                        .filter(|mark| text.contains(&**mark))
                        .map(|mark| (key.clone(), mark)),
                );
                record.insert(key.clone(), value);
            }
            let mut record = Value::Object(record);
            let mut query = selection.clone();
            for (place, (field, key)) in way.iter().enumerate().rev() {
                if place == 0 && is_below {
                    query = format!("{field} {{ nodes {{ {query} }} }}");
                    record = json!([record]);
                } else {
                    query = format!("attributes {field} {{ {query} }}");
                    record = json!({ *key: if LISTS.contains(field) { json!([record]) } else { record } });
                }
            }
            let path = if is_below {
                format!("/api/v2/{}", way[0].1)
            } else {
                if let Some(record) = record.as_object_mut() {
                    record.entry("user_id").or_insert_with(|| json!("auth0|1"));
                    record.entry("log_id").or_insert_with(|| json!("9"));
                }
                format!("/api/v2/{records}")
            };
            if is_below {
                let user = json!({ "user_id": "auth0|1" }).to_string();
                gateway.fault(json!({ "path": path, "times": 1, "fault": { "body": record.to_string() } })).await;
                gateway
                    .fault(json!({ "path": "/api/v2/users/auth0%7C1", "times": 1, "fault": { "body": user } }))
                    .await;
            } else {
                gateway.fault(json!({ "path": path, "times": 1, "fault": { "body": record.to_string() } })).await;
            }
            let body = json!({ "query": format!("{{ r: {root} {{ {query} }} }}") });
            let request = gateway.http.post(format!("{}/graphql", gateway.url)).bearer_auth(&token).json(&body);
            let response: Value = request.send().await.unwrap().json().await.unwrap();
            let seen = response["data"].to_string();
            let told: Vec<_> =
                response["errors"].as_array().into_iter().flatten().map(|error| error["path"].to_string()).collect();
            // Below a refresh token, what is unknown of an object is a secret.
            let is_secret = |key: &str| *ty == "RefreshToken" && ["device", "resource_servers"].contains(&key);
            for (key, mark) in marks.into_iter().filter(|(key, _)| !is_secret(key)) {
                let is_told = is_kept_back(&response["data"], &key)
                    || told.iter().any(|path| {
                        all.iter()
                            .any(|(name, _)| self::key(ty, name) == key && path.ends_with(&format!("\"{name}\"]")))
                    });
                assert!(seen.contains(&mark) || is_told, "{ty}: {mark} of `{key}` has vanished: {response}\n{record}");
            }
            gateway.mend().await;
        }
    }
}

/// True if some `attributes` tell of a value under this key that is not shown.
fn is_kept_back(data: &Value, key: &str) -> bool {
    match data {
        Value::Array(items) => items.iter().any(|item| is_kept_back(item, key)),
        Value::Object(object) => {
            object.get("attributes").and_then(|kept| kept.get(key)).is_some_and(Value::is_null)
                || object.values().any(|value| is_kept_back(value, key))
        }
        _ => false,
    }
}

#[tokio::test]
async fn no_form_of_a_users_field_vanishes() {
    hold("user(id: \"auth0|1\")", "users/auth0%7C1", BELOW_USERS).await;
}

#[tokio::test]
async fn no_form_of_a_logs_field_vanishes() {
    hold("log(id: \"9\")", "logs/9", IN_LOGS).await;
}

#[tokio::test]
async fn every_type_of_a_record_is_tried() {
    let gateway = TestGateway::spawn().await;
    let data = gateway.data("{ __schema { types { name fields { name } } } }").await;
    let has_room = |ty: &&Value| {
        let fields = ty["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
        fields.iter().any(|field| field["name"] == "attributes")
    };
    for ty in data["__schema"]["types"].as_array().unwrap().iter().filter(has_room) {
        let is_tried = BELOW_USERS.iter().chain(IN_LOGS).any(|(known, _)| ty["name"] == *known);
        assert!(is_tried, "{}", ty["name"]);
    }
}
