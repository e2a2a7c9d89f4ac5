//! The issuer's keys, kept. When to fetch them again is a pure decision; at most one fetch is under way at a time, and it is a task of
//! its own, so that it goes on when the caller who started it hangs up.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use governor::clock::{Clock, MonotonicClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::caller::Caller;
use super::discovery::{FetchError, KeySource, TIME_LIMIT};
use super::error::{AuthenticationError, CredentialsError};
use super::jws::Jws;
use super::key_set::{KeySet, VerifyError};
use super::verified_tokens::VerifiedTokens;
use crate::deadline::Deadline;
use crate::single_flight::{Cancellation, SingleFlight, Waiter};
use crate::telemetry::KeyMetrics;

/// Age at which keys are asked for again, while they serve on. A key that its issuer withdrew opens nothing after this.
const AGING: Duration = Duration::from_secs(10 * 60);

/// Age at which keys serve only if newer ones cannot be had. Keys get so old when nobody calls.
const STALE: Duration = Duration::from_secs(60 * 60);

/// Fetches for the sake of keys that are not in the set: so many at once, and then one in each pause. Anybody can make tokens that name
/// such keys, as many as they like; and if there were one fetch a minute only, the first of theirs would keep the next key that the
/// issuer really signs with out for as long.
const UNKNOWN_KEY_FETCHES: NonZeroU32 = NonZeroU32::new(3).unwrap();
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(20);

/// Time for which a failed fetch is not repeated while there are no keys at all: not by every call, and soon over once the issuer is back.
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// The same while there are keys that serve.
const PAUSE_WITH_KEYS: Duration = Duration::from_secs(10);

/// Cheap to clone: all clones share the keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: KeySource,
    metrics: KeyMetrics,
    keys: ArcSwapOption<FetchedKeys>,
    history: Mutex<History>,
    fetches: SingleFlight<(), ()>,
    unknown_key_fetches: DefaultDirectRateLimiter,
}

/// Keys with the tokens that they have verified: when the keys change, all of these are forgotten.
#[derive(Debug)]
struct FetchedKeys {
    set: KeySet,
    verified: VerifiedTokens,
    fetched_at: Instant,
}

/// Ends of the last fetches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct History {
    fetched_at: Option<Instant>,
    failed_at: Option<Instant>,
}

/// The need that comes of the age of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing: they are fresh.
    None,
    /// Nothing for now: the last fetch failed a moment ago.
    Pause,
    /// A fetch, which nobody waits for.
    Refresh,
    /// A fetch that is waited for.
    Fetch,
}

impl History {
    fn need(&self, now: Instant) -> Need {
        let within = |pause, at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < pause);
        if within(self.pause(), self.failed_at) {
            Need::Pause
        } else if !within(STALE, self.fetched_at) {
            Need::Fetch
        } else if !within(AGING, self.fetched_at) {
            Need::Refresh
        } else {
            Need::None
        }
    }

    fn pause(&self) -> Duration {
        if self.fetched_at.is_some() { PAUSE_WITH_KEYS } else { PAUSE_WITHOUT_KEYS }
    }

    /// The rest of the pause after a failed fetch, if the last one failed.
    fn retry_after(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.failed_at?);
        Some(self.pause().saturating_sub(since))
    }

    fn unavailable(&self) -> Option<AuthenticationError> {
        let retry_after = self.retry_after(Instant::now())?;
        Some(AuthenticationError::KeysUnavailable { retry_after })
    }
}

impl KeyCache {
    pub(crate) fn new(source: KeySource, metrics: KeyMetrics) -> Self {
        let quota = Quota::with_period(UNKNOWN_KEY_PAUSE).unwrap_or_else(|| Quota::per_minute(UNKNOWN_KEY_FETCHES));
        Self(Arc::new(Inner {
            source,
            metrics,
            keys: ArcSwapOption::empty(),
            history: Mutex::default(),
            // A caller who hangs up leaves the others their keys.
            fetches: SingleFlight::new(Cancellation::Never),
            unknown_key_fetches: RateLimiter::direct(quota.allow_burst(UNKNOWN_KEY_FETCHES)),
        }))
    }

    /// Fetches the keys, unless that was done. A failure is logged.
    pub(crate) async fn warm_up(&self) {
        if let Some(fetch) = self.fetch_for_age() {
            end_of(fetch).await;
        }
    }

    /// The caller of a token that these keys verified before and that has not ended at `now`. None once the keys are of an age at which
    /// they are asked for again, so that tokens of a key that was withdrawn come by there.
    pub(crate) fn verified_caller(&self, token: &str, now: f64) -> Option<Caller> {
        let keys = self.0.keys.load();
        let keys = keys.as_ref().filter(|keys| keys.fetched_at.elapsed() < AGING)?;
        keys.verified.caller(token, now)
    }

    /// Verifies that the issuer has signed the token, and gives back the tokens that its keys have verified.
    pub(crate) async fn verify(&self, token: &Jws<'_>) -> Result<VerifiedTokens, AuthenticationError> {
        let fetch = self.fetch_for_age();
        let has_waited = fetch.is_some();
        if let Some(fetch) = fetch {
            end_of(fetch).await;
        }
        let mut verified = self.verify_with_kept(token);
        if matches!(verified, Some(Err(VerifyError::UnknownKey))) && !has_waited {
            end_of(self.fetch_for_unknown_key()?).await;
            verified = self.verify_with_kept(token);
        }
        match verified {
            Some(Ok(verified)) => Ok(verified),
            Some(Err(VerifyError::Refused(error))) => Err(error.into()),
            // The key may be one that could not be fetched.
            Some(Err(VerifyError::UnknownKey)) => {
                Err(self.0.history.lock().unavailable().unwrap_or(CredentialsError::UnknownKey.into()))
            }
            None => {
                let unavailable = self.0.history.lock().unavailable();
                Err(unavailable.unwrap_or(AuthenticationError::KeysUnavailable { retry_after: PAUSE_WITHOUT_KEYS }))
            }
        }
    }

    fn verify_with_kept(&self, token: &Jws<'_>) -> Option<Result<VerifiedTokens, VerifyError>> {
        let keys = self.0.keys.load();
        let keys = keys.as_ref()?;
        Some(keys.set.verify(token).map(|()| keys.verified.clone()))
    }

    /// Starts a fetch if the keys are too old, or joins the one that is under way. Gives it back if it is to be waited for.
    fn fetch_for_age(&self) -> Option<Waiter<()>> {
        let need = self.0.history.lock().need(Instant::now());
        match need {
            Need::None | Need::Pause => None,
            Need::Refresh => {
                self.join_or_start();
                None
            }
            Need::Fetch => Some(self.join_or_start()),
        }
    }

    /// Starts a fetch, or joins the one that is under way, for the sake of a key that is not in the set.
    fn fetch_for_unknown_key(&self) -> Result<Waiter<()>, AuthenticationError> {
        let history = *self.0.history.lock();
        if history.need(Instant::now()) == Need::Pause
            && let Some(unavailable) = history.unavailable()
        {
            return Err(unavailable);
        }
        if let Some(fetch) = self.0.fetches.join(&(), deadline()) {
            return Ok(fetch);
        }
        self.0.unknown_key_fetches.check().map_err(|refused| {
            let retry_after = refused.wait_time_from(MonotonicClock.now());
            AuthenticationError::KeysUnavailable { retry_after }
        })?;
        Ok(self.join_or_start())
    }

    fn join_or_start(&self) -> Waiter<()> {
        let cache = self.clone();
        self.0.fetches.join_or_start(&(), deadline(), move |_| async move {
            let fetched = cache.0.source.fetch().await;
            cache.keep(fetched);
        })
    }

    /// Keeps what a fetch has brought; after a failure the old keys stay.
    fn keep(&self, fetched: Result<KeySet, FetchError>) {
        let mut history = self.0.history.lock();
        let now = Instant::now();
        self.0.metrics.fetched(fetched.as_ref().ok().map(KeySet::len));
        match fetched {
            Ok(set) => {
                let same = self.0.keys.load_full().filter(|kept| kept.set == set);
                tracing::debug!(keys = set.len(), changed = same.is_none(), "fetched the issuer's keys");
                let verified = same.map_or_else(VerifiedTokens::new, |kept| kept.verified.clone());
                self.0.keys.store(Some(Arc::new(FetchedKeys { set, verified, fetched_at: now })));
                *history = History { fetched_at: Some(now), failed_at: None };
            }
            Err(error) => {
                history.failed_at = Some(now);
                if history.fetched_at.is_some() {
                    tracing::warn!(%error, "cannot fetch the issuer's keys; the old ones stay in use");
                } else {
                    tracing::error!(%error, "cannot fetch the issuer's keys; access tokens cannot be verified until that succeeds");
                }
            }
        }
    }
}

/// A deadline that no fetch outlives. Callers have their own around it.
fn deadline() -> Deadline {
    Deadline::within(TIME_LIMIT * 2)
}

async fn end_of(fetch: Waiter<()>) {
    // An error means that the task is gone without a word: its runtime is shutting down.
    let _ = fetch.outcome(deadline()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn keys_are_asked_for_as_they_age_and_not_at_once_after_a_failure() {
        let now = Instant::now() + MINUTE * 600;
        let ago = |age: Duration| Some(now - age);
        for (fetched_at, failed_at, need) in [
            (None, None, Need::Fetch),
            (None, ago(SECOND / 2), Need::Pause),
            (None, ago(SECOND), Need::Fetch),
            (ago(SECOND), None, Need::None),
            (ago(MINUTE * 10), None, Need::Refresh),
            (ago(MINUTE * 60), None, Need::Fetch),
            // While the issuer is down the old keys serve.
            (ago(MINUTE * 60), ago(SECOND * 9), Need::Pause),
            (ago(MINUTE * 5), ago(SECOND * 9), Need::Pause),
            (ago(MINUTE * 5), ago(SECOND * 10), Need::None),
            (ago(MINUTE * 15), ago(SECOND * 10), Need::Refresh),
        ] {
            let history = History { fetched_at, failed_at };
            assert_eq!(history.need(now), need, "{history:?}");
        }
    }

    #[test]
    fn what_is_left_of_a_pause_is_told() {
        let now = Instant::now() + MINUTE;
        let failed = History { failed_at: Some(now - SECOND * 4), ..History::default() };
        assert_eq!(failed.retry_after(now), Some(Duration::ZERO));
        assert_eq!(History { fetched_at: Some(now - MINUTE), ..failed }.retry_after(now), Some(SECOND * 6));
        assert_eq!(History::default().retry_after(now), None);
    }
}
