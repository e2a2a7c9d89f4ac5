//! The gateway takes in what was recorded, and loses nothing of it.

use serde_json::{Map, Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Recording, recordings};
use crate::gateway::{TestGateway, codes};
use crate::mock;

/// Fields that need a scope which an anonymous caller does not hold.
const FORBIDDEN: [&str; 3] = ["accessToken", "accessTokenSecret", "refreshToken"];

/// Fields of a user that are calls of their own, though they have no arguments.
const JOINED: [&str; 2] = ["enrollments", "blocks"];

/// An Auth0 that answers as recorded, at the token endpoint if it was recorded there, else to every read; and a gateway to it.
async fn replay(recording: &Recording) -> (MockServer, TestGateway) {
    let mut answer = ResponseTemplate::new(recording.status)
        .set_body_raw(recording.body.to_string(), "application/json; charset=utf-8");
    for header in ["link", "retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        if let Some(value) = recording.headers[header].as_str() {
            answer = answer.insert_header(header, value);
        }
    }
    let auth0 = mock::answering(answer.clone()).await;
    if recording.path == "/oauth/token" {
        Mock::given(method("POST")).respond_with(answer).mount(&auth0).await;
    }
    let gateway = mock::gateway_to(&auth0).await;
    (auth0, gateway)
}

/// Every field of a type, with all that is in it, as a selection.
async fn everything(gateway: &TestGateway, ty: &str) -> String {
    let data = gateway
        .data("{ __schema { types { name fields { name args { name } type { kind name ofType { kind name ofType { kind name } } } } } } }")
        .await;
    fields(data["__schema"]["types"].as_array().unwrap(), ty)
}

fn fields(types: &[Value], ty: &str) -> String {
    let ty = types.iter().find(|candidate| candidate["name"] == ty).unwrap();
    let field = |field: &Value| {
        let name = field["name"].as_str().unwrap();
        let mut ty = &field["type"];
        while ty["name"].is_null() {
            ty = &ty["ofType"];
        }
        match ty["kind"].as_str() {
            Some("OBJECT") => format!("{name} {{ {} }}", fields(types, ty["name"].as_str().unwrap())),
            _ => name.to_owned(),
        }
    };
    let wanted = ty["fields"].as_array().unwrap().iter();
    wanted
        // What is joined is of other records, which lead back to this one.
        .filter(|field| field["args"].as_array().unwrap().is_empty())
        .filter(|field| {
            let name = field["name"].as_str().unwrap();
            !FORBIDDEN.contains(&name) && !JOINED.contains(&name)
        })
        .map(field)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The name of a key in GraphQL.
fn name_of(key: &str) -> String {
    let mut name = String::new();
    let mut words = key.trim_start_matches(['_', '$']).split('_');
    name.push_str(words.next().unwrap());
    for word in words {
        name.extend(word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)));
    }
    name
}

/// Holds that `node` has all that `record` has: a key in the field of that name, or in `attributes` if there is no such field.
fn assert_kept(record: &Map<String, Value>, node: &Value, at: &str) {
    for (key, value) in record {
        let at = format!("{at}/{key}");
        let given = node.get(name_of(key));
        match (value, given) {
            // Identities, and objects with a table of their own.
            (Value::Array(elements), Some(Value::Array(nodes))) if elements.iter().any(Value::is_object) => {
                assert_eq!(elements.len(), nodes.len(), "{at}");
                for (element, node) in elements.iter().zip(nodes) {
                    assert_kept(element.as_object().unwrap(), node, &at);
                }
            }
            (Value::Object(object), Some(node)) if node.get("attributes").is_some() && node != value => {
                assert_kept(object, node, &at);
            }
            (Value::Number(number), Some(Value::String(digits))) => assert_eq!(number.to_string(), *digits, "{at}"),
            (Value::String(words), Some(Value::Array(list))) => {
                assert_eq!(
                    words.split_whitespace().collect::<Vec<_>>(),
                    list.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
                    "{at}"
                );
            }
            (value, Some(given)) => assert_eq!(value, given, "{at}"),
            (value, None) => assert_eq!(Some(value), node["attributes"].get(key), "{at}"),
        }
    }
}

/// The root field that reads what was recorded, and where in its answer the records are.
fn root_field(recording: &Recording) -> Option<(&'static str, String, &'static str)> {
    let endpoint: Vec<_> = recording.endpoint().split('/').collect();
    let id = || endpoint[1].replace("%7C", "|");
    Some(match (recording.method.as_str(), endpoint.as_slice()) {
        ("GET", ["users"]) => ("User", "root: users { page total nodes { ALL } }".to_owned(), "/nodes"),
        // A user is a user, whatever it was asked for.
        ("GET" | "PATCH", ["users", _]) => ("User", format!("root: user(id: {:?}) {{ ALL }}", id()), ""),
        ("GET", ["users-by-email"]) => {
            ("User", format!("root: usersByEmail(email: {}) {{ ALL }}", recording.query["email"]), "")
        }
        // The logs of a user are logs.
        ("GET", ["logs"] | ["users", _, "logs"]) => match recording.query.get("from") {
            Some(from) => ("Log", format!("root: logs(from: {from}) {{ next nodes {{ ALL }} }}"), "/nodes"),
            None => ("Log", "root: searchLogs { page nodes { ALL } }".to_owned(), "/nodes"),
        },
        ("GET", ["logs", _]) => ("Log", format!("root: log(id: {:?}) {{ ALL }}", id()), ""),
        _ => return None,
    })
}

#[tokio::test]
async fn every_recorded_record_is_taken_in_and_nothing_of_it_is_lost() {
    let recordings = recordings();
    let mut records = 0;
    for recording in recordings.iter().filter(|recording| recording.is_success()) {
        let Some((ty, field, pointer)) = root_field(recording) else { continue };
        let (_auth0, gateway) = replay(recording).await;
        let field = field.replace("ALL", &everything(&gateway, ty).await);
        let data = gateway.data(&format!("{{ {field} }}")).await;
        let root = data["root"].pointer(pointer).unwrap();
        let (bodies, nodes) = match (&recording.body, root) {
            (Value::Array(bodies), Value::Array(nodes)) => (bodies.clone(), nodes.clone()),
            (Value::Object(envelope), Value::Array(nodes)) => {
                assert_eq!(data["root"]["total"], envelope["total"], "{}", recording.name);
                (envelope["users"].as_array().unwrap().clone(), nodes.clone())
            }
            (body, node) => (vec![body.clone()], vec![node.clone()]),
        };
        assert_eq!(bodies.len(), nodes.len(), "{}", recording.name);
        for (body, node) in bodies.iter().zip(&nodes) {
            assert_kept(body.as_object().unwrap(), node, &recording.name);
            if ty == "Log" {
                assert_eq!(node["id"], body["_id"], "{}", recording.name);
                assert_eq!(node["logId"], body["_id"], "{}", recording.name);
                let known = node["type"].is_null() || node["typeDescription"].is_string();
                assert!(known && node["outcome"] != "OTHER", "{}: {}", recording.name, node["type"]);
            }
        }
        records += bodies.len();
        if field.contains("next") {
            let last = bodies.last().map(|log| &log["_id"]);
            assert_eq!(Some(&data["root"]["next"]), last, "{}", recording.name);
        }
    }
    assert!(recordings.is_empty() || records > 180, "{records}");
}

#[tokio::test]
async fn every_recorded_refusal_has_its_code() {
    let recordings = recordings();
    let mut refusals = 0;
    for recording in recordings.iter().filter(|recording| !recording.is_success()) {
        refusals += 1;
        let (_auth0, gateway) = replay(recording).await;
        let response = gateway.query("{ root: user(id: \"auth0|1\") { name } }").await;
        assert_eq!(response["data"], json!({ "root": null }), "{}", recording.name);
        if recording.body["errorCode"] == "inexistent_user" {
            assert_eq!(response.get("errors"), None, "{}", recording.name);
            continue;
        }
        let expected = match recording.status {
            400 => "UPSTREAM_REJECTED",
            401 | 403 | 404 | 409 => "UPSTREAM_MISCONFIGURED",
            429 => "RATE_LIMITED",
            status => panic!("{}: {status}", recording.name),
        };
        assert_eq!(codes(&response), [expected], "{}: {response}", recording.name);
        let error = &response["errors"][0];
        match expected {
            "UPSTREAM_REJECTED" => {
                let explanation = recording.body["message"].as_str().unwrap();
                assert!(error["message"].as_str().unwrap().ends_with(explanation), "{}: {error}", recording.name);
                assert_eq!(error["extensions"].get("auth0Code"), recording.body.get("errorCode"), "{}", recording.name);
            }
            "RATE_LIMITED" => {
                // Without the header the gateway has an estimate of its own.
                let wait = error["extensions"]["retryAfterMs"].as_u64().unwrap();
                if let Some(seconds) = recording.headers["retry-after"].as_str() {
                    assert_eq!(wait, seconds.parse::<u64>().unwrap() * 1_000, "{}", recording.name);
                }
            }
            _ => {
                let message = recording.body["message"].as_str().unwrap_or_default();
                let scopes: Vec<_> =
                    message.split_once("any of: ").map(|(_, scopes)| scopes.split(',').collect()).unwrap_or_default();
                let missing = error["extensions"]["missingScopes"].as_array();
                let missing: Vec<_> = missing.into_iter().flatten().filter_map(Value::as_str).collect();
                // Where any of several will do, the one that the gateway is meant to have.
                let meant = ["read:users"].into_iter().filter(|meant| scopes.contains(meant)).collect::<Vec<_>>();
                assert_eq!(missing, if meant.is_empty() { scopes } else { meant }, "{}", recording.name);
            }
        }
    }
    assert!(recordings.is_empty() || refusals > 15, "{refusals}");
}
