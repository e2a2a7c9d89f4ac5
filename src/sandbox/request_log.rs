//! The calls that the tenant got, for those who test a client.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// The number of calls that are remembered; then the oldest are forgotten.
const REMEMBERED: usize = 20_000;

/// A list of calls, in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    calls: VecDeque<Value>,
    /// The number of calls that were forgotten or cleared, which is that of the first one in `calls`.
    gone: u64,
}

impl RequestLog {
    /// Notes that a call came in; returns its number. It has no status until it is answered.
    pub(crate) fn arrived(&self, method: &str, path: &str, query: Option<&str>, at: &str) -> u64 {
        let mut pages = self.0.lock();
        if pages.calls.len() == REMEMBERED {
            pages.calls.pop_front();
            pages.gone += 1;
        }
        let query = query.unwrap_or_default();
        pages.calls.push_back(json!({ "method": method, "path": path, "query": query, "status": null, "at": at }));
        pages.gone + pages.calls.len() as u64 - 1
    }

    /// Notes how the call with a number was answered.
    pub(crate) fn answered(&self, number: u64, status: u16) {
        let mut pages = self.0.lock();
        let position = number.checked_sub(pages.gone).map(|n| n as usize);
        if let Some(call) = position.and_then(|position| pages.calls.get_mut(position)) {
            call["status"] = status.into();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut pages = self.0.lock();
        pages.gone += pages.calls.len() as u64;
        pages.calls.clear();
    }

    /// The calls as JSON.
    pub(crate) fn list(&self) -> Value {
        self.0.lock().calls.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_calls_are_forgotten_and_numbers_stay_right() {
        let request_log = RequestLog::default();
        let first = request_log.arrived("GET", "/a", None, "");
        for _ in 1..REMEMBERED {
            request_log.arrived("GET", "/b", Some("q=1"), "");
        }
        request_log.answered(first, 200);
        assert_eq!(request_log.list()[0]["status"], 200);
        let last = request_log.arrived("GET", "/c", None, "");
        request_log.answered(first, 500);
        request_log.answered(last, 404);
        let list = request_log.list();
        assert_eq!(list[0]["path"], "/b");
        assert_eq!(list[0]["status"], Value::Null);
        assert_eq!(list[REMEMBERED - 1]["status"], 404);
        request_log.clear();
        request_log.answered(last, 200);
        assert_eq!(request_log.list(), json!([]));
    }
}
