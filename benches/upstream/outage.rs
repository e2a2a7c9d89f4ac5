//! Auth0 is down for a while, under load.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use auth0_graphql::sandbox::Options;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::environment::{Environment, Outcome, keeping_nothing, question};
use super::report::{Figure, Report, percentile};

const CLIENTS: usize = 50;

/// The time that a client waits after an answer before it asks again.
const PAUSE: Duration = Duration::from_millis(100);

/// The time for which all is well before, and that for which the load goes on after.
const BEFORE: Duration = Duration::from_secs(6);
const AFTER: Duration = Duration::from_secs(3);

/// The outcome of a question, and its times.
struct Asked {
    outcome: Outcome,
    start: Instant,
    end: Instant,
}

pub(crate) async fn measure(time: Duration, report: &mut Report) -> Result<()> {
    let day = 86_400;
    // It expires between two and five seconds after Auth0 went down: it is replaced every few seconds before.
    let short = 5;
    let (failing, closing, expired) = tokio::try_join!(
        outage(json!({ "status": 503 }), day, time),
        outage(json!("reset"), day, time),
        outage(json!("reset"), short, time),
    )?;
    report.add(
        "outage",
        &format!("{CLIENTS} clients ask all the time; Auth0 is down for {} s", time.as_secs()),
        &[("503", failing), ("connections closed", closing), ("token expires, too", expired)],
    );
    Ok(())
}

async fn outage(fault: Value, token_lifetime: u64, time: Duration) -> Result<Vec<Figure>> {
    let options = Options { token_lifetime: token_lifetime.into(), ..Options::default() };
    let environment = Arc::new(Environment::start(options, keeping_nothing(0.0)).await?);
    let start = Instant::now();
    let end = start + BEFORE + time + AFTER;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(Arc::clone(&environment), number, end));
    }

    tokio::time::sleep_until(start + BEFORE).await;
    environment.fault("/", &fault).await?;
    let down = Instant::now();
    environment.forget_calls().await?;
    tokio::time::sleep_until(down + time).await;
    let calls = environment.calls().await?.len();
    environment.mend().await?;
    let up = Instant::now();

    let mut all = Vec::new();
    while let Some(asked) = clients.join_next().await {
        all.extend(asked??);
    }
    let is_answered = |asked: &&Asked| asked.outcome == Outcome::Answered;
    let meanwhile = all.iter().filter(|asked| asked.start >= down && asked.start < up);
    let failures = meanwhile.clone().filter(|asked| !is_answered(asked));
    let mut times: Vec<f64> = failures.map(|asked| (asked.end - asked.start).as_secs_f64() * 1e3).collect();
    let Some(back) = all.iter().filter(|asked| asked.end >= up).filter(is_answered).map(|asked| asked.end).min() else {
        bail!("nobody was answered after Auth0 was back");
    };
    let back = (back - up).as_secs_f64() * 1e3;
    // What it takes to notice, the retries that were saved up, and a probe each half second.
    let bound = 60 + 10 + 2 * usize::try_from(time.as_secs())?;
    Ok(vec![
        Figure::new("questions meanwhile", meanwhile.count()),
        Figure::new("calls meanwhile", calls).mark("at most 70, and 2 per second", calls <= bound),
        Figure::new("time of a failure, p50, in ms", percentile(&mut times, 0.50)),
        Figure::new("time of a failure, p99, in ms", percentile(&mut times, 0.99)),
        Figure::new("first answer after the recovery, in ms", back).mark("below 1000", back < 1_000.0),
    ])
}

async fn client(environment: Arc<Environment>, number: usize, end: Instant) -> Result<Vec<Asked>> {
    let mut all = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let outcome = environment.ask(&question(number + all.len() * CLIENTS)).await?;
        all.push(Asked { outcome, start, end: Instant::now() });
        tokio::time::sleep(PAUSE).await;
    }
    Ok(all)
}
