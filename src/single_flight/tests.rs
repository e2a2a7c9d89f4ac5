use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};

use super::*;

/// Calls that end when told to.
#[derive(Clone, Default)]
struct Calls {
    begun: Arc<AtomicU32>,
    cancelled: Arc<AtomicU32>,
}

struct CountsCancellation(Option<Arc<AtomicU32>>);

impl Drop for CountsCancellation {
    fn drop(&mut self) {
        if let Some(cancelled) = self.0.take() {
            cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Calls {
    /// A call, and the means to end it.
    fn call(&self) -> (oneshot::Sender<u32>, impl Future<Output = u32> + Send + 'static + use<>) {
        let (end, ended) = oneshot::channel();
        let Self { begun, cancelled } = self.clone();
        let call = async move {
            begun.fetch_add(1, Ordering::SeqCst);
            let mut guard = CountsCancellation(Some(cancelled));
            let outcome = ended.await.unwrap();
            guard.0 = None;
            outcome
        };
        (end, call)
    }

    fn begun(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }
}

fn deadline(seconds: u64) -> Deadline {
    Deadline::within(Duration::from_secs(seconds))
}

/// Lets every task that can go on do so.
async fn settle() {
    for _ in 0..16 {
        yield_now().await;
    }
}

type SharedCalls = SingleFlight<&'static str, u32>;

fn flights() -> SharedCalls {
    SingleFlight::new(Cancellation::WithLastWaiter)
}

fn join(
    flights: &SharedCalls,
    key: &'static str,
    deadline: Deadline,
    bypass_cache: bool,
    call: impl Future<Output = u32> + Send + 'static,
) -> JoinHandle<(Role, Result<u32, FlightError>)> {
    let flights = flights.clone();
    tokio::spawn(async move {
        let waiter = if bypass_cache {
            flights.start(&key, deadline, |_| call)
        } else {
            flights.join_or_start(&key, deadline, |_| call)
        };
        (waiter.role, waiter.outcome(deadline).await)
    })
}

#[tokio::test]
async fn identical_calls_are_one() {
    let (flights, calls) = (flights(), Calls::default());
    let (end, call) = calls.call();
    let first = join(&flights, "a", deadline(5), false, call);
    settle().await;
    let others: Vec<_> = (0..10).map(|_| join(&flights, "a", deadline(5), false, calls.call().1)).collect();
    let (end_other, call) = calls.call();
    let other = join(&flights, "b", deadline(5), false, call);
    settle().await;
    assert_eq!(calls.begun(), 2);
    end.send(1).unwrap();
    end_other.send(2).unwrap();
    assert!(matches!(first.await.unwrap(), (Role::Started, Ok(1))));
    assert!(matches!(other.await.unwrap(), (Role::Started, Ok(2))));
    for waiter in others {
        assert!(matches!(waiter.await.unwrap(), (Role::Joined, Ok(1))));
    }
    assert_eq!(flights.in_flight(), 0);
}

#[tokio::test]
async fn whoever_started_a_call_may_leave() {
    let (flights, calls) = (flights(), Calls::default());
    let (end, call) = calls.call();
    let first = join(&flights, "a", deadline(5), false, call);
    settle().await;
    let second = join(&flights, "a", deadline(5), false, calls.call().1);
    settle().await;
    first.abort();
    settle().await;
    end.send(1).unwrap();
    assert!(matches!(second.await.unwrap(), (Role::Joined, Ok(1))));
}

#[tokio::test]
async fn the_last_to_leave_cancels_the_call() {
    let (flights, calls) = (flights(), Calls::default());
    let (_end, call) = calls.call();
    let waiters =
        [join(&flights, "a", deadline(5), false, call), join(&flights, "a", deadline(5), false, calls.call().1)];
    settle().await;
    for (waiter, cancelled) in waiters.iter().zip([0, 1]) {
        waiter.abort();
        settle().await;
        assert_eq!(calls.cancelled.load(Ordering::SeqCst), cancelled);
    }
    assert_eq!(flights.in_flight(), 0);
    // And the next one is not taken for a latecomer.
    let (end, call) = calls.call();
    let next = join(&flights, "a", deadline(5), false, call);
    settle().await;
    end.send(3).unwrap();
    assert!(matches!(next.await.unwrap(), (Role::Started, Ok(3))));
}

#[tokio::test(start_paused = true)]
async fn each_waiter_has_a_deadline_of_its_own() {
    let (flights, calls) = (flights(), Calls::default());
    let (end, call) = calls.call();
    let hasty = join(&flights, "a", deadline(1), false, call);
    settle().await;
    let patient = join(&flights, "a", deadline(9), false, calls.call().1);
    assert!(matches!(hasty.await.unwrap(), (Role::Started, Err(FlightError::Elapsed(Elapsed)))));
    end.send(1).unwrap();
    assert!(matches!(patient.await.unwrap(), (Role::Joined, Ok(1))));
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_for_as_long_as_the_most_patient_waits() {
    let shared = SharedDeadline::from(deadline(1));
    let extended = shared.clone();
    let (end, ended) = oneshot::channel();
    let waiting = tokio::spawn(async move { shared.limit(ended).await });
    settle().await;
    extended.extend(deadline(5));
    tokio::time::sleep(Duration::from_secs(3)).await;
    end.send(7).unwrap();
    assert!(matches!(waiting.await.unwrap(), Ok(Ok(7))));
    let in_vain = SharedDeadline::from(deadline(1)).limit(std::future::pending::<()>()).await;
    assert_eq!(in_vain, Err(Elapsed));
}

#[tokio::test]
async fn a_fresh_answer_is_never_from_before_the_question() {
    let (flights, calls) = (flights(), Calls::default());
    let (end_old, call) = calls.call();
    let old = join(&flights, "a", deadline(5), false, call);
    settle().await;
    let (end_fresh, call) = calls.call();
    let fresh = join(&flights, "a", deadline(5), true, call);
    settle().await;
    let late = join(&flights, "a", deadline(5), false, calls.call().1);
    settle().await;
    end_old.send(1).unwrap();
    settle().await;
    end_fresh.send(2).unwrap();
    assert!(matches!(old.await.unwrap(), (Role::Started, Ok(1))));
    assert!(matches!(fresh.await.unwrap(), (Role::Started, Ok(2))));
    assert!(matches!(late.await.unwrap(), (Role::Joined, Ok(2))));
    assert_eq!((calls.begun(), flights.in_flight()), (2, 0));
}

#[tokio::test]
async fn an_outcome_is_shared_and_not_kept() {
    let (flights, calls) = (flights(), Calls::default());
    for outcome in [1, 2] {
        let (end, call) = calls.call();
        let waiters =
            [join(&flights, "a", deadline(5), false, call), join(&flights, "a", deadline(5), false, calls.call().1)];
        settle().await;
        end.send(outcome).unwrap();
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap().1, Ok(outcome));
        }
    }
    assert_eq!(calls.begun(), 2);
}

#[tokio::test]
async fn what_is_never_cancelled_goes_on_without_a_waiter_and_is_joined() {
    let (flights, calls) = (SharedCalls::new(Cancellation::Never), Calls::default());
    let (end, call) = calls.call();
    drop(flights.join_or_start(&"a", deadline(5), |_| call));
    settle().await;
    let late = join(&flights, "a", deadline(5), false, calls.call().1);
    settle().await;
    end.send(7).unwrap();
    assert!(matches!(late.await.unwrap(), (Role::Joined, Ok(7))));
    assert_eq!((calls.begun(), calls.cancelled.load(Ordering::SeqCst), flights.in_flight()), (1, 0, 0));
}

#[tokio::test]
async fn a_call_that_panics_wedges_nobody_and_is_told_apart_from_one_that_was_interrupted() {
    let flights = flights();
    let outcome = join(&flights, "a", deadline(5), false, async { panic!("on purpose") }).await.unwrap().1;
    assert_eq!(outcome, Err(FlightError::Panicked));
    assert_eq!(flights.in_flight(), 0);
}
