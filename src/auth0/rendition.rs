//! Projections of an answer, kept beside it.
//!
//! Many who ask the same at the same time share one call and one answer. What each makes of it is the same too, as a rule,
//! and costs more than the rest: so that is shared as well, for as long as the answer itself is, and not a moment longer.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Room for an answer's projections, in times its own bytes. One is the rule, which is somewhat longer than the
/// answer if everything is asked for; else there is room for those of two versions of a front end.
const KEPT: usize = 2;

/// The most projections that are kept of an answer. They are looked through one by one, and each keeps its recipe.
const MOST: usize = 4;

/// Projections of an answer. Clones share them.
#[derive(Clone, Default)]
pub struct Renditions(Arc<Shared>);

#[derive(Default)]
struct Shared {
    renditions: Mutex<Vec<Rendition>>,
    is_spoiled: AtomicBool,
}

struct Rendition {
    recipe: Arc<dyn Any + Send + Sync>,
    part: usize,
    bytes: Bytes,
}

impl Rendition {
    fn is_of(&self, recipe: *const (), part: usize) -> bool {
        self.part == part && std::ptr::eq(Arc::as_ptr(&self.recipe).cast(), recipe)
    }
}

impl Renditions {
    /// The projection by this part of this very recipe.
    #[must_use]
    pub fn get<R>(&self, recipe: &Arc<R>, part: usize) -> Option<Bytes> {
        let recipe = Arc::as_ptr(recipe).cast();
        self.lock().iter().find(|rendition| rendition.is_of(recipe, part)).map(|rendition| rendition.bytes.clone())
    }

    /// Keeps what was made of the answer, which has this many bytes, unless enough is kept already. The recipe is kept too, so
    /// that no other can take its place in memory and be mistaken for it.
    pub fn keep(&self, recipe: Arc<dyn Any + Send + Sync>, part: usize, bytes: &Bytes, answer: usize) {
        let mut renditions = self.lock();
        let kept: usize = renditions.iter().map(|rendition| rendition.bytes.len()).sum();
        if renditions.len() < MOST && kept + bytes.len() <= Self::most(answer) {
            renditions.push(Rendition { recipe, part, bytes: bytes.clone() });
        }
    }

    /// Says that nothing can be made of the answer: whoever asks next is better served by another.
    pub fn spoil(&self) {
        self.0.is_spoiled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_spoiled(&self) -> bool {
        self.0.is_spoiled.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rendition>> {
        self.0.renditions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most bytes that renditions of an answer of this size take.
    pub(crate) const fn most(answer: usize) -> usize {
        answer.saturating_mul(KEPT)
    }
}

impl fmt::Debug for Renditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renditions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendition_is_had_by_its_own_recipe_and_part_alone() {
        let renditions = Renditions::default();
        let (one, other) = (Arc::new("recipe"), Arc::new("recipe"));
        let bytes = Bytes::from_static(b"{}");
        renditions.keep(one.clone(), 1, &bytes, 2);
        assert_eq!(renditions.clone().get(&one, 1), Some(bytes));
        assert_eq!(renditions.get(&one, 0), None);
        assert_eq!(renditions.get(&other, 1), None);
    }

    #[test]
    fn only_so_many_are_kept() {
        let renditions = Renditions::default();
        let recipe = Arc::new(());
        let lengths = [90, 120, 100, 5, 0, 0];
        for (part, length) in lengths.into_iter().enumerate() {
            renditions.keep(recipe.clone(), part, &vec![b' '; length].into(), 100);
        }
        let kept = (0..lengths.len()).filter(|part| renditions.get(&recipe, *part).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), [0, 2, 3, 4]);
    }
}
