//! The tenant's logs. A log is a pure function of the seed, the start of the tenant and its
//! position, so none is stored; how many there are is a function of the clock.
//!
//! Some positions in every thousand are odd on purpose, see [`Oddity`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::clock::{from_millis, rfc3339};
use super::fixtures::{APPLICATIONS, CONNECTIONS, Connection, Fixtures, MACHINE, ORGANIZATIONS, Stream, rng};
use super::people::{People, User, address};
use kind::{Kind, Shape};
use oddity::Oddity;
use timeline::Timeline;

mod entry;
mod kind;
mod oddity;
mod timeline;

pub(super) use entry::BROWSERS;

/// The number of logs that may come on top of those at the start before the oldest are given up, as a
/// tenant's retention does (Auth0 keeps them for 1 to 30 days, by plan).
const RETAINED: u64 = 50_000;

/// All logs of a tenant.
#[derive(Debug)]
pub(crate) struct Events {
    seed: u64,
    timeline: Timeline,
    people: Arc<People>,
    fixtures: Fixtures,
    ordered: Mutex<Ordered>,
}

/// The arrivals that were ordered, beside those that come by themselves.
#[derive(Debug, Default)]
struct Ordered {
    /// Logs before this position are there before their time.
    end: u64,
    /// Positions of logs that are not visible yet, though later ones are.
    held: BTreeSet<u64>,
}

/// A log, before it is written down.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    events: &'a Events,
    kind: &'static Kind,
    oddity: Oddity,
    /// Milliseconds since the Unix epoch: when it happened, and when it became visible.
    date: i64,
    ingested: i64,
    position: u64,
    /// The user that it is about.
    user: Option<&'a User>,
    application: usize,
    organization: Option<usize>,
    /// The source of all further random choices.
    roll: u64,
}

impl Events {
    /// The logs of a tenant that has `history` of them at `start`, and two more every `period` milliseconds, if any.
    pub(crate) fn new(seed: u64, start: i64, history: u64, period: Option<i64>, people: Arc<People>) -> Self {
        let timeline = Timeline { start, history, period };
        Self { seed, timeline, people, fixtures: Fixtures::new(seed), ordered: Mutex::default() }
    }

    /// The positions of the logs that are there at `now`, oldest first, and of those among them that are held back.
    pub(crate) fn visible(&self, now: i64) -> std::ops::Range<u64> {
        let natural = self.timeline.visible(now, |position| self.arrival(position));
        let end = natural.max(self.ordered.lock().end);
        end.saturating_sub(self.timeline.history + RETAINED)..end
    }

    /// Has the next `count` logs arrive now, but holds the first `held` of them back. Returns the ids of all.
    pub(crate) fn arrive(&self, count: u64, held: u64, now: i64) -> Vec<String> {
        let start = self.visible(now).end;
        let mut ordered = self.ordered.lock();
        ordered.end = start + count;
        ordered.held.extend(start..start + held.min(count));
        (start..start + count).map(|position| self.at(position).log_id()).collect()
    }

    /// Lets the logs that were held back be seen.
    pub(crate) fn release(&self) {
        self.ordered.lock().held.clear();
    }

    /// True if the log at a position is held back.
    pub(crate) fn is_held(&self, position: u64) -> bool {
        self.ordered.lock().held.contains(&position)
    }

    fn arrival(&self, position: u64) -> i64 {
        let mut rng = rng(self.seed, Stream::Logs, position);
        self.timeline.arrival(position, rng.u32(..))
    }

    /// The log at a position.
    pub(crate) fn at(&self, position: u64) -> Event<'_> {
        let mut rng = rng(self.seed, Stream::Logs, position);
        // First, as in `arrival`.
        let ingested = self.timeline.arrival(position, rng.u32(..));
        let oddity = Oddity::at(position);
        let kind = oddity.kind().unwrap_or_else(|| kind::pick(&mut rng));
        let user = match kind.shape {
            Shape::Machine | Shape::Api | Shape::Tenant => None,
            _ => self.somebody(&mut rng),
        };
        Event {
            events: self,
            kind,
            oddity,
            // Recorded: 3 to 4 s before the log is there, 5.4 s at most.
            date: ingested - 3_000 - rng.i64(0..2_000),
            ingested,
            position,
            application: match kind.shape {
                Shape::Machine | Shape::Api => MACHINE,
                _ => rng.usize(..MACHINE),
            },
            organization: user.and_then(|user| {
                let id = user.organizations.first().filter(|_| rng.bool())?;
                self.fixtures.organization_ids.iter().position(|known| known == id)
            }),
            user,
            roll: rng.u64(..),
        }
    }

    fn somebody(&self, rng: &mut fastrand::Rng) -> Option<&User> {
        if self.people.active.is_empty() {
            return self.people.users.first();
        }
        // One in twelve is about the first few, so that they have a history to look at.
        let among = if rng.u32(..12) == 0 { self.people.active.len().min(8) } else { self.people.active.len() };
        Some(&self.people.users[self.people.active[rng.usize(..among)]])
    }

    /// The first visible position whose log comes after `log_id`, whether there is such a log
    /// or not: ids are compared as texts.
    pub(crate) fn after(&self, log_id: &str, visible: &std::ops::Range<u64>) -> u64 {
        let (mut low, mut high) = (visible.start, visible.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle).log_id().as_str() <= log_id {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The visible log with this id.
    pub(crate) fn by_id(&self, log_id: &str, visible: &std::ops::Range<u64>) -> Option<Event<'_>> {
        let position = self.after(log_id, visible).checked_sub(1)?;
        let is_there = visible.contains(&position) && !self.is_held(position);
        let found = is_there.then(|| self.at(position))?;
        (found.log_id() == log_id).then_some(found)
    }
}

impl Event<'_> {
    /// The moment of the event, in milliseconds since the Unix epoch.
    pub(crate) fn date_millis(&self) -> i64 {
        self.date
    }

    /// 56 digits, in the order of arrival: `900`, the time of arrival, three digits, zeros and
    /// a number of nineteen digits that counts up.
    pub(crate) fn log_id(&self) -> String {
        format!(
            "900{}{:03}{:014}{}",
            from_millis(self.ingested).format("%Y%m%d%H%M%S%3f"),
            self.roll % 1_000,
            0,
            1_223_372_036_854_775_807 + self.position,
        )
    }

    fn connection(&self) -> Option<(usize, &'static Connection)> {
        let user = self.user.filter(|_| self.kind.shape != Shape::Exchange)?;
        Some((user.connection, &CONNECTIONS[user.connection]))
    }

    /// A field as a text, if it is a text and not null: what log search looks at.
    pub(crate) fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        let fixtures = &self.events.fixtures;
        Some(match field {
            "type" => self.kind.code.into(),
            "user_id" => self.user_id()?.into(),
            "user_name" => self.user_name()?.into(),
            "client_id" => match self.kind.shape {
                Shape::Tenant => return None,
                _ => fixtures.application_ids[self.application].as_str().into(),
            },
            "client_name" => match self.kind.shape {
                Shape::Tenant => return None,
                // Recorded: empty on calls of the Management API.
                Shape::Api => "".into(),
                _ => APPLICATIONS[self.application].into(),
            },
            "connection" => self.connection()?.1.name.into(),
            "connection_id" => fixtures.connection_ids[self.connection()?.0].as_str().into(),
            "strategy" => self.connection()?.1.strategy.into(),
            "strategy_type" => self.connection()?.1.strategy_type.into(),
            "organization_id" => fixtures.organization_ids[self.organization?].as_str().into(),
            "organization_name" => ORGANIZATIONS[self.organization?].into(),
            "description" if self.oddity == Oddity::NoDescription => return None,
            "description" => self.description(),
            "log_id" | "_id" => self.log_id().into(),
            "ip" => self.ip().into(),
            "user_agent" => self.user_agent().into(),
            "hostname" => self.hostname()?.into(),
            "date" => rfc3339(from_millis(self.date)).into(),
            _ => return None,
        })
    }

    fn user_id(&self) -> Option<&str> {
        match (self.oddity, self.kind.shape) {
            (Oddity::TypedUserName, _) => Some(""),
            // Recorded: empty, not null, when a machine gets a token.
            (_, Shape::Machine) => Some(""),
            _ => Some(self.user?.id()),
        }
    }

    fn user_name(&self) -> Option<&str> {
        match (self.oddity, self.kind.shape) {
            (Oddity::TypedUserName, _) => Some("'; DROP TABLE users; -- <script>"),
            (_, Shape::Machine) => Some(""),
            _ => Some(self.user?.login_name()),
        }
    }

    fn description(&self) -> Cow<'static, str> {
        if self.kind.description.is_empty() {
            match (self.kind.shape, self.kind.code) {
                (Shape::Api, _) => return entry::api_call(self.roll).description.into(),
                (_, "fn") => return format!("To: {}", self.user_name().unwrap_or_default()).into(),
                _ => {}
            }
        }
        self.kind.description.into()
    }

    fn ip(&self) -> String {
        address(&mut fastrand::Rng::with_seed(self.roll))
    }

    fn user_agent(&self) -> &'static str {
        match self.kind.shape {
            Shape::Machine | Shape::Api => "Other 0.0.0 / Other 0.0.0",
            _ => BROWSERS[(self.roll % BROWSERS.len() as u64) as usize].0,
        }
    }

    fn hostname(&self) -> Option<&'static str> {
        match self.kind.shape {
            Shape::Machine | Shape::Exchange | Shape::Login => Some("login.example.com"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const START: i64 = 1_790_000_000_000;

    fn events(history: u64) -> Events {
        Events::new(7, START, history, Some(3_000), People::of(7, 2_500, 0))
    }

    #[test]
    fn ids_have_56_digits_and_rise_while_dates_do_not_always() {
        let events = events(1_000);
        let ids: Vec<_> = (0..1_200).map(|position| events.at(position).log_id()).collect();
        assert!(ids.iter().all(|id| id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit())));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        let dates: Vec<_> = (0..1_000).map(|position| events.at(position).date_millis()).collect();
        assert!(dates.windows(2).any(|pair| pair[0] > pair[1]));
        for position in 0..1_000 {
            let event = events.at(position);
            assert!((3_000..5_000).contains(&(event.ingested - event.date)));
        }
    }

    #[test]
    fn a_log_is_found_by_its_id_and_what_follows_any_text() {
        let events = events(100);
        let visible = events.visible(START);
        assert_eq!(visible, 0..100);
        for position in [0, 1, 50, 99] {
            let id = events.at(position).log_id();
            assert_eq!(events.by_id(&id, &visible).map(|event| event.position), Some(position));
            assert_eq!(events.after(&id, &visible), position + 1);
        }
        assert_eq!(events.after("", &visible), 0);
        assert_eq!(events.after("9009", &visible), 100);
        assert!(events.by_id("900", &visible).is_none());
        let later = events.at(100).log_id();
        assert!(events.by_id(&later, &visible).is_none(), "it has not arrived yet");
    }

    #[test]
    fn logs_arrive_when_they_are_ordered_and_those_that_are_held_back_later() {
        let events = events(10);
        let ids = events.arrive(3, 1, START);
        assert_eq!(events.visible(START), 0..13);
        assert_eq!(ids, (10..13).map(|position| events.at(position).log_id()).collect::<Vec<_>>());
        assert!(events.by_id(&ids[0], &events.visible(START)).is_none());
        assert!(events.by_id(&ids[1], &events.visible(START)).is_some());
        events.release();
        assert!(events.by_id(&ids[0], &events.visible(START)).is_some());
    }

    #[test]
    fn many_types_happen() {
        let events = events(20_000);
        let seen: HashSet<_> = (0..20_000).map(|position| events.at(position).kind.code).collect();
        assert_eq!(seen.len(), kind::KINDS.len() + 1);
    }

    #[test]
    fn retention_bounds_what_a_search_has_to_look_at() {
        let events = events(10);
        let visible = events.visible(START + 10 * 365 * 86_400_000);
        assert_eq!(visible.end - visible.start, 10 + RETAINED);
    }
}
