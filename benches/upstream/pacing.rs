//! A crowd that asks more than the plan gives.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use auth0_graphql::sandbox::{Options, Plan};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::environment::{Environment, Outcome, keeping_nothing, question, search};
use super::report::{Figure, Report, percentile};

const CLIENTS: usize = 50;

/// The pause of a client who is not told when to come back.
const UNTOLD_PAUSE: Duration = Duration::from_secs(1);

/// The number of calls that the bucket of a free tenant gives in that time, being full at the start.
pub(crate) fn capacity(time: Duration) -> f64 {
    2.0_f64.mul_add(time.as_secs_f64(), 2.0)
}

/// The way that questions take to Auth0.
#[derive(Clone, PartialEq)]
enum Way {
    Gateway,
    /// One call for each question, with this token.
    PassThrough(String),
}

/// The experience of a client.
#[derive(Default)]
struct Story {
    answered: u32,
    /// The times that refusals took, in milliseconds.
    refusals: Vec<f64>,
    /// The number of times that it was told when to come back, did, and was answered; or not.
    kept: u32,
    broken: u32,
}

pub(crate) async fn measure(time: Duration, report: &mut Report) -> Result<()> {
    // They have a tenant each, and do little: they do not disturb each other.
    let (whole, most, naive) = tokio::try_join!(gateway(0.0, time), gateway(0.1, time), pass_through(time))?;
    report.add(
        "pacing",
        &format!("{CLIENTS} clients ask distinct questions of a free tenant (2 calls/s) for {} s", time.as_secs()),
        &[("gateway", whole), ("RATE_RESERVE=0.1", most), ("pass-through", naive)],
    );
    Ok(())
}

async fn gateway(reserve: f64, time: Duration) -> Result<Vec<Figure>> {
    let environment =
        Environment::start(Options { plan: Plan::Free, ..Options::default() }, keeping_nothing(reserve)).await?;
    let mark = if reserve > 0.0 { "85 to 95" } else { "at least 95" };
    let (least, most) = if reserve > 0.0 { (0.85, 0.95) } else { (0.95, 1.0) };
    crowd(environment, Way::Gateway, time, Some((least, most, mark))).await
}

async fn pass_through(time: Duration) -> Result<Vec<Figure>> {
    let environment =
        Environment::start(Options { plan: Plan::Free, ..Options::default() }, keeping_nothing(0.0)).await?;
    let client = environment.sandbox.client();
    let grant = json!({
        "grant_type": "client_credentials", "audience": environment.sandbox.audience(),
        "client_id": client.id, "client_secret": client.secret.expose_secret(),
    });
    let url = format!("{}/oauth/token", environment.sandbox.url());
    let granted: Value = environment.http.post(url).json(&grant).send().await?.error_for_status()?.json().await?;
    let token = granted["access_token"].as_str().context("the sandbox grants no token")?.to_owned();
    crowd(environment, Way::PassThrough(token), time, None).await
}

async fn crowd(
    environment: Environment,
    way: Way,
    time: Duration,
    share: Option<(f64, f64, &'static str)>,
) -> Result<Vec<Figure>> {
    let environment = Arc::new(environment);
    let start = Instant::now();
    if way == Way::Gateway {
        // It gets its token, so that no refusal has to wait for that.
        environment.ask(&question(0)).await?;
    }
    let end = start + time;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(Arc::clone(&environment), way.clone(), number, end));
    }
    tokio::time::sleep_until(end).await;
    let calls = environment.calls().await?;
    let count = |status| calls.iter().filter(|call| call.path != "/oauth/token" && call.status == Some(status)).count();
    let (good, limited) = (count(200), count(429));
    let used = good as f64 / capacity(time);

    let mut stories = Vec::new();
    while let Some(story) = clients.join_next().await {
        stories.push(story??);
    }
    let mut refusals: Vec<f64> = stories.iter().flat_map(|story| story.refusals.iter().copied()).collect();
    let total = |of: fn(&Story) -> u32| stories.iter().map(of).sum::<u32>();
    let answers = || stories.iter().map(|story| story.answered);
    let mut figures = vec![
        Figure::new("calls answered", good),
        Figure::new("calls refused by Auth0 (429)", limited),
        Figure::new("share of the bucket used, in %", 100.0 * used),
        Figure::new("refusals", refusals.len()),
        Figure::new("time of a refusal, p99, in ms", percentile(&mut refusals, 0.99)),
        Figure::new("came back as told, and was answered", total(|story| story.kept)),
        Figure::new("came back as told, and was refused", total(|story| story.broken)),
        Figure::new("answers of the client with the fewest", answers().min()),
        Figure::new("answers of the client with the most", answers().max()),
    ];
    if let Some((least, most, mark)) = share {
        let slow = percentile(&mut refusals, 0.99);
        let marks = [
            (1, "0", limited == 0),
            (2, mark, (least..=most).contains(&used)),
            (4, "below 100: at once", slow < 100.0),
            (6, "0", total(|story| story.broken) == 0),
        ];
        for (place, mark, is_met) in marks {
            let figure = figures.remove(place);
            figures.insert(place, figure.mark(mark, is_met));
        }
    }
    Ok(figures)
}

/// Asks one question after the other until the end, and a refused one again when it is told to.
async fn client(environment: Arc<Environment>, way: Way, number: usize, end: Instant) -> Result<Story> {
    let mut story = Story::default();
    let mut asked = 0;
    let mut was_told = false;
    while Instant::now() < end {
        let start = Instant::now();
        let outcome = ask(&environment, &way, 1 + number + asked * CLIENTS).await?;
        match outcome {
            Outcome::Answered => {
                story.answered += 1;
                story.kept += u32::from(was_told);
                was_told = false;
                asked += 1;
            }
            Outcome::Limited(told) => {
                story.refusals.push(start.elapsed().as_secs_f64() * 1e3);
                story.broken += u32::from(was_told);
                was_told = told.is_some();
                let back = Instant::now() + told.unwrap_or(UNTOLD_PAUSE);
                if back >= end {
                    break;
                }
                tokio::time::sleep_until(back).await;
            }
            Outcome::Failed(code) => bail!("a question failed with {code}"),
        }
    }
    Ok(story)
}

async fn ask(environment: &Environment, way: &Way, number: usize) -> Result<Outcome> {
    let Way::PassThrough(token) = way else { return environment.ask(&question(number)).await };
    let url = format!("{}/api/v2/users", environment.sandbox.url());
    let query = [("q", search(number)), ("per_page", "1".to_owned()), ("search_engine", "v3".to_owned())];
    let response = environment.http.get(url).bearer_auth(token).query(&query).send().await?;
    Ok(match response.status() {
        StatusCode::OK => Outcome::Answered,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Limited(None),
        status => Outcome::Failed(status.to_string()),
    })
}
