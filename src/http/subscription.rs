//! Subscriptions, whatever their transport: how many there may be, and the checks that they pass while they last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::Shared;
use super::authenticate::{authenticate, refusal};
use super::error::HttpError;
use super::rate_limit::RateLimitKey;
use super::settings::SubscriptionSettings;
use super::shutdown::Phase;
use crate::auth::{AuthenticationError, Caller};
use crate::deadline::Deadline;
use crate::graphql::{ErrorCode, GraphqlError, GraphqlResponse, ResponseStream, StreamedResponse};

/// The subscriptions that there are, of all callers.
pub(crate) struct SubscriptionCounter {
    settings: SubscriptionSettings,
    by_caller: Mutex<HashMap<RateLimitKey, usize>>,
}

/// A permit for one subscription, until it is dropped.
pub(crate) struct SubscriptionPermit {
    counter: Arc<SubscriptionCounter>,
    caller: RateLimitKey,
}

impl SubscriptionCounter {
    pub(crate) fn new(settings: SubscriptionSettings) -> Arc<Self> {
        Arc::new(Self { settings, by_caller: Mutex::default() })
    }

    /// Counts one more subscription of `caller`.
    pub(crate) fn permit(self: &Arc<Self>, caller: RateLimitKey) -> Result<SubscriptionPermit, HttpError> {
        let mut by_caller = self.by_caller();
        let all: usize = by_caller.values().sum();
        let of_caller = by_caller.get(&caller).copied().unwrap_or_default();
        if of_caller >= self.settings.most_per_caller.get() {
            let most = self.settings.most_per_caller;
            let message = format!("You have {most} subscriptions, the most of one caller: end one of them first.");
            return Err(HttpError::busy("subscriptions", &message));
        }
        if all >= self.settings.most.get() {
            let message = "There are too many subscriptions already. Try again after `retryAfterMs`.";
            return Err(HttpError::busy("subscriptions", message));
        }
        by_caller.insert(caller, of_caller + 1);
        drop(by_caller);
        Ok(SubscriptionPermit { counter: Arc::clone(self), caller })
    }

    fn by_caller(&self) -> MutexGuard<'_, HashMap<RateLimitKey, usize>> {
        self.by_caller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SubscriptionPermit {
    fn drop(&mut self) {
        let mut by_caller = self.counter.by_caller();
        if let Some(of_caller) = by_caller.get_mut(&self.caller) {
            *of_caller -= 1;
            if *of_caller == 0 {
                by_caller.remove(&self.caller);
            }
        }
    }
}

/// A subscription: its stream, and whoever it is for.
pub(crate) struct Subscription {
    stream: Box<ResponseStream>,
    shared: Shared,
    caller: Caller,
    /// The headers that hold credentials.
    credentials: HeaderMap,
    recheck: Interval,
    phase: watch::Receiver<Phase>,
    _permit: SubscriptionPermit,
}

impl Subscription {
    pub(crate) fn new(
        stream: Box<ResponseStream>,
        shared: Shared,
        caller: Caller,
        credentials: HeaderMap,
        permit: SubscriptionPermit,
    ) -> Self {
        let period = shared.settings.subscriptions.recheck_interval;
        let mut recheck = interval_at(Instant::now() + period, period);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let phase = shared.shutdown.subscribe();
        Self { stream, shared, caller, credentials, recheck, phase, _permit: permit }
    }

    /// Waits for the next responses. Nothing is lost if it is dropped before.
    ///
    /// # Errors
    ///
    /// The end of the subscription: a response with the error, which says where to resume.
    pub(crate) async fn next(&mut self) -> Result<Vec<StreamedResponse>, GraphqlResponse> {
        loop {
            tokio::select! {
                biased;
                () = stopping(&mut self.phase) => {
                    let message = "The gateway stops. Subscribe again with `from`, at another or in a moment.";
                    return Err(self.end(GraphqlError::new(ErrorCode::Stopping, message)));
                }
                _ = self.recheck.tick() => {
                    if let Err(error) = self.authenticate_again().await {
                        return Err(self.end(error));
                    }
                }
                responses = self.stream.next() => return responses,
            }
        }
    }

    /// Ends the subscription with an error, which says where to resume.
    pub(crate) fn end(&mut self, error: GraphqlError) -> GraphqlResponse {
        self.stream.end(error)
    }

    /// Looks whether the credentials are still good for what they were: tokens expire, keys are withdrawn, scopes change.
    async fn authenticate_again(&self) -> Result<(), GraphqlError> {
        let authenticator = self.shared.admission.authenticator();
        let deadline = Deadline::within(self.shared.settings.request_timeout);
        match authenticate(&self.credentials, authenticator, deadline).await {
            Ok(caller) if caller == self.caller => Ok(()),
            Ok(_) => {
                let message = "Your credentials are good for something else by now. Subscribe again with `from`.";
                Err(GraphqlError::new(ErrorCode::Forbidden, message))
            }
            // It is not known, and will be.
            Err(AuthenticationError::KeysUnavailable { .. }) => Ok(()),
            Err(error) => Err(*refusal(&error, authenticator).error),
        }
    }
}

async fn stopping(phase: &mut watch::Receiver<Phase>) {
    // Without a server there is nothing to serve either.
    let _ = phase.wait_for(|phase| *phase >= Phase::Draining).await;
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn subscriptions_are_bounded_for_each_caller_and_for_all() {
        let number = |number| NonZeroUsize::new(number).unwrap();
        let settings =
            SubscriptionSettings { most: number(5), most_per_caller: number(3), ..SubscriptionSettings::default() };
        let counter = SubscriptionCounter::new(settings);
        let permit = |caller| counter.permit(RateLimitKey::Caller(caller));
        let mut first: Vec<_> = (0..3).map(|_| permit(1).unwrap()).collect();
        assert!(permit(1).is_err());
        let second: Vec<_> = (0..2).map(|_| permit(2).unwrap()).collect();
        assert!(permit(3).is_err());
        drop(first.pop());
        assert!(permit(1).is_ok());
        drop((first, second));
        assert!(counter.by_caller().is_empty());
    }
}
