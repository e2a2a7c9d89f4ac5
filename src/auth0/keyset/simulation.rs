//! Walks over made-up tenants whose users come, go and change meanwhile, held against what a naive reader would have seen.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use proptest::prelude::*;

use super::cursor;
use super::users::{SEARCH_LAG_MS, UserCall, UserKey, UserKeys, UserPlanner, UserPosition};
use super::{Direction, Error, KeysetPosition};

/// The time at which walks begin.
const START: i64 = 1_790_000_000_000;

/// A tenant, as its search sees it. Time goes on with each call.
struct Tenant {
    rng: Rng,
    now: i64,
    users: Vec<User>,
    /// The longest span of time that a search manages, in milliseconds.
    longest_span: i64,
    calls: usize,
}

#[derive(Clone)]
struct User {
    created_at: i64,
    id: String,
    /// The time from which the index has the user.
    visible_at: i64,
    is_found: bool,
    /// False once the user was changed, and for one who was imported with a date of before.
    is_steady: bool,
}

impl Tenant {
    fn new(seed: u64, count: usize, milliseconds: i64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let users = (0..count).map(|_| {
            let created_at = START - SEARCH_LAG_MS - 86_400_000 * i64::from(rng.bool()) - rng.i64(0..milliseconds);
            Self::user(&mut rng, created_at)
        });
        let users = users.collect();
        Self { rng, now: START, users, longest_span: i64::MAX, calls: 0 }
    }

    fn user(rng: &mut Rng, created_at: i64) -> User {
        let visible_at = created_at + rng.i64(0..=SEARCH_LAG_MS);
        User { created_at, id: format!("auth0|{:016x}", rng.u64(..)), visible_at, is_found: true, is_steady: true }
    }

    /// Lets some time pass, and some users come, go and change.
    fn live(&mut self, changes: usize) {
        self.now += self.rng.i64(1..2_000);
        for _ in 0..self.rng.usize(..=changes) {
            match self.rng.u32(..10) {
                0..3 => {
                    let created_at = self.now;
                    self.users.push(Self::user(&mut self.rng, created_at));
                }
                // Imported with a date, or changed so that it is found from now on.
                3..5 if !self.users.is_empty() => {
                    let created_at = self.users[self.rng.usize(..self.users.len())].created_at;
                    let user = Self::user(&mut self.rng, created_at);
                    self.users.push(User { visible_at: self.now, is_steady: false, ..user });
                }
                5..8 if !self.users.is_empty() => {
                    let gone = self.rng.usize(..self.users.len());
                    self.users.swap_remove(gone);
                }
                _ if !self.users.is_empty() => {
                    let changed = self.rng.usize(..self.users.len());
                    let user = &mut self.users[changed];
                    user.is_found = !user.is_found;
                    user.is_steady = false;
                }
                _ => {}
            }
        }
    }

    /// The answer of the search; `None` if it takes too long. Users of one creation come in any order.
    fn answer(&mut self, call: &UserCall) -> Option<Vec<Option<UserKeys>>> {
        self.calls += 1;
        let (from, to) = call.created;
        let span = to.unwrap_or(START).saturating_sub(from.unwrap_or(0));
        if span > self.longest_span {
            return None;
        }
        let is_within =
            |user: &&User| from.is_none_or(|from| from <= user.created_at) && to.is_none_or(|to| user.created_at <= to);
        let mut found: Vec<_> = self
            .users
            .iter()
            .filter(|user| user.is_found && user.visible_at <= self.now)
            .filter(is_within)
            .map(|user| UserKeys { created_at: user.created_at, id: user.id.as_str().into() })
            .collect();
        self.rng.shuffle(&mut found);
        let (key, direction) = call.sort;
        match key {
            UserKey::CreatedAt => found.sort_by_key(|keys| keys.created_at),
            UserKey::UserId => found.sort_by(|one, other| one.id.cmp(&other.id)),
        }
        if direction == Direction::Descending {
            // The order of equals is turned as well, and is none in any case.
            found.reverse();
        }
        assert!((call.page + 1) * call.per_page <= 1_000, "{call:?}");
        let (skip, take) = ((call.page * call.per_page) as usize, call.per_page as usize);
        Some(found.into_iter().skip(skip).take(take).map(Some).collect())
    }
}

/// A reader of pages, each from the cursor of the one before.
struct Reader {
    direction: Direction,
    position: UserPosition,
    given: Vec<UserKeys>,
}

impl Reader {
    fn new(direction: Direction) -> Self {
        Self { direction, position: UserPosition::START, given: Vec::new() }
    }

    /// Reads a page, in as many calls as it takes. True if it was the last.
    fn page(&mut self, tenant: &mut Tenant, first: usize, changes: usize) -> Result<bool, Error> {
        let cursor = cursor::write(7, &KeysetPosition::Users(self.position.clone()));
        let Ok(KeysetPosition::Users(position)) = cursor::read(7, &cursor) else {
            panic!("a cursor is not read: {cursor}")
        };
        let mut planner = UserPlanner::new(self.direction, position, tenant.now);
        let end = self.given.len() + first;
        while !planner.is_done() && self.given.len() < end {
            let wanted = end - self.given.len();
            let call = planner.call(u32::try_from(wanted).unwrap());
            let Some(answer) = tenant.answer(&call) else {
                assert!(planner.halve(), "{call:?}");
                continue;
            };
            let found = planner.answered(&call, &answer)?;
            let cut = found.get(wanted - 1).filter(|_| found.len() > wanted).map(|(_, position)| position.clone());
            self.given.extend(found.iter().take(wanted).map(|(index, _)| answer[*index].clone().unwrap()));
            tenant.live(changes);
            if let Some(position) = cut {
                self.position = position;
                return Ok(false);
            }
        }
        self.position = planner.position().clone();
        Ok(planner.is_done())
    }

    /// Reads to the end.
    fn read(&mut self, tenant: &mut Tenant, first: usize, changes: usize) -> Result<(), Error> {
        while !self.page(tenant, first, changes)? {
            assert!(tenant.calls < 100_000, "the walk has no end");
        }
        Ok(())
    }

    fn ids(&self) -> BTreeSet<&str> {
        self.given.iter().map(|keys| &*keys.id).collect()
    }

    /// The users, created until then, whom a walk must have given and has not.
    fn missed<'t>(&self, tenant: &'t Tenant, until: i64) -> Vec<&'t str> {
        let ids = self.ids();
        let is_due = |user: &&User| user.is_steady && user.created_at <= until && !ids.contains(&*user.id);
        tenant.users.iter().filter(is_due).map(|user| &*user.id).collect()
    }
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn who_is_there_all_the_time_is_given_once_and_nobody_twice(
        seed: u64,
        count in 0_usize..1_500,
        milliseconds in prop_oneof![1_i64..4, 1_i64..300, 1_i64..10_000_000],
        first in prop_oneof![1_usize..30, 1_usize..=500],
        changes in prop_oneof![Just(0_usize), 0_usize..40],
        // From eleven days on: the fifty empty years at the beginning take a call for each span, since this tenant is slow there too.
        longest_span in prop_oneof![Just(i64::MAX), 1_000_000_000_i64..100_000_000_000],
        direction in direction(),
    ) {
        let mut tenant = Tenant::new(seed, count, milliseconds);
        tenant.longest_span = longest_span;
        let mut reader = Reader::new(direction);
        reader.read(&mut tenant, first, changes).unwrap();
        prop_assert_eq!(reader.ids().len(), reader.given.len(), "somebody was given twice");
        prop_assert_eq!(reader.missed(&tenant, START - SEARCH_LAG_MS), Vec::<&str>::new());
        // By creation, and within a page's millisecond by id.
        let sign = if direction == Direction::Ascending { 1 } else { -1 };
        prop_assert!(reader.given.is_sorted_by_key(|keys| keys.created_at * sign));
        if milliseconds > 100_000 {
            prop_assert!(longest_span < i64::MAX || first < 100 || tenant.calls <= 3 + reader.given.len() / 80 + reader.given.len() / first * 2);
        }
    }

    #[test]
    fn the_end_of_a_walk_goes_on_with_those_who_come_later_however_late_the_search_has_them(
        seed: u64,
        count in 0_usize..300,
        first in 1_usize..=200,
        pauses in prop::collection::vec(0_i64..3 * SEARCH_LAG_MS, 1..6),
    ) {
        let mut tenant = Tenant::new(seed, count, 10_000_000);
        let mut reader = Reader::new(Direction::Ascending);
        for pause in pauses {
            reader.read(&mut tenant, first, 5).unwrap();
            for _ in 0..5 {
                tenant.live(5);
            }
            tenant.now += pause;
        }
        tenant.now += 2 * SEARCH_LAG_MS;
        let last = tenant.now;
        reader.read(&mut tenant, first, 0).unwrap();
        prop_assert_eq!(reader.ids().len(), reader.given.len(), "somebody was given twice");
        prop_assert_eq!(reader.missed(&tenant, last - SEARCH_LAG_MS), Vec::<&str>::new());
    }
}

/// So many users, all of one millisecond but for one before and one behind.
fn crowd(count: usize) -> Tenant {
    let mut tenant = Tenant::new(5, count + 2, 1);
    let created_at = START - SEARCH_LAG_MS - 1_000;
    for (index, user) in tenant.users.iter_mut().enumerate() {
        user.created_at = created_at - i64::from(index == 0) + i64::from(index == 1);
        user.visible_at = created_at;
    }
    tenant
}

#[test]
fn a_crowded_millisecond_is_read_from_both_ends_and_no_further() {
    for direction in [Direction::Ascending, Direction::Descending] {
        for count in [99, 100, 101, 999, 1_000, 1_001, 1_500, 1_999] {
            let mut tenant = crowd(count);
            let mut reader = Reader::new(direction);
            reader.read(&mut tenant, 500, 0).unwrap();
            assert_eq!((reader.given.len(), reader.ids().len()), (count + 2, count + 2), "{count}");
        }
        let mut reader = Reader::new(direction);
        let read = reader.read(&mut crowd(2_500), 500, 0);
        let at = START - SEARCH_LAG_MS - 1_000;
        assert!(matches!(read, Err(Error::Crowded { at: told }) if told.timestamp_millis() == at), "{read:?}");
    }
}

#[test]
fn a_walk_takes_little_more_than_ten_calls_for_a_thousand_users() {
    let mut tenant = Tenant::new(3, 25_000, 30_000_000);
    let crowded = START - SEARCH_LAG_MS - 7;
    tenant.users.iter_mut().take(800).for_each(|user| user.created_at = crowded);
    let mut reader = Reader::new(Direction::Ascending);
    reader.read(&mut tenant, 25_001, 0).unwrap();
    assert_eq!(reader.given.len(), 25_000);
    assert!(tenant.calls * 1_000 <= 25_000 * 105 / 10, "{} calls", tenant.calls);
}

/// Too many for a tenant that shuffles: users in order, found by binary search.
#[test]
fn a_million_users_are_walked_in_ten_thousand_calls() {
    const USERS: i64 = 1_000_000;
    let id = |number: i64| format!("auth0|{number:016x}");
    let ids: BTreeMap<i64, i64> =
        (0..USERS).map(|number| (START - 4 * (USERS - number) - SEARCH_LAG_MS, number)).collect();
    let mut planner = UserPlanner::new(Direction::Ascending, UserPosition::START, START);
    let (mut calls, mut given, mut last) = (0_i64, 0_i64, i64::MIN);
    while !planner.is_done() {
        let call = planner.call(u32::MAX);
        let (from, to) = call.created;
        let range = from.unwrap_or(i64::MIN)..=to.unwrap_or(i64::MAX);
        let found = ids.range(range).take(call.per_page as usize);
        let answer =
            found.map(|(created_at, number)| Some(UserKeys { created_at: *created_at, id: id(*number).into() }));
        let answer: Vec<_> = answer.collect();
        for (index, _) in planner.answered(&call, &answer).unwrap() {
            let created_at = answer[index].as_ref().unwrap().created_at;
            assert!(created_at > last);
            last = created_at;
            given += 1;
        }
        calls += 1;
    }
    assert_eq!(given, USERS);
    assert_eq!(calls, 10_102);
}
