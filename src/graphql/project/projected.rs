//! The product of a projection: bytes, the slots to be filled in them, and the nulls to be told of.

use std::ops::Range;

/// Records, projected.
#[derive(Debug)]
pub(crate) struct Projected {
    pub(crate) json: Vec<u8>,
    /// The slots, in the order of the bytes.
    pub(crate) slots: Vec<JoinSlot>,
    pub(crate) nulls: Vec<WithheldNull>,
    pub(crate) left_out: Vec<LeftOut>,
    /// The indices of every path, one path's behind another's.
    indices: Vec<usize>,
    /// The indices of the value that is being written, of the outermost list first.
    pub(super) trail: Vec<usize>,
    limit: usize,
}

/// An object or a list that is an error, of which it has been told. Nothing of it is appended; it is null, as is what cannot be
/// without it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NullPropagated;

/// A null that stands where a joined record belongs.
#[derive(Debug)]
pub(crate) struct JoinSlot {
    /// Its offset in the bytes.
    pub(crate) offset: usize,
    /// The index of its join in the plan.
    pub(crate) join: usize,
    /// The value that the join goes by.
    pub(crate) key: Box<str>,
    /// The key's number among those of its call, once it is known there.
    pub(crate) key_number: usize,
    /// The start of its path among the indices of all.
    pub(crate) indices: usize,
}

/// A null that stands for what may not be shown.
#[derive(Debug)]
pub(crate) struct WithheldNull {
    /// Its index among the projection's withheld fields.
    pub(crate) field: usize,
    /// The start of its path among the indices of all.
    pub(crate) indices: usize,
}

/// Elements of a list that were no records.
#[derive(Debug)]
pub(crate) struct LeftOut {
    /// Its number among the projection's lists.
    pub(crate) list: usize,
    pub(crate) count: usize,
    /// The start of its path among the indices of all.
    pub(crate) indices: usize,
}

/// The part of a projection that belongs to one record.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) json: Range<usize>,
    pub(crate) slots: Range<usize>,
    pub(crate) nulls: Range<usize>,
    pub(crate) left_out: Range<usize>,
}

impl JoinSlot {
    /// The bytes that stand there until it is filled.
    pub(crate) const NULL: &'static [u8] = b"null";
}

impl Projected {
    /// Nothing yet, and never much more than `limit` bytes.
    pub(super) fn within(limit: usize) -> Self {
        Self {
            json: Vec::new(),
            slots: Vec::new(),
            nulls: Vec::new(),
            left_out: Vec::new(),
            indices: Vec::new(),
            trail: Vec::new(),
            limit,
        }
    }

    /// True if it has outgrown its limit: nothing more is worth writing.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.json.len() > self.limit
    }

    /// Reserves capacity for what becomes of so many bytes.
    pub(super) fn reserve(&mut self, records: usize) {
        // GraphQL names every field of every record, those too that Auth0 left out.
        self.json.reserve((records / 2 * 3).min(self.limit));
    }

    pub(super) fn open_slot(&mut self, join: usize, key: Box<str>) {
        let indices = self.remember_trail();
        self.slots.push(JoinSlot { offset: self.json.len(), join, key, key_number: usize::MAX, indices });
    }

    pub(super) fn withhold(&mut self, field: usize) {
        let indices = self.remember_trail();
        self.nulls.push(WithheldNull { field, indices });
    }

    /// The same for what is an error.
    #[cold]
    pub(super) fn fail(&mut self, field: usize) -> NullPropagated {
        self.withhold(field);
        NullPropagated
    }

    /// Takes back what has been appended since there were so many bytes, but not the errors in it.
    #[cold]
    pub(super) fn take_back(&mut self, start: usize) -> NullPropagated {
        self.json.truncate(start);
        self.slots.retain(|slot| slot.offset < start);
        NullPropagated
    }

    pub(super) fn leave_out(&mut self, list: usize, count: usize) {
        let indices = self.remember_trail();
        self.left_out.push(LeftOut { list, count, indices });
    }

    fn remember_trail(&mut self) -> usize {
        let start = self.indices.len();
        self.indices.extend_from_slice(&self.trail);
        start
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Segment {
        Segment {
            json: 0..self.json.len(),
            slots: 0..self.slots.len(),
            nulls: 0..self.nulls.len(),
            left_out: 0..self.left_out.len(),
        }
    }

    /// The part that has come since `before` was the whole.
    pub(super) fn since(&self, before: &Segment) -> Segment {
        let now = self.whole();
        Segment {
            json: before.json.end..now.json.end,
            slots: before.slots.end..now.slots.end,
            nulls: before.nulls.end..now.nulls.end,
            left_out: before.left_out.end..now.left_out.end,
        }
    }

    /// True if the bytes are all that there is to it.
    pub(crate) fn is_plain(&self) -> bool {
        self.slots.is_empty() && self.nulls.is_empty() && self.left_out.is_empty()
    }

    /// The list indices on the way to a place, from here on, of which the first is at `start`.
    pub(crate) fn indices_from(&self, start: usize) -> &[usize] {
        self.indices.get(start..).unwrap_or_default()
    }
}
