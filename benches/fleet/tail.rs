//! The tail of a fleet: who reads it, and how long nobody does when that replica is gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, ensure};
use auth0_graphql::sandbox::Plan;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use crate::delivery_record::DeliveryRecord;
use crate::replicas::{Environment, Fleet};
use crate::report::{Figure, Report};
use crate::scenarios::section;
use crate::server::Server;
use crate::subscriber::{Subscriber, Subscribers};

/// Logs in a second, so that a silence is seen to a twentieth of one.
const LOGS: u32 = 20;

/// Subscribers of each replica: one has a WebSocket, the other Server-Sent Events.
const SUBSCRIBERS: usize = 2;

/// Time in which somebody who reads does so several times.
const LOOK: Duration = Duration::from_secs(3);

/// Time for another to take over, and more.
const TAKEOVER: Duration = Duration::from_secs(8);

/// Subscribers of one replica.
struct Audience {
    crowd: Arc<Subscribers>,
    stop: watch::Sender<bool>,
    subscribers: Vec<JoinHandle<DeliveryRecord>>,
}

pub(crate) async fn measure(environment: &Environment, sizes: &[usize], report: &mut Report) -> Result<()> {
    for &size in sizes {
        let killed = LocalSet::new().run_until(failover(environment, size, "KILL")).await?;
        let paused = LocalSet::new().run_until(failover(environment, size, "STOP")).await?;
        let title = format!(
            "{size} replicas with {SUBSCRIBERS} subscribers each, {LOGS} logs a second; one that reads them is gone"
        );
        report.add(section("tail", size), &title, &[("killed (-9)", killed), ("paused (SIGSTOP)", paused)]);
    }
    Ok(())
}

async fn failover(environment: &Environment, size: usize, signal: &str) -> Result<Vec<Figure>> {
    let redis = Server::start(environment).await?;
    let mut fleet = Fleet::of(environment, Plan::PrivateCloud, LOGS * 60, Some(redis.url())).await?;
    fleet.start(size).await?;
    let audiences: Vec<_> = fleet.replicas.iter().map(|replica| Audience::of(replica.address)).collect();
    for audience in &audiences {
        audience.until_told().await?;
    }
    redis.reset()?;
    fleet.forget_calls().await?;
    let readers = readers(&fleet).await?;
    let (work, calls) = (redis.work()?, fleet.calls().await?);
    let each_second = |count: f64| count / LOOK.as_secs_f64();
    let reads = calls.iter().filter(|call| call.path == "/api/v2/logs").count();
    let Some(&gone) = readers.first() else { anyhow::bail!("nobody reads the logs") };

    fleet.replicas[gone].signal(signal)?;
    let others: Vec<_> = (0..size).filter(|replica| *replica != gone).map(|replica| &audiences[replica]).collect();
    let silence = longest_silence(&others).await;
    let mut readers_after = None;
    if signal == "STOP" {
        fleet.replicas[gone].signal("CONT")?;
        // It finds out that it does not lead any more.
        sleep(LOOK).await;
        readers_after = Some(self::readers(&fleet).await?.len());
    }
    let mut witnesses = join_all(audiences.into_iter().map(Audience::end)).await;
    // Who was killed has lost its subscribers.
    let mut its_own = witnesses.swap_remove(gone);
    if signal == "KILL" {
        its_own.clear();
    }
    let witnesses: Vec<DeliveryRecord> = witnesses.into_iter().flatten().collect();
    let sum = |of: fn(&DeliveryRecord) -> u64| witnesses.iter().map(of).sum::<u64>();
    let sum_of_its_own = |of: fn(&DeliveryRecord) -> u64| its_own.iter().map(of).sum::<u64>();
    let (missing, repeated) = (sum(DeliveryRecord::missing), sum(|delivery_record| delivery_record.repeated));
    let (missed, told_twice) =
        (sum_of_its_own(DeliveryRecord::missing), sum_of_its_own(|delivery_record| delivery_record.repeated));
    let mut figures = vec![
        Figure::new("replicas that read from Auth0", readers.len()).mark("1", readers.len() == 1),
        Figure::new("reads of logs a second at the tenant", each_second(reads as f64)),
        Figure::new("Redis: commands a second", each_second(work.total() as f64)),
        Figure::new("Redis: bytes a second", each_second(work.bytes as f64)),
        Figure::new("Redis: which in a second", work.each(LOOK.as_secs())),
        Figure::new("longest silence of the others, in s", silence).mark("at most 3", silence <= 3.0),
        Figure::new("logs told, all together", sum(|delivery_record| delivery_record.received)),
        Figure::new("logs missed by the others", missing).mark("0", missing == 0),
        Figure::new("logs told to the others twice", repeated).mark("0", repeated == 0),
        Figure::new("logs missed by its own subscribers", missed).mark("0", missed == 0),
        Figure::new("logs told to its own twice", told_twice).mark("0", told_twice == 0),
    ];
    let after = readers_after.unwrap_or(1);
    figures.push(Figure::new("that read once it goes on", readers_after).mark("1", after == 1));
    Ok(figures)
}

/// The replicas that read logs from Auth0 in some seconds: those whose polls are counted on.
async fn readers(fleet: &Fleet<'_>) -> Result<Vec<usize>> {
    let before = polls(fleet).await?;
    sleep(LOOK).await;
    let after = polls(fleet).await?;
    Ok((0..before.len()).filter(|replica| after[*replica] > before[*replica]).collect())
}

async fn polls(fleet: &Fleet<'_>) -> Result<Vec<f64>> {
    let mut polls = Vec::new();
    for replica in &fleet.replicas {
        polls.push(fleet.metric(replica, "auth0_graphql_tail_polls_total{outcome=\"ok\"}").await?);
    }
    Ok(polls)
}

/// The longest time in which a subscriber was told nothing, in seconds.
async fn longest_silence(audiences: &[&Audience]) -> f64 {
    let start = Instant::now();
    let places: Vec<_> = audiences.iter().flat_map(|audience| &audience.crowd.next).collect();
    let mut last: Vec<_> = places.iter().map(|place| (place.load(Ordering::Relaxed), start)).collect();
    let mut longest = Duration::ZERO;
    while start.elapsed() < TAKEOVER {
        sleep(Duration::from_millis(20)).await;
        for (place, last) in places.iter().zip(&mut last) {
            let next = place.load(Ordering::Relaxed);
            longest = longest.max(last.1.elapsed());
            if next != last.0 {
                *last = (next, Instant::now());
            }
        }
    }
    longest.as_secs_f64()
}

impl Audience {
    fn of(gateway: std::net::SocketAddr) -> Self {
        let crowd = Subscribers::new(gateway, SUBSCRIBERS);
        let (stop, stopped) = watch::channel(false);
        let subscribers = (0..SUBSCRIBERS)
            .map(|number| spawn_local(Subscriber::new(number, crowd.clone()).run(stopped.clone())))
            .collect();
        Self { crowd, stop, subscribers }
    }

    async fn until_told(&self) -> Result<()> {
        let start = Instant::now();
        while self.crowd.next.iter().any(|next| next.load(Ordering::Relaxed) == 0) {
            ensure!(start.elapsed() < Duration::from_secs(60), "a subscriber is told nothing");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn end(self) -> Vec<DeliveryRecord> {
        // Subscribers who are gone already need not be told.
        let _ = self.stop.send(true);
        join_all(self.subscribers).await.into_iter().filter_map(Result::ok).collect()
    }
}
