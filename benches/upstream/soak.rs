//! Many minutes of everything at once: does what the gateway holds stay what it was?
//!
//! Clients of all sorts ask, follow, hang up, and send what is no request, while Auth0 fails now and then. Memory, open files and tasks are
//! those of the whole process, the tenant and the clients included: what these leave behind would be seen as well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auth0_graphql::auth0::ClientPolicy;
use auth0_graphql::sandbox::{Options, Plan};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::environment::Environment;
use super::report::{Figure, Report};

const CLIENTS: usize = 24;

/// The time that a client waits between two things that it does.
const PAUSE: Duration = Duration::from_millis(20);

/// Time in which caches fill.
const WARM_UP: Duration = Duration::from_secs(60);

/// Time in which all that is left of the load has ended: the longest is a connection that is idle.
const REST: Duration = Duration::from_secs(90);

/// The documents that clients send, whole pages and refused ones among them. `%` is a number of a hundred.
const DOCUMENTS: [&str; 10] = [
    "{ users(q: \"logins_count:[% TO *]\", perPage: 20) { nodes { userId email identities { provider } } total } }",
    "{ users(perPage: 3) { nodes { userId roles { nodes { name } } organizations { nodes { name } } } } }",
    "{ logs(take: 50) { nodes { logId type user { email } } next } }",
    "{ usersConnection(first: %) { edges { cursor node { userId userMetadata } } pageInfo { hasNextPage } } }",
    "{ logsConnection(first: 20) { nodes { logId details } pageInfo { endCursor } } }",
    "{ users(filter: { loginsCount: { gte: % } }) { nodes { name } } }",
    "query { a%: users(perPage: 1) { nodes { email } } gateway { rateLimits { remaining } } }",
    "{ users(perPage: 100) { nodes { roles { nodes { id } } permissions { nodes { permissionName } } } } }",
    "{ nothing% }",
    "{ users(q: \"email:(\") { total } }",
];

const TAIL: &str = "subscription { logs { logId date type user { email } } }";

/// The faults of Auth0, now and then.
const FAULTS: [&str; 6] = [
    r#"{ "status": 503 }"#,
    r#"{ "status": 429, "retryAfter": 1 }"#,
    r#"{ "slow": 400 }"#,
    r#""reset""#,
    r#""cut""#,
    r#""html""#,
];

/// The resources that the process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_mib: f64,
    files: usize,
    tasks: usize,
}

impl Held {
    fn now() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").context("this needs Linux's /proc")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = resident.trim().trim_end_matches("kB").trim().parse()?;
        let files = std::fs::read_dir("/proc/self/fd")?.count();
        let tasks = Handle::current().metrics().num_alive_tasks();
        Ok(Self { resident_mib: kib / 1024.0, files, tasks })
    }
}

pub(crate) async fn measure(time: Duration, report: &mut Report) -> Result<()> {
    let options = Options { plan: Plan::PrivateCloud, chaos: true, logs_per_minute: 600, ..Options::default() };
    let environment = Arc::new(Environment::start(options, ClientPolicy::default()).await?);
    let end = Instant::now() + time;
    let at_rest = Held::now()?;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(Arc::clone(&environment), number as u64, end));
    }
    let faults = tokio::spawn(faults(Arc::clone(&environment), end));
    sleep_until((end - time + WARM_UP).min(end)).await;
    let warm = Held::now()?;
    let mut most = warm;
    while Instant::now() < end {
        sleep_until((Instant::now() + Duration::from_secs(5)).min(end)).await;
        let held = Held::now()?;
        eprintln!("{held:?}");
        most.resident_mib = most.resident_mib.max(held.resident_mib);
    }
    let last = Held::now()?;
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(done) = clients.join_next().await {
        for (outcome, count) in done?? {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    faults.await??;
    let is_well = environment.ask("{ users(perPage: 1) { nodes { email } } }").await;
    sleep(REST).await;
    let after = Held::now()?;

    eprintln!("{outcomes:#?}");
    let internal = outcomes.get("INTERNAL_SERVER_ERROR").copied().unwrap_or_default();
    let growth = (last.resident_mib / warm.resident_mib - 1.0) * 100.0;
    let figures = vec![
        Figure::new("operations and attempts", outcomes.values().sum::<u64>()),
        Figure::new("internal errors", internal).mark("0", internal == 0),
        Figure::new("an answer afterwards", is_well.is_ok()).mark("true", is_well.is_ok()),
        Figure::new("MiB after the first minute", warm.resident_mib),
        Figure::new("MiB at the end", last.resident_mib),
        Figure::new("the most MiB in between", most.resident_mib),
        Figure::new("growth, percent", growth).mark("at most 15", growth <= 15.0),
        Figure::new("open files before, at rest", at_rest.files),
        Figure::new("open files after, at rest", after.files)
            .mark("at most 20 more", after.files <= at_rest.files + 20),
        Figure::new("tasks before, at rest", at_rest.tasks),
        Figure::new("tasks after, at rest", after.tasks).mark("at most 20 more", after.tasks <= at_rest.tasks + 20),
    ];
    report.add("soak", &format!("{CLIENTS} clients of all sorts, {} s", time.as_secs()), &[("the process", figures)]);
    Ok(())
}

/// A fault every few seconds, for some calls.
async fn faults(environment: Arc<Environment>, end: Instant) -> Result<()> {
    let mut rng = fastrand::Rng::with_seed(1);
    while Instant::now() < end {
        sleep_until((Instant::now() + Duration::from_secs(rng.u64(2..8))).min(end)).await;
        let fault: Value = serde_json::from_str(FAULTS[rng.usize(..FAULTS.len())])?;
        environment.fault_some("/api/v2/", &fault, rng.u32(1..60)).await?;
        if rng.u8(..5) == 0 {
            environment.fault_some("/oauth/token", &fault, 1).await?;
            environment.expire_tokens().await?;
        }
    }
    environment.mend().await
}

/// Does one thing after another, and counts what comes of it.
async fn client(environment: Arc<Environment>, seed: u64, end: Instant) -> Result<BTreeMap<String, u64>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    while Instant::now() < end {
        let number = rng.u32(1..100).to_string();
        let document = DOCUMENTS[rng.usize(..DOCUMENTS.len())].replace('%', &number);
        let outcome = match rng.u8(..20) {
            0 => hang_up(&environment, &document, rng.u64(..30)).await,
            1 => noise(&environment, &mut rng).await,
            2 => web_socket(&environment, &document, rng.u64(..900)).await,
            3 => events(&environment, rng.u64(..900)).await,
            _ => environment.ask(&document).await.map(|outcome| outcome.code().to_owned()),
        };
        *outcomes.entry(outcome.unwrap_or_else(|error| format!("failed: {error}"))).or_default() += 1;
        sleep(PAUSE).await;
    }
    Ok(outcomes)
}

/// Does something, and stops doing it after so many milliseconds.
async fn for_a_while(milliseconds: u64, doing: impl Future) {
    tokio::select! {
        _ = doing => {}
        () = sleep(Duration::from_millis(milliseconds)) => {}
    }
}

/// Asks, and does not wait.
async fn hang_up(environment: &Environment, document: &str, hang_up_after_ms: u64) -> Result<String> {
    for_a_while(hang_up_after_ms, environment.ask(document)).await;
    Ok("hung up".to_owned())
}

/// Sends bytes that are no request, or half of one, and waits for what is said to it.
async fn noise(environment: &Environment, rng: &mut fastrand::Rng) -> Result<String> {
    let mut stream = TcpStream::connect(&environment.address).await?;
    let mut bytes = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{\"que".to_vec();
    if rng.bool() {
        let place = rng.usize(..bytes.len());
        bytes[place..].fill_with(|| rng.u8(..));
    }
    stream.write_all(&bytes).await?;
    let mut answer = [0; 512];
    for_a_while(rng.u64(..200), stream.read(&mut answer)).await;
    Ok("noise".to_owned())
}

/// Asks and subscribes on a WebSocket, and leaves without a word.
async fn web_socket(environment: &Environment, document: &str, time_ms: u64) -> Result<String> {
    let mut request = format!("ws://{}/graphql", environment.address).into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let (mut socket, _) = connect_async(request).await?;
    socket.send(Message::text(r#"{"type":"connection_init"}"#)).await?;
    for (id, query) in [("1", document), ("2", TAIL)] {
        let subscribe = json!({ "id": id, "type": "subscribe", "payload": { "query": query } });
        socket.send(Message::text(subscribe.to_string())).await?;
    }
    let listen = async { while socket.next().await.is_some_and(|message| message.is_ok()) {} };
    for_a_while(time_ms, listen).await;
    Ok("web socket".to_owned())
}

/// Follows the tail as events for a while, and leaves.
async fn events(environment: &Environment, time_ms: u64) -> Result<String> {
    let url = format!("http://{}/graphql", environment.address);
    let request = environment.http.post(url).header("accept", "text/event-stream").json(&json!({ "query": TAIL }));
    let mut response = request.send().await?;
    ensure!(response.status() == 200, "{}", response.status());
    let listen = async { while response.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
    for_a_while(time_ms, listen).await;
    Ok("events".to_owned())
}
