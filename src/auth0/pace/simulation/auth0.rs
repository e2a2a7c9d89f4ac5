//! Token buckets as Auth0 keeps them.

use std::time::Duration;

use super::super::RateClass;
use super::super::headers::RateLimitHeaders;

/// The beginning of the simulated world, in seconds since the Unix epoch; between two seconds, so that
/// both roundings matter.
const EPOCH: f64 = 1_800_000_000.37;

#[derive(Debug, Clone)]
pub(super) struct Bucket {
    limit: u32,
    per_second: f64,
    /// Time between two refills, if tokens come back all at once.
    lumps: Option<f64>,
    level: f64,
    at: f64,
    pub(super) taken: u64,
}

impl Bucket {
    pub(super) fn new(limit: u32, per_second: f64) -> Self {
        Self { limit, per_second, lumps: None, level: f64::from(limit), at: EPOCH, taken: 0 }
    }

    pub(super) fn in_lumps(self, seconds: f64) -> Self {
        Self { lumps: Some(seconds), ..self }
    }

    /// Calls that it gives in that time, at the most.
    pub(super) fn capacity(&self, time: Duration) -> f64 {
        f64::from(self.limit) + time.as_secs_f64() * self.per_second
    }

    /// `None` is a 429.
    fn take(&mut self, now: f64) -> Option<RateLimitHeaders> {
        let passed = match self.lumps {
            None => now - self.at,
            Some(lump) => ((now / lump).floor() - (self.at / lump).floor()) * lump,
        };
        self.level = (self.level + passed * self.per_second).min(f64::from(self.limit));
        self.at = now;
        if self.level < 1.0 {
            return None;
        }
        self.level -= 1.0;
        self.taken += 1;
        let full_in = (f64::from(self.limit) - self.level) / self.per_second;
        let seconds = (now + full_in).ceil() - now.floor();
        Some(RateLimitHeaders {
            limit: self.limit,
            remaining: self.level as u32,
            full_within: (seconds >= 1.0).then(|| Duration::from_secs_f64(seconds)),
        })
    }
}

/// A tenant.
#[derive(Debug, Clone)]
pub(super) struct Auth0 {
    pub(super) buckets: Vec<Bucket>,
    /// Buckets that users, logs and others are counted in.
    classes: [usize; 3],
}

impl Auth0 {
    /// A single bucket for everything.
    pub(super) fn shared(bucket: Bucket) -> Self {
        Self { buckets: vec![bucket], classes: [0; 3] }
    }

    /// A bucket for users, for logs and for the rest.
    pub(super) fn separate(buckets: impl IntoIterator<Item = Bucket>) -> Self {
        Self { buckets: buckets.into_iter().collect(), classes: [0, 1, 2] }
    }

    pub(super) fn in_lumps(self, seconds: f64) -> Self {
        Self { buckets: self.buckets.into_iter().map(|bucket| bucket.in_lumps(seconds)).collect(), ..self }
    }

    pub(super) fn free() -> Self {
        Self::shared(Bucket::new(2, 2.0))
    }

    pub(super) fn enterprise() -> Self {
        Self::shared(Bucket::new(50, 16.0))
    }

    /// Logs and the endpoints without a bucket of their own have the same limit there.
    pub(super) fn essentials() -> Self {
        let buckets = [(40, 500.0), (10, 100.0), (10, 150.0)];
        Self::separate(buckets.map(|(limit, per_minute)| Bucket::new(limit, per_minute / 60.0)))
    }

    pub(super) fn bucket(&self, class: RateClass) -> &Bucket {
        &self.buckets[self.classes[class as usize]]
    }

    pub(super) fn take(&mut self, class: RateClass, now: Duration) -> Option<RateLimitHeaders> {
        self.buckets[self.classes[class as usize]].take(EPOCH + now.as_secs_f64())
    }
}
