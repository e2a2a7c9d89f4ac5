//! Surveys of Redis, and the rights that they and replicas need there.

use std::time::Duration;

use auth0_graphql::shared_state::{self, Deployment};
use tracing::Level;

use super::redis::RedisServer;
use super::{Fleet, PATIENT, Setup, USERS, hash_alone, user_of_the_documentation};
use crate::captured_log::CapturedLog;

/// A tenant to survey for: nothing is asked of it.
const TENANT: &str = "example.us.auth0.com";

#[tokio::test]
async fn a_user_with_the_documented_rights_is_all_that_a_replica_needs() {
    let Some(redis) = RedisServer::start("acl") else { return };
    let url = user_of_the_documentation(&redis);
    let mut fleet = Fleet::sharing_at(url.clone(), PATIENT, Setup::default().sandbox).await;
    fleet.must_share([&url, &url]).await;
    for gateway in [0, 1] {
        assert!(fleet.is_in_state(gateway, "up").await);
    }
    let survey = shared_state::survey(&url, TENANT).await.unwrap();
    assert!(survey.is_writable && survey.runs_scripts);
    let wrong = redis.url_of("gateway:made-up-and-wrong");
    let wrong = shared_state::survey(&wrong, TENANT).await.unwrap_err().to_string();
    assert!(wrong.contains("WRONGPASS") && !wrong.contains("made-up"), "{wrong}");
}

#[tokio::test]
async fn a_user_who_may_run_no_scripts_shares_nothing_and_doctor_says_why() {
    let Some(redis) = RedisServer::start("no-scripts") else { return };
    let log = CapturedLog::default();
    let _logging = log.keep(Level::INFO);
    let url = user_of_the_documentation(&redis);
    assert_eq!(redis.command("ACL SETUSER gateway -@scripting"), ["+OK"]);
    let survey = shared_state::survey(&url, TENANT).await.unwrap();
    assert!(survey.is_writable && !survey.runs_scripts, "{survey:?}");
    let mut fleet = Fleet::sharing_at(url, PATIENT, Setup::default().sandbox).await;
    let looks = redis.count("set");
    fleet.start(1).await;
    fleet.data(0, USERS).await;
    // It looks again and again, and does not come back.
    while redis.count("set") < looks + 3 {
        fleet.send(0, &hash_alone(&"0".repeat(64))).await;
    }
    assert!(fleet.is_in_state(0, "down").await);
    let log = log.text();
    assert!(log.contains("NOPERM") && !log.contains("Redis is there"), "{log}");
    assert_eq!(log.matches("Redis is not there").count(), 1, "{log}");
}

#[tokio::test]
async fn a_survey_tells_what_redis_is_like() {
    let Some(mut redis) = RedisServer::start("survey") else { return };
    let survey = shared_state::survey(&redis.url(), TENANT).await.unwrap();
    assert!(survey.version.starts_with("Redis ") || survey.version.starts_with("Valkey "), "{survey:?}");
    assert!(survey.is_writable && survey.used_memory > 0 && survey.latency < Duration::from_secs(2), "{survey:?}");
    assert_eq!((survey.max_memory, survey.has_append_only_file), (None, false));
    assert_eq!((survey.deployment, survey.addresses, survey.silent_addresses), (Deployment::Single, 1, 0));
    redis.command("CONFIG SET maxmemory 1");
    let survey = shared_state::survey(&redis.url(), TENANT).await.unwrap();
    assert_eq!((survey.is_writable, survey.runs_scripts, survey.max_memory), (false, false, Some(1)));
    redis.kill();
    let error = shared_state::survey(&redis.url(), TENANT).await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached") && !error.contains("made-up"), "{error}");
}
