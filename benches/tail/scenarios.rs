//! The scenarios, and the marks that are to be met.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::checkpointless;
use crate::delivery_record::DeliveryRecord;
use crate::environment::{Environment, Tenant};
use crate::process::Process;
use crate::report::{Figure, Report, percentile};
use crate::subscriber::{Subscriber, Subscribers};

/// The longest time that subscribers may take to be there, and to have the last log.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Subscribers that are under way.
struct Subscribed {
    crowd: Arc<Subscribers>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<DeliveryRecord>,
}

impl Subscribed {
    /// Subscribes, and waits until all are there.
    async fn new(gateway: &Process, size: u32) -> Result<Self> {
        let size = size as usize;
        let crowd = Subscribers::new(gateway.address, size);
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for number in 0..size {
            tasks.spawn(Subscriber::new(number, Arc::clone(&crowd)).run(stopping.clone()));
            // So that none finds the listener's queue full.
            if number % 100 == 99 {
                sleep(Duration::from_millis(20)).await;
            }
        }
        let started = Instant::now();
        while crowd.ready.load(Ordering::Relaxed) < size {
            if started.elapsed() > TIMEOUT {
                bail!("only {} of {size} could subscribe", crowd.ready.load(Ordering::Relaxed));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { crowd, stop, tasks })
    }

    /// Waits until all have had this log, and ends them.
    async fn end(mut self, last: u64) -> Result<Deliveries> {
        let started = Instant::now();
        let is_done = |crowd: &Subscribers| crowd.next.iter().all(|next| next.load(Ordering::Relaxed) > last);
        while !is_done(&self.crowd) && started.elapsed() < TIMEOUT {
            sleep(Duration::from_millis(10)).await;
        }
        let has_all = is_done(&self.crowd);
        let connections = self.crowd.connections.load(Ordering::Relaxed);
        self.stop.send_replace(true);
        let mut deliveries = Deliveries { has_all, connections, ..Deliveries::default() };
        while let Some(delivery_record) = self.tasks.join_next().await {
            deliveries.add(delivery_record?);
        }
        Ok(deliveries)
    }
}

/// The sum of what was delivered to all subscribers.
#[derive(Default)]
struct Deliveries {
    has_all: bool,
    connections: usize,
    received: u64,
    missing: u64,
    repeated: u64,
    late: u64,
    unmarked: u64,
    errors: Vec<String>,
    latencies: Vec<f64>,
}

impl Deliveries {
    fn add(&mut self, delivery_record: DeliveryRecord) {
        self.received += delivery_record.received;
        self.missing += delivery_record.missing();
        self.repeated += delivery_record.repeated;
        self.late += delivery_record.late;
        self.unmarked += delivery_record.unmarked;
        self.errors.extend(delivery_record.errors);
        self.latencies.extend(delivery_record.latencies.into_iter().flatten());
    }

    fn figures(&self) -> Vec<Figure> {
        if let Some(error) = self.errors.first() {
            eprintln!("the first of {} errors: {error}", self.errors.len());
        }
        vec![
            Figure::new("connections", self.connections),
            Figure::new("logs told", self.received),
            Figure::new("all had the last log", self.has_all).mark("true", self.has_all),
            Figure::new("lost", self.missing).mark("0", self.missing == 0),
            Figure::new("told twice", self.repeated).mark("0", self.repeated == 0),
            Figure::new("out of order, marked as late", self.late),
            Figure::new("out of order, not marked", self.unmarked).mark("0", self.unmarked == 0),
            Figure::new("subscriptions that an error ended", self.errors.len()),
        ]
    }
}

/// Some logs come late, until the time is over.
async fn late_logs(tenant: &Tenant, time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    let mut ticks = interval(Duration::from_secs(3));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    while Instant::now() + Duration::from_secs(4) < end {
        ticks.tick().await;
        tenant.late_log(Duration::from_millis(500)).await?;
    }
    sleep(end.saturating_duration_since(Instant::now())).await;
    Ok(())
}

/// Many who subscribe to the same tenant, and one alone to compare the calls with.
pub(crate) async fn crowd(
    environment: &Environment,
    size: u32,
    rate: u32,
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    let mut subjects = Vec::new();
    let (mut calls_for_one, mut memory_for_one) = (0, 0.0);
    for size in [1, size] {
        let tenant = Tenant::start(rate).await?;
        let gateway = environment.gateway(&tenant).await?;
        let before = gateway.resident()?;
        let subscribed = Subscribed::new(&gateway, size).await?;
        sleep(Duration::from_secs(2)).await;
        tenant.forget_calls().await?;
        let (cpu, started) = (gateway.cpu()?, Instant::now());
        late_logs(&tenant, time).await?;
        let cores = (gateway.cpu()? - cpu).as_secs_f64() / started.elapsed().as_secs_f64();
        let calls = tenant.calls().await?;
        let memory = gateway.peak()? - before;
        // What one alone takes is mostly what all share.
        let each = (memory - memory_for_one) * 1024.0 / f64::from(size - 1).max(1.0);
        let mut deliveries = subscribed.end(tenant.head().await?).await?;
        let mut figures = deliveries.figures();
        let is_crowd = size > 1;
        // Whether a page is full, and another is asked for at once, is a matter of milliseconds.
        let most_calls = calls_for_one + calls_for_one / 10 + 4;
        figures.extend([
            Figure::new("milliseconds from tenant to client, half", percentile(&mut deliveries.latencies, 0.5)),
            Figure::new("the same, 99 of 100", percentile(&mut deliveries.latencies, 0.99)),
            Figure::new("calls to Auth0", calls).mark("those for one, and a tenth", !is_crowd || calls <= most_calls),
            Figure::new("CPU, percent of a core", cores * 100.0).mark("at most 10", !is_crowd || cores <= 0.10),
            Figure::new("KiB for each that is added", each).mark("at most 64", !is_crowd || each <= 64.0),
        ]);
        (calls_for_one, memory_for_one) = (calls, memory);
        subjects.push((if is_crowd { "the crowd" } else { "one" }, figures));
    }
    let title = format!("{size} subscribers, {rate} logs a second, {} s", time.as_secs());
    report.add("crowd", &title, &subjects);
    Ok(())
}

/// A gateway that is killed and started again.
pub(crate) async fn restart(
    environment: &Environment,
    size: u32,
    rate: u32,
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    let tenant = Tenant::start(rate).await?;
    let gateway = environment.gateway(&tenant).await?;
    let address = gateway.address;
    let subscribed = Subscribed::new(&gateway, size).await?;
    sleep(time / 2).await;
    // Killed, without a moment to say so.
    drop(gateway);
    sleep(Duration::from_secs(2)).await;
    tenant.forget_calls().await?;
    let gateway = environment.gateway_at(&tenant, address).await?;
    sleep(Duration::from_secs(10)).await;
    let calls = tenant.calls().await?;
    sleep((time / 2).saturating_sub(Duration::from_secs(12))).await;
    let deliveries = subscribed.end(tenant.head().await?).await?;
    drop(gateway);
    let mut figures = deliveries.figures();
    figures.push(Figure::new("calls in the 10 s after the start", calls).mark("at most 60", calls <= 60));
    report.add("restart", "The gateway is killed, and back after 2 s", &[("the crowd", figures)]);
    Ok(())
}

/// An Auth0 that answers 429 and 503 for twenty seconds.
pub(crate) async fn failing(
    environment: &Environment,
    size: u32,
    rate: u32,
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    let tenant = Tenant::start(rate).await?;
    let gateway = environment.gateway(&tenant).await?;
    let subscribed = Subscribed::new(&gateway, size).await?;
    sleep(Duration::from_secs(5)).await;
    for status in [429, 503, 429, 503] {
        tenant.fail(status).await?;
        sleep(Duration::from_secs(5)).await;
        tenant.mend().await?;
    }
    sleep(time.saturating_sub(Duration::from_secs(25))).await;
    let deliveries = subscribed.end(tenant.head().await?).await?;
    let kept = deliveries.connections == size as usize;
    let mut figures = deliveries.figures();
    figures.push(Figure::new("connections kept", kept).mark("true", kept));
    report.add("failing", "Auth0 answers 429 and 503 in turn, 20 s", &[("the crowd", figures)]);
    Ok(())
}

/// Very many who wait for what does not come.
pub(crate) async fn idle(environment: &Environment, size: u32, report: &mut Report) -> Result<()> {
    let tenant = Tenant::start(0).await?;
    let gateway = environment.gateway(&tenant).await?;
    let before = gateway.resident()?;
    let subscribed = Subscribed::new(&gateway, size).await?;
    sleep(Duration::from_secs(5)).await;
    let (cpu, started) = (gateway.cpu()?, Instant::now());
    sleep(Duration::from_secs(30)).await;
    let cores = (gateway.cpu()? - cpu).as_secs_f64() / started.elapsed().as_secs_f64();
    let resident = gateway.resident()?;
    let each = (resident - before) * 1024.0 / f64::from(size);
    let Subscribed { crowd, stop, mut tasks } = subscribed;
    stop.send_replace(true);
    while let Some(delivery_record) = tasks.join_next().await {
        let errors = delivery_record?.errors;
        anyhow::ensure!(errors.is_empty(), "a subscription ended: {errors:?}");
    }
    let connections = crowd.connections.load(Ordering::Relaxed);
    let figures = vec![
        Figure::new("connections", connections).mark("one for each", connections == size as usize),
        Figure::new("MiB", resident),
        Figure::new("KiB for each", each).mark("at most 64", each <= 64.0),
        Figure::new("CPU, percent of a core", cores * 100.0),
    ];
    report.add("idle", &format!("{size} who wait, nothing comes"), &[("idle", figures)]);
    Ok(())
}

/// The gateway, and a search for the newest again and again, each alone.
pub(crate) async fn beside(environment: &Environment, time: Duration, report: &mut Report) -> Result<()> {
    for (section, rate) in [("beside, 10 a second", 10), ("beside, 100 a second", 100), ("beside, 300 a second", 300)] {
        let tenant = Tenant::start(rate).await?;
        let gateway = environment.gateway(&tenant).await?;
        let subscribed = Subscribed::new(&gateway, 1).await?;
        sleep(Duration::from_secs(2)).await;
        tenant.forget_calls().await?;
        sleep(time).await;
        let calls = tenant.calls().await?;
        let deliveries = subscribed.end(tenant.head().await?).await?;
        drop(gateway);
        let ours = vec![
            Figure::new("logs seen", deliveries.received),
            Figure::new("logs lost", deliveries.missing).mark("0 here", deliveries.missing == 0),
            Figure::new("calls", calls),
        ];

        let tenant = Tenant::start(rate).await?;
        let seen = checkpointless::tail(&tenant, time).await?;
        let calls = tenant.calls().await?;
        let (first, last) = (seen.iter().min().context("nothing was seen")?, seen.iter().max().context("nothing")?);
        let lost = last - first + 1 - seen.len() as u64;
        let theirs =
            vec![Figure::new("logs seen", seen.len()), Figure::new("logs lost", lost), Figure::new("calls", calls)];
        let title = format!("{rate} logs a second, {} s", time.as_secs());
        report.add(section, &title, &[("the gateway", ours), ("newest first", theirs)]);
    }
    Ok(())
}
