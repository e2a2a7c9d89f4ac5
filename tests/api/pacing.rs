//! The tenant's rate limits are kept to: bursts are spent freely, then calls wait their turn, or are refused at once.
//!
//! Both clocks stand still but where a test moves them, so that what happens without that happened at once.

use std::pin::pin;
use std::time::Duration;

use auth0_graphql::sandbox::{Options, Plan};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use wiremock::ResponseTemplate;

use crate::captured_log::CapturedLog;
use crate::gateway::{Setup, TestGateway, codes};
use crate::mock;
use crate::time::StoppedClock;

const SECOND: Duration = Duration::from_secs(1);

/// A gateway to a tenant with this plan, and the clock.
async fn gateway_to(plan: Plan) -> (TestGateway, StoppedClock) {
    let setup = Setup::uncached();
    let gateway = TestGateway::spawn_with(Setup { sandbox: Options { plan, ..setup.sandbox }, ..setup }).await;
    (gateway, StoppedClock::stop())
}

/// A question that is a call of its own, for each number another.
fn users(number: usize) -> String {
    format!("{{ users(q: \"logins_count:[{number} TO *]\", perPage: 1) {{ page }} }}")
}

fn logs(number: usize) -> String {
    format!("{{ logs(take: {number}) {{ next }} }}")
}

/// An answer that says what it took.
struct Answer {
    body: Value,
    /// The value of `X-Upstream-Calls`.
    calls: String,
}

impl Answer {
    async fn to(gateway: &TestGateway, query: String, timeout: Duration) -> Self {
        let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": query }));
        let request = request.header("x-explain", "run");
        let request = request.header("x-request-timeout", format!("{}ms", timeout.as_millis()));
        let response = request.send().await.unwrap();
        let calls = response.headers()["x-upstream-calls"].to_str().unwrap().to_owned();
        Self { body: response.json().await.unwrap(), calls }
    }

    #[track_caller]
    fn is_data(&self) {
        assert_eq!(self.body.get("errors"), None, "{}", self.body);
    }

    /// The time after which to come back, which a refusal must tell.
    #[track_caller]
    fn retry_after(&self) -> Duration {
        assert_eq!(codes(&self.body), ["RATE_LIMITED"], "{}", self.body);
        assert_eq!(self.calls, "0");
        Duration::from_millis(self.body["errors"][0]["extensions"]["retryAfterMs"].as_u64().unwrap())
    }

    fn explained(&self, what: &str) -> &Value {
        &self.body["extensions"]["upstream"][0][what]
    }
}

/// Lets time pass until something is done.
async fn passing<T>(clock: &StoppedClock, gateway: &TestGateway, done: impl Future<Output = T>) -> T {
    const STEP: Duration = Duration::from_millis(50);
    let mut done = pin!(done);
    loop {
        tokio::select! {
            biased;
            result = &mut done => return result,
            () = clock.advance_all(gateway, STEP) => {}
        }
    }
}

/// The tenant's rate limits, as the gateway tells them.
async fn rate_limits(gateway: &TestGateway) -> Value {
    let query = "{ gateway { rateLimits { covers limit remaining refillPerSecond queued } } }";
    gateway.data(query).await["gateway"]["rateLimits"].take()
}

/// Waits until so many calls wait for their turn.
async fn queued(gateway: &TestGateway, calls: u64) {
    while rate_limits(gateway).await[0]["queued"] != calls {}
}

async fn breaker(gateway: &TestGateway) -> String {
    gateway.data("{ gateway { breaker } }").await["gateway"]["breaker"].as_str().unwrap().to_owned()
}

/// The statuses of the tenant's answers to the calls that it got.
async fn statuses(gateway: &TestGateway) -> Vec<u16> {
    gateway.calls().await.iter().map(|call| call.status.unwrap_or(0)).collect()
}

#[tokio::test]
async fn a_burst_is_spent_freely_and_then_calls_wait_their_turn() {
    for (plan, burst) in [(Plan::Free, 2), (Plan::Essentials, 40), (Plan::Enterprise, 50)] {
        let (gateway, clock) = gateway_to(plan).await;
        for answer in join_all((0..burst).map(async |n| Answer::to(&gateway, users(n), 10 * SECOND).await)).await {
            answer.is_data();
            assert_eq!((answer.calls.as_str(), answer.explained("waitedMs")), ("1", &json!(0)));
        }
        let mut late = pin!(Answer::to(&gateway, users(burst), 10 * SECOND));
        let waits = async {
            queued(&gateway, 1).await;
            assert_eq!(statuses(&gateway).await, vec![200; burst], "{plan}");
        };
        tokio::select! {
            late = &mut late => panic!("{plan}: nothing was left: {}", late.body),
            () = waits => {}
        }
        let late = passing(&clock, &gateway, late).await;
        late.is_data();
        let waited = late.explained("waitedMs").as_u64().unwrap();
        assert!((1..10_000).contains(&waited), "{waited}");
        assert_eq!(late.calls, "1");
        assert_eq!(statuses(&gateway).await, vec![200; burst + 1]);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn what_cannot_be_in_time_is_refused_at_once_and_has_its_turn_when_told() {
    let (gateway, clock) = gateway_to(Plan::Free).await;
    for number in 0..2 {
        Answer::to(&gateway, users(number), SECOND).await.is_data();
    }
    let impatient = || Answer::to(&gateway, users(2), Duration::from_millis(200));
    let told = impatient().await.retry_after();
    assert!(told > Duration::from_millis(200) && told < 2 * SECOND, "{told:?}");
    clock.advance_all(&gateway, told).await;
    impatient().await.is_data();
    assert_eq!(statuses(&gateway).await, [200; 3]);
}

#[tokio::test]
async fn a_crowd_is_answered_in_turn_and_so_is_whoever_comes_back_as_told() {
    let (gateway, clock) = gateway_to(Plan::Free).await;
    // The bucket is known before the crowd comes.
    Answer::to(&gateway, users(100), SECOND).await.is_data();
    // Nobody is content with one answer: who has just been answered wants the place of who was told to come back.
    let come = async |client| {
        let mut came_back = 0;
        for round in 0_usize..3 {
            let question = || users(client + 30 * round);
            let first = Answer::to(&gateway, question(), 10 * SECOND).await;
            if !codes(&first.body).is_empty() {
                tokio::time::sleep(first.retry_after()).await;
                Answer::to(&gateway, question(), 10 * SECOND).await.is_data();
                came_back += 1;
            }
        }
        came_back
    };
    let mut crowd = pin!(join_all((0..30).map(come)));
    // One goes, a few can be answered in time at the slowest rate there is, and the others are refused at once.
    let is_settled =
        async { while gateway.calls().await.len() < 2 || rate_limits(&gateway).await[0]["queued"] == 0 {} };
    tokio::select! {
        _ = &mut crowd => panic!("nobody had to wait"),
        () = is_settled => {}
    }
    let came_back = passing(&clock, &gateway, crowd).await;
    assert!(came_back.iter().sum::<usize>() >= 20, "{came_back:?}");
    assert_eq!(statuses(&gateway).await, [200; 91]);
    let limits = rate_limits(&gateway).await;
    let refill = limits[0]["refillPerSecond"].as_f64().unwrap();
    assert!(refill > 1.0 && refill <= 2.0, "{limits}");
}

#[tokio::test]
async fn the_buckets_are_told_as_they_are_learned() {
    let (gateway, clock) = gateway_to(Plan::Essentials).await;
    assert_eq!(rate_limits(&gateway).await, json!([]));
    Answer::to(&gateway, logs(1), SECOND).await.is_data();
    // One call is missing, and the bucket will be full a second after the answer's `Date`: one a second, at the least.
    let logs_alone = json!([{ "covers": ["LOGS"], "limit": 10, "remaining": 9, "refillPerSecond": 1.0, "queued": 0 }]);
    assert_eq!(rate_limits(&gateway).await, logs_alone);
    for number in 0..40 {
        Answer::to(&gateway, users(number), SECOND).await.is_data();
    }
    let told: Vec<_> = rate_limits(&gateway)
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| json!([bucket["covers"], bucket["limit"]]))
        .collect();
    assert_eq!(told, [json!([["LOGS"], 10]), json!([["USERS"], 40])]);
    // What users have spent is not missing from the logs.
    for number in 2..11 {
        Answer::to(&gateway, logs(number), SECOND).await.is_data();
    }
    Answer::to(&gateway, logs(11), Duration::from_millis(200)).await.retry_after();
    // Both fill at once.
    clock.advance_all(&gateway, 2 * SECOND).await;
    for query in [users(40), logs(12)] {
        Answer::to(&gateway, query, SECOND).await.is_data();
    }
    assert_eq!(statuses(&gateway).await, [200; 52]);
}

#[tokio::test]
async fn one_bucket_for_everything_is_told_as_one() {
    let (gateway, _clock) = gateway_to(Plan::Enterprise).await;
    for query in [users(0), logs(1)] {
        Answer::to(&gateway, query, SECOND).await.is_data();
    }
    let limits = rate_limits(&gateway).await;
    assert_eq!(limits.as_array().unwrap().len(), 1, "{limits}");
    let bucket = &limits[0];
    assert_eq!([&bucket["covers"], &bucket["limit"]], [&json!(["USERS", "LOGS"]), &json!(50)]);
    assert_eq!(bucket["remaining"], 48);
}

#[tokio::test]
async fn a_429_is_waited_out_as_told() {
    let (gateway, clock) = gateway_to(Plan::Enterprise).await;
    Answer::to(&gateway, users(0), SECOND).await.is_data();
    let fault = json!({ "path": "/api/v2/users", "times": 1, "fault": { "status": 429, "retryAfter": 3 } });
    gateway.fault(fault).await;
    let start = Instant::now();
    let mut limited = pin!(Answer::to(&gateway, users(1), 10 * SECOND));
    let is_closed = async { while rate_limits(&gateway).await[0]["remaining"] != 0 {} };
    tokio::select! {
        answer = &mut limited => panic!("it was to wait: {}", answer.body),
        () = is_closed => {}
    }
    // All that is counted in the same bucket waits with it, and who cannot is told.
    let told = Answer::to(&gateway, users(2), SECOND).await.retry_after();
    assert!(told > 2 * SECOND && told < 4 * SECOND, "{told:?}");
    let patient = Answer::to(&gateway, users(3), 10 * SECOND);
    let (limited, patient) = passing(&clock, &gateway, async { tokio::join!(limited, patient) }).await;
    assert!(start.elapsed() >= 3 * SECOND);
    limited.is_data();
    patient.is_data();
    assert_eq!((limited.calls.as_str(), limited.explained("retries")), ("2", &json!(1)));
    assert!(patient.explained("waitedMs").as_u64().unwrap() >= 2_900, "{}", patient.body);
    assert_eq!(statuses(&gateway).await.iter().filter(|status| **status == 429).count(), 1);
}

#[tokio::test]
async fn calls_that_the_rate_limit_refuses_are_no_line_of_the_log_each() {
    let (gateway, _clock) = gateway_to(Plan::Enterprise).await;
    let fault = json!({ "path": "/api/v2/users", "times": 1, "fault": { "status": 429, "retryAfter": 3_600 } });
    gateway.fault(fault).await;
    let log = CapturedLog::default();
    let _guards = log.keep(tracing::Level::WARN);
    for number in 0..10 {
        assert_eq!(codes(&Answer::to(&gateway, users(number), SECOND).await.body), ["RATE_LIMITED"]);
    }
    // The throttle is the process', which other tests share: there may be none.
    let lines = log.text().lines().filter(|line| line.contains("rate limit")).count();
    assert!(lines < 3, "{}", log.text());
}

#[tokio::test]
async fn every_caller_is_told_how_long_auth0_refuses_and_it_is_asked_again_within_a_minute() {
    let (gateway, clock) = gateway_to(Plan::Enterprise).await;
    Answer::to(&gateway, users(0), SECOND).await.is_data();
    let fault = json!({ "path": "/api/v2/users", "times": 1, "fault": { "status": 429, "retryAfter": 3_600 } });
    gateway.fault(fault).await;
    gateway.forget_calls().await;
    let first = Answer::to(&gateway, users(1), 10 * SECOND).await;
    assert_eq!(first.body["errors"][0]["extensions"]["retryAfterMs"], 3_600_000);
    for number in 2..5 {
        let told = Answer::to(&gateway, users(number), 10 * SECOND).await.retry_after();
        assert!(told > 3_590 * SECOND && told <= 3_601 * SECOND, "{number}: {told:?}");
    }
    assert_eq!(statuses(&gateway).await, [429], "the others are not even asked");
    // An operator may have raised the quota meanwhile.
    clock.advance_all(&gateway, 61 * SECOND).await;
    Answer::to(&gateway, users(5), SECOND).await.is_data();
    Answer::to(&gateway, users(6), SECOND).await.is_data();
}

#[tokio::test]
async fn the_breaker_is_seen_to_open_and_to_close() {
    let (gateway, clock) = gateway_to(Plan::Enterprise).await;
    Answer::to(&gateway, users(0), SECOND).await.is_data();
    assert_eq!(breaker(&gateway).await, "CLOSED");
    gateway.fault(json!({ "path": "/api/v2/", "times": 1_000, "fault": { "status": 500 } })).await;
    let mut number = 0;
    while breaker(&gateway).await == "CLOSED" {
        number += 1;
        assert!(number < 20, "twenty failures are none");
        let answer = Answer::to(&gateway, users(number), 10 * SECOND);
        assert_eq!(codes(&passing(&clock, &gateway, answer).await.body), ["UPSTREAM_UNAVAILABLE"]);
    }
    assert_eq!(breaker(&gateway).await, "OPEN");
    gateway.forget_calls().await;

    let refused = Answer::to(&gateway, users(number), SECOND).await;
    assert_eq!((codes(&refused.body), refused.calls.as_str()), (vec!["UPSTREAM_UNAVAILABLE"], "0"));
    assert_eq!(gateway.calls().await, []);

    clock.advance_all(&gateway, SECOND / 2).await;
    assert_eq!(breaker(&gateway).await, "HALF_OPEN");
    let probe = Answer::to(&gateway, users(number), SECOND).await;
    assert_eq!((codes(&probe.body), probe.calls.as_str()), (vec!["UPSTREAM_UNAVAILABLE"], "1"));
    assert_eq!(breaker(&gateway).await, "OPEN");

    gateway.mend().await;
    clock.advance_all(&gateway, SECOND / 2).await;
    Answer::to(&gateway, users(number), SECOND).await.is_data();
    assert_eq!(breaker(&gateway).await, "CLOSED");
}

#[tokio::test]
async fn those_in_line_are_told_as_soon_as_auth0_is_known_to_be_down() {
    let (gateway, clock) = gateway_to(Plan::Enterprise).await;
    for number in 0..20 {
        Answer::to(&gateway, users(number), SECOND).await.is_data();
    }
    gateway.fault(json!({ "path": "/api/v2/", "times": 1_000, "fault": { "status": 500 } })).await;
    let start = Instant::now();
    // Thirty may go and fail, which is more than half of all calls. The others would have their turns in the next seconds.
    let mut crowd = pin!(join_all((20..56).map(|number| Answer::to(&gateway, users(number), 10 * SECOND))));
    let is_open = async { while breaker(&gateway).await != "OPEN" {} };
    tokio::select! {
        _ = &mut crowd => panic!("nobody was to try again"),
        () = is_open => {}
    }
    let answers = passing(&clock, &gateway, crowd).await;
    assert!(answers.iter().all(|answer| codes(&answer.body) == ["UPSTREAM_UNAVAILABLE"]));
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    assert!(statuses(&gateway).await.len() <= 50);
    assert_eq!(rate_limits(&gateway).await[0]["queued"], 0);
}

#[tokio::test]
async fn absurd_rate_limits_are_survived() {
    for (limit, remaining, reset) in [
        ("0", "0", "0"),
        ("2", "99", "1"),
        ("-1", "-1", "-1"),
        ("99999999999999999999", "99999999999999999999", "99999999999999999999"),
        ("4294967295", "4294967295", "9223372036854775807"),
        ("4294967295", "0", "-9223372036854775808"),
        ("1", "0", "9223372036854775807"),
        ("1", "0", ""),
        ("NaN", "infinity", "1e400"),
        ("0x10", "1.5", "tomorrow"),
        ("", "", ""),
        ("\u{a0}\u{ff}", "\t1\t", "1,2"),
    ] {
        let answer = ResponseTemplate::new(200)
            .set_body_json(json!([{ "name": "Ada" }]))
            .append_header("x-ratelimit-limit", limit)
            .append_header("x-ratelimit-remaining", remaining)
            .append_header("x-ratelimit-reset", reset);
        let auth0 = mock::answering(answer).await;
        let gateway = mock::gateway_to(&auth0).await;
        let clock = StoppedClock::stop();
        for number in 0..3 {
            let answer = Answer::to(&gateway, users(number), 10 * SECOND);
            passing(&clock, &gateway, answer).await.is_data();
        }
        for bucket in rate_limits(&gateway).await.as_array().unwrap() {
            assert!(bucket["limit"].as_u64().is_some_and(|limit| limit > 0), "{bucket}");
        }
        tokio::time::resume();
    }
}
