//! A circuit breaker: while Auth0 fails it is left alone, and whoever asks is told so at once
//! instead of waiting for a deadline. There is one for each host, shared by everything that calls
//! it.

mod circuit;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::circuit::{Circuit, Permit};
use super::error::{Error, UnavailableReason};
use super::retry::RequestKind;

/// A timeout speaks against Auth0 only if it had this long to answer. A caller may ask for less
/// time than any answer takes, and must not shut out the others by that.
const FAIR_TIME: Duration = Duration::from_secs(3);

/// Auth0 gives up a search after this time and answers 503, as it documents. Measured from here it
/// is never less.
const SEARCH_TIME: Duration = Duration::from_secs(2);

/// State of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerStatus {
    /// Calls are made: all is well, or nothing is known to the contrary.
    Closed,
    /// Auth0 has been failing. No call is made.
    Open,
    /// Auth0 has been failing, and one call is to find out whether it still does.
    HalfOpen,
}

impl BreakerStatus {
    pub(crate) const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Auth0's health by one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// An answer of Auth0, if only to refuse.
    Alive,
    /// A failure of Auth0, or an answer of something else in its place.
    Failing,
    /// Neither can be said.
    Unknown,
}

impl Health {
    /// Judges an attempt by the error that it ended with, if any, and by the time that it took.
    pub(crate) fn of(error: Option<&Error>, kind: RequestKind, took: Duration) -> Self {
        match error {
            None | Some(Error::RateLimited { .. } | Error::Rejected { .. } | Error::Misconfigured { .. }) => {
                Self::Alive
            }
            // Not an attempt at all, or none that says something of Auth0.
            Some(
                Error::OverBudget { .. } | Error::Internal | Error::Crowded { .. } | Error::Disordered | Error::Lagged,
            ) => Self::Unknown,
            Some(Error::Timeout) if took < FAIR_TIME => Self::Unknown,
            Some(Error::Timeout) => Self::Failing,
            Some(Error::Unavailable(error)) => match error.reason {
                UnavailableReason::TooLarge | UnavailableReason::Blocked(_) => Self::Alive,
                // The search is to blame: a caller who insists on it must not shut out the others.
                UnavailableReason::Status(503) if kind == RequestKind::Search && took >= SEARCH_TIME => Self::Unknown,
                UnavailableReason::BreakerOpen => Self::Unknown,
                UnavailableReason::Connection
                | UnavailableReason::Interrupted
                | UnavailableReason::Status(_)
                | UnavailableReason::NotJson
                | UnavailableReason::Unexpected => Self::Failing,
            },
        }
    }
}

/// Cheap to clone: all clones are one breaker.
#[derive(Debug, Clone)]
pub(crate) struct Breaker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    circuit: Mutex<Circuit>,
    opened: Notify,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { circuit: Mutex::new(Circuit::new(Instant::now())), opened: Notify::new() }))
    }

    /// Asks for a permit for one attempt.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] while the breaker is open.
    pub(crate) fn admit(&self) -> Result<BreakerPermit, Error> {
        let permit =
            self.0.circuit.lock().admit(Instant::now()).ok_or(Error::unavailable(UnavailableReason::BreakerOpen))?;
        Ok(BreakerPermit { breaker: self.clone(), permit: Some(permit) })
    }

    pub(crate) fn status(&self) -> BreakerStatus {
        self.0.circuit.lock().status(Instant::now())
    }

    /// Waits until it opens, from now on: for whoever waits for something else before the attempt.
    pub(crate) fn opened(&self) -> impl Future<Output = ()> {
        self.0.opened.notified()
    }

    fn report(&self, permit: Permit, health: Health) {
        let now = Instant::now();
        let mut circuit = self.0.circuit.lock();
        let before = circuit.status(now);
        circuit.report(permit, health, now);
        let after = circuit.status(now);
        drop(circuit);
        if after == BreakerStatus::Open && before != after {
            self.0.opened.notify_waiters();
        }
        // A probe's failure is no news.
        match (before, after) {
            (BreakerStatus::Closed, BreakerStatus::Open) => {
                tracing::warn!("Auth0 has been failing: the gateway leaves it alone, but for a probe now and then");
            }
            (BreakerStatus::Open | BreakerStatus::HalfOpen, BreakerStatus::Closed) => {
                tracing::info!("Auth0 answers again");
            }
            _ => {}
        }
    }
}

/// A permit for one attempt. Dropping it, as a caller who hangs up does, says that nothing was learned.
#[derive(Debug)]
pub(crate) struct BreakerPermit {
    breaker: Breaker,
    /// Gone once it is handed back.
    permit: Option<Permit>,
}

impl BreakerPermit {
    /// Says what came of the attempt.
    pub(crate) fn report(mut self, health: Health) {
        self.hand_back(health);
    }

    fn hand_back(&mut self, health: Health) {
        if let Some(permit) = self.permit.take() {
            self.breaker.report(permit, health);
        }
    }
}

impl Drop for BreakerPermit {
    fn drop(&mut self) {
        self.hand_back(Health::Unknown);
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::MisconfigurationError;
    use super::*;

    #[test]
    fn health_is_read_from_how_an_attempt_ended() {
        let unavailable = |reason| Some(Error::unavailable(reason));
        let second = Duration::from_secs(1);
        let nothing = Duration::ZERO;
        for (error, kind, took, expected) in [
            (None, RequestKind::Read, nothing, Health::Alive),
            (Some(Error::RateLimited { retry_after: None }), RequestKind::Read, nothing, Health::Alive),
            (
                Some(Error::Rejected { message: String::new(), error_code: None }),
                RequestKind::Search,
                nothing,
                Health::Alive,
            ),
            (Some(Error::misconfigured(MisconfigurationError::NotFound)), RequestKind::Grant, nothing, Health::Alive),
            (unavailable(UnavailableReason::TooLarge), RequestKind::Read, nothing, Health::Alive),
            (unavailable(UnavailableReason::Blocked(403)), RequestKind::Read, nothing, Health::Alive),
            (unavailable(UnavailableReason::Connection), RequestKind::Read, nothing, Health::Failing),
            (unavailable(UnavailableReason::Interrupted), RequestKind::Read, nothing, Health::Failing),
            (unavailable(UnavailableReason::NotJson), RequestKind::Read, nothing, Health::Failing),
            (unavailable(UnavailableReason::Unexpected), RequestKind::Read, nothing, Health::Failing),
            (unavailable(UnavailableReason::Status(408)), RequestKind::Read, nothing, Health::Failing),
            (unavailable(UnavailableReason::Status(500)), RequestKind::Search, second * 5, Health::Failing),
            (unavailable(UnavailableReason::Status(503)), RequestKind::Read, second * 5, Health::Failing),
            (unavailable(UnavailableReason::Status(503)), RequestKind::Search, second, Health::Failing),
            (unavailable(UnavailableReason::Status(503)), RequestKind::Search, second * 2, Health::Unknown),
            (Some(Error::Timeout), RequestKind::Read, second * 2, Health::Unknown),
            (Some(Error::Timeout), RequestKind::Read, second * 3, Health::Failing),
        ] {
            assert_eq!(Health::of(error.as_ref(), kind, took), expected, "{error:?} {kind:?} {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_probe_does_not_wedge_it() -> Result<(), Error> {
        let breaker = Breaker::new();
        while breaker.status() == BreakerStatus::Closed {
            breaker.admit()?.report(Health::Failing);
        }
        assert!(
            matches!(breaker.admit(), Err(Error::Unavailable(error)) if error.reason == UnavailableReason::BreakerOpen)
        );

        tokio::time::advance(Duration::from_millis(500)).await;
        let probe = breaker.admit()?;
        assert!(breaker.admit().is_err(), "there is one probe at a time");
        drop(probe);
        breaker.admit()?.report(Health::Alive);
        assert_eq!(breaker.status(), BreakerStatus::Closed);
        Ok(())
    }
}
