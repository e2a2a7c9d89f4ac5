//! A model of a fleet: replicas with their real checkpoints and places, which may be paused between any two steps, a Redis that forgets,
//! loses, answers late and is away, and a tenant in which logs are pushed before they can be read.

mod redis;
mod sharing;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;

use self::redis::Redis;
use self::step::{Outcome, Step, step};
use super::super::batch::{self, RawLog};
use super::super::checkpoint::{NextRead, PAGE};
use super::super::ring::Entry;
use super::super::{State, TailSettings};
use super::entry::{Report, SharedLog};
use super::membership::Role;
use super::stream_position::StreamPosition;
use crate::auth0::ids::LogId;
use crate::shared_state::Holding;

const REPLICAS: usize = 3;

/// Milliseconds after which a log can be read that was pushed: replicas read for longer that may have missed it.
const LONGEST_HELD: u64 = 4_500;

fn id(number: usize) -> LogId {
    LogId::parse(&format!("900{number:09}")).unwrap()
}

fn records<'a>(numbers: impl Iterator<Item = &'a usize>) -> String {
    let logs: Vec<_> = numbers.map(|number| format!(r#"{{"log_id":"{}"}}"#, id(*number))).collect();
    format!("[{}]", logs.join(","))
}

fn shared(logs: &[RawLog<'_>]) -> Vec<SharedLog> {
    logs.iter().map(|log| SharedLog { id: log.mark.id.clone(), json: log.json.into() }).collect()
}

/// A read that is on its way.
struct Asked {
    began_at: Instant,
    next_read: NextRead,
    /// The logs of the answer, if Auth0 has given it already.
    page: Option<Vec<usize>>,
}

struct Replica {
    name: String,
    state: State,
    asked: Option<Asked>,
    position: StreamPosition,
    /// The answer about the lease that is on its way; none if there will be none.
    holding: Option<Option<Holding>>,
    answered_at: u64,
    announces: bool,
    /// The logs that its subscriber has been told.
    told: Vec<LogId>,
    next: u64,
    /// The greatest number of a log when it began, once it has.
    began: Option<usize>,
}

struct FleetModel {
    start: Instant,
    /// Milliseconds since the start.
    now: u64,
    /// Number of the newest log.
    newest: usize,
    /// Logs that were pushed and cannot be read, and when that was.
    held: BTreeMap<usize, u64>,
    redis: Redis,
    replicas: Vec<Replica>,
    names: usize,
    /// Pages of so many logs come at once, and none is held.
    is_busy: bool,
}

impl Replica {
    fn new(name: String) -> Self {
        let state = State::new(&TailSettings::DEFAULT, true);
        Self {
            name,
            state,
            asked: None,
            position: StreamPosition::default(),
            holding: None,
            answered_at: 0,
            announces: false,
            told: Vec::new(),
            next: 0,
            began: None,
        }
    }

    fn role(&self) -> Role {
        self.state.membership.role()
    }

    /// Tells its subscriber what there is in the ring.
    fn tell(&mut self) {
        let Some(live_from) = self.state.live_from else { return };
        self.next = self.next.max(live_from);
        while let Ok(Some(entry)) = self.state.ring.get(self.next) {
            if let Entry::Batch(batch) = entry {
                self.told.extend(batch.logs().iter().map(|log| log.id.clone()));
            }
            self.next += 1;
        }
    }
}

impl FleetModel {
    fn new(is_busy: bool) -> Self {
        let mut model = Self {
            start: Instant::now(),
            // So long that a clock may be set back.
            now: 100_000,
            newest: 5,
            held: BTreeMap::new(),
            redis: Redis::default(),
            replicas: Vec::new(),
            names: 0,
            is_busy,
        };
        for _ in 0..REPLICAS {
            let replica = model.replica();
            model.replicas.push(replica);
        }
        model
    }

    fn replica(&mut self) -> Replica {
        self.names += 1;
        Replica::new(format!("replica-{}", self.names))
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Arrive(count) => self.newest += if self.is_busy { count * 45 } else { count },
            Step::Push(at) => self.push(at),
            Step::Release => self.held.clear(),
            Step::Hold(at) => {
                self.ask_for_lease(at, Outcome::Heard);
                self.hear_of_lease(at);
            }
            Step::AskForLease(at, outcome) => self.ask_for_lease(at, outcome),
            Step::HearOfLease(at) => self.hear_of_lease(at),
            Step::Ask(at, is_answered) => self.ask(at, is_answered),
            Step::Fail(at) => {
                let replica = &mut self.replicas[at];
                if replica.asked.take().is_some() {
                    replica.state.checkpoint.fail(None);
                }
            }
            Step::Read(at) => self.read(at),
            Step::Announce(at) => self.replicas[at].announces = true,
            Step::Tell(at, outcome) => self.tell(at, outcome),
            Step::CatchUp => self.catch_up(),
            Step::Follow(at, reads) => self.follow(at, reads),
            Step::TakeIn(at) => self.take_in(at),
            Step::Pass(time) => self.now += time,
            Step::Turn => self.redis.is_away = !self.redis.is_away,
            Step::Forget(behind) => {
                self.redis.forget(behind);
            }
            Step::LoseLease => self.redis.lose_lease(),
            Step::LoseStream => self.redis.stream.clear(),
            Step::LoseInbox => self.redis.inbox.clear(),
            Step::LoseFirst(count) => {
                self.redis.stream.drain(..count.min(self.redis.stream.len()));
            }
            Step::LoseLast(count) => self.redis.stream.truncate(self.redis.stream.len().saturating_sub(count)),
            Step::Tamper(place) => {
                if let Some((.., text)) = self.redis.stream.iter_mut().rev().nth(place) {
                    text.clear();
                }
            }
            Step::Replace(at) => self.replicas[at] = self.replica(),
        }
        self.replicas.iter_mut().for_each(Replica::tell);
    }

    fn push(&mut self, at: usize) {
        self.newest += 1;
        if !self.is_busy {
            self.held.insert(self.newest, self.now);
        }
        let records = records([self.newest].iter());
        let logs = batch::read(&records).unwrap();
        let replica = &mut self.replicas[at];
        if replica.state.checkpoint.is_seeded() {
            replica.state.take_in_pushed(&logs).unwrap();
        }
        let has_leader = self.redis.lease(self.now).is_some();
        if replica.role() != Role::Leader && !self.redis.is_away && has_leader {
            let chunks = Report { logs: shared(&logs), ..Report::default() }.into_chunks();
            self.redis.inbox.extend(chunks.iter().map(|chunk| chunk.write(0, None).unwrap()));
        }
    }

    fn ask(&mut self, at: usize, is_answered: bool) {
        // Each read begins at a moment of its own.
        self.now += 1;
        let began_at = self.instant();
        let replica = &mut self.replicas[at];
        if replica.asked.is_some() || !replica.state.reads() {
            return;
        }
        let next_read = replica.state.checkpoint.begin_read();
        let page = is_answered.then(|| self.page(&next_read));
        self.replicas[at].asked = Some(Asked { began_at, next_read, page });
    }

    fn page(&self, next_read: &NextRead) -> Vec<usize> {
        let held = self.held.iter().filter(|(_, pushed_at)| self.now - **pushed_at < LONGEST_HELD);
        let held: BTreeSet<_> = held.map(|(number, _)| *number).collect();
        let visible = (1..=self.newest).filter(|number| !held.contains(number));
        match next_read {
            NextRead::Newest => visible.rev().take(PAGE).collect(),
            NextRead::After(from) => visible.filter(|number| id(*number) > *from).take(PAGE).collect(),
        }
    }

    /// Takes in the answer to the read that is on its way, or to one that begins now.
    fn read(&mut self, at: usize) {
        self.ask(at, false);
        let Some(Asked { began_at, next_read, page }) = self.replicas[at].asked.take() else { return };
        let page = page.unwrap_or_else(|| self.page(&next_read));
        let from = match next_read {
            NextRead::Newest => None,
            NextRead::After(from) => Some(from),
        };
        let records = records(page.iter());
        let logs = batch::read(&records).unwrap();
        let replica = &mut self.replicas[at];
        replica.state.take_in(&logs, 0, from, None, &mut None);
        let checkpoint = &replica.state.checkpoint;
        let is_all = checkpoint.is_seeded() && !checkpoint.is_full();
        if checkpoint.is_seeded() && replica.began.is_none() {
            replica.began = Some(self.newest);
        }
        replica.state.membership.read(began_at, is_all);
    }

    /// Has all go well, for as long as it takes.
    fn settle(&mut self) {
        self.redis.is_away = false;
        self.catch_up();
        for _ in 0..24 {
            for at in 0..REPLICAS {
                self.run(&Step::Hold(at));
                self.run(&Step::Read(at));
                while self.replicas[at].state.reads() && self.replicas[at].state.checkpoint.wait().is_zero() {
                    self.run(&Step::Read(at));
                }
                self.run(&Step::TakeIn(at));
                self.run(&Step::Announce(at));
                self.run(&Step::Tell(at, Outcome::Heard));
            }
            (0..REPLICAS).for_each(|at| self.run(&Step::Follow(at, true)));
            self.run(&Step::Pass(300));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_two_leaders_write_and_every_subscriber_is_told_each_log_once(
        is_busy: bool,
        begins_in_peace: bool,
        // Few kinds of trouble in each case: many hide from each other what they do.
        troubles: [u16; 2],
        steps in vec(step(), 1..90),
    ) {
        let mut model = FleetModel::new(is_busy);
        if begins_in_peace {
            model.settle();
        }
        let mut arrived = 0;
        for step in &steps {
            // Logs that can be read late are within the look-back.
            match step {
                Step::Arrive(count) => arrived += count,
                Step::Push(_) => arrived += 1,
                _ => {}
            }
            if !is_busy && arrived > 40 {
                break;
            }
            let trouble = step.trouble();
            if trouble & troubles[0] & troubles[1] == trouble {
                model.run(step);
            }
        }
        model.settle();
        model.run(&Step::Arrive(3));
        model.settle();

        let fences = &mut model.redis.written;
        fences.dedup();
        let leases: BTreeSet<_> = fences.iter().collect();
        prop_assert_eq!(leases.len(), fences.len(), "one wrote after its successor had: {:?}", fences);
        let leaders = model.replicas.iter().filter(|replica| replica.role() == Role::Leader).count();
        prop_assert_eq!(leaders, 1);
        let readers = model.replicas.iter().filter(|replica| replica.state.reads()).count();
        prop_assert_eq!(readers, 1, "all is well, and one reads for all");
        for replica in &model.replicas {
            let told: BTreeSet<_> = replica.told.iter().collect();
            prop_assert_eq!(told.len(), replica.told.len(), "{} was told one twice", replica.name);
            for number in replica.began.unwrap() + 1..=model.newest {
                prop_assert!(told.contains(&id(number)), "{} missed {}", replica.name, number);
            }
        }
    }
}
