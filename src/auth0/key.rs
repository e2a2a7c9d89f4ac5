//! What tells reads apart.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::pace::Question;

/// Path and query of a read, hashed once: a search for fifty users has two kilobytes of them, and is looked for in several
/// maps. Everybody sees the tenant through the gateway's one token, so that they are all that an answer depends on. Cheap to
/// clone.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    target: Arc<str>,
    question: Question,
}

impl Key {
    pub(crate) fn of(target: impl Into<Arc<str>>) -> Self {
        let target = target.into();
        let question = Question::of(&target);
        Self { target, question }
    }

    pub(crate) fn question(&self) -> Question {
        self.question
    }

    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.target.len()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.question == other.question && self.target == other.target
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.question.hash(state);
    }
}
