//! Callers, the pacers of replicas, what these share, and a tenant, with time between them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fastrand::Rng;

use super::super::headers::RateLimitHeaders;
use super::super::pacer::{Admitted, AdmittedCall, CompareAndSet, CompareAndSetOutcome, Pacer};
use super::super::queue::Ticket;
use super::super::{PaceRequest, PaceSettings, RateClass, RequestHash, ReservationKey};
use super::auth0::Auth0;
use super::client::{Client, End, Entry};
use super::store::{Store, TIMEOUT};

enum Event {
    Asks(usize),
    Arrives(usize, AdmittedCall, Fate),
    Returns(usize, AdmittedCall, Option<RateLimitHeaders>),
    /// True if an answer came that says nothing.
    IsGivenUp(usize, AdmittedCall, bool),
    OthersCall(RateClass, f64),
    Time(usize),
    Exchange(usize),
    /// The third number tells exchanges apart.
    Offered(usize, u64, CompareAndSet),
    IsOffered(usize, u64, CompareAndSetOutcome),
}

/// The fate of a call on its way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    AnsweredUnread,
    GivenUp,
}

/// A replica of the gateway. Its clock began on its own.
struct Replica {
    ahead: Duration,
    wake: Option<Duration>,
    /// The time of its next exchange, as planned, and the number of the one under way.
    exchange: Option<Duration>,
    under_way: u64,
    is_crashed: bool,
    paused_until: Duration,
}

pub(super) struct Simulation {
    pub(super) auth0: Auth0,
    pub(super) pacers: Vec<Pacer>,
    pub(super) store: Store,
    replicas: Vec<Replica>,
    pub(super) clients: Vec<Client>,
    pub(super) log: Vec<Entry>,
    /// Time that a call is on its way, there and back each.
    pub(super) latency: std::ops::Range<f64>,
    /// The share of calls that end without an answer, or with one that says nothing.
    pub(super) mishaps: f64,
    pub(super) now: Duration,
    rng: Rng,
    events: BTreeMap<(Duration, u64), Event>,
    next_event: u64,
    waiting: HashMap<(usize, Ticket), (usize, Duration)>,
    on_their_way: usize,
}

impl Simulation {
    pub(super) fn new(auth0: Auth0, seed: u64) -> Self {
        Self::with(auth0, seed, PaceSettings { reserve: 0.0, queue: 10_000 })
    }

    pub(super) fn with(auth0: Auth0, seed: u64, settings: PaceSettings) -> Self {
        Self::of(auth0, seed, vec![Pacer::new(settings)])
    }

    /// Replicas that share.
    pub(super) fn fleet(auth0: Auth0, seed: u64, replicas: usize) -> Self {
        Self::fleet_with(auth0, seed, replicas, PaceSettings { reserve: 0.0, queue: 10_000 })
    }

    pub(super) fn fleet_with(auth0: Auth0, seed: u64, replicas: usize, settings: PaceSettings) -> Self {
        Self::fleet_of(auth0, seed, std::iter::repeat_n(settings, replicas))
    }

    /// Replicas that differ in their settings.
    pub(super) fn fleet_of(auth0: Auth0, seed: u64, settings: impl IntoIterator<Item = PaceSettings>) -> Self {
        // Before there are pacers, whose ids are drawn by chance.
        fastrand::seed(seed);
        Self::of(auth0, seed, settings.into_iter().map(Pacer::sharing).collect())
    }

    fn of(auth0: Auth0, seed: u64, pacers: Vec<Pacer>) -> Self {
        let replica = |number| Replica {
            ahead: Duration::from_millis(1_234_567 * number as u64),
            wake: None,
            exchange: None,
            under_way: 0,
            is_crashed: false,
            paused_until: Duration::ZERO,
        };
        // For what the pacers themselves leave to chance.
        fastrand::seed(seed);
        let mut simulation = Self {
            auth0,
            store: Store::new(seed),
            replicas: (0..pacers.len()).map(replica).collect(),
            pacers,
            clients: Vec::new(),
            log: Vec::new(),
            latency: 0.02..0.15,
            mishaps: 0.0,
            now: Duration::ZERO,
            rng: Rng::with_seed(seed),
            events: BTreeMap::new(),
            next_event: 0,
            waiting: HashMap::new(),
            on_their_way: 0,
        };
        for replica in 0..simulation.pacers.len() {
            simulation.plan_exchange(replica);
        }
        simulation
    }

    /// Ends a replica. What it has sent arrives.
    pub(super) fn crash(&mut self, replica: usize) {
        self.replicas[replica].is_crashed = true;
        self.waiting.retain(|&(of, _), _| of != replica);
    }

    /// Has a replica leave the others.
    pub(super) fn leave(&mut self, replica: usize) {
        let now = self.local(replica);
        assert!(self.pacers[replica].leave_fleet(now));
        self.decide(replica);
    }

    /// Stops a replica for a while, and all that comes to it.
    pub(super) fn pause(&mut self, replica: usize, time: Duration) {
        self.replicas[replica].paused_until = self.now + time;
    }

    pub(super) fn add(&mut self, client: Client) -> usize {
        self.clients.push(client);
        let index = self.clients.len() - 1;
        self.schedule(client.starts.max(self.now), Event::Asks(index));
        index
    }

    /// Others on the tenant call that often per second, at random.
    pub(super) fn add_others(&mut self, class: RateClass, per_second: f64) {
        self.schedule(self.now, Event::OthersCall(class, per_second));
    }

    pub(super) fn others_go_away(&mut self) {
        self.events.retain(|_, event| !matches!(event, Event::OthersCall(..)));
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, until: Duration) {
        while let Some((&(time, _), _)) = self.events.first_key_value()
            && time <= until
        {
            let Some((_, event)) = self.events.pop_first() else { return };
            self.now = time;
            let Some(replica) = self.replica_of(&event) else {
                self.happen(event);
                continue;
            };
            let Replica { is_crashed, paused_until, .. } = self.replicas[replica];
            if paused_until > self.now {
                self.schedule(paused_until, event);
            } else if !is_crashed {
                self.happen(event);
                self.decide(replica);
            }
        }
        self.now = until;
    }

    /// The replica that an event comes to; `None` if it happens elsewhere.
    fn replica_of(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Asks(client) | Event::Returns(client, ..) | Event::IsGivenUp(client, ..) => {
                Some(self.clients[*client].replica)
            }
            Event::Time(replica) | Event::Exchange(replica) | Event::IsOffered(replica, ..) => Some(*replica),
            Event::Arrives(..) | Event::OthersCall(..) | Event::Offered(..) => None,
        }
    }

    /// The time on a replica's own clock.
    fn local(&self, replica: usize) -> Duration {
        self.now + self.replicas[replica].ahead
    }

    /// Number that wait or are on their way.
    pub(super) fn open(&self) -> usize {
        self.waiting.len() + self.on_their_way
    }

    pub(super) fn count(&self, is_counted: impl Fn(&Entry) -> bool) -> usize {
        self.log.iter().filter(|entry| is_counted(entry)).count()
    }

    pub(super) fn limited(&self) -> usize {
        self.count(|entry| matches!(entry.end, End::Limited { .. }))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Asks(client) => self.asks(client),
            Event::Arrives(client, call, fate) => {
                let headers = self.auth0.take(call.grant.class, self.now);
                let back = self.now + self.travel();
                match fate {
                    Fate::Answered => self.schedule(back, Event::Returns(client, call, headers)),
                    Fate::AnsweredUnread if headers.is_none() => {
                        self.schedule(back, Event::Returns(client, call, None));
                    }
                    Fate::AnsweredUnread => {
                        let is_answered = self.rng.bool();
                        self.schedule(back, Event::IsGivenUp(client, call, is_answered));
                    }
                    Fate::GivenUp => {}
                }
            }
            Event::Returns(client, call, Some(headers)) => {
                let replica = self.clients[client].replica;
                let now = self.local(replica);
                self.pacers[replica].answered(now, &call, Some(headers), true);
                self.ended(client, &call, End::Answered, self.now);
            }
            Event::Returns(client, call, None) => {
                let replica = self.clients[client].replica;
                let now = self.local(replica);
                let retry_after = self.pacers[replica].limited(now, &call, None);
                self.ended(client, &call, End::Limited { retry_after }, self.now + retry_after);
            }
            Event::IsGivenUp(client, call, is_answered) => {
                let replica = self.clients[client].replica;
                let now = self.local(replica);
                if is_answered {
                    self.pacers[replica].answered(now, &call, None, false);
                } else {
                    self.pacers[replica].lost(now, &call);
                }
                self.ended(client, &call, End::Lost, self.now);
            }
            Event::OthersCall(class, per_second) => {
                self.auth0.take(class, self.now);
                let pause = -self.rng.f64().max(1e-9).ln() / per_second;
                self.schedule(self.now + Duration::from_secs_f64(pause), Event::OthersCall(class, per_second));
            }
            Event::Time(replica) => {
                let wake = &mut self.replicas[replica].wake;
                // A wake that was planned before an earlier one says nothing.
                *wake = wake.filter(|wake| *wake > self.now);
            }
            Event::Exchange(replica) => self.exchanges(replica),
            Event::Offered(replica, number, offer) => {
                let answer = self.store.take(self.now, offer);
                if let Some((travel, answer)) = answer {
                    self.schedule(self.now + travel, Event::IsOffered(replica, number, answer));
                }
            }
            Event::IsOffered(replica, number, answer) => {
                if self.replicas[replica].under_way == number {
                    self.replicas[replica].under_way = 0;
                    let now = self.local(replica);
                    self.pacers[replica].exchanged(now, answer);
                }
            }
        }
    }

    fn exchanges(&mut self, replica: usize) {
        let planned = &mut self.replicas[replica].exchange;
        *planned = planned.filter(|planned| *planned > self.now);
        let now = self.local(replica);
        if let Some(offer) = self.pacers[replica].offer(now) {
            let number = self.next_event + 1;
            self.replicas[replica].under_way = number;
            let arrival = self.now + self.store.arrival();
            self.schedule(arrival, Event::Offered(replica, number, offer));
            self.schedule(self.now + TIMEOUT, Event::IsOffered(replica, number, CompareAndSetOutcome::Lost));
        }
    }

    fn plan_exchange(&mut self, replica: usize) {
        let Replica { ahead, exchange, .. } = self.replicas[replica];
        if let Some(due) = self.pacers[replica].next_exchange() {
            let due = due.saturating_sub(ahead).max(self.now);
            if exchange.is_none_or(|planned| due < planned) {
                self.replicas[replica].exchange = Some(due);
                self.schedule(due, Event::Exchange(replica));
            }
        }
    }

    fn asks(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.calls == 0 {
            return;
        }
        client.calls -= 1;
        let Client { class, caller, priority, patience, replica, .. } = *client;
        let reservation = ReservationKey { caller, request: RequestHash(index as u64) };
        let request = PaceRequest { class, reservation, priority };
        let now = self.local(replica);
        match self.pacers[replica].admit(now, request, now + patience) {
            Ok(Admitted::Now(call)) => self.sends(index, call),
            Ok(Admitted::Queued(ticket)) => {
                self.waiting.insert((replica, ticket), (index, self.now));
            }
            Err(refused) => self.refused(index, self.now, refused.retry_after),
        }
    }

    fn refused(&mut self, client: usize, asked: Duration, retry_after: Duration) {
        let end = End::PaceError { retry_after };
        self.log.push(Entry { client, asked, decided: self.now, end });
        self.schedule(self.now + retry_after.max(Duration::from_millis(1)), Event::Asks(client));
    }

    fn ended(&mut self, client: usize, call: &AdmittedCall, end: End, asks_again: Duration) {
        self.on_their_way -= 1;
        let ahead = self.replicas[self.clients[client].replica].ahead;
        self.log.push(Entry { client, asked: call.asked - ahead, decided: call.sent - ahead, end });
        self.schedule(asks_again, Event::Asks(client));
    }

    fn decide(&mut self, replica: usize) {
        let now = self.local(replica);
        let outcomes = self.pacers[replica].advance(now);
        assert!(!self.pacers[replica].is_idle_in_vain(), "somebody waits for what is there");
        for outcome in outcomes {
            let (client, asked) =
                self.waiting.remove(&(replica, outcome.ticket)).expect("who is told must have been waiting");
            match outcome.outcome {
                Ok(call) => self.sends(client, call),
                Err(refused) => self.refused(client, asked, refused.retry_after),
            }
        }
        let Replica { ahead, wake: planned, .. } = self.replicas[replica];
        if let Some(wake) = self.pacers[replica].next_wake().map(|wake| wake - ahead)
            && planned.is_none_or(|planned| wake < planned)
        {
            assert!(wake > self.now, "it would wake at once, for ever");
            self.replicas[replica].wake = Some(wake);
            self.schedule(wake, Event::Time(replica));
        }
        self.plan_exchange(replica);
    }

    fn sends(&mut self, client: usize, call: AdmittedCall) {
        self.on_their_way += 1;
        let arrival = self.now + self.travel();
        let fate = match self.rng.f64() {
            // Until an answer has come, nothing is promised: of several lost calls each may count.
            _ if call.grant.is_probe => Fate::Answered,
            x if x < self.mishaps / 2.0 => Fate::AnsweredUnread,
            x if x < self.mishaps => Fate::GivenUp,
            _ => Fate::Answered,
        };
        if matches!(fate, Fate::GivenUp) {
            // Somewhat before it arrives, or long after.
            let given_up = self.now + self.travel().mul_f64(1.5);
            self.schedule(given_up, Event::IsGivenUp(client, call, false));
        }
        self.schedule(arrival, Event::Arrives(client, call, fate));
    }

    fn travel(&mut self) -> Duration {
        let share = self.rng.f64();
        Duration::from_secs_f64(self.latency.start + (self.latency.end - self.latency.start) * share)
    }

    fn schedule(&mut self, time: Duration, event: Event) {
        self.next_event += 1;
        self.events.insert((time, self.next_event), event);
    }
}
