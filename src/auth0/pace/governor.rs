//! The clock, the lock and the wakers around the pacer, and its way to those of other replicas.

mod exchanger;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::headers::RateLimitHeaders;
use super::pacer::{Admitted, AdmittedCall, Pacer};
use super::queue::Ticket;
use super::{BucketStatus, FleetStatus, PaceError, PaceRequest, PaceSettings};
use crate::deadline::Deadline;
use crate::shared_state::SharedState;

/// Lets calls to one tenant go as its rate limits allow. Cheap to clone: all clones share what was
/// learned, and one queue.
#[derive(Clone)]
pub(crate) struct Governor(Arc<Inner>);

struct Inner {
    start: Instant,
    state: Mutex<State>,
    /// The timer should look again: what it sleeps for may have changed.
    changed: Notify,
    /// The timer went down with its runtime: whoever waits has to start another.
    timer_lost: Notify,
    /// The next exchange with other replicas is earlier than it was.
    exchange_changed: Arc<Notify>,
    /// The other replicas know that this one is no more.
    left: Notify,
}

/// The channels by which decisions reach those who wait.
type Waiters = HashMap<Ticket, oneshot::Sender<Result<AdmittedCall, PaceError>>>;

struct State {
    pacer: Pacer,
    waiters: Waiters,
    /// The time until which the timer sleeps, if there is one.
    timer: Option<Duration>,
    /// The time of the next exchange with other replicas, as it is planned.
    exchange: Option<Duration>,
}

/// A permit for one call.
///
/// Say how it ended. When dropped without, the call may or may not have been counted, and is taken
/// for counted.
#[must_use = "the call is counted as made"]
pub(crate) struct PacePermit {
    governor: Governor,
    call: AdmittedCall,
    has_ended: bool,
}

impl Governor {
    /// Nothing is known at first: one call goes to find out.
    pub(crate) fn new(settings: PaceSettings) -> Self {
        Self::with(Pacer::new(settings.in_bounds()))
    }

    /// The same of one of several replicas. Needs to be called within a runtime, where one task exchanges with the others.
    pub(crate) fn sharing(settings: PaceSettings, shared: SharedState) -> Self {
        let governor = Self::with(Pacer::sharing(settings.in_bounds()));
        let Inner { start, exchange_changed, .. } = &*governor.0;
        tokio::spawn(exchanger::run(Arc::downgrade(&governor.0), shared, *start, Arc::clone(exchange_changed)));
        governor
    }

    fn with(pacer: Pacer) -> Self {
        Self(Arc::new(Inner {
            start: Instant::now(),
            state: Mutex::new(State { pacer, waiters: HashMap::new(), timer: None, exchange: None }),
            changed: Notify::new(),
            timer_lost: Notify::new(),
            exchange_changed: Arc::default(),
            left: Notify::new(),
        }))
    }

    /// Queued until the call may be made. To go away is to leave the queue.
    ///
    /// # Errors
    ///
    /// At once if the call could not be answered before the deadline or if too many wait; and while
    /// it waits, once that turns out to be so.
    pub(crate) async fn admit(&self, request: PaceRequest, deadline: Deadline) -> Result<PacePermit, PaceError> {
        let call = match self.ask(request, deadline)? {
            Decision::Now(call) => call,
            Decision::Later(waiting) => waiting.decision().await?,
        };
        Ok(PacePermit { governor: self.clone(), call, has_ended: false })
    }

    /// Gives back what was granted and not used, and leaves the other replicas, if that is done by the deadline. To be called once,
    /// when no more calls are made.
    pub(crate) async fn leave(&self, deadline: Deadline) {
        if self.change(|pacer, _, now| pacer.leave_fleet(now)) {
            // Else what was granted lapses.
            let _ = deadline.limit(self.0.left.notified()).await;
        }
    }

    /// The buckets, as far as they are known.
    pub(crate) fn buckets(&self) -> Vec<BucketStatus> {
        let now = self.now();
        self.0.state.lock().pacer.buckets(now)
    }

    /// The replicas that the budget is shared with; `None` if it never is.
    pub(crate) fn fleet(&self) -> Option<FleetStatus> {
        self.0.state.lock().pacer.fleet()
    }

    fn ask(&self, request: PaceRequest, deadline: Deadline) -> Result<Decision, PaceError> {
        self.change(|pacer, waiters, now| {
            Ok(match pacer.admit(now, request, now + deadline.remaining())? {
                Admitted::Now(call) => Decision::Now(call),
                Admitted::Queued(ticket) => {
                    let (sender, outcome) = oneshot::channel();
                    waiters.insert(ticket, sender);
                    Decision::Later(Waiting { governor: self.clone(), ticket, outcome: Some(outcome) })
                }
            })
        })
    }

    /// Changes something, lets go whoever may go for it, and sees to it that somebody keeps watch.
    fn change<T>(&self, change: impl FnOnce(&mut Pacer, &mut Waiters, Duration) -> T) -> T {
        let mut state = self.0.state.lock();
        // Read while locked, so that time does not run backwards.
        let now = self.now();
        let State { pacer, waiters, .. } = &mut *state;
        let result = change(pacer, waiters, now);
        let has_to_start = state.schedule(now, &self.0.changed);
        state.schedule_exchange(&self.0.exchange_changed);
        drop(state);
        // Not while locked: where the runtime is shutting down, the task is dropped on the spot.
        if has_to_start {
            self.start_timer();
        }
        result
    }

    /// Plans the next exchange with other replicas; gives back its time.
    fn plan_exchange(&self) -> Option<Duration> {
        let mut state = self.0.state.lock();
        state.exchange = state.pacer.next_exchange();
        state.exchange
    }

    fn start_timer(&self) {
        let timer = Timer { governor: self.clone(), has_ended: false };
        // Without a runtime it is dropped, and those who wait, who have one, start another.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timer.run());
        }
    }

    fn now(&self) -> Duration {
        self.0.start.elapsed()
    }
}

impl fmt::Debug for Governor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Governor").field("buckets", &self.buckets()).finish()
    }
}

impl State {
    /// Decides what can be decided now; whether a timer has to be started for the rest.
    fn schedule(&mut self, now: Duration, changed: &Notify) -> bool {
        self.deliver(now);
        let Some(wake) = self.pacer.next_wake() else { return false };
        match &mut self.timer {
            Some(sleeps_until) => {
                if wake < *sleeps_until {
                    *sleeps_until = wake;
                    changed.notify_one();
                }
                false
            }
            None => {
                self.timer = Some(wake);
                true
            }
        }
    }

    /// Sees to it that an exchange is made as soon as there is something to tell or to ask for.
    fn schedule_exchange(&mut self, changed: &Notify) {
        if let Some(due) = self.pacer.next_exchange()
            && self.exchange.is_none_or(|planned| due < planned)
        {
            self.exchange = Some(due);
            changed.notify_one();
        }
    }

    fn deliver(&mut self, now: Duration) {
        loop {
            let decisions = self.pacer.advance(now);
            if decisions.is_empty() {
                return;
            }
            for decision in decisions {
                let Some(waiter) = self.waiters.remove(&decision.ticket) else { continue };
                if let Err(Ok(call)) = waiter.send(decision.outcome) {
                    self.pacer.withdraw(now, &call);
                }
            }
        }
    }
}

impl PacePermit {
    /// Time that the call had to wait.
    pub(crate) fn waited(&self) -> Duration {
        self.call.waited()
    }

    /// There was an answer, of any status but 429. Its headers are learned from, if they are there;
    /// an answer that succeeded without them says that there is no limit.
    pub(crate) fn answered(mut self, status: StatusCode, headers: &HeaderMap) {
        let headers = RateLimitHeaders::from_headers(headers);
        self.has_ended = true;
        let call = &self.call;
        self.governor.change(|pacer, _, now| pacer.answered(now, call, headers, status.is_success()));
    }

    /// The answer was a 429, with this `Retry-After` if any. Nothing of the same bucket goes for a
    /// while; gives back for how long. A minute at most.
    pub(crate) fn limited(mut self, retry_after: Option<Duration>) -> Duration {
        self.has_ended = true;
        let call = &self.call;
        self.governor.change(|pacer, _, now| pacer.limited(now, call, retry_after))
    }

    /// The call is not made after all: its turn goes to the next.
    pub(crate) fn hand_back(mut self) {
        self.has_ended = true;
        let call = &self.call;
        self.governor.change(|pacer, _, now| pacer.withdraw(now, call));
    }
}

impl Drop for PacePermit {
    fn drop(&mut self) {
        if !self.has_ended {
            let call = &self.call;
            self.governor.change(|pacer, _, now| pacer.lost(now, call));
        }
    }
}

/// A call that may be made now, or when its turn has come.
enum Decision {
    Now(AdmittedCall),
    Later(Waiting),
}

/// A waiter for its turn, which leaves the queue when dropped.
struct Waiting {
    governor: Governor,
    ticket: Ticket,
    /// `None` once it is known.
    outcome: Option<oneshot::Receiver<Result<AdmittedCall, PaceError>>>,
}

impl Waiting {
    async fn decision(mut self) -> Result<AdmittedCall, PaceError> {
        // The sender is only dropped with the state, which this holds on to.
        const GONE: PaceError = PaceError { retry_after: Duration::ZERO };
        let Some(outcome) = &mut self.outcome else { return Err(GONE) };
        let decision = loop {
            // Before looking whether there is one, so that no loss goes unnoticed.
            let timer_lost = self.governor.0.timer_lost.notified();
            if let Ok(decision) = outcome.try_recv() {
                break decision;
            }
            self.governor.change(|_, _, _| ());
            tokio::select! {
                decision = &mut *outcome => break decision.unwrap_or(Err(GONE)),
                () = timer_lost => {}
            }
        };
        self.outcome = None;
        decision
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(mut outcome) = self.outcome.take() else { return };
        self.governor.change(|pacer, waiters, now| {
            // The decision may have come while nobody looked.
            match outcome.try_recv() {
                Ok(Ok(call)) => pacer.withdraw(now, &call),
                Ok(Err(_)) => {}
                Err(_) => {
                    waiters.remove(&self.ticket);
                    pacer.leave(now, self.ticket);
                }
            }
        });
    }
}

/// The task that sleeps until something is to be decided. One for all who wait: a timer for each
/// would wake them all for each token.
struct Timer {
    governor: Governor,
    has_ended: bool,
}

impl Timer {
    async fn run(mut self) {
        while let Some(wake) = self.turn() {
            let inner = &self.governor.0;
            tokio::select! {
                () = tokio::time::sleep_until(inner.start + wake) => {}
                () = inner.changed.notified() => {}
            }
        }
    }

    /// Decides what is due; until when to sleep, or `None` if nobody waits for the time to pass.
    fn turn(&mut self) -> Option<Duration> {
        let mut state = self.governor.0.state.lock();
        state.deliver(self.governor.now());
        state.schedule_exchange(&self.governor.0.exchange_changed);
        state.timer = state.pacer.next_wake();
        self.has_ended = state.timer.is_none();
        state.timer
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if !self.has_ended {
            // Its runtime has gone. Those who wait may have another.
            self.governor.0.state.lock().timer = None;
            self.governor.0.timer_lost.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
