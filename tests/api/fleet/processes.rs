//! Replicas that are processes of their own: one of them is killed, or paused.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use auth0_graphql::sandbox::{Clock, Options, Plan, Sandbox};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::redis::RedisServer;
use super::tail::{hear, subscribe_at};
use crate::websocket::Client;

/// A replica in a process of its own, which ends with the test.
struct Replica {
    process: Child,
    url: String,
}

impl Replica {
    fn start(name: &str, sandbox: &Sandbox, redis: &RedisServer) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replica-{name}"));
        fs::create_dir_all(&folder).unwrap();
        let client = sandbox.client();
        let mut process = Command::new(env!("CARGO_BIN_EXE_auth0-graphql"))
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
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
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

    async fn leads(&self, http: &reqwest::Client) -> bool {
        let query = json!({ "query": "{ gateway { replicas { leadsTail } } }" });
        let response = http.post(format!("{}/graphql", self.url)).json(&query).send().await.unwrap();
        let answer: Value = response.json().await.unwrap();
        answer["data"]["gateway"]["replicas"]["leadsTail"].as_bool().unwrap()
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
        let plan = Plan::PrivateCloud;
        let options = Options { clock: Clock::system(), logs: 300, logs_per_minute: 0, plan, ..Options::default() };
        let listener = super::listener().await;
        let sandbox = Sandbox::start(options, listener).await.unwrap();
        let start = |number| Replica::start(&format!("{test}-{number}"), &sandbox, redis);
        let replicas: Vec<_> = tokio::task::block_in_place(|| (0..count).map(start).collect());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut processes = Self { sandbox, http, replicas, clients: Vec::new() };
        let made = processes.arrive(2).await;
        for replica in &processes.replicas {
            processes.clients.push(subscribe_at(&replica.url, &made[0]).await);
        }
        hear(&mut processes.clients, &made[1..]).await;
        processes
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
        hear(&mut processes.clients, &before).await;
        processes.replicas[leader].process.kill().unwrap();
        let meanwhile = processes.arrive(130).await;
        drop((processes.replicas.remove(leader), processes.clients.remove(leader)));
        hear(&mut processes.clients, &meanwhile).await;
    }
    let made = processes.arrive(3).await;
    hear(&mut processes.clients, &made).await;
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
        hear(&mut processes.clients, &made).await;
        meanwhile.extend(made);
    }
    let successor = processes.leader().await;
    paused.signal("CONT");
    while paused.leads(&processes.http).await {}
    hear(std::slice::from_mut(&mut its_client), &meanwhile).await;
    assert_eq!(processes.leader().await, successor);
    processes.clients.push(its_client);
    for _ in 0..3 {
        let made = processes.arrive(3).await;
        hear(&mut processes.clients, &made).await;
    }
    assert!(!paused.leads(&processes.http).await);
}
