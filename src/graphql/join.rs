//! Users of logs: ids read from the logs' bytes, looked up in batches, spliced in.
//!
//! There is no loader per record: a page of a hundred logs is one more search for fifty distinct users, where waking a
//! future for each log would cost ten times the rest of the operation.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use futures_util::future::join_all;
use indexmap::IndexSet;

use super::error::{ErrorCode, Failure};
use super::json::{self, Malformed, Raw, Records};
use super::object::Object;
use super::plan::{Needs, Plan, Plans as _};
use super::project;
use crate::auth0::{Errand, Error, ManagementApi, Read, UserId, UserSearch};

/// How many users one search looks up.
const BATCH: usize = 50;

/// How long a search may get, in bytes: a third of what Auth0 is known to take in an address, since each byte may become
/// three there.
const LONGEST_SEARCH: usize = 2_500;

/// How many users that the search did not find are looked up one by one. The search lags behind by some seconds, so that
/// few are really to be had; most are gone for good, and each costs a call.
const SINGLE_LOOKUPS: usize = 10;

/// The joined records of a root field.
#[derive(Default)]
pub(crate) struct Joins {
    users: HashMap<String, User>,
    /// The projections, by join.
    json: Vec<Vec<u8>>,
}

/// What became of a user that logs name.
enum User {
    /// Where the user stands in each join's projections.
    Found(Vec<Range<usize>>),
    /// There is no such user, or no longer.
    Gone,
    /// Nobody knows.
    Failed(Failure),
}

/// What a join gives for a record.
pub(crate) enum Joined<'j> {
    Json(&'j [u8]),
    Null,
    Failed(&'j Failure),
}

impl Joins {
    /// What `join` gives for `id`.
    pub(crate) fn get(&self, join: usize, id: &str) -> Joined<'_> {
        match self.users.get(id) {
            Some(User::Found(places)) => {
                let json = self.json.get(join).zip(places.get(join)).and_then(|(json, place)| json.get(place.clone()));
                json.map_or(Joined::Null, Joined::Json)
            }
            Some(User::Failed(failure)) => Joined::Failed(failure),
            Some(User::Gone) | None => Joined::Null,
        }
    }

    fn fail(&mut self, ids: &[UserId], failure: &Failure) {
        self.users.extend(ids.iter().map(|id| (id.as_str().to_owned(), User::Failed(failure.clone()))));
    }

    /// Takes in the users in `records`, one projection for each of `plans`.
    fn take_in(&mut self, plans: &[Plan], records: &[u8]) -> Result<(), Malformed> {
        let records = std::str::from_utf8(records).map_err(|_| Malformed)?;
        let (mut ids, mut places) = (Vec::new(), Vec::<Vec<Range<usize>>>::new());
        for (plan, json) in plans.iter().zip(&mut self.json) {
            // For each plan the same users in the same order.
            for (number, user) in project::apart(plan, records, "user_id", json)?.into_iter().enumerate() {
                match places.get_mut(number) {
                    Some(places) => places.push(user.place),
                    None => {
                        ids.push(user.id);
                        places.push(vec![user.place]);
                    }
                }
            }
        }
        let found = ids.into_iter().zip(places);
        self.users.extend(found.filter_map(|(id, places)| Some((id?.into_owned(), User::Found(places)))));
        Ok(())
    }
}

/// Looks up the users that `logs` name, for each of `plans`. `errand` makes the errand of a call.
pub(crate) async fn users(
    api: &ManagementApi,
    object: &Object,
    plans: &[Plan],
    logs: &[u8],
    errand: impl Fn() -> Arc<Errand>,
) -> Result<Joins, Malformed> {
    let mut needs = Needs::default();
    plans.iter().for_each(|plan| plan.add_needs(&mut needs));
    needs.keys.insert("user_id");
    let fields = &needs.fields(object);

    let ids = ids(logs)?;
    let mut joins = Joins { users: HashMap::new(), json: plans.iter().map(|_| Vec::new()).collect() };
    let searches = batches(&ids).into_iter().map(|batch| {
        let errand = errand();
        async move {
            let search = UserSearch::new(Some(&batch.search), 0, BATCH as i64, None).map_err(Failure::from);
            let page = match search {
                Ok(search) => api.read(&Read::users(&search, fields, false), &errand).await.map_err(Failure::from),
                Err(failure) => Err(failure),
            };
            (batch.ids, page)
        }
    });
    for (ids, page) in join_all(searches).await {
        match page {
            Ok(page) => joins.take_in(plans, &page.records)?,
            Err(failure) => joins.fail(ids, &failure),
        }
    }

    let missing: Vec<_> = ids.iter().filter(|id| !joins.users.contains_key(id.as_str())).collect();
    let (singles, rest) = missing.split_at(missing.len().min(SINGLE_LOOKUPS));
    let lookups = singles.iter().map(|id| {
        let errand = errand();
        async move { (*id, api.read(&Read::user(id, fields), &errand).await) }
    });
    for (id, user) in join_all(lookups).await {
        match user {
            Ok(Some(user)) => joins.take_in(plans, &[b"[", &user[..], b"]"].concat())?,
            Ok(None) => {
                joins.users.insert(id.as_str().to_owned(), User::Gone);
            }
            Err(error) => joins.fail(std::slice::from_ref(id), &failure(error)),
        }
    }
    for id in rest {
        joins.fail(std::slice::from_ref(id), &too_many());
    }
    Ok(joins)
}

fn failure(error: Error) -> Failure {
    error.into()
}

fn too_many() -> Failure {
    let message = format!(
        "Auth0's search does not know this user, and more than {SINGLE_LOOKUPS} such users of one answer are not looked up \
         one by one: ask for fewer logs at once, or for the user by id."
    );
    Failure::new(ErrorCode::TooComplex, message).with("measure", "single lookups").with("limit", SINGLE_LOOKUPS)
}

/// The distinct users that `logs` name, in order. After a failed login the id is whatever the request said: what cannot be
/// one is left out.
fn ids(logs: &[u8]) -> Result<Vec<UserId>, Malformed> {
    struct Ids<'a> {
        present: Option<Raw<'a>>,
        distinct: IndexSet<Cow<'a, str>>,
    }
    impl<'a> Records<'a> for Ids<'a> {
        fn entry(&mut self, key: Raw<'a>, value: Raw<'a>) {
            if key.string().as_deref() == Some("user_id") {
                self.present = Some(value);
            }
        }

        fn end(&mut self, _: bool) {
            self.distinct.extend(self.present.take().and_then(Raw::string));
        }
    }
    let mut ids = Ids { present: None, distinct: IndexSet::new() };
    read(logs, &mut ids)?;
    let plausible = ids.distinct.iter().filter(|id| id.contains('|'));
    Ok(plausible.filter_map(|id| UserId::parse(id).ok()).collect())
}

/// A single log is read like a list of one.
fn read<'a>(logs: &'a [u8], records: &mut impl Records<'a>) -> Result<(), Malformed> {
    let logs = std::str::from_utf8(logs).map_err(|_| Malformed)?;
    if logs.trim_start().starts_with('[') {
        json::read_records(logs, records)
    } else {
        json::read_record(logs, records)
    }
}

/// Users to look up at once.
struct Batch<'i> {
    ids: &'i [UserId],
    /// In Auth0's Lucene syntax.
    search: String,
}

fn batches(ids: &[UserId]) -> Vec<Batch<'_>> {
    let mut batches: Vec<Batch<'_>> = Vec::new();
    let mut start = 0;
    let mut alternatives = String::new();
    for (place, id) in ids.iter().enumerate() {
        let quoted = quoted(id.as_str());
        if place > start && (place - start == BATCH || alternatives.len() + quoted.len() > LONGEST_SEARCH) {
            batches.push(Batch { ids: &ids[start..place], search: format!("user_id:({alternatives})") });
            start = place;
            alternatives.clear();
        }
        if place > start {
            alternatives.push_str(" OR ");
        }
        alternatives.push_str(&quoted);
    }
    if start < ids.len() {
        batches.push(Batch { ids: &ids[start..], search: format!("user_id:({alternatives})") });
    }
    batches
}

/// A phrase in Lucene's syntax: between quotes, only a quote and a backslash mean something.
fn quoted(text: &str) -> String {
    let mut phrase = String::with_capacity(text.len() + 2);
    phrase.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            phrase.push('\\');
        }
        phrase.push(character);
    }
    phrase.push('"');
    phrase
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(ids: impl IntoIterator<Item = String>) -> Vec<UserId> {
        ids.into_iter().map(|id| UserId::parse(&id).unwrap()).collect()
    }

    #[test]
    fn ids_are_read_once_each_and_only_plausible_ones() {
        let logs = br#"[{"user_id":"auth0|1"},{"user_id":null},{"user_id":"auth0\u007c1"},{"user_id":""},{"a":{"user_id":"x|y"}},
            {"user_id":"admin"},{"user_id":"auth0|../1"},{"user_id":7},null,{"user_id":"sms|2","user_id":"sms|3"}]"#;
        let ids = ids(logs).unwrap();
        assert_eq!(ids.iter().map(UserId::as_str).collect::<Vec<_>>(), ["auth0|1", "sms|3"]);
        assert_eq!(super::ids(br#"{"user_id":"auth0|1"}"#).unwrap(), parsed(["auth0|1".to_owned()]));
        assert!(super::ids(b"[{").is_err());
    }

    #[test]
    fn batches_are_bounded_in_number_and_length() {
        let short = parsed((0..120).map(|number| format!("auth0|{number}")));
        assert_eq!(batches(&short).iter().map(|batch| batch.ids.len()).collect::<Vec<_>>(), [50, 50, 20]);
        let long = parsed((0..30).map(|number| format!("samlp|{number:0>400}")));
        for batch in batches(&long) {
            assert!(batch.search.len() < LONGEST_SEARCH + 500, "{}", batch.search.len());
        }
        assert_eq!(batches(&long).iter().map(|batch| batch.ids.len()).sum::<usize>(), 30);
        assert_eq!(batches(&[]).len(), 0);
    }

    #[test]
    fn an_id_stays_one_phrase() {
        assert_eq!(quoted(r#"ad|a" OR "b\c"#), r#""ad|a\" OR \"b\\c""#);
        let ids = parsed(["auth0|1".to_owned(), "sms|2".to_owned()]);
        assert_eq!(batches(&ids)[0].search, r#"user_id:("auth0|1" OR "sms|2")"#);
    }
}
