//! Values that strangers write where replicas share: of other versions, of no form, and of megabytes.

use auth0_graphql::http::{Period, RateLimit};
use serde_json::json;

use super::redis::RedisServer;
use super::*;

/// More than anything that replicas share has.
const HUGE: usize = 8 << 20;

impl Fleet {
    /// Uses all that replicas share but the tail.
    async fn use_all(&self, gateway: usize, number: usize) {
        self.data(gateway, USERS).await;
        let query = format!("{WARNINGS} # {number}");
        let mut kept = hash_alone(&crate::documents::sha256(&query));
        kept["query"] = query.into();
        let answer = self.send(gateway, &kept).await;
        assert!(answer["data"]["gateway"].is_object(), "{answer}");
    }
}

/// Bytes that a server has sent.
fn sent(redis: &RedisServer) -> u64 {
    let info = redis.command("INFO stats");
    let line = info.iter().find_map(|line| line.strip_prefix("total_net_output_bytes:")).unwrap();
    line.parse().unwrap()
}

async fn fleet_with_rates(redis: &RedisServer) -> Fleet {
    let mut fleet = Fleet::through(redis, PATIENT).await;
    fleet.settings.http.rate_limit = Some(RateLimit { requests: NonZeroU32::new(1_000).unwrap(), per: Period::Hour });
    fleet
}

#[tokio::test]
async fn values_of_megabytes_in_our_places_are_not_read() {
    let Some(redis) = RedisServer::start("huge") else { return };
    let mut fleet = fleet_with_rates(&redis).await;
    fleet.start_sharing(1).await;
    fleet.use_all(0, 0).await;
    let hash = "0".repeat(64);
    let keys = redis.keys();
    let before = sent(&redis);
    for key in &keys {
        if redis.command(&format!("TYPE {key}")) == ["+string"] {
            redis.command(&format!("SETRANGE {key} {HUGE} x"));
        } else if key.ends_with(":documents:values") {
            redis.command(&format!(
                "EVAL \"return redis.call('HSET', KEYS[1], ARGV[1], string.rep('x', {HUGE}))\" 1 {key} {hash}"
            ));
        }
    }
    assert_eq!(codes(&fleet.send(0, &hash_alone(&hash)).await), ["PERSISTED_QUERY_NOT_FOUND"]);
    fleet.start_sharing(1).await;
    for gateway in [0, 1] {
        fleet.use_all(gateway, 1).await;
        assert!(fleet.is_in_state(gateway, "up").await);
    }
    assert!(sent(&redis) - before < HUGE as u64 / 8, "{}", sent(&redis) - before);
}

#[tokio::test]
async fn values_of_other_versions_and_of_no_form_are_nobodys() {
    let Some(redis) = RedisServer::start("versions") else { return };
    let mut fleet = fleet_with_rates(&redis).await;
    fleet.start_sharing(1).await;
    fleet.use_all(0, 0).await;
    // What a replica of a later version would write has other names.
    let own = redis.keys();
    let tenant = format!("auth0-graphql:1:{{{}}}:", fleet.sandbox.url());
    assert!(own.len() >= 5 && own.iter().all(|key| key.starts_with(&tenant)), "{own:?}");
    let later: Vec<_> = own.iter().map(|key| key.replacen(":1:", ":2:", 1)).collect();
    for (key, value) in later.iter().zip(own.iter().map(|_| "of-a-later-version")) {
        assert_eq!(redis.command(&format!("SET {key} {value}")), ["+OK"]);
    }
    // Under our own names there may be anything.
    for (number, garbage) in ["nonsense", "\"\"", "99999999999999999999999", "[1,2,3]", "nan"].into_iter().enumerate() {
        for key in &own {
            if redis.command(&format!("TYPE {key}")) == ["+string"] {
                redis.command(&format!("SET {key} {garbage}"));
            }
        }
        fleet.start_sharing(1).await;
        for gateway in 0..fleet.urls.len() {
            fleet.use_all(gateway, number + 1).await;
            assert!(!fleet.is_alone(gateway).await);
        }
    }
    for key in later {
        assert_eq!(redis.command(&format!("GET {key}")), ["$18", "of-a-later-version"]);
    }
}

#[tokio::test]
async fn what_is_of_another_type_in_our_places_makes_a_replica_do_alone_what_they_share() {
    let Some(redis) = RedisServer::start("types") else { return };
    let log = CapturedLog::default();
    let _logging = log.keep(Level::INFO);
    let mut fleet = fleet_with_rates(&redis).await;
    fleet.start_sharing(1).await;
    fleet.use_all(0, 0).await;
    for key in redis.keys() {
        redis.command(&format!("DEL {key}"));
        redis.command(&format!("LPUSH {key} nonsense"));
    }
    fleet.start_sharing(1).await;
    for gateway in [0, 1] {
        fleet.use_all(gateway, 1).await;
    }
    while !fleet.is_alone(1).await {
        fleet.use_all(1, 2).await;
    }
    assert!(log.text().contains("Redis is not there"), "{}", log.text());
    let answer = fleet.send(1, &json!({ "query": WARNINGS })).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
}
