//! The tenant's time: the machine's, or one that moves only when told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// The source of the tenant's present. Clones share one time.
///
/// Token lifetimes, rate-limit buckets and the arrival of logs follow it; the delay of a
/// `slow` fault does not, since a client waits for that in its own time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Milliseconds since the Unix epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `at` until [`Clock::advance`] moves it.
    pub fn manual(at: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(at.timestamp_millis()))))
    }

    /// Moves a manual clock forward, in whole milliseconds. Returns whether it moved: the
    /// system's clock cannot be moved.
    pub fn advance(&self, by: Duration) -> bool {
        match &self.0 {
            Source::System => false,
            Source::Manual(at) => {
                let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
                at.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
                    Some(now.saturating_add(by).min(LAST_MILLISECOND))
                })
                .is_ok()
            }
        }
    }

    /// The present.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now(),
            Source::Manual(at) => from_millis(at.load(Ordering::SeqCst)),
        }
    }
}

/// The end of the year 9999: later moments have no RFC 3339 text.
const LAST_MILLISECOND: i64 = 253_402_300_799_999;

/// The moment `millis` after the Unix epoch, kept inside what RFC 3339 can write.
pub(crate) fn from_millis(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis.clamp(0, LAST_MILLISECOND)).unwrap_or_default()
}

/// A moment as Auth0 writes it: milliseconds, `Z`.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A moment as HTTP writes it (RFC 9110, 5.6.7).
pub(crate) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told_and_is_shared_by_its_clones() {
        let clock = Clock::manual(from_millis(1_000));
        let other = clock.clone();
        assert_eq!(other.now().timestamp_millis(), 1_000);
        assert!(clock.advance(Duration::from_millis(250)));
        assert_eq!(other.now().timestamp_millis(), 1_250);
    }

    #[test]
    fn no_step_leads_out_of_the_calendar() {
        let clock = Clock::manual(from_millis(i64::MAX));
        assert!(clock.advance(Duration::MAX));
        assert_eq!(rfc3339(clock.now()), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_system_clock_cannot_be_moved() {
        assert!(!Clock::system().advance(Duration::from_secs(1)));
    }
}
