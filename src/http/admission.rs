//! Admission control: authentication, a rate limit per caller, and a cap on concurrent operations.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Settings;
use super::authenticate::{authenticate, refusal};
use super::error::HttpError;
use super::rate_limit::{RateLimitKey, RateLimits};
use crate::auth::{AuthenticationError, Authenticator, Caller, CredentialsError};
use crate::deadline::Deadline;
use crate::graphql::ErrorCode;
use crate::shared_state::SharedState;
use crate::telemetry::LogThrottle;

/// The counters that requests have to pass.
pub(crate) struct AdmissionControl {
    authenticator: Arc<Authenticator>,
    most: NonZeroUsize,
    permits: Semaphore,
    busy: LogThrottle,
    rates: Option<RateLimits>,
    rate_limited: LogThrottle,
    /// Throttles by what is wrong with credentials; under none, by all else that keeps callers out.
    unauthenticated: Mutex<HashMap<Option<CredentialsError>, LogThrottle>>,
}

/// A request is not admitted.
#[derive(Debug)]
pub(crate) enum AdmissionError {
    /// The most operations that may run do so.
    Busy,
    /// The caller is over its rate limit.
    RateLimited {
        /// Time until its next request.
        retry_after: Duration,
    },
    /// The credentials are refused, or cannot be verified.
    Unauthenticated(AuthenticationError),
}

impl AdmissionError {
    /// The error in HTTP's terms.
    pub(crate) fn to_http(&self, authenticator: &Authenticator) -> HttpError {
        match self {
            Self::Busy => HttpError::busy(
                "operations",
                "The gateway is busy with other requests. Try again after `retryAfterMs`.",
            ),
            Self::RateLimited { retry_after } => {
                let message = "You send more requests than the gateway takes from one caller. Wait for `retryAfterMs`.";
                HttpError::temporary(StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited, message, *retry_after)
            }
            Self::Unauthenticated(error) => refusal(error, authenticator),
        }
    }
}

impl AdmissionControl {
    pub(crate) fn new(settings: &Settings, authenticator: Arc<Authenticator>, shared: Option<SharedState>) -> Self {
        let most = settings.max_concurrent_requests;
        Self {
            authenticator,
            most,
            permits: Semaphore::new(most.get().min(Semaphore::MAX_PERMITS)),
            busy: LogThrottle::default(),
            rates: settings.rate_limit.map(|limit| RateLimits::new(limit, shared)),
            rate_limited: LogThrottle::default(),
            unauthenticated: Mutex::default(),
        }
    }

    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Takes a permit to run an operation, until it is dropped.
    pub(crate) fn permit(&self) -> Result<SemaphorePermit<'_>, HttpError> {
        self.permits.try_acquire().map_err(|_| self.refuse(&AdmissionError::Busy))
    }

    /// Authenticates a request with these headers from `address`, and counts it.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
        deadline: Deadline,
    ) -> Result<Caller, HttpError> {
        let caller = authenticate(headers, &self.authenticator, deadline).await;
        // Whoever is turned away is counted too, so that nobody tries one credential after the other.
        let counted = self.count(RateLimitKey::of(caller.as_ref().ok(), address)).await;
        counted.and(caller.map_err(AdmissionError::Unauthenticated)).map_err(|error| self.refuse(&error))
    }

    async fn count(&self, key: RateLimitKey) -> Result<(), AdmissionError> {
        let Some(rates) = &self.rates else { return Ok(()) };
        rates.admit(key).await.map_err(|retry_after| AdmissionError::RateLimited { retry_after })
    }

    /// Logs an error, and gives it back in HTTP's terms.
    fn refuse(&self, error: &AdmissionError) -> HttpError {
        let refusal = error.to_http(&self.authenticator);
        match error {
            AdmissionError::Busy => {
                if let Some(requests) = self.busy.count() {
                    tracing::warn!(requests, most = self.most, "refused: there are too many at once");
                }
            }
            AdmissionError::RateLimited { .. } => {
                if let Some(requests) = self.rate_limited.count() {
                    tracing::warn!(requests, "refused: callers are over RATE_LIMIT");
                }
            }
            AdmissionError::Unauthenticated(error) => {
                let fault = match error {
                    AuthenticationError::InvalidCredentials(fault) => Some(*fault),
                    _ => None,
                };
                let mut throttles = self.unauthenticated.lock();
                if let Some(requests) = throttles.entry(fault).or_default().count() {
                    refusal.error.code.log(&refusal.error.message, &format!("authentication; requests={requests}"));
                }
            }
        }
        refusal
    }
}
