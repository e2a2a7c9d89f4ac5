//! Whether a request is taken on at all: so that no one has the whole machine, and nobody waits for what comes too late.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Settings;
use super::authenticate::{Refusal, authenticate};
use super::rate_limit::{CallerKey, RateLimits};
use super::responder::{Responder, to_be_sent_again};
use crate::auth::{Authenticator, Caller};
use crate::graphql::{Deadline, ErrorCode, GraphqlError};
use crate::telemetry::LogThrottle;

/// When to come back to a gateway that is busy. Most requests are answered within a second.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// What is counted of requests.
pub(crate) struct Admission {
    most: NonZeroUsize,
    permits: Semaphore,
    /// Those for whom there was no place.
    refused: LogThrottle,
    rates: Option<RateLimits>,
    /// Those over their rates.
    over: LogThrottle,
}

impl Admission {
    pub(crate) fn new(settings: &Settings) -> Self {
        let most = settings.max_concurrent_requests;
        Self {
            most,
            permits: Semaphore::new(most.get().min(Semaphore::MAX_PERMITS)),
            refused: LogThrottle::default(),
            rates: settings.rate_limit.map(RateLimits::new),
            over: LogThrottle::default(),
        }
    }

    /// Takes a place among the requests that are answered at once, if one is free, until what is given back is dropped.
    pub(crate) fn permit(&self) -> Result<SemaphorePermit<'_>, TooMany> {
        self.permits.try_acquire().map_err(|_| {
            if let Some(requests) = self.refused.count() {
                tracing::warn!(requests, most = self.most, "refused: there are too many at once");
            }
            TooMany::AtOnce
        })
    }

    /// Finds out who sends a request with these headers from `address`, and whether they may send it now.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
        authenticator: &Authenticator,
        deadline: Deadline,
    ) -> Result<Caller, Denial> {
        let caller = authenticate(headers, authenticator, deadline).await;
        // Whoever is turned away is counted too, so that nobody tries one credential after the other.
        self.count(caller.as_ref().ok(), address).map_err(Denial::TooMany)?;
        caller.map_err(Denial::Refusal)
    }

    /// Counts a request of a caller, if it is known who that is, from `address`.
    fn count(&self, caller: Option<&Caller>, address: IpAddr) -> Result<(), TooMany> {
        let Some(rates) = &self.rates else { return Ok(()) };
        rates.admit(CallerKey::of(caller, address)).map_err(|wait| {
            if let Some(requests) = self.over.count() {
                tracing::warn!(requests, "refused: callers are over RATE_LIMIT");
            }
            TooMany::OfOneCaller(wait)
        })
    }
}

/// Why a caller may not send a request.
#[derive(Debug)]
pub(crate) enum Denial {
    /// Too many were sent before.
    TooMany(TooMany),
    /// It is not known who it is.
    Refusal(Refusal),
}

impl Denial {
    pub(crate) fn reply(self, responder: Responder) -> Response {
        match self {
            Self::TooMany(too_many) => too_many.reply(responder),
            Self::Refusal(refusal) => refusal.reply(responder),
        }
    }
}

/// There are too many requests.
#[derive(Debug)]
pub(crate) enum TooMany {
    /// Of all callers, at once.
    AtOnce,
    /// Of one caller, whose next may come after this time.
    OfOneCaller(Duration),
}

impl TooMany {
    fn parts(&self) -> (StatusCode, Duration, &'static str) {
        match self {
            Self::AtOnce => {
                let message = "The gateway is busy with other requests. Try again after `retryAfterMs`.";
                (StatusCode::SERVICE_UNAVAILABLE, SOON, message)
            }
            Self::OfOneCaller(wait) => {
                let message = "You send more requests than the gateway takes from one caller. Wait for `retryAfterMs`.";
                (StatusCode::TOO_MANY_REQUESTS, *wait, message)
            }
        }
    }

    pub(crate) fn reply(self, responder: Responder) -> Response {
        let (status, wait, message) = self.parts();
        responder.refuse_for(wait, status, GraphqlError::new(ErrorCode::RateLimited, message))
    }

    /// What is told where there is no status.
    pub(crate) fn into_failure(self) -> GraphqlError {
        let (_, wait, message) = self.parts();
        to_be_sent_again(GraphqlError::new(ErrorCode::RateLimited, message), wait)
    }
}
