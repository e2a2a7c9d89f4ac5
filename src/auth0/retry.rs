//! Retry policy: decides about another attempt. Pure: no clock is read and no die is cast here.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::{Error, UnavailableReason};

/// Attempts at one call, the first included. What a second try does not get past is seldom past
/// after a third, and each costs of a rate limit that may be two calls a second for the whole
/// tenant.
const ATTEMPTS: u32 = 3;

/// Attempts at a search that Auth0 answers with 503, which is what it documents for one that takes
/// longer than two seconds. The first may have warmed its caches; after the second, the search is
/// to blame.
const SEARCH_ATTEMPTS: u32 = 2;

/// The longest wait before the second attempt; each further one may wait twice as long. Failures at
/// the edge pass in a moment, and with the third attempt less than a second is spent on waiting.
const BACKOFF: Duration = Duration::from_millis(200);

/// The least that an answer takes. An attempt that has less time than this is a call thrown away,
/// and would hide what went wrong behind a timeout.
const ANSWER_TIME: Duration = Duration::from_millis(100);

/// First tries that pay for one retry: in an outage, retries add a tenth to the calls.
const FIRST_TRIES_PER_RETRY: u32 = 10;

/// Most retries that can be saved up. They are there when a gateway of few calls meets its first
/// failure, and they are all that an outage gets beyond its tenth.
const MOST_RETRIES_SAVED: u32 = 10;

/// Kinds of requests, as far as they matter for the meaning of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// A read of the Management API.
    Read,
    /// A read that searches. Auth0 gives it two seconds, then answers 503.
    Search,
    /// A request for an access token.
    Grant,
}

/// Number of attempts and the waits between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    /// Attempts at one call, the first included.
    pub(crate) attempts: u32,
    /// The longest wait before the second attempt, doubled before each further one.
    pub(crate) backoff: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: ATTEMPTS, backoff: BACKOFF }
    }
}

/// The prospects of the next attempt, by a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureClass {
    /// Auth0, or the way to it, failed: in a moment it may not.
    Transient,
    /// A search was answered with 503.
    Search,
    /// Auth0 answered 429, and nothing may be asked for this long.
    RateLimited { wait: Duration },
    /// The next attempt would fail alike, or there is no time for one.
    Permanent,
}

impl FailureClass {
    /// Judges a failure. `estimate` is the wait after a 429 without a `Retry-After`. The rate
    /// limit's `reset` is no such thing: it is when the whole bucket will be full again.
    pub(crate) fn of(error: &Error, kind: RequestKind, estimate: Duration) -> Self {
        match error {
            // Quotas on tokens are for minutes to a month: the token cache remembers them.
            Error::RateLimited { .. } if kind == RequestKind::Grant => Self::Permanent,
            Error::RateLimited { retry_after } => Self::RateLimited { wait: retry_after.unwrap_or(estimate) },
            Error::Unavailable(error) => match error.reason {
                UnavailableReason::Status(503) if kind == RequestKind::Search => Self::Search,
                UnavailableReason::Status(408 | 500..=599)
                | UnavailableReason::Connection
                | UnavailableReason::Interrupted
                | UnavailableReason::NotJson => Self::Transient,
                UnavailableReason::Status(_)
                | UnavailableReason::Blocked(_)
                | UnavailableReason::Unexpected
                | UnavailableReason::TooLarge
                | UnavailableReason::BreakerOpen => Self::Permanent,
            },
            Error::Timeout
            | Error::Rejected { .. }
            | Error::OverBudget { .. }
            | Error::Internal
            | Error::Misconfigured { .. }
            | Error::Crowded { .. }
            | Error::Disordered
            | Error::Lagged => Self::Permanent,
        }
    }

    /// The error to pass on when no other attempt is made: a rate limit's says when to come back,
    /// even if Auth0 did not.
    pub(crate) fn with_retry_after(self, error: Error) -> Error {
        match self {
            Self::RateLimited { wait } => Error::RateLimited { retry_after: Some(wait) },
            Self::Transient | Self::Search | Self::Permanent => error,
        }
    }
}

/// Decision after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// Try again, but not before this time has passed.
    RetryAfter(Duration),
    /// Pass the failure on.
    GiveUp,
}

impl RetryPolicy {
    /// Decides after the `attempt`th attempt, counted from 1. `remaining` is the time to the
    /// call's deadline, `random` is from 0 to 1.
    pub(crate) fn decide(&self, attempt: u32, failed: FailureClass, remaining: Duration, random: f64) -> RetryDecision {
        let backoff = self.backoff(attempt, random);
        let (most, wait) = match failed {
            FailureClass::Permanent => return RetryDecision::GiveUp,
            FailureClass::Transient => (self.attempts, backoff),
            FailureClass::Search => (self.attempts.min(SEARCH_ATTEMPTS), backoff),
            // On top of the wait, for all callers who were refused together were told the same.
            FailureClass::RateLimited { wait } => (self.attempts, wait.saturating_add(backoff)),
        };
        if attempt < most && wait.saturating_add(ANSWER_TIME) <= remaining {
            RetryDecision::RetryAfter(wait)
        } else {
            RetryDecision::GiveUp
        }
    }

    /// Any time up to the longest ("full jitter"), so that calls that failed together do not come
    /// back together.
    fn backoff(&self, attempt: u32, random: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        self.backoff.saturating_mul(1 << doublings).mul_f64(random.clamp(0.0, 1.0))
    }
}

/// Budget of retries, for all calls together. Each call's first try pays a share in and
/// each retry takes one out, so that an outage is met with little more than the calls that the
/// callers make themselves.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    /// Counted in first tries.
    balance: AtomicU32,
}

impl Default for RetryBudget {
    /// A full one.
    fn default() -> Self {
        Self { balance: AtomicU32::new(Self::MOST) }
    }
}

impl RetryBudget {
    const MOST: u32 = FIRST_TRIES_PER_RETRY * MOST_RETRIES_SAVED;

    /// Pays in for a first try.
    pub(crate) fn deposit(&self) {
        self.update(|balance| (balance < Self::MOST).then_some(balance + 1));
    }

    /// Takes one retry out, if there is one.
    pub(crate) fn withdraw(&self) -> bool {
        self.update(|balance| balance.checked_sub(FIRST_TRIES_PER_RETRY))
    }

    fn update(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        // The number guards no other memory.
        self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::MisconfigurationError;
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_failure_is_judged_by_what_the_next_attempt_may_bring() {
        let unavailable = Error::unavailable;
        let limited = |retry_after| Error::RateLimited { retry_after };
        let rejected = || Error::Rejected { message: String::new(), error_code: None };
        let wait = |milliseconds| FailureClass::RateLimited { wait: ms(milliseconds) };
        for (error, kind, expected) in [
            (unavailable(UnavailableReason::Connection), RequestKind::Read, FailureClass::Transient),
            (unavailable(UnavailableReason::Interrupted), RequestKind::Read, FailureClass::Transient),
            (unavailable(UnavailableReason::NotJson), RequestKind::Read, FailureClass::Transient),
            (unavailable(UnavailableReason::Status(408)), RequestKind::Read, FailureClass::Transient),
            (unavailable(UnavailableReason::Status(500)), RequestKind::Search, FailureClass::Transient),
            (unavailable(UnavailableReason::Status(503)), RequestKind::Read, FailureClass::Transient),
            (unavailable(UnavailableReason::Status(503)), RequestKind::Grant, FailureClass::Transient),
            (unavailable(UnavailableReason::Status(503)), RequestKind::Search, FailureClass::Search),
            (unavailable(UnavailableReason::Status(599)), RequestKind::Read, FailureClass::Transient),
            (unavailable(UnavailableReason::Status(600)), RequestKind::Read, FailureClass::Permanent),
            (unavailable(UnavailableReason::Blocked(403)), RequestKind::Read, FailureClass::Permanent),
            (unavailable(UnavailableReason::Unexpected), RequestKind::Read, FailureClass::Permanent),
            (unavailable(UnavailableReason::TooLarge), RequestKind::Read, FailureClass::Permanent),
            (unavailable(UnavailableReason::BreakerOpen), RequestKind::Read, FailureClass::Permanent),
            (limited(Some(ms(2_000))), RequestKind::Read, wait(2_000)),
            (limited(Some(ms(0))), RequestKind::Search, wait(0)),
            (limited(None), RequestKind::Search, wait(700)),
            (limited(Some(ms(2_000))), RequestKind::Grant, FailureClass::Permanent),
            (limited(None), RequestKind::Grant, FailureClass::Permanent),
            (Error::Timeout, RequestKind::Read, FailureClass::Permanent),
            (rejected(), RequestKind::Search, FailureClass::Permanent),
            (Error::misconfigured(MisconfigurationError::Redirected(302)), RequestKind::Read, FailureClass::Permanent),
            (Error::misconfigured(MisconfigurationError::ClientRefused), RequestKind::Grant, FailureClass::Permanent),
        ] {
            assert_eq!(FailureClass::of(&error, kind, ms(700)), expected, "{error:?} {kind:?}");
        }
    }

    #[test]
    fn the_policy_in_a_table() {
        use RetryDecision::{GiveUp, RetryAfter};
        let policy = RetryPolicy { attempts: 3, backoff: ms(200) };
        let limited = |milliseconds| FailureClass::RateLimited { wait: ms(milliseconds) };
        let second = ms(1_000);
        for (attempt, failed, remaining, random, expected) in [
            // Up to twice as long each time, and not a fourth time.
            (1, FailureClass::Transient, second, 0.0, RetryAfter(ms(0))),
            (1, FailureClass::Transient, second, 0.5, RetryAfter(ms(100))),
            (1, FailureClass::Transient, second, 1.0, RetryAfter(ms(200))),
            (2, FailureClass::Transient, second, 1.0, RetryAfter(ms(400))),
            (3, FailureClass::Transient, second, 0.0, GiveUp),
            // Only when an answer can come in time.
            (1, FailureClass::Transient, ms(300), 1.0, RetryAfter(ms(200))),
            (1, FailureClass::Transient, ms(299), 1.0, GiveUp),
            (1, FailureClass::Transient, Duration::ZERO, 0.0, GiveUp),
            // A search is tried once more.
            (1, FailureClass::Search, second, 0.5, RetryAfter(ms(100))),
            (2, FailureClass::Search, second, 0.5, GiveUp),
            // A rate limit's wait is kept to, or not begun.
            (1, limited(2_000), ms(2_100), 0.0, RetryAfter(ms(2_000))),
            (1, limited(2_000), ms(2_100), 0.1, GiveUp),
            (2, limited(500), second, 0.5, RetryAfter(ms(700))),
            (3, limited(0), second, 0.0, GiveUp),
            (1, FailureClass::RateLimited { wait: Duration::MAX }, Duration::MAX, 1.0, RetryAfter(Duration::MAX)),
            (1, FailureClass::Permanent, second, 0.0, GiveUp),
        ] {
            let decision = policy.decide(attempt, failed, remaining, random);
            assert_eq!(decision, expected, "{attempt} {failed:?} {remaining:?} {random}");
        }
    }

    #[test]
    fn a_budget_holds_what_first_tries_have_paid_in() {
        let budget = RetryBudget::default();
        let withdrawn = || (0..1_000).filter(|_| budget.withdraw()).count();
        let deposit = |count| (0..count).for_each(|_| budget.deposit());
        assert_eq!(withdrawn(), 10, "what is there at the start");
        deposit(9);
        assert_eq!(withdrawn(), 0);
        deposit(1);
        assert_eq!(withdrawn(), 1);
        deposit(10_000);
        assert_eq!(withdrawn(), 10, "good times are not saved up for a storm");
    }
}
