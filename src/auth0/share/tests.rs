use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::yield_now;

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
    fn call(
        &self,
    ) -> (oneshot::Sender<Result<u32, Error>>, impl Future<Output = Result<u32, Error>> + Send + 'static + use<>) {
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

fn join(
    flights: &Flights<u32>,
    key: &str,
    deadline: Deadline,
    is_fresh: bool,
    call: impl Future<Output = Result<u32, Error>> + Send + 'static,
) -> tokio::task::JoinHandle<(Part, Result<u32, Error>)> {
    let (flights, key) = (flights.clone(), Key::of(key));
    tokio::spawn(async move { flights.share(&key, deadline, is_fresh, |_| call).await })
}

#[tokio::test]
async fn identical_calls_are_one() {
    let (flights, calls) = (Flights::default(), Calls::default());
    let (end, call) = calls.call();
    let first = join(&flights, "a", deadline(5), false, call);
    settle().await;
    let others: Vec<_> = (0..10).map(|_| join(&flights, "a", deadline(5), false, calls.call().1)).collect();
    let (end_other, call) = calls.call();
    let other = join(&flights, "b", deadline(5), false, call);
    settle().await;
    assert_eq!(calls.begun(), 2);
    end.send(Ok(1)).unwrap();
    end_other.send(Ok(2)).unwrap();
    assert!(matches!(first.await.unwrap(), (Part::Started, Ok(1))));
    assert!(matches!(other.await.unwrap(), (Part::Started, Ok(2))));
    for waiter in others {
        assert!(matches!(waiter.await.unwrap(), (Part::Joined, Ok(1))));
    }
    assert_eq!(flights.in_flight(), 0);
}

#[tokio::test]
async fn whoever_started_a_call_may_leave() {
    let (flights, calls) = (Flights::default(), Calls::default());
    let (end, call) = calls.call();
    let first = join(&flights, "a", deadline(5), false, call);
    settle().await;
    let second = join(&flights, "a", deadline(5), false, calls.call().1);
    settle().await;
    first.abort();
    settle().await;
    end.send(Ok(1)).unwrap();
    assert!(matches!(second.await.unwrap(), (Part::Joined, Ok(1))));
}

#[tokio::test]
async fn the_last_to_leave_cancels_the_call() {
    let (flights, calls) = (Flights::default(), Calls::default());
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
    end.send(Ok(3)).unwrap();
    assert!(matches!(next.await.unwrap(), (Part::Started, Ok(3))));
}

#[tokio::test(start_paused = true)]
async fn each_waiter_has_a_deadline_of_its_own() {
    let (flights, calls) = (Flights::default(), Calls::default());
    let (end, call) = calls.call();
    let hasty = join(&flights, "a", deadline(1), false, call);
    settle().await;
    let patient = join(&flights, "a", deadline(9), false, calls.call().1);
    assert!(matches!(hasty.await.unwrap(), (Part::Started, Err(Error::Timeout))));
    end.send(Ok(1)).unwrap();
    assert!(matches!(patient.await.unwrap(), (Part::Joined, Ok(1))));
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_for_as_long_as_the_most_patient_waits() {
    let patience = Patience::from(deadline(1));
    let extended = patience.clone();
    let (end, ended) = oneshot::channel();
    let waiting = tokio::spawn(async move { patience.limit(ended).await });
    settle().await;
    extended.extend(deadline(5));
    tokio::time::sleep(Duration::from_secs(3)).await;
    end.send(7).unwrap();
    assert!(matches!(waiting.await.unwrap(), Ok(Ok(7))));
    let in_vain = Patience::from(deadline(1)).limit(std::future::pending::<()>()).await;
    assert!(matches!(in_vain, Err(Error::Timeout)));
}

#[tokio::test]
async fn a_fresh_answer_is_never_from_before_the_question() {
    let (flights, calls) = (Flights::default(), Calls::default());
    let (end_old, call) = calls.call();
    let old = join(&flights, "a", deadline(5), false, call);
    settle().await;
    let (end_fresh, call) = calls.call();
    let fresh = join(&flights, "a", deadline(5), true, call);
    settle().await;
    let late = join(&flights, "a", deadline(5), false, calls.call().1);
    settle().await;
    end_old.send(Ok(1)).unwrap();
    settle().await;
    end_fresh.send(Ok(2)).unwrap();
    assert!(matches!(old.await.unwrap(), (Part::Started, Ok(1))));
    assert!(matches!(fresh.await.unwrap(), (Part::Started, Ok(2))));
    assert!(matches!(late.await.unwrap(), (Part::Joined, Ok(2))));
    assert_eq!((calls.begun(), flights.in_flight()), (2, 0));
}

#[tokio::test]
async fn an_error_is_shared_and_not_kept() {
    let (flights, calls) = (Flights::default(), Calls::default());
    let (end, call) = calls.call();
    let waiters =
        [join(&flights, "a", deadline(5), false, call), join(&flights, "a", deadline(5), false, calls.call().1)];
    settle().await;
    end.send(Err(Error::unavailable(Reason::Connection))).unwrap();
    for waiter in waiters {
        assert!(matches!(waiter.await.unwrap().1, Err(Error::Unavailable(_))));
    }
    let (end, call) = calls.call();
    let next = join(&flights, "a", deadline(5), false, call);
    settle().await;
    end.send(Ok(2)).unwrap();
    assert!(matches!(next.await.unwrap(), (Part::Started, Ok(2))));
}

#[tokio::test]
async fn a_call_that_panics_wedges_nobody() {
    let flights = Flights::default();
    let outcome = join(&flights, "a", deadline(5), false, async { panic!("on purpose") }).await.unwrap().1;
    assert!(matches!(outcome, Err(Error::Unavailable(_))));
    assert_eq!(flights.in_flight(), 0);
}
