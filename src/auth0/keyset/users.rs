//! The order in which users are walked, and what to ask for next. Pure.
//!
//! Users are in the order of their creation, and in that of their ids within a millisecond. Each call asks for the first page of what is
//! still to be given, so that nothing that is inserted or deleted meanwhile moves a user from one page to another. Auth0 sorts by one key
//! alone: the last millisecond of a full page may go on behind it, and is left for the next call. Only a millisecond that fills
//! a page by itself is paged, by id: from its beginning as far as paging reaches, then from its end.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use super::super::argument_error::REACHABLE_RECORDS;
use super::super::error::Error;
use super::super::list_parameters::{Direction, LARGEST_PAGE};

/// Time by which Auth0's search may lag behind the tenant, and by which clocks may differ. A walk ends so long before it began: a user who
/// was created before that is in the index. Auth0 gives no figure, and some seconds were seen:
/// <https://auth0.com/docs/manage-users/user-search/get-users-by-id-or-email>.
pub(super) const SEARCH_LAG_MS: i64 = 60_000;

/// Users beyond those that are wanted, to ask for: some share the millisecond of the last, and that is left for the next call.
const EXTRA_USERS: u32 = 10;

const PAGE: u32 = LARGEST_PAGE as u32;
const REACHABLE: u32 = REACHABLE_RECORDS as u32;

/// A place in a walk over users. Times are milliseconds since 1970, negated in a walk from the newest on: what is later in the walk
/// is greater.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserPosition {
    /// The moment at which the walk ends, or begins where the newest come first; not negated. `None` before the first call, and where the
    /// walk has ended.
    pub(super) until: Option<i64>,
    /// The first millisecond of which not everything was given. `None`: the first of all.
    pub(super) from: Option<i64>,
    pub(super) given: Delivered,
    /// The span of time that a search is to cover at the most, after one was too slow.
    pub(super) span: Option<i64>,
}

/// The users of the millisecond [`UserPosition::from`] who were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivered {
    Nothing,
    /// All to this one, about as many as `count`.
    Forward {
        last: Box<str>,
        count: u32,
    },
    /// All to `low`, which is as far as paging reaches, and from the end of the millisecond back to `last`, about as many as `count`.
    Backward {
        low: Box<str>,
        last: Option<Box<str>>,
        count: u32,
    },
}

/// A call to make: a page of the users who were created from the first to the last of these milliseconds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserCall {
    pub(super) created: (Option<i64>, Option<i64>),
    pub(super) sort: (UserKey, Direction),
    pub(super) page: u32,
    pub(super) per_page: u32,
}

/// The key that a call's users are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UserKey {
    CreatedAt,
    UserId,
}

/// The keys of a user that a call brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserKeys {
    pub(super) created_at: i64,
    pub(super) id: Box<str>,
}

/// A user to give: its index in the answer, and the position behind.
pub(super) type FoundUser = (usize, UserPosition);

/// Decides about a walk over users.
#[derive(Debug, Clone)]
pub(super) struct UserPlanner {
    direction: Direction,
    position: UserPosition,
    /// True while the millisecond at which the walk is fills more than a page.
    is_crowded: bool,
    is_done: bool,
}

impl UserPosition {
    pub(super) const START: Self = Self { until: None, from: None, given: Delivered::Nothing, span: None };
}

impl UserPlanner {
    /// Goes on from a position. `now` is in milliseconds since 1970.
    pub(super) fn new(direction: Direction, mut position: UserPosition, now: i64) -> Self {
        let until = *position.until.get_or_insert(now - SEARCH_LAG_MS);
        let is_crowded = match (direction, &position.given) {
            (_, Delivered::Forward { count, .. }) => count + EXTRA_USERS > PAGE,
            (_, Delivered::Backward { .. }) => true,
            (_, Delivered::Nothing) => false,
        };
        let mut planner = Self { direction, position, is_crowded, is_done: false };
        match direction {
            Direction::Ascending if planner.position.from.is_some_and(|from| from > until) => planner.end(),
            Direction::Descending => _ = planner.position.from.get_or_insert(-until),
            Direction::Ascending => {}
        }
        planner
    }

    /// True when all has been given.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// The position behind everything that was given.
    pub(super) fn position(&self) -> &UserPosition {
        &self.position
    }

    /// The next call, if so many users are wanted.
    pub(super) fn call(&self, wanted: u32) -> UserCall {
        let (from, to) = self.window();
        if self.is_crowded {
            let (seen, order) = match &self.position.given {
                Delivered::Nothing => (0, self.direction),
                Delivered::Forward { count, .. } => (*count, self.direction),
                Delivered::Backward { count, .. } => (*count, self.direction.reversed()),
            };
            let (page, per_page) = page_behind(seen);
            return UserCall { created: self.created(from, from), sort: (UserKey::UserId, order), page, per_page };
        }
        let seen = if let Delivered::Forward { count, .. } = self.position.given { count } else { 0 };
        let per_page = wanted.saturating_add(seen).saturating_add(EXTRA_USERS).min(PAGE);
        UserCall { created: self.created(from, to), sort: (UserKey::CreatedAt, self.direction), page: 0, per_page }
    }

    /// Takes in the answer to a call; `None` stands for a record that has no such keys. Gives out who is to be given, in order.
    pub(super) fn answered(&mut self, call: &UserCall, answer: &[Option<UserKeys>]) -> Result<Vec<FoundUser>, Error> {
        let placed = answer.iter().enumerate().filter_map(|(index, keys)| {
            let UserKeys { created_at, id } = keys.as_ref()?;
            Some((index, self.time(*created_at), &**id))
        });
        let placed: Vec<_> = placed.collect();
        let is_full = answer.len() >= call.per_page as usize;
        if self.is_crowded { self.crowded(call, &placed, answer.len()) } else { self.range(&placed, is_full) }
    }

    /// Halves the span of time that the next call covers. False if it cannot be any shorter.
    pub(super) fn halve(&mut self) -> bool {
        let (from, to) = self.window();
        let length = to.unwrap_or_default().saturating_sub(from.unwrap_or_default());
        if self.is_crowded || length <= 0 {
            return false;
        }
        self.position.span = Some(length / 2);
        true
    }

    /// Takes in the first page of what is still to be given.
    fn range(&mut self, placed: &[(usize, i64, &str)], is_full: bool) -> Result<Vec<FoundUser>, Error> {
        let (from, to) = self.window();
        let is_within = |time| from.is_none_or(|from| from <= time) && to.is_none_or(|to| time <= to);
        if !placed.is_sorted_by_key(|(_, time, _)| *time) || !placed.iter().all(|(_, time, _)| is_within(*time)) {
            return Err(Error::Disordered);
        }
        let unfinished = match placed.last() {
            Some((_, time, _)) if is_full => Some(*time),
            // A page of nothing that has a place: there is no way to get behind it.
            None if is_full => return Err(Error::Disordered),
            _ => None,
        };
        if unfinished.is_some() && placed.first().map(|(_, time, _)| *time) == unfinished {
            if from != unfinished {
                self.go_to(unfinished);
            }
            self.is_crowded = true;
            return Ok(Vec::new());
        }
        let mut finished: Vec<_> =
            placed.iter().filter(|(_, time, _)| unfinished.is_none_or(|unfinished| *time < unfinished)).collect();
        finished.sort_by(|(_, time, id), (_, other_time, other)| time.cmp(other_time).then(self.compare(id, other)));
        let mut found: Vec<FoundUser> = Vec::with_capacity(finished.len());
        let (mut present, mut count) = (None, 0);
        for (index, time, id) in finished {
            count = if present == Some(*time) { count + 1 } else { 1 };
            present = Some(*time);
            if !self.is_given(*time, id) {
                let given = Delivered::Forward { last: (*id).into(), count };
                found.push((*index, UserPosition { from: Some(*time), given, ..self.position.clone() }));
            }
        }
        match (unfinished, to) {
            (Some(_), _) => self.go_to(unfinished),
            (None, Some(to)) if !self.is_end(to) => {
                self.go_to(Some(to + 1));
                self.position.span = self.position.span.map(|span| span.saturating_mul(2));
            }
            (None, _) => {
                if let Some((_, position)) = found.last() {
                    self.position = position.clone();
                }
                self.end();
            }
        }
        Ok(found)
    }

    /// Takes in a page of the one millisecond at which the walk is, sorted by id.
    fn crowded(&mut self, call: &UserCall, placed: &[(usize, i64, &str)], len: usize) -> Result<Vec<FoundUser>, Error> {
        let Some(now) = self.position.from else { return Err(Error::Disordered) };
        let (_, order) = call.sort;
        let before = |one: &str, other: &str| ordering(order, one, other);
        let is_in_order = placed.is_sorted_by(|(_, _, one), (_, _, other)| before(one, other) == Ordering::Less);
        if !is_in_order || placed.iter().any(|(_, time, _)| *time != now) {
            return Err(Error::Disordered);
        }
        let offset = call.page * call.per_page;
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let last = match &self.position.given {
            Delivered::Nothing => None,
            Delivered::Forward { last, .. } => Some(last.clone()),
            Delivered::Backward { last, .. } => last.clone(),
        };
        // Users who were deleted let those behind them move up: a page that does not begin with one who was given may begin too late.
        let begins_in_time = |first: &str| last.as_deref().is_some_and(|last| before(first, last) != Ordering::Greater);
        if offset > 0 && !placed.first().is_some_and(|(_, _, first)| begins_in_time(first)) {
            match &mut self.position.given {
                Delivered::Forward { count, .. } | Delivered::Backward { count, .. } => *count = offset,
                Delivered::Nothing => {}
            }
            return Ok(Vec::new());
        }
        let low = if let Delivered::Backward { low, .. } = &self.position.given { Some(low.clone()) } else { None };
        let has_met =
            low.as_deref().is_some_and(|low| placed.iter().any(|(_, _, id)| before(id, low) != Ordering::Less));
        let mut found: Vec<FoundUser> = Vec::new();
        for (index, _, id) in placed {
            let is_given = last.as_deref().is_some_and(|last| before(id, last) != Ordering::Greater)
                || low.as_deref().is_some_and(|low| before(id, low) != Ordering::Less);
            if is_given {
                continue;
            }
            let count = offset + u32::try_from(*index).unwrap_or(u32::MAX) + 1;
            let given = match &low {
                None => Delivered::Forward { last: (*id).into(), count },
                Some(low) => Delivered::Backward { low: low.clone(), last: Some((*id).into()), count },
            };
            found.push((*index, UserPosition { given, ..self.position.clone() }));
        }
        let reached = offset.saturating_add(len);
        if has_met || len < call.per_page {
            self.go_to(Some(now + 1));
            self.is_crowded = false;
            return Ok(found);
        }
        let behind = found.last().map(|(_, position)| position.given.clone());
        let given = match behind.unwrap_or_else(|| self.position.given.clone()) {
            Delivered::Backward { .. } if reached >= REACHABLE => return Err(Error::Crowded { at: self.moment(now) }),
            Delivered::Forward { last, .. } if reached >= REACHABLE => {
                Delivered::Backward { low: last, last: None, count: 0 }
            }
            Delivered::Forward { last, .. } => Delivered::Forward { last, count: reached },
            Delivered::Backward { low, last, .. } => Delivered::Backward { low, last, count: reached },
            Delivered::Nothing => return Err(Error::Disordered),
        };
        self.position.given = given;
        Ok(found)
    }

    /// The first and the last millisecond of the next call.
    fn window(&self) -> (Option<i64>, Option<i64>) {
        let UserPosition { until, from, span, .. } = self.position;
        let end = until.filter(|_| self.direction == Direction::Ascending);
        let short = span.map(|span| from.unwrap_or_default().saturating_add(span));
        (from, short.filter(|to| !self.is_end(*to)).or(end))
    }

    /// True if nothing is behind this millisecond. No user is older than 1970 but by mistake: those come with the rest of the last call.
    fn is_end(&self, to: i64) -> bool {
        let end = if self.direction == Direction::Ascending { self.position.until.unwrap_or_default() } else { 0 };
        to >= end
    }

    fn is_given(&self, time: i64, id: &str) -> bool {
        let Delivered::Forward { last, .. } = &self.position.given else { return false };
        self.position.from == Some(time) && self.compare(id, last) != Ordering::Greater
    }

    fn go_to(&mut self, from: Option<i64>) {
        self.position.from = from;
        self.position.given = Delivered::Nothing;
    }

    fn end(&mut self) {
        self.position.until = None;
        self.is_done = true;
    }

    fn compare(&self, id: &str, other: &str) -> Ordering {
        ordering(self.direction, id, other)
    }

    /// A time of a walk, of milliseconds since 1970, or the other way round.
    fn time(&self, milliseconds: i64) -> i64 {
        if self.direction == Direction::Ascending { milliseconds } else { -milliseconds }
    }

    fn moment(&self, time: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.time(time)).unwrap_or_default()
    }

    fn created(&self, from: Option<i64>, to: Option<i64>) -> (Option<i64>, Option<i64>) {
        let (from, to) = (from.map(|from| self.time(from)), to.map(|to| self.time(to)));
        if self.direction == Direction::Ascending { (from, to) } else { (to, from) }
    }
}

fn ordering(direction: Direction, one: &str, other: &str) -> Ordering {
    let order = one.cmp(other);
    if direction == Direction::Ascending { order } else { order.reverse() }
}

/// The page that reaches farthest behind the first `seen` records, of those that begin with the last of them or before, with its size.
fn page_behind(seen: u32) -> (u32, u32) {
    let anchor = seen.saturating_sub(1);
    let pages = (1..=PAGE).map(|size| (anchor / size, size)).filter(|(page, size)| (page + 1) * size <= REACHABLE);
    pages.max_by_key(|(page, size)| (page + 1) * size).unwrap_or((0, PAGE))
}
