//! The root field `gateway`: facts on the gateway itself.

use async_graphql::{Enum, SimpleObject};

use super::scalar::DateTime;
use crate::auth::{Caller, Identity, Scope};
use crate::auth0::{BucketStatus, RefusedFields, TokenStatus};
use crate::graphql::limits::ExceededLimit;
use crate::graphql::permission::Upstream;
use crate::shared_state::{Availability, SharedState};

/// The gateway: what it is, and how it stands with Auth0.
#[derive(SimpleObject)]
pub(crate) struct Gateway {
    /// The gateway's version.
    version: &'static str,
    /// The source of its data.
    mode: GatewayMode,
    /// The kind of credentials that you are known by.
    caller: CallerKind,
    /// The scopes that you hold.
    scopes: Vec<&'static str>,
    /// The treatment of an operation that needs a scope which its caller does not hold.
    scope_mode: ScopeMode,
    /// True if callers can read their own user with `me` though they do not hold `read:users`.
    self_access: bool,
    /// True if callers without credentials are let in.
    anonymous_access: bool,
    /// Warnings to whoever runs the gateway; empty if all is as it should be.
    warnings: Vec<String>,
    /// The token that the gateway holds for the Management API; null until the first call has fetched one.
    token: Option<GatewayToken>,
    /// The rate limits of the tenant as the gateway has learned them from Auth0's answers; empty until one has come.
    rate_limits: Vec<RateLimit>,
    /// The circuit breaker in front of Auth0.
    breaker: Breaker,
    /// The replicas that this one shares with, in Redis; null without `REDIS_URL`.
    replicas: Option<Replicas>,
}

/// The replicas of the gateway in front of one tenant, as the one that answers sees them.
#[derive(SimpleObject)]
struct Replicas {
    /// True while this replica shares with the others; false while Redis is not there or late, and each does alone what operations would wait for.
    is_shared: bool,
    /// True while this replica reads the tail of logs for all of them.
    leads_tail: bool,
    /// The number of replicas that were heard of in the last seconds, with this one; null while it is alone.
    count: Option<u32>,
    /// The number of calls that this replica has been given of the tenant's rate limits ahead of those who will ask for them.
    leases: u32,
}

impl Replicas {
    fn new(shared: &SharedState, upstream: &Upstream) -> Self {
        let fleet = upstream.fleet();
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            is_shared: shared.availability() == Availability::Up,
            leads_tail: upstream.leads_tail(),
            count: fleet.and_then(|fleet| fleet.replicas).map(number),
            leases: number(fleet.map_or(0, |fleet| fleet.leases)),
        }
    }
}

/// A bucket of the tenant's rate limits. All clients of the tenant draw on it.
#[derive(SimpleObject)]
struct RateLimit {
    /// The calls that are counted in it.
    covers: Vec<RateLimitClass>,
    /// The number of calls that it holds when full.
    limit: u32,
    /// The number of calls that could be made now, at the least.
    remaining: u32,
    /// The number of calls that come back each second, at the least; null until answers have told.
    refill_per_second: Option<f64>,
    /// The number of calls that wait in the gateway for their turn.
    queued: u32,
}

/// The class of calls that a rate limit counts.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::auth0::RateClass")]
enum RateLimitClass {
    /// Reading users.
    Users,
    /// Reading logs.
    Logs,
    /// Everything else.
    Other,
}

/// The circuit breaker in front of Auth0.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::auth0::BreakerStatus")]
enum Breaker {
    /// Calls are made.
    Closed,
    /// No calls are made: Auth0 has been failing, and is left alone for a moment.
    Open,
    /// A single call is made, to find out whether Auth0 is back.
    HalfOpen,
}

impl From<BucketStatus> for RateLimit {
    fn from(bucket: BucketStatus) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is cut off at zero, and small")]
        let remaining = bucket.remaining.max(0.0) as u32;
        Self {
            covers: bucket.classes.into_iter().map(Into::into).collect(),
            limit: bucket.limit,
            remaining,
            refill_per_second: bucket.refill_per_second,
            queued: u32::try_from(bucket.queued).unwrap_or(u32::MAX),
        }
    }
}

/// The source of the gateway's data.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum GatewayMode {
    /// An Auth0 tenant.
    Tenant,
    /// The made-up tenant that comes with the gateway.
    Sandbox,
}

/// The treatment of an operation that needs more scopes than its caller holds.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::graphql::permission::ScopeMode")]
enum ScopeMode {
    /// A field that the caller may not see is null, with an error beside the answers of the others.
    Filter,
    /// Nothing of the operation runs.
    Reject,
}

/// A token for the Management API. It is never shown itself.
#[derive(SimpleObject)]
struct GatewayToken {
    /// Time of its expiry. The gateway fetches another one before.
    expires_at: DateTime,
    /// The scopes that Auth0 granted to the gateway; null where Auth0 did not tell.
    scopes: Option<Vec<String>>,
    /// The scopes that fields of the schema need and Auth0 did not grant to the gateway; null where Auth0 did not tell.
    missing_scopes: Option<Vec<&'static str>>,
}

/// The kind of credentials that a caller is known by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum CallerKind {
    /// Nothing: no credentials were shown.
    Anonymous,
    /// An API key.
    ApiKey,
    /// An access token.
    Token,
}

impl From<&Identity> for CallerKind {
    fn from(identity: &Identity) -> Self {
        match identity {
            Identity::Anonymous => Self::Anonymous,
            Identity::ApiKey { .. } => Self::ApiKey,
            Identity::Token { .. } => Self::Token,
        }
    }
}

impl From<TokenStatus> for GatewayToken {
    fn from(token: TokenStatus) -> Self {
        let missing = token.scopes.as_ref().map(|granted| {
            let missing =
                Scope::ALL.iter().map(|scope| scope.as_str()).filter(|scope| !granted.iter().any(|have| have == scope));
            missing.collect()
        });
        Self {
            expires_at: DateTime(token.expires_at),
            scopes: token.scopes.map(|scopes| scopes.to_vec()),
            missing_scopes: missing,
        }
    }
}

/// Said where everyone can see it: the log of a start is soon forgotten.
fn warnings(upstream: &Upstream) -> Vec<String> {
    let (settings, limiter) = (upstream.settings(), upstream.limiter());
    let mut warnings = Vec::new();
    if settings.admits_anonymous && settings.mode == GatewayMode::Tenant {
        let scopes = Caller::ANONYMOUS.authority();
        warnings.push(format!(
            "ANONYMOUS ACCESS: whoever reaches this gateway can read the tenant without credentials ({scopes})."
        ));
    }
    match upstream.shared_state().map(SharedState::availability) {
        Some(Availability::Down) => {
            warnings.push("Redis is not there: this replica does alone what replicas share.".to_owned());
        }
        Some(Availability::Late) => warnings.push(
            "Redis answers late, or not at all: operations do not wait for it; the rate limit, RATE_LIMIT and documents are \
             each replica's own until it is quick again."
                .to_owned(),
        ),
        Some(Availability::Up | Availability::Unknown) | None => {}
    }
    if limiter.only_measures() {
        warnings.push("LIMITS=measure: operations beyond most limits are counted here, and run.".to_owned());
        warnings.extend(limiter.exceeded().map(|ExceededLimit { measure, limit, times, greatest }| {
            format!("Beyond the limit of {limit} for {measure}: {times} since the start, the greatest {greatest}.")
        }));
    }
    warnings.extend(upstream.refused_fields().into_iter().map(|RefusedFields { endpoint, names }| {
        let names = names.join(", ");
        format!("Auth0 does not take {names} in `fields` of {endpoint}: what selects them reads whole records.")
    }));
    warnings
}

impl Gateway {
    pub(crate) fn new(caller: &Caller, upstream: &Upstream) -> Self {
        let settings = upstream.settings();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            mode: settings.mode,
            caller: caller.identity().into(),
            scope_mode: settings.permissions.scope_mode.into(),
            self_access: settings.permissions.self_access,
            anonymous_access: settings.admits_anonymous,
            warnings: warnings(upstream),
            scopes: caller.authority().iter().map(Scope::as_str).collect(),
            token: upstream.token_status().map(Into::into),
            rate_limits: upstream.rate_limits().into_iter().map(Into::into).collect(),
            breaker: upstream.breaker().into(),
            replicas: upstream.shared_state().map(|shared| Replicas::new(shared, upstream)),
        }
    }
}
