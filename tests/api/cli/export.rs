//! `export`: all users or logs, on standard output or in a file.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use auth0_graphql::sandbox::{Client, Options, Plan, Sandbox};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{End, Run};
use crate::gateway::{Setup, TestGateway};

/// A tenant with this many users, of whom so many were imported at once; and a gateway, which counts its calls.
async fn tenant(users: usize, imported: usize) -> TestGateway {
    let setup = Setup::uncached();
    let sandbox = Options { users, imported, logs: 250, plan: Plan::PrivateCloud, ..setup.sandbox };
    TestGateway::spawn_with(Setup { sandbox, ..setup }).await
}

/// A run of the program with the credentials of a sandbox.
fn run(sandbox: &Sandbox, folder: &str, arguments: &[&str]) -> Run {
    let Client { id, secret } = sandbox.client();
    Run::new(folder, arguments)
        .env("AUTH0_DOMAIN", &sandbox.url())
        .env("AUTH0_CLIENT_ID", &id)
        .env("AUTH0_CLIENT_SECRET", secret.expose_secret())
}

async fn export(sandbox: &Sandbox, folder: &'static str, arguments: &[&str]) -> End {
    let run = run(sandbox, folder, arguments);
    tokio::task::spawn_blocking(|| run.end()).await.unwrap()
}

fn ids(lines: &str) -> Vec<String> {
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.map(|record| record["user_id"].as_str().or(record["log_id"].as_str()).unwrap().to_owned()).collect()
}

/// The cursor at the end of what is said on standard error.
fn cursor(end: &End) -> String {
    end.stderr.trim_end().rsplit_once("--after ").unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_user_once_in_eleven_calls_a_thousand_or_less() {
    let tenant = tenant(3_000, 800).await;
    let arguments = ["export", "users", "--fields", "email"];
    let end = export(&tenant.sandbox, "export-users", &arguments).await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let ids = ids(&end.stdout);
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (2_999, 2_999));
    let first: Value = serde_json::from_str(end.stdout.lines().next().unwrap()).unwrap();
    let keys: Vec<_> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["created_at", "email", "user_id"]);
    assert!(end.stderr.contains("2999 users. Those that come later: "), "{}", end.stderr);
    let calls = tenant.calls().await.len();
    assert!(calls <= 33, "{calls}");
    // Nothing has come since.
    let after = cursor(&end);
    let rest = export(&tenant.sandbox, "export-rest", &["export", "users", "--after", &after]).await;
    assert_eq!((rest.code, rest.stdout.as_str()), (Some(0), ""), "{}", rest.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_fails_tells_how_to_go_on_and_loses_nobody() {
    let tenant = tenant(500, 0).await;
    let filter = json!({ "email": { "endsWith": "@example.com" } }).to_string();
    let arguments = ["export", "users", "--filter", &filter, "--out", "users.ndjson"];
    let whole = export(&tenant.sandbox, "export-whole", &arguments).await;
    assert_eq!((whole.code, whole.stdout.as_str()), (Some(0), ""), "{}", whole.stderr);
    let folder = |name: &str| std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).join("users.ndjson");
    let all = fs::read_to_string(folder("export-whole")).unwrap();
    assert!(ids(&all).len() > 100);
    // The file is there: it is not written over.
    let run = run(&tenant.sandbox, "export-broken", &arguments);
    let broken_folder = run.folder.clone();
    fs::write(broken_folder.join("users.ndjson"), "").unwrap();
    let end = tokio::task::spawn_blocking(|| run.end()).await.unwrap();
    assert_eq!(end.code, Some(1));
    assert!(end.stderr.contains("must not be there yet"), "{}", end.stderr);
    // Auth0 refuses the second call.
    tenant.fault(json!({ "path": "/api/v2/users", "times": 1, "fault": { "status": 403 } })).await;
    let end = export(&tenant.sandbox, "export-refused", &arguments).await;
    assert_eq!(end.code, Some(1));
    assert!(end.stderr.contains("0 users, and not all: ") && end.stderr.contains("To go on: "), "{}", end.stderr);
    assert!(end.stderr.contains(&format!("--filter '{filter}' --out users.ndjson --after ")), "{}", end.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_interrupted_goes_on_in_the_same_file() {
    let tenant = tenant(1_000, 0).await;
    // Two calls are answered, and the third is waited for.
    for (times, slow) in [(2, 1), (1, 60_000)] {
        tenant.fault(json!({ "path": "/api/v2/users", "times": times, "fault": { "slow": slow } })).await;
    }
    let arguments = ["export", "users", "--fields", "email", "--out", "users.ndjson"];
    let run = run(&tenant.sandbox, "export-interrupted", &arguments);
    let file = run.folder.join("users.ndjson");
    let mut export = run.start();
    let end = tokio::task::spawn_blocking(move || {
        while fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
            std::thread::yield_now();
        }
        export.signal("INT");
        let (code, mut stderr) = (export.child.wait().unwrap().code(), String::new());
        export.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (End { code, stdout: String::new(), stderr }, file)
    });
    let (end, file) = end.await.unwrap();
    assert!(end.code != Some(0) && end.stderr.contains("interrupted. To go on: "), "{end:?}");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others may read it");
    let (before, after) = (ids(&fs::read_to_string(&file).unwrap()), cursor(&end));
    assert!(!before.is_empty() && before.len() < 900, "{}", before.len());

    tenant.mend().await;
    let Client { id, secret } = tenant.sandbox.client();
    let mut rest = std::process::Command::new(super::PROGRAM);
    rest.args(arguments).args(["--after", after.lines().next().unwrap()]);
    rest.env_clear().current_dir(file.parent().unwrap());
    rest.env("AUTH0_DOMAIN", tenant.sandbox.url()).env("AUTH0_CLIENT_ID", id);
    rest.env("AUTH0_CLIENT_SECRET", secret.expose_secret());
    let rest = tokio::task::spawn_blocking(move || End::from(rest.output().unwrap())).await.unwrap();
    assert_eq!(rest.code, Some(0), "{}", rest.stderr);
    let all = ids(&fs::read_to_string(&file).unwrap());
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (999, 999));
    assert!(all.starts_with(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_as_csv_has_a_header_and_json_in_its_cells() {
    let tenant = tenant(12, 0).await;
    let end = export(&tenant.sandbox, "export-csv", &["export", "users", "--format", "csv"]).await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let mut lines = end.stdout.lines();
    assert!(lines.next().unwrap().starts_with("user_id,email,email_verified,"), "{}", end.stdout);
    assert!(end.stdout.contains(r#""[{""connection"":"#), "{}", end.stdout);
    let logs =
        export(&tenant.sandbox, "export-logs", &["export", "logs", "--fields", "log_id,type", "--q", "type:s"]).await;
    assert_eq!(logs.code, Some(0), "{}", logs.stderr);
    let ids = ids(&logs.stdout);
    assert!(ids.len() > 20 && ids.is_sorted_by(|one, other| one > other), "{}", ids.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_is_said_before_anything_is_asked() {
    let tenant = tenant(12, 0).await;
    for (name, arguments, said) in [
        ("export-cursor", &["export", "users", "--after", "x"][..], "--after is no cursor"),
        ("export-filter", &["export", "users", "--filter", "{"], "`filter` is no JSON"),
        ("export-field", &["export", "users", "--filter", r#"{"nope":1}"#], "`filter"),
        ("export-null", &["export", "logs", "--filter", "null"], "`filter` is null"),
        ("export-q", &["export", "logs", "--q", "a) OR (b"], "`q` has to be simple"),
        ("export-kind", &["export", "roles"], "invalid value 'roles'"),
        (
            "export-unknown",
            &["export", "users", "--fields", "email,nope"],
            "users have no `nope`. They have user_id, email, ",
        ),
        (
            "export-of-users",
            &["export", "logs", "--fields", "nickname"],
            "logs have no `nickname`. They have log_id, date, ",
        ),
        ("export-path", &["export", "users", "--fields", "app_metadata."], "`app_metadata.` is no path"),
        ("export-credentials", &["export", "logs", "--with-credentials"], "logs hold none"),
    ] {
        let end = export(&tenant.sandbox, name, arguments).await;
        assert_eq!((end.code, end.stdout.as_str()), (Some(64), ""), "{name}: {}", end.stderr);
        assert!(end.stderr.contains(said), "{name}: {}", end.stderr);
    }
    assert_eq!(tenant.all_calls().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_in_no_file_but_one_of_its_own() {
    let tenant = tenant(12, 0).await;
    let begun = export(&tenant.sandbox, "export-begun", &["export", "users"]).await;
    let after = cursor(&begun);
    for (name, format, content, said) in [
        ("export-cut", "ndjson", "{\"user_id\":\"a\"}\n{\"user", "ends within a line"),
        ("export-precious", "csv", "something precious\n", "does not begin with the columns"),
        ("export-columns", "csv", "user_id,email\na,b\n", "does not begin with the columns"),
    ] {
        let arguments = [
            "export",
            "users",
            "--fields",
            "user_id",
            "--other-fields",
            "=1+1",
            "--format",
            format,
            "--out",
            "f",
            "--after",
            &after,
        ];
        let run = run(&tenant.sandbox, name, &arguments);
        let file = run.folder.join("f");
        fs::write(&file, content).unwrap();
        let end = tokio::task::spawn_blocking(|| run.end()).await.unwrap();
        assert!(end.code == Some(1) && end.stderr.contains(said), "{name}: {end:?}");
        assert_eq!(fs::read_to_string(file).unwrap(), content);
    }
    let csv = ["export", "users", "--fields", "user_id", "--other-fields", "=1+1", "--format", "csv"];
    let header = export(&tenant.sandbox, "export-header", &csv).await.stdout;
    assert!(header.starts_with("user_id,'=1+1\n"), "a header is no formula either: {header}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_exported_only_where_they_are_asked_for() {
    let tenant = tenant(60, 0).await;
    for (number, flags) in
        [&[][..], &["--fields", "identities"], &["--format", "csv"], &["--other-fields", "identities"]]
            .iter()
            .enumerate()
    {
        let arguments = |more: &'static [&str]| [&["export", "users"], *flags, more].concat();
        let without = format!("export-without-{number}").leak();
        let end = export(&tenant.sandbox, without, &arguments(&[])).await;
        assert_eq!(end.code, Some(0), "{}", end.stderr);
        assert!(end.stdout.contains("provider"), "{flags:?}");
        for secret in ["access_token", "refresh_token"] {
            assert!(!end.stdout.contains(secret), "{flags:?}: {secret}");
        }
        let with = format!("export-with-{number}").leak();
        let end = export(&tenant.sandbox, with, &arguments(&["--with-credentials"])).await;
        assert!(end.code == Some(0) && end.stdout.contains("access_token"), "{flags:?}: {}", end.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_and_a_field_that_is_not_auth0_s_own_are_columns() {
    let tenant = tenant(60, 0).await;
    let arguments = ["export", "users", "--fields", "user_id,app_metadata.plan", "--other-fields", "nope"];
    let end = export(&tenant.sandbox, "export-columns-json", &arguments).await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let records: Vec<Value> = end.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let allowed = ["app_metadata.plan", "created_at", "user_id"];
    for record in &records {
        assert!(record.as_object().unwrap().keys().all(|key| allowed.contains(&key.as_str())), "{record}");
    }
    let plans: Vec<_> = records.iter().filter_map(|record| record["app_metadata.plan"].as_str()).collect();
    assert!(!plans.is_empty());
    let csv = export(&tenant.sandbox, "export-columns-csv", &[&arguments[..], &["--format", "csv"]].concat()).await;
    let mut lines = csv.stdout.lines();
    assert_eq!(lines.next(), Some("user_id,app_metadata.plan,nope"));
    assert_eq!(lines.filter(|line| plans.iter().any(|plan| line.ends_with(&format!(",{plan},")))).count(), plans.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_that_goes_on_has_the_tenant_s_flags_and_no_secret() {
    let tenant = tenant(12, 0).await;
    let Client { id, secret } = tenant.sandbox.client();
    let url = tenant.sandbox.url();
    let secret = secret.expose_secret();
    let arguments =
        ["export", "users", "--auth0-domain", &url, "--auth0-client-id", &id, "--auth0-client-secret", secret];
    let run =
        Run::new("export-flags", &[&arguments[..], &["--fields", "email", "--q", "logins_count:[1 TO *]"]].concat());
    let end = tokio::task::spawn_blocking(|| run.end()).await.unwrap();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert!(!end.stderr.contains(secret), "{}", end.stderr);
    assert!(end.stderr.contains("Set in the environment: AUTH0_CLIENT_SECRET\n"), "{}", end.stderr);
    let (_, command) = end.stderr.trim_end().rsplit_once("Those that come later: ").unwrap();
    // A shell takes it as it is.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", command]).env_clear().env("AUTH0_CLIENT_SECRET", secret).current_dir(env!("CARGO_TARGET_TMPDIR"));
    let rest = tokio::task::spawn_blocking(move || End::from(shell.output().unwrap())).await.unwrap();
    assert_eq!((rest.code, rest.stdout.as_str()), (Some(0), ""), "{}", rest.stderr);
    assert!(rest.stderr.contains("0 users. Those that come later: "), "{}", rest.stderr);
    // A sandbox is started anew.
    let sandbox =
        Run::new("export-sandbox", &["export", "users", "--sandbox", "--sandbox-seed", "7", "--fields", "email"]);
    let end = tokio::task::spawn_blocking(|| sandbox.end()).await.unwrap();
    assert!(end.stderr.contains("export users --fields email --sandbox --sandbox-seed 7 --after "), "{}", end.stderr);
}
