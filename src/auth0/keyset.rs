//! Keyset pagination: everything that a search finds, past the 1,000 records that paging reaches.
//!
//! Auth0 has no cursors for searches. But a search can be narrowed to what follows the last record that was given, and its first page is
//! always within reach. What to ask for and what to give of the answers is decided by [`users`] and [`logs`], which do nothing;
//! [`Walk`] makes the calls. A position is written down as a [`cursor`].

mod cursor;
mod logs;
#[cfg(test)]
mod simulation;
mod users;

use std::borrow::Cow;
use std::ops::Bound;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::logs::{LogCall, LogPlanner, LogPosition};
use self::users::{UserCall, UserKey, UserKeys, UserPlanner, UserPosition};
use super::api_request::ApiRequest;
use super::argument_error::{ArgumentError, ArgumentProblem, REACHABLE_RECORDS};
use super::call_context::CallContext;
use super::endpoints::{LOG_SEARCH, USERS};
use super::error::{Error, UnavailableReason};
use super::fields_parameter::Fields;
use super::ids::LogId;
use super::list_parameters::{Direction, LONGEST_Q, LogSearch, UserSearch};
use super::management_api::ManagementApi;
use super::page::Page;
use super::search_condition::{Condition, Path, Searched};

/// The number of records at which Auth0 stops counting: <https://auth0.com/docs/manage-users/user-search/view-search-results-by-page>.
pub const COUNTED_RECORDS: u64 = REACHABLE_RECORDS as u64;

/// A search whose records can be walked from the first to the last. Users come in the order of their creation, logs newest first.
#[derive(Debug, Clone)]
pub struct Keyset {
    searched: Searched,
    condition: Option<Condition>,
    direction: Direction,
    fingerprint: u64,
}

/// A place in a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(KeysetPosition);

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeysetPosition {
    Users(UserPosition),
    Logs(LogPosition),
}

/// Records that a call brought, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records as Auth0 sent them, each with the position behind it.
    pub records: Vec<(Bytes, Position)>,
    /// The number of records that have no place in the order, and are left out.
    pub unplaced: usize,
    /// The number of records that the whole call found, if that was asked.
    pub total: Option<u64>,
}

impl Keyset {
    /// The users that meet a condition.
    ///
    /// # Errors
    ///
    /// A search that becomes longer than 4096 bytes.
    pub fn users(condition: Option<Condition>, direction: Direction) -> Result<Self, ArgumentError> {
        Self::new(Searched::Users, condition, direction)
    }

    /// The logs that meet a condition, newest first.
    ///
    /// # Errors
    ///
    /// A search that becomes longer than 4096 bytes.
    pub fn logs(condition: Option<Condition>) -> Result<Self, ArgumentError> {
        Self::new(Searched::Logs, condition, Direction::Descending)
    }

    fn new(searched: Searched, condition: Option<Condition>, direction: Direction) -> Result<Self, ArgumentError> {
        let q = condition.as_ref().map(|condition| condition.to_query(searched)).unwrap_or_default();
        let name = match searched {
            Searched::Users => "users",
            Searched::Logs => "logs",
        };
        let way = if direction == Direction::Ascending { "ascending" } else { "descending" };
        let fingerprint = cursor::fingerprint(&[name, way, &q]);
        /// The bytes that narrowing adds to a search: a range with two dates, or an id, and what ties it to the rest.
        const RANGE: usize = 160;
        if q.len() + RANGE > LONGEST_Q {
            let problem = ArgumentProblem::TooLong { most: LONGEST_Q - RANGE };
            return Err(ArgumentError { argument: "q", problem });
        }
        Ok(Self { searched, condition, direction, fingerprint })
    }

    /// The position before all records.
    #[must_use]
    pub fn start(&self) -> Position {
        Position(match self.searched {
            Searched::Users => KeysetPosition::Users(UserPosition::START),
            Searched::Logs => KeysetPosition::Logs(LogPosition(None)),
        })
    }

    /// The position that a cursor of this search stands for.
    ///
    /// # Errors
    ///
    /// A text that is no cursor, or one of another search.
    pub fn position(&self, cursor: &str) -> Result<Position, ArgumentError> {
        let position = cursor::read(self.fingerprint, cursor);
        position.map(Position).map_err(|problem| ArgumentError { argument: "after", problem })
    }

    /// The cursor of a position.
    #[must_use]
    pub fn cursor(&self, position: &Position) -> String {
        cursor::write(self.fingerprint, &position.0)
    }

    /// Walks on from a position.
    #[must_use]
    pub fn walk(&self, from: Position) -> Walk<'_> {
        let planner = match from.0 {
            KeysetPosition::Users(position) => {
                Planner::Users(UserPlanner::new(self.direction, position, Utc::now().timestamp_millis()))
            }
            KeysetPosition::Logs(position) => Planner::Logs(LogPlanner::new(position)),
        };
        Walk { keyset: self, planner }
    }

    /// The search, narrowed to a range of one of its keys.
    fn within(&self, key: &str, from: Bound<String>, to: Bound<String>) -> Option<String> {
        let range = match (&from, &to) {
            (Bound::Unbounded, Bound::Unbounded) => None,
            _ => Path::parse(key).map(|key| Condition::Within(key, from, to)),
        };
        let conditions: Vec<_> = range.into_iter().chain(self.condition.clone()).collect();
        (!conditions.is_empty()).then(|| Condition::All(conditions).to_query(self.searched))
    }
}

/// A walk over the records of a [`Keyset`].
#[derive(Debug)]
pub struct Walk<'k> {
    keyset: &'k Keyset,
    planner: Planner,
}

#[derive(Debug)]
enum Planner {
    Users(UserPlanner),
    Logs(LogPlanner),
}

impl Walk<'_> {
    /// True when there is nothing more.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.planner {
            Planner::Users(planner) => planner.is_done(),
            Planner::Logs(planner) => planner.is_done(),
        }
    }

    /// The position behind all that was given. That of the end of a walk over users goes on, later, with those who were created since.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(match &self.planner {
            Planner::Users(planner) => KeysetPosition::Users(planner.position().clone()),
            Planner::Logs(planner) => KeysetPosition::Logs(planner.position().clone()),
        })
    }

    /// Counts the records of the whole search, as far as Auth0 counts; `None` for logs, whose total is that of a page.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn count(&self, api: &ManagementApi, context: &CallContext) -> Result<Option<u64>, Error> {
        let Planner::Users(planner) = &self.planner else { return Ok(None) };
        let created = (None, planner.position().until);
        let call = UserCall { created, sort: (UserKey::CreatedAt, Direction::Ascending), page: 0, per_page: 1 };
        let request = self.keyset.users_request(&call, &Fields::Only(Vec::new()), true)?;
        Ok(api.read(&request, context).await?.total)
    }

    /// The request of the next call, if so many records are wanted.
    ///
    /// # Errors
    ///
    /// None that is known: its arguments were checked before.
    pub fn request(&self, wanted: usize, fields: &Fields, with_total: bool) -> Result<ApiRequest<Page>, Error> {
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        match &self.planner {
            Planner::Users(planner) => self.keyset.users_request(&planner.call(wanted), fields, with_total),
            Planner::Logs(planner) => self.keyset.logs_request(&planner.call(wanted), fields),
        }
    }

    /// Makes the next call, if so many records are wanted: it may bring more, or fewer, or none. `fields` has to have the keys that the
    /// order goes by: `user_id` and `created_at`, or `log_id`.
    ///
    /// # Errors
    ///
    /// See [`Error`]. A search that took Auth0 too long is none, if a shorter span of time can be searched: then nothing was
    /// brought, and the next call asks for that.
    pub async fn next(
        &mut self,
        api: &ManagementApi,
        wanted: usize,
        with_total: bool,
        fields: &Fields,
        context: &CallContext,
    ) -> Result<Batch, Error> {
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        match &mut self.planner {
            Planner::Users(planner) => {
                let call = planner.call(wanted);
                let request = self.keyset.users_request(&call, fields, with_total)?;
                let page = match api.read(&request, context).await {
                    Ok(page) => page,
                    // How Auth0 says that a search took longer than two seconds.
                    Err(Error::Unavailable(error))
                        if error.reason == UnavailableReason::Status(503) && planner.halve() =>
                    {
                        return Ok(Batch::default());
                    }
                    Err(error) => return Err(error),
                };
                let records = records(&page)?;
                let keys: Vec<_> = records.iter().map(|record| user_keys(record)).collect();
                let found = planner.answered(&call, &keys)?;
                Ok(batch(&records, &keys, found, page.total, KeysetPosition::Users))
            }
            Planner::Logs(planner) => {
                let call = planner.call(wanted);
                let request = self.keyset.logs_request(&call, fields)?;
                let page = api.read(&request, context).await?;
                let records = records(&page)?;
                let keys: Vec<_> = records.iter().map(|record| log_key(record)).collect();
                let found = planner.answered(&call, &keys)?;
                Ok(batch(&records, &keys, found, None, KeysetPosition::Logs))
            }
        }
    }
}

impl Keyset {
    fn users_request(&self, call: &UserCall, fields: &Fields, with_total: bool) -> Result<ApiRequest<Page>, Error> {
        let UserCall { created: (from, to), sort: (key, direction), page, per_page } = *call;
        let bound = |time: Option<i64>| time.map_or(Bound::Unbounded, |time| Bound::Included(text(time)));
        let q = self.within("created_at", bound(from), bound(to));
        let key = match key {
            UserKey::CreatedAt => "created_at",
            UserKey::UserId => "user_id",
        };
        let search = UserSearch::new(q.as_deref(), page.into(), per_page.into(), Some((key.to_owned(), direction)));
        Ok(ApiRequest::list(&USERS, &search.map_err(unexpected)?.with_total(with_total), fields))
    }

    fn logs_request(&self, call: &LogCall, fields: &Fields) -> Result<ApiRequest<Page>, Error> {
        let up_to = call.up_to.as_ref().map_or(Bound::Unbounded, |id| Bound::Included(id.to_string()));
        let q = self.within("log_id", Bound::Unbounded, up_to);
        let search = LogSearch::in_order_of_ids(q.as_deref(), call.per_page.into());
        Ok(ApiRequest::list(&LOG_SEARCH, &search.map_err(unexpected)?, fields))
    }
}

/// The error of a call that could not be made: its arguments were checked when the walk began.
fn unexpected(error: ArgumentError) -> Error {
    Error::unavailable_because(UnavailableReason::Unexpected, error)
}

fn records(page: &Page) -> Result<Vec<Bytes>, Error> {
    let records: Vec<&RawValue> = serde_json::from_slice(&page.records).map_err(|error| {
        page.identity.invalidate();
        Error::unavailable_because(UnavailableReason::Unexpected, error)
    })?;
    Ok(records.into_iter().map(|record| page.records.slice_ref(record.get().as_bytes())).collect())
}

fn batch<K, P>(
    records: &[Bytes],
    keys: &[Option<K>],
    found: Vec<(usize, P)>,
    total: Option<u64>,
    position: fn(P) -> KeysetPosition,
) -> Batch {
    let records =
        found.into_iter().filter_map(|(index, at)| Some((records.get(index)?.clone(), Position(position(at)))));
    Batch { records: records.collect(), unplaced: keys.iter().filter(|keys| keys.is_none()).count(), total }
}

fn user_keys(record: &[u8]) -> Option<UserKeys> {
    #[derive(Deserialize)]
    struct Keys<'a> {
        #[serde(borrow)]
        user_id: Cow<'a, str>,
        #[serde(borrow)]
        created_at: Cow<'a, str>,
    }
    let Keys { user_id, created_at } = serde_json::from_slice(record).ok()?;
    let created_at = DateTime::parse_from_rfc3339(&created_at).ok()?.timestamp_millis();
    (!user_id.is_empty()).then(|| UserKeys { created_at, id: user_id.into() })
}

fn log_key(record: &[u8]) -> Option<LogId> {
    #[derive(Deserialize)]
    struct Keys<'a> {
        #[serde(borrow, default)]
        log_id: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        _id: Option<Cow<'a, str>>,
    }
    let Keys { log_id, _id } = serde_json::from_slice(record).ok()?;
    LogId::parse(&log_id.or(_id)?).ok()
}

/// A moment as Auth0's searches have it, of milliseconds since 1970.
fn text(milliseconds: i64) -> String {
    let moment: DateTime<Utc> = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}
