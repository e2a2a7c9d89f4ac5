//! The shared budget as text. What comes from outside may be anything: what could not have been written by a replica is taken for none.

use std::time::Duration;

use super::super::RateClass;
use super::super::counts::ByClass;
use super::{FleetBudget, MOST_REPLICAS, ReplicaState};

/// Time by which what another replica wrote may be ahead of Redis' clock, which is that of another machine after a failover.
const MOST_AHEAD: Duration = Duration::from_secs(1);

/// Virtual time that nobody reaches.
const LATEST_TIME: f64 = 1e12;

impl FleetBudget {
    /// The value as text, after `beginning`; `None` if it is longer than that.
    pub(in super::super) fn encode(&self, beginning: &[u8], most: usize) -> Option<Vec<u8>> {
        let mut text = beginning.to_vec();
        serde_json::to_writer(&mut text, self).ok()?;
        (text.len() <= most).then_some(text)
    }

    /// The value of a text; `None` if no replica can have written it at that time of Redis' clock.
    pub(in super::super) fn decode(text: &[u8], now: Duration) -> Option<Self> {
        let value: Self = serde_json::from_slice(text).ok()?;
        value.is_plausible(now + MOST_AHEAD).then_some(value)
    }

    fn is_plausible(&self, now: Duration) -> bool {
        let (mut in_flight, mut probing) = (ByClass::<u64>::default(), 0);
        for replica in &self.replicas {
            for class in RateClass::ALL {
                let sum = in_flight.of_mut(class);
                *sum = sum.saturating_add(*replica.in_flight.of(class));
            }
            probing += usize::from(replica.is_probing);
        }
        let is_virtual_time = |time: f64| (0.0..=LATEST_TIME).contains(&time);
        self.budget.is_plausible(now)
            && in_flight == self.budget.in_flight()
            && probing == usize::from(self.budget.is_probing())
            && self.replicas.len() <= MOST_REPLICAS
            && self.replicas.iter().all(|replica| replica.is_plausible(now) && self.has_once(replica))
            && self.replicas.iter().flat_map(|replica| &replica.backlogs).all(|backlog| is_virtual_time(backlog.start))
            && self.clocks.len() <= RateClass::ALL.len()
            && self
                .clocks
                .iter()
                .all(|clock| is_virtual_time(clock.reached) && clock.lies_since.is_none_or(|since| since <= now))
    }

    fn has_once(&self, replica: &ReplicaState) -> bool {
        self.replicas.iter().filter(|other| other.id == replica.id).count() == 1
    }
}

impl ReplicaState {
    fn is_plausible(&self, now: Duration) -> bool {
        self.seen <= now
            && self.wants_probe.is_none_or(|since| since <= now)
            && self.backlogs.len() <= RateClass::ALL.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::budget::PacingMode;
    use super::super::super::headers::RateLimitHeaders;
    use super::super::{CallEvent, EventKind, ReplicaId};
    use super::*;

    const ME: ReplicaId = ReplicaId(1);
    const OTHER: ReplicaId = ReplicaId(2);
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    /// A budget that two replicas share, of a bucket that calls are taken from and wait for.
    fn shared() -> FleetBudget {
        let mut value = FleetBudget::new(0.1);
        value.set_time(NOW);
        value.join(ME, ByClass::default(), false);
        value.join(OTHER, ByClass::default(), false);
        value.want_probe(ME, true);
        let grant = value.grant_probe(ME, RateClass::Users).unwrap();
        let headers = RateLimitHeaders { limit: 10, remaining: 9, full_within: Some(Duration::from_secs(2)) };
        value.set_time(NOW + Duration::from_millis(100));
        let kind = EventKind::Answered { headers: Some(headers), is_success: true };
        value.apply(Some(ME), &CallEvent { grant, kind });
        let PacingMode::Paced(bucket) = value.budget.mode(RateClass::Users) else { panic!("it is known") };
        value.set_time(NOW + Duration::from_millis(200));
        value.set_backlog(OTHER, bucket, 20);
        for _ in 0..3 {
            value.grant(OTHER, bucket, RateClass::Users, 20).unwrap();
        }
        value
    }

    #[test]
    fn what_is_written_can_be_read() {
        let text = shared().encode(b"0123456789abcdef", 10_000).unwrap();
        let read = FleetBudget::decode(&text[16..], NOW + Duration::from_secs(1)).unwrap();
        assert_eq!(read.encode(b"0123456789abcdef", 10_000).unwrap(), text);
        assert_eq!(shared().encode(b"", 100), None);
        // Another clock shows a time long before.
        assert!(FleetBudget::decode(&text[16..], NOW - Duration::from_secs(10)).is_none());
    }

    proptest! {
        /// A text that is taken for a budget can be used as one, and keeps nobody waiting for long.
        #[test]
        fn any_text_is_survived(place in 0.0_f64..1.0, number in any::<u64>(), is_digits: bool, exponent in -30_i32..300) {
            let text = String::from_utf8(shared().encode(b"", 10_000).unwrap()).unwrap();
            // One of its numbers is another.
            let numbers: Vec<_> = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
            let at = numbers[((numbers.len() - 1) as f64 * place) as usize];
            let start = text[..at].rfind(|c: char| !c.is_ascii_digit() && c != '.').unwrap() + 1;
            let end = at + text[at..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap();
            let other = if is_digits { number.to_string() } else { format!("{}e{exponent}", number % 100) };
            let text = format!("{}{other}{}", &text[..start], &text[end..]);
            let now = NOW + Duration::from_secs(1);
            if let Some(mut value) = FleetBudget::decode(text.as_bytes(), now) {
                value.set_time(now + Duration::from_secs(1));
                value.record_heartbeat(ME);
                value.join(ReplicaId(3), ByClass::default(), false);
                let buckets: Vec<_> = value.budget.buckets().iter().map(|named| named.id).collect();
                for bucket in buckets {
                    value.set_backlog(ME, bucket, 5);
                    prop_assert!(value.time_of(ME, bucket, 3, 5) < Duration::from_secs(300));
                    while value.grant(ME, bucket, RateClass::Users, 5).is_some() && value.backlog_of(ME, bucket) > 0 {}
                }
                value.set_time(now + Duration::from_secs(60));
                value.record_heartbeat(ReplicaId(3));
                value.part(ReplicaId(3), now);
                prop_assert!(value.encode(b"", 100_000).is_some());
            }
        }
    }
}
