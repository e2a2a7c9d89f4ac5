//! The sandbox answers in the shapes that were recorded.

use std::collections::BTreeSet;

use auth0_graphql::sandbox::{Client, Options, Plan};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::{Recording, recordings};
use crate::gateway::{Setup, TestGateway};

/// Keys that Auth0 documents for a log and no recording has.
const DOCUMENTED_FOR_LOGS: [&str; 11] = [
    "security_context",
    "references",
    "tracking_id",
    "tenant_name",
    "environment_name",
    "$event_schema",
    "is_mobile",
    "identity_user_id",
    "body",
    "auth0_client",
    "client_ip",
];

/// Asks the sandbox as a client of its own would.
struct Tenant {
    gateway: TestGateway,
    bearer: String,
}

impl Tenant {
    async fn start() -> Self {
        Self::of(TestGateway::uncached().await).await
    }

    async fn of(gateway: TestGateway) -> Self {
        let audience = gateway.sandbox.audience();
        let (_, granted) = grant(&gateway, &gateway.sandbox.client(), &audience).await;
        let bearer = granted["access_token"].as_str().unwrap().to_owned();
        Self { gateway, bearer }
    }

    async fn get(&self, target: &str) -> reqwest::Response {
        let url = format!("{}/api/v2/{target}", self.gateway.sandbox.url());
        self.gateway.http.get(url).bearer_auth(&self.bearer).send().await.unwrap()
    }

    async fn json(&self, target: &str) -> Value {
        self.get(target).await.json().await.unwrap()
    }
}

async fn grant(gateway: &TestGateway, client: &Client, audience: &str) -> (u16, Value) {
    let request = json!({
        "grant_type": "client_credentials", "client_id": client.id, "client_secret": client.secret.expose_secret(),
        "audience": audience,
    });
    let url = format!("{}/oauth/token", gateway.sandbox.url());
    let response = gateway.http.post(url).json(&request).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

/// The keys that all of them have.
fn common<'a>(records: impl IntoIterator<Item = &'a Value>) -> BTreeSet<&'a str> {
    records.into_iter().map(keys).reduce(|all, keys| &all & &keys).unwrap_or_default()
}

/// The keys that any of them has.
fn any<'a>(records: impl IntoIterator<Item = &'a Value>) -> BTreeSet<&'a str> {
    records.into_iter().flat_map(keys).collect()
}

fn named<'a>(recordings: &'a [Recording], start: &str) -> &'a Recording {
    recordings.iter().find(|recording| recording.name.starts_with(start)).unwrap()
}

#[tokio::test]
async fn lists_and_users_have_the_recorded_keys() {
    let recordings = recordings();
    if recordings.is_empty() {
        return;
    }
    let tenant = Tenant::start().await;
    let page = tenant.json("users?include_totals=true&per_page=100").await;
    let recorded = named(&recordings, "047").body.clone();
    assert_eq!(keys(&page), keys(&recorded));
    assert!(tenant.json("users").await.is_array() && named(&recordings, "001").body.is_array());
    assert!(tenant.json("users-by-email?email=x").await.is_array() && named(&recordings, "049").body.is_array());

    // Whole profiles of database users, as all recorded ones are.
    let whole: Vec<_> = ["001", "015", "047", "049", "077"]
        .into_iter()
        .map(|start| named(&recordings, start).body.clone())
        .flat_map(|body| match body {
            Value::Array(users) => users,
            Value::Object(mut page) if page.contains_key("users") => page["users"].as_array_mut().unwrap().split_off(0),
            user => vec![user],
        })
        .collect();
    let is_of_database = |user: &&Value| user["identities"][0]["connection"] == "Username-Password-Authentication";
    let users: Vec<_> = page["users"].as_array().unwrap().iter().filter(is_of_database).collect();
    assert!(users.len() > 20);
    let always = common(&whole);
    assert!(always.len() > 7, "{always:?}");
    for user in &users {
        assert!(keys(user).is_superset(&always), "{user} lacks one of {always:?}");
        for key in &always {
            let recorded = whole.iter().any(|other| kind(&other[key]) == kind(&user[key]));
            // One was made by hand to be odd.
            assert!(recorded || user["name"] == "Ivo Santos", "{key} of {user}");
        }
    }
    let identities = whole.iter().flat_map(|user| user["identities"].as_array().unwrap());
    let always = common(identities);
    for identity in page["users"].as_array().unwrap().iter().flat_map(|user| user["identities"].as_array().unwrap()) {
        assert!(keys(identity).is_superset(&always), "{identity} lacks one of {always:?}");
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[tokio::test]
async fn logs_have_the_recorded_keys_and_nulls() {
    let recordings = recordings();
    if recordings.is_empty() {
        return;
    }
    let logs_of = |start: &str| match &named(&recordings, start).body {
        Value::Array(logs) => logs.clone(),
        log => vec![log.clone()],
    };
    let recent: Vec<_> = ["039", "041", "043", "045"].into_iter().flat_map(logs_of).collect();
    let older: Vec<_> = ["017", "025", "027", "029", "035"].into_iter().flat_map(logs_of).collect();
    let (always, ever) = (common(&recent), &any(&recent) | &any(&older));
    let null: BTreeSet<_> = always.iter().copied().filter(|key| recent.iter().any(|log| log[key].is_null())).collect();
    assert!(always.len() > 20 && null.len() > 10, "{always:?} {null:?}");

    let tenant = Tenant::start().await;
    let mut seen_null = BTreeSet::new();
    for target in ["logs?from=900&take=100", "logs?per_page=100", "logs?per_page=100&page=1", "logs?from=9001&take=100"]
    {
        let logs = tenant.json(target).await;
        for log in logs.as_array().unwrap() {
            assert!(keys(log).is_superset(&always), "{log} lacks one of {always:?}");
            let unknown: Vec<_> =
                keys(log).difference(&ever).copied().filter(|key| !DOCUMENTED_FOR_LOGS.contains(key)).collect();
            assert!(unknown.is_empty(), "{unknown:?} of {log}");
            seen_null.extend(always.iter().copied().filter(|key| log[key].is_null()));
        }
    }
    // A description can be null by Auth0's OpenAPI document, and a client where there was none.
    let allowed = &null | &BTreeSet::from(["description", "client_id"]);
    assert!(seen_null.is_subset(&allowed), "{:?}", seen_null.difference(&allowed));
    assert!(seen_null.is_superset(&null), "never null: {:?}", null.difference(&seen_null));

    let id = tenant.json("logs?per_page=1").await[0]["_id"].as_str().unwrap().to_owned();
    assert!(keys(&tenant.json(&format!("logs/{id}")).await).is_superset(&always));
    let (recorded, made) = (&logs_of("031")[0], &tenant.json("logs?per_page=1&fields=date").await[0]);
    assert_eq!(keys(made), keys(recorded));
    assert_eq!(id.len(), recorded["_id"].as_str().unwrap().len());
}

#[tokio::test]
async fn headers_are_those_that_were_recorded() {
    let recordings = recordings();
    if recordings.is_empty() {
        return;
    }
    let tenant = Tenant::start().await;
    let from = tenant.json("logs?per_page=1&page=9").await[0]["_id"].as_str().unwrap().to_owned();
    for (start, target) in
        [("001", "users".to_owned()), ("035", format!("logs?from={from}&take=1")), ("025", "logs".to_owned())]
    {
        let answer = tenant.get(&target).await;
        let recorded = &named(&recordings, start).headers;
        for header in ["content-type", "cache-control", "vary", "x-content-type-options"] {
            assert_eq!(
                answer.headers().get(header).unwrap(),
                recorded[header].as_str().unwrap(),
                "{header} of {target}"
            );
        }
        for header in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "link"] {
            assert_eq!(answer.headers().contains_key(header), recorded[header].is_string(), "{header} of {target}");
        }
    }
    // The address, the log and the number are the tenant's own; the rest of the link is Auth0's.
    let answer = tenant.get(&format!("logs?from={from}&take=1")).await;
    let link = answer.headers()["link"].to_str().unwrap().to_owned();
    let log = answer.json::<Value>().await.unwrap()[0]["log_id"].as_str().unwrap().to_owned();
    let recorded = named(&recordings, "035");
    let expected = recorded.headers["link"]
        .as_str()
        .unwrap()
        .replace(recorded.body[0]["log_id"].as_str().unwrap(), &log)
        .replace("https://auth0-sdk-tests.auth0.com", &tenant.gateway.sandbox.url());
    assert_eq!(link, expected);
}

#[tokio::test]
async fn refusals_of_the_management_api_are_those_that_were_recorded() {
    let recordings = recordings();
    if recordings.is_empty() {
        return;
    }
    let tenant = Tenant::start().await;
    for (start, target) in [
        ("053", "users/auth0%7Cnobody"),
        ("101", "nowhere"),
        ("107", "users?include_totals=true&page=50&per_page=50"),
        ("115", "logs?q=log_id:%5B%20TO%20*%5D"),
        ("116", "logs?q=user_email:a"),
        ("117", "users?per_page=1000"),
    ] {
        let answer = tenant.get(target).await;
        let recorded = named(&recordings, start);
        assert_eq!(answer.status(), recorded.status, "{target}");
        assert_eq!(answer.json::<Value>().await.unwrap(), recorded.body, "{target}");
    }

    // A client that may read logs only.
    let gateway = TestGateway::uncached().await;
    let created = gateway.control("clients", json!({ "scopes": ["read:logs"] })).await;
    let client = Client {
        id: created["client_id"].as_str().unwrap().to_owned(),
        secret: created["client_secret"].as_str().unwrap().into(),
    };
    let audience = gateway.sandbox.audience();
    let bearer = grant(&gateway, &client, &audience).await.1["access_token"].as_str().unwrap().to_owned();
    let tenant = Tenant { gateway, bearer };
    let answer = tenant.get("users/auth0%7C1").await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.json::<Value>().await.unwrap(), named(&recordings, "110").body);

    tenant.gateway.control("tokens/expire", json!({})).await;
    let answer = tenant.get("logs").await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap(), named(&recordings, "108").body);

    let setup = Setup::uncached();
    let sandbox = Options { plan: Plan::Free, ..setup.sandbox };
    let tenant = Tenant::of(TestGateway::spawn_with(Setup { sandbox, ..setup }).await).await;
    tenant.json("users").await;
    tenant.json("users").await;
    let answer = tenant.get("users").await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.json::<Value>().await.unwrap(), named(&recordings, "106").body);
}

#[tokio::test]
async fn refusals_of_tokens_are_those_that_were_recorded() {
    let recordings = recordings();
    if recordings.is_empty() {
        return;
    }
    let gateway = TestGateway::uncached().await;
    let all_powerful = gateway.sandbox.client();
    let audience = gateway.sandbox.audience();
    let mut clients = Vec::new();
    for client in
        [json!({ "scopes": [], "audience": false }), json!({ "scopes": [], "grants": ["authorization_code"] })]
    {
        let created = gateway.control("clients", client).await;
        let text = |key: &str| created[key].as_str().unwrap().to_owned();
        clients.push(Client { id: text("client_id"), secret: text("client_secret").into() });
    }
    let impostor = Client { secret: "wrong".into(), ..all_powerful.clone() };
    for (start, client, asked) in [
        ("111", &impostor, audience.as_str()),
        ("112", &clients[0], &audience),
        ("113", &all_powerful, "https://login.example.com/api/v2/"),
        ("114", &clients[1], &audience),
    ] {
        let recorded = named(&recordings, start);
        let mut expected = recorded.body.clone();
        let description = expected["error_description"].as_str().unwrap();
        expected["error_description"] = description.replace("https://tenant.us.auth0.com/api/v2/", &audience).into();
        assert_eq!(grant(&gateway, client, asked).await, (recorded.status, expected), "{}", recorded.name);
    }
}
