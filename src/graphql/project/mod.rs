//! Plan and bytes in, bytes out: Auth0's records become the answer's without a tree between.

mod attributes;
mod buffer;
pub(crate) mod json;
mod projected;
pub(crate) mod value;

use std::borrow::Cow;

use self::buffer::{RecordBuffer, RecordProjector, SingleRecordProjector};
use self::json::{JsonError, Raw, Records};
use self::projected::NullPropagated;
pub(crate) use self::projected::{JoinSlot, Projected, Segment};
use super::field_request::PageFacts;
use super::plan::{EntityPlan, OutputField, PageOutput, PagePlan, Projection, RecordPlan, ShapePlan};
use super::schema::object::PageKind;

/// Records that cannot be projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProjectError {
    #[error(transparent)]
    Malformed(#[from] JsonError),
    #[error("the projection outgrew its limit")]
    TooLarge,
}

/// The reason why a value is not written to its end.
enum WriteError {
    Malformed(JsonError),
    Null(NullPropagated),
}

impl From<JsonError> for WriteError {
    fn from(malformed: JsonError) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<NullPropagated> for WriteError {
    fn from(failed: NullPropagated) -> Self {
        Self::Null(failed)
    }
}

/// Makes of Auth0's `json` what the projection says, in not much more than `limit` bytes.
pub(crate) fn project(
    projection: &Projection,
    json: &[u8],
    facts: &PageFacts<'_>,
    limit: usize,
) -> Result<Projected, ProjectError> {
    json::check_utf8(json)?;
    let mut out = Projected::within(limit);
    let written = match &projection.shape {
        ShapePlan::Page(plan) => page(plan, json, facts, &mut out),
        ShapePlan::List(plan, number) => list(plan, *number, json, &[], &mut out).map(drop),
        ShapePlan::Record(plan) | ShapePlan::Connection(plan, _) => record(plan, json, &mut out),
        ShapePlan::Entities(plan) => {
            entities(plan, &mut out);
            Ok(())
        }
    };
    match written {
        Ok(()) => {}
        Err(WriteError::Malformed(malformed)) => return Err(malformed.into()),
        Err(WriteError::Null(NullPropagated)) => {
            out.take_back(0);
            out.json.extend_from_slice(b"null");
        }
    }
    if out.is_full() { Err(ProjectError::TooLarge) } else { Ok(out) }
}

/// A record that was projected on its own.
pub(crate) struct ProjectedRecord<'a> {
    /// Its id, if it has one.
    pub(crate) id: Option<Cow<'a, str>>,
    /// False if it lacks an id that it cannot be without.
    pub(crate) is_complete: bool,
    pub(crate) segment: Segment,
}

/// Projects each record of the JSON array `records` on its own; its id is in the plan's slot `id`. Elements that are no records
/// are left out.
pub(crate) fn project_each<'a>(
    plan: &RecordPlan,
    id: usize,
    records: &'a [u8],
    limit: usize,
) -> Result<(Projected, Vec<ProjectedRecord<'a>>), ProjectError> {
    struct RecordCollector<'d, 'p, 'a> {
        id: usize,
        each: Vec<ProjectedRecord<'a>>,
        reader: RecordProjector<'d, 'p, 'a>,
    }
    impl<'a> Records<'a> for RecordCollector<'_, '_, 'a> {
        fn expected(&self) -> Option<Raw<'a>> {
            self.reader.expected()
        }

        fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
            self.reader.entry(key, is_expected, value);
        }

        fn end(&mut self, is_object: bool) {
            if is_object {
                let id = self.reader.value(self.id).and_then(value::id);
                let is_complete = self.reader.is_complete();
                let segment = self.reader.alone();
                self.each.push(ProjectedRecord { id, is_complete, segment });
            }
        }
    }
    json::check_utf8(records)?;
    let (mut buffer, mut out) = (RecordBuffer::new(plan), Projected::within(limit));
    let mut each = RecordCollector { id, each: Vec::new(), reader: RecordProjector::new(&mut buffer, &mut out) };
    json::read_records(records, &mut each)?;
    let each = each.each;
    if out.is_full() { Err(ProjectError::TooLarge) } else { Ok((out, each)) }
}

fn page(plan: &PagePlan, records: &[u8], facts: &PageFacts<'_>, out: &mut Projected) -> Result<(), WriteError> {
    if let Some(withheld) = plan.withheld {
        return Err(out.fail(withheld).into());
    }
    // Auth0's word goes first.
    let wants_cursor = facts.next.is_none()
        && plan.fields.iter().any(|field| matches!(field.output, PageOutput::Fact(PageKind::Next)));
    let mut seen = None;
    out.reserve(records.len());
    for field in &plan.fields {
        out.json.extend_from_slice(&field.lead);
        match &field.output {
            PageOutput::Typename(name) => json::write_string(name, &mut out.json),
            PageOutput::Nodes(plan, number, cursor) => {
                let cursor = if wants_cursor { &cursor[..] } else { &[] };
                seen = Some(list(plan, *number, records, cursor, out)?);
            }
            PageOutput::Fact(fact) => {
                let seen = match &seen {
                    Some(seen) => seen,
                    None => seen.insert(look_through(&plan.cursor, records)?),
                };
                write_fact(*fact, facts, seen, &mut out.json);
            }
        }
    }
    out.json.extend_from_slice(OutputField::end(&plan.fields));
    // A page of which nothing but facts was wanted has been read all the same: garbage is never answered as an empty page.
    if seen.is_none() {
        look_through(&plan.cursor, records)?;
    }
    Ok(())
}

fn record(plan: &RecordPlan, record: &[u8], out: &mut Projected) -> Result<(), WriteError> {
    let mut buffer = RecordBuffer::new(plan);
    let mut alone = SingleRecordProjector::new(&mut buffer, out);
    json::read_record(record, &mut alone)?;
    Ok(alone.written.ok_or(JsonError)??)
}

/// Appends a list of nothing but slots and nulls: what fills them is joined.
fn entities(plan: &[EntityPlan], out: &mut Projected) {
    out.json.push(b'[');
    for (index, entity) in plan.iter().enumerate() {
        json::write_comma(index, &mut out.json);
        out.trail.push(index);
        match entity {
            EntityPlan::Join(join, key) => out.open_slot(*join, key.clone()),
            EntityPlan::Withheld(field) => out.withhold(*field),
        }
        out.trail.pop();
        out.json.extend_from_slice(JoinSlot::NULL);
    }
    out.json.push(b']');
}

/// Facts that are gathered while records are read.
#[derive(Default)]
struct Seen<'a> {
    records: u32,
    /// The greatest of the records' cursors, in the order of text, which is that of log ids.
    cursor: Option<Cow<'a, str>>,
}

impl<'a> Seen<'a> {
    /// Counts a record, which has these cursors.
    fn record(&mut self, cursors: impl Iterator<Item = Raw<'a>>) {
        self.records += 1;
        self.cursor = cursors.filter_map(value::id).chain(self.cursor.take()).max();
    }
}

fn write_fact(fact: PageKind, facts: &PageFacts<'_>, seen: &Seen<'_>, out: &mut Vec<u8>) {
    match fact {
        PageKind::Nodes => {}
        PageKind::Total => match facts.total.and_then(|total| i32::try_from(total).ok()) {
            Some(total) => value::write_number(total, out),
            None => out.extend_from_slice(b"null"),
        },
        PageKind::Page => value::write_number(facts.page, out),
        PageKind::PerPage => value::write_number(facts.per_page, out),
        PageKind::HasNextPage => {
            let more = match facts.total {
                Some(total) => total > (u64::from(facts.page) + 1) * u64::from(facts.per_page),
                None => seen.records >= facts.per_page,
            };
            out.extend_from_slice(if more && !facts.is_last_reachable { b"true" } else { b"false" });
        }
        PageKind::Checkpoint => match facts.next {
            Some(next) => json::write_string(next, out),
            None => out.extend_from_slice(b"null"),
        },
        PageKind::Next => match facts.next.or(seen.cursor.as_deref()).or(facts.from) {
            Some(id) => json::write_string(id, out),
            None => out.extend_from_slice(b"null"),
        },
    }
}

/// Reads what `cursor` wants of the records, and writes nothing.
fn look_through<'a>(cursor: &RecordPlan, records: &'a [u8]) -> Result<Seen<'a>, JsonError> {
    struct PageReader<'p, 'a>(Seen<'a>, RecordBuffer<'p, 'a>);
    impl<'a> Records<'a> for PageReader<'_, 'a> {
        fn expected(&self) -> Option<Raw<'a>> {
            self.1.expected()
        }

        fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
            self.1.entry(key, is_expected, value);
        }

        fn end(&mut self, _: bool) {
            let Self(seen, buffer) = self;
            seen.record(buffer.values());
            buffer.clear();
        }
    }
    let mut look = PageReader(Seen::default(), RecordBuffer::new(cursor));
    json::read_records(records, &mut look)?;
    Ok(look.0)
}

/// Appends the JSON array `records` as the list of this `number`.
fn list<'a>(
    plan: &RecordPlan,
    number: usize,
    records: &'a [u8],
    cursor: &[u16],
    out: &mut Projected,
) -> Result<Seen<'a>, WriteError> {
    struct Both<'c, 'd, 'p, 'a> {
        cursor: &'c [u16],
        seen: Seen<'a>,
        reader: RecordProjector<'d, 'p, 'a>,
    }
    impl<'a> Records<'a> for Both<'_, '_, '_, 'a> {
        #[inline]
        fn expected(&self) -> Option<Raw<'a>> {
            self.reader.expected()
        }

        #[inline]
        fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
            self.reader.entry(key, is_expected, value);
        }

        fn end(&mut self, is_object: bool) {
            let Self { cursor, seen, reader } = self;
            seen.record(cursor.iter().filter_map(|slot| reader.value(usize::from(*slot))));
            reader.end(is_object);
        }
    }
    let mut buffer = RecordBuffer::new(plan);
    let mut both = Both { cursor, seen: Seen::default(), reader: RecordProjector::list(&mut buffer, out) };
    json::read_records(records, &mut both)?;
    both.reader.end_list(number)?;
    Ok(both.seen)
}

#[cfg(test)]
mod tests;
