//! Plan and bytes in, bytes out: Auth0's records become the answer's without a tree between.

use std::borrow::Cow;

use async_graphql::PathSegment;
use indexmap::IndexMap;

use super::error::Failure;
use super::join::{Joined, Joins};
use super::json::{self, Malformed, Records};
use super::object::{Kind, Object, PageKind};
use super::plan::{Emit, PagePlan, PageWhat, Plan, Slots, What, may_see_all_of};
use super::value;
use crate::auth::Scopes;

/// What is known of a page beside its records.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PageFacts<'a> {
    /// How many records match in all, if Auth0 was asked.
    pub(crate) total: Option<u64>,
    pub(crate) page: u32,
    pub(crate) per_page: u32,
    /// Whether Auth0 would refuse the page after this one.
    pub(crate) is_last_reachable: bool,
    /// Where Auth0 says to read on.
    pub(crate) next: Option<&'a str>,
    /// Where the reading began.
    pub(crate) from: Option<&'a str>,
}

/// Appends the page whose `records` Auth0 sent, as `plan` wants it.
pub(crate) fn page(
    plan: &PagePlan,
    records: &[u8],
    facts: &PageFacts<'_>,
    joins: &Joins,
    out: &mut Vec<u8>,
) -> Result<Vec<Missed>, Malformed> {
    let records = std::str::from_utf8(records).map_err(|_| Malformed)?;
    let mut seen = None;
    let mut missed = Vec::new();
    out.push(b'{');
    for (place, emit) in plan.emits.iter().enumerate() {
        begin_entry(place, emit, out);
        match &emit.what {
            PageWhat::Typename(name) => json::write_string(name, out),
            PageWhat::Nodes(plan) => {
                let (nodes, mut missed_here) = list(plan, records, joins, out)?;
                seen = Some(nodes);
                let key = PathSegment::Field(name(&emit.key).to_owned());
                missed_here.iter_mut().for_each(|missed| missed.path.insert(0, key.clone()));
                missed.append(&mut missed_here);
            }
            PageWhat::Fact(fact) => {
                let seen = match &seen {
                    Some(seen) => seen,
                    None => seen.insert(look_through(records)?),
                };
                write_fact(*fact, facts, seen, out);
            }
        }
    }
    out.push(b'}');
    // A page of which nothing but facts was wanted has been read all the same: garbage is never answered as an empty page.
    if seen.is_none() {
        look_through(records)?;
    }
    Ok(missed)
}

/// Appends the JSON array `records` as a list, as `plan` wants it.
pub(crate) fn records(plan: &Plan, records: &[u8], joins: &Joins, out: &mut Vec<u8>) -> Result<Vec<Missed>, Malformed> {
    list(plan, std::str::from_utf8(records).map_err(|_| Malformed)?, joins, out).map(|(_, missed)| missed)
}

/// Appends the single `record`, as `plan` wants it.
pub(crate) fn record(plan: &Plan, record: &[u8], joins: &Joins, out: &mut Vec<u8>) -> Result<Vec<Missed>, Malformed> {
    let mut missed = object(plan, std::str::from_utf8(record).map_err(|_| Malformed)?, joins, out)?;
    // There is no list that it stands in.
    missed.iter_mut().for_each(|missed| drop(missed.path.remove(0)));
    Ok(missed)
}

/// A joined record that could not be had.
#[derive(Debug, PartialEq)]
pub(crate) struct Missed {
    /// Where it would stand, from the root field's own selection down.
    pub(crate) path: Vec<PathSegment>,
    pub(crate) failure: Failure,
}

/// What was seen while reading records.
#[derive(Default)]
struct Seen<'a> {
    records: u32,
    /// The values under the present record's `log_id` and `_id`.
    log_ids: [Option<&'a str>; 2],
    /// The greatest log id, in the order of text, which is theirs.
    greatest_log_id: Option<Cow<'a, str>>,
}

impl<'a> Seen<'a> {
    fn entry(&mut self, key: &str, value: &'a str) {
        match key {
            "log_id" => self.log_ids[0] = Some(value),
            "_id" => self.log_ids[1] = Some(value),
            _ => {}
        }
    }

    fn end(&mut self) {
        self.records += 1;
        let ids = self.log_ids.iter_mut().filter_map(|value| value::id(value.take()?));
        self.greatest_log_id = ids.chain(self.greatest_log_id.take()).max();
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
        PageKind::Next => match facts.next.or(seen.greatest_log_id.as_deref()).or(facts.from) {
            Some(id) => json::write_string(id, out),
            None => out.extend_from_slice(b"null"),
        },
    }
}

fn look_through(records: &str) -> Result<Seen<'_>, Malformed> {
    struct Look<'a>(Seen<'a>);
    impl<'a> Records<'a> for Look<'a> {
        fn entry(&mut self, key: Cow<'a, str>, value: &'a str) {
            self.0.entry(&key, value);
        }

        fn end(&mut self, _: bool) {
            self.0.end();
        }
    }
    let mut look = Look(Seen::default());
    json::read_records(records, &mut look)?;
    Ok(look.0)
}

fn list<'a>(
    plan: &Plan,
    records: &'a str,
    joins: &Joins,
    out: &mut Vec<u8>,
) -> Result<(Seen<'a>, Vec<Missed>), Malformed> {
    out.push(b'[');
    let mut projection = Projection::new(plan, joins, out);
    json::read_records(records, &mut projection)?;
    let Projection { seen, missed, .. } = projection;
    out.push(b']');
    Ok((seen, missed))
}

fn object(plan: &Plan, record: &str, joins: &Joins, out: &mut Vec<u8>) -> Result<Vec<Missed>, Malformed> {
    let mut projection = Projection::new(plan, joins, out);
    json::read_record(record, &mut projection)?;
    if projection.written == 0 { Err(Malformed) } else { Ok(projection.missed) }
}

/// Collects a record's values as they come by, and writes them in the plan's order when it ends.
struct Projection<'p, 'a, 'o> {
    plan: &'p Plan,
    values: Vec<Option<&'a str>>,
    entries: Option<IndexMap<Cow<'a, str>, &'a str>>,
    seen: Seen<'a>,
    joins: &'p Joins,
    missed: Vec<Missed>,
    written: usize,
    out: &'o mut Vec<u8>,
}

impl<'p, 'a, 'o> Projection<'p, 'a, 'o> {
    fn new(plan: &'p Plan, joins: &'p Joins, out: &'o mut Vec<u8>) -> Self {
        Self {
            plan,
            values: vec![None; plan.keys.len()],
            entries: plan.keeps_unknown().then(IndexMap::new),
            seen: Seen::default(),
            joins,
            missed: Vec::new(),
            written: 0,
            out,
        }
    }

    /// The value of a field: of its keys, the first that is there and not null.
    fn value(&self, slots: &Slots) -> Option<&'a str> {
        slots.iter().find_map(|slot| self.values[usize::from(*slot)].filter(|value| *value != "null"))
    }

    fn join(&self, slots: &Slots, join: usize) -> Joined<'p> {
        match self.value(slots).filter(|value| value.starts_with('"')) {
            Some(id) => self.joins.get(join, &json::unescape(id)),
            None => Joined::Null,
        }
    }

    fn write(&mut self) {
        self.out.push(b'{');
        for (place, emit) in self.plan.emits.iter().enumerate() {
            begin_entry(place, emit, self.out);
            let is_written = match &emit.what {
                What::Typename(name) => {
                    json::write_string(name, self.out);
                    true
                }
                What::Value(slots, kind) => self.value(slots).is_some_and(|value| value::write(kind, value, self.out)),
                What::Object(slots, plan) => self.value(slots).is_some_and(|value| write_object(plan, value, self.out)),
                What::Objects(slots, plan) => {
                    self.value(slots).is_some_and(|value| write_objects(plan, value, self.out))
                }
                What::Join(slots, join) => match self.join(slots, *join) {
                    Joined::Json(json) => {
                        self.out.extend_from_slice(json);
                        true
                    }
                    Joined::Null => false,
                    Joined::Failed(failure) => {
                        let key = PathSegment::Field(name(&emit.key).to_owned());
                        let path = vec![PathSegment::Index(self.written - 1), key];
                        self.missed.push(Missed { path, failure: failure.clone() });
                        false
                    }
                },
                What::Attributes(authority) => {
                    let entries = self.entries.iter().flatten();
                    write_attributes(self.plan.object, *authority, entries, self.out);
                    true
                }
                What::Forbidden => false,
            };
            if !is_written {
                self.out.extend_from_slice(b"null");
            }
        }
        self.out.push(b'}');
    }
}

impl<'a> Records<'a> for Projection<'_, 'a, '_> {
    fn entry(&mut self, key: Cow<'a, str>, value: &'a str) {
        self.seen.entry(&key, value);
        // The last of several entries under one key counts, as everywhere in JavaScript.
        if let Some(slot) = self.plan.slot(&key) {
            self.values[slot] = Some(value);
        }
        if let Some(entries) = &mut self.entries {
            entries.insert(key, value);
        }
    }

    fn end(&mut self, is_object: bool) {
        self.seen.end();
        if !is_object {
            return;
        }
        if self.written > 0 {
            self.out.push(b',');
        }
        self.written += 1;
        self.write();
        self.values.fill(None);
        if let Some(entries) = &mut self.entries {
            entries.clear();
        }
    }
}

/// The name in a key of the answer. Names have nothing to escape.
fn name(key: &[u8]) -> &str {
    let quoted = key.get(1..key.len().saturating_sub(2)).unwrap_or_default();
    std::str::from_utf8(quoted).unwrap_or_default()
}

fn begin_entry<W>(place: usize, emit: &Emit<W>, out: &mut Vec<u8>) {
    if place > 0 {
        out.push(b',');
    }
    out.extend_from_slice(&emit.key);
}

/// Each of the `write_` functions below appends a value and says so, or appends nothing where `value` has no form that fits.
fn write_object(plan: &Plan, value: &str, out: &mut Vec<u8>) -> bool {
    // The value was found well-formed when it was skipped: reading it again cannot fail half-way.
    value.starts_with('{') && object(plan, value, &Joins::default(), out).is_ok()
}

fn write_objects(plan: &Plan, value: &str, out: &mut Vec<u8>) -> bool {
    if !value.starts_with('[') {
        return false;
    }
    out.push(b'[');
    let joins = Joins::default();
    let mut projection = Projection::new(plan, &joins, out);
    let read = json::read_array(value, |element| {
        if element.starts_with('{') {
            // As above.
            let _ = json::read_record(element, &mut projection);
        }
    });
    out.push(b']');
    read.is_ok()
}

fn write_attributes<'e, 'a: 'e>(
    object: &Object,
    authority: Scopes,
    entries: impl Iterator<Item = (&'e Cow<'a, str>, &'e &'a str)>,
    out: &mut Vec<u8>,
) {
    let mut scratch = Vec::new();
    out.push(b'{');
    let mut is_first = true;
    for (key, value) in entries {
        let is_kept = match object.field_of_key(key) {
            None => true,
            Some(field) => {
                scratch.clear();
                *value != "null" && may_see_all_of(field, authority) && !fits(&field.kind, value, &mut scratch)
            }
        };
        if !is_kept {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        json::write_string(key, out);
        out.push(b':');
        json::write_value(value, out);
    }
    out.push(b'}');
}

fn fits(kind: &Kind, value: &str, scratch: &mut Vec<u8>) -> bool {
    match kind {
        Kind::Object(_) => value.starts_with('{'),
        Kind::Objects(_) => value.starts_with('['),
        kind => value::write(kind, value, scratch),
    }
}

#[cfg(test)]
mod tests;
