//! Where the values of a record wait until it is over: an answer's order is seldom the record's.

use std::borrow::Cow;
use std::ops::Range;

use indexmap::IndexMap;

use super::attributes;
use super::gap::Gap;
use crate::graphql::json::{self, Raw, Records};
use crate::graphql::plan::{Emit, Plan, Slots, What};
use crate::graphql::value;

/// How many keys of records are remembered. Auth0's have some fifty.
const KEYS_REMEMBERED: usize = 64;

/// What a plan needs of a record. It is used for one record after the other, so that only the first costs allocations.
pub(super) struct Desk<'p, 'a> {
    plan: &'p Plan,
    keys: Keys<'a>,
    /// By slot. Of several entries under one key the last counts, as everywhere in JavaScript.
    values: Vec<Option<Raw<'a>>>,
    /// All entries, if those that the table does not know are wanted.
    entries: Option<IndexMap<Cow<'a, str>, Raw<'a>>>,
    /// For the objects within the record, in the order of the plan.
    inner: Vec<Desk<'p, 'a>>,
}

/// Which key of a record needs which slot. The records of a page have their keys in nearly the same order, so that most are
/// found where the one before them was found.
#[derive(Default)]
struct Keys<'a> {
    /// In the order of the records so far.
    known: Vec<(Raw<'a>, Option<usize>)>,
    /// Where the next key is looked for first.
    next: usize,
}

impl<'a> Keys<'a> {
    #[inline]
    fn expected(&self) -> Option<Raw<'a>> {
        self.known.get(self.next).map(|(key, _)| *key)
    }

    #[inline]
    fn slot(&mut self, plan: &Plan, key: Raw<'a>, is_expected: bool) -> Option<usize> {
        match self.known.get(self.next) {
            Some((_, slot)) if is_expected => {
                self.next += 1;
                *slot
            }
            _ => self.look_for(plan, key.parts()),
        }
    }

    #[inline(never)]
    fn look_for(&mut self, plan: &Plan, key: (&'a [u8], usize)) -> Option<usize> {
        let key = Raw::of(key);
        let (before, behind) = self.known.split_at_checked(self.next).unwrap_or_default();
        let is_it = |(known, _): &(Raw<'_>, Option<usize>)| known.bytes() == key.bytes();
        let found = behind.iter().position(is_it).map(|place| place + before.len());
        let place = match found.or_else(|| before.iter().position(is_it)) {
            Some(place) => place,
            None => {
                let slot = plan.slot(&key.string().unwrap_or_default());
                if self.known.len() >= KEYS_REMEMBERED {
                    return slot;
                }
                self.known.insert(self.next, (key, slot));
                self.next
            }
        };
        self.next = place + 1;
        self.known[place].1
    }
}

impl<'p, 'a> Desk<'p, 'a> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let inner = plan.emits.iter().filter_map(|emit| match &emit.what {
            What::Object(_, plan) | What::Objects(_, plan) => Some(Self::new(plan)),
            _ => None,
        });
        Self {
            plan,
            keys: Keys::default(),
            values: vec![None; plan.keys.len()],
            entries: plan.keeps_unknown().then(IndexMap::new),
            inner: inner.collect(),
        }
    }

    /// The key that is likely to come next.
    #[inline]
    fn expected(&self) -> Option<Raw<'a>> {
        self.keys.expected()
    }

    /// Takes in an entry of the record.
    #[inline(always)]
    fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
        if let Some(slot) = self.keys.slot(self.plan, key, is_expected) {
            self.values[slot] = Some(value);
        }
        if self.entries.is_some() {
            self.remember(key.parts(), value.parts());
        }
    }

    /// Apart, so that what is seldom wanted costs nothing where it is not.
    #[inline(never)]
    fn remember(&mut self, key: (&'a [u8], usize), value: (&'a [u8], usize)) {
        if let Some(entries) = &mut self.entries {
            entries.insert(Raw::of(key).string().unwrap_or_default(), Raw::of(value));
        }
    }

    /// Appends what the plan makes of the record that was taken in, and clears the desk for the next one. Objects within a
    /// record join nothing.
    pub(super) fn write(&mut self, gaps: &mut Vec<Gap<'p, 'a>>, out: &mut Vec<u8>) {
        let plan = self.plan;
        let mut inner = self.inner.iter_mut();
        for emit in &plan.emits {
            out.extend_from_slice(&emit.lead);
            let value = |slots: &Slots| first_of(&self.values, slots);
            let is_written = match &emit.what {
                What::Value(slots, kind) => value(slots).is_some_and(|value| value::write(kind, value, out)),
                What::Object(slots, _) => {
                    inner.next().zip(value(slots)).is_some_and(|(desk, value)| desk.write_object(value, gaps, out))
                }
                What::Objects(slots, _) => {
                    inner.next().zip(value(slots)).is_some_and(|(desk, value)| desk.write_objects(value, gaps, out))
                }
                What::Join(slots, join) => {
                    if let Some(id) = value(slots).and_then(Raw::string) {
                        gaps.push(Gap { at: out.len(), join: *join, id, list: None, index: None, lead: &emit.lead });
                    }
                    false
                }
                What::Typename(name) => {
                    json::write_string(name, out);
                    true
                }
                What::Attributes(authority, guard) => {
                    attributes::write(plan.object, *authority, *guard, self.entries.iter().flatten(), out);
                    true
                }
                What::Forbidden => false,
            };
            if !is_written {
                out.extend_from_slice(b"null");
            }
        }
        out.extend_from_slice(Emit::end(&plan.emits));
        self.clear();
    }

    /// Appends the object and says so, or appends nothing if it is none.
    fn write_object(&mut self, value: Raw<'a>, gaps: &mut Vec<Gap<'p, 'a>>, out: &mut Vec<u8>) -> bool {
        if value.first() != b'{' {
            return false;
        }
        let mut projection = Projection::new(self, gaps, out);
        // The value was found well-formed when it was passed over: reading it again cannot fail half-way.
        json::read_record(value.bytes(), &mut projection).is_ok()
    }

    /// Appends the objects of the array and says so, or appends nothing if it is none.
    fn write_objects(&mut self, value: Raw<'a>, gaps: &mut Vec<Gap<'p, 'a>>, out: &mut Vec<u8>) -> bool {
        if value.first() != b'[' {
            return false;
        }
        out.push(b'[');
        let mut projection = Projection::new(self, gaps, out);
        // As above.
        let read = json::read_records(value.bytes(), &mut projection);
        out.push(b']');
        read.is_ok()
    }

    /// Forgets the record that was taken in, but not what its keys were.
    pub(super) fn clear(&mut self) {
        self.keys.next = 0;
        self.values.fill(None);
        if let Some(entries) = &mut self.entries {
            entries.clear();
        }
    }
}

/// The value of a field: of its keys, the first that is there and not null.
#[inline]
fn first_of<'a>(values: &[Option<Raw<'a>>], slots: &Slots) -> Option<Raw<'a>> {
    slots.iter().find_map(|slot| values[usize::from(*slot)].filter(|value| !value.is_null()))
}

/// Reads records onto a desk, and appends what is made of each when it is over.
pub(super) struct Projection<'d, 'p, 'a> {
    desk: &'d mut Desk<'p, 'a>,
    gaps: &'d mut Vec<Gap<'p, 'a>>,
    /// How many records were objects, and were written.
    pub(super) written: usize,
    out: &'d mut Vec<u8>,
}

impl<'d, 'p, 'a> Projection<'d, 'p, 'a> {
    pub(super) fn new(desk: &'d mut Desk<'p, 'a>, gaps: &'d mut Vec<Gap<'p, 'a>>, out: &'d mut Vec<u8>) -> Self {
        Self { desk, gaps, written: 0, out }
    }

    /// What the record that was taken in has in a slot of the plan.
    pub(super) fn value(&self, slot: usize) -> Option<Raw<'a>> {
        self.desk.values.get(slot).copied().flatten()
    }

    /// Appends what is made of the record that was taken in, as no element of a list: where that stands.
    pub(super) fn alone(&mut self) -> Range<usize> {
        let start = self.out.len();
        self.desk.write(self.gaps, self.out);
        start..self.out.len()
    }
}

impl<'a> Records<'a> for Projection<'_, '_, 'a> {
    #[inline]
    fn expected(&self) -> Option<Raw<'a>> {
        self.desk.expected()
    }

    #[inline]
    fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
        self.desk.entry(key, is_expected, value);
    }

    fn end(&mut self, is_object: bool) {
        if !is_object {
            return;
        }
        if self.written > 0 {
            self.out.push(b',');
        }
        let known = self.gaps.len();
        self.desk.write(self.gaps, self.out);
        for gap in &mut self.gaps[known..] {
            gap.index = Some(self.written);
        }
        self.written += 1;
    }
}
