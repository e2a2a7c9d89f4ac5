//! Transport to one tenant: attempts at a request, paced, behind the breaker, and repeated within its deadline. Endpoints are the
//! caller's matter, HTTP is the client's.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use url::Url;

use super::breaker::{Breaker, BreakerStatus, Health};
use super::call_context::StatsHandle;
use super::domain::Domain;
use super::error::{BuildError, Error, UnavailableReason};
use super::http_client::{HttpClient, UpstreamRequest, UpstreamResponse};
use super::pace::{Governor, PaceError, PacePermit, PaceRequest, PaceSettings};
use super::retry::{FailureClass, RequestKind, RetryBudget, RetryDecision, RetryPolicy};
use crate::deadline::SharedDeadline;
use crate::shared_state::SharedState;
use crate::telemetry::{TRACE_TARGET, UpstreamMetrics};

/// The wait after a 429 that says nothing of it. The slowest plan gives two calls a second,
/// and the second in which a burst was spent may have just begun.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Most calls that may wait for their turn: at the fastest plan's sixteen a second, more than anybody waits for.
const LONGEST_QUEUE: usize = 1_000;

/// State that all attempts at a request share.
pub(crate) struct Attempts {
    endpoint: &'static str,
    kind: RequestKind,
    /// Request to the pacer before each; none where nobody paces.
    pace: Option<PaceRequest>,
    deadline: SharedDeadline,
    stats: StatsHandle,
    made: u32,
    /// The wait after a 429 that says nothing of it.
    default_retry_after: Duration,
}

impl Attempts {
    /// Attempts at a read of the Management API.
    pub(crate) fn at_read(
        endpoint: &'static str,
        kind: RequestKind,
        pace: PaceRequest,
        deadline: SharedDeadline,
        stats: StatsHandle,
    ) -> Self {
        Self { endpoint, kind, pace: Some(pace), deadline, stats, made: 0, default_retry_after: DEFAULT_RETRY_AFTER }
    }

    pub(crate) fn deadline(&self) -> &SharedDeadline {
        &self.deadline
    }
}

/// The way to one tenant. Cheap to clone; clones share connections, breaker and budget.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: HttpClient,
    domain: Domain,
    policy: RetryPolicy,
    budget: Arc<RetryBudget>,
    breaker: Breaker,
    governor: Governor,
    metrics: UpstreamMetrics,
}

impl Transport {
    /// `shared` is the state that the replicas share of which it is one, if there are any.
    pub(crate) fn new(
        domain: Domain,
        policy: RetryPolicy,
        reserve: f64,
        shared: Option<SharedState>,
    ) -> Result<Self, BuildError> {
        let pacing = PaceSettings { reserve, queue: LONGEST_QUEUE };
        let governor = match shared {
            Some(shared) => Governor::sharing(pacing, shared),
            None => Governor::new(pacing),
        };
        let client = HttpClient::new(&domain)?;
        Ok(Self {
            client,
            domain,
            policy,
            budget: Arc::default(),
            breaker: Breaker::new(),
            governor,
            metrics: UpstreamMetrics::default(),
        })
    }

    pub(crate) fn client(&self) -> &HttpClient {
        &self.client
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    pub(crate) fn metrics(&self) -> &UpstreamMetrics {
        &self.metrics
    }

    pub(crate) fn governor(&self) -> &Governor {
        &self.governor
    }

    pub(crate) fn breaker(&self) -> BreakerStatus {
        self.breaker.status()
    }

    pub(crate) fn url(&self, target: &str) -> Result<Url, Error> {
        self.domain.url(target).map_err(|error| Error::unavailable_because(UnavailableReason::Connection, error))
    }

    /// Sends a JSON body, in as many attempts as it takes, each with a body of its own; for the token endpoint.
    pub(crate) async fn post<T>(
        &self,
        path: &str,
        endpoint: &'static str,
        body: impl Fn() -> Result<Bytes, Error>,
        deadline: SharedDeadline,
        read: impl Fn(&UpstreamResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let url = Arc::new(self.url(path)?);
        let request = || Ok(Cow::Owned(UpstreamRequest::post(Arc::clone(&url), body()?)));
        let stats = StatsHandle::default();
        let mut attempts = Attempts {
            endpoint,
            kind: RequestKind::Grant,
            pace: None,
            deadline,
            stats,
            made: 0,
            default_retry_after: DEFAULT_RETRY_AFTER,
        };
        self.attempt_until_settled(&mut attempts, request, read).await
    }

    /// Attempts until one succeeds or no other is worth it. `read` is given every response: what it means is for the endpoint to
    /// say. Its error decides whether another attempt is worth it: what a failure means is said in one place for all of them.
    pub(crate) async fn attempt_until_settled<'a, T>(
        &self,
        attempts: &mut Attempts,
        request: impl Fn() -> Result<Cow<'a, UpstreamRequest>, Error>,
        read: impl Fn(&UpstreamResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let span = tracing::info_span!(
                target: TRACE_TARGET,
                "attempt",
                otel.kind = "client",
                endpoint = attempts.endpoint,
                attempt = i64::from(attempts.made) + 1,
                wait_ms = Empty,
                http.response.status_code = Empty,
            );
            let error = match self.attempt(attempts, &*request()?, &read).instrument(span).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let failed = FailureClass::of(&error, attempts.kind, attempts.default_retry_after);
            let wait = match self.policy.decide(attempts.made, failed, attempts.deadline.remaining(), fastrand::f64()) {
                // A breaker that is not closed would let nothing pass, or only what is meant to be
                // a single probe.
                RetryDecision::RetryAfter(wait)
                    if self.breaker.status() == BreakerStatus::Closed && self.budget.withdraw() =>
                {
                    wait
                }
                _ => return Err(failed.with_retry_after(error)),
            };
            let (endpoint, made, wait_ms) = (attempts.endpoint, attempts.made, wait.as_millis() as u64);
            tracing::debug!(endpoint, attempts = made, wait_ms, %error, cause = error.causes(), "Auth0 will be asked again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Makes one attempt: leave to make it, the request and its response, and what is learned from that.
    ///
    /// It may take all the time that is left. To cut it short for the sake of another would help
    /// only where the connection is dead, and over HTTP/2 the other would take the same one; where
    /// Auth0 is slow, it would double its work.
    async fn attempt<T>(
        &self,
        attempts: &mut Attempts,
        request: &UpstreamRequest,
        read: &impl Fn(&UpstreamResponse) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // Before: who may forbid it, or make it wait. No token is taken that an open breaker would waste; whether this is the
        // probe of one that is half-open is decided when the turn has come. One that waits when the breaker opens is told at once.
        let opened = self.breaker.opened();
        if self.breaker.status() == BreakerStatus::Open {
            return Err(Error::unavailable(UnavailableReason::BreakerOpen));
        }
        let pace_permit = tokio::select! {
            biased;
            pace_permit = self.admit(attempts) => pace_permit?,
            () = opened => return Err(Error::unavailable(UnavailableReason::BreakerOpen)),
        };
        let breaker_permit = match self.breaker.admit() {
            Ok(breaker_permit) => breaker_permit,
            Err(error) => {
                if let Some(pace_permit) = pace_permit {
                    pace_permit.hand_back();
                }
                return Err(error);
            }
        };

        if attempts.made == 0 {
            self.budget.deposit();
        }
        attempts.stats.called(attempts.made > 0);
        attempts.made += 1;
        if let Some(pace_permit) = &pace_permit {
            Span::current().record("wait_ms", pace_permit.waited().as_millis() as i64);
        }
        let start = Instant::now();
        let exchange = pin!(self.client.exchange(request));
        let response = attempts.deadline.limit(exchange).await.map_err(Error::from).flatten();
        let took = start.elapsed();
        if let Ok(response) = &response {
            Span::current().record("http.response.status_code", i64::from(response.status.as_u16()));
        }
        log(attempts.endpoint, &response, took);
        self.metrics.request(attempts.endpoint, outcome_name(&response), took, attempts.made > 1);

        // After: who learns from it.
        let outcome = response.as_ref().map_err(Error::clone).and_then(read);
        breaker_permit.report(Health::of(outcome.as_ref().err(), attempts.kind, took));
        match (pace_permit, &outcome, &response) {
            (Some(pace_permit), Err(Error::RateLimited { retry_after }), _) => {
                attempts.default_retry_after = pace_permit.limited(*retry_after);
            }
            (Some(pace_permit), _, Ok(response)) => pace_permit.answered(response.status, &response.headers),
            // Nobody knows whether it counted: the permit takes it for counted.
            _ => {}
        }
        outcome
    }

    /// Waits until the tenant's rate limit has room for the call. One that joins it meanwhile may be willing to wait longer
    /// than those it was refused for.
    async fn admit(&self, attempts: &Attempts) -> Result<Option<PacePermit>, Error> {
        let Some(pace) = attempts.pace else { return Ok(None) };
        loop {
            let deadline = attempts.deadline.deadline();
            match self.governor.admit(pace, deadline).await {
                Ok(pace_permit) => {
                    attempts.stats.waited(pace_permit.waited());
                    self.metrics.waited(pace.class.name(), pace_permit.waited());
                    return Ok(Some(pace_permit));
                }
                Err(_) if attempts.deadline.deadline() > deadline => {}
                Err(PaceError { retry_after }) => return Err(Error::RateLimited { retry_after: Some(retry_after) }),
            }
        }
    }
}

/// The outcome of a request in the metrics.
fn outcome_name(response: &Result<UpstreamResponse, Error>) -> &'static str {
    match response.as_ref().map(|response| response.status.as_u16()) {
        Ok(200..400) => "ok",
        Ok(429) => "rate_limited",
        Ok(400..500) => "client_error",
        Ok(_) => "server_error",
        Err(Error::Timeout) => "timeout",
        Err(_) => "failed",
    }
}

fn log(endpoint: &'static str, response: &Result<UpstreamResponse, Error>, took: Duration) {
    let duration_ms = took.as_millis() as u64;
    match response {
        Ok(response) => {
            let (status, bytes) = (response.status.as_u16(), response.body.len());
            tracing::debug!(endpoint, status, bytes, duration_ms, "Auth0 answered");
        }
        // Why is said by the line about the next attempt, or by whoever the failure is passed on to.
        Err(_) => tracing::debug!(endpoint, duration_ms, "Auth0 gave no answer"),
    }
}
