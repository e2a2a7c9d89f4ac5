//! Plan and bytes in, bytes out: Auth0's records become the answer's without a tree between.

mod attributes;
mod buffer;
pub(crate) mod json;
mod projected;
mod value;

use std::borrow::Cow;

use self::buffer::{RecordBuffer, RecordProjector, SingleRecordProjector};
use self::json::{Malformed, Raw, Records};
pub(crate) use self::projected::{JoinSlot, Projected, Segment};
use super::field_request::PageFacts;
use super::plan::{OutputField, PageOutput, PagePlan, Projection, RecordPlan, ShapePlan};
use super::schema::object::PageKind;

/// Why records cannot be projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProjectError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the projection outgrew its limit")]
    TooLarge,
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
    match &projection.shape {
        ShapePlan::Page(plan) => page(plan, json, facts, &mut out)?,
        ShapePlan::List(plan, place) => _ = list(plan, *place, json, &[], &mut out)?,
        ShapePlan::Record(plan) | ShapePlan::Connection(plan, _) => record(plan, json, &mut out)?,
    }
    if out.is_full() { Err(ProjectError::TooLarge) } else { Ok(out) }
}

/// A record that was projected on its own.
pub(crate) struct Each<'a> {
    /// Its id, if it has one.
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) segment: Segment,
}

/// Projects each record of the JSON array `records` on its own; its id is in the plan's slot `id`. Elements that are no records
/// are left out.
pub(crate) fn project_each<'a>(
    plan: &RecordPlan,
    id: usize,
    records: &'a [u8],
    limit: usize,
) -> Result<(Projected, Vec<Each<'a>>), ProjectError> {
    struct EachAlone<'d, 'p, 'a> {
        id: usize,
        each: Vec<Each<'a>>,
        reader: RecordProjector<'d, 'p, 'a>,
    }
    impl<'a> Records<'a> for EachAlone<'_, '_, 'a> {
        fn expected(&self) -> Option<Raw<'a>> {
            self.reader.expected()
        }

        fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
            self.reader.entry(key, is_expected, value);
        }

        fn end(&mut self, is_object: bool) {
            if is_object {
                let id = self.reader.value(self.id).and_then(value::id);
                let segment = self.reader.alone();
                self.each.push(Each { id, segment });
            }
        }
    }
    json::check_utf8(records)?;
    let (mut buffer, mut out) = (RecordBuffer::new(plan), Projected::within(limit));
    let mut each = EachAlone { id, each: Vec::new(), reader: RecordProjector::new(&mut buffer, &mut out) };
    json::read_records(records, &mut each)?;
    let each = each.each;
    if out.is_full() { Err(ProjectError::TooLarge) } else { Ok((out, each)) }
}

fn page(plan: &PagePlan, records: &[u8], facts: &PageFacts<'_>, out: &mut Projected) -> Result<(), Malformed> {
    // Auth0's word goes first.
    let wants_cursor = facts.next.is_none()
        && plan.fields.iter().any(|field| matches!(field.output, PageOutput::Fact(PageKind::Next)));
    let cursor = if wants_cursor { plan.cursor } else { &[] };
    let mut seen = None;
    out.reserve(records.len());
    for field in &plan.fields {
        out.json.extend_from_slice(&field.lead);
        match &field.output {
            PageOutput::Typename(name) => json::write_string(name, &mut out.json),
            PageOutput::Nodes(plan, place) => seen = Some(list(plan, *place, records, cursor, out)?),
            PageOutput::Fact(fact) => {
                let seen = match &seen {
                    Some(seen) => seen,
                    None => seen.insert(look_through(records, cursor)?),
                };
                write_fact(*fact, facts, seen, &mut out.json);
            }
        }
    }
    out.json.extend_from_slice(OutputField::end(&plan.fields));
    // A page of which nothing but facts was wanted has been read all the same: garbage is never answered as an empty page.
    if seen.is_none() {
        look_through(records, cursor)?;
    }
    Ok(())
}

fn record(plan: &RecordPlan, record: &[u8], out: &mut Projected) -> Result<(), Malformed> {
    let mut buffer = RecordBuffer::new(plan);
    let mut alone = SingleRecordProjector::new(&mut buffer, out);
    json::read_record(record, &mut alone)?;
    if alone.is_object { Ok(()) } else { Err(Malformed) }
}

/// What was seen while reading records.
#[derive(Default)]
struct Seen<'a> {
    records: u32,
    /// Only where a cursor is wanted.
    cursor: Option<Cursor<'a>>,
}

/// The greatest of the records' cursors.
struct Cursor<'a> {
    keys: &'static [&'static str],
    /// The values under the present record's keys.
    present: Vec<Option<Raw<'a>>>,
    /// In the order of text, which is that of log ids.
    greatest: Option<Cow<'a, str>>,
}

impl<'a> Seen<'a> {
    fn new(keys: &'static [&'static str]) -> Self {
        let cursor = Cursor { keys, present: vec![None; keys.len()], greatest: None };
        Self { records: 0, cursor: (!keys.is_empty()).then_some(cursor) }
    }

    #[inline]
    fn entry(&mut self, key: Raw<'a>, value: Raw<'a>) {
        if let Some(Cursor { keys, present, .. }) = &mut self.cursor
            && let Some(place) = keys.iter().position(|known| key.is(known))
        {
            present[place] = Some(value);
        }
    }

    fn end(&mut self) {
        self.records += 1;
        if let Some(Cursor { present, greatest, .. }) = &mut self.cursor {
            let ids = present.iter_mut().filter_map(|value| value::id(value.take()?));
            *greatest = ids.chain(greatest.take()).max();
        }
    }

    fn cursor(&self) -> Option<&str> {
        self.cursor.as_ref()?.greatest.as_deref()
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
        PageKind::Next => match facts.next.or(seen.cursor()).or(facts.from) {
            Some(id) => json::write_string(id, out),
            None => out.extend_from_slice(b"null"),
        },
    }
}

fn look_through<'a>(records: &'a [u8], cursor: &'static [&'static str]) -> Result<Seen<'a>, Malformed> {
    struct Look<'a>(Seen<'a>);
    impl<'a> Records<'a> for Look<'a> {
        fn entry(&mut self, key: Raw<'a>, _: bool, value: Raw<'a>) {
            self.0.entry(key, value);
        }

        fn end(&mut self, _: bool) {
            self.0.end();
        }
    }
    let mut look = Look(Seen::new(cursor));
    json::read_records(records, &mut look)?;
    Ok(look.0)
}

/// Appends the JSON array `records` as a list, which has this `place`.
fn list<'a>(
    plan: &RecordPlan,
    place: usize,
    records: &'a [u8],
    cursor: &'static [&'static str],
    out: &mut Projected,
) -> Result<Seen<'a>, Malformed> {
    struct Both<'s, 'd, 'p, 'a>(&'s mut Seen<'a>, RecordProjector<'d, 'p, 'a>);
    impl<'a> Records<'a> for Both<'_, '_, '_, 'a> {
        #[inline]
        fn expected(&self) -> Option<Raw<'a>> {
            self.1.expected()
        }

        #[inline]
        fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
            self.0.entry(key, value);
            self.1.entry(key, is_expected, value);
        }

        fn end(&mut self, is_object: bool) {
            self.0.end();
            self.1.end(is_object);
        }
    }
    let (mut seen, mut buffer) = (Seen::new(cursor), RecordBuffer::new(plan));
    out.json.push(b'[');
    let mut both = Both(&mut seen, RecordProjector::new(&mut buffer, out));
    json::read_records(records, &mut both)?;
    let left_out = both.1.left_out;
    out.json.push(b']');
    if left_out > 0 {
        out.leave_out(place, left_out);
    }
    Ok(seen)
}

#[cfg(test)]
mod tests;
