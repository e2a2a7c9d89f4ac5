//! A buffer for the values of a record until it has been read: an answer's order is seldom the record's.

use super::json::{self, Raw, Records};
use super::projected::{NullPropagated, Projected, Segment};
use super::{attributes, value};
use crate::graphql::plan::{Output, OutputField, RecordPlan, Slots};

/// The most keys of records that are remembered. Auth0's have some fifty.
const KEYS_REMEMBERED: usize = 64;

/// The values of a record that a plan needs. The buffer is used for one record after the other, so that only the first costs allocations.
pub(super) struct RecordBuffer<'p, 'a> {
    plan: &'p RecordPlan,
    keys: Keys<'a>,
    /// The values by slot. Of several entries under one key the last counts, as everywhere in JavaScript.
    values: Vec<Option<Raw<'a>>>,
    /// All entries, if those that the table does not know are wanted.
    entries: Option<attributes::Entries<'a>>,
    /// The buffers of the objects within the record, in the order of the plan.
    inner: Vec<RecordBuffer<'p, 'a>>,
}

/// The slots of the keys of a record. The records of a page have their keys in nearly the same order, so that most are
/// found where the one before them was found.
#[derive(Default)]
struct Keys<'a> {
    /// The keys in the order of the records so far, with their slots.
    known: Vec<(Raw<'a>, Option<usize>)>,
    /// The index at which the next key is looked for first.
    next: usize,
}

impl<'a> Keys<'a> {
    #[inline]
    fn expected(&self) -> Option<Raw<'a>> {
        self.known.get(self.next).map(|(key, _)| *key)
    }

    #[inline]
    fn slot(&mut self, plan: &RecordPlan, key: Raw<'a>, is_expected: bool) -> Option<usize> {
        match self.known.get(self.next) {
            Some((_, slot)) if is_expected => {
                self.next += 1;
                *slot
            }
            _ => self.look_for(plan, key.parts()),
        }
    }

    #[inline(never)]
    fn look_for(&mut self, plan: &RecordPlan, key: (&'a [u8], usize)) -> Option<usize> {
        let key = Raw::of(key);
        let (before, behind) = self.known.split_at_checked(self.next).unwrap_or_default();
        let is_it = |(known, _): &(Raw<'_>, Option<usize>)| known.bytes() == key.bytes();
        let found = behind.iter().position(is_it).map(|index| index + before.len());
        let index = match found.or_else(|| before.iter().position(is_it)) {
            Some(index) => index,
            None => {
                let slot = plan.slot(&key.string().unwrap_or_default());
                if self.known.len() >= KEYS_REMEMBERED {
                    return slot;
                }
                self.known.insert(self.next, (key, slot));
                self.next
            }
        };
        self.next = index + 1;
        self.known[index].1
    }
}

impl<'p, 'a> RecordBuffer<'p, 'a> {
    pub(super) fn new(plan: &'p RecordPlan) -> Self {
        let inner = plan.fields.iter().filter_map(|field| match &field.output {
            Output::Object(_, plan, _) | Output::Objects(_, plan, ..) => Some(Self::new(plan)),
            _ => None,
        });
        Self {
            plan,
            keys: Keys::default(),
            values: vec![None; plan.keys.len()],
            entries: plan.keeps_unknown().then(attributes::Entries::new),
            inner: inner.collect(),
        }
    }

    /// The key that is likely to come next.
    #[inline]
    pub(super) fn expected(&self) -> Option<Raw<'a>> {
        self.keys.expected()
    }

    /// Takes in an entry of the record.
    #[inline(always)]
    pub(super) fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
        if let Some(slot) = self.keys.slot(self.plan, key, is_expected) {
            self.values[slot] = Some(value);
        }
        if self.entries.is_some() {
            self.remember(key.parts(), value.parts());
        }
    }

    /// The values that the record has in the slots of the plan.
    pub(super) fn values(&self) -> impl Iterator<Item = Raw<'a>> {
        self.values.iter().copied().flatten()
    }

    /// Apart, so that what is seldom wanted costs nothing where it is not.
    #[inline(never)]
    fn remember(&mut self, key: (&'a [u8], usize), value: (&'a [u8], usize)) {
        if let Some(entries) = &mut self.entries {
            entries.insert(Raw::of(key).string().unwrap_or_default(), Raw::of(value));
        }
    }

    /// True unless the record that was taken in lacks an id that it cannot be without.
    pub(super) fn is_complete(&self) -> bool {
        self.plan.id.as_ref().is_none_or(|slots| first_of(&self.values, slots).and_then(value::id).is_some())
    }

    /// Appends what the plan makes of the record that was taken in, and clears the buffer for the next one.
    pub(super) fn write(&mut self, out: &mut Projected) -> Result<(), NullPropagated> {
        let plan = self.plan;
        if let Some(withheld) = plan.withheld {
            self.clear();
            return Err(out.fail(withheld));
        }
        let start = out.json.len();
        let mut inner = self.inner.iter_mut();
        for field in &plan.fields {
            if out.is_full() {
                break;
            }
            out.json.extend_from_slice(&field.lead);
            let value = |slots: &Slots| first_of(&self.values, slots);
            let is_written = match &field.output {
                Output::Value(slots, kind) => {
                    Ok(value(slots).is_some_and(|value| value::write(kind, value, &mut out.json)))
                }
                Output::Object(slots, _, number) => match inner.next().zip(value(slots)) {
                    Some((buffer, value)) => buffer.write_object(value, *number, out),
                    None => Ok(false),
                },
                Output::Objects(slots, _, number, is_kept_back) => match inner.next().zip(value(slots)) {
                    Some((buffer, value)) => buffer.write_objects(value, *number, *is_kept_back, out),
                    None => Ok(false),
                },
                Output::Join(slots, join) => {
                    if let Some(key) = value(slots).and_then(value::id) {
                        out.open_slot(*join, key.into());
                    }
                    Ok(false)
                }
                Output::Typename(name) => {
                    json::write_string(name, &mut out.json);
                    Ok(true)
                }
                Output::Attributes(authority, guard) => {
                    if let Some(entries) = &self.entries {
                        attributes::write(plan.object, *authority, *guard, entries, &mut out.json);
                    }
                    Ok(true)
                }
                Output::Withheld(field) => {
                    out.withhold(*field);
                    Ok(false)
                }
            };
            match is_written {
                Ok(true) => {}
                Err(NullPropagated) if field.is_non_null => {
                    self.clear();
                    return Err(out.take_back(start));
                }
                Ok(false) | Err(NullPropagated) => out.json.extend_from_slice(b"null"),
            }
        }
        out.json.extend_from_slice(OutputField::end(&plan.fields));
        self.clear();
        Ok(())
    }

    /// Appends the object and says so, or appends nothing if it is none, and tells of that under the number.
    fn write_object(
        &mut self,
        value: Raw<'a>,
        number: Option<usize>,
        out: &mut Projected,
    ) -> Result<bool, NullPropagated> {
        let mut alone = SingleRecordProjector::new(self, out);
        // The value was found well-formed when it was passed over: reading it again cannot fail half-way.
        let is_read = value.first() == b'{' && json::read_record(value.bytes(), &mut alone).is_ok();
        let written = alone.written.filter(|_| is_read);
        // A value that has no room for the unknown is in `attributes`.
        let is_kept_back = written.is_none() && matches!(value.first(), b'{' | b'[');
        if let (true, Some(number)) = (is_kept_back, number) {
            out.leave_out(number, 1);
        }
        written.transpose().map(|written| written.is_some())
    }

    /// Appends the objects of the array and says so, or appends nothing if it is no array. Of elements that are no objects it is told
    /// under the number; of what is no array, if that is kept back.
    fn write_objects(
        &mut self,
        value: Raw<'a>,
        number: usize,
        is_kept_back: bool,
        out: &mut Projected,
    ) -> Result<bool, NullPropagated> {
        if value.first() != b'[' {
            if is_kept_back {
                out.leave_out(number, 1);
            }
            return Ok(false);
        }
        let mut list = RecordProjector::list(self, out);
        // As above.
        let read = json::read_records(value.bytes(), &mut list);
        list.end_list(number)?;
        Ok(read.is_ok())
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

/// Reads records into a buffer, and appends what is made of each when it is over.
pub(super) struct RecordProjector<'d, 'p, 'a> {
    buffer: &'d mut RecordBuffer<'p, 'a>,
    /// The offset at which the first of them is written, or their list.
    start: usize,
    /// The number of records that were written.
    written: usize,
    /// The number of elements that were no objects, or lacked their ids.
    left_out: usize,
    /// True once an element is an error: then the list is, and those behind it are not looked at.
    has_failed: bool,
    out: &'d mut Projected,
}

impl<'d, 'p, 'a> RecordProjector<'d, 'p, 'a> {
    pub(super) fn new(buffer: &'d mut RecordBuffer<'p, 'a>, out: &'d mut Projected) -> Self {
        Self { buffer, start: out.json.len(), written: 0, left_out: 0, has_failed: false, out }
    }

    /// The same, for the elements of a list.
    pub(super) fn list(buffer: &'d mut RecordBuffer<'p, 'a>, out: &'d mut Projected) -> Self {
        let list = Self::new(buffer, out);
        list.out.json.push(b'[');
        list
    }

    /// Ends the list, which has this number.
    pub(super) fn end_list(self, number: usize) -> Result<(), NullPropagated> {
        let Self { start, left_out, has_failed, out, .. } = self;
        if left_out > 0 {
            out.leave_out(number, left_out);
        }
        if has_failed {
            return Err(out.take_back(start));
        }
        out.json.push(b']');
        Ok(())
    }

    /// The value that the record has in a slot of the plan.
    pub(super) fn value(&self, slot: usize) -> Option<Raw<'a>> {
        self.buffer.values.get(slot).copied().flatten()
    }

    /// True unless the record that was taken in lacks an id that it cannot be without.
    pub(super) fn is_complete(&self) -> bool {
        self.buffer.is_complete()
    }

    /// Appends what is made of the record that was taken in, as no element of a list.
    pub(super) fn alone(&mut self) -> Segment {
        let before = self.out.whole();
        if let Err(NullPropagated) = self.buffer.write(self.out) {
            self.out.json.extend_from_slice(b"null");
        }
        self.out.since(&before)
    }
}

impl<'a> Records<'a> for RecordProjector<'_, '_, 'a> {
    #[inline]
    fn expected(&self) -> Option<Raw<'a>> {
        self.buffer.expected()
    }

    #[inline]
    fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
        self.buffer.entry(key, is_expected, value);
    }

    fn end(&mut self, is_object: bool) {
        if !is_object || !self.buffer.is_complete() {
            self.left_out += 1;
            return self.buffer.clear();
        }
        if self.has_failed || self.out.is_full() {
            return self.buffer.clear();
        }
        json::write_comma(self.written, &mut self.out.json);
        self.out.trail.push(self.written);
        self.has_failed = self.buffer.write(self.out).is_err();
        self.out.trail.pop();
        self.written += 1;
    }
}

/// Reads a single record, which stands in no list.
pub(super) struct SingleRecordProjector<'d, 'p, 'a> {
    projection: RecordProjector<'d, 'p, 'a>,
    /// None if it is no object, or lacks its id.
    pub(super) written: Option<Result<(), NullPropagated>>,
}

impl<'d, 'p, 'a> SingleRecordProjector<'d, 'p, 'a> {
    pub(super) fn new(buffer: &'d mut RecordBuffer<'p, 'a>, out: &'d mut Projected) -> Self {
        Self { projection: RecordProjector::new(buffer, out), written: None }
    }
}

impl<'a> Records<'a> for SingleRecordProjector<'_, '_, 'a> {
    #[inline]
    fn expected(&self) -> Option<Raw<'a>> {
        self.projection.expected()
    }

    #[inline]
    fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
        self.projection.entry(key, is_expected, value);
    }

    fn end(&mut self, is_object: bool) {
        let RecordProjector { buffer, out, .. } = &mut self.projection;
        if is_object && buffer.is_complete() {
            self.written = Some(buffer.write(out));
        } else {
            buffer.clear();
        }
    }
}
