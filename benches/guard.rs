//! The stages of an operation for `.ci/instructions`, which has valgrind count what each of them executes.
//!
//! Without an argument it names them; with a name it runs that one. The records are made here and are the same for ever:
//! what is counted depends on the gateway alone.
#![expect(clippy::expect_used, reason = "a stage that cannot be set up has to stop")]
#![expect(clippy::print_stdout, reason = "the script reads the names")]

use std::hint::black_box;
use std::sync::Arc;

use auth0_graphql::auth::{self, Authenticator};
use auth0_graphql::auth0::testing::{Steps, find_records};
use auth0_graphql::auth0::{self, ClientPolicy, Domain, ManagementApi};
use auth0_graphql::graphql::testing::{Plan, Stages};
use auth0_graphql::graphql::{self, DocumentSettings, Engine, GatewayMode, Limits, Permissions, Variables};
use auth0_graphql::http::{self, testing::Gateway};
use auth0_graphql::telemetry::{self, LogSettings};
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The number of runs of a stage while instructions are counted.
const ROUNDS: usize = 20;

const RECORDS: usize = 100;

const USERS: &str = "query Users($q: String) { users(q: $q, perPage: 100) { nodes {
    userId email emailVerified username name nickname givenName familyName picture blocked createdAt updatedAt lastLogin
    lastIp loginsCount lastPasswordReset multifactor appMetadata userMetadata phoneNumber
    identities { connection provider userId isSocial profileData } } } }";

const LOGS: &str = "query Logs($from: ID) { logs(from: $from, take: 100) { nodes {
    logId date type description connection connectionId clientId clientName ip hostname userId userName strategy
    strategyType isMobile details } next } }";

type Stage = (&'static str, fn() -> Box<dyn FnMut()>);

const STAGES: &[Stage] = &[
    ("HTTP layers", || {
        let (runtime, gateway) = gateway();
        let request = || {
            let mut request = Request::new(Body::from(r#"{"query":"{ __typename }"}"#));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = Uri::from_static("/graphql");
            let headers = request.headers_mut();
            headers.insert("host", HeaderValue::from_static("localhost:3000"));
            headers.insert("accept", HeaderValue::from_static("application/graphql-response+json"));
            headers.insert("accept-encoding", HeaderValue::from_static("gzip, br"));
            headers.insert("content-type", HeaderValue::from_static("application/json"));
            request
        };
        Box::new(move || {
            runtime.block_on(async {
                let response = gateway.answer(request()).await;
                let body = response.into_body().collect().await.expect("a body").to_bytes();
                assert_eq!(&*body, br#"{"data":{"__typename":"Query"}}"#);
            });
        })
    }),
    ("document, new", || {
        let stages = Stages::set_up();
        let mut number = 0;
        Box::new(move || {
            number += 1;
            let text = format!("{USERS} # {number}");
            black_box(stages.document(&text));
        })
    }),
    ("document, known", || {
        let stages = Stages::set_up();
        Box::new(move || drop(black_box(stages.document(black_box(USERS)))))
    }),
    ("normal form", || {
        let stages = Stages::set_up();
        let document = stages.document(USERS);
        Box::new(move || drop(black_box(stages.normal(&document, variables()))))
    }),
    ("planning", || {
        let stages = Stages::set_up();
        let document = stages.document(USERS);
        let normal = stages.normal(&document, variables());
        Box::new(move || drop(black_box(stages.plans(&normal))))
    }),
    ("token", || {
        let (runtime, steps) = steps();
        Box::new(move || drop(black_box(runtime.block_on(steps.token()))))
    }),
    ("governor", || {
        let (runtime, steps) = steps();
        let mut caller = 0;
        Box::new(move || {
            caller = (caller + 1) % 50;
            runtime.block_on(steps.turn(caller));
        })
    }),
    ("one call for 100", || {
        let (runtime, steps) = steps();
        Box::new(move || assert_eq!(runtime.block_on(steps.share(100)), 100))
    }),
    ("records, bare", || {
        let body = Bytes::from(list(user));
        Box::new(move || _ = black_box(find_records(&body)))
    }),
    ("records, with a total", || {
        let body = Bytes::from(format!(r#"{{"start":0,"limit":100,"length":100,"users":{},"total":400}}"#, list(user)));
        Box::new(move || _ = black_box(find_records(&body)))
    }),
    ("projection, 100 users", || {
        let (plan, records) = (plan(USERS), list(user));
        Box::new(move || drop(black_box(plan.project(black_box(records.as_bytes())))))
    }),
    ("projection, 100 logs", || {
        let (plan, records) = (plan(LOGS), list(log));
        Box::new(move || drop(black_box(plan.project(black_box(records.as_bytes())))))
    }),
    ("response writing", || {
        let projected = Bytes::from(plan(USERS).project(list(user).as_bytes()));
        let stages = Stages::set_up();
        let document = stages.document(USERS);
        let ready = stages.normal(&document, variables()).prepare(&stages);
        Box::new(move || drop(black_box(ready.respond(projected.clone()))))
    }),
];

fn main() {
    let Some(name) = std::env::args().nth(1).filter(|argument| !argument.starts_with("--")) else {
        return STAGES.iter().for_each(|(name, _)| println!("{name}"));
    };
    let (_, prepare) = STAGES.iter().find(|(known, _)| *known == name).expect("a stage of that name");
    let mut stage = prepare();
    // What is set up at the first use is not counted.
    stage();
    measured(&mut *stage);
}

/// Instructions are counted while this is on the stack.
#[inline(never)]
fn measured(stage: &mut dyn FnMut()) {
    for _ in 0..ROUNDS {
        stage();
    }
}

/// A gateway in front of a tenant that nobody asks, with the log as it is by default.
fn gateway() -> (Runtime, Gateway) {
    telemetry::init(&LogSettings::default()).expect("the only log");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let domain = Domain::parse("http://127.0.0.1:9").expect("a domain");
    let tenant = auth0::Settings {
        audience: domain.default_audience(),
        domain,
        client_id: "made up".to_owned(),
        authentication: SecretString::from("made up").into(),
    };
    let api = ManagementApi::new(tenant, &ClientPolicy::default()).expect("a client");
    let authenticator = Authenticator::new(auth::Settings::default()).expect("no keys to fetch");
    let settings = graphql::Settings {
        mode: GatewayMode::Tenant,
        limits: Limits::default(),
        permissions: Permissions::default(),
        admits_anonymous: authenticator.admits_anonymous(),
    };
    let engine = Engine::new(api, settings, DocumentSettings::default()).expect("the gateway's schema");
    let gateway = Gateway::new(engine, Arc::new(authenticator), http::Settings::default()).expect("no origins");
    (runtime, gateway)
}

fn variables() -> Variables {
    serde_json::from_value(json!({"q": "logins_count:[3 TO *]"})).expect("variables")
}

fn plan(text: &str) -> Plan {
    let stages = Stages::set_up();
    let document = stages.document(text);
    let normal = stages.normal(&document, Variables::default());
    stages.plans(&normal).pop().expect("a page")
}

fn steps() -> (Runtime, Steps) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let steps = runtime.block_on(async { Steps::set_up() });
    (runtime, steps)
}

fn list(record: fn(usize) -> String) -> String {
    // Auth0 sends no white space.
    format!("[{}]", (0..RECORDS).map(record).collect::<Vec<_>>().join(",")).replace("\n        ", "")
}

/// Most users have these keys, some have more or fewer, and a few texts hold an escape.
fn user(number: usize) -> String {
    let phone = if number.is_multiple_of(7) { r#""phone_number":"+15555550123","phone_verified":true,"# } else { "" };
    let blocked = if number.is_multiple_of(11) { r#""blocked":true,"# } else { "" };
    let name = if number.is_multiple_of(5) { "Ana\\u00efs \\\"A\\\" Example" } else { "Person Example" };
    format!(
        r#"{{"user_id":"auth0|65f0c0ffee{number:014}","email":"person{number}@example.com","email_verified":{},{phone}{blocked}
        "name":"{name}","nickname":"person{number}","given_name":"Person","family_name":"Example",
        "picture":"https://cdn.example.com/avatars/{number}.png","created_at":"2024-03-12T08:{:02}:30.123Z",
        "updated_at":"2026-11-02T08:15:30.123Z","last_login":"2026-11-01T23:59:{:02}.000Z","last_ip":"203.0.113.{}",
        "logins_count":{number},"identities":[{{"connection":"Username-Password-Authentication","provider":"auth0",
        "user_id":"65f0c0ffee{number:014}","isSocial":false}},{{"connection":"google-oauth2","provider":"google-oauth2",
        "user_id":"1000000000{number}","isSocial":true,"profileData":{{"email":"person{number}@example.org","locale":"en"}}}}],
        "app_metadata":{{"plan":"team","roles":["reader","writer"],"seats":{number}}},
        "user_metadata":{{"language":"en","theme":{{"dark":true,"contrast":1.5}},"tags":[]}}}}"#,
        number.is_multiple_of(2),
        number % 60,
        number % 60,
        number % 256,
    )
}

fn log(number: usize) -> String {
    let kind = ["s", "fp", "seacft", "slo"][number % 4];
    format!(
        r#"{{"_id":"900202611020815{number:040}","log_id":"900202611020815{number:040}","date":"2026-11-02T08:15:{:02}.123Z",
        "type":"{kind}","description":"A \"description\" of number {number}","connection":"Username-Password-Authentication",
        "connection_id":"con_Example{number:08}","client_id":"exampleclient{number:08}","client_name":"Example App",
        "ip":"203.0.113.{}","hostname":"tenant.example.com","user_id":"auth0|65f0c0ffee{number:014}",
        "user_name":"person{number}@example.com","strategy":"auth0","strategy_type":"database","isMobile":false,
        "user_agent":"Example Browser 12.0.0 / Example OS 1.0.0","audience":"https://api.example.com","scope":"openid profile",
        "location_info":{{"country_code":"XX","city_name":"Example","latitude":"1.5","longitude":-2.25,"time_zone":"Etc/UTC"}},
        "details":{{"prompts":[{{"name":"login","completedAt":1793607330123,"elapsedTime":{number}}}],"session_id":"made-up-{number}",
        "stats":{{"loginsCount":{number}}}}},"auth0_client":{{"name":"example-js","version":"1.2.3"}},"$event_schema":{{"version":"1.0.0"}}}}"#,
        number % 60,
        number % 256,
    )
}
