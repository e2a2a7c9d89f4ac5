//! Plan and bytes in, bytes out: Auth0's records become the answer's without a tree between.

mod attributes;
mod desk;
mod gap;

use std::borrow::Cow;
use std::ops::Range;

use self::desk::{Desk, Projection};
pub(crate) use self::gap::Gap;
use super::json::{self, Malformed, Raw, Records};
use super::object::PageKind;
use super::plan::{Emit, JoinPlan, PagePlan, PageWhat, Plan};
use super::value;

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
pub(crate) fn page<'p, 'a>(
    plan: &'p PagePlan,
    records: &'a [u8],
    facts: &PageFacts<'_>,
    out: &mut Vec<u8>,
) -> Result<Vec<Gap<'p, 'a>>, Malformed> {
    json::check_utf8(records)?;
    // Auth0's word goes first.
    let wants_ids =
        facts.next.is_none() && plan.emits.iter().any(|emit| matches!(emit.what, PageWhat::Fact(PageKind::Next)));
    let mut seen = None;
    let mut gaps = Vec::new();
    // GraphQL names every field of every record, those too that Auth0 left out.
    out.reserve(records.len() / 2 * 3);
    for emit in &plan.emits {
        out.extend_from_slice(&emit.lead);
        match &emit.what {
            PageWhat::Typename(name) => json::write_string(name, out),
            PageWhat::Nodes(plan) => {
                let known = gaps.len();
                seen = Some(list(plan, records, wants_ids, &mut gaps, out)?);
                gaps[known..].iter_mut().for_each(|gap: &mut Gap<'_, '_>| gap.list = Some(&emit.lead));
            }
            PageWhat::Fact(fact) => {
                let seen = match &seen {
                    Some(seen) => seen,
                    None => seen.insert(look_through(records, wants_ids)?),
                };
                write_fact(*fact, facts, seen, out);
            }
        }
    }
    out.extend_from_slice(Emit::end(&plan.emits));
    // A page of which nothing but facts was wanted has been read all the same: garbage is never answered as an empty page.
    if seen.is_none() {
        look_through(records, wants_ids)?;
    }
    Ok(gaps)
}

/// Appends the JSON array `records` as a list, as `plan` wants it.
pub(crate) fn records<'p, 'a>(
    plan: &'p Plan,
    records: &'a [u8],
    out: &mut Vec<u8>,
) -> Result<Vec<Gap<'p, 'a>>, Malformed> {
    let mut gaps = Vec::new();
    json::check_utf8(records)?;
    list(plan, records, false, &mut gaps, out)?;
    Ok(gaps)
}

/// Appends the single `record`, as `plan` wants it.
pub(crate) fn record<'p, 'a>(
    plan: &'p Plan,
    record: &'a [u8],
    out: &mut Vec<u8>,
) -> Result<Vec<Gap<'p, 'a>>, Malformed> {
    json::check_utf8(record)?;
    let (mut desk, mut gaps) = (Desk::new(plan), Vec::new());
    let mut projection = Projection::new(&mut desk, &mut gaps, out);
    json::read_record(record, &mut projection)?;
    if projection.written == 0 {
        return Err(Malformed);
    }
    // There is no list that it stands in.
    gaps.iter_mut().for_each(|gap| gap.index = None);
    Ok(gaps)
}

/// A record that was projected on its own.
pub(crate) struct Apart<'a> {
    /// Its id, if that is a string.
    pub(crate) id: Option<Cow<'a, str>>,
    /// Where its projection stands.
    pub(crate) place: Range<usize>,
}

/// Appends each record of the JSON array `records` on its own, as `plan` wants it, which says where the id is too. Elements
/// that are no records are left out.
pub(crate) fn apart<'a>(plan: &JoinPlan, records: &'a [u8], out: &mut Vec<u8>) -> Result<Vec<Apart<'a>>, Malformed> {
    struct EachApart<'d, 'p, 'a> {
        id: usize,
        apart: Vec<Apart<'a>>,
        projection: Projection<'d, 'p, 'a>,
    }
    impl<'a> Records<'a> for EachApart<'_, '_, 'a> {
        fn expected(&self) -> Option<Raw<'a>> {
            self.projection.expected()
        }

        fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
            self.projection.entry(key, is_expected, value);
        }

        fn end(&mut self, is_object: bool) {
            if is_object {
                let id = self.projection.value(self.id).and_then(Raw::string);
                let place = self.projection.alone();
                self.apart.push(Apart { id, place });
            }
        }
    }
    json::check_utf8(records)?;
    let (mut desk, mut gaps) = (Desk::new(&plan.record), Vec::new());
    let projection = Projection::new(&mut desk, &mut gaps, out);
    let mut each = EachApart { id: plan.id, apart: Vec::new(), projection };
    json::read_records(records, &mut each)?;
    Ok(each.apart)
}

/// What was seen while reading records.
#[derive(Default)]
struct Seen<'a> {
    records: u32,
    /// Only where the greatest log id is wanted.
    ids: Option<LogIds<'a>>,
}

#[derive(Default)]
struct LogIds<'a> {
    /// The values under the present record's `log_id` and `_id`.
    present: [Option<Raw<'a>>; 2],
    /// The greatest, in the order of text, which is theirs.
    greatest: Option<Cow<'a, str>>,
}

impl<'a> LogIds<'a> {
    #[inline]
    fn entry(&mut self, key: Raw<'a>, value: Raw<'a>) {
        let [log_id, id] = &mut self.present;
        if key.is("log_id") {
            *log_id = Some(value);
        } else if key.is("_id") {
            *id = Some(value);
        }
    }
}

impl<'a> Seen<'a> {
    fn new(wants_ids: bool) -> Self {
        Self { records: 0, ids: wants_ids.then(LogIds::default) }
    }

    #[inline]
    fn entry(&mut self, key: Raw<'a>, value: Raw<'a>) {
        if let Some(ids) = &mut self.ids {
            ids.entry(key, value);
        }
    }

    fn end(&mut self) {
        self.records += 1;
        if let Some(LogIds { present, greatest }) = &mut self.ids {
            let ids = present.iter_mut().filter_map(|value| value::id(value.take()?));
            *greatest = ids.chain(greatest.take()).max();
        }
    }

    fn greatest_log_id(&self) -> Option<&str> {
        self.ids.as_ref()?.greatest.as_deref()
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
        PageKind::Next => match facts.next.or(seen.greatest_log_id()).or(facts.from) {
            Some(id) => json::write_string(id, out),
            None => out.extend_from_slice(b"null"),
        },
    }
}

fn look_through(records: &[u8], wants_ids: bool) -> Result<Seen<'_>, Malformed> {
    struct Look<'a>(Seen<'a>);
    impl<'a> Records<'a> for Look<'a> {
        fn entry(&mut self, key: Raw<'a>, _: bool, value: Raw<'a>) {
            self.0.entry(key, value);
        }

        fn end(&mut self, _: bool) {
            self.0.end();
        }
    }
    let mut look = Look(Seen::new(wants_ids));
    json::read_records(records, &mut look)?;
    Ok(look.0)
}

fn list<'p, 'a>(
    plan: &'p Plan,
    records: &'a [u8],
    wants_ids: bool,
    gaps: &mut Vec<Gap<'p, 'a>>,
    out: &mut Vec<u8>,
) -> Result<Seen<'a>, Malformed> {
    struct Both<'s, 'd, 'p, 'a>(&'s mut Seen<'a>, Projection<'d, 'p, 'a>);
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
    let (mut seen, mut desk) = (Seen::new(wants_ids), Desk::new(plan));
    out.push(b'[');
    json::read_records(records, &mut Both(&mut seen, Projection::new(&mut desk, gaps, out)))?;
    out.push(b']');
    Ok(seen)
}

#[cfg(test)]
mod tests;
