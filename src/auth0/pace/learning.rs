//! What the pacer makes of a call's end.
//!
//! Two separate buckets may be of the same size. They are paced as one, which is slower than it must
//! be, until an answer of one class says that more is left than can have come back since an answer
//! of the other; from then on they are two. For that the emptier one must have said that it takes
//! more than two seconds to fill: of two quick ones it cannot be told, and the fuller one's answers
//! may cost the other a 429.

use std::time::Duration;

use super::Class;
use super::bucket::Bucket;
use super::headers::Reading;
use super::pacer::{Call, Lane, LaneId, Pacer, Standing, UNKNOWN_WAIT};
use super::queue::{FairQueue, Waiter};
use super::refill::Sighting;

/// Weight of a new answer in the typical time that one takes; TCP has the same.
const LATENCY_WEIGHT: f64 = 0.125;

impl Pacer {
    /// A call was answered with anything but a 429. Answers that failed carry no limits, so that
    /// only one that succeeded without says that there is none.
    pub(super) fn answered(&mut self, now: Duration, call: &Call, reading: Option<Reading>, is_success: bool) {
        self.end(now, call);
        self.learn_latency(call);
        if call.is_probe {
            self.unknown.gate.passed(call.sent);
        }
        if let Some(lane) = self.lane_of(call.class) {
            lane.bucket.passed(call.sent);
        }
        match (reading, *self.standings.of(call.class)) {
            (Some(reading), _) => self.learn(call, reading),
            // Not those that were sent before a 429 told better.
            (None, Standing::Unknown) if is_success && call.is_probe => {
                let waiters = self.move_class(call.class, Standing::Unpaced);
                self.judge_again(waiters);
            }
            (None, _) => self.land(call, |bucket| bucket.land_unread(now)),
        }
    }

    /// A call was answered with a 429. Gives back how long until another may go.
    pub(super) fn limited(&mut self, now: Duration, call: &Call, told: Option<Duration>) -> Duration {
        self.end(now, call);
        if let Some(lane) = self.lane_of(call.class) {
            return lane.bucket.close(call.sent, told);
        }
        // There is a limit after all.
        let waiters = self.move_class(call.class, Standing::Unknown);
        let wait = self.unknown.gate.close(call.sent, self.now, told, UNKNOWN_WAIT).wait;
        self.judge_again(waiters);
        wait
    }

    /// A call was given up, or failed without an answer.
    pub(super) fn lost(&mut self, now: Duration, call: &Call) {
        self.end(now, call);
        self.land(call, |bucket| bucket.land_lost(now));
    }

    /// A call that was let go was not sent.
    pub(super) fn withdraw(&mut self, now: Duration, call: &Call) {
        self.end(now, call);
        for lane in &mut self.lanes {
            if call.taken_from.is_some_and(|(id, _)| id == lane.id) {
                lane.bucket.refund();
            }
        }
    }

    fn end(&mut self, now: Duration, call: &Call) {
        self.settle(now);
        let tally = self.tallies.of_mut(call.class);
        tally.in_flight = tally.in_flight.saturating_sub(1);
        self.unknown.is_probing &= !call.is_probe;
    }

    fn learn_latency(&mut self, call: &Call) {
        let newest = self.now.saturating_sub(call.sent);
        let latency = self.latencies.of_mut(call.class);
        *latency = if latency.is_zero() {
            newest
        } else {
            latency.mul_f64(1.0 - LATENCY_WEIGHT) + newest.mul_f64(LATENCY_WEIGHT)
        };
    }

    /// For the buckets that a call may have been counted in.
    fn land(&mut self, call: &Call, land: impl Fn(&mut Bucket)) {
        let standing = *self.standings.of(call.class);
        for lane in &mut self.lanes {
            if standing == Standing::Paced(lane.id) || standing == Standing::Unknown {
                land(&mut lane.bucket);
            }
        }
    }

    fn learn(&mut self, call: &Call, reading: Reading) {
        self.tallies.of_mut(call.class).counted += 1;
        let own = *self.standings.of(call.class);
        let accepts = |lane: &&Lane| lane.bucket.accepts(&self.sighting(lane.id, call, reading));
        let known = self.lanes.iter().filter(|lane| own == Standing::Paced(lane.id)).chain(&self.lanes).find(accepts);
        let id = match known {
            Some(lane) => lane.id,
            None => self.open_lane(reading.limit),
        };
        let waiters = self.move_class(call.class, Standing::Paced(id));

        let seen = self.sighting(id, call, reading);
        // Those sent after this call may all have been counted before it.
        let sent = call.tallies.sum(self.classes(id)).sent + 1;
        let sent_since = self.tally(id).sent.saturating_sub(sent) as f64;
        let promised = call.taken_from.filter(|&(from, _)| from == id).map(|(_, left)| left - sent_since);
        if let Some(lane) = self.lane_of(call.class) {
            lane.bucket.observe(&seen, promised);
        }
        self.judge_again(waiters);
    }

    /// What an answer tells a bucket.
    fn sighting(&self, id: LaneId, call: &Call, reading: Reading) -> Sighting {
        let tally = self.tally(id);
        Sighting {
            class: call.class,
            reading,
            sent: call.sent,
            answered: self.now,
            counted_before: call.tallies.sum(self.classes(id)).counted,
            counted: tally.counted,
            in_flight: tally.in_flight,
        }
    }

    fn open_lane(&mut self, limit: u32) -> LaneId {
        let id = self.next_lane();
        let bucket = Bucket::new(limit, self.settings.reserve, self.now);
        self.lanes.push(Lane { id, bucket, queue: FairQueue::default() });
        id
    }

    /// Changes a class's standing; gives back those who wait, if it is another. A bucket without a
    /// class is forgotten.
    fn move_class(&mut self, class: Class, standing: Standing) -> Vec<Waiter> {
        if *self.standings.of(class) == standing {
            return Vec::new();
        }
        let queues = self.lanes.iter_mut().map(|lane| &mut lane.queue).chain([&mut self.unknown.queue]);
        let waiters = queues.flat_map(|queue| queue.take(class)).chain(std::mem::take(&mut self.freed)).collect();

        *self.standings.of_mut(class) = standing;
        let in_flight = self.tallies.of(class).in_flight;
        if let Some(lane) = self.lane_of(class) {
            lane.bucket.join(in_flight);
        }
        let standings = self.standings;
        self.lanes.retain(|lane| Class::ALL.into_iter().any(|class| *standings.of(class) == Standing::Paced(lane.id)));
        waiters
    }

    /// Gives waiters their places as things are now, and turns away those who would wait in vain.
    fn judge_again(&mut self, waiters: Vec<Waiter>) {
        for waiter in waiters {
            if let Err(refused) = self.enqueue(waiter) {
                self.turned_away.push((waiter.ticket, refused));
            }
        }
    }

    fn lane_of(&mut self, class: Class) -> Option<&mut Lane> {
        let standing = *self.standings.of(class);
        self.lanes.iter_mut().find(|lane| standing == Standing::Paced(lane.id))
    }
}
