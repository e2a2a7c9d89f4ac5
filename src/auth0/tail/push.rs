//! Logs that Auth0 pushes, by a custom log stream: <https://auth0.com/docs/customize/log-streams/custom-log-streams>.
//!
//! A log comes as `{"log_id": …, "data": {…}}`, and several as an array or one a line. What is pushed may come twice, late, or not at all:
//! Auth0 tries three times.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::ids::LogId;
use super::batch::{self, Entries, RawLog};
use super::fleet::Report;
use super::poller::is_news;
use super::{Arrival, Inner, State};

/// Logs that were pushed are not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// A body of another form than Auth0 pushes.
    #[error(
        "The body has to be logs as Auth0 pushes them: objects with `log_id` and `data`, as an array or one a line."
    )]
    Malformed,
    /// A log of a day to come is among them: it would be behind all that follow, and make them late.
    #[error("A `log_id` is more than a day ahead of this machine's clock.")]
    Ahead,
    /// No room for them before the poller has read on.
    #[error("There is no room for more logs now. Try again after `retryAfterMs`.")]
    Full,
}

impl Inner {
    /// Takes in logs, a JSON array in the form that they are read in. Returns the number of those that nobody here follows yet.
    pub(super) fn push(&self, records: &str) -> Result<usize, PushError> {
        let logs = batch::read(records).map_err(|_| PushError::Malformed)?;
        let (taken, is_nearly_full) = self.change(|state| {
            let taken = state.push(&logs, records, self.settings.buffer_bytes);
            (taken, state.is_polling && state.checkpoint.is_nearly_full())
        });
        if is_nearly_full {
            self.read_now.notify_one();
        }
        let Some(arrivals) = taken? else { return Ok(logs.len()) };
        let new = self.count("push", &arrivals);
        self.metrics().pushed("new", new);
        self.metrics().pushed("known", arrivals.len() - new);
        Ok(0)
    }
}

impl State {
    /// Takes in logs, which are `records` as well. None if it is not known yet which are past.
    fn push(
        &mut self,
        logs: &[RawLog<'_>],
        records: &str,
        most_bytes: usize,
    ) -> Result<Option<Vec<Arrival>>, PushError> {
        if !self.is_polling {
            return Ok(None);
        }
        if self.checkpoint.is_seeded() {
            return self.take_in_pushed(logs).map(Some);
        }
        // Logs for which there is no room are read some time later.
        if self.early_bytes + records.len() <= most_bytes {
            self.early_bytes += records.len();
            self.early.push(records.into());
        }
        Ok(None)
    }

    /// Takes in logs that were pushed, here or to another replica.
    pub(super) fn take_in_pushed(&mut self, logs: &[RawLog<'_>]) -> Result<Vec<Arrival>, PushError> {
        let unshared = self.unshared(logs);
        let marks: Vec<_> = logs.iter().map(|log| log.mark.clone()).collect();
        let arrivals = self.checkpoint.take_in_pushed(&marks).ok_or(PushError::Full)?;
        self.cursor = self.checkpoint.cursor().cloned();
        let logs: Vec<_> = logs.iter().zip(arrivals).collect();
        self.membership.report(Report { logs: unshared, ..Report::default() });
        self.append(&logs, is_news);
        self.forget();
        Ok(logs.into_iter().map(|(_, arrival)| arrival).collect())
    }

    /// Takes in what was pushed before it was known which logs are past.
    pub(super) fn take_in_early(&mut self) {
        self.early_bytes = 0;
        for records in std::mem::take(&mut self.early) {
            // Nothing else has been pushed yet. Should there be no room all the same, they are read some time later.
            let _ = batch::read(&records).map(|logs| self.take_in_pushed(&logs));
        }
    }
}

/// A log, as it is pushed.
#[derive(Deserialize)]
struct PushedLog<'a> {
    #[serde(borrow)]
    log_id: Cow<'a, str>,
    #[serde(borrow)]
    data: Entries<'a>,
}

/// The logs in a body, as a JSON array of logs in the form that they are read in.
pub(super) fn records(body: &[u8], now: DateTime<Utc>) -> Result<String, PushError> {
    let body = std::str::from_utf8(body).map_err(|_| PushError::Malformed)?;
    let logs: Vec<PushedLog<'_>> = if body.trim_start().starts_with('[') {
        serde_json::from_str(body).map_err(|_| PushError::Malformed)?
    } else {
        let logs = serde_json::Deserializer::from_str(body).into_iter();
        logs.collect::<Result<_, _>>().map_err(|_| PushError::Malformed)?
    };
    let mut records = String::with_capacity(body.len() + 2);
    records.push('[');
    for log in &logs {
        if records.len() > 1 {
            records.push(',');
        }
        log.write(now, &mut records)?;
    }
    records.push(']');
    Ok(records)
}

impl PushedLog<'_> {
    /// Appends the log in the form that it is read in: with its id, and one key called otherwise.
    fn write(&self, now: DateTime<Utc>, records: &mut String) -> Result<(), PushError> {
        // An id behind every log to come would make all of them late.
        let id = LogId::parse_position("log_id", &self.log_id).map_err(|_| PushError::Malformed)?;
        id.not_ahead_of(now, "log_id").map_err(|_| PushError::Ahead)?;
        let string = |text: &str| serde_json::to_string(text).map_err(|_| PushError::Malformed);
        records.push_str(r#"{"log_id":"#);
        records.push_str(&string(&self.log_id)?);
        for (key, value) in &self.data.0 {
            let key = match &**key {
                "log_id" => continue,
                "is_mobile" => "isMobile",
                key => key,
            };
            records.push(',');
            records.push_str(&string(key)?);
            records.push(':');
            records.push_str(value.get());
        }
        records.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(body: &[u8]) -> Result<String, PushError> {
        super::records(body, DateTime::from_timestamp(1_793_606_400, 0).unwrap())
    }

    #[test]
    fn each_form_of_a_stream_is_read() {
        let one = r#"{"log_id":"9001","data":{"date":"2026-11-02T08:00:00.000Z","is_mobile":false,"x\"y":[1, 2],"log_id":"9001"}}"#;
        let other = r#"{ "log_id" : "9002" , "extra" : 1 , "data" : {} }"#;
        let first = r#"{"log_id":"9001","date":"2026-11-02T08:00:00.000Z","isMobile":false,"x\"y":[1, 2]}"#;
        let both = format!(r#"[{first},{{"log_id":"9002"}}]"#);
        assert_eq!(records(one.as_bytes()), Ok(format!("[{first}]")));
        for body in [format!(" [{one},\n{other}]"), format!("{one}\n{other}\n"), format!("{one}\r\n\r\n{other}")] {
            assert_eq!(records(body.as_bytes()).as_deref(), Ok(&*both), "{body}");
        }
        assert_eq!(records(b" [] "), Ok("[]".to_owned()));
        assert_eq!(records(b"\n"), Ok("[]".to_owned()));
    }

    #[test]
    fn what_is_no_log_is_refused_with_all_that_is_beside_it() {
        for body in [
            "{",
            "null",
            "[1]",
            r#"{"log_id":"9001"}"#,
            r#"{"data":{}}"#,
            r#"{"log_id":9001,"data":{}}"#,
            r#"{"log_id":"x9001","data":{}}"#,
            r#"{"log_id":"9001","data":[]}"#,
            r#"[{"log_id":"9001","data":{}},{}]"#,
            r#"[{"log_id":"9001","data":{}}] []"#,
            "{\"log_id\":\"9001\",\"data\":{}}\nx",
            r#"{"log_id":"9001","data":{"\ud800":1}}"#,
        ] {
            assert_eq!(records(body.as_bytes()), Err(PushError::Malformed), "{body}");
        }
        assert_eq!(records(b"\xff"), Err(PushError::Malformed));
        let ahead = format!(r#"[{{"log_id":"9001","data":{{}}}},{{"log_id":"{}","data":{{}}}}]"#, "9".repeat(56));
        assert_eq!(records(ahead.as_bytes()), Err(PushError::Ahead));
    }
}
