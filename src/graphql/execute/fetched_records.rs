//! Records that a call of joins has brought, by the keys that they were asked for with.

use indexmap::IndexMap;

use crate::graphql::error::GraphqlError;
use crate::graphql::plan::CallPlan;
use crate::graphql::project::{Projected, Segment};

/// The records of one call of a plan, as each of its joins projects them.
pub(super) struct FetchedRecords {
    /// The keys by their numbers, each with its state.
    known: IndexMap<Box<str>, State, foldhash::fast::RandomState>,
    /// The records that were found, each by its batch and its index there.
    found: Vec<(usize, usize)>,
    /// The batches of each join of the call.
    batches: Vec<Vec<Batch>>,
    /// Flags, by join of the call and found key, that are true once its slots have been opened.
    opened: Vec<Vec<bool>>,
}

/// The state of a key.
enum State {
    Pending,
    /// This many of those that were found came before it.
    Found(usize),
    /// There is nothing, or no longer.
    Absent,
    Failed(GraphqlError),
}

/// A projection of records that came together.
pub(super) struct Batch {
    pub(super) projected: Projected,
    pub(super) segments: Vec<Segment>,
}

/// The value of a slot.
pub(super) enum SlotValue<'a> {
    Record(&'a Projected, &'a Segment),
    Absent,
    Failed(&'a GraphqlError),
}

impl FetchedRecords {
    pub(super) fn new(call: &CallPlan) -> Self {
        Self {
            known: IndexMap::default(),
            found: Vec::new(),
            batches: call.joins.iter().map(|_| Vec::new()).collect(),
            opened: call.joins.iter().map(|_| Vec::new()).collect(),
        }
    }

    /// The number of `key`, which is to be fetched unless it is known.
    pub(super) fn request(&mut self, key: Box<str>) -> usize {
        let entry = self.known.entry(key);
        let number = entry.index();
        entry.or_insert(State::Pending);
        number
    }

    /// The record of a key, as the join of this index has it.
    pub(super) fn get(&self, join: usize, key: usize) -> SlotValue<'_> {
        let found = match self.known.get_index(key).map(|(_, state)| state) {
            Some(State::Found(found)) => *found,
            Some(State::Failed(failure)) => return SlotValue::Failed(failure),
            Some(State::Pending | State::Absent) | None => return SlotValue::Absent,
        };
        let record = self.found.get(found).zip(self.batches.get(join)).and_then(|((batch, index), batches)| {
            let Batch { projected, segments } = batches.get(*batch)?;
            Some(SlotValue::Record(projected, segments.get(*index)?))
        });
        record.unwrap_or(SlotValue::Absent)
    }

    /// The batch and index of the record that was found for a key, if the slots that one of the joins has in it are still to be opened.
    pub(super) fn unopened(&mut self, join: usize, key: usize) -> Option<(usize, usize)> {
        let (_, State::Found(found)) = self.known.get_index(key)? else { return None };
        let opened = self.opened.get_mut(join)?;
        if opened.len() <= *found {
            opened.resize(found + 1, false);
        }
        let is_open = std::mem::replace(opened.get_mut(*found)?, true);
        self.found.get(*found).copied().filter(|_| !is_open)
    }

    /// The keys of which nothing is known.
    pub(super) fn pending(&self) -> Vec<usize> {
        let states = self.known.values().enumerate();
        states.filter_map(|(key, state)| matches!(state, State::Pending).then_some(key)).collect()
    }

    pub(super) fn key_text(&self, key: usize) -> &str {
        self.known.get_index(key).map_or("", |(name, _)| name)
    }

    /// The number of a key.
    pub(super) fn key_number(&self, name: &str) -> Option<usize> {
        self.known.get_index_of(name)
    }

    /// The number of the next batch.
    pub(super) fn next_batch(&self) -> usize {
        self.batches.first().map_or(0, Vec::len)
    }

    pub(super) fn add_batch(&mut self, join: usize, batch: Batch) {
        self.batches[join].push(batch);
    }

    pub(super) fn batch(&mut self, join: usize, batch: usize) -> Option<&mut Batch> {
        self.batches.get_mut(join)?.get_mut(batch)
    }

    pub(super) fn set_found(&mut self, key: usize, index: (usize, usize)) {
        self.found.push(index);
        self.set(key, State::Found(self.found.len() - 1));
    }

    pub(super) fn set_failed(&mut self, key: usize, failure: &GraphqlError) {
        self.set(key, State::Failed(failure.clone()));
    }

    /// Sets that there is nothing for a key, unless something was found.
    pub(super) fn set_absent(&mut self, key: usize) {
        if let Some((_, state @ State::Pending)) = self.known.get_index_mut(key) {
            *state = State::Absent;
        }
    }

    fn set(&mut self, key: usize, state: State) {
        if let Some((_, known)) = self.known.get_index_mut(key) {
            *known = state;
        }
    }
}
