//! `tail`: logs as they happen, of a tenant or of a gateway.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::Command;

use auth0_graphql::sandbox::{Client, TokenRequest};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::running::Running;
use super::{End, PROGRAM, Run};
use crate::gateway::{Setup, TestGateway};
use crate::tail::{arrive, setup};

/// A run of the program with the credentials of a gateway's tenant.
fn of_tenant(gateway: &TestGateway, folder: &str, arguments: &[&str]) -> Run {
    let Client { id, secret } = gateway.sandbox.client();
    Run::new(folder, &[&["tail", "--tail-max-interval", "1s"], arguments].concat())
        .env("AUTH0_DOMAIN", &gateway.sandbox.url())
        .env("AUTH0_CLIENT_ID", &id)
        .env("AUTH0_CLIENT_SECRET", secret.expose_secret())
}

fn graphql(gateway: &TestGateway) -> String {
    format!("{}/graphql", gateway.url)
}

fn line(tail: &mut Running) -> String {
    let line = block_in_place(|| tail.line());
    if line.is_empty() {
        let mut stderr = String::new();
        tail.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        panic!("{stderr}");
    }
    line
}

fn ids(tail: &mut Running, count: usize) -> Vec<String> {
    let log = |line: String| serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("{line}"));
    (0..count).map(|_| log(line(tail))["logId"].as_str().unwrap().to_owned()).collect()
}

/// Interrupts a tail, and waits for its end.
fn interrupt(mut tail: Running) -> End {
    tail.signal("INT");
    block_in_place(|| {
        let (code, mut stderr) = (tail.child.wait().unwrap().code(), String::new());
        tail.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        End { code, stdout: String::new(), stderr }
    })
}

fn end(run: Run) -> End {
    block_in_place(|| run.end())
}

/// The ids of the newest hundred logs, in order.
async fn newest(gateway: &TestGateway) -> Vec<String> {
    let data = gateway.data("{ searchLogs(perPage: 100) { nodes { logId } } }").await;
    let nodes = data["searchLogs"]["nodes"].as_array().unwrap();
    let ids: BTreeSet<_> = nodes.iter().map(|node| node["logId"].as_str().unwrap().to_owned()).collect();
    ids.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn history_comes_first_then_what_happens_and_an_interruption_says_how_to_go_on() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = newest(&gateway).await;
    let mut tail = of_tenant(&gateway, "tail-history", &["--json", "--from", &known[60]]).start();
    assert_eq!(ids(&mut tail, 39), known[61..]);
    let live = arrive(&gateway, 3).await;
    assert_eq!(ids(&mut tail, 3), live);
    let end = interrupt(tail);
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let expected = format!("To go on: {PROGRAM} tail --json --tail-max-interval 1s --from {}", live[2]);
    assert_eq!(end.stderr.lines().last(), Some(&*expected), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_conditions_leave_out_need_not_be_read_again() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = newest(&gateway).await;
    let arguments = ["--user", "auth0|nobody", "--outcome", "failure,other", "--from", &known[5]];
    let tail = of_tenant(&gateway, "tail-nobody", &arguments).start();
    gateway.forget_calls().await;
    let has_read_all = |target: String| target.contains("from=") && known[50..].iter().any(|id| target.contains(id));
    while !gateway.calls().await.iter().any(|call| has_read_all(call.target()) && call.status == Some(200)) {
        tokio::task::yield_now().await;
    }
    let end = interrupt(tail);
    let (command, from) = end.stderr.trim_end().rsplit_once(" --from ").unwrap();
    assert!(
        command.ends_with("tail --outcome failure,other --user 'auth0|nobody' --tail-max-interval 1s"),
        "{command}"
    );
    assert!(known.iter().any(|id| id == from) && *from > *known[5], "{from}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_to_be_read_and_in_color_where_that_is_wanted() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = newest(&gateway).await;
    let plain = |folder: &str| of_tenant(&gateway, folder, &["--outcome", "failure", "--from", &known[0]]);
    let query =
        format!("{{ logs(from: \"{}\", take: 100) {{ nodes {{ date type typeDescription outcome ip }} }} }}", known[0]);
    let logs = gateway.data(&query).await;
    let failed = logs["logs"]["nodes"].as_array().unwrap().iter().find(|log| log["outcome"] == "FAILURE").unwrap();
    let first = line(&mut plain("tail-plain").start());
    for key in ["date", "type", "typeDescription", "ip"] {
        assert!(first.contains(failed[key].as_str().unwrap()), "{key}: {first} is not {failed}");
    }
    assert!(!first.contains('\u{1b}'), "{first:?}");
    let colored = line(&mut plain("tail-colored").env("CLICOLOR_FORCE", "1").start());
    assert!(colored.contains("\u{1b}[31m"), "{colored:?}");
    let honoured = line(&mut plain("tail-no-color").env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").start());
    assert_eq!(honoured, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_may_leave() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let Client { id, secret } = gateway.sandbox.client();
    let script = format!("{{ {PROGRAM} tail --from 0; echo \"ended with $?\" >&2; }} | head -n 2");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env_clear().env("PATH", "/usr/bin:/bin").current_dir(env!("CARGO_TARGET_TMPDIR"));
    shell.env("AUTH0_DOMAIN", gateway.sandbox.url()).env("AUTH0_CLIENT_ID", id);
    shell.env("AUTH0_CLIENT_SECRET", secret.expose_secret());
    let end = block_in_place(|| End::from(shell.output().unwrap()));
    assert_eq!(end.stdout.lines().count(), 2, "{end:?}");
    assert_eq!(end.stderr.lines().last(), Some("ended with 0"), "{end:?}");
    assert!(!end.stderr.contains("To go on"), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_the_tenant_has_given_up_are_told_of() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = newest(&gateway).await;
    for _ in 0..6 {
        gateway.control("logs", json!({ "count": 9_000 })).await;
    }
    let mut tail = of_tenant(&gateway, "tail-gap", &["--json", "--from", &known[0]]).start();
    assert!(ids(&mut tail, 1)[0] > known[99]);
    let end = interrupt(tail);
    assert!(end.stderr.contains(&format!("may be missing. What it keeps follows. (after {})", known[0])), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_has_logs_too() {
    let arguments = ["tail", "--sandbox", "--sandbox-seed", "7", "--type", "s,f,nope", "--from", "0"];
    let mut tail = Run::new("tail-sandbox", &arguments).start();
    assert!(line(&mut tail).contains("T"));
    let end = interrupt(tail);
    assert_eq!(end.code, Some(0));
    assert_eq!(end.stderr.matches("is no type of log").count(), 1, "{end:?}");
    assert!(end.stderr.contains("Warning: --type nope is no type of log that this program knows"), "{end:?}");
    assert!(end.stderr.contains("tail --type s,f,nope --sandbox --sandbox-seed 7 --from "), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_of_a_gateway_are_followed_with_a_token_that_no_argument_holds() {
    let gateway = TestGateway::spawn_with(Setup { takes_sandbox_tokens: true, ..setup() }).await;
    let token = TokenRequest { scope: "read:logs".to_owned(), ..TokenRequest::default() };
    let token = gateway.sandbox.user_token(&token).unwrap();
    let known = newest_by(&gateway, &token).await;
    let url = graphql(&gateway);
    let run = |folder: &str, token: &str| {
        Run::new(folder, &["tail", "--url", &url, "--json", "--from", &known[97]]).env("TAIL_TOKEN", token)
    };
    let mut tail = run("tail-gateway", &token).start();
    assert_eq!(ids(&mut tail, 2), known[98..]);
    let made = gateway.control("logs", json!({ "count": 3, "held": 1 })).await;
    let made: Vec<String> = serde_json::from_value(made["ids"].clone()).unwrap();
    assert_eq!(ids(&mut tail, 2), made[1..]);
    gateway.control("logs/release", Value::Null).await;
    let late: Value = serde_json::from_str(&line(&mut tail)).unwrap();
    assert_eq!((&late["logId"], &late["late"]), (&json!(made[0]), &json!(true)));
    let end = interrupt(tail);
    assert_eq!(end.code, Some(0));
    assert_eq!(end.stderr, format!("To go on: {PROGRAM} tail --json --url {url} --from {}\n", made[2]));

    let refused = self::end(run("tail-refused", &format!("{token}x")));
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains("the gateway answers 401"), "{refused:?}");
    refused.must_not_tell(&token);
}

async fn newest_by(gateway: &TestGateway, token: &str) -> Vec<String> {
    let query = json!({ "query": "{ searchLogs(perPage: 100) { nodes { logId } } }" });
    let response = gateway.http.post(graphql(gateway)).bearer_auth(token).json(&query).send().await.unwrap();
    let response: Value = response.json().await.unwrap();
    let nodes = response["data"]["searchLogs"]["nodes"].as_array().unwrap();
    let ids: BTreeSet<_> = nodes.iter().map(|node| node["logId"].as_str().unwrap().to_owned()).collect();
    ids.into_iter().collect()
}

/// Passes connections on to a gateway, until they are cut.
async fn relay(gateway: &TestGateway) -> (String, watch::Sender<()>) {
    let (target, listener) = (gateway.url.replace("http://", ""), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    let (cut, is_cut) = watch::channel(());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (target, mut is_cut) = (target.clone(), is_cut.clone());
            is_cut.mark_unchanged();
            tokio::spawn(async move {
                let mut gateway = TcpStream::connect(target).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut gateway) => {}
                    _ = is_cut.changed() => {}
                }
            });
        }
    });
    (url, cut)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_off_is_made_again_without_a_gap_or_a_repeat() {
    let gateway = TestGateway::spawn_with(setup()).await;
    let known = newest(&gateway).await;
    let (url, cut) = relay(&gateway).await;
    let mut tail = Run::new("tail-cut", &["tail", "--url", &url, "--json", "--from", &known[98]]).start();
    assert_eq!(ids(&mut tail, 1), known[99..]);
    for _ in 0..2 {
        cut.send_replace(());
        let meanwhile = arrive(&gateway, 2).await;
        assert_eq!(ids(&mut tail, 2), meanwhile);
    }
    let end = interrupt(tail);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.stderr.matches("connecting again").count(), 2, "{end:?}");
}

#[test]
fn what_cannot_be_followed_is_said() {
    let unreachable = ["tail", "--url", "http://127.0.0.1:1/graphql"];
    for (name, run, code, said) in [
        (
            "plain",
            Run::new("tail-plain-http", &["tail", "--url", "http://example.com/graphql"]),
            64,
            "--url must begin with https://",
        ),
        ("outcome", Run::new("tail-outcome", &["tail", "--sandbox", "--outcome", "odd"]), 64, "possible values"),
        ("ip", Run::new("tail-ip", &["tail", "--sandbox", "--ip", "nonsense"]), 64, "no IPv4 or IPv6 address"),
        ("user", Run::new("tail-user", &["tail", "--sandbox", "--user", ""]), 64, "--user"),
        ("type", Run::new("tail-type", &["tail", "--sandbox", "--type", "f,"]), 64, "--type"),
        ("from", Run::new("tail-from", &["tail", "--sandbox", "--from", "abc"]), 64, "`from`"),
        ("tenant", Run::new("tail-no-tenant", &["tail"]), 64, "AUTH0_DOMAIN is missing"),
        ("nobody", Run::new("tail-unreachable", &unreachable), 69, "no gateway answers at http://127.0.0.1:1/graphql"),
        ("token", Run::new("tail-token", &unreachable).env("TAIL_TOKEN", "hush hush"), 64, "TAIL_TOKEN holds a space"),
        (
            "both",
            Run::new("tail-both", &unreachable).env("TAIL_API_KEY", "hush").env("TAIL_API_KEY_FILE", "hush"),
            64,
            "TAIL_API_KEY_FILE is set beside TAIL_API_KEY",
        ),
    ] {
        let end = run.end();
        assert_eq!((end.code, end.stdout.as_str()), (Some(code), ""), "{name}: {}", end.stderr);
        assert!(end.stderr.contains(said), "{name}: {}", end.stderr);
        end.must_not_tell("hush");
    }
}
