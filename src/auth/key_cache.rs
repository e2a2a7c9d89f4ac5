//! The issuer's keys, kept. When to ask for them again is a pure decision; at most one fetch is under way at a time, and it is a task of
//! its own, so that it goes on when the caller who started it hangs up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::Instant;

use super::discovery::{FetchError, KeySource};
use super::fault::{Fault, Rejection};
use super::jws::Jws;
use super::key_set::{KeySet, Verdict};

/// Age at which keys are asked for again, while they serve on. A key that its issuer withdrew opens nothing after this and the five
/// minutes for which tokens are remembered.
const AGING: Duration = Duration::from_secs(10 * 60);

/// Age at which keys serve only if newer ones cannot be had. Keys get so old when nobody calls.
const STALE: Duration = Duration::from_secs(60 * 60);

/// Least time between two fetches because of keys that are not in the set. Anybody can make such tokens, as many as they like; after a
/// rotation one fetch is enough.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(60);

/// How long a failed fetch is remembered while there are no keys at all: not by every call, and soon over once the issuer is back.
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// The same while there are keys that serve.
const PAUSE_WITH_KEYS: Duration = Duration::from_secs(10);

/// Cheap to clone: all clones share the keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: KeySource,
    /// Written only while `state` is locked.
    keys: ArcSwapOption<KeySet>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    history: History,
    in_flight: Option<Flight>,
    /// Whether somebody waits for a key that was not in the set.
    for_unknown_key: bool,
}

/// Becomes true when a fetch has ended.
type Flight = watch::Receiver<bool>;

/// When keys were asked for, and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct History {
    fetched_at: Option<Instant>,
    /// The end of the last fetch, if it failed.
    failed_at: Option<Instant>,
    /// The end of the last successful fetch for the sake of an unknown key.
    unknown_at: Option<Instant>,
}

/// What to do before a token is judged for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing.
    Settle,
    /// See that newer keys are on their way.
    Refresh,
    /// Wait for newer keys.
    Wait,
}

impl History {
    fn next(&self, is_unknown_key: bool, now: Instant) -> Next {
        let within = |pause, at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < pause);
        let fresh = |age| within(age, self.fetched_at);
        if within(self.pause(), self.failed_at) {
            Next::Settle
        } else if !fresh(STALE) || is_unknown_key && !within(UNKNOWN_KEY_PAUSE, self.unknown_at) {
            Next::Wait
        } else if !fresh(AGING) {
            Next::Refresh
        } else {
            Next::Settle
        }
    }

    fn pause(&self) -> Duration {
        if self.fetched_at.is_some() { PAUSE_WITH_KEYS } else { PAUSE_WITHOUT_KEYS }
    }

    /// When to try again, if the last fetch failed.
    fn retry_after(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.failed_at?);
        Some(self.pause().saturating_sub(since))
    }
}

impl KeyCache {
    pub(crate) fn new(source: KeySource) -> Self {
        Self(Arc::new(Inner { source, keys: ArcSwapOption::empty(), state: Mutex::default() }))
    }

    /// Fetches the keys, unless that was done. A failure is logged.
    pub(crate) async fn warm_up(&self) {
        if let Some(flight) = self.prepare(None) {
            land(flight).await;
        }
    }

    /// Whether the issuer has signed the token.
    pub(crate) async fn verify(&self, token: &Jws<'_>) -> Result<(), Rejection> {
        let mut verdict = self.judge(token);
        if let Some(flight) = self.prepare(verdict) {
            land(flight).await;
            verdict = self.judge(token);
        }
        match verdict {
            Some(Verdict::Signed) => Ok(()),
            Some(Verdict::Refused(fault)) => Err(fault.into()),
            // The key may be one that could not be fetched.
            Some(Verdict::UnknownKey) => Err(self.unavailable().unwrap_or(Fault::UnknownKey.into())),
            None => Err(self.unavailable().unwrap_or(Rejection::Unavailable { retry_after: PAUSE_WITHOUT_KEYS })),
        }
    }

    /// What the keys at hand say, if there are any.
    fn judge(&self, token: &Jws<'_>) -> Option<Verdict> {
        self.0.keys.load().as_ref().map(|keys| keys.judge(token))
    }

    fn unavailable(&self) -> Option<Rejection> {
        let retry_after = self.lock().history.retry_after(Instant::now())?;
        Some(Rejection::Unavailable { retry_after })
    }

    /// Starts a fetch, or joins the one that is under way, if the keys at hand will not do. Gives back what is to be waited for.
    fn prepare(&self, verdict: Option<Verdict>) -> Option<Flight> {
        let mut state = self.lock();
        let is_unknown_key = verdict == Some(Verdict::UnknownKey);
        let next = state.history.next(is_unknown_key, Instant::now());
        if next == Next::Settle {
            return None;
        }
        state.for_unknown_key |= is_unknown_key && next == Next::Wait;
        // One whose sender is gone will never land: its task went down with its runtime.
        let under_way = state.in_flight.clone().filter(|flight| flight.has_changed().is_ok());
        let flight = under_way.unwrap_or_else(|| {
            let (landing, flight) = watch::channel(false);
            state.in_flight = Some(flight.clone());
            let cache = self.clone();
            tokio::spawn(async move {
                let fetched = cache.0.source.fetch().await;
                cache.keep(fetched);
                landing.send_replace(true);
            });
            flight
        });
        (next == Next::Wait).then_some(flight)
    }

    /// Keeps what a fetch has brought; after a failure the old keys stay.
    fn keep(&self, fetched: Result<KeySet, FetchError>) {
        let mut state = self.lock();
        let now = Instant::now();
        state.in_flight = None;
        let for_unknown_key = std::mem::take(&mut state.for_unknown_key);
        match fetched {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), for_unknown_key, "fetched the issuer's keys");
                self.0.keys.store(Some(Arc::new(keys)));
                let unknown_at = if for_unknown_key { Some(now) } else { state.history.unknown_at };
                state.history = History { fetched_at: Some(now), failed_at: None, unknown_at };
            }
            Err(error) => {
                state.history.failed_at = Some(now);
                if state.history.fetched_at.is_some() {
                    tracing::warn!(%error, "cannot fetch the issuer's keys; the old ones stay in use");
                } else {
                    tracing::error!(%error, "cannot fetch the issuer's keys; access tokens cannot be verified until that succeeds");
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn land(mut flight: Flight) {
    // An error means that the task is gone without a word: its runtime is shutting down.
    let _ = flight.wait_for(|landed| *landed).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn keys_are_asked_for_when_they_age_and_when_one_is_missing() {
        let now = Instant::now() + MINUTE * 600;
        let ago = |age: Duration| Some(now - age);
        let history = |fetched_at, failed_at, unknown_at| History { fetched_at, failed_at, unknown_at };
        for (history, for_known, for_unknown) in [
            // At the start, and while the issuer is down.
            (history(None, None, None), Next::Wait, Next::Wait),
            (history(None, ago(SECOND / 2), None), Next::Settle, Next::Settle),
            (history(None, ago(SECOND), None), Next::Wait, Next::Wait),
            // Fresh keys. Those who ask for an unknown one make no more than one fetch a minute.
            (history(ago(SECOND), None, None), Next::Settle, Next::Wait),
            (history(ago(MINUTE / 2), None, ago(MINUTE / 2)), Next::Settle, Next::Settle),
            (history(ago(MINUTE), None, ago(MINUTE)), Next::Settle, Next::Wait),
            // A refresh of another reason does not put the next one for an unknown key off.
            (history(ago(SECOND), None, ago(MINUTE * 2)), Next::Settle, Next::Wait),
            // Older ones.
            (history(ago(MINUTE * 10), None, None), Next::Refresh, Next::Wait),
            (history(ago(MINUTE * 10), None, ago(SECOND)), Next::Refresh, Next::Refresh),
            (history(ago(MINUTE * 60), None, None), Next::Wait, Next::Wait),
            // While the issuer is down the old keys serve.
            (history(ago(MINUTE * 60), ago(SECOND * 9), None), Next::Settle, Next::Settle),
            (history(ago(MINUTE * 5), ago(SECOND * 9), None), Next::Settle, Next::Settle),
            (history(ago(MINUTE * 5), ago(SECOND * 10), None), Next::Settle, Next::Wait),
        ] {
            assert_eq!(history.next(false, now), for_known, "{history:?}");
            assert_eq!(history.next(true, now), for_unknown, "{history:?}");
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
