//! The scenarios but for the tail's: starts, the tenant's budget, latency, outages of Redis.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Result;
use auth0_graphql::sandbox::Plan;
use futures_util::future::{join, try_join_all};
use tokio::time::{Instant, sleep};

use crate::replicas::{Environment, Fleet};
use crate::report::{Figure, Report, percentile};
use crate::server::Server;

/// A read of Auth0, and a question that the gateway answers by itself.
const READ: &str = "{ users(perPage: 1) { page } }";
const OWN: &str = "{ gateway { version } }";

/// Askers of each replica.
const ASKERS: usize = 4;

/// Times of a crowd's answers, in milliseconds, and what became of the others.
#[derive(Default)]
struct Answers {
    times: Vec<f64>,
    limited: u64,
    failed: u64,
}

/// A fleet that starts, another that restarts, and a token that Auth0 refuses.
pub(crate) async fn start(environment: &Environment, sizes: &[usize], report: &mut Report) -> Result<()> {
    for &size in sizes {
        let redis = Server::start(environment).await?;
        let mut fleet = Fleet::of(environment, Plan::PrivateCloud, 60, Some(redis.url())).await?;
        fleet.start(size).await?;
        fleet.ask_all(READ).await?;
        let begun = fleet.grants().await?;
        fleet.forget_calls().await?;
        fleet.replicas.clear();
        fleet.start(size).await?;
        fleet.ask_all(READ).await?;
        let restarted = fleet.grants().await?;
        fleet.forget_calls().await?;
        fleet.expire_tokens().await?;
        fleet.ask_all("{ users(perPage: 2) { page } }").await?;
        let refused = fleet.grants().await?;
        let figures = vec![
            Figure::new("tokens asked for at the start", begun).mark("1", begun == 1),
            Figure::new("tokens asked for by a restart of all", restarted).mark("0", restarted == 0),
            Figure::new("tokens asked for once theirs is refused", refused).mark("1", refused == 1),
        ];
        report.add(section("start", size), &format!("{size} replicas start"), &[("fleet", figures)]);
    }
    Ok(())
}

/// A fleet that asks for more than the tenant's plan allows.
pub(crate) async fn budget(
    environment: &Environment,
    sizes: &[usize],
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    for &size in sizes {
        let mut subjects = Vec::new();
        // Requests at once, and per second (`Plan`).
        for (plan, most, each_second) in [(Plan::Free, 2.0, 2.0), (Plan::Enterprise, 50.0, 16.0)] {
            let redis = Server::start(environment).await?;
            let fleet = Fleet::of(environment, plan, 60, Some(redis.url())).await?;
            let mut fleet = fleet.with("CACHE_TTL", "0s");
            fleet.start(size).await?;
            // Each has the token, and has seen the tenant's headers, before its bucket is full again.
            for replica in 0..size {
                fleet.ask(replica, READ).await?;
            }
            sleep(Duration::from_secs_f64(most / each_second)).await;
            fleet.forget_calls().await?;
            redis.reset()?;
            let start = Instant::now();
            let answers = ask_for(&fleet, time, search).await?;
            let (calls, elapsed) = (fleet.calls().await?, start.elapsed());
            let work = redis.work()?;
            let refused = calls.iter().filter(|call| call.status == Some(429)).count();
            let let_in = calls.len() - refused;
            let share = let_in as f64 / (most + each_second * elapsed.as_secs_f64()) * 100.0;
            let operations = answers.times.len() as u64 + answers.limited + answers.failed;
            subjects.push((
                plan.name(),
                vec![
                    Figure::new("429s of the tenant", refused).mark("0", refused == 0),
                    Figure::new("share of the bucket used, in percent", share).mark("at least 95", share >= 95.0),
                    Figure::new("operations answered", answers.times.len()),
                    Figure::new("operations told to come back", answers.limited),
                    Figure::new("operations that failed", answers.failed),
                    Figure::new("Redis: commands per operation", work.total() as f64 / operations.max(1) as f64),
                    Figure::new("Redis: commands per call to Auth0", work.total() as f64 / calls.len().max(1) as f64),
                    Figure::new("Redis: bytes per call to Auth0", work.bytes as f64 / calls.len().max(1) as f64),
                    Figure::new("Redis: which per call", work.each(calls.len() as u64)),
                ],
            ));
        }
        let title =
            format!("{size} replicas, each asked by {ASKERS} for more than the plan allows, for {} s", time.as_secs());
        report.add(section("budget", size), &title, &subjects);
    }
    Ok(())
}

/// One gateway alone, and one that shares: what sharing adds to an operation.
pub(crate) async fn latency(environment: &Environment, time: Duration, report: &mut Report) -> Result<()> {
    let mut subjects = Vec::new();
    let redis = Server::start(environment).await?;
    for (name, url) in [("alone", None), ("with Redis", Some(redis.url()))] {
        let fleet = Fleet::of(environment, Plan::PrivateCloud, 60, url).await?;
        let mut fleet = fleet.with("CACHE_TTL", "0s").with("RATE_LIMIT", "1000000/s");
        fleet.start(1).await?;
        fleet.ask(0, READ).await?;
        redis.reset()?;
        let mut own = one_by_one(&fleet, time / 2, |_| OWN.to_owned()).await?;
        let of_own = redis.work()?;
        redis.reset()?;
        let mut read = one_by_one(&fleet, time / 2, search).await?;
        let of_read = redis.work()?;
        subjects.push((
            name,
            vec![
                Figure::new("answered by itself: p50, in ms", percentile(&mut own, 0.50)),
                Figure::new("answered by itself: p99, in ms", percentile(&mut own, 0.99)),
                Figure::new("Redis: commands per operation", of_own.total() as f64 / own.len().max(1) as f64),
                Figure::new("Redis: bytes per operation", of_own.bytes as f64 / own.len().max(1) as f64),
                Figure::new("with a call to Auth0: p50, in ms", percentile(&mut read, 0.50)),
                Figure::new("with a call to Auth0: p99, in ms", percentile(&mut read, 0.99)),
                Figure::new(
                    "Redis: commands per operation with a call",
                    of_read.total() as f64 / read.len().max(1) as f64,
                ),
                Figure::new("Redis: bytes per operation with a call", of_read.bytes as f64 / read.len().max(1) as f64),
            ],
        ));
    }
    report.add("latency", "One asker, RATE_LIMIT set, nothing kept", &subjects);
    Ok(())
}

/// Redis killed and restored, and full, under load.
pub(crate) async fn outage(environment: &Environment, size: usize, time: Duration, report: &mut Report) -> Result<()> {
    let mut redis = Server::start(environment).await?;
    let fleet = Fleet::of(environment, Plan::PrivateCloud, 60, Some(redis.url())).await?;
    let mut fleet = fleet.with("CACHE_TTL", "0s").with("RATE_LIMIT", "1000000/s");
    fleet.start(size).await?;
    fleet.ask_all(READ).await?;
    let mut subjects = Vec::new();
    for (name, is_killed) in [("killed", true), ("full", false)] {
        let load = ask_for(&fleet, time, search);
        let breaks = async {
            sleep(time / 4).await;
            if is_killed {
                redis.kill();
            } else {
                redis.set_max_memory(1)?;
            }
            sleep(time / 2).await;
            if is_killed {
                redis.restart().await?;
            } else {
                redis.set_max_memory(0)?;
            }
            let restored = Instant::now();
            fleet.until_sharing().await?;
            anyhow::Ok(restored.elapsed())
        };
        let (answers, back) = join(load, breaks).await;
        let (mut answers, back) = (answers?, back?);
        let errors = answers.failed + answers.limited;
        subjects.push((
            name,
            vec![
                Figure::new("operations answered", answers.times.len()),
                Figure::new("operations that failed", errors).mark("0", errors == 0),
                Figure::new("p50, in ms", percentile(&mut answers.times, 0.50)),
                Figure::new("p99, in ms", percentile(&mut answers.times, 0.99)),
                Figure::new("all share again after, in s", back.as_secs_f64()),
            ],
        ));
    }
    let title = format!("{size} replicas under load for {} s, Redis away for half of it", time.as_secs());
    report.add(section("outage", size), &title, &subjects);
    Ok(())
}

/// A question that nobody else asks.
fn search(number: usize) -> String {
    format!("{{ users(q: \"logins_count:[{number} TO *]\", perPage: 1) {{ nodes {{ userId }} }} }}")
}

/// All replicas asked for a time, by some each.
async fn ask_for(fleet: &Fleet<'_>, time: Duration, query: impl Fn(usize) -> String) -> Result<Answers> {
    let answers = RefCell::new(Answers::default());
    let end = Instant::now() + time;
    let (answers_of, query_of) = (&answers, &query);
    let count = fleet.replicas.len() * ASKERS;
    let askers = (0..count).map(|asker| async move {
        for number in (asker..).step_by(count).take_while(|_| Instant::now() < end) {
            let start = Instant::now();
            let code = fleet.ask(asker % fleet.replicas.len(), &query_of(number)).await?;
            {
                let mut answers = answers_of.borrow_mut();
                match code.as_deref() {
                    None => answers.times.push(start.elapsed().as_secs_f64() * 1_000.0),
                    Some("RATE_LIMITED") => answers.limited += 1,
                    Some(_) => answers.failed += 1,
                }
            }
            if code.is_some() {
                sleep(Duration::from_millis(100)).await;
            }
        }
        anyhow::Ok(())
    });
    try_join_all(askers).await?;
    Ok(answers.into_inner())
}

/// The first replica, asked one question after the other: the times of its answers, in milliseconds.
async fn one_by_one(fleet: &Fleet<'_>, time: Duration, query: impl Fn(usize) -> String) -> Result<Vec<f64>> {
    let end = Instant::now() + time;
    let mut times = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let code = fleet.ask(0, &query(times.len())).await?;
        anyhow::ensure!(code.is_none(), "{code:?}");
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}

/// The name of a section, by the size of the fleet. There are few, once each.
pub(crate) fn section(name: &str, size: usize) -> &'static str {
    format!("{name}-{size}").leak()
}
