//! A model of a fleet: replicas with their real checkpoints and places, a Redis that forgets, loses and is away, and a tenant in which logs
//! are pushed before they can be read.

mod step;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;

use self::step::{Step, step};
use super::super::batch::{self, RawLog};
use super::super::checkpoint::{NextRead, PAGE};
use super::super::ring::Entry;
use super::super::{State, TailSettings};
use super::LEASE_LIFE;
use super::chain::Chain;
use super::entry::{Report, SharedEntry, SharedLog};
use super::membership::{LeaseAnswer, MISSED_MEMORY, Role};
use super::standing::Standing;
use crate::auth0::ids::LogId;
use crate::shared_state::StreamId;

const REPLICAS: usize = 3;

/// Most entries of the model's stream: few, so that some fall off.
const ENTRIES: usize = 6;

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

#[derive(Default)]
struct Redis {
    is_away: bool,
    /// The holder, and the moment at which the lease ends.
    lease: Option<(String, u64)>,
    stream: VecDeque<(StreamId, Vec<u8>)>,
    inbox: Vec<Vec<u8>>,
    /// Fences in the order of the entries that were written, whatever became of those.
    written: Vec<String>,
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
    standing: Standing<String>,
    /// The logs that its subscriber has been told.
    told: Vec<LogId>,
    next: u64,
    /// The greatest number of a log when it began, once it has.
    began: Option<usize>,
}

struct World {
    start: Instant,
    /// Milliseconds since the start.
    now: u64,
    /// Number of the newest log.
    newest: usize,
    held: BTreeSet<usize>,
    redis: Redis,
    replicas: Vec<Replica>,
    names: usize,
    /// Pages of so many logs come at once, and none is held.
    is_busy: bool,
}

impl Replica {
    fn new(name: String) -> Self {
        let state = State::new(&TailSettings::DEFAULT, true);
        Self { name, state, asked: None, standing: Standing::new(), told: Vec::new(), next: 0, began: None }
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

impl World {
    fn new(is_busy: bool) -> Self {
        let mut world = Self {
            start: Instant::now(),
            now: 0,
            newest: 5,
            held: BTreeSet::new(),
            redis: Redis::default(),
            replicas: Vec::new(),
            names: 0,
            is_busy,
        };
        for _ in 0..REPLICAS {
            let replica = world.replica();
            world.replicas.push(replica);
        }
        world
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
            Step::Hold(at) => self.hold(at),
            Step::Ask(at, is_answered) => self.ask(at, is_answered),
            Step::Fail(at) => {
                let replica = &mut self.replicas[at];
                if replica.asked.take().is_some() {
                    replica.state.checkpoint.fail(None);
                }
            }
            Step::Read(at) => self.read(at),
            Step::Tell(at) => self.tell(at, true),
            Step::TellUnheard(at) => self.tell(at, false),
            Step::Follow(at, reads) => {
                if self.replicas[at].role() == Role::Follower {
                    self.follow(at, reads);
                }
            }
            Step::TakeIn(at) => self.take_in(at),
            Step::Pass(time) => self.now += time,
            Step::Turn => self.redis.is_away = !self.redis.is_away,
            Step::Forget => {
                let written = std::mem::take(&mut self.redis.written);
                self.redis = Redis { written, ..Redis::default() };
            }
            Step::Tamper(place) => {
                if let Some((_, text)) = self.redis.stream.iter_mut().rev().nth(place) {
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
            self.held.insert(self.newest);
        }
        let records = records([self.newest].iter());
        let logs = batch::read(&records).unwrap();
        let replica = &mut self.replicas[at];
        if replica.state.checkpoint.is_seeded() {
            replica.state.take_in_pushed(&logs).unwrap();
        }
        let has_leader = self.redis.lease.as_ref().is_some_and(|(_, ends_at)| *ends_at > self.now);
        if replica.role() != Role::Leader && !self.redis.is_away && has_leader {
            let parts = Report { logs: shared(&logs), ..Report::default() }.into_parts();
            self.redis.inbox.extend(parts.iter().map(|part| part.write(None).unwrap()));
        }
    }

    /// The script `HOLD`.
    fn ask_for_lease(&mut self, name: &str, fence: Option<&String>) -> (Option<String>, Option<StreamId>) {
        let redis = &mut self.redis;
        let holder = redis.lease.as_ref().filter(|(_, ends_at)| *ends_at > self.now).map(|(holder, _)| holder.clone());
        let own = format!("{name}|{}", fence.cloned().unwrap_or_default());
        let fence = match holder {
            None => Some(format!("{:09}", self.now)),
            Some(holder) if holder == own => fence.cloned(),
            Some(_) => None,
        };
        if let Some(fence) = &fence {
            let ends_at = self.now + u64::try_from(LEASE_LIFE.as_millis()).unwrap();
            redis.lease = Some((format!("{name}|{fence}"), ends_at));
        }
        (fence, redis.stream.back().map(|(id, _)| *id))
    }

    fn hold(&mut self, at: usize) {
        // No two leases begin at the same microsecond.
        self.now += 1;
        let (name, own) = (self.replicas[at].name.clone(), self.replicas[at].standing.fence.clone());
        let held = (!self.redis.is_away).then(|| self.ask_for_lease(&name, own.as_ref()));
        let was = self.replicas[at].role();
        let role = was.after(match &held {
            Some((Some(_), _)) => LeaseAnswer::Held,
            Some((None, _)) => LeaseAnswer::Anothers,
            None => LeaseAnswer::Missing { is_down: true },
        });
        let now = self.instant();
        if let Some((fence, last)) = held {
            if self.replicas[at].standing.attempt(fence.as_ref(), last) {
                self.follow(at, true);
            }
            let replica = &mut self.replicas[at];
            if replica.standing.settle(was, role, fence, last) {
                replica.state.membership.doubt(now, now + MISSED_MEMORY);
            }
        }
        self.replicas[at].state.membership.enter(role, now);
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
        let visible = (1..=self.newest).filter(|number| !self.held.contains(number));
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
        replica.state.take_in(&logs, from, None, &mut None);
        let checkpoint = &replica.state.checkpoint;
        let is_all = checkpoint.is_seeded() && !checkpoint.is_full();
        if checkpoint.is_seeded() && replica.began.is_none() {
            replica.began = Some(self.newest);
        }
        replica.state.membership.read(began_at, is_all);
    }

    fn tell(&mut self, at: usize, is_heard: bool) {
        let Self { redis, replicas, now, .. } = self;
        let replica = &mut replicas[at];
        while let Some(report) = replica.state.membership.next_report() {
            for part in report.into_parts() {
                let Some(fence) = replica.standing.fence.clone().filter(|_| !redis.is_away) else { break };
                let holder = redis.lease.as_ref().filter(|(_, ends_at)| *ends_at > *now).map(|(holder, _)| holder);
                if holder != Some(&format!("{}|{fence}", replica.name)) {
                    replica.standing.fence = None;
                    return;
                }
                let last = redis.stream.back().map(|(id, _)| *id);
                let mut ids = (0..).map(|number| StreamId::parse(&format!("{now}-{number}")).unwrap());
                let entry = ids.find(|id| Some(*id) > last).unwrap();
                redis.stream.push_back((entry, part.write(replica.standing.chain.last()).unwrap()));
                redis.stream.drain(..redis.stream.len().saturating_sub(ENTRIES));
                redis.written.push(fence);
                if is_heard {
                    replica.standing.chain = Chain::Behind(Some(entry));
                    replica.state.checkpoint.share(part.logs.iter().map(|log| &log.id));
                }
            }
        }
    }

    fn follow(&mut self, at: usize, reads: bool) {
        if self.redis.is_away || !self.replicas[at].state.checkpoint.is_seeded() {
            return;
        }
        let after = self.replicas[at].standing.chain.after();
        let entries: Vec<_> = self.redis.stream.iter().filter(|(id, _)| *id > after).cloned().collect();
        for (id, text) in entries {
            let entry = SharedEntry::read(&text);
            let replica = &mut self.replicas[at];
            let is_continued = entry.as_ref().is_some_and(|entry| {
                replica.standing.chain.is_continued_by(id, entry.previous)
                    && entry.continues(replica.state.checkpoint.read_up_to())
            });
            replica.standing.chain = Chain::Behind(Some(id));
            if !is_continued {
                let now = self.start + Duration::from_millis(self.now);
                replica.state.membership.doubt(now, now + MISSED_MEMORY);
                if reads {
                    self.read(at);
                }
            }
            let Some(entry) = entry else { continue };
            let logs = batch::read(&entry.records).unwrap();
            self.replicas[at].state.take_in_shared(&entry, &logs).unwrap();
        }
    }

    fn take_in(&mut self, at: usize) {
        let replica = &mut self.replicas[at];
        if self.redis.is_away || replica.role() != Role::Leader || !replica.state.checkpoint.is_seeded() {
            return;
        }
        for text in &self.redis.inbox {
            let entry = SharedEntry::read(text).unwrap();
            replica.state.take_in_pushed(&batch::read(&entry.records).unwrap()).unwrap();
        }
    }

    /// Has all go well, for as long as it takes.
    fn settle(&mut self) {
        self.redis.is_away = false;
        self.held.clear();
        for _ in 0..24 {
            for at in 0..REPLICAS {
                self.run(&Step::Hold(at));
                self.run(&Step::Read(at));
                while self.replicas[at].state.reads() && self.replicas[at].state.checkpoint.wait().is_zero() {
                    self.run(&Step::Read(at));
                }
                self.run(&Step::TakeIn(at));
                self.run(&Step::Tell(at));
            }
            (0..REPLICAS).for_each(|at| self.run(&Step::Follow(at, true)));
            self.run(&Step::Pass(300));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_two_leaders_write_and_every_subscriber_is_told_each_log_once(is_busy: bool, steps in vec(step(), 1..90)) {
        let mut world = World::new(is_busy);
        let (mut arrived, mut passed) = (0, 0);
        for step in &steps {
            // What can be read late is within the look-back, and not long after it was pushed.
            match step {
                Step::Arrive(count) => arrived += count,
                Step::Push(_) => arrived += 1,
                Step::Pass(time) => passed += time,
                _ => {}
            }
            if !is_busy && (arrived > 40 || passed > 4_500) {
                break;
            }
            world.run(step);
        }
        world.settle();
        world.run(&Step::Arrive(3));
        world.settle();

        let fences = &world.redis.written;
        prop_assert!(fences.is_sorted(), "one wrote after its successor had: {:?}", fences);
        let leaders = world.replicas.iter().filter(|replica| replica.role() == Role::Leader).count();
        prop_assert_eq!(leaders, 1);
        let readers = world.replicas.iter().filter(|replica| replica.state.reads()).count();
        prop_assert_eq!(readers, 1, "all is well, and one reads for all");
        for replica in &world.replicas {
            let told: BTreeSet<_> = replica.told.iter().collect();
            prop_assert_eq!(told.len(), replica.told.len(), "{} was told one twice", replica.name);
            for number in replica.began.unwrap() + 1..=world.newest {
                prop_assert!(told.contains(&id(number)), "{} missed {}", replica.name, number);
            }
        }
    }
}
