//! The marks of a refill as they are shared: each by what it differs from the one before in, for there are many. Times are in whole
//! milliseconds, by which a call takes longer at the most: what is learned from it is no more than before.

use std::collections::VecDeque;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::RateClass;
use super::super::headers::RateLimitHeaders;
use super::{HeaderSample, MARKS};

/// A mark: its class; what was left, and the time until the bucket was to be full; the time since the one before was sent, and from there
/// to its answer; calls that were counted since, and with it; and those that were on their way.
type Row = (usize, u32, Option<u64>, i64, u64, i64, u64, u64);

/// The mark before, which one is told by.
#[derive(Default)]
struct PreviousMark {
    sent: u64,
    counted: u64,
}

/// A pair of the bucket's size and its marks.
pub(super) fn serialize<S: Serializer>(marks: &VecDeque<HeaderSample>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut before = PreviousMark::default();
    let limit = marks.front().map_or(0, |mark| mark.headers.limit);
    let rows: Vec<_> = marks.iter().map(|mark| row(mark, &mut before)).collect();
    (limit, rows).serialize(serializer)
}

/// The marks of such a pair.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VecDeque<HeaderSample>, D::Error> {
    let (limit, rows) = <(u32, Vec<Row>)>::deserialize(deserializer)?;
    if rows.len() > MARKS {
        return Err(D::Error::custom("too many marks"));
    }
    let mut before = PreviousMark::default();
    let marks = rows.into_iter().map(|row| mark(limit, row, &mut before));
    marks.collect::<Option<_>>().ok_or_else(|| D::Error::custom("no class"))
}

fn row(mark: &HeaderSample, before: &mut PreviousMark) -> Row {
    let HeaderSample { class, headers, sent, answered, counted_before, counted, in_flight } = *mark;
    let (sent, answered) = (down(sent), up(answered));
    let (since, counted_since) = (difference(sent, before.sent), difference(counted_before, before.counted));
    *before = PreviousMark { sent, counted: counted_before };
    let lasted = answered.saturating_sub(sent);
    let with_it = counted.saturating_sub(counted_before);
    let full_within = headers.full_within.map(up);
    (class as usize, headers.remaining, full_within, since, lasted, counted_since, with_it, in_flight)
}

fn mark(limit: u32, row: Row, before: &mut PreviousMark) -> Option<HeaderSample> {
    let (class, remaining, full_within, since, lasted, counted_since, with_it, in_flight) = row;
    let sent = before.sent.saturating_add_signed(since);
    let counted_before = before.counted.saturating_add_signed(counted_since);
    *before = PreviousMark { sent, counted: counted_before };
    Some(HeaderSample {
        class: *RateClass::ALL.get(class)?,
        headers: RateLimitHeaders { limit, remaining, full_within: full_within.map(Duration::from_millis) },
        sent: Duration::from_millis(sent),
        answered: Duration::from_millis(sent.saturating_add(lasted)),
        counted_before,
        counted: counted_before.saturating_add(with_it),
        in_flight,
    })
}

fn down(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn up(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn difference(number: u64, from: u64) -> i64 {
    let [number, from] = [number, from].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    number - from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Marks(#[serde(with = "super")] VecDeque<HeaderSample>);

    fn mark(class: RateClass, sent: u64, counted: u64) -> HeaderSample {
        HeaderSample {
            class,
            headers: RateLimitHeaders { limit: 10, remaining: 3, full_within: Some(Duration::from_secs(2)) },
            sent: Duration::from_micros(sent),
            answered: Duration::from_micros(sent + 123_456),
            counted_before: counted - 2,
            counted,
            in_flight: 4,
        }
    }

    #[test]
    fn marks_are_short_and_lose_less_than_a_millisecond_each_way() {
        let start = 1_800_000_000_123_456;
        // The second was sent before the first, and answered after it.
        let marks = [
            (RateClass::Users, start, 1_000),
            (RateClass::Logs, start - 5_000, 1_001),
            (RateClass::Other, start + 1_000_000, 1_003),
        ];
        let marks = Marks(marks.map(|(class, sent, counted)| mark(class, sent, counted)).into());
        let text = serde_json::to_string(&marks).unwrap();
        assert_eq!(
            text,
            "[10,[[0,3,2000,1800000000123,124,998,2,4],[1,3,2000,-5,124,1,2,4],[2,3,2000,1005,124,2,2,4]]]"
        );
        let read: Marks = serde_json::from_str(&text).unwrap();
        for (read, written) in read.0.iter().zip(&marks.0) {
            let [early, late] = [written.sent - read.sent, read.answered - written.answered];
            assert!(early.max(late) < Duration::from_millis(1), "{early:?} {late:?}");
            assert_eq!((read.class, read.headers), (written.class, written.headers));
            assert_eq!((read.counted_before, read.counted), (written.counted_before, written.counted));
        }
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }

    #[test]
    fn what_can_be_no_mark_is_refused() {
        for text in ["[10,[[3,3,2000,1,1,1,1,1]]]", "[10,[[0,3,2000,1]]]", "[10]"] {
            assert!(serde_json::from_str::<Marks>(text).is_err(), "{text}");
        }
        let most = format!("[10,[[0,3,{0},{1},{0},{1},{0},{0}],[0,3,{0},{1},{0},{1},{0},{0}]]]", u64::MAX, i64::MAX);
        let marks: Marks = serde_json::from_str(&most).unwrap();
        assert_eq!(marks.0[1].counted, u64::MAX);
    }
}
