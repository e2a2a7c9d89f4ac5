//! Server-Sent Events, taken apart: <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>. Pure.

/// Greatest size of an event, in bytes: a log has a kilobyte as a rule, and never as much as a megabyte.
const LARGEST_EVENT: usize = 16 << 20;

/// An event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its type; empty where it has none.
    pub(super) kind: String,
    pub(super) data: Vec<u8>,
    /// The id to resume after, be it of this event or of one before.
    pub(super) id: Option<String>,
}

/// The events of a stream that is being read.
#[derive(Debug, Default)]
pub(super) struct EventParser {
    /// The line that is not at its end.
    line: Vec<u8>,
    /// True after a carriage return, which a line feed may belong to.
    is_after_return: bool,
    event: Event,
    has_data: bool,
}

/// An event is larger than any should be.
#[derive(Debug, thiserror::Error)]
#[error("an event is larger than 16 MiB")]
pub(super) struct EventTooLargeError;

impl EventParser {
    /// Takes in the next bytes; returns the events that they complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, EventTooLargeError> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.is_after_return) && *first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', rest);
            self.line.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
            if self.line.len() + self.event.data.len() > LARGEST_EVENT {
                return Err(EventTooLargeError);
            }
            let Some(end) = end else { break };
            self.is_after_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            events.extend(self.end_line(&line));
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            return self.end_event();
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.event.kind = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => self.event.id = Some(String::from_utf8_lossy(value).into_owned()),
            b"data" => {
                if self.has_data {
                    self.event.data.push(b'\n');
                }
                self.has_data = true;
                self.event.data.extend_from_slice(value);
            }
            // A comment, or something that is none of ours.
            _ => {}
        }
        None
    }

    fn end_event(&mut self) -> Option<Event> {
        // The id stays for those to come.
        let id = self.event.id.clone();
        let event = std::mem::replace(&mut self.event, Event { id, ..Event::default() });
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] =
        b":\n\nid: 9\nevent: next\ndata: {\r\ndata:1}\n\nevent:next\rdata: 2\r\rid\nretry: 5\nevent: lost\n\nevent: complete\ndata:\n\ndata: unfinished";

    fn event(kind: &str, data: &[u8], id: Option<&str>) -> Event {
        Event { kind: kind.to_owned(), data: data.to_vec(), id: id.map(ToOwned::to_owned) }
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let expected =
            [event("next", b"{\n1}", Some("9")), event("next", b"2", Some("9")), event("complete", b"", Some(""))];
        for size in 1..STREAM.len() {
            let mut parser = EventParser::default();
            let events: Vec<_> = STREAM.chunks(size).flat_map(|bytes| parser.feed(bytes).unwrap()).collect();
            assert_eq!(events, expected, "{size}");
        }
    }

    #[test]
    fn what_never_ends_is_not_kept() {
        let mut parser = EventParser::default();
        let megabyte = vec![b'x'; 1 << 20];
        assert!((0..20).any(|_| parser.feed(&megabyte).is_err()));
        let mut parser = EventParser::default();
        let line = [b"data:", &megabyte[..], b"\n"].concat();
        assert!((0..20).any(|_| parser.feed(&line).is_err()));
    }
}
