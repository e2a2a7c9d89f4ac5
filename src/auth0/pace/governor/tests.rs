//! The governor on tokio's paused clock: nobody is lost, whoever goes away.

use std::pin::pin;
use std::task::Poll;

use futures_util::poll;
use reqwest::header::{DATE, HeaderValue};
use tokio::runtime;

use super::super::{CallerKey, Priority, RateClass, RequestHash, ReservationKey};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const ANNA: CallerKey = CallerKey(1);
const BELA: CallerKey = CallerKey(2);

fn governor() -> Governor {
    Governor::new(PaceSettings { reserve: 0.0, queue: 100 })
}

/// Headers of a free tenant.
fn headers(remaining: u32) -> HeaderMap {
    [("x-ratelimit-limit", 2), ("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", 1_800_000_001)]
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from(value)))
        .chain([(DATE, HeaderValue::from_static("Fri, 15 Jan 2027 08:00:00 GMT"))])
        .collect()
}

fn turn(caller: CallerKey) -> PaceRequest {
    PaceRequest {
        class: RateClass::Users,
        reservation: ReservationKey { caller, request: RequestHash::of("") },
        priority: Priority::Interactive,
    }
}

async fn admit(governor: &Governor, caller: CallerKey, deadline: Duration) -> Result<PacePermit, PaceError> {
    governor.admit(turn(caller), Deadline::within(deadline)).await
}

/// A governor that knows its bucket, and knows it to be empty.
async fn drained() -> Governor {
    let governor = governor();
    for remaining in [1, 0] {
        let call = admit(&governor, ANNA, SECOND).await.unwrap();
        assert_eq!(call.waited(), Duration::ZERO);
        call.answered(StatusCode::OK, &headers(remaining));
    }
    governor
}

fn queued(governor: &Governor) -> usize {
    governor.buckets().iter().map(|bucket| bucket.queued).sum()
}

#[tokio::test(start_paused = true)]
async fn one_call_finds_out_for_all() {
    let governor = governor();
    let first = admit(&governor, ANNA, SECOND).await.unwrap();
    let mut second = pin!(admit(&governor, BELA, SECOND));
    assert!(poll!(&mut second).is_pending());
    assert_eq!(governor.buckets(), []);
    first.answered(StatusCode::OK, &headers(1));
    let Poll::Ready(Ok(_second)) = poll!(&mut second) else { panic!("one more may go") };
    let [bucket] = &governor.buckets()[..] else { panic!("one bucket") };
    assert_eq!((bucket.limit, bucket.remaining), (2, 0.0));
    assert_eq!(bucket.classes, [RateClass::Users]);
}

#[tokio::test(start_paused = true)]
async fn when_the_one_that_finds_out_fails_the_next_one_goes() {
    let governor = governor();
    let first = admit(&governor, ANNA, SECOND).await.unwrap();
    let mut second = pin!(admit(&governor, BELA, SECOND));
    let mut third = pin!(admit(&governor, BELA, SECOND));
    assert!(poll!(&mut second).is_pending());
    assert!(poll!(&mut third).is_pending());
    drop(first);
    let Poll::Ready(Ok(second)) = poll!(&mut second) else { panic!("its turn") };
    assert!(poll!(&mut third).is_pending());
    // Errors carry no limits, so that this says nothing.
    second.answered(StatusCode::NOT_FOUND, &HeaderMap::new());
    assert!(matches!(poll!(&mut third), Poll::Ready(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn without_limits_nobody_waits_until_there_is_one() {
    let governor = governor();
    admit(&governor, ANNA, SECOND).await.unwrap().answered(StatusCode::OK, &HeaderMap::new());
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(admit(&governor, ANNA, SECOND).await.unwrap());
    }
    assert!(calls.iter().all(|call| call.waited().is_zero()));
    let closed = calls.pop().unwrap().limited(None);
    assert_eq!(closed, SECOND);
    // This one was on its way before.
    calls.pop().unwrap().answered(StatusCode::OK, &HeaderMap::new());
    assert_eq!(admit(&governor, ANNA, SECOND / 2).await.err(), Some(PaceError { retry_after: SECOND }));
    assert_eq!(admit(&governor, ANNA, 2 * SECOND).await.unwrap().waited().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_waited_for() {
    let governor = drained().await;
    let start = Instant::now();
    let call = admit(&governor, BELA, 10 * SECOND).await.unwrap();
    // Two were seen to come back within the second.
    assert_eq!(call.waited().as_millis(), start.elapsed().as_millis());
    assert!(call.waited() > SECOND / 3 && call.waited() < 2 * SECOND, "{:?}", call.waited());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_in_time_is_refused_at_once() {
    let governor = drained().await;
    let start = Instant::now();
    let refused = admit(&governor, BELA, SECOND / 10).await.err().expect("too soon");
    assert_eq!(start.elapsed(), Duration::ZERO);
    tokio::time::advance(refused.retry_after).await;
    assert_eq!(admit(&governor, BELA, SECOND / 10).await.unwrap().waited(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_in_the_queue_is_kept() {
    let governor = governor();
    let _unanswered = admit(&governor, ANNA, SECOND).await.unwrap();
    let start = Instant::now();
    assert!(admit(&governor, BELA, 3 * SECOND).await.is_err());
    // Timers count in milliseconds.
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_429_closes_the_bucket_for_as_long_as_it_says() {
    let governor = drained().await;
    let call = admit(&governor, ANNA, 10 * SECOND).await.unwrap();
    let mut hasty = pin!(admit(&governor, BELA, 4 * SECOND));
    let mut patient = pin!(admit(&governor, BELA, 20 * SECOND));
    assert!(poll!(&mut hasty).is_pending());
    assert!(poll!(&mut patient).is_pending());

    let start = Instant::now();
    assert_eq!(call.limited(Some(5 * SECOND)), 5 * SECOND);
    // It would wait in vain.
    let Poll::Ready(Err(refused)) = poll!(&mut hasty) else { panic!("refused at once") };
    assert!(refused.retry_after >= 5 * SECOND);
    assert!(patient.await.is_ok());
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_away_leaves_the_queue() {
    let governor = drained().await;
    {
        let mut gone = pin!(admit(&governor, ANNA, 10 * SECOND));
        assert!(poll!(&mut gone).is_pending());
        assert_eq!(queued(&governor), 1);
    }
    assert_eq!(queued(&governor), 0);
}

#[tokio::test(start_paused = true)]
async fn leave_that_nobody_took_goes_to_the_next() {
    let governor = drained().await;
    let start = Instant::now();
    let mut next = pin!(admit(&governor, BELA, 10 * SECOND));
    {
        let mut gone = pin!(admit(&governor, ANNA, 10 * SECOND));
        assert!(poll!(&mut gone).is_pending());
        assert!(poll!(&mut next).is_pending());
        // The first turn comes while nobody looks.
        while queued(&governor) == 2 {
            tokio::time::advance(Duration::from_millis(10)).await;
            tokio::task::yield_now().await;
        }
    }
    let first = start.elapsed();
    assert!(next.await.is_ok());
    assert_eq!(start.elapsed(), first);
}

#[test]
fn whoever_waits_starts_the_timer_that_went_down_with_its_runtime() {
    let runtime = || runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (here, elsewhere) = (runtime(), runtime());
    let governor = here.block_on(drained());
    // The timer is started where the first waiter is.
    let _first = elsewhere.block_on(async { governor.ask(turn(ANNA), Deadline::within(9 * SECOND)).unwrap() });
    here.block_on(async {
        let mut second = pin!(admit(&governor, BELA, 9 * SECOND));
        assert!(poll!(&mut second).is_pending());
        elsewhere.shutdown_background();
        assert!(second.await.is_ok());
    });
}

#[test]
fn to_end_a_call_needs_no_runtime() {
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let governor = governor();
    let call = runtime.block_on(admit(&governor, ANNA, SECOND)).unwrap();
    drop(runtime);
    drop(call);
}
