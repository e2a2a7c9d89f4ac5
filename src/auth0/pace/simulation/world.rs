//! Callers, the pacer and a tenant, with time between them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fastrand::Rng;

use super::super::headers::RateLimitHeaders;
use super::super::pacer::{Admitted, AdmittedCall, Pacer};
use super::super::queue::Ticket;
use super::super::{CallerKey, Class, PaceRequest, PaceSettings, Priority, RequestHash, ReservationKey};
use super::auth0::Auth0;

/// A client that asks for calls, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    pub(super) class: Class,
    pub(super) caller: CallerKey,
    pub(super) priority: Priority,
    /// Time that it waits for an answer.
    pub(super) patience: Duration,
    /// The time of its first request, and the number of all.
    pub(super) starts: Duration,
    pub(super) calls: u32,
}

impl Client {
    /// A client that never stops asking.
    pub(super) fn busy(class: Class, caller: u64) -> Self {
        Self {
            class,
            caller: CallerKey(caller),
            priority: Priority::Interactive,
            patience: Duration::from_secs(10),
            starts: Duration::ZERO,
            calls: u32::MAX,
        }
    }
}

/// The end of a request for a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Answered,
    Limited { retry_after: Duration },
    PaceError { retry_after: Duration },
    Lost,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) client: usize,
    pub(super) asked: Duration,
    /// The time at which it was dispatched or refused.
    pub(super) decided: Duration,
    pub(super) end: End,
}

enum Event {
    Asks(usize),
    Arrives(usize, AdmittedCall, Fate),
    Returns(usize, AdmittedCall, Option<RateLimitHeaders>),
    IsGivenUp(usize, AdmittedCall),
    OthersCall(Class, f64),
    Time,
}

/// The fate of a call on its way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    AnsweredUnread,
    GivenUp,
}

pub(super) struct World {
    pub(super) auth0: Auth0,
    pub(super) pacer: Pacer,
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
    wake: Option<Duration>,
    waiting: HashMap<Ticket, (usize, Duration)>,
    on_their_way: usize,
}

impl World {
    pub(super) fn new(auth0: Auth0, seed: u64) -> Self {
        Self::with(auth0, seed, PaceSettings { reserve: 0.0, queue: 10_000 })
    }

    pub(super) fn with(auth0: Auth0, seed: u64, settings: PaceSettings) -> Self {
        Self {
            auth0,
            pacer: Pacer::new(settings),
            clients: Vec::new(),
            log: Vec::new(),
            latency: 0.02..0.15,
            mishaps: 0.0,
            now: Duration::ZERO,
            rng: Rng::with_seed(seed),
            events: BTreeMap::new(),
            next_event: 0,
            wake: None,
            waiting: HashMap::new(),
            on_their_way: 0,
        }
    }

    pub(super) fn add(&mut self, client: Client) -> usize {
        self.clients.push(client);
        let index = self.clients.len() - 1;
        self.schedule(client.starts.max(self.now), Event::Asks(index));
        index
    }

    /// Others on the tenant call that often per second, at random.
    pub(super) fn add_others(&mut self, class: Class, per_second: f64) {
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
            self.happen(&event);
            self.decide();
        }
        self.now = until;
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

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Asks(client) => self.asks(client),
            Event::Arrives(client, call, fate) => {
                let reading = self.auth0.take(call.class, self.now);
                let back = self.now + self.travel();
                match fate {
                    Fate::Answered => self.schedule(back, Event::Returns(client, call, reading)),
                    Fate::AnsweredUnread if reading.is_none() => {
                        self.schedule(back, Event::Returns(client, call, None));
                    }
                    Fate::AnsweredUnread => self.schedule(back, Event::IsGivenUp(client, call)),
                    Fate::GivenUp => {}
                }
            }
            Event::Returns(client, call, Some(reading)) => {
                self.pacer.answered(self.now, &call, Some(reading), true);
                self.ended(client, &call, End::Answered, self.now);
            }
            Event::Returns(client, call, None) => {
                let retry_after = self.pacer.limited(self.now, &call, None);
                self.ended(client, &call, End::Limited { retry_after }, self.now + retry_after);
            }
            Event::IsGivenUp(client, call) => {
                if self.rng.bool() {
                    self.pacer.lost(self.now, &call);
                } else {
                    self.pacer.answered(self.now, &call, None, false);
                }
                self.ended(client, &call, End::Lost, self.now);
            }
            Event::OthersCall(class, per_second) => {
                self.auth0.take(class, self.now);
                let pause = -self.rng.f64().max(1e-9).ln() / per_second;
                self.schedule(self.now + Duration::from_secs_f64(pause), Event::OthersCall(class, per_second));
            }
            // One that was planned before an earlier one says nothing.
            Event::Time if self.wake == Some(self.now) => self.wake = None,
            Event::Time => {}
        }
    }

    fn asks(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.calls == 0 {
            return;
        }
        client.calls -= 1;
        let Client { class, caller, priority, patience, .. } = *client;
        let reservation = ReservationKey { caller, request: RequestHash(index as u64) };
        let request = PaceRequest { class, reservation, priority };
        match self.pacer.admit(self.now, request, self.now + patience) {
            Ok(Admitted::Now(call)) => self.sends(index, call),
            Ok(Admitted::Queued(ticket)) => {
                self.waiting.insert(ticket, (index, self.now));
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
        self.log.push(Entry { client, asked: call.asked, decided: call.sent, end });
        self.schedule(asks_again, Event::Asks(client));
    }

    fn decide(&mut self) {
        let outcomes = self.pacer.advance(self.now);
        assert!(!self.pacer.is_idle_in_vain(), "somebody waits for what is there");
        for outcome in outcomes {
            let (client, asked) = self.waiting.remove(&outcome.ticket).expect("who is told must have been waiting");
            match outcome.outcome {
                Ok(call) => self.sends(client, call),
                Err(refused) => self.refused(client, asked, refused.retry_after),
            }
        }
        if let Some(wake) = self.pacer.next_wake()
            && self.wake.is_none_or(|planned| wake < planned)
        {
            assert!(wake > self.now, "it would wake at once, for ever");
            self.wake = Some(wake);
            self.schedule(wake, Event::Time);
        }
    }

    fn sends(&mut self, client: usize, call: AdmittedCall) {
        self.on_their_way += 1;
        let arrival = self.now + self.travel();
        let fate = match self.rng.f64() {
            // Until an answer has come, nothing is promised: of several lost calls each may count.
            _ if call.is_probe => Fate::Answered,
            x if x < self.mishaps / 2.0 => Fate::AnsweredUnread,
            x if x < self.mishaps => Fate::GivenUp,
            _ => Fate::Answered,
        };
        if matches!(fate, Fate::GivenUp) {
            // Somewhat before it arrives, or long after.
            let given_up = self.now + self.travel().mul_f64(1.5);
            self.schedule(given_up, Event::IsGivenUp(client, call));
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
