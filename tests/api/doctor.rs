//! The doctor's findings, which give nothing away.

mod access;
mod proxied;
mod reach;
mod scopes;

use std::path::PathBuf;
use std::process::Command;

use auth0_graphql::sandbox::{Client, Clock, GATEWAY_AUDIENCE, Options, Sandbox};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A run of the doctor with these settings alone.
struct Doctor {
    arguments: Vec<&'static str>,
    settings: Vec<(&'static str, String)>,
}

/// The output and exit code of the doctor.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Doctor {
    fn of(settings: Vec<(&'static str, String)>) -> Self {
        Self { arguments: vec!["doctor"], settings }
    }

    /// The doctor of a gateway that reads from a sandbox as this client.
    fn of_client(sandbox: &Sandbox, client: &Client) -> Self {
        Self::of(vec![
            ("AUTH0_DOMAIN", sandbox.url()),
            ("AUTH0_CLIENT_ID", client.id.clone()),
            ("AUTH0_CLIENT_SECRET", client.secret.expose_secret().to_owned()),
        ])
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, value.into()));
        self
    }

    /// Has it take the sandbox's tokens of callers.
    fn with_tokens_of(self, issuer: impl Into<String>) -> Self {
        self.with("JWT_ISSUER", issuer).with("JWT_AUDIENCE", GATEWAY_AUDIENCE)
    }

    fn argument(mut self, argument: &'static str) -> Self {
        self.arguments.push(argument);
        self
    }

    async fn say(self) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-graphql"));
        // No test writes an .env there.
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        command.args(&self.arguments).env_clear().envs(self.settings.clone()).current_dir(folder);
        // Else the sandbox could not answer meanwhile.
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for (_, secret) in self.settings.iter().filter(|(name, _)| name.contains("SECRET")) {
            assert!(!format!("{said:?}").contains(secret.as_str()), "a secret is in {said:?}");
        }
        // How every JWT begins, and what every e-mail address and every user's id holds.
        for part in ["eyJ", "e30.", "@", "auth0|"] {
            assert!(!format!("{said:?}").contains(part), "{part} is in {said:?}");
        }
        said
    }

    async fn examine(self) -> Examined {
        let said = self.argument("--json").say().await;
        assert_eq!(said.stderr, "");
        let report = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("no JSON: {said:?}"));
        Examined { code: said.code, report }
    }
}

/// The report in JSON.
#[derive(Debug)]
struct Examined {
    code: Option<i32>,
    report: Value,
}

impl Examined {
    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        let mut checks = self.report["checks"].as_array().unwrap().iter();
        checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }

    /// The names of the checks that are in a status.
    fn that_are(&self, status: &str) -> Vec<&str> {
        let checks = self.report["checks"].as_array().unwrap().iter();
        checks.filter(|check| check["status"] == status).map(|check| check["name"].as_str().unwrap()).collect()
    }

    /// Expects that these failed and nothing else. Gives the remedy for the first.
    #[track_caller]
    fn failed(&self, names: &[&str]) -> &str {
        assert_eq!(self.that_are("failed"), names, "{self:#?}");
        assert_eq!((self.code, &self.report["status"]), (Some(1), &json!("failed")));
        self.check(names[0])["remedy"].as_str().unwrap()
    }

    /// The states of the scopes that are not as usual.
    fn scopes(&self) -> Vec<(&str, &str)> {
        let rows = self.report["scopes"].as_array().unwrap().iter();
        let rows = rows.map(|row| (row["scope"].as_str().unwrap(), row["state"].as_str().unwrap()));
        rows.filter(|(_, state)| *state != "granted").collect()
    }
}

const ENDPOINTS: [&str; 15] = [
    "GET /users",
    "GET /users/{id}",
    "GET /users-by-email",
    "GET /logs",
    "GET /logs?from",
    "GET /logs/{id}",
    "GET /users/{id}/logs",
    "GET /users/{id}/roles",
    "GET /users/{id}/permissions",
    "GET /users/{id}/organizations",
    "GET /users/{id}/authentication-methods",
    "GET /users/{id}/enrollments",
    "GET /users/{id}/sessions",
    "GET /users/{id}/refresh-tokens",
    "GET /user-blocks/{id}",
];

async fn sandbox() -> Sandbox {
    sandbox_at(Clock::system()).await
}

async fn sandbox_at(clock: Clock) -> Sandbox {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    Sandbox::start(Options { clock, ..Options::default() }, listener).await.unwrap()
}

/// A client of the sandbox, as `POST /_sandbox/clients` takes it.
async fn client(sandbox: &Sandbox, rights: Value) -> Client {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let created = http.post(format!("{}/_sandbox/clients", sandbox.url())).json(&rights).send().await.unwrap();
    let created: Value = created.error_for_status().unwrap().json().await.unwrap();
    let text = |name: &str| created[name].as_str().unwrap().to_owned();
    Client { id: text("client_id"), secret: text("client_secret").into() }
}

/// A doctor whose gateway has these scopes.
async fn of_scopes(sandbox: &Sandbox, scopes: &[&str]) -> Doctor {
    Doctor::of_client(sandbox, &client(sandbox, json!({ "scopes": scopes })).await)
}

/// A doctor that finds nothing to say.
fn of_health(sandbox: &Sandbox) -> Doctor {
    Doctor::of_client(sandbox, &sandbox.client()).with_tokens_of(sandbox.issuer())
}

#[tokio::test]
async fn a_healthy_gateway_is_called_so() {
    let sandbox = sandbox().await;
    let examined = of_health(&sandbox).argument("--strict").examine().await;
    assert_eq!((examined.code, &examined.report["status"]), (Some(0), &json!("ok")), "{examined:#?}");
    assert_eq!(examined.that_are("skipped"), ["tls"]);
    assert_eq!(examined.scopes(), []);
    assert_eq!(examined.report["rateLimits"], json!([{ "covers": ["users", "logs", "others"], "limit": 50 }]));
    assert!(examined.check("plan")["finding"].as_str().unwrap().starts_with("Enterprise"), "{examined:#?}");

    let said = of_health(&sandbox).say().await;
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    for part in [&sandbox.url(), "\n  ok    GET /logs/{id} ", "\n  read:users  ", "\n  All is well."] {
        assert!(said.stdout.contains(part), "{part} is not in {}", said.stdout);
    }
}

#[tokio::test]
async fn the_keys_of_the_report_are_those_that_scripts_rely_on() {
    let sandbox = sandbox().await;
    let examined = of_health(&sandbox).examine().await;
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&examined.report), "checks rateLimits scopes status tenant version");
    let checks = examined.report["checks"].as_array().unwrap();
    for check in checks {
        assert_eq!(keys(check), "durationMs finding name remedy status");
    }
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(
        names.join(", "),
        format!(
            "settings, callers, dns, connection, tls, clock, token, audience, {}, scopes, plan, keys",
            ENDPOINTS.join(", ")
        )
    );
    let timed: Vec<_> =
        checks.iter().filter(|check| check["durationMs"].is_u64()).map(|check| &check["name"]).collect();
    assert_eq!(timed, ENDPOINTS);
    assert_eq!(keys(&examined.report["scopes"][0]), "neededFor scope state");
    assert_eq!(keys(&examined.report["rateLimits"][0]), "covers limit");

    // The same where nothing can be looked at.
    let examined = Doctor::of(Vec::new()).examine().await;
    assert_eq!(keys(&examined.report), "checks rateLimits scopes status tenant version");
}

#[tokio::test]
async fn wrong_settings_exit_64_in_either_form() {
    let doctor = || {
        Doctor::of(vec![
            ("AUTH0_DOMAIN", "example.us.auth0.com".to_owned()),
            ("AUTH0_CLIENT_SECRET", "hush".to_owned()),
        ])
        .with("PORT", "http")
    };
    let examined = doctor().examine().await;
    assert_eq!((examined.code, &examined.report["tenant"]), (Some(64), &Value::Null));
    assert_eq!(examined.that_are("failed"), ["settings", "settings"], "{examined:#?}");
    assert!(examined.check("settings")["finding"].as_str().unwrap().starts_with("AUTH0_CLIENT_ID is missing"));

    let said = doctor().say().await;
    assert_eq!((said.code, said.stderr.as_str()), (Some(64), ""));
    assert!(said.stdout.contains("FAIL  settings  PORT must be"), "{}", said.stdout);
}

/// The doctor of a gateway that reads from a stand-in, or from nobody.
fn of_mock(url: &str) -> Doctor {
    Doctor::of(vec![
        ("AUTH0_DOMAIN", url.to_owned()),
        ("AUTH0_CLIENT_ID", "an-id".to_owned()),
        ("AUTH0_CLIENT_SECRET", "hush-hush".to_owned()),
    ])
}

#[tokio::test]
async fn callers_who_need_no_credentials_are_told_where_others_reach_the_gateway() {
    let sandbox = sandbox().await;
    let doctor = of_scopes(&sandbox, &["read:users", "read:logs"]).await;
    let examined = doctor.with("HOST", "0.0.0.0").with("ALLOW_ANONYMOUS", "yes").examine().await;
    assert_eq!(examined.that_are("warning"), ["callers"], "{examined:#?}");
}

#[tokio::test]
async fn an_audience_that_lets_in_id_tokens_is_warned_of() {
    let sandbox = sandbox().await;
    let audiences = format!("{GATEWAY_AUDIENCE},{}", sandbox.client().id);
    let examined = of_health(&sandbox).with("JWT_AUDIENCE", audiences).examine().await;
    assert_eq!(examined.that_are("warning"), ["callers"], "{examined:#?}");
    assert!(examined.check("callers")["finding"].as_str().unwrap().contains("ID tokens"), "{examined:#?}");
}

#[tokio::test]
async fn a_sandbox_of_its_own_is_well_and_of_the_plan_that_was_asked_for() {
    for (plan, told) in [("free", "Free"), ("essentials", "Essentials or Professional")] {
        let doctor = Doctor::of(Vec::new()).argument("--sandbox").argument("--sandbox-plan").argument(plan);
        let examined = doctor.argument("--strict").examine().await;
        assert_eq!(examined.code, Some(0), "{examined:#?}");
        assert!(examined.check("plan")["finding"].as_str().unwrap().starts_with(told), "{examined:#?}");
    }
}

#[tokio::test]
async fn help_tells_the_exit_codes() {
    let said = Doctor::of(Vec::new()).argument("--help").say().await;
    for part in ["Exit codes", "64", "--json", "--strict", "--sandbox"] {
        assert!(said.stdout.contains(part), "{part} is not in {}", said.stdout);
    }
}
