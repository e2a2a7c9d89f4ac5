//! Redis behind TLS, and the roots that are trusted for it: those of the system, or of the file that `SSL_CERT_FILE` names.

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use auth0_graphql::sandbox::Sandbox;
use chrono::{TimeDelta, Utc};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::redis::{RedisServer, free_port, program, skip};
use super::{Fleet, PATIENT};
use crate::edge::Certificate;

/// The program with a Redis of this address, which trusts the certificates in a file and no others.
fn program_at(sandbox: &Sandbox, redis: &str, roots: &Path, arguments: &[&str]) -> Command {
    let client = sandbox.client();
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-graphql"));
    command
        .args(arguments)
        .env_clear()
        .env("AUTH0_DOMAIN", sandbox.url())
        .env("AUTH0_CLIENT_ID", client.id)
        .env("AUTH0_CLIENT_SECRET", client.secret.expose_secret())
        .env("REDIS_URL", redis)
        .env("SSL_CERT_FILE", roots)
        // No test writes an .env there.
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

/// A gateway that ends with the test.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The check of Redis in the doctor's report.
async fn examined(mut doctor: Command) -> Value {
    // Else the sandbox could not answer meanwhile.
    let output = tokio::task::spawn_blocking(move || doctor.output().unwrap()).await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == "redis").unwrap().clone()
}

#[tokio::test]
async fn redis_behind_tls_is_used_where_its_certificate_is_trusted() {
    // It ends at once, with one reason or the other.
    let tried = Command::new(program()).args(["--port", "0", "--tls-port", &free_port().to_string()]).output();
    let lacks_tls = |tried: Output| {
        let said = [tried.stdout, tried.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ["Bad directive", "Failed finding TLS support"].iter().any(|reason| said.contains(reason))
    };
    if tried.is_ok_and(lacks_tls) {
        return skip("tls", "the server is built without TLS");
    }
    let good = Certificate::of(Ipv4Addr::LOCALHOST, Utc::now() - TimeDelta::hours(1));
    let other = Certificate::of(Ipv4Addr::LOCALHOST, Utc::now() - TimeDelta::hours(1));
    let tls_port = free_port();
    let started = RedisServer::start_with("tls", |folder| {
        let file = |name: &str, text: String| {
            let file = folder.join(name);
            std::fs::write(&file, text).unwrap();
            file.display().to_string()
        };
        let certificate = file("certificate.pem", good.pem());
        file("other.pem", other.pem());
        let key = file("key.pem", good.key_pem());
        let port = tls_port.to_string();
        ["--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file", &certificate]
            .into_iter()
            .chain(["--tls-key-file", &key, "--tls-ca-cert-file", &certificate])
            .map(str::to_owned)
            .collect()
    });
    let Some(redis) = started else { return };
    let user = redis.add_user();
    let url = format!("rediss://{user}@127.0.0.1:{tls_port}");
    let mut fleet = Fleet::through(&redis, PATIENT).await;

    let roots = redis.folder.join("certificate.pem");
    let check = examined(program_at(&fleet.sandbox, &url, &roots, &["doctor", "--json"])).await;
    assert_eq!(check["status"], "ok", "{check}");
    let check =
        examined(program_at(&fleet.sandbox, &url, &redis.folder.join("other.pem"), &["doctor", "--json"])).await;
    assert_eq!(check["status"], "failed", "{check}");
    let finding = check["finding"].as_str().unwrap();
    assert!(finding.contains("certificate") && !finding.contains("made-up"), "{finding}");

    let mut serve = program_at(&fleet.sandbox, &url, &roots, &["serve", "--port", "0"]);
    let child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut gateway = Gateway(child);
    let mut printed = BufReader::new(gateway.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = printed.find(|line| line.contains("  GraphQL  ")).unwrap();
    fleet.urls.push(line.split_whitespace().last().unwrap().strip_suffix("/graphql").unwrap().to_owned());
    fleet.until_kept_in(&redis, 0).await;
}
