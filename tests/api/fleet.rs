//! Replicas of a gateway, which share what belongs to the tenant.

mod budget;
mod cluster;
mod leaving;
mod processes;
mod redis;
mod sentinels;
mod sharing;
mod slow;
mod strangers;
mod survey;
mod tail;
mod tls;
mod tokens;

use std::num::NonZeroU32;
use std::time::Duration;

use auth0_graphql::app::{App, Settings};
use auth0_graphql::auth0::{self, ClientPolicy, Domain};
use auth0_graphql::http::{self, Period, RateLimit};
use auth0_graphql::sandbox::{Options, Sandbox};
use auth0_graphql::shared_state::{self, RedisUrl};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tracing::Level;

use self::redis::RedisServer;
use crate::captured_log::CapturedLog;
use crate::gateway::{Setup, codes};

const USERS: &str = "{ users(perPage: 1) { page } }";
const WARNINGS: &str = "{ gateway { warnings replicas { isShared leadsTail } } }";
const ALONE: &str = "Redis is not there: this replica does alone what replicas share.";
const LATE: &str = "Redis answers late, or not at all: operations do not wait for it; the rate limit, \
                    RATE_LIMIT and documents are each replica's own until it is quick again.";

/// Longer than any machine takes: these tests are about what is shared, and not about how fast.
const PATIENT: Duration = Duration::from_secs(10);

/// Gateways in front of one tenant.
struct Fleet {
    sandbox: Sandbox,
    http: reqwest::Client,
    settings: Settings,
    urls: Vec<String>,
}

impl Fleet {
    /// A fleet that shares through `redis`, of no gateways yet. An operation waits for it for `operation_timeout`.
    async fn through(redis: &RedisServer, operation_timeout: Duration) -> Self {
        Self::of(redis, operation_timeout, Setup::default().sandbox).await
    }

    /// The same, in front of such a tenant.
    async fn of(redis: &RedisServer, operation_timeout: Duration, sandbox: Options) -> Self {
        Self::sharing_at(redis.url(), operation_timeout, sandbox).await
    }

    /// The same, through what is at an address.
    async fn sharing_at(url: RedisUrl, operation_timeout: Duration, sandbox: Options) -> Self {
        let sandbox = Sandbox::start(sandbox, listener().await).await.unwrap();
        let (client, domain) = (sandbox.client(), Domain::parse(&sandbox.url()).unwrap());
        let tenant = auth0::Settings {
            audience: domain.default_audience(),
            domain,
            client_id: client.id,
            authentication: client.secret.into(),
        };
        let settings = Settings {
            // Each search is a call.
            policy: ClientPolicy { cache_ttl: Duration::ZERO, ..ClientPolicy::default() },
            http: http::Settings { metrics: true, ..http::Settings::default() },
            shared_state: Some(shared_state::Settings { operation_timeout, ..url.into() }),
            ..Settings::new(tenant)
        };
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { sandbox, http, settings, urls: Vec::new() }
    }

    /// Starts so many more.
    async fn start(&mut self, count: usize) {
        for _ in 0..count {
            let listener = listener().await;
            self.urls.push(format!("http://{}", listener.local_addr().unwrap()));
            tokio::spawn(App::build(self.settings.clone()).unwrap().serve(listener, std::future::pending()));
        }
    }

    /// Starts so many more, and waits until Redis is there for them.
    async fn start_sharing(&mut self, count: usize) {
        self.start(count).await;
        for gateway in self.urls.len() - count..self.urls.len() {
            while !self.is_in_state(gateway, "up").await {}
        }
    }

    async fn send(&self, gateway: usize, request: &Value) -> Value {
        let response = self.http.post(format!("{}/graphql", self.urls[gateway])).json(request).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// The data of a document that must be answered without an error.
    async fn data(&self, gateway: usize, query: &str) -> Value {
        let mut answer = self.send(gateway, &json!({ "query": query })).await;
        assert_eq!(answer.get("errors"), None, "{query}: {answer}");
        answer["data"].take()
    }

    /// Number of tokens that Auth0 was asked for.
    async fn grants(&self) -> usize {
        self.calls().await.iter().filter(|call| call["path"] == "/oauth/token").count()
    }

    /// The calls that the tenant got.
    async fn calls(&self) -> Vec<Value> {
        let url = format!("{}/_sandbox/calls", self.sandbox.url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    async fn control(&self, what: &str, body: Value) -> Value {
        let url = format!("{}/_sandbox/{what}", self.sandbox.url());
        let response = self.http.post(url).json(&body).send().await.unwrap().error_for_status().unwrap();
        serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default()
    }

    /// True while Redis is gone or late, which a gateway warns of.
    async fn is_alone(&self, gateway: usize) -> bool {
        let warning = self.warning(gateway).await;
        assert!(warning.as_deref().is_none_or(|warning| [ALONE, LATE].contains(&warning)), "{warning:?}");
        warning.is_some()
    }

    /// The warning of Redis; there is one exactly while the gateway does not share, once it knows.
    async fn warning(&self, gateway: usize) -> Option<String> {
        let data = self.data(gateway, WARNINGS).await;
        let warnings = data["gateway"]["warnings"].as_array().unwrap().iter().map(|warning| warning.as_str().unwrap());
        let warning = warnings.filter(|warning| warning.contains("Redis")).map(str::to_owned).next();
        assert_eq!(data["gateway"]["replicas"]["isShared"], warning.is_none());
        warning
    }

    async fn is_in_state(&self, gateway: usize, state: &str) -> bool {
        self.metric(gateway, &format!("redis_state{{state=\"{state}\"}}")).await == 1
    }

    /// The value of a series, whose name is given without what all have in common.
    async fn metric(&self, gateway: usize, series: &str) -> u64 {
        let metrics = self.http.get(format!("{}/metrics", self.urls[gateway])).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let beginning = format!("auth0_graphql_{series} ");
        metrics.lines().find_map(|line| line.strip_prefix(&beginning)).unwrap().parse().unwrap()
    }

    /// Waits until a gateway knows that it is alone, or that it is not.
    async fn until_alone(&self, gateway: usize, is_alone: bool) {
        while self.is_in_state(gateway, "up").await == is_alone {
            // This asks Redis, and is answered without it, too.
            let answer = self.send(gateway, &hash_alone(&"0".repeat(64))).await;
            assert_eq!(codes(&answer), ["PERSISTED_QUERY_NOT_FOUND"]);
        }
        assert_eq!(self.is_alone(gateway).await, is_alone);
    }
}

/// A user with the rights that docs/operations.md says are enough.
fn user_of_the_documentation(redis: &RedisServer) -> RedisUrl {
    redis.url_of(&redis.add_user())
}

async fn listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap()
}

fn hash_alone(hash: &str) -> Value {
    json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } })
}

#[tokio::test]
async fn replicas_go_on_alone_while_redis_does_not_do_its_work() {
    let Some(mut redis) = RedisServer::start("outages") else { return };
    let log = CapturedLog::default();
    let _logging = log.keep(Level::INFO);
    let mut fleet = Fleet::through(&redis, Duration::from_millis(300)).await;
    fleet.start_sharing(1).await;
    fleet.data(0, USERS).await;
    assert!(!fleet.is_alone(0).await);

    // Nothing is answered, and connections are taken.
    let probes = redis.count("eval");
    redis.signal("STOP");
    fleet.control("tokens/expire", json!({})).await;
    fleet.data(0, USERS).await;
    fleet.until_alone(0, true).await;
    assert!(fleet.is_in_state(0, "late").await);
    assert_eq!(fleet.warning(0).await.as_deref(), Some(LATE));
    redis.signal("CONT");
    fleet.until_alone(0, false).await;
    // One write in time would not have been enough, and each was one as operations make it.
    assert!(redis.count("eval") >= probes + 5);

    for (breaks, mends) in
        [("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"), ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0")]
    {
        redis.command(breaks);
        // So that there is something to write.
        fleet.control("tokens/expire", json!({})).await;
        fleet.data(0, USERS).await;
        fleet.until_alone(0, true).await;
        assert_eq!(fleet.warning(0).await.as_deref(), Some(ALONE));
        redis.command(mends);
        fleet.until_alone(0, false).await;
    }

    redis.kill();
    fleet.until_alone(0, true).await;
    fleet.control("tokens/expire", json!({})).await;
    fleet.data(0, USERS).await;
    redis.restart();
    fleet.until_alone(0, false).await;

    assert!(log.text().contains("Redis answers late"));
    // A line for each time that it went away, and one for each that it came.
    let log = log.text();
    let lines = ["WARN", "INFO"]
        .map(|level| log.lines().filter(|line| line.contains(level) && line.contains(" Redis ")).count());
    assert_eq!(lines, [4, 5], "{log}");
    for reason in ["does not answer in time", "READONLY", "OOM"] {
        assert!(log.contains(reason), "{reason}: {log}");
    }
    assert!(!log.contains("made-up-for-this-test"), "{log}");
}

#[test]
fn readme_tells_for_how_long_an_operation_waits_for_redis() {
    let settings = shared_state::Settings::from(RedisUrl::parse("redis://127.0.0.1").unwrap());
    let readme = include_str!("../../README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for claim in [
        format!("waits for it for {} ms at the most", settings.operation_timeout.as_millis()),
        format!("needs a new token waits {} ms for an answer", settings.token_timeout.as_millis()),
    ] {
        assert!(readme.contains(&claim), "{claim}");
    }
}

#[tokio::test]
async fn a_fleet_without_redis_starts_and_serves() {
    let Some(mut redis) = RedisServer::start("none") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    redis.kill();
    fleet.start(2).await;
    join_all([0, 1].map(|gateway| fleet.data(gateway, USERS))).await;
    assert_eq!(fleet.grants().await, 2);
    fleet.until_alone(1, true).await;
}

#[tokio::test]
async fn a_redis_that_hangs_from_the_start_on_is_not_waited_for_longer_than_it_takes_to_know() {
    let Some(redis) = RedisServer::start("hung") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    // As they are by default.
    fleet.settings.shared_state = Some(redis.url().into());
    redis.signal("STOP");
    fleet.start(1).await;
    let data = fleet.data(0, WARNINGS).await;
    assert_eq!(data["gateway"]["replicas"]["isShared"], false);
    fleet.data(0, USERS).await;
    // Whoever needs a token has found that Redis is not there, and those who come know.
    assert_eq!(fleet.warning(0).await.as_deref(), Some(ALONE));
    // Nothing was asked of it: there was no answer to wait for.
    assert!(fleet.is_in_state(0, "down").await);
    assert_eq!(fleet.grants().await, 1);
    redis.signal("CONT");
    fleet.until_alone(0, false).await;
}

#[tokio::test]
async fn a_replica_that_has_nothing_to_do_finds_that_redis_is_gone() {
    let Some(mut redis) = RedisServer::start("idle") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    fleet.start_sharing(1).await;
    // It looks more often than it has anything to say, which is written as well.
    let (looks, scripts) = (redis.count("set"), redis.count("evalsha"));
    while redis.count("set") < looks + 4 {
        assert!(redis.count("evalsha") < scripts + 3 && !fleet.is_alone(0).await);
    }
    redis.command("CONFIG SET maxmemory 1");
    while !fleet.is_alone(0).await {}
    redis.command("CONFIG SET maxmemory 0");
    while fleet.is_alone(0).await {}
    redis.kill();
    while !fleet.is_alone(0).await {}
}

#[tokio::test]
async fn a_document_that_one_replica_keeps_is_known_to_all() {
    let Some(redis) = RedisServer::start("documents") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    fleet.start_sharing(2).await;
    let hash = crate::documents::sha256(USERS);
    assert_eq!(codes(&fleet.send(1, &hash_alone(&hash)).await), ["PERSISTED_QUERY_NOT_FOUND"]);
    let mut both = hash_alone(&hash);
    both["query"] = USERS.into();
    let answer = fleet.send(0, &both).await;
    assert!(answer["data"]["users"].is_object(), "{answer}");
    assert_eq!(fleet.send(1, &hash_alone(&hash)).await, answer);

    // A text is known by its own hash alone, whatever Redis says.
    let values = redis.keys().into_iter().find(|key| key.ends_with(":documents:values")).unwrap();
    let other = "0".repeat(64);
    redis.command(&format!("HSET {values} {other} \"{USERS}\""));
    assert_eq!(codes(&fleet.send(1, &hash_alone(&other)).await), ["PERSISTED_QUERY_NOT_FOUND"]);
    // Documents that cannot run are not kept.
    let wrong = "{ nothing }";
    let mut both = hash_alone(&crate::documents::sha256(wrong));
    both["query"] = wrong.into();
    fleet.send(0, &both).await;
    assert_eq!(redis.command(&format!("HLEN {values}")), [":2"]);
}

#[tokio::test]
async fn the_requests_of_a_caller_are_counted_over_all_replicas() {
    let Some(mut redis) = RedisServer::start("rates") else { return };
    let mut fleet = Fleet::through(&redis, PATIENT).await;
    let mut limited = fleet.settings.clone();
    limited.http.rate_limit = Some(RateLimit { requests: NonZeroU32::new(6).unwrap(), per: Period::Hour });
    fleet.settings = limited;
    fleet.start_sharing(2).await;
    let ask = async |gateway| codes(&fleet.send(gateway, &json!({ "query": WARNINGS })).await).join(" ");
    let mut answers = Vec::new();
    for gateway in [0, 1, 0, 1, 0, 1, 0, 1] {
        answers.push(ask(gateway).await);
    }
    let refused = "RATE_LIMITED";
    assert_eq!(answers, ["", "", "", "", "", "", refused, refused]);

    // Alone, each goes on by its own count.
    redis.kill();
    assert_eq!([ask(0).await, ask(0).await, ask(0).await], ["", "", refused]);
}
