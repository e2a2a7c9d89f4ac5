//! Replicas that are processes of their own: one of them is killed, or paused, or has another clock.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use auth0_graphql::sandbox::{Clock, Options, Plan, Sandbox};
use chrono::DateTime;
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::redis::{RedisServer, skip};
use super::tail::{receive, subscribe_at};
use crate::websocket::Client;

/// The library that gives a program another clock, where it is installed.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|library| library.exists())
}

/// A replica in a process of its own, which ends with the test.
struct Replica {
    process: Child,
    url: String,
}

impl Replica {
    /// Starts one whose clock is so many seconds ahead.
    fn start(name: &str, sandbox: &Sandbox, redis: &RedisServer, ahead: i32) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replica-{name}"));
        fs::create_dir_all(&folder).unwrap();
        let client = sandbox.client();
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth0-graphql"));
        command
            .args(["--port", "0", "--allow-anonymous", "yes"])
            .env_clear()
            .current_dir(folder)
            .env("AUTH0_DOMAIN", sandbox.url())
            .env("AUTH0_CLIENT_ID", &client.id)
            .env("AUTH0_CLIENT_SECRET", client.secret.expose_secret())
            .env("REDIS_URL", redis.address())
            .env("TAIL_MAX_INTERVAL", "1s")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(library) = faketime().filter(|_| ahead != 0) {
            // The time that has passed since something is not the calendar's.
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME", format!("{ahead:+}s"))
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.trim().strip_prefix("GraphQL")?.trim().to_owned())).unwrap();
        // Read to its end, or the replica would wait for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: url.trim_end_matches("/graphql").to_owned() }
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    }

    async fn data(&self, http: &reqwest::Client, query: &str) -> Value {
        let request = http.post(format!("{}/graphql", self.url)).json(&json!({ "query": query }));
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer.get("errors"), None, "{answer}");
        answer["data"].take()
    }

    /// The replicas as it sees them.
    async fn sees(&self, http: &reqwest::Client) -> Value {
        self.data(http, "{ gateway { replicas { leadsTail count } } }").await["gateway"]["replicas"].take()
    }

    async fn leads(&self, http: &reqwest::Client) -> bool {
        self.sees(http).await["leadsTail"].as_bool().unwrap()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Processes {
    sandbox: Sandbox,
    http: reqwest::Client,
    replicas: Vec<Replica>,
    /// A subscriber of each.
    clients: Vec<Client>,
}

impl Processes {
    async fn start(test: &str, redis: &RedisServer, count: usize) -> Self {
        let mut processes = Self::on(Plan::PrivateCloud).await;
        processes.join(test, redis, &vec![0; count]).await;
        processes
    }

    /// No replica yet of a tenant with that plan.
    async fn on(plan: Plan) -> Self {
        let options = Options { clock: Clock::system(), logs: 300, logs_per_minute: 0, plan, ..Options::default() };
        let listener = super::listener().await;
        let sandbox = Sandbox::start(options, listener).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sandbox, http, replicas: Vec::new(), clients: Vec::new() }
    }

    /// Starts a replica for each of these, whose clock is so many seconds ahead, with a subscriber who has been told a first log.
    async fn join(&mut self, test: &str, redis: &RedisServer, ahead: &[i32]) {
        let start =
            |(number, ahead): (usize, &i32)| Replica::start(&format!("{test}-{number}"), &self.sandbox, redis, *ahead);
        self.replicas = tokio::task::block_in_place(|| ahead.iter().enumerate().map(start).collect());
        let made = self.arrive(2).await;
        for replica in &self.replicas {
            self.clients.push(subscribe_at(&replica.url, &made[0]).await);
        }
        receive(&mut self.clients, &made[1..]).await;
    }

    async fn arrive(&self, count: u64) -> Vec<String> {
        let url = format!("{}/_sandbox/logs", self.sandbox.url());
        let response = self.http.post(url).json(&json!({ "count": count })).send().await.unwrap();
        let made: Value = response.json().await.unwrap();
        serde_json::from_value(made["ids"].clone()).unwrap()
    }

    /// The one that reads for all, once there is one.
    async fn leader(&self) -> usize {
        loop {
            for (number, replica) in self.replicas.iter().enumerate() {
                if replica.leads(&self.http).await {
                    return number;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_another_goes_on_and_nobody_misses_a_log_or_is_told_it_twice() {
    let Some(redis) = RedisServer::start("process-killed") else { return };
    let mut processes = Processes::start("killed", &redis, 3).await;
    for _ in 0..2 {
        let leader = processes.leader().await;
        let before = processes.arrive(3).await;
        receive(&mut processes.clients, &before).await;
        processes.replicas[leader].process.kill().unwrap();
        let meanwhile = processes.arrive(130).await;
        drop((processes.replicas.remove(leader), processes.clients.remove(leader)));
        receive(&mut processes.clients, &meanwhile).await;
    }
    let made = processes.arrive(3).await;
    receive(&mut processes.clients, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_paused_does_not_come_back_as_a_second_one() {
    let Some(redis) = RedisServer::start("process-paused") else { return };
    let mut processes = Processes::start("paused", &redis, 3).await;
    let leader = processes.leader().await;
    let (paused, mut its_client) = (processes.replicas.remove(leader), processes.clients.remove(leader));
    paused.signal("STOP");
    let mut meanwhile = Vec::new();
    // More than are remembered once they have been read: what the paused one has begun to read may bring them again.
    for count in [3, 130, 130] {
        let made = processes.arrive(count).await;
        receive(&mut processes.clients, &made).await;
        meanwhile.extend(made);
    }
    let successor = processes.leader().await;
    paused.signal("CONT");
    // Its lease has ended, by its own watch, too.
    assert!(!paused.leads(&processes.http).await);
    receive(std::slice::from_mut(&mut its_client), &meanwhile).await;
    assert_eq!(processes.leader().await, successor);
    processes.clients.push(its_client);
    for _ in 0..3 {
        let made = processes.arrive(3).await;
        receive(&mut processes.clients, &made).await;
    }
    assert!(!paused.leads(&processes.http).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_misses_a_log_that_redis_forgets_before_a_follower_of_an_empty_stream_has_taken_it_in() {
    let Some(redis) = RedisServer::start("process-forgets") else { return };
    let mut processes = Processes::start("forgets", &redis, 1).await;
    let key = |kind| redis.keys().into_iter().find(|key| key.contains(kind));
    let lease = loop {
        if let Some(lease) = key(":tail-lease:") {
            break lease;
        }
    };
    let stream = lease.replace(":tail-lease:", ":tail-stream:");
    let until_there_are = |bytes| while redis.command(&format!("XRANGE {stream} - +")).join("").len() < bytes {};
    for (round, forgets) in ["DEL", "FLUSHALL", "XTRIM"].into_iter().enumerate() {
        (processes.replicas, processes.clients) = (Vec::new(), Vec::new());
        redis.command("FLUSHALL");
        // Whoever has it tells nothing.
        redis.command(&format!("SET {lease} somebody|1700000000000000"));
        processes.join(&format!("forgets-{round}"), &redis, &[0, 0]).await;
        let asked = redis.count("evalsha");
        while redis.count("evalsha") < asked + 5 {}
        processes.replicas[1].signal("STOP");
        redis.command(&format!("DEL {lease}"));
        while !processes.replicas[0].leads(&processes.http).await {}
        let mut made = processes.arrive(3).await;
        receive(&mut processes.clients[..1], &made).await;
        until_there_are(2_500);
        redis.command(&match forgets {
            "DEL" => format!("DEL {stream}"),
            "XTRIM" => format!("XTRIM {stream} MAXLEN 0"),
            forgets => forgets.to_owned(),
        });
        let more = processes.arrive(2).await;
        receive(&mut processes.clients[..1], &more).await;
        until_there_are(1_500);
        processes.replicas[1].signal("CONT");
        made.extend(more);
        receive(&mut processes.clients[1..], &made).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_whose_clocks_are_minutes_apart_follow_each_other_as_any_do() {
    let Some(redis) = RedisServer::start("process-clocks") else { return };
    if faketime().is_none() {
        skip("clocks", "libfaketime is not installed");
        return;
    }
    let mut processes = Processes::start("clocks", &redis, 0).await;
    let offsets = [60, 0, -60, 0, 60];
    processes.join("clocks", &redis, &offsets).await;
    let mut dates = Vec::new();
    for replica in &processes.replicas {
        let response = processes.http.get(&replica.url).send().await.unwrap();
        let date = response.headers()["date"].to_str().unwrap();
        dates.push(DateTime::parse_from_rfc2822(date).unwrap().timestamp());
    }
    assert!(dates[0] - dates[2] > 100, "{dates:?}");
    while processes.replicas.len() > 1 {
        let leader = processes.leader().await;
        let before = processes.arrive(3).await;
        receive(&mut processes.clients, &before).await;
        drop((processes.replicas.remove(leader), processes.clients.remove(leader)));
        let meanwhile = processes.arrive(130).await;
        receive(&mut processes.clients, &meanwhile).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_whose_clocks_are_minutes_apart_share_one_token_and_one_budget() {
    let Some(redis) = RedisServer::start("process-clocks-budget") else { return };
    if faketime().is_none() {
        skip("clocks", "libfaketime is not installed");
        return;
    }
    let mut processes = Processes::on(Plan::Free).await;
    processes.join("clocks-budget", &redis, &[60, 0, -60]).await;
    for round in 0..2 {
        let calls = processes.replicas.iter().enumerate().map(async |(number, replica)| {
            let query =
                format!("{{ users(q: \"logins_count:[{} TO *]\", perPage: 1) {{ page }} }}", 10 * round + number);
            replica.data(&processes.http, &query).await;
        });
        join_all(calls).await;
    }
    let url = format!("{}/_sandbox/calls", processes.sandbox.url());
    let calls: Vec<Value> = processes.http.get(url).send().await.unwrap().json().await.unwrap();
    let count = |is_counted: &dyn Fn(&Value) -> bool| calls.iter().filter(|call| is_counted(call)).count();
    assert_eq!(count(&|call| call["path"] == "/oauth/token"), 1);
    assert_eq!(count(&|call| call["status"] == 429), 0);
    for replica in &processes.replicas {
        while replica.sees(&processes.http).await["count"] != 3 {}
    }
}
