//! The calls of joins: searches for many ids at once, or a call for each parent.

use super::fetched_records::FetchedRecords;
use crate::auth0::Fields;
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::field_request::{AnyApiRequest, PageArgs};
use crate::graphql::plan::{CallPlan, CallRequest};
use crate::graphql::schema::joins::{ByIds, Join};

/// Length that a search by ids may get, in bytes: a third of what Auth0 is known to take in an address, since each byte may become
/// three there.
const LONGEST_SEARCH: usize = 2_500;

/// The most records that are looked up one by one because a search did not find them. The search lags behind by some seconds, so that
/// few are really to be had; most are gone for good, and each costs a call.
pub(super) const SINGLE_LOOKUPS: usize = 10;

/// A call to make.
pub(super) struct JoinCall<'p> {
    /// The one of the plan's calls that it is.
    pub(super) call_index: usize,
    /// The numbers of the keys that it is for.
    pub(super) keys: Vec<usize>,
    pub(super) request: AnyApiRequest,
    /// The page of a call for a parent.
    pub(super) page: Option<&'p PageArgs>,
}

impl JoinCall<'_> {
    /// True if it reads one record by its id.
    pub(super) fn is_single(&self) -> bool {
        matches!(self.request, AnyApiRequest::Record(_))
    }
}

/// Plans the calls for the pending keys. Those that cannot be asked for are absent or failed from then on.
pub(super) fn plan_calls<'p>(
    call_index: usize,
    call: &'p CallPlan,
    fetched: &mut FetchedRecords,
    calls: &mut Vec<JoinCall<'p>>,
) {
    let pending = fetched.pending();
    match &call.request {
        // Made before any join is.
        CallRequest::Root(_) => {}
        CallRequest::ByIds(row, by_ids) => search(call_index, by_ids, &fields(call, row), fetched, pending, calls),
        CallRequest::PerParent(_, request) => {
            for key in pending {
                match (request.prepare)(fetched.key_text(key)) {
                    Some(prepared) => {
                        calls.push(JoinCall {
                            call_index,
                            keys: vec![key],
                            request: prepared,
                            page: Some(&request.page),
                        });
                    }
                    None => fetched.set_absent(key),
                }
            }
        }
    }
}

fn search(
    call_index: usize,
    by_ids: &ByIds,
    fields: &Fields,
    fetched: &mut FetchedRecords,
    pending: Vec<usize>,
    calls: &mut Vec<JoinCall<'_>>,
) {
    let mut possible = Vec::with_capacity(pending.len());
    for key in pending {
        match (by_ids.check)(by_ids.key, fetched.key_text(key)) {
            Ok(true) => possible.push(key),
            Ok(false) => fetched.set_absent(key),
            Err(failure) => fetched.set_failed(key, &failure),
        }
    }
    let names: Vec<_> = possible.iter().map(|key| fetched.key_text(*key)).collect();
    let batches = batches(by_ids, &names);
    let mut rest = &possible[..];
    for Batched { len, search } in batches {
        let (keys, others) = rest.split_at(len);
        rest = others;
        match (by_ids.search)(&search, fields) {
            Ok(request) => calls.push(JoinCall { call_index, keys: keys.to_vec(), request, page: None }),
            Err(failure) => keys.iter().for_each(|key| fetched.set_failed(*key, &failure)),
        }
    }
}

/// Plans look-ups of the records that no search found, as many as `left` allows.
pub(super) fn plan_lookups<'p>(
    call_index: usize,
    call: &'p CallPlan,
    fetched: &mut FetchedRecords,
    left: &mut usize,
    calls: &mut Vec<JoinCall<'p>>,
) {
    let CallRequest::ByIds(row, by_ids) = &call.request else { return };
    let pending = fetched.pending();
    if pending.is_empty() {
        return;
    }
    let fields = fields(call, row);
    for key in pending {
        if *left == 0 {
            fetched.set_failed(key, &too_many());
            continue;
        }
        match (by_ids.single)(fetched.key_text(key), &fields) {
            Ok(request) => {
                *left -= 1;
                calls.push(JoinCall { call_index, keys: vec![key], request, page: None });
            }
            Err(failure) => fetched.set_failed(key, &failure),
        }
    }
}

fn fields(call: &CallPlan, row: &Join) -> Fields {
    call.keys.fields(row.shape.object())
}

fn too_many() -> GraphqlError {
    let message = format!(
        "Auth0's search does not know this one, and more than {SINGLE_LOOKUPS} such records of one answer are not looked up \
         one by one: ask for fewer at once, or for this one by its id."
    );
    GraphqlError::new(ErrorCode::TooComplex, message).with("measure", "single lookups").with("limit", SINGLE_LOOKUPS)
}

/// So many of the names, to be looked up by one search.
struct Batched {
    len: usize,
    /// The search, in Auth0's Lucene syntax.
    search: String,
}

fn batches(by_ids: &ByIds, names: &[&str]) -> Vec<Batched> {
    let mut names = names;
    let mut batches = Vec::new();
    while !names.is_empty() {
        let mut search = format!("{}:(", by_ids.key);
        let mut len = 0;
        for name in names.iter().take(by_ids.batch) {
            let end = search.len();
            if len > 0 {
                search.push_str(" OR ");
            }
            push_quoted(name, &mut search);
            if len > 0 && search.len() > LONGEST_SEARCH {
                search.truncate(end);
                break;
            }
            len += 1;
        }
        search.push(')');
        batches.push(Batched { len, search });
        names = &names[len..];
    }
    batches
}

/// Appends a phrase in Lucene's syntax: between quotes, only a quote and a backslash mean something.
fn push_quoted(text: &str, search: &mut String) {
    search.push('"');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest.as_bytes()) {
        search.push_str(&rest[..at]);
        search.push('\\');
        search.push_str(&rest[at..=at]);
        rest = &rest[at + 1..];
    }
    search.push_str(rest);
    search.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::schema::joins::{Fetch, join};
    use crate::graphql::schema::log::LOG;

    /// The way of logs to their users.
    fn users() -> &'static ByIds {
        match join(&LOG, "user").map(|join| &join.fetch) {
            Some(Fetch::ByIds(by_ids)) => by_ids,
            _ => unreachable!("logs find their users by ids"),
        }
    }

    #[test]
    fn batches_are_bounded_in_number_and_length() {
        let lengths = |names: &[String]| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let batches = batches(users(), &names);
            assert_eq!(batches.iter().map(|batch| batch.len).sum::<usize>(), names.len());
            assert!(batches.iter().all(|batch| batch.search.len() <= LONGEST_SEARCH + 1));
            batches.iter().map(|batch| batch.len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&(0..120).map(|number| format!("auth0|{number}")).collect::<Vec<_>>()), [50, 50, 20]);
        assert_eq!(
            lengths(&(0..30).map(|number| format!("samlp|{number:0>400}")).collect::<Vec<_>>()),
            [6, 6, 6, 6, 6]
        );
        assert_eq!(lengths(&[]), [0; 0]);
    }

    #[test]
    fn an_id_stays_one_phrase() {
        let search = |ids: &[&str]| batches(users(), ids).pop().map(|batch| batch.search);
        assert_eq!(search(&[r#"ad|a" OR "b\c"#]).as_deref(), Some(r#"user_id:("ad|a\" OR \"b\\c")"#));
        assert_eq!(search(&["auth0|1", "sms|2"]).as_deref(), Some(r#"user_id:("auth0|1" OR "sms|2")"#));
    }
}
