//! Pacing: no call is sent that Auth0 would refuse with a 429, and none waits longer than it must.
//!
//! A tenant's rate limits are token buckets whose sizes and refills depend on its plan and are
//! shared with every other client of the tenant. Nothing of that is configured here: what a bucket
//! holds is learned from the headers of each answer ([`headers`]), how fast it fills is learned from
//! several ([`refill`]), and both together say how many calls may go now ([`bucket`]). What may not
//! go yet waits its turn ([`queue`]), or is refused at once if its turn would come too late; then it
//! is told when to come back, and has its turn if it does ([`reservations`]).
//!
//! Where several replicas share a tenant, they share what is known and what may go: the [`budget`] is one value that each of
//! them sees a copy of and changes in its turn ([`fleet_budget`]), by leases of the calls that wait.
//!
//! All of this is decided by [`pacer`], which is told the time and does nothing; [`governor`] is the
//! clock, the lock and the wakers around it.

mod bucket;
mod budget;
mod counts;
mod fleet_budget;
mod gate;
mod governor;
mod headers;
mod pacer;
mod queue;
mod refill;
mod reservations;
mod share;
mod wire;

#[cfg(test)]
mod simulation;

use std::time::Duration;

pub(crate) use governor::{Governor, PacePermit};
pub(crate) use reservations::{RequestHash, ReservationKey};

use serde::{Deserialize, Serialize};

use super::call_context::{CallerKey, Priority};

/// Rate class: the kind of call that a plan's buckets are made for. The plan says which classes share
/// one: free and enterprise tenants have one for everything.
/// <https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy/rate-limit-configurations>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateClass {
    /// Reading users.
    Users,
    /// Reading logs.
    Logs,
    /// All other endpoints.
    Other,
}

impl RateClass {
    pub(crate) const ALL: [Self; 3] = [Self::Users, Self::Logs, Self::Other];

    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Logs => "logs",
            Self::Other => "other",
        }
    }
}

/// A request to make a call: its class, and the caller and the request that its turn belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PaceRequest {
    pub(crate) class: RateClass,
    pub(crate) reservation: ReservationKey,
    pub(crate) priority: Priority,
}

/// The share that is left to others, and the length of the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PaceSettings {
    /// The share of each bucket's refill that is left for the tenant's other clients, from 0 to 0.9.
    pub(crate) reserve: f64,
    /// The most calls that may wait. A caller may have as many waiting as there is room left, so one
    /// alone gets half of them, and there is always room for somebody new.
    pub(crate) queue: usize,
}

impl PaceSettings {
    /// The same with a reserve that makes sense.
    fn in_bounds(self) -> Self {
        let reserve = if self.reserve.is_finite() { self.reserve.clamp(0.0, 0.9) } else { 0.0 };
        Self { reserve, ..self }
    }
}

/// The call would not be made in time, or too many are waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PaceError {
    /// Time until the call has its turn, to within a round trip: its place is kept until then.
    /// Others on the tenant may make it later.
    pub(crate) retry_after: Duration,
}

/// The replicas that share a budget, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetStatus {
    /// Replicas that were heard of in the last seconds, with this one; `None` while this one is alone.
    pub replicas: Option<usize>,
    /// Calls that this one may make ahead of those that ask for them.
    pub leases: usize,
}

/// A bucket, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketStatus {
    /// Classes that are counted in it.
    pub classes: Vec<RateClass>,
    /// Calls that it holds when full.
    pub limit: u32,
    /// Calls that could go now, at the least. Below zero after a 429, or when more calls are on
    /// their way than it is known to hold.
    pub remaining: f64,
    /// Calls that come back per second, at the least; `None` until an answer tells.
    pub refill_per_second: Option<f64>,
    /// Calls that wait for it.
    pub queued: usize,
}
