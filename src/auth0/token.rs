//! The one access token that everybody shares.
//!
//! Reading it is a pointer load. Whoever finds it aging or gone starts a refresh, of which there is
//! at most one at a time; it is a task of its own, so that it goes on when the caller who started
//! it hangs up.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::client_authentication::ClientAuthentication;
use super::error::Error;
use super::freshness::{Freshness, Lifespan};
use super::grant::{AuthenticationApi, GRANT_TIMEOUT, Grant};
use super::sealed_token::TokenHash;
use super::shared_token::{Stale, obtain};
use crate::deadline::{Deadline, SharedDeadline};
use crate::shared_state::SharedState;
use crate::single_flight::{Cancellation, SingleFlight, Waiter};

/// Time for which a failed grant answers for those that come after it, so that a dead issuer is not hammered by every call.
const FAILURE_MEMORY: Duration = Duration::from_secs(1);

/// The same for an outage: as long as the breaker leaves Auth0 alone, so that whoever asks after its recovery has an answer
/// within a second.
const OUTAGE_MEMORY: Duration = Duration::from_millis(500);

/// Longest time for which a `Retry-After` of the token endpoint is heeded. A quota may ask for
/// hours, and an operator who raises it meanwhile should not have to restart the gateway.
const LONGEST_RATE_LIMIT_MEMORY: Duration = Duration::from_secs(60);

/// A token, and what is known of it. `Debug` does not show it: the header value is marked
/// sensitive.
#[derive(Debug)]
pub(crate) struct AccessToken {
    header: HeaderValue,
    /// Counts grants, so that a call which was refused can say which token it had used.
    generation: u64,
    lifespan: Lifespan,
    expires_at: DateTime<Utc>,
    scopes: Option<Arc<[String]>>,
    is_shared: bool,
}

impl AccessToken {
    fn new(grant: Grant, generation: u64) -> Self {
        let lifespan = Lifespan::new(grant.asked_at, grant.life, fastrand::f64());
        // For display only: the wall clock may be set, so nothing is decided by it.
        let expires_at = Utc::now() + grant.life.saturating_sub(grant.asked_at.elapsed());
        Self {
            header: grant.header,
            generation,
            lifespan,
            expires_at,
            scopes: grant.scopes.map(Arc::from),
            is_shared: grant.is_shared,
        }
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// True if another replica has asked for it.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(crate) fn status(&self) -> TokenStatus {
        TokenStatus { expires_at: self.expires_at, scopes: self.scopes.clone() }
    }
}

/// Status of the token in use: everything but the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenStatus {
    /// The moment at which it ends.
    pub expires_at: DateTime<Utc>,
    /// The scopes that were granted, if Auth0 said so.
    pub scopes: Option<Arc<[String]>>,
}

/// Cheap to clone: all clones share the token.
#[derive(Clone)]
pub(crate) struct TokenCache(Arc<Inner>);

struct Inner {
    api: AuthenticationApi,
    /// The state through which replicas share the token, if there are any.
    shared: Option<SharedState>,
    /// Written only while `refresh` is locked.
    current: ArcSwapOption<AccessToken>,
    refresh: Mutex<Refresh>,
    /// A single one at most. It goes on when whoever started it hangs up.
    in_flight: SingleFlight<(), Granted>,
}

#[derive(Default)]
struct Refresh {
    generation: u64,
    failure: Option<RememberedFailure>,
    /// The last token that the Management API refused, where others may have it too.
    refused: Option<TokenHash>,
}

type Granted = Result<Arc<AccessToken>, Error>;

struct RememberedFailure {
    error: Error,
    at: Instant,
}

impl RememberedFailure {
    /// The error, while it is to be remembered.
    fn recall(&self, now: Instant) -> Option<Error> {
        let age = now.saturating_duration_since(self.at);
        match self.error {
            Error::RateLimited { retry_after: Some(wait) } => {
                let memory = wait.clamp(FAILURE_MEMORY, LONGEST_RATE_LIMIT_MEMORY);
                (age < memory).then(|| Error::RateLimited { retry_after: Some(wait.saturating_sub(age)) })
            }
            Error::Unavailable(_) | Error::Timeout => (age < OUTAGE_MEMORY).then(|| self.error.clone()),
            _ => (age < FAILURE_MEMORY).then(|| self.error.clone()),
        }
    }
}

/// A token, or the refresh that brings it.
enum PendingToken {
    Ready(Granted),
    Refreshing(Waiter<Granted>),
}

impl TokenCache {
    pub(crate) fn new(api: AuthenticationApi, shared: Option<SharedState>) -> Self {
        let in_flight = SingleFlight::new(Cancellation::Never);
        Self(Arc::new(Inner { api, shared, current: ArcSwapOption::empty(), refresh: Mutex::default(), in_flight }))
    }

    /// A cache that has a token already.
    #[cfg(any(test, feature = "bench", feature = "fuzzing"))]
    pub(crate) fn holding(api: AuthenticationApi, grant: Grant) -> Self {
        let cache = Self::new(api, None);
        cache.0.current.store(Some(Arc::new(AccessToken::new(grant, 0))));
        cache
    }

    /// A token to use now.
    ///
    /// # Errors
    ///
    /// The grant's failure, the last one's failure if that was a moment ago, or
    /// [`Error::Timeout`].
    pub(crate) async fn token(&self, deadline: &SharedDeadline) -> Result<Arc<AccessToken>, Error> {
        if let Some(token) = self.0.current.load_full() {
            match token.lifespan.at(Instant::now()) {
                Freshness::Fresh => return Ok(token),
                Freshness::Aging => {
                    // Whatever comes of it, this token serves.
                    drop(self.refresh());
                    return Ok(token);
                }
                Freshness::Expired => {}
            }
        }
        match self.refresh() {
            PendingToken::Ready(result) => result,
            PendingToken::Refreshing(waiter) => {
                deadline.limit(pin!(waiter.outcome(Deadline::within(GRANT_TIMEOUT)))).await??
            }
        }
    }

    /// Authenticates by this from the next grant on, for which nobody has to wait: what failed before may succeed now.
    pub(crate) fn authenticate_by(&self, authentication: ClientAuthentication) {
        self.0.api.authenticate_by(authentication);
        self.0.refresh.lock().failure = None;
    }

    /// Forgets a token that the Management API refused, unless a newer one has taken its place.
    pub(crate) fn invalidate(&self, token: &AccessToken) {
        self.forget(&mut self.0.refresh.lock(), token);
    }

    /// Forgets a token that was refused just like the one it replaced, and remembers why: to fetch
    /// yet another for each call would only hammer the token endpoint.
    pub(crate) fn give_up(&self, token: &AccessToken, error: Error) {
        let mut refresh = self.0.refresh.lock();
        if self.forget(&mut refresh, token) {
            refresh.failure = Some(RememberedFailure { error, at: Instant::now() });
        }
    }

    pub(crate) fn shared_state(&self) -> Option<&SharedState> {
        self.0.shared.as_ref()
    }

    /// The client: its authentication, its id, and the audience that it asks for.
    pub(crate) fn client(&self) -> (Arc<ClientAuthentication>, &str, &str) {
        self.0.api.client()
    }

    /// Status of the token in use.
    pub(crate) fn status(&self) -> Option<TokenStatus> {
        self.0.current.load().as_ref().map(|token| token.status())
    }

    fn forget(&self, refresh: &mut Refresh, token: &AccessToken) -> bool {
        let is_current = self.0.current.load().as_ref().is_some_and(|current| current.generation == token.generation);
        if is_current {
            self.0.current.store(None);
            refresh.refused = self.0.shared.as_ref().map(|_| TokenHash::of(&token.header));
            tracing::info!(generation = token.generation, "the Management API refused the access token; it is dropped");
        }
        is_current
    }

    /// Starts a refresh, or joins the one that is under way, unless there is nothing to wait for.
    fn refresh(&self) -> PendingToken {
        let refresh = self.0.refresh.lock();
        let now = Instant::now();
        // A refresh may have ended between the caller's look at the token and this.
        if let Some(token) = self.0.current.load_full()
            && token.lifespan.at(now) == Freshness::Fresh
        {
            return PendingToken::Ready(Ok(token));
        }
        if let Some(error) = refresh.failure.as_ref().and_then(|failure| failure.recall(now)) {
            return PendingToken::Ready(Err(error));
        }
        let cache = self.clone();
        let refused = refresh.refused;
        let grant = |_| async move { cache.keep(cache.obtain(refused).await) };
        PendingToken::Refreshing(self.0.in_flight.join_or_start(&(), Deadline::within(GRANT_TIMEOUT), grant))
    }

    /// Asks Auth0 for a token, unless another replica has.
    async fn obtain(&self, refused: Option<TokenHash>) -> Result<Grant, Error> {
        let Inner { api, shared, current, .. } = &*self.0;
        let Some(shared) = shared else { return api.grant().await };
        let aging = current.load_full().map(|token| Stale::Aging(TokenHash::of(&token.header)));
        obtain(shared, api, aging.or(refused.map(Stale::Refused))).await
    }

    /// Keeps what a refresh has brought.
    fn keep(&self, grant: Result<Grant, Error>) -> Result<Arc<AccessToken>, Error> {
        let mut refresh = self.0.refresh.lock();
        let is_shared = grant.as_ref().is_ok_and(|grant| grant.is_shared);
        // Under an open breaker nobody was asked.
        if !is_shared && !grant.as_ref().is_err_and(Error::is_breaker_open) {
            self.0.api.metrics().token(grant.is_ok());
        }
        match grant {
            Ok(grant) => {
                refresh.generation += 1;
                refresh.failure = None;
                refresh.refused = None;
                let life_s = grant.life.as_secs();
                let token = Arc::new(AccessToken::new(grant, refresh.generation));
                self.0.current.store(Some(Arc::clone(&token)));
                tracing::info!(
                    generation = token.generation,
                    life_s,
                    is_shared,
                    "obtained an access token for the Management API"
                );
                Ok(token)
            }
            // Nobody was asked: there is nothing to remember, and the breaker has said what there is
            // to say.
            Err(error) if error.is_breaker_open() => Err(error),
            Err(error) => {
                let now = Instant::now();
                refresh.failure = Some(RememberedFailure { error: error.clone(), at: now });
                // Callers who wait for a token log its failure. A refresh in the background has nobody to report to.
                if self.0.current.load().as_ref().is_some_and(|token| token.lifespan.at(now) != Freshness::Expired) {
                    log_failed_refresh(&error);
                }
                Err(error)
            }
        }
    }
}

fn log_failed_refresh(error: &Error) {
    let cause = error.causes();
    if matches!(error, Error::Misconfigured { .. }) {
        tracing::error!(remedy = cause, "Auth0 refuses an access token");
    } else {
        tracing::warn!(%error, cause, "Auth0 gave no access token");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_is_remembered_for_a_while() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let recalled = |error: Error, age| RememberedFailure { error, at: start }.recall(start + age);
        let limited = |seconds| Error::RateLimited { retry_after: Some(second * seconds) };

        assert!(matches!(recalled(Error::Timeout, second / 4), Some(Error::Timeout)));
        assert!(recalled(Error::Timeout, second / 2).is_none());

        // The rest of the wait is told, not the whole of it.
        let left = |error: Option<Error>| match error {
            Some(Error::RateLimited { retry_after }) => retry_after,
            _ => None,
        };
        assert_eq!(left(recalled(limited(30), second * 10)), Some(second * 20));
        assert!(recalled(limited(30), second * 30).is_none());
        assert_eq!(left(recalled(limited(3600), second * 59)), Some(second * 3541));
        assert!(recalled(limited(3600), second * 60).is_none());
        assert_eq!(left(recalled(limited(0), second / 4)), Some(Duration::ZERO));
    }
}
