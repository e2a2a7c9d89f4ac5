//! Calls to Auth0: one deadline and one loop of attempts for each. It knows no endpoint, and leaves HTTP to the wire.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Uri;
use tokio::time::Instant;

use super::breaker::{Breaker, BreakerStatus, Health};
use super::context::StatsHandle;
use super::domain::Domain;
use super::error::{BuildError, Error, MisconfigurationError, Reason};
use super::error_mapping::{is_token_refused, refused_fields};
use super::fields::LearnedFields;
use super::pace::{Admission, Governor, PaceSettings, Refused, Turn};
use super::request::{Call, Kind};
use super::retry::{Decision, Failed, RetryBudget, RetryPolicy};
use super::token::TokenCache;
use super::wire::{UpstreamRequest, UpstreamResponse, Wire};
use crate::deadline::SharedDeadline;

/// How long to wait after a 429 that says nothing of it. The slowest plan gives two calls a second,
/// and the second in which a burst was spent may have just begun.
const UNTOLD_WAIT: Duration = Duration::from_secs(1);

/// Most calls that may wait for their turn: at the fastest plan's sixteen a second, more than anybody waits for.
const LONGEST_QUEUE: usize = 1_000;

/// What all attempts at a call have in common.
struct Attempts {
    endpoint: &'static str,
    kind: Kind,
    /// Who takes the next turn; none where nobody paces.
    turn: Option<Turn>,
    patience: SharedDeadline,
    progress: StatsHandle,
    attempts: u32,
    /// How long to wait after a 429 that says nothing of it.
    untold_wait: Duration,
}

impl Attempts {
    fn new(
        endpoint: &'static str,
        kind: Kind,
        turn: Option<Turn>,
        patience: SharedDeadline,
        progress: StatsHandle,
    ) -> Self {
        Self { endpoint, kind, turn, patience, progress, attempts: 0, untold_wait: UNTOLD_WAIT }
    }
}

/// What came of a read's attempts, if Auth0 answered.
enum Verdict<T> {
    Value(T),
    /// The token was not taken.
    TokenRefused,
    /// A name in `fields` was not taken. Those that are, as far as Auth0 says.
    FieldsRefused(Vec<String>),
}

/// The way to one tenant. Cheap to clone; clones share connections, breaker and budget.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    wire: Wire,
    domain: Domain,
    policy: RetryPolicy,
    budget: Arc<RetryBudget>,
    fields: Arc<LearnedFields>,
    breaker: Breaker,
    governor: Governor,
}

impl Transport {
    pub(crate) fn new(domain: Domain, policy: RetryPolicy, reserve: f64) -> Result<Self, BuildError> {
        let governor = Governor::new(PaceSettings { reserve, queue: LONGEST_QUEUE });
        let wire = Wire::new(&domain)?;
        Ok(Self {
            wire,
            domain,
            policy,
            budget: Arc::default(),
            fields: Arc::default(),
            breaker: Breaker::new(),
            governor,
        })
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    pub(crate) fn governor(&self) -> &Governor {
        &self.governor
    }

    pub(crate) fn breaker(&self) -> BreakerStatus {
        self.breaker.status()
    }

    /// Reads from the Management API, in as many attempts as it takes, and notes in `progress` what
    /// it takes. `read` is given every answer but one that refuses the token. Its
    /// error decides whether another attempt is worth it: what an answer means is for the endpoint to say, what a failure
    /// means is said in one place for all of them.
    pub(crate) async fn get<T>(
        &self,
        call: &Call,
        tokens: &TokenCache,
        turn: Turn,
        patience: SharedDeadline,
        progress: StatsHandle,
        read: impl Fn(&UpstreamResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut exchange = Attempts::new(call.endpoint(), call.kind(), Some(turn), patience, progress);
        let mut is_whole = self.fields.refuse(call);
        let mut is_replacement = false;
        loop {
            let target = if is_whole { call.target_without_fields() } else { call.target() };
            let uri = self.uri(target)?;
            let sends_fields = !is_whole && !call.field_names().is_empty();
            let judge = |answer: &UpstreamResponse| {
                if is_token_refused(answer) {
                    return Ok(Verdict::TokenRefused);
                }
                match refused_fields(answer).filter(|_| sends_fields) {
                    Some(list) => Ok(Verdict::FieldsRefused(list)),
                    None => read(answer).map(Verdict::Value),
                }
            };
            // Its failure is not tried again here: that was done where the token was asked for.
            let token = tokens.token(&exchange.patience).await?;
            let outgoing = UpstreamRequest::get(uri, Some(token.header()));
            match self.attempts(&mut exchange, &outgoing, judge).await? {
                Verdict::Value(value) => return Ok(value),
                Verdict::FieldsRefused(list) => {
                    self.fields.learn(call, list);
                    is_whole = true;
                    continue;
                }
                Verdict::TokenRefused => {}
            }
            // Keys are rotated and grants are withdrawn while a token lives: one that is refused is
            // replaced, once.
            if is_replacement {
                let error = Error::misconfigured(MisconfigurationError::TokenRefused);
                tokens.give_up(&token, error.clone());
                return Err(error);
            }
            tokens.invalidate(&token);
            is_replacement = true;
        }
    }

    /// Sends a JSON body, in as many attempts as it takes; for the token endpoint.
    pub(crate) async fn post<T>(
        &self,
        path: &str,
        endpoint: &'static str,
        body: Bytes,
        patience: SharedDeadline,
        read: impl Fn(&UpstreamResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let uri = self.uri(path)?;
        let mut exchange = Attempts::new(endpoint, Kind::Grant, None, patience, StatsHandle::default());
        self.attempts(&mut exchange, &UpstreamRequest::post(uri, body), read).await
    }

    fn uri(&self, target: &str) -> Result<Uri, Error> {
        self.domain.uri(target).map_err(|error| Error::unavailable_because(Reason::Connection, error))
    }

    /// Attempts until one succeeds or no other is worth it.
    async fn attempts<T>(
        &self,
        exchange: &mut Attempts,
        outgoing: &UpstreamRequest,
        read: impl Fn(&UpstreamResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let error = match self.attempt(exchange, outgoing, &read).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let failed = Failed::of(&error, exchange.kind, exchange.untold_wait);
            let (attempts, remaining) = (exchange.attempts, exchange.patience.remaining());
            let wait = match self.policy.decide(attempts, failed, remaining, fastrand::f64()) {
                // A breaker that is not closed would let nothing pass, or only what is meant to be
                // a single probe.
                Decision::RetryAfter(wait)
                    if self.breaker.status() == BreakerStatus::Closed && self.budget.withdraw() =>
                {
                    wait
                }
                _ => return Err(failed.told(error)),
            };
            let (endpoint, wait_ms) = (exchange.endpoint, wait.as_millis() as u64);
            tracing::debug!(endpoint, attempts, wait_ms, %error, "Auth0 will be asked again");
            tokio::time::sleep(wait).await;
        }
    }

    /// One attempt: leave to make it, the request and its answer, and what is learned from that.
    ///
    /// It may take all the time that is left. To cut it short for the sake of another would help
    /// only where the connection is dead, and over HTTP/2 the other would take the same one; where
    /// Auth0 is slow, it would double its work.
    async fn attempt<T>(
        &self,
        exchange: &mut Attempts,
        outgoing: &UpstreamRequest,
        read: &impl Fn(&UpstreamResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // Before: who may forbid it, or make it wait. No turn is taken that an open breaker would waste; whether this is the
        // probe of one that is half-open is decided when the turn has come.
        // Who waits for it when the breaker opens is told at once.
        let opened = self.breaker.opened();
        if self.breaker.status() == BreakerStatus::Open {
            return Err(Error::unavailable(Reason::BreakerOpen));
        }
        let admission = tokio::select! {
            biased;
            admission = self.take_turn(exchange) => admission?,
            () = opened => return Err(Error::unavailable(Reason::BreakerOpen)),
        };
        let pass = match self.breaker.admit() {
            Ok(pass) => pass,
            Err(error) => {
                if let Some(admission) = admission {
                    admission.hand_back();
                }
                return Err(error);
            }
        };

        if exchange.attempts == 0 {
            self.budget.deposit();
        }
        exchange.progress.called(exchange.attempts > 0);
        exchange.attempts += 1;
        let start = Instant::now();
        let answering = pin!(self.wire.exchange(outgoing));
        let answer = exchange.patience.limit(answering).await.map_err(Error::from).flatten();
        let took = start.elapsed();
        log(exchange.endpoint, &answer, took);

        // After: who learns from it.
        let outcome = answer.as_ref().map_err(Error::clone).and_then(read);
        pass.report(Health::of(outcome.as_ref().err(), exchange.kind, took));
        match (admission, &outcome, &answer) {
            (Some(admission), Err(Error::RateLimited { retry_after }), _) => {
                exchange.untold_wait = admission.limited(*retry_after);
            }
            (Some(admission), _, Ok(answer)) => admission.answered(answer.status, &answer.headers),
            // Nobody knows whether it counted: the admission takes it for counted.
            _ => {}
        }
        outcome
    }

    /// Waits until the tenant's rate limit has room for the call. Whoever joins it meanwhile may be willing to wait longer
    /// than those it was refused for.
    async fn take_turn(&self, exchange: &Attempts) -> Result<Option<Admission>, Error> {
        let Some(turn) = exchange.turn else { return Ok(None) };
        loop {
            let deadline = exchange.patience.deadline();
            match self.governor.admit(turn, deadline).await {
                Ok(admission) => {
                    exchange.progress.waited(admission.waited());
                    return Ok(Some(admission));
                }
                Err(_) if exchange.patience.deadline() > deadline => {}
                Err(Refused { retry_after }) => return Err(Error::RateLimited { retry_after: Some(retry_after) }),
            }
        }
    }
}

fn log(endpoint: &'static str, answer: &Result<UpstreamResponse, Error>, took: Duration) {
    let duration_ms = took.as_millis() as u64;
    match answer {
        Ok(answer) => {
            let (status, bytes) = (answer.status.as_u16(), answer.body.len());
            tracing::debug!(endpoint, status, bytes, duration_ms, "Auth0 answered");
        }
        Err(error) => {
            let cause = error.causes();
            tracing::debug!(endpoint, duration_ms, %error, cause, "Auth0 gave no answer");
        }
    }
}
