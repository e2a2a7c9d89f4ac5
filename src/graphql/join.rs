//! Users of logs: ids read while the logs are projected, looked up in batches, put in the gaps that were left.
//!
//! There is no loader per record: a page of a hundred logs is one more search for fifty distinct users, where waking a
//! future for each log would cost ten times the rest of the operation.

use std::ops::Range;
use std::sync::Arc;

use async_graphql::PathSegment;
use futures_util::future::join_all;
use indexmap::IndexMap;

use super::error::{ErrorCode, Failure};
use super::json::Malformed;
use super::object::Object;
use super::plan::{JoinPlan, Needs, Plans as _};
use super::project::{self, Gap};
use crate::auth0::{ApiRequest, CallContext, ManagementApi, UserId, UserSearch};

/// How many users one search looks up.
const BATCH: usize = 50;

/// How long a search may get, in bytes: a third of what Auth0 is known to take in an address, since each byte may become
/// three there.
const LONGEST_SEARCH: usize = 2_500;

/// How many users that the search did not find are looked up one by one. The search lags behind by some seconds, so that
/// few are really to be had; most are gone for good, and each costs a call.
const SINGLE_LOOKUPS: usize = 10;

/// The users that a root field joins.
pub(crate) struct Users<'g> {
    /// What is known of each id that logs name, in the order in which they name them.
    known: IndexMap<&'g str, User, foldhash::fast::RandomState>,
    /// Which of them belongs in each gap.
    in_gaps: Vec<usize>,
    /// What each join made of the users that were found.
    found: Vec<Found>,
}

/// What is known of a user that logs name.
enum User {
    /// Nothing yet.
    Sought(UserId),
    /// It is the one with this number among those that were found.
    Found(usize),
    /// There is no such user, or no longer.
    Gone,
    /// Nobody can tell.
    Failed(Failure),
}

/// The projections of the users that were found, and where each stands.
#[derive(Default)]
struct Found {
    json: Vec<u8>,
    places: Vec<Range<usize>>,
}

/// A joined record that could not be had.
pub(crate) struct Missed {
    /// Where it would stand, from the root field's own selection down.
    pub(crate) path: Vec<PathSegment>,
    pub(crate) failure: Failure,
}

impl<'g> Users<'g> {
    /// The users that belong in `gaps`. After a failed login the id is whatever the request said: without a bar it is nobody's.
    fn named_in(gaps: &'g [Gap<'_, '_>], joins: usize) -> Self {
        let mut known = IndexMap::with_capacity_and_hasher(gaps.len(), Default::default());
        let in_gaps = gaps.iter().map(|gap| {
            let entry = known.entry(&*gap.id);
            let number = entry.index();
            entry.or_insert_with(|| match UserId::parse(&gap.id) {
                _ if !gap.id.contains('|') => User::Gone,
                Ok(id) => User::Sought(id),
                Err(_) => User::Failed(no_id()),
            });
            number
        });
        let in_gaps = in_gaps.collect();
        Self { known, in_gaps, found: (0..joins).map(|_| Found::default()).collect() }
    }

    /// Those that nothing is known of, and their ids as logs have them.
    fn sought(&self) -> impl Iterator<Item = (&'g str, &UserId)> {
        self.known.iter().filter_map(|(name, user)| match user {
            User::Sought(id) => Some((*name, id)),
            _ => None,
        })
    }

    fn set(&mut self, id: &str, user: User) {
        if let Some(known) = self.known.get_mut(id) {
            *known = user;
        }
    }

    /// Takes in the users in `records`, one projection for each of `plans`.
    fn take_in(&mut self, plans: &[JoinPlan], records: &[u8]) -> Result<(), Malformed> {
        let before = self.found.first().map_or(0, |found| found.places.len());
        let mut ids = Vec::new();
        for (plan, Found { json, places }) in plans.iter().zip(&mut self.found) {
            // For each plan the same users in the same order.
            ids = project::apart(plan, records, json)?;
            places.extend(ids.iter().map(|user| user.place.clone()));
        }
        for (number, user) in ids.into_iter().enumerate() {
            if let Some(id) = user.id {
                self.set(&id, User::Found(before + number));
            }
        }
        Ok(())
    }

    /// What a join made of the user with this number.
    fn json(&self, join: usize, number: usize) -> &[u8] {
        let json = self.found.get(join).and_then(|Found { json, places }| json.get(places.get(number)?.clone()));
        json.unwrap_or(Gap::NULL)
    }

    /// What was `projected` with `gaps`, those that these users belong in, without them.
    pub(crate) fn fill(&self, gaps: &[Gap<'_, '_>], projected: &[u8]) -> (Vec<u8>, Vec<Missed>) {
        let mut out = Vec::with_capacity(projected.len() * 2);
        let (mut copied, mut missed) = (0, Vec::new());
        for (gap, user) in gaps.iter().zip(&self.in_gaps) {
            match self.known.get_index(*user).map(|(_, user)| user) {
                Some(User::Found(number)) => {
                    out.extend_from_slice(&projected[copied..gap.at]);
                    out.extend_from_slice(self.json(gap.join, *number));
                    copied = gap.at + Gap::NULL.len();
                }
                Some(User::Failed(failure)) => {
                    missed.push(Missed { path: gap.path(), failure: failure.clone() });
                }
                Some(User::Sought(_) | User::Gone) | None => {}
            }
        }
        out.extend_from_slice(&projected[copied..]);
        (out, missed)
    }
}

/// Looks up the users that belong in `gaps`, for each of `plans`. `errand` makes the errand of a call.
pub(crate) async fn users<'g>(
    api: &ManagementApi,
    object: &Object,
    plans: &[JoinPlan],
    gaps: &'g [Gap<'_, '_>],
    errand: impl Fn() -> Arc<CallContext>,
) -> Result<Users<'g>, Malformed> {
    let mut needs = Needs::default();
    plans.iter().for_each(|plan| plan.record.add_needs(&mut needs));
    needs.keys.insert(object.id_key());
    let fields = &needs.fields(object);

    let mut users = Users::named_in(gaps, plans.len());
    let sought: Vec<_> = users.sought().map(|(name, _)| name).collect();
    let searches = batches(&sought).into_iter().map(|batch| {
        let errand = errand();
        async move {
            let search = UserSearch::new(Some(&batch.search), 0, BATCH as i64, None).map_err(Failure::from);
            let page = match search {
                Ok(search) => {
                    api.read(&ApiRequest::users(&search, fields, false), &errand).await.map_err(Failure::from)
                }
                Err(failure) => Err(failure),
            };
            (batch.ids, page)
        }
    });
    for (ids, page) in join_all(searches).await {
        match page {
            Ok(page) => users.take_in(plans, &page.records)?,
            Err(failure) => ids.iter().for_each(|id| users.set(id, User::Failed(failure.clone()))),
        }
    }

    let mut missing = users.sought();
    let lookups = missing.by_ref().take(SINGLE_LOOKUPS).map(|(name, id)| {
        let errand = errand();
        async move { (name, api.read(&ApiRequest::user(id, fields), &errand).await) }
    });
    let lookups = join_all(lookups);
    let rest: Vec<_> = missing.map(|(name, _)| name).collect();
    for (name, user) in lookups.await {
        match user {
            Ok(Some(user)) => users.take_in(plans, &[b"[", &user[..], b"]"].concat())?,
            Ok(None) => users.set(name, User::Gone),
            Err(error) => users.set(name, User::Failed(error.into())),
        }
    }
    for name in rest {
        users.set(name, User::Failed(too_many()));
    }
    Ok(users)
}

fn no_id() -> Failure {
    let message =
        "The log names a user by an id that cannot be looked up: it is longer than any, or holds control characters.";
    Failure::new(ErrorCode::BadUserInput, message)
}

fn too_many() -> Failure {
    let message = format!(
        "Auth0's search does not know this user, and more than {SINGLE_LOOKUPS} such users of one answer are not looked up \
         one by one: ask for fewer logs at once, or for the user by id."
    );
    Failure::new(ErrorCode::TooComplex, message).with("measure", "single lookups").with("limit", SINGLE_LOOKUPS)
}

/// Users to look up at once.
struct Batch<'i, 'g> {
    ids: &'i [&'g str],
    /// In Auth0's Lucene syntax.
    search: String,
}

fn batches<'i, 'g>(mut ids: &'i [&'g str]) -> Vec<Batch<'i, 'g>> {
    let mut batches = Vec::new();
    while !ids.is_empty() {
        let mut search = "user_id:(".to_owned();
        let mut len = 0;
        for id in ids.iter().take(BATCH) {
            let end = search.len();
            if len > 0 {
                search.push_str(" OR ");
            }
            push_quoted(id, &mut search);
            if len > 0 && search.len() > LONGEST_SEARCH {
                search.truncate(end);
                break;
            }
            len += 1;
        }
        search.push(')');
        let (batch, rest) = ids.split_at(len);
        batches.push(Batch { ids: batch, search });
        ids = rest;
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
    use std::borrow::Cow;

    use super::*;

    /// Gaps for users of these names.
    fn gaps(names: &[impl AsRef<str>]) -> Vec<Gap<'_, '_>> {
        let gap = |id| Gap { at: 0, join: 0, id: Cow::Borrowed(id), list: None, index: None, lead: b"{\"user\":" };
        names.iter().map(|name| gap(name.as_ref())).collect()
    }

    fn sought<'g>(gaps: &'g [Gap<'_, '_>]) -> Vec<&'g str> {
        Users::named_in(gaps, 1).sought().map(|(name, _)| name).collect()
    }

    #[test]
    fn users_are_sought_once_each_and_only_plausible_ones() {
        let gaps = gaps(&["auth0|1", "auth0|1", "", "admin", "auth0|\n1", "sms|3", "auth0|1"]);
        assert_eq!(sought(&gaps), ["auth0|1", "sms|3"]);
    }

    #[test]
    fn batches_are_bounded_in_number_and_length() {
        let lengths = |names: &[String]| {
            let gaps = gaps(names);
            let sought = sought(&gaps);
            let batches = batches(&sought);
            assert_eq!(batches.iter().flat_map(|batch| batch.ids).copied().collect::<Vec<_>>(), names);
            assert!(batches.iter().all(|batch| batch.search.len() <= LONGEST_SEARCH + 1));
            batches.iter().map(|batch| batch.ids.len()).collect::<Vec<_>>()
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
        let search = |ids: &[&str]| batches(ids).pop().map(|batch| batch.search);
        assert_eq!(search(&[r#"ad|a" OR "b\c"#]).as_deref(), Some(r#"user_id:("ad|a\" OR \"b\\c")"#));
        assert_eq!(search(&["auth0|1", "sms|2"]).as_deref(), Some(r#"user_id:("auth0|1" OR "sms|2")"#));
    }

    #[test]
    fn a_gap_is_filled_or_stays_null_or_is_told_of() {
        let projected = br#"[{"user":null,"a":1},{"user":null},{"user":null}]"#;
        let mut gaps = gaps(&["sms|1", "sms|2", "sms|3"]);
        for (index, (gap, at)) in gaps.iter_mut().zip([9, 30, 44]).enumerate() {
            gap.at = at;
            gap.index = Some(index);
        }
        let mut users = Users::named_in(&gaps, 1);
        users.found[0] = Found { json: br#"{}{"name":"Person Example"}"#.to_vec(), places: vec![0..2, 2..27] };
        users.set("sms|1", User::Found(1));
        users.set("sms|3", User::Failed(Failure::internal()));
        let (filled, missed) = users.fill(&gaps, projected);
        assert_eq!(
            String::from_utf8(filled).unwrap(),
            r#"[{"user":{"name":"Person Example"},"a":1},{"user":null},{"user":null}]"#
        );
        let paths: Vec<_> = missed.into_iter().map(|missed| missed.path).collect();
        assert_eq!(paths, [[PathSegment::Index(2), PathSegment::Field("user".to_owned())]]);
    }
}
