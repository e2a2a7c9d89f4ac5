//! What the gateway says of itself.

use async_graphql::{Enum, SimpleObject};

use super::Upstream;
use super::scalar::DateTime;
use crate::auth::{Caller, Scope};
use crate::auth0::BucketStatus;

/// The gateway: what it is, and how it stands with Auth0.
#[derive(SimpleObject)]
pub(crate) struct Gateway {
    /// The gateway's version.
    version: &'static str,
    /// What it reads from.
    mode: GatewayMode,
    /// The scopes that you hold.
    scopes: Vec<&'static str>,
    /// The token that the gateway holds for the Management API; null until the first call has fetched one.
    token: Option<GatewayToken>,
    /// The rate limits of the tenant as the gateway has learned them from Auth0's answers; empty until one has come.
    rate_limits: Vec<RateLimit>,
    /// Whether calls are let through to Auth0.
    breaker: Breaker,
}

/// A bucket of the tenant's rate limits. All clients of the tenant draw on it.
#[derive(SimpleObject)]
struct RateLimit {
    /// What is counted in it.
    covers: Vec<RateLimitClass>,
    /// How many calls it holds when full.
    limit: u32,
    /// How many calls could be made now, at the least.
    remaining: u32,
    /// How many calls come back each second, at the least; null until answers have told.
    refill_per_second: Option<f64>,
    /// How many calls wait in the gateway for their turn.
    queued: u32,
}

/// What a rate limit counts.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::auth0::Class")]
enum RateLimitClass {
    /// Reading users.
    Users,
    /// Reading logs.
    Logs,
    /// Everything else.
    Other,
}

/// Whether calls are let through to Auth0.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::auth0::BreakerStatus")]
enum Breaker {
    /// They are.
    Closed,
    /// They are not: Auth0 has been failing, and is left alone for a moment.
    Open,
    /// One is, to find out whether Auth0 is back.
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

/// What the gateway reads from.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum GatewayMode {
    /// An Auth0 tenant.
    Tenant,
    /// The made-up tenant that comes with the gateway.
    Sandbox,
}

/// A token for the Management API. It is never shown itself.
#[derive(SimpleObject)]
struct GatewayToken {
    /// When it expires. The gateway fetches another one before.
    expires_at: DateTime,
    /// The scopes that Auth0 granted to the gateway; null where Auth0 did not tell.
    scopes: Option<Vec<String>>,
}

impl Gateway {
    pub(crate) fn new(caller: &Caller, upstream: &Upstream) -> Self {
        let token = upstream.api.token_status();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            mode: upstream.mode,
            scopes: caller.authority().iter().map(Scope::as_str).collect(),
            token: token.map(|token| GatewayToken { expires_at: DateTime(token.expires_at), scopes: token.scopes }),
            rate_limits: upstream.api.rate_limits().into_iter().map(Into::into).collect(),
            breaker: upstream.api.breaker().into(),
        }
    }
}
