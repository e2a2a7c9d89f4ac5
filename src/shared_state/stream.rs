//! A stream, read by whoever follows it, on a connection of its own: a read that waits would keep all others on the shared one waiting.

use std::fmt;
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;

use super::{Inner, Key, SharedState, SharedStateError, connection, milliseconds};
use crate::deadline::Deadline;

/// Most entries that are read at once.
const MOST_AT_ONCE: usize = 16;

/// The id of an entry: milliseconds by the clock of Redis, and a number among those of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId(u64, u64);

impl StreamId {
    /// The id before all others.
    pub(crate) const LOWEST: Self = Self(0, 0);

    /// Reads an id, as Redis writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (time, number) = text.split_once('-')?;
        Some(Self(time.parse().ok()?, number.parse().ok()?))
    }

    /// The first id of some time before this one.
    pub(crate) fn earlier(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(milliseconds(time)), 0)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamEntry {
    /// Its id.
    pub(crate) id: StreamId,
    /// The name of its first field; empty if it is no text.
    pub(crate) name: String,
    /// The value of that.
    pub(crate) value: Vec<u8>,
}

/// A connection by which a stream is read.
pub(crate) struct StreamReader {
    connection: MultiplexedConnection,
    /// Time that an answer may take beyond that for which Redis was asked to wait.
    timeout: Duration,
}

impl SharedState {
    /// Opens a connection to read streams by.
    pub(crate) async fn open_reader(&self) -> Result<StreamReader, SharedStateError> {
        if self.is_gone() {
            return Err(SharedStateError);
        }
        let (Inner { url, prefix, .. }, timeout) = (&*self.0, self.background_timeout());
        let opening = connection::open_writable(url, prefix, timeout);
        let opened = Deadline::within(timeout).limit(opening).await;
        let connection = opened.ok().and_then(Result::ok).ok_or(SharedStateError)?;
        Ok(StreamReader { connection, timeout })
    }
}

impl StreamReader {
    /// The entries behind `after`, of which there may be more. If there are none they are waited for, for some time. An error is the end
    /// of the connection.
    pub(crate) async fn read(
        &mut self,
        stream: &Key,
        after: StreamId,
        wait: Option<Duration>,
    ) -> Result<Vec<StreamEntry>, SharedStateError> {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(MOST_AT_ONCE);
        if let Some(wait) = wait {
            command.arg("BLOCK").arg(milliseconds(wait));
        }
        command.arg("STREAMS").arg(&stream.0).arg(after.to_string());
        let timeout = self.timeout + wait.unwrap_or_default();
        let answer = Deadline::within(timeout).limit(command.query_async(&mut self.connection)).await;
        Ok(entries(answer.map_err(|_| SharedStateError)?.map_err(|_| SharedStateError)?))
    }
}

/// The entries in an answer to `XREAD` of one stream. In what is of another form there are none.
fn entries(answer: Value) -> Vec<StreamEntry> {
    let stream = match answer {
        Value::Array(mut streams) => match streams.pop() {
            Some(Value::Array(mut stream)) => stream.pop(),
            _ => None,
        },
        // By the newer protocol.
        Value::Map(mut streams) => streams.pop().map(|(_, entries)| entries),
        _ => None,
    };
    let Some(Value::Array(entries)) = stream else { return Vec::new() };
    entries.into_iter().filter_map(entry).collect()
}

fn entry(entry: Value) -> Option<StreamEntry> {
    let Value::Array(parts) = entry else { return None };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    let id = StreamId::parse(std::str::from_utf8(&bytes(id)?).ok()?)?;
    let mut fields = match fields {
        Value::Array(fields) => fields.into_iter(),
        _ => return None,
    };
    let name = fields.next().and_then(bytes).and_then(|name| String::from_utf8(name).ok()).unwrap_or_default();
    let value = fields.next().and_then(bytes).unwrap_or_default();
    Some(StreamEntry { id, name, value })
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn ids_are_in_the_order_of_their_numbers() {
        let id = |text| StreamId::parse(text).unwrap();
        assert!(id("9-1") < id("10-0") && id("10-2") < id("10-10") && StreamId::LOWEST < id("0-1"));
        assert_eq!(id("1700000000000-3").to_string(), "1700000000000-3");
        assert_eq!(id("5000-3").earlier(Duration::from_secs(2)), id("3000-0"));
        assert_eq!(id("5000-3").earlier(Duration::from_secs(9)), StreamId::LOWEST);
        for wrong in ["", "1", "-1", "1-", "a-b", "-", "+", "1-2-3"] {
            assert_eq!(StreamId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_read_in_either_protocol_and_what_is_no_entry_is_left_out() {
        let entry = |id: &str| Value::Array(vec![text(id), Value::Array(vec![text("f"), text("v"), text("g")])]);
        let list =
            Value::Array(vec![entry("1-0"), Value::Nil, entry("x"), Value::Array(vec![text("2-0")]), entry("2-0")]);
        let ids = |answer| entries(answer).iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>();
        let expected = StreamEntry { id: StreamId(1, 0), name: "f".to_owned(), value: b"v".to_vec() };
        let old = Value::Array(vec![Value::Array(vec![text("key"), list.clone()])]);
        assert_eq!(entries(old.clone()).first(), Some(&expected));
        assert_eq!(
            (ids(old), ids(Value::Map(vec![(text("key"), list)]))),
            (vec!["1-0".to_owned(), "2-0".to_owned()], vec!["1-0".to_owned(), "2-0".to_owned()])
        );
        for none in [
            Value::Nil,
            Value::Int(1),
            Value::Array(Vec::new()),
            Value::Array(vec![Value::Nil]),
            Value::Map(Vec::new()),
        ] {
            assert_eq!(entries(none), []);
        }
        let odd = Value::Array(vec![text("3-0"), Value::Array(Vec::new())]);
        let odd = entries(Value::Map(vec![(text("key"), Value::Array(vec![odd]))]));
        assert_eq!(odd, [StreamEntry { id: StreamId(3, 0), name: String::new(), value: Vec::new() }]);
    }
}
