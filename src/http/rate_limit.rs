//! The rate limit of each caller.
//!
//! The process counts by itself, and refuses by its own count. What it would let through is counted over all replicas then, where they share
//! their state: so one that is flooded does not flood Redis, and one that is left alone goes on from where it is.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::address::network;
use crate::auth::{Caller, Identity};
use crate::shared_state::{Rate, SharedState};

/// Least number of keys at which those that can be forgotten are looked for.
const MIN_PURGE: usize = 1_000;

/// A rate. Who has sent less may catch up: as many requests at once as the rate names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Number of requests.
    pub requests: NonZeroU32,
    /// Time in which they may be sent.
    pub per: Period,
}

/// The period of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl RateLimit {
    /// The rate as it is counted over all replicas.
    fn rate(self) -> Rate {
        let period = match self.per {
            Period::Second => Duration::from_secs(1),
            Period::Minute => Duration::from_secs(60),
            Period::Hour => Duration::from_secs(60 * 60),
        };
        Rate { interval: period / self.requests.get(), burst: self.requests.get() }
    }

    fn quota(self) -> Quota {
        match self.per {
            Period::Second => Quota::per_second(self.requests),
            Period::Minute => Quota::per_minute(self.requests),
            Period::Hour => Quota::per_hour(self.requests),
        }
    }
}

/// The key by which the requests of one caller are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RateLimitKey {
    /// A caller with credentials, at any address.
    Caller(u64),
    /// The callers without credentials in one network.
    Address(IpAddr),
}

impl RateLimitKey {
    /// The key of a caller at `address`; without credentials, or refused ones, it is the network's.
    pub(crate) fn of(caller: Option<&Caller>, address: IpAddr) -> Self {
        if let Some(caller) = caller.filter(|caller| *caller.identity() != Identity::Anonymous) {
            return Self::Caller(caller.key());
        }
        Self::Address(network(address))
    }

    /// The name under which replicas count together: a hash, which keeps addresses from a glance, and not from whoever tries them all.
    fn shared_name(self) -> String {
        let text = match self {
            Self::Caller(key) => format!("caller {key:016x}"),
            Self::Address(address) => format!("address {address}"),
        };
        HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
    }
}

/// Counters of requests.
pub(crate) struct RateLimits<C: Clock = MonotonicClock> {
    limiter: RateLimiter<RateLimitKey, HashMapStateStore<RateLimitKey>, C, NoOpMiddleware<C::Instant>>,
    /// Number of keys at which those that can be forgotten are looked for.
    purge_at: AtomicUsize,
    /// The count over all replicas.
    shared: Option<(SharedState, Rate)>,
}

impl RateLimits {
    pub(crate) fn new(limit: RateLimit, shared: Option<SharedState>) -> Self {
        let shared = shared.map(|shared| (shared, limit.rate()));
        Self { shared, ..Self::with_clock(limit, MonotonicClock) }
    }

    /// Counts a request. The error of one too many is the time after which it may be sent.
    pub(crate) async fn admit(&self, key: RateLimitKey) -> Result<(), Duration> {
        self.admit_here(key)?;
        let Some((shared, rate)) = &self.shared else { return Ok(()) };
        // Without Redis each process counts for itself.
        shared.count(&shared.key("rate", key.shared_name()), *rate).await.unwrap_or(Ok(()))
    }
}

impl<C: Clock> RateLimits<C> {
    fn with_clock(limit: RateLimit, clock: C) -> Self {
        let limiter = RateLimiter::hashmap_with_clock(limit.quota(), clock);
        Self { limiter, purge_at: AtomicUsize::new(MIN_PURGE), shared: None }
    }

    /// Counts a request of this process.
    fn admit_here(&self, key: RateLimitKey) -> Result<(), Duration> {
        let verdict = self.limiter.check_key(&key);
        self.purge();
        verdict.map_err(|refusal| refusal.wait_time_from(self.limiter.clock().now()))
    }

    /// Forgets callers that have not been heard of for a period. Looks for them
    /// only when their number has doubled since it last did, so that many callers do not make each request slow.
    fn purge(&self) {
        if self.limiter.len() < self.purge_at.load(Ordering::Relaxed) {
            return;
        }
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
        self.purge_at.store(MIN_PURGE.max(2 * self.limiter.len()), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limits(requests: u32, per: Period) -> (RateLimits<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit { requests: NonZeroU32::new(requests).unwrap(), per };
        (RateLimits::with_clock(limit, clock.clone()), clock)
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_request_at_a_time() {
        let (limits, clock) = limits(2, Period::Minute);
        let key = RateLimitKey::Caller(1);
        assert_eq!([limits.admit_here(key), limits.admit_here(key)], [Ok(()), Ok(())]);
        assert_eq!(limits.admit_here(key), Err(Duration::from_secs(30)));
        assert_eq!(limits.admit_here(RateLimitKey::Caller(2)), Ok(()), "another caller is not held up");
        clock.advance(Duration::from_secs(10));
        assert_eq!(limits.admit_here(key), Err(Duration::from_secs(20)), "a refusal costs nothing");
        clock.advance(Duration::from_secs(20));
        assert_eq!(limits.admit_here(key), Ok(()));
        assert!(limits.admit_here(key).is_err());
    }

    #[test]
    fn whoever_is_not_heard_of_is_forgotten() {
        let (limits, clock) = limits(1, Period::Second);
        for caller in 0..10 * MIN_PURGE as u64 {
            assert_eq!(limits.admit_here(RateLimitKey::Caller(caller)), Ok(()));
            clock.advance(Duration::from_millis(10));
        }
        assert!(limits.limiter.len() <= MIN_PURGE, "{}", limits.limiter.len());
    }

    #[test]
    fn callers_without_credentials_are_told_apart_by_network() {
        for caller in [None, Some(&Caller::ANONYMOUS)] {
            let key = |address: &str| RateLimitKey::of(caller, address.parse().unwrap());
            assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
            assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
            assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        }
    }
}
