//! The client of one tenant's Management API: its reads, its token, and its status.

use std::fmt;
use std::time::Duration;

use super::api_request::ApiRequest;
use super::breaker::BreakerStatus;
use super::call_context::CallContext;
use super::client_authentication::ClientAuthentication;
use super::domain::Domain;
use super::error::{BuildError, Error};
use super::fields_parameter::RefusedFields;
use super::grant::AuthenticationApi;
use super::ids::LogId;
use super::pace::{BucketStatus, FleetStatus};
use super::payload::FromPayload;
use super::probe::{Probe, ProbeError};
use super::reader::Reader;
use super::retry::RetryPolicy;
use super::tail::{LogReader, LogTail, PushError, TailSettings};
use super::token::{TokenCache, TokenStatus};
use super::transport::Transport;
use crate::deadline::Deadline;
use crate::shared_state::SharedState;
use crate::telemetry::{UpstreamMetrics, UpstreamStatus};

/// The tenant, and the gateway's credentials there. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The tenant's domain, canonical or custom. Tokens and data both come from there: Auth0
    /// accepts a token only on the domain that issued it.
    pub domain: Domain,
    /// The identifier of the Management API. It names the canonical domain even behind a custom
    /// one; without a custom domain it is [`Domain::default_audience`].
    pub audience: String,
    /// The id of a machine-to-machine application that is authorized for the Management API.
    pub client_id: String,
    /// Means by which the application shows that it is the one.
    pub authentication: ClientAuthentication,
}

/// Policy by which the tenant is spared.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientPolicy {
    /// Time for which an answer of the user search or the log search may be served again; zero switches that off.
    pub cache_ttl: Duration,
    /// The share of the tenant's rate limit that is left to others, from 0 to 0.9.
    pub rate_reserve: f64,
    /// The tail of logs.
    pub tail: TailSettings,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self { cache_ttl: Duration::from_secs(1), rate_reserve: 0.0, tail: TailSettings::default() }
    }
}

/// A read-only client of one tenant's Management API. Cheap to clone; clones share connections,
/// the access token, calls under way and answers that are kept.
///
/// No call is made before its arguments are known to be good, each ends at its deadline, and each
/// may fail with any [`Error`].
#[derive(Clone)]
pub struct ManagementApi {
    reader: Reader,
    tail: LogTail,
}

impl fmt::Debug for ManagementApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManagementApi({})", self.reader.transport().domain())
    }
}

impl ManagementApi {
    /// Sets the client up. Nothing is sent yet: the first call asks for the first token.
    ///
    /// # Errors
    ///
    /// The system's TLS set-up, such as its root certificates, cannot be used.
    pub fn new(settings: Settings, policy: &ClientPolicy) -> Result<Self, BuildError> {
        Self::sharing(settings, policy, None)
    }

    /// The same, of several replicas that share their state.
    ///
    /// # Errors
    ///
    /// As for [`Self::new`].
    pub fn sharing(settings: Settings, policy: &ClientPolicy, shared: Option<SharedState>) -> Result<Self, BuildError> {
        Self::with_retries(settings, policy, RetryPolicy::default(), shared)
    }

    /// The same, with another policy of retries.
    pub(crate) fn with_retries(
        settings: Settings,
        policy: &ClientPolicy,
        retries: RetryPolicy,
        shared: Option<SharedState>,
    ) -> Result<Self, BuildError> {
        let Settings { domain, audience, client_id, authentication } = settings;
        let transport = Transport::new(domain, retries, policy.rate_reserve, shared.clone())?;
        let api = AuthenticationApi::new(transport.clone(), audience, client_id, authentication);
        let reader = Reader::new(transport, TokenCache::new(api, shared), policy.cache_ttl);
        Ok(Self { tail: LogTail::new(reader.clone(), policy.tail.clone()), reader })
    }

    /// Makes a read: see [`ApiRequest`] for those there are.
    pub async fn read<T: FromPayload>(&self, request: &ApiRequest<T>, context: &CallContext) -> Result<T, Error> {
        self.reader.read(request, context).await
    }

    /// Follows the logs after `from`, or those that come from now on. All who follow share one poller.
    #[must_use]
    pub fn follow(&self, from: Option<LogId>) -> LogReader {
        self.tail.follow(from)
    }

    /// Takes in logs that Auth0 has pushed: the body of a request of a custom log stream. Those who follow are told of them.
    ///
    /// # Errors
    ///
    /// See [`PushError`].
    pub async fn push_logs(&self, body: &[u8]) -> Result<(), PushError> {
        self.tail.push(body).await
    }

    /// True while this replica reads logs for all that share.
    #[must_use]
    pub fn leads_tail(&self) -> bool {
        self.tail.leads()
    }

    /// Asks for an access token, unless there is one already, and tells what is known of it. Every other call does so by itself.
    pub async fn authenticate(&self, deadline: Deadline) -> Result<TokenStatus, Error> {
        Ok(self.reader.tokens().token(&deadline.into()).await?.status())
    }

    /// Authenticates by this from the next token on; the one in use is used to its end.
    pub fn authenticate_by(&self, authentication: ClientAuthentication) {
        self.reader.tokens().authenticate_by(authentication);
    }

    /// Probes the tenant's address, once and without a token.
    ///
    /// # Errors
    ///
    /// See [`ProbeError`].
    pub async fn probe(&self, deadline: Deadline) -> Result<Probe, ProbeError> {
        self.reader.transport().probe(deadline).await
    }

    /// Status of the access token in use; `None` before the first call.
    #[must_use]
    pub fn token_status(&self) -> Option<TokenStatus> {
        self.reader.tokens().status()
    }

    /// The tenant's rate limits, as far as they are known.
    #[must_use]
    pub fn rate_limits(&self) -> Vec<BucketStatus> {
        self.reader.transport().governor().buckets()
    }

    /// The replicas that the tenant's rate limits are shared with; `None` without a state that they share.
    #[must_use]
    pub fn fleet(&self) -> Option<FleetStatus> {
        self.reader.transport().governor().fleet()
    }

    /// Leaves the replicas that it shares with, so that they need not wait for what is its part, nor for the lease by which it reads their logs. It takes no longer than an operation waits
    /// for Redis. To be called when no more calls are made.
    pub async fn leave(&self) {
        if let Some(shared) = self.shared_state() {
            let deadline = Deadline::within(shared.operation_timeout());
            tokio::join!(self.reader.transport().governor().leave(deadline), self.tail.leave(deadline));
        }
    }

    /// Metrics of its calls.
    #[must_use]
    pub fn metrics(&self) -> &UpstreamMetrics {
        self.reader.transport().metrics()
    }

    /// The names in `fields` that Auth0 turned out not to take.
    #[must_use]
    pub fn refused_fields(&self) -> Vec<RefusedFields> {
        self.reader.refused_fields()
    }

    /// The state that replicas share, if they do.
    #[must_use]
    pub fn shared_state(&self) -> Option<&SharedState> {
        self.reader.tokens().shared_state()
    }

    /// State of the circuit breaker.
    #[must_use]
    pub fn breaker(&self) -> BreakerStatus {
        self.reader.transport().breaker()
    }

    /// Writes the status of the tenant, as it is known now, into `status`.
    pub fn write_status(&self, status: &UpstreamStatus) {
        let expires_at = self.token_status().map(|token| token.expires_at.timestamp());
        status.set_token_expiry(expires_at.unwrap_or_default() as f64);
        status.set_breaker(self.breaker().name(), &BreakerStatus::ALL.map(BreakerStatus::name));
        status.clear_buckets();
        for bucket in self.rate_limits() {
            let name = bucket.classes.iter().map(|class| class.name()).collect::<Vec<_>>().join("+");
            let BucketStatus { limit, remaining, refill_per_second, queued, .. } = bucket;
            let refill = refill_per_second.unwrap_or_default();
            status.set_bucket(&name, [f64::from(limit), remaining.max(0.0), refill, queued as f64]);
        }
    }

    #[cfg(test)]
    pub(crate) fn tokens(&self) -> &TokenCache {
        self.reader.tokens()
    }
}
