//! Whether a request is taken on at all: so that no one has the whole machine, and nobody waits for what comes too late.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;

use super::envelope::Envelope;
use super::rate_limit::{Key, RateLimits};
use super::tally::Tally;
use super::{Settings, Shared};
use crate::auth::Caller;
use crate::graphql::{ErrorCode, Failure};

/// When to come back to a gateway that is busy. Most requests are answered within a second.
const SOON: Duration = Duration::from_secs(1);

/// What is counted of requests.
pub(crate) struct Admission {
    places: Semaphore,
    /// Those for whom there was no place.
    refused: Tally,
    rates: Option<RateLimits>,
    /// Those over their rates.
    over: Tally,
}

impl Admission {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            places: Semaphore::new(settings.max_concurrent_requests.get().min(Semaphore::MAX_PERMITS)),
            refused: Tally::default(),
            rates: settings.rate_limit.map(RateLimits::new),
            over: Tally::default(),
        }
    }

    /// Counts a request of a caller, if it is known who that is, from `address`.
    pub(crate) fn count(&self, caller: Option<&Caller>, address: IpAddr) -> Result<(), TooMany> {
        let Some(rates) = &self.rates else { return Ok(()) };
        rates.admit(Key::of(caller, address)).map_err(|wait| {
            if let Some(requests) = self.over.count() {
                tracing::warn!(requests, "refused: callers are over RATE_LIMIT");
            }
            TooMany(wait)
        })
    }
}

/// A caller has sent too many requests; the next may come after this time.
#[derive(Debug)]
pub(crate) struct TooMany(Duration);

impl TooMany {
    pub(crate) fn reply(self, envelope: Envelope) -> Response {
        let message = "You send more requests than the gateway takes from one caller. Wait for `retryAfterMs`.";
        envelope.refuse_for(self.0, StatusCode::TOO_MANY_REQUESTS, Failure::new(ErrorCode::RateLimited, message))
    }
}

/// Takes a request on while there is a place for it. It has the place until its answer is made, or its client is gone.
pub(crate) async fn take_place(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let Ok(_place) = shared.admission.places.try_acquire() else {
        if let Some(requests) = shared.admission.refused.count() {
            tracing::warn!(
                requests,
                most = shared.settings.max_concurrent_requests,
                "refused: there are too many at once"
            );
        }
        let message = "The gateway is busy with other requests. Try again after `retryAfterMs`.";
        let failure = Failure::new(ErrorCode::RateLimited, message);
        return Envelope::of(request.headers()).refuse_for(SOON, StatusCode::SERVICE_UNAVAILABLE, failure);
    };
    next.run(request).await
}
