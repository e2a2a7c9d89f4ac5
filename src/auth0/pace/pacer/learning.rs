//! Learning: the end of a call, and what it tells of its bucket.
//!
//! Two separate buckets may be of the same size. They are paced as one, which is slower than it must
//! be, until an answer of one class says that more is left than can have come back since an answer
//! of the other; from then on they are two. For that the emptier one must have said that it takes
//! more than two seconds to fill: of two quick ones it cannot be told, and the fuller one's answers
//! may cost the other a 429.

use std::time::Duration;

use super::super::Class;
use super::super::bucket::Bucket;
use super::super::headers::RateLimitHeaders;
use super::super::queue::{FairQueue, Waiter};
use super::super::refill::Sighting;
use super::{AdmittedCall, BucketId, BucketQueue, Pacer, PacingMode, UNKNOWN_WAIT};

/// Weight of a new answer in the typical time that one takes; TCP has the same.
const LATENCY_WEIGHT: f64 = 0.125;

impl Pacer {
    /// A call was answered with anything but a 429. Answers that failed carry no limits, so that
    /// only one that succeeded without says that there is none.
    pub(in super::super) fn answered(
        &mut self,
        now: Duration,
        call: &AdmittedCall,
        reading: Option<RateLimitHeaders>,
        is_success: bool,
    ) {
        self.end(now, call);
        self.learn_latency(call);
        if call.is_probe {
            self.discovery.gate.passed(call.sent);
        }
        if let Some(entry) = self.bucket_of(call.class) {
            entry.bucket.passed(call.sent);
        }
        match (reading, *self.modes.of(call.class)) {
            (Some(reading), _) => self.learn(call, reading),
            // Not those that were sent before a 429 told better.
            (None, PacingMode::Unknown) if is_success && call.is_probe => {
                let waiters = self.move_class(call.class, PacingMode::Unpaced);
                self.judge_again(waiters);
            }
            (None, _) => self.observe(call, |bucket| bucket.observe_unread(now)),
        }
    }

    /// A call was answered with a 429. Gives back how long until another may go.
    pub(in super::super) fn limited(&mut self, now: Duration, call: &AdmittedCall, told: Option<Duration>) -> Duration {
        self.end(now, call);
        if let Some(entry) = self.bucket_of(call.class) {
            return entry.bucket.close(call.sent, told);
        }
        // There is a limit after all.
        let waiters = self.move_class(call.class, PacingMode::Unknown);
        let wait = self.discovery.gate.close(call.sent, self.now, told, UNKNOWN_WAIT).wait;
        self.judge_again(waiters);
        wait
    }

    /// A call was given up, or failed without an answer.
    pub(in super::super) fn lost(&mut self, now: Duration, call: &AdmittedCall) {
        self.end(now, call);
        self.observe(call, |bucket| bucket.observe_lost(now));
    }

    /// A call that was let go was not sent.
    pub(in super::super) fn withdraw(&mut self, now: Duration, call: &AdmittedCall) {
        self.end(now, call);
        for entry in &mut self.buckets {
            if call.taken_from.is_some_and(|(id, _)| id == entry.id) {
                entry.bucket.refund();
            }
        }
    }

    fn end(&mut self, now: Duration, call: &AdmittedCall) {
        self.settle(now);
        let counts = self.counts.of_mut(call.class);
        counts.in_flight = counts.in_flight.saturating_sub(1);
        self.discovery.is_probing &= !call.is_probe;
    }

    fn learn_latency(&mut self, call: &AdmittedCall) {
        let newest = self.now.saturating_sub(call.sent);
        let latency = self.latencies.of_mut(call.class);
        *latency = if latency.is_zero() {
            newest
        } else {
            latency.mul_f64(1.0 - LATENCY_WEIGHT) + newest.mul_f64(LATENCY_WEIGHT)
        };
    }

    /// Tells an observation to the buckets that a call may have been counted in.
    fn observe(&mut self, call: &AdmittedCall, observe: impl Fn(&mut Bucket)) {
        let mode = *self.modes.of(call.class);
        for entry in &mut self.buckets {
            if mode == PacingMode::Paced(entry.id) || mode == PacingMode::Unknown {
                observe(&mut entry.bucket);
            }
        }
    }

    fn learn(&mut self, call: &AdmittedCall, reading: RateLimitHeaders) {
        self.counts.of_mut(call.class).counted += 1;
        let own = *self.modes.of(call.class);
        let accepts = |entry: &&BucketQueue| entry.bucket.accepts(&self.sighting(entry.id, call, reading));
        let known =
            self.buckets.iter().filter(|entry| own == PacingMode::Paced(entry.id)).chain(&self.buckets).find(accepts);
        let id = match known {
            Some(entry) => entry.id,
            None => self.open_bucket(reading.limit),
        };
        let waiters = self.move_class(call.class, PacingMode::Paced(id));

        let seen = self.sighting(id, call, reading);
        // Those sent after this call may all have been counted before it.
        let sent = call.counts.sum(self.classes(id)).sent + 1;
        let sent_since = self.counts(id).sent.saturating_sub(sent) as f64;
        let promised = call.taken_from.filter(|&(from, _)| from == id).map(|(_, left)| left - sent_since);
        if let Some(entry) = self.bucket_of(call.class) {
            entry.bucket.observe(&seen, promised);
        }
        self.judge_again(waiters);
    }

    /// The sighting of a bucket in an answer.
    fn sighting(&self, id: BucketId, call: &AdmittedCall, reading: RateLimitHeaders) -> Sighting {
        let counts = self.counts(id);
        Sighting {
            class: call.class,
            reading,
            sent: call.sent,
            answered: self.now,
            counted_before: call.counts.sum(self.classes(id)).counted,
            counted: counts.counted,
            in_flight: counts.in_flight,
        }
    }

    fn open_bucket(&mut self, limit: u32) -> BucketId {
        let id = self.next_bucket();
        let bucket = Bucket::new(limit, self.settings.reserve, self.now);
        self.buckets.push(BucketQueue { id, bucket, queue: FairQueue::default() });
        id
    }

    /// Changes a class's mode; gives back those who wait, if it is another. A bucket without a
    /// class is forgotten.
    fn move_class(&mut self, class: Class, mode: PacingMode) -> Vec<Waiter> {
        if *self.modes.of(class) == mode {
            return Vec::new();
        }
        let queues = self.buckets.iter_mut().map(|entry| &mut entry.queue).chain([&mut self.discovery.queue]);
        let waiters = queues.flat_map(|queue| queue.take(class)).chain(std::mem::take(&mut self.freed)).collect();

        *self.modes.of_mut(class) = mode;
        let in_flight = self.counts.of(class).in_flight;
        if let Some(entry) = self.bucket_of(class) {
            entry.bucket.join(in_flight);
        }
        let modes = self.modes;
        self.buckets
            .retain(|entry| Class::ALL.into_iter().any(|class| *modes.of(class) == PacingMode::Paced(entry.id)));
        waiters
    }

    /// Gives waiters their places as things are now, and turns away those who would wait in vain.
    fn judge_again(&mut self, waiters: Vec<Waiter>) {
        for waiter in waiters {
            if let Err(refused) = self.enqueue(waiter) {
                self.refused.push((waiter.ticket, refused));
            }
        }
    }

    fn bucket_of(&mut self, class: Class) -> Option<&mut BucketQueue> {
        let mode = *self.modes.of(class);
        self.buckets.iter_mut().find(|entry| mode == PacingMode::Paced(entry.id))
    }
}
