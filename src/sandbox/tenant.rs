//! The records behind the Management API: users and logs, looked up, searched, ordered and cut to size.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::envelope::ApiError;
use super::events::Events;
use super::fixtures::Fixtures;
use super::parameters::Selection;
use super::people::{People, User};
use super::search::logs::LogQuery;
use super::search::users::{UserQuery, is_written_as_most};
use super::user_lists::UserList;

/// The last record that paging reaches, and the highest total that is told.
const REACHABLE_RECORDS: u64 = 1_000;

/// The tenant's records.
#[derive(Debug)]
pub(crate) struct Tenant {
    fixtures: Fixtures,
    people: Arc<People>,
    /// Positions of the users in the order of their creation, which is asked for more than any other.
    by_creation: Vec<usize>,
    /// Places in that order of the users whose date of creation is not written as most are, or is none.
    oddly_dated: Vec<usize>,
    events: Events,
}

/// A page of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) number: u64,
    pub(crate) size: u64,
}

/// A record with only the members that were asked for.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    members: Cow<'a, Map<String, Value>>,
    selection: &'a Selection<'a>,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members.iter().filter(|(name, _)| self.selection.includes(name)))
    }
}

impl Page {
    /// Auth0's rule: the page is judged, not the number of records that there are.
    pub(crate) fn is_beyond_reach(self) -> bool {
        self.number.saturating_add(1).saturating_mul(self.size) > REACHABLE_RECORDS
    }

    pub(crate) fn start(self) -> u64 {
        self.number.saturating_mul(self.size)
    }

    pub(crate) fn cut<T>(self, items: impl Iterator<Item = T>) -> Vec<T> {
        let skip = usize::try_from(self.start()).unwrap_or(usize::MAX);
        let take = usize::try_from(self.size).unwrap_or(usize::MAX);
        items.skip(skip).take(take).collect()
    }
}

impl Tenant {
    pub(crate) fn new(people: Arc<People>, events: Events) -> Self {
        let users = &people.users;
        let mut by_creation: Vec<_> = (0..users.len()).collect();
        by_creation.sort_by(|a, b| by_field(&users[*a], &users[*b], "created_at", false));
        let is_odd = |user: &User| !user.text("created_at").is_some_and(is_written_as_most);
        let odd = by_creation.iter().enumerate().filter(|(_, position)| is_odd(&users[**position]));
        let oddly_dated = odd.map(|(index, _)| index).collect();
        Self { fixtures: Fixtures::new(people.seed), people, by_creation, oddly_dated, events }
    }

    /// The users who can be found, in the order of their creation. A walk through a large tenant asks for one range after the other.
    fn candidates(&self, query: Option<&UserQuery>) -> impl Iterator<Item = &User> {
        let user = |index: &usize| &self.people.users[*index];
        let (lower, upper) = query.map(UserQuery::created_between).unwrap_or_default();
        let within = |is_before: &dyn Fn(&str) -> bool| {
            self.by_creation.partition_point(|index| match user(index).profile.get("created_at") {
                Some(Value::String(text)) => is_before(text),
                // They are before all texts, and what is neither is behind.
                Some(Value::Bool(_) | Value::Number(_)) => true,
                _ => false,
            })
        };
        let start = lower.map_or(0, |lower| within(&|text| text < lower));
        let end = upper.map_or(self.by_creation.len(), |upper| within(&|text| text <= upper)).max(start);
        let odd = |range: Range<usize>| self.oddly_dated.iter().filter(move |index| range.contains(*index));
        let before = odd(0..start).filter_map(|index| self.by_creation.get(*index));
        let after = odd(end..usize::MAX).filter_map(|index| self.by_creation.get(*index));
        before.chain(self.by_creation.get(start..end).unwrap_or_default()).chain(after).map(user)
    }

    /// A page of the users that `query` finds, and their number as far as Auth0 counts. Without a `sort` the order is that
    /// of the index, which says nothing.
    pub(crate) fn users<'a>(
        &'a self,
        query: Option<&UserQuery>,
        sort: Option<(&str, bool)>,
        page: Page,
    ) -> (Vec<&'a User>, usize) {
        let users = &self.people.users;
        let is_found = |user: &&User| query.is_none_or(|query| query.matches(user));
        // More are neither given out nor counted.
        let most = usize::try_from(page.start().saturating_add(page.size).max(REACHABLE_RECORDS)).unwrap_or(usize::MAX);
        let found: Vec<&User> = match sort {
            Some(("created_at", false)) => self.candidates(query).filter(is_found).take(most).collect(),
            Some((field, descending)) => {
                let mut found: Vec<_> = users.iter().filter(is_found).collect();
                found.sort_by(|a, b| by_field(a, b, field, descending));
                found
            }
            None => users.iter().filter(is_found).take(most).collect(),
        };
        let total = found.len().min(REACHABLE_RECORDS as usize);
        (page.cut(found.into_iter()), total)
    }

    /// The user with this id.
    pub(crate) fn user(&self, id: &str) -> Result<&User, ApiError> {
        self.people
            .by_id(id)
            .ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, Some("inexistent_user"), "The user does not exist."))
    }

    /// A list of the user with this id.
    pub(crate) fn user_list(&self, list: &UserList, id: &str) -> Result<Vec<Value>, ApiError> {
        Ok(list.records(self.user(id)?, &self.fixtures))
    }

    /// The users with exactly this address: Auth0 regards case here.
    pub(crate) fn users_by_email(&self, email: &str) -> Vec<&User> {
        self.people.users.iter().filter(|user| user.text("email") == Some(email)).collect()
    }

    /// A page of the logs that `query` finds, newest first unless sorted by `date`.
    pub(crate) fn logs(
        &self,
        query: Option<&LogQuery>,
        by_date: Option<bool>,
        page: Page,
        now: i64,
    ) -> Vec<Map<String, Value>> {
        let newest_first = self.events.visible(now).rev().filter(|position| !self.events.is_held(*position));
        let Some(descending) = by_date else {
            let found = newest_first
                .map(|position| self.events.at(position))
                .filter(|event| query.is_none_or(|query| query.matches(event)));
            return page.cut(found).iter().map(|event| event.entry()).collect();
        };
        let mut found: Vec<(i64, u64)> = newest_first
            .filter_map(|position| {
                let event = self.events.at(position);
                query.is_none_or(|query| query.matches(&event)).then(|| (event.date_millis(), position))
            })
            .collect();
        found.sort_unstable();
        if descending {
            found.reverse();
        }
        page.cut(found.into_iter()).into_iter().map(|(_, position)| self.events.at(position).entry()).collect()
    }

    /// The `take` logs that arrived after `from`, oldest first.
    pub(crate) fn logs_after(&self, from: &str, take: u64, now: i64) -> Vec<Map<String, Value>> {
        let visible = self.events.visible(now);
        let positions = Range { start: self.events.after(from, &visible), end: visible.end };
        let there = positions.filter(|position| !self.events.is_held(*position));
        let take = usize::try_from(take).unwrap_or(usize::MAX);
        there.take(take).map(|position| self.events.at(position).entry()).collect()
    }

    /// Has logs arrive now, and holds the first `held` of them back. Returns the ids of all.
    pub(crate) fn make_logs(&self, count: u64, held: u64, now: i64) -> Vec<String> {
        self.events.arrive(count, held, now)
    }

    /// Lets the logs that were held back be seen.
    pub(crate) fn release_logs(&self) {
        self.events.release();
    }

    /// The log with this id. The words are Auth0's, the `errorCode` is not known.
    pub(crate) fn log(&self, id: &str, now: i64) -> Result<Map<String, Value>, ApiError> {
        self.events
            .by_id(id, &self.events.visible(now))
            .map(|event| event.entry())
            .ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, None, "Log not found"))
    }
}

/// A user as a client with these rights sees it.
pub(crate) fn record<'a>(user: &'a User, selection: &'a Selection<'a>, with_idp_tokens: bool) -> Record<'a> {
    let tokens = with_idp_tokens && !user.idp_tokens.is_empty() && selection.includes("identities");
    Record {
        members: if tokens { Cow::Owned(user.profile_with_idp_tokens()) } else { Cow::Borrowed(&user.profile) },
        selection,
    }
}

/// Users without the field come last, whichever the direction.
fn by_field(a: &User, b: &User, field: &str, descending: bool) -> Ordering {
    match (at_path(a, field), at_path(b, field)) {
        (Some(a), Some(b)) => {
            let order = compare(a, b);
            if descending { order.reverse() } else { order }
        }
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn at_path<'a>(user: &'a User, path: &str) -> Option<&'a Value> {
    let mut keys = path.split('.');
    let root = user.profile.get(keys.next()?)?;
    keys.try_fold(root, |value, key| value.get(key)).filter(|value| !value.is_null())
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Puts values of different kinds in some order.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A tenant of which some users have dates of creation of other forms, or none.
    fn tenant() -> Tenant {
        let mut people = People::make(7, 300, 20);
        let odd = [
            json!("2025-03-01T09:30:00+01:00"),
            json!("2024"),
            json!(""),
            json!(7),
            json!(true),
            json!(["2025-01-01T00:00:00.000Z"]),
            json!({}),
            Value::Null,
        ];
        for (user, created_at) in people.users.iter_mut().skip(20).step_by(13).zip(odd) {
            user.profile.insert("created_at".to_owned(), created_at);
        }
        let events = Events::new(7, 1_790_000_000_000, 0, None, People::of(7, 300, 20));
        Tenant::new(Arc::new(people), events)
    }

    #[test]
    fn a_range_of_dates_finds_whom_a_look_at_every_user_finds() {
        let tenant = tenant();
        let dates: Vec<_> = tenant.people.users.iter().filter_map(|user| user.text("created_at")).collect();
        let mut queries =
            vec!["*".to_owned(), "created_at:[* TO *]".to_owned(), "NOT created_at:[2025 TO *]".to_owned()];
        for (index, date) in dates.iter().enumerate().step_by(17) {
            let other = dates[index * 7 % dates.len()];
            queries.extend([
                format!("created_at:[\"{date}\" TO \"{other}\"]"),
                format!("created_at:{{\"{date}\" TO *]"),
                format!("created_at:[* TO \"{date}\"}} AND email:*"),
                format!("created_at:[\"{date}\" TO *] AND created_at:[* TO \"{other}\"]"),
                format!("created_at:[\"{date}\" TO *] OR created_at:[* TO \"{other}\"]"),
            ]);
        }
        let page = Page { number: 0, size: 1_000 };
        let mut found_all = 0;
        for q in queries {
            let Ok(query) = UserQuery::parse(&q) else { continue };
            let ids = |users: Vec<&User>| {
                users.iter().filter_map(|user| user.text("user_id").map(str::to_owned)).collect::<Vec<_>>()
            };
            let all = tenant.by_creation.iter().map(|position| &tenant.people.users[*position]);
            let expected = ids(all.filter(|user| query.matches(user)).collect());
            let (found, total) = tenant.users(Some(&query), Some(("created_at", false)), page);
            assert_eq!((ids(found), total), (expected.clone(), expected.len()), "{q}");
            found_all += expected.len();
        }
        assert!(found_all > 1_000);
    }
}
