//! The progress of an export: one line, on a terminal.

use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use crate::auth0::COUNTED_RECORDS;

/// The line on the terminal, or nothing where there is none.
pub(super) struct ProgressLine {
    bar: ProgressBar,
    begun: Instant,
    progress: Progress,
}

/// The state of an export.
#[derive(Clone, Copy)]
struct Progress {
    /// The name of its records.
    records: &'static str,
    total: Option<Total>,
    written: u64,
    calls: u64,
    elapsed: Duration,
    /// The number of calls that the tenant's rate limit gives in a second, once answers have told.
    calls_per_second: Option<f64>,
}

/// The number of records in all, as Auth0 counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Total {
    Counted(u64),
    Beyond,
}

impl ProgressLine {
    pub(super) fn new(is_shown: bool, records: &'static str) -> Self {
        let bar = if is_shown { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let progress =
            Progress { records, total: None, written: 0, calls: 0, elapsed: Duration::ZERO, calls_per_second: None };
        Self { bar, begun: Instant::now(), progress }
    }

    /// True if somebody sees it: only then is it worth a call to count the records.
    pub(super) fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Takes in the number of records that Auth0 counted.
    pub(super) fn count(&mut self, counted: u64) {
        self.progress.total = Some(if counted < COUNTED_RECORDS { Total::Counted(counted) } else { Total::Beyond });
    }

    /// Takes in a call that was answered. `written` is the number of records so far.
    pub(super) fn answered(&mut self, written: u64, calls_per_second: Option<f64>) {
        let Progress { calls, .. } = self.progress;
        let elapsed = self.begun.elapsed();
        self.progress = Progress { written, calls: calls + 1, elapsed, calls_per_second, ..self.progress };
        self.bar.tick();
        self.bar.set_message(self.progress.line());
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress {
    /// Tells nothing that is not known: no time that is left where Auth0 counted no further.
    fn line(&self) -> String {
        let Self { records, total, written, calls, elapsed, calls_per_second } = *self;
        let rate = written as f64 / elapsed.as_secs_f64();
        let mut line = HumanCount(written).to_string();
        match total {
            Some(Total::Counted(total)) => line += &format!(" of {total}"),
            Some(Total::Beyond) if written < COUNTED_RECORDS => line += " of more than 1,000",
            Some(Total::Beyond) | None => {}
        }
        line += &format!(" {records}, {}/s", whole(rate));
        if let Some(Total::Counted(total)) = total
            && let Ok(left) = Duration::try_from_secs_f64(total.saturating_sub(written) as f64 / rate)
        {
            line += &format!(", {:#} left", HumanDuration(left));
        }
        if let (Some(calls_per_second), 1..) = (calls_per_second, calls) {
            line += &format!("; pacing allows {}/s", whole(calls_per_second * written as f64 / calls as f64));
        }
        line
    }
}

/// A rate without its fraction; 0 for what is no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small, and cut off at zero")]
fn whole(rate: f64) -> HumanCount {
    HumanCount(if rate.is_finite() { rate.round() as u64 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(total: Option<Total>, written: u64, calls: u64) -> Progress {
        let elapsed = Duration::from_secs(calls / 2);
        Progress { records: "users", total, written, calls, elapsed, calls_per_second: Some(2.0) }
    }

    #[test]
    fn a_line_tells_what_is_known_and_nothing_else() {
        let line = |total, written, calls| progress(total, written, calls).line();
        assert_eq!(line(Some(Total::Counted(800)), 200, 2), "200 of 800 users, 200/s, 3s left; pacing allows 200/s");
        assert_eq!(line(Some(Total::Beyond), 200, 2), "200 of more than 1,000 users, 200/s; pacing allows 200/s");
        assert_eq!(line(Some(Total::Beyond), 12_345, 126), "12,345 users, 196/s; pacing allows 196/s");
        assert_eq!(line(None, 99, 2), "99 users, 99/s; pacing allows 99/s");
        // Users who came since the count, and a rate limit that is not known.
        let more = Progress { calls_per_second: None, ..progress(Some(Total::Counted(80)), 90, 2) };
        assert_eq!(more.line(), "90 of 80 users, 90/s, 0s left");
        // Before anything.
        assert_eq!(line(None, 0, 0), "0 users, 0/s");
    }

    #[test]
    fn auth0_is_believed_as_far_as_it_counts() {
        let mut line = ProgressLine::new(false, "users");
        for (counted, total) in [(0, Total::Counted(0)), (999, Total::Counted(999)), (1_000, Total::Beyond)] {
            line.count(counted);
            assert_eq!(line.progress.total, Some(total));
        }
    }
}
