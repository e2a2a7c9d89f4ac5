//! Connections: as many calls as a page takes, and the record that is made of what they bring.

use bytes::Bytes;

use super::super::error::{ErrorCode, FieldError, GraphqlError, PathSegment, report};
use super::super::field_request::ConnectionRequest;
use super::super::plan::RequiredKeys;
use super::super::prepared_operation::PreparedField;
use super::super::project::json;
use super::super::schema::object::Object;
use crate::auth0::{COUNTED_RECORDS, CallContext, ManagementApi};

/// The share of a page, one of so many, that is not worth a call of its own.
const REMAINDER: usize = 50;

/// A page of a connection, as a record.
pub(super) struct ConnectionPage {
    pub(super) json: Bytes,
    /// The number of records that were left out, because they have no place in the order.
    pub(super) unplaced: usize,
}

/// Reads a page in at most so many calls. It ends early where they do, or where one fails behind the first: then the next page meets
/// the failure.
pub(super) async fn read(
    request: &ConnectionRequest,
    api: &ManagementApi,
    keys: &RequiredKeys,
    object: &Object,
    most_calls: u32,
    context: &CallContext,
) -> Result<ConnectionPage, GraphqlError> {
    let ConnectionRequest { keyset, from, first } = request;
    let fields = keys.fields(object);
    let mut walk = keyset.walk(from.clone());
    let is_start = *from == keyset.start();
    let mut records = Vec::with_capacity(*first);
    let (mut unplaced, mut total, mut calls) = (0, None, 0);
    if keys.total && !is_start {
        total = walk.count(api, context).await.map_err(report)?;
        calls += 1;
    }
    while !walk.is_done() && first.saturating_sub(records.len()) > first / REMAINDER && calls < most_calls.max(1) {
        let with_total = keys.total && is_start && calls == 0;
        calls += 1;
        match walk.next(api, first.saturating_sub(records.len()), with_total, &fields, context).await {
            Ok(batch) => {
                records.extend(batch.records);
                unplaced += batch.unplaced;
                total = total.or(batch.total);
            }
            Err(error) if records.is_empty() => return Err(report(error)),
            Err(error) => {
                report(error);
                break;
            }
        }
    }
    let is_cut = records.len() > *first;
    records.truncate(*first);
    let end = match records.last() {
        Some((_, position)) if is_cut => position.clone(),
        _ => walk.position(),
    };
    let end = keyset.cursor(&end);
    let last = records.len().saturating_sub(1);
    // The last one's cursor is where the page ends: the end of a walk is more than the place behind a record.
    let cursors = records.iter().enumerate().map(
        |(index, (_, position))| {
            if index == last { end.clone() } else { keyset.cursor(position) }
        },
    );
    let written = Written {
        records: records.iter().map(|(record, _)| record).collect(),
        cursors: if keys.edges { cursors.collect() } else { Vec::new() },
        start: records.first().map(|(_, position)| if last == 0 { end.clone() } else { keyset.cursor(position) }),
        has_next: is_cut || !walk.is_done(),
        has_previous: !is_start,
        total: total.filter(|total| *total < COUNTED_RECORDS),
        end,
    };
    if unplaced > 0 {
        let message = "records of a connection were left out: Auth0 sent no id, or no date of creation";
        ErrorCode::UpstreamUnavailable.log(message, &format!("records={unplaced}"));
    }
    Ok(ConnectionPage { json: written.json(keys).into(), unplaced })
}

/// The parts of a page.
struct Written<'r> {
    records: Vec<&'r Bytes>,
    cursors: Vec<String>,
    start: Option<String>,
    end: String,
    has_next: bool,
    has_previous: bool,
    total: Option<u64>,
}

impl Written<'_> {
    /// The page as a record of those parts that are needed.
    fn json(&self, keys: &RequiredKeys) -> Vec<u8> {
        let bytes: usize = self.records.iter().map(|record| record.len() + 1).sum();
        let mut out = Vec::with_capacity(bytes * (usize::from(keys.nodes) + usize::from(keys.edges)) + 512);
        out.push(b'{');
        if keys.nodes {
            out.extend_from_slice(br#""nodes":["#);
            for (index, record) in self.records.iter().enumerate() {
                json::write_comma(index, &mut out);
                out.extend_from_slice(record);
            }
            out.extend_from_slice(b"],");
        }
        if keys.edges {
            out.extend_from_slice(br#""edges":["#);
            for (index, (record, cursor)) in self.records.iter().zip(&self.cursors).enumerate() {
                json::write_comma(index, &mut out);
                out.extend_from_slice(br#"{"cursor":"#);
                json::write_string(cursor, &mut out);
                out.extend_from_slice(br#","node":"#);
                out.extend_from_slice(record);
                out.push(b'}');
            }
            out.extend_from_slice(b"],");
        }
        if let Some(total) = self.total {
            out.extend_from_slice(format!(r#""totalCount":{total},"#).as_bytes());
        }
        let (has_next, has_previous) = (self.has_next, self.has_previous);
        out.extend_from_slice(
            format!(r#""pageInfo":{{"hasNextPage":{has_next},"hasPreviousPage":{has_previous},"endCursor":"#)
                .as_bytes(),
        );
        json::write_string(&self.end, &mut out);
        if let Some(start) = &self.start {
            out.extend_from_slice(br#","startCursor":"#);
            json::write_string(start, &mut out);
        }
        out.extend_from_slice(b"}}");
        out
    }
}

/// The error beside a page from which records had to be left out.
pub(super) fn left_out(count: usize, root: &PreparedField) -> FieldError {
    let records = if count == 1 { "1 record was".to_owned() } else { format!("{count} records were") };
    let message = format!(
        "{records} left out: Auth0 sent no id, or no date of creation, by which they could be put in order. A search without a cursor has them."
    );
    let error = GraphqlError::new(ErrorCode::UpstreamUnavailable, message).with("count", count).at(root.location);
    FieldError { error, path: vec![PathSegment::Key(root.key.clone())] }
}
