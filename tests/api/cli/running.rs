//! The program while it runs: what it prints once it listens, and how it stops.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{End, Run};
use crate::authentication::hash_of;

/// A run that listens. It is killed when a test gives it up.
pub(super) struct Running {
    pub(super) child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Run {
    pub(super) fn start(mut self) -> Running {
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout }
    }
}

impl Running {
    /// The text printed up to and with the first line that holds `text`; all of it if none does.
    pub(super) fn printed_until(&mut self, text: &str) -> String {
        let mut printed = String::new();
        let mut line = 0;
        while !printed[line..].contains(text) {
            line = printed.len();
            if self.stdout.read_line(&mut printed).unwrap() == 0 {
                break;
            }
        }
        printed
    }

    /// The next line that is printed, without its end; empty once there is none.
    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(super) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(super) fn stop(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text after `name` on its line.
pub(super) fn value<'a>(printed: &'a str, name: &str) -> &'a str {
    let mut lines = printed.lines().map(str::trim);
    lines.find_map(|line| line.strip_prefix(name)).unwrap().trim()
}

#[test]
fn the_sandbox_is_served_with_one_command_and_stops_when_asked() {
    for signal in ["TERM", "INT"] {
        let folder = format!("serve_sandbox_{signal}");
        let mut gateway = Run::new(&folder, &["serve", "--sandbox", "--port", "0"]).start();
        let printed = gateway.printed_until("Ctrl-C");
        let playground = value(&printed, "Playground");
        assert_eq!(value(&printed, "GraphQL"), format!("{playground}graphql"));
        assert!(playground.starts_with("http://127.0.0.1:"), "{printed}");
        assert!(printed.contains("@example."), "no people in {printed}");
        assert_eq!(gateway.stop(signal), Some(0));
    }
}

#[test]
fn without_a_playground_none_is_announced() {
    let arguments = ["--sandbox", "--port", "0", "--playground", "off"];
    let printed = Run::new("serve_no_playground", &arguments).start().printed_until("Ctrl-C");
    assert!(printed.contains("/graphql") && !printed.contains("Playground"), "{printed}");
}

#[test]
fn settings_of_a_real_tenant_are_ignored_aloud_with_the_sandbox() {
    let mut gateway =
        Run::new("serve_ignored", &["--sandbox", "--port", "0"]).env("AUTH0_DOMAIN", "example.us.auth0.com").start();
    gateway.printed_until("Ctrl-C");
    let log = BufReader::new(gateway.child.stderr.take().unwrap());
    let line = log.lines().map(Result::unwrap).find(|line| line.contains("AUTH0_DOMAIN")).unwrap();
    assert!(line.contains("ignored"), "{line}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_limit_of_open_files_is_raised_at_the_start() {
    let Run { folder, .. } = Run::new("open_files", &[]);
    let mut command = Command::new("/bin/sh");
    let script = r#"ulimit -S -n 256 && exec "$0" --sandbox --port 0"#;
    command.args(["-c", script, super::PROGRAM]).env_clear().current_dir(&folder);
    let mut gateway = Run { command, folder }.start();
    gateway.printed_until("Ctrl-C");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.child.id())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let files: Vec<_> = files.split_whitespace().collect();
    assert_eq!(files[0], files[1], "{limits}");
    assert_ne!(files[0], "256");
}

#[test]
fn an_audience_that_lets_in_id_tokens_is_warned_of() {
    let tokens = ["--jwt-issuer", "https://login.example.com/", "--jwt-audience", "gateway"];
    let mut gateway =
        Run::new("id_tokens", &[&["--port", "0", "--auth0-domain", "example.us.auth0.com"][..], &tokens].concat())
            .env("AUTH0_CLIENT_ID", "gateway")
            .env("AUTH0_CLIENT_SECRET", "of-nobody")
            .start();
    gateway.printed_until("Ctrl-C");
    let log = BufReader::new(gateway.child.stderr.take().unwrap());
    let line = log.lines().map(Result::unwrap).find(|line| line.contains("JWT_AUDIENCE")).unwrap();
    assert!(line.contains("WARN") && line.contains("ID tokens"), "{line}");
}

#[test]
fn the_sandbox_alone_prints_settings_that_a_gateway_takes() {
    let mut sandbox = Run::new("sandbox_alone", &["sandbox", "--port", "0"]).start();
    let settings = sandbox.printed_until("people");
    let url = value(&settings, "AUTH0_DOMAIN=");
    let audience = value(&settings, "AUTH0_AUDIENCE=");
    Run::new("sandbox_client", &["config"]).dotenv(&settings).end().must_show(&[
        &["AUTH0_DOMAIN", url, ".env"],
        &["AUTH0_CLIENT_ID", value(&settings, "AUTH0_CLIENT_ID="), ".env"],
        &["AUTH0_CLIENT_SECRET", "(set, not shown)", ".env"],
        &["AUTH0_AUDIENCE", audience, ".env"],
    ]);
    assert_eq!(sandbox.stop("TERM"), Some(0));
}

/// The word that follows `name` on its line.
pub(super) fn word<'a>(printed: &'a str, name: &str) -> &'a str {
    let (_, after) = printed.split_once(name).unwrap_or_else(|| panic!("{name} is not in {printed}"));
    after.split_whitespace().next().unwrap()
}

#[tokio::test]
async fn a_token_of_the_sandbox_is_printed_and_taken_and_never_logged() {
    let key = "an API key that nobody logs";
    let hash = hash_of(key);
    let mut gateway = Run::new("serve_tokens", &["--sandbox", "--port", "0", "--allow-anonymous", "yes"])
        .env("LOG", "trace")
        .env("API_KEYS", &format!("reports:{hash}:read:logs"))
        .start();
    // Read while it is written, or the pipe is full before the end.
    let mut stderr = gateway.child.stderr.take().unwrap();
    let log = std::thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
    let printed = gateway.printed_until("Ctrl-C");
    let (graphql, sandbox) = (value(&printed, "GraphQL"), word(&printed, "--url "));

    let arguments = ["sandbox", "token", "--url", sandbox, "--scope", "read:logs", "--sub", "auth0|somebody"];
    let end = Run::new("sandbox_token", &arguments).end();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
    let token = end.stdout.trim_end();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = || http.post(graphql).json(&serde_json::json!({ "query": "{ gateway { scopes } }" }));
    for (call, status) in [
        (call().bearer_auth(token), 200),
        (call().bearer_auth(&forged), 401),
        (call().header("X-API-Key", key), 200),
        (call().header("X-API-Key", format!("{key}!")), 401),
    ] {
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), status);
        let text = answer.text().await.unwrap();
        assert_eq!(text.contains(r#"{"scopes":["read:logs"]}"#), status == 200, "{text}");
    }
    assert_eq!(gateway.stop("TERM"), Some(0));
    let log = log.join().unwrap();
    assert!(log.contains("signature is wrong") && log.contains("API key is not known"), "{log}");
    assert!(log.contains("ALLOW_ANONYMOUS is yes"), "{log}");
    for secret in [signature, signed, &forged, key, &hash] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
    // Whom a token is for is in the audit trail, where it belongs, and nowhere else.
    let mut named = log.lines().filter(|line| line.contains("somebody"));
    assert!(named.clone().count() == 1 && named.all(|line| line.contains("auth0_graphql::audit")), "{log}");
}

/// The token that the playground of a gateway has filled in.
async fn filled_in(printed: &str) -> Option<String> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = http.get(value(printed, "Playground")).send().await.unwrap().text().await.unwrap();
    let (_, rest) = page.split_once("name=\"playground-token\" content=\"")?;
    Some(rest.split('"').next().unwrap().to_owned())
}

#[tokio::test]
async fn the_playground_of_a_sandbox_has_a_token_that_reads_everything() {
    let mut gateway = Run::new("filled_in", &["--sandbox", "--port", "0"]).start();
    let printed = gateway.printed_until("Ctrl-C");
    let token = filled_in(&printed).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let query = "{ users(perPage: 1) { nodes { appMetadata identities { accessToken } } } logs(take: 1) { next } }";
    let call = http.post(value(&printed, "GraphQL")).bearer_auth(&token);
    let answer = call.json(&serde_json::json!({ "query": query })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert!(answer.get("errors").is_none() && answer["data"]["logs"]["next"].is_string(), "{answer}");
}

#[tokio::test]
async fn where_tokens_are_others_the_playground_has_none() {
    let issuer = ["--jwt-issuer", "https://login.example.com/", "--jwt-audience", "https://gateway.example.com"];
    let of_a_sandbox = Run::new("other_issuer", &[&["--sandbox", "--port", "0"][..], &issuer].concat());
    let of_a_tenant = Run::new("real_tenant", &["--port", "0", "--auth0-domain", "example.us.auth0.com"])
        .env("AUTH0_CLIENT_ID", "gateway")
        .env("AUTH0_CLIENT_SECRET", "of-nobody");
    for run in [of_a_sandbox, of_a_tenant] {
        let mut gateway = run.start();
        let printed = gateway.printed_until("Ctrl-C");
        assert_eq!(filled_in(&printed).await, None, "{printed}");
        assert!(!printed.contains("The playground has a token"), "{printed}");
    }
}

#[test]
fn where_no_sandbox_is_no_token_is_printed() {
    let end = Run::new("no_sandbox", &["sandbox", "token", "--url", "http://127.0.0.1:1"]).end();
    assert_eq!((end.code, end.stdout.as_str()), (Some(69), ""));
    assert!(end.stderr.contains("no sandbox answers at http://127.0.0.1:1"), "{}", end.stderr);
}

#[test]
fn a_port_that_is_taken_is_told_with_exit_code_69() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for arguments in [["serve", "--sandbox", "--port", &port].as_slice(), &["sandbox", "--port", &port]] {
        let End { code, stderr, .. } = Run::new(&format!("taken_{}", arguments[0]), arguments).end();
        assert_eq!(code, Some(69), "{stderr}");
        assert!(stderr.contains(&format!("127.0.0.1:{port}")) && stderr.contains("--port"), "{stderr}");
    }
}
