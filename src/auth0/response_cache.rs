//! A cache of responses of the eventually consistent endpoints, which are served again for a moment.
//!
//! The user search and the log search lag behind the tenant by themselves: an answer that is a second old is as good as a
//! new one, and costs the tenant nothing. What is strongly consistent is never kept.

use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;

use super::request_target::RequestKey;

/// Most bytes of answers that are kept. A page of a hundred full users has about 100 kB, so that this is some three hundred
/// of them: more than a second of the fastest plan brings.
const CAPACITY: u64 = 32 << 20;

/// Bytes that an entry takes beside its answer.
const OVERHEAD: usize = 256;

/// Answers that are kept, by what tells their calls apart.
pub(crate) struct ResponseCache<T: Clone + Send + Sync + 'static>(Option<Cache<RequestKey, CachedResponse<T>>>);

#[derive(Clone)]
struct CachedResponse<T> {
    answer: T,
    since: Instant,
}

impl<T: Clone + Send + Sync + 'static> ResponseCache<T> {
    /// Keeps answers for `time_to_live`; zero keeps none. `size` tells how many bytes an answer holds.
    pub(crate) fn new(time_to_live: Duration, size: fn(&T) -> usize) -> Self {
        let weight = move |key: &RequestKey, cached: &CachedResponse<T>| {
            u32::try_from(key.len() + size(&cached.answer) + OVERHEAD).unwrap_or(u32::MAX)
        };
        let is_on = !time_to_live.is_zero();
        Self(is_on.then(|| Cache::builder().max_capacity(CAPACITY).weigher(weight).time_to_live(time_to_live).build()))
    }

    /// The answer that is kept for `key`, and its age.
    pub(crate) fn get(&self, key: &RequestKey) -> Option<(T, Duration)> {
        let cached = self.0.as_ref()?.get(key)?;
        Some((cached.answer, cached.since.elapsed()))
    }

    /// Keeps an answer that has just come.
    pub(crate) fn put(&self, key: RequestKey, answer: &T) {
        if let Some(cache) = &self.0 {
            cache.insert(key, CachedResponse { answer: answer.clone(), since: Instant::now() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_unless_that_is_switched_off() {
        for (time_to_live, expected) in [(Duration::from_secs(3600), Some(1)), (Duration::ZERO, None)] {
            let cache = ResponseCache::new(time_to_live, |_: &u32| 4);
            cache.put(RequestKey::of("a"), &1);
            assert_eq!(cache.get(&RequestKey::of("a")).map(|(answer, _)| answer), expected);
            assert_eq!(cache.get(&RequestKey::of("b")).map(|(answer, _)| answer), None);
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let cache = ResponseCache::new(Duration::from_secs(3600), |_: &u32| 8 << 20);
        for answer in 0..20 {
            cache.put(RequestKey::of(answer.to_string()), &answer);
        }
        let inner = cache.0.unwrap();
        inner.run_pending_tasks();
        assert!(inner.weighted_size() <= CAPACITY, "{}", inner.weighted_size());
        assert!(inner.entry_count() > 0);
    }
}
