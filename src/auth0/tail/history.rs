//! Logs from before the ring, read once for all who resume.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::super::api_request::ApiRequest;
use super::super::endpoints::{LOG_SEARCH, LOG_STREAM};
use super::super::error::Error;
use super::super::fields_parameter::Fields;
use super::super::ids::LogId;
use super::super::list_parameters::{LogCheckpoint, LogSearch};
use super::batch::{self, LogBatch, RawLogs};
use super::checkpoint::PAGE;
use super::{Inner, context, is_final};

/// Age up to which it will do to know which log is the oldest that the tenant keeps, for those who resume.
pub(super) const OLDEST_KEPT: Duration = Duration::from_secs(60);

/// Pages of history, and those who wait for more.
pub(super) struct History {
    most_bytes: usize,
    pages: Mutex<Pages>,
    /// The one who reads holds it.
    reading: tokio::sync::Mutex<Option<Oldest>>,
}

/// The oldest log that the tenant keeps; none of a tenant without logs.
struct Oldest {
    id: Option<LogId>,
    since: Instant,
}

#[derive(Default)]
struct Pages {
    /// The least recently read first.
    kept: VecDeque<HistoryPage>,
    bytes: usize,
    /// The logs that somebody waits to read on from, and how many do.
    wanted: BTreeMap<LogId, usize>,
}

/// All logs after one and up to another.
#[derive(Debug, Clone)]
pub(super) struct HistoryPage {
    after: LogId,
    pub(super) up_to: LogId,
    pub(super) batch: Arc<LogBatch>,
}

impl HistoryPage {
    /// True if it has the logs that follow `id`.
    fn covers(&self, id: &LogId) -> bool {
        self.after <= *id && *id < self.up_to
    }
}

impl Pages {
    fn get(&self, id: &LogId) -> Option<HistoryPage> {
        self.kept.iter().find(|page| page.covers(id)).cloned()
    }

    /// The lowest of the logs that are waited for and of `id`, but none that a page covers.
    fn lowest(&self, id: &LogId) -> LogId {
        let open = self.wanted.keys().find(|wanted| self.get(wanted).is_none());
        open.filter(|open| *open < id).unwrap_or(id).clone()
    }

    fn keep(&mut self, page: HistoryPage, most_bytes: usize) {
        self.bytes += page.batch.size();
        self.kept.push_back(page);
        while self.bytes > most_bytes && self.kept.len() > 1 {
            let Some(old) = self.kept.pop_front() else { break };
            self.bytes -= old.batch.size();
        }
    }
}

impl History {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, pages: Mutex::default(), reading: tokio::sync::Mutex::new(None) }
    }

    /// A page with the logs that follow `id`, of those before `low`, where the ring begins. One at a time reads, from the lowest log
    /// that somebody waits for, so that many who resume at different logs cost no more than the first of them.
    pub(super) async fn page_after(&self, tail: &Inner, id: &LogId) -> Result<HistoryPage, Error> {
        let _wanted = Wanted::new(self, id);
        loop {
            let _reading = self.reading.lock().await;
            let lowest = {
                let pages = self.pages.lock();
                if let Some(page) = pages.get(id) {
                    return Ok(page);
                }
                pages.lowest(id)
            };
            let page = read(tail, &lowest).await;
            tail.metrics().read_history(page.is_ok());
            match page {
                Ok(page) => self.pages.lock().keep(page, self.most_bytes),
                // A rejection of another's log is told to the other.
                Err(error) if is_final(&error) && (lowest == *id || !matches!(error, Error::Rejected { .. })) => {
                    return Err(error);
                }
                Err(error) => back_off(tail, &error).await,
            }
        }
    }

    /// True if the tenant keeps all logs after `id`, as far as can be told: if it is no older than the oldest that there is.
    /// The oldest is looked for again once it was found longer ago than `max_age`.
    pub(super) async fn is_retained(&self, tail: &Inner, id: &LogId, max_age: Duration) -> Result<bool, Error> {
        let mut oldest = self.reading.lock().await;
        let is_known = oldest.as_ref().is_some_and(|oldest| oldest.since.elapsed() < max_age);
        if !is_known {
            *oldest = Some(Oldest { id: read_oldest(tail).await?, since: Instant::now() });
        }
        Ok(oldest.as_ref().and_then(|oldest| oldest.id.as_ref()).is_none_or(|oldest| id >= oldest))
    }
}

/// The fields of a log that say where its place is.
pub(super) fn marks() -> Fields {
    Fields::Only(vec!["log_id", "date"])
}

async fn read_oldest(tail: &Inner) -> Result<Option<LogId>, Error> {
    let request = ApiRequest::list(&LOG_SEARCH, &LogSearch::oldest(), &marks());
    loop {
        match tail.api.read(&request, &context().fresh()).await {
            Ok(page) => {
                let records = String::from_utf8_lossy(&page.records);
                return Ok(batch::read(&records)?.into_iter().map(|log| log.mark.id).min());
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => back_off(tail, &error).await,
        }
    }
}

async fn read(tail: &Inner, after: &LogId) -> Result<HistoryPage, Error> {
    // Before the read: a log that becomes visible behind this one is told by the poller.
    let low = tail.state.lock().ring.low().cloned().unwrap_or_else(|| after.clone());
    let page = tail
        .api
        .read(&ApiRequest::list(&LOG_STREAM, &LogCheckpoint::page_after(after.clone()), &Fields::All), &context())
        .await?;
    let records = String::from_utf8_lossy(&page.records);
    let RawLogs { logs, left_out } = batch::read_all(&records)?;
    tail.leave_out(left_out);
    let is_last = logs.len() + left_out < PAGE;
    let up_to = logs.last().map(|log| log.mark.id.clone()).filter(|last| !is_last && *last < low).unwrap_or(low);
    let logs = logs.iter().filter(|log| log.mark.id <= up_to);
    Ok(HistoryPage { after: after.clone(), batch: Arc::new(LogBatch::new(logs.map(|log| (log, false)))), up_to })
}

/// Waits before the next read after a failure. Whoever else wants to read waits along.
async fn back_off(tail: &Inner, error: &Error) {
    tracing::warn!(error = error.summary(), cause = error.causes(), "past logs cannot be read");
    sleep(tail.settings.max_interval).await;
}

/// Counts one who waits, until it is dropped.
struct Wanted<'h> {
    history: &'h History,
    id: LogId,
}

impl<'h> Wanted<'h> {
    fn new(history: &'h History, id: &LogId) -> Self {
        *history.pages.lock().wanted.entry(id.clone()).or_default() += 1;
        Self { history, id: id.clone() }
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        let mut pages = self.history.pages.lock();
        if let Some(count) = pages.wanted.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                pages.wanted.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> LogId {
        LogId::parse(&format!("{number:04}")).unwrap()
    }

    fn page(after: usize, last: usize) -> HistoryPage {
        let text = format!(r#"[{{"_id":"{last:04}","x":"{}"}}]"#, "x".repeat(1_000));
        let batch = LogBatch::new(batch::read(&text).unwrap().iter().map(|log| (log, false)));
        HistoryPage { after: id(after), up_to: id(last), batch: Arc::new(batch) }
    }

    #[test]
    fn a_page_serves_all_who_resume_within_it() {
        let mut pages = Pages::default();
        pages.keep(page(10, 20), 1 << 20);
        assert!([10, 15, 19].into_iter().all(|number| pages.get(&id(number)).is_some()));
        assert!([9, 20, 21].into_iter().all(|number| pages.get(&id(number)).is_none()));
    }

    #[test]
    fn the_lowest_that_nobody_has_read_is_read_first() {
        let mut pages = Pages::default();
        pages.wanted.extend([(id(12), 1), (id(25), 3), (id(40), 1)]);
        assert_eq!(pages.lowest(&id(40)), id(12));
        pages.keep(page(10, 20), 1 << 20);
        assert_eq!(pages.lowest(&id(40)), id(25));
        assert_eq!(pages.lowest(&id(22)), id(22));
    }

    #[test]
    fn pages_are_bounded_in_bytes() {
        let mut pages = Pages::default();
        for number in 0..100 {
            pages.keep(page(number, number + 1), 10_000);
            assert!(pages.bytes <= 10_000);
        }
        assert!(pages.get(&id(0)).is_none() && pages.get(&id(99)).is_some());
    }
}
