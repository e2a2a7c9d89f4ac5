//! The program under load while it is told to stop or to reload.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{ChildStderr, Command};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use auth0_graphql::sandbox::{Clock, Options, Sandbox};
use chrono::Utc;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::Run;
use super::running::{Running, value};
use crate::authentication::hash_of;
use crate::edge::Certificate;

/// Clients who ask all at once.
const CLIENTS: usize = 8;

fn address(printed: &str) -> SocketAddr {
    let url = value(printed, "GraphQL");
    url.trim_end_matches("/graphql").rsplit_once('/').unwrap().1.parse().unwrap()
}

/// The answer to a request on a connection of its own.
fn exchange(address: SocketAddr, head: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    let request =
        format!("{head} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n");
    stream.write_all(format!("{request}Content-Length: {length}\r\n\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn is_answered(answer: &io::Result<String>) -> bool {
    answer.as_ref().is_ok_and(|answer| {
        answer.starts_with("HTTP/1.1 200 OK") && answer.contains(r#"{"data":{"__typename":"Query"}"#)
    })
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Has clients ask, each on a connection for each request, while something is done. Every request has to be answered.
fn under_load(address: SocketAddr, done: impl FnOnce(&dyn Fn())) {
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                // One that fails ends the others.
                let _over = OnDrop(|| is_over.store(true, Ordering::SeqCst));
                while !is_over.load(Ordering::SeqCst) {
                    let answer = exchange(address, "POST /graphql", r#"{"query":"{ __typename }"}"#);
                    assert!(is_answered(&answer), "{answer:?}");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // Until each has asked about that often, whatever the machine does meanwhile.
        let some_more = || {
            let enough = answered.load(Ordering::SeqCst) + 10 * CLIENTS;
            while answered.load(Ordering::SeqCst) < enough && !is_over.load(Ordering::SeqCst) {
                thread::yield_now();
            }
        };
        some_more();
        done(&some_more);
        is_over.store(true, Ordering::SeqCst);
    });
}

/// The lines of a log, as they come.
fn lines(stderr: ChildStderr) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The first line that holds this.
fn wait_for(log: &mpsc::Receiver<String>, text: &str) -> String {
    log.iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text:?} is not logged"))
}

fn reload(gateway: &Running, log: &mpsc::Receiver<String>) {
    gateway.signal("HUP");
    wait_for(log, "reloaded");
}

#[test]
fn a_stop_under_load_loses_no_request_of_clients_who_heed_readiness() {
    let mut gateway = Run::new("stop_load", &["--sandbox", "--port", "0", "--shutdown-delay", "1s"]).start();
    let address = address(&gateway.printed_until("Ctrl-C"));
    under_load(address, |_| {
        gateway.signal("TERM");
        // On connections of its own, as a load balancer asks.
        while exchange(address, "GET /readyz", "").unwrap().starts_with("HTTP/1.1 200") {}
    });
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
}

async fn query(address: SocketAddr, headers: &[(&str, &str)]) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request =
        http.post(format!("http://{address}/graphql")).json(&json!({ "query": "{ users(perPage: 1) { page } }" }));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_files_are_read_anew_under_load() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let sandbox = Sandbox::start(Options { clock: Clock::system(), ..Options::default() }, listener).await.unwrap();
    let client = sandbox.client();
    let [one, two] = ["the first of two API keys", "the second of two API keys"];
    let keys = |key: &str| format!("reports:{}:read:users\n", hash_of(key));

    let run = Run::new("reload_secrets", &["--port", "0", "--allow-anonymous", "yes"])
        .env("AUTH0_DOMAIN", &sandbox.url())
        .env("AUTH0_CLIENT_ID", &client.id)
        .env("AUTH0_CLIENT_SECRET_FILE", "secret")
        .env("API_KEYS_FILE", "keys");
    let (secret_file, keys_file) = (run.folder.join("secret"), run.folder.join("keys"));
    fs::write(&secret_file, "not-the-one-it-is\n").unwrap();
    fs::write(&keys_file, keys(one)).unwrap();
    let mut gateway = run.start();
    let address = address(&gateway.printed_until("Ctrl-C"));
    let log = lines(gateway.child.stderr.take().unwrap());
    let (_, answer) = query(address, &[]).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UPSTREAM_MISCONFIGURED", "{answer}");
    assert_eq!(query(address, &[("X-API-Key", two)]).await.0, 401);

    tokio::task::block_in_place(|| {
        under_load(address, |some_more| {
            // What is wrong changes nothing.
            fs::write(&keys_file, "hush").unwrap();
            fs::write(&secret_file, client.secret.expose_secret()).unwrap();
            gateway.signal("HUP");
            let line = wait_for(&log, "cannot reload");
            assert!(line.contains("API_KEYS_FILE") && !line.contains("hush"), "{line}");
            some_more();
            fs::write(&keys_file, keys(two)).unwrap();
            for _ in 0..3 {
                reload(&gateway, &log);
                some_more();
            }
        });
    });
    assert_eq!(query(address, &[]).await, (200, json!({ "data": { "users": { "page": 0 } } })));
    assert_eq!(query(address, &[("X-API-Key", one)]).await.0, 401);
    assert_eq!(query(address, &[("X-API-Key", two)]).await.0, 200);
    assert_eq!(gateway.stop("TERM"), Some(0));
}

fn write_certificate(folder: &Path, certificate: &Certificate) {
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), certificate.key_pem()).unwrap();
}

fn https(trusted: &Certificate) -> reqwest::Client {
    let authority = reqwest::Certificate::from_der(&trusted.certificate).unwrap();
    // A connection for each request, for a certificate is shown when one begins.
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).tls_certs_only([authority]).build().unwrap()
}

#[tokio::test]
async fn certificates_are_swapped_and_connections_go_on() {
    let [one, two] = [(); 2].map(|()| Certificate::of([127, 0, 0, 1].into(), Utc::now()));
    let run = Run::new("reload_tls", &["--sandbox", "--port", "0", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let folder = run.folder.clone();
    write_certificate(&folder, &one);
    let mut gateway = run.start();
    let printed = gateway.printed_until("Ctrl-C");
    let url = value(&printed, "GraphQL").to_owned();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let log = lines(gateway.child.stderr.take().unwrap());

    let health = || {
        let port = url.trim_end_matches("/graphql").rsplit_once(':').unwrap().1;
        let end =
            Run::new("reload_tls_health", &["health", "--port", port, "--tls-cert", "../reload_tls/cert.pem"]).end();
        assert_eq!(end.code, Some(0), "{end:#?}");
    };
    let ask = async |http: &reqwest::Client| {
        let answer = http.post(&url).json(&json!({ "query": "{ __typename }" })).send().await?;
        assert_eq!(answer.json::<Value>().await?["data"], json!({ "__typename": "Query" }));
        Ok::<_, reqwest::Error>(())
    };
    let kept = {
        let authority = reqwest::Certificate::from_der(&one.certificate).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap()
    };
    ask(&kept).await.unwrap();
    ask(&https(&one)).await.unwrap();
    ask(&https(&two)).await.unwrap_err();
    health();

    // A key of another certificate changes nothing.
    fs::write(folder.join("cert.pem"), two.pem()).unwrap();
    gateway.signal("HUP");
    assert!(wait_for(&log, "cannot reload").contains("is not the key of the certificate"));
    ask(&https(&one)).await.unwrap();

    write_certificate(&folder, &two);
    reload(&gateway, &log);
    ask(&https(&two)).await.unwrap();
    ask(&https(&one)).await.unwrap_err();
    // On its connection from before.
    ask(&kept).await.unwrap();
    health();
    assert_eq!(gateway.stop("TERM"), Some(0));
}

#[tokio::test]
async fn the_audit_has_a_file_that_may_be_moved_away() {
    let run = Run::new("audit_file", &["--sandbox", "--port", "0", "--audit-file", "audit.log"]).env("LOG", "info");
    let folder = run.folder.clone();
    let mut gateway = run.start();
    let address = address(&gateway.printed_until("Ctrl-C"));
    let log = lines(gateway.child.stderr.take().unwrap());
    let audited = |name: &str| fs::read_to_string(folder.join(name)).unwrap().lines().count();

    query(address, &[]).await;
    assert_eq!(audited("audit.log"), 1);
    let mode = fs::metadata(folder.join("audit.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    fs::rename(folder.join("audit.log"), folder.join("audit.log.1")).unwrap();
    query(address, &[]).await;
    reload(&gateway, &log);
    query(address, &[]).await;
    assert_eq!((audited("audit.log.1"), audited("audit.log")), (2, 1));

    assert_eq!(gateway.stop("TERM"), Some(0));
    let rest: Vec<_> = log.iter().filter(|line| line.contains("auth0_graphql::audit")).collect();
    assert!(rest.is_empty(), "{rest:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn lines_that_the_audits_file_does_not_take_are_told_of_and_counted() {
    let arguments = ["--sandbox", "--port", "0", "--audit-file", "/dev/full"];
    let mut gateway = Run::new("audit_full", &arguments).env("LOG", "error").start();
    let address = address(&gateway.printed_until("Ctrl-C"));
    let log = lines(gateway.child.stderr.take().unwrap());
    for _ in 0..3 {
        query(address, &[]).await;
    }
    let line = wait_for(&log, "AUDIT_FILE takes no lines");
    assert!(line.contains("lines=1"), "{line}");
    let metrics = exchange(address, "GET /metrics", "").unwrap();
    assert!(metrics.contains("auth0_graphql_audit_lost_lines_total 3"), "{metrics}");
    assert_eq!(gateway.stop("TERM"), Some(0));
}

#[tokio::test]
async fn an_audit_file_that_is_a_pipe_is_refused_and_stops_nothing() {
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let arguments = ["--sandbox", "--port", "0", "--audit-file", "audit.log"];
    let refused = Run::new("audit_pipe", &arguments);
    pipe(&refused.folder.join("audit.log"));
    let end = refused.end();
    assert_eq!(end.code, Some(1), "{end:#?}");
    assert!(end.stderr.contains("AUDIT_FILE (audit.log) cannot be opened: it is a pipe"), "{end:#?}");

    let run = Run::new("audit_pipe_later", &arguments);
    let folder = run.folder.clone();
    let mut gateway = run.start();
    let address = address(&gateway.printed_until("Ctrl-C"));
    let log = lines(gateway.child.stderr.take().unwrap());
    fs::rename(folder.join("audit.log"), folder.join("audit.log.1")).unwrap();
    pipe(&folder.join("audit.log"));
    gateway.signal("HUP");
    wait_for(&log, "AUDIT_FILE cannot be opened anew");
    assert_eq!(query(address, &[]).await.0, 200);
    assert_eq!(fs::read_to_string(folder.join("audit.log.1")).unwrap().lines().count(), 1);
    assert_eq!(gateway.stop("TERM"), Some(0));
}

#[test]
fn an_audit_file_may_be_standard_output_that_is_a_pipe() {
    let mut gateway = Run::new("audit_stdout", &["--sandbox", "--port", "0", "--audit-file", "/dev/stdout"]).start();
    let address = address(&gateway.printed_until("Ctrl-C"));
    let answer = exchange(address, "POST /graphql", r#"{"query":"{ __typename }"}"#);
    assert!(is_answered(&answer), "{answer:?}");
    assert!(gateway.printed_until("auth0_graphql::audit").contains("auth0_graphql::audit"));
    assert_eq!(gateway.stop("TERM"), Some(0));
}

#[test]
fn a_log_that_nobody_reads_any_more_stops_nothing() {
    let mut gateway = Run::new("log_closed", &["--sandbox", "--port", "0"]).start();
    let address = address(&gateway.printed_until("Ctrl-C"));
    drop(gateway.child.stderr.take());
    for _ in 0..2 {
        let answer = exchange(address, "POST /graphql", r#"{"query":"{ __typename }"}"#);
        assert!(is_answered(&answer), "{answer:?}");
    }
    let metrics = exchange(address, "GET /metrics", "").unwrap();
    assert!(metrics.contains("auth0_graphql_panics_total 0\n"), "{metrics}");
    assert_eq!(gateway.stop("TERM"), Some(0));
}

#[test]
fn a_second_signal_ends_a_stop_at_once() {
    for signal in ["TERM", "INT"] {
        let arguments = ["--sandbox", "--port", "0", "--shutdown-delay", "60s"];
        let mut gateway = Run::new(&format!("stop_twice_{signal}"), &arguments).start();
        gateway.printed_until("Ctrl-C");
        let log = lines(gateway.child.stderr.take().unwrap());
        gateway.signal("TERM");
        wait_for(&log, "stopping:");
        gateway.signal(signal);
        wait_for(&log, "stopped at once, for a second signal");
        assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn systemd_is_told_when_the_gateway_is_ready_and_when_it_stops() {
    let mut run = Run::new("notify", &["--sandbox", "--port", "0"]);
    let path = run.folder.join("notify.socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    run.command.env("NOTIFY_SOCKET", &path);
    let mut gateway = run.start();
    let mut told = [0; 64];
    let mut next = || {
        let length = socket.recv(&mut told).unwrap();
        String::from_utf8(told[..length].to_vec()).unwrap().trim_end().to_owned()
    };
    assert_eq!(next(), "READY=1");
    let address = address(&gateway.printed_until("Ctrl-C"));
    assert!(exchange(address, "GET /livez", "").unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(gateway.stop("TERM"), Some(0));
    assert_eq!(next(), "STOPPING=1");
}

#[test]
fn a_log_for_people_is_short() {
    let mut gateway = Run::new("pretty", &["--sandbox", "--port", "0"]).env("LOG_FORMAT", "pretty").start();
    gateway.printed_until("Ctrl-C");
    let log = lines(gateway.child.stderr.take().unwrap());
    let line = wait_for(&log, "listening");
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(time.split(':').map(str::len).collect::<Vec<_>>(), [2, 2, 2], "{line}");
    assert!(rest.trim_start().starts_with("INFO listening address=127.0.0.1:"), "{line}");
}
