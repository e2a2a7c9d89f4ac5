//! Learning: the end of a call, and what it tells of its bucket.
//!
//! Two separate buckets may be of the same size. They are paced as one, which is slower than it must
//! be, until an answer of one class says that more is left than can have come back since an answer
//! of the other; from then on they are two. For that the emptier one must have said that it takes
//! more than two seconds to fill: of two quick ones it cannot be told, and the fuller one's answers
//! may cost the other a 429.

use std::time::Duration;

use super::super::RateClass;
use super::super::bucket::Bucket;
use super::super::headers::RateLimitHeaders;
use super::super::refill::HeaderSample;
use super::{BucketId, Budget, CallGrant, NamedBucket, PacingMode, UNKNOWN_WAIT};

/// Weight of a new answer in the typical time that one takes; TCP has the same.
const LATENCY_WEIGHT: f64 = 0.125;

impl Budget {
    /// A call was answered with anything but a 429. Answers that failed carry no limits, so that
    /// only one that succeeded without says that there is none.
    pub(in super::super) fn answered(
        &mut self,
        grant: &CallGrant,
        headers: Option<RateLimitHeaders>,
        is_success: bool,
    ) {
        self.end(grant);
        self.learn_latency(grant);
        if grant.is_probe {
            self.gate.passed(grant.sent);
        }
        if let Some(bucket) = self.bucket_of(grant.class) {
            bucket.passed(grant.sent);
        }
        // Calls that were counted before it were counted elsewhere.
        let is_own = grant.lineage == self.lineage;
        match (headers, self.mode(grant.class)) {
            // A call that was taken for lost may have been counted before others that are known to be counted.
            (Some(headers), mode) if is_own && (grant.is_counted || !matches!(mode, PacingMode::Paced(_))) => {
                self.learn(grant, headers);
            }
            // Not those that were sent before a 429 told better.
            (None, PacingMode::Unknown) if is_success && grant.is_probe && is_own => {
                self.move_class(grant.class, PacingMode::Unpaced);
            }
            _ => {
                let now = self.latest();
                self.observe(grant, |bucket| bucket.observe_unread(now));
            }
        }
    }

    /// A call was answered with a 429. Gives back how long until another may go.
    pub(in super::super) fn limited(&mut self, grant: &CallGrant, retry_after: Option<Duration>) -> Duration {
        self.end(grant);
        if let Some(bucket) = self.bucket_of(grant.class) {
            return bucket.close(grant.sent, retry_after);
        }
        // There is a limit after all.
        self.move_class(grant.class, PacingMode::Unknown);
        self.gate.close(grant.sent, self.now, retry_after, UNKNOWN_WAIT).wait
    }

    /// A call was given up, or failed without an answer.
    pub(in super::super) fn lost(&mut self, grant: &CallGrant) {
        self.end(grant);
        let now = self.latest();
        self.observe(grant, |bucket| bucket.observe_lost(now));
    }

    /// A call that was let go was not sent.
    pub(in super::super) fn withdrawn(&mut self, grant: &CallGrant) {
        self.end(grant);
        // Calls that were taken for lost have been made up for by what others found left.
        let is_refunded = grant.lineage == self.lineage && grant.is_counted;
        for NamedBucket { id, bucket } in &mut self.buckets {
            if is_refunded && grant.bucket() == Some(*id) {
                bucket.refund();
            }
        }
    }

    /// The time, at the latest.
    pub(super) fn latest(&self) -> Duration {
        self.now + self.lag
    }

    fn end(&mut self, grant: &CallGrant) {
        if grant.is_counted {
            let counts = self.counts.of_mut(grant.class);
            counts.in_flight = counts.in_flight.saturating_sub(1);
            self.is_probing &= !grant.is_probe;
        }
    }

    fn learn_latency(&mut self, grant: &CallGrant) {
        let newest = self.now.saturating_sub(grant.sent);
        let latency = self.latencies.of_mut(grant.class);
        *latency = if latency.is_zero() {
            newest
        } else {
            latency.mul_f64(1.0 - LATENCY_WEIGHT) + newest.mul_f64(LATENCY_WEIGHT)
        };
    }

    /// Tells an observation to the buckets that a call may have been counted in.
    fn observe(&mut self, grant: &CallGrant, observe: impl Fn(&mut Bucket)) {
        self.observe_class(grant.class, observe);
    }

    pub(super) fn observe_class(&mut self, class: RateClass, observe: impl Fn(&mut Bucket)) {
        let mode = self.mode(class);
        for NamedBucket { id, bucket } in &mut self.buckets {
            if mode == PacingMode::Paced(*id) || mode == PacingMode::Unknown {
                observe(bucket);
            }
        }
    }

    fn learn(&mut self, grant: &CallGrant, headers: RateLimitHeaders) {
        self.counts.of_mut(grant.class).counted += 1;
        let own = self.mode(grant.class);
        let accepts = |named: &&NamedBucket| named.bucket.accepts(&self.sample(named.id, grant, headers));
        let known =
            self.buckets.iter().filter(|named| own == PacingMode::Paced(named.id)).chain(&self.buckets).find(accepts);
        let id = match known {
            Some(named) => named.id,
            None => self.open_bucket(headers.limit),
        };
        self.move_class(grant.class, PacingMode::Paced(id));

        let seen = self.sample(id, grant, headers);
        // All calls sent after this one may have been counted before it.
        let sent = grant.counts.sum(self.classes(id)).sent + 1;
        let sent_since = self.counts(id).sent.saturating_sub(sent) as f64;
        let promised = grant.taken_from.filter(|&(from, _)| from == id).map(|(_, left)| left - sent_since);
        if let Some(bucket) = self.bucket_of(grant.class) {
            bucket.observe(&seen, promised);
        }
    }

    /// The sample of a bucket in an answer.
    fn sample(&self, id: BucketId, grant: &CallGrant, headers: RateLimitHeaders) -> HeaderSample {
        let counts = self.counts(id);
        HeaderSample {
            class: grant.class,
            headers,
            sent: grant.sent,
            answered: self.latest(),
            counted_before: grant.counts.sum(self.classes(id)).counted,
            counted: counts.counted,
            in_flight: counts.in_flight,
        }
    }

    fn open_bucket(&mut self, limit: u32) -> BucketId {
        self.next_id += 1;
        let id = BucketId(self.next_id);
        let mut bucket = Bucket::new(limit, self.reserve, self.now);
        if self.parts > 1 {
            bucket.split(self.reserve, self.parts, self.now);
        }
        self.buckets.push(NamedBucket { id, bucket });
        id
    }

    /// Changes a class's mode. A bucket without a class is forgotten.
    fn move_class(&mut self, class: RateClass, mode: PacingMode) {
        if self.mode(class) == mode {
            return;
        }
        *self.modes.of_mut(class) = mode;
        let in_flight = self.counts.of(class).in_flight;
        if let Some(bucket) = self.bucket_of(class) {
            bucket.join(in_flight);
        }
        let modes = self.modes;
        self.buckets
            .retain(|named| RateClass::ALL.into_iter().any(|class| *modes.of(class) == PacingMode::Paced(named.id)));
    }
}
