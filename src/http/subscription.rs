//! Subscriptions, whatever their transport, and the checks that they pass while they last.

use axum::http::HeaderMap;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::authenticate::{authenticate, refusal};
use super::peer::Phase;
use super::state::ServerState;
use super::subscription_counter::SubscriptionPermit;
use crate::auth::{AuthenticationError, Caller};
use crate::deadline::Deadline;
use crate::graphql::{ErrorCode, GraphqlError, GraphqlResponse, ResponseStream, StreamedResponse};

/// A subscription: its stream, and whoever it is for.
pub(crate) struct Subscription {
    stream: Box<ResponseStream>,
    state: ServerState,
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
        state: ServerState,
        caller: Caller,
        credentials: HeaderMap,
        permit: SubscriptionPermit,
    ) -> Self {
        let period = state.settings.subscriptions.recheck_interval;
        let mut recheck = interval_at(Instant::now() + period, period);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let phase = state.shutdown.subscribe();
        Self { stream, state, caller, credentials, recheck, phase, _permit: permit }
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
        let authenticator = self.state.admission.authenticator();
        let deadline = Deadline::within(self.state.settings.request_timeout);
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
