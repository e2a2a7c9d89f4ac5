//! Rate limits by plan: token buckets on the sandbox's clock.
//!
//! Sizes from Auth0's "Rate Limit Configurations". Auth0 reports when a bucket is *full* again,
//! whatever its documentation says: that was measured on 551 recorded answers.

use parking_lot::Mutex;

/// A plan of Auth0; it decides how many requests per second the Management API takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Plan {
    /// 2 requests at once and 2 per second, over all endpoints.
    Free,
    /// Users: 40 requests at once and 500 per minute; logs: 10 and 100.
    Essentials,
    /// 50 requests at once and 16 per second, over all endpoints.
    #[default]
    Enterprise,
    /// 5,000 requests at once and per second, over all endpoints: the largest private cloud.
    PrivateCloud,
}

impl Plan {
    /// The name, as it is written on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Essentials => "essentials",
            Self::Enterprise => "enterprise",
            Self::PrivateCloud => "private-cloud",
        }
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// The bucket that a call belongs to. Essentials has a third one, for endpoints that the sandbox does not
/// serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Users,
    Logs,
}

/// The buckets of a tenant.
#[derive(Debug)]
pub(crate) struct Limits {
    plan: Plan,
    buckets: Mutex<Vec<Bucket>>,
}

/// The values of the rate-limit headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimitValues {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// The second since the Unix epoch at which the bucket is full.
    pub(crate) reset: i64,
}

#[derive(Debug)]
struct Bucket {
    size: u32,
    /// Requests per minute that come back.
    refill: u32,
    level: f64,
    /// The moment at which `level` was right, in milliseconds since the Unix epoch.
    at: i64,
}

impl Limits {
    pub(crate) fn new(plan: Plan, now: i64) -> Self {
        let sizes: &[(u32, u32)] = match plan {
            Plan::Free => &[(2, 2 * 60)],
            Plan::Essentials => &[(40, 500), (10, 100)],
            Plan::Enterprise => &[(50, 16 * 60)],
            Plan::PrivateCloud => &[(5_000, 5_000 * 60)],
        };
        let buckets =
            sizes.iter().map(|&(size, refill)| Bucket { size, refill, level: f64::from(size), at: now }).collect();
        Self { plan, buckets: Mutex::new(buckets) }
    }

    /// Takes one request out of the endpoint's bucket; `None` if it is empty.
    pub(crate) fn take(&self, endpoint: Endpoint, now: i64) -> Option<RateLimitValues> {
        let position = match (self.plan, endpoint) {
            (Plan::Essentials, Endpoint::Logs) => 1,
            _ => 0,
        };
        self.buckets.lock()[position].take(now)
    }
}

impl Bucket {
    fn take(&mut self, now: i64) -> Option<RateLimitValues> {
        let per_ms = f64::from(self.refill) / 60_000.0;
        let size = f64::from(self.size);
        let passed = (now - self.at).max(0) as f64;
        self.level = passed.mul_add(per_ms, self.level).min(size);
        self.at = self.at.max(now);
        if self.level < 1.0 {
            return None;
        }
        self.level -= 1.0;
        let full_in = ((size - self.level) / per_ms).ceil() as i64;
        Some(RateLimitValues {
            limit: self.size,
            remaining: self.level as u32,
            reset: (now + full_in).div_euclid(1_000) + i64::from((now + full_in) % 1_000 > 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn a_free_tenant_takes_two_at_once_and_two_per_second() {
        let limits = Limits::new(Plan::Free, NOW);
        let take = |ms| limits.take(Endpoint::Users, NOW + ms);
        assert!(take(0).is_some());
        assert!(limits.take(Endpoint::Logs, NOW).is_some());
        assert_eq!(take(0), None);
        assert_eq!(take(499), None);
        assert!(take(500).is_some());
        assert_eq!(take(500), None);
        assert!(take(10_000).is_some());
    }

    #[test]
    fn reset_is_when_the_bucket_is_full() {
        let limits = Limits::new(Plan::Enterprise, NOW);
        let mut last = None;
        for _ in 0..40 {
            last = limits.take(Endpoint::Users, NOW);
        }
        let reading = RateLimitValues {
            limit: 50,
            remaining: 10,
            // 40 are missing, 16 come back per second.
            reset: NOW / 1_000 + 3,
        };
        assert_eq!(last, Some(reading));
    }

    #[test]
    fn essentials_counts_users_and_logs_apart() {
        let limits = Limits::new(Plan::Essentials, NOW);
        let count = |endpoint| (0..100).filter_map(|_| limits.take(endpoint, NOW)).count();
        assert_eq!(count(Endpoint::Users), 40);
        assert_eq!(count(Endpoint::Logs), 10);
    }

    #[test]
    fn plans_are_read_as_they_are_written() {
        for plan in Plan::value_variants() {
            assert_eq!(Plan::from_str(&plan.to_string(), false), Ok(*plan));
        }
        assert!(Plan::from_str("Free", false).is_err());
    }
}
