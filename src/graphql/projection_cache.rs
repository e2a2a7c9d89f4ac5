//! Projections of answers that several operations share.
//!
//! Many who ask the same at the same time share one call and one answer. What each makes of it is the same too, as a rule,
//! and costs more than the rest.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;

use super::plan::ExecutionPlan;
use crate::auth0::AnswerIdentity;

/// The most bytes of projections that are kept.
const CAPACITY: u64 = 32 << 20;

/// Bytes that an entry takes beside its projection.
const OVERHEAD: usize = 256;

/// Time for which a projection is kept: that of an answer, by default. One that is kept longer is projected once more in each of these.
const TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// Projections by answer, plan and root field.
pub(crate) struct ProjectionCache(Cache<Key, Bytes>);

/// The plan's place in memory is held, so that no other can take its address while its projections are there; what is in the plan
/// is not, which can be far more than its projections.
struct Key {
    answer: u64,
    plan: Weak<ExecutionPlan>,
    field: usize,
}

impl Key {
    fn parts(&self) -> (u64, *const ExecutionPlan, usize) {
        (self.answer, self.plan.as_ptr(), self.field)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Default for ProjectionCache {
    fn default() -> Self {
        let weight = |_: &Key, bytes: &Bytes| u32::try_from(bytes.len() + OVERHEAD).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(CAPACITY).weigher(weight).time_to_live(TIME_TO_LIVE).build())
    }
}

impl ProjectionCache {
    /// The projection of the answer by the plan's root field `field`.
    pub(crate) fn get(&self, answer: &AnswerIdentity, plan: &Arc<ExecutionPlan>, field: usize) -> Option<Bytes> {
        self.0.get(&Key { answer: answer.id(), plan: Arc::downgrade(plan), field })
    }

    /// Keeps a projection.
    pub(crate) fn put(&self, answer: &AnswerIdentity, plan: &Arc<ExecutionPlan>, field: usize, bytes: &Bytes) {
        self.0.insert(Key { answer: answer.id(), plan: Arc::downgrade(plan), field }, bytes.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_is_had_for_its_own_answer_plan_and_field_alone() {
        let cache = ProjectionCache::default();
        let (answer, plan_of_it, bytes) = (AnswerIdentity::default(), Arc::default(), Bytes::from_static(b"{}"));
        cache.put(&answer, &plan_of_it, 1, &bytes);
        assert_eq!(cache.get(&answer.clone(), &plan_of_it, 1), Some(bytes));
        assert_eq!(cache.get(&answer, &plan_of_it, 0), None);
        assert_eq!(cache.get(&answer, &Arc::default(), 1), None);
        assert_eq!(cache.get(&AnswerIdentity::default(), &plan_of_it, 1), None);
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let (cache, plan) = (ProjectionCache::default(), Arc::default());
        let bytes = Bytes::from(vec![b' '; 8 << 20]);
        for field in 0..20 {
            cache.put(&AnswerIdentity::default(), &plan, field, &bytes);
        }
        cache.0.run_pending_tasks();
        assert!(cache.0.weighted_size() <= CAPACITY, "{}", cache.0.weighted_size());
        assert!(cache.0.entry_count() > 0);
    }
}
