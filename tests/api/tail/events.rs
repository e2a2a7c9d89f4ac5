//! A client of Server-Sent Events that hears every line.

use std::collections::VecDeque;

use reqwest::Response;
use serde_json::{Value, json};

use crate::gateway::TestGateway;

/// An event, with its fields as they came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    pub(super) kind: String,
    pub(super) data: String,
}

impl Event {
    pub(super) fn payload(&self) -> Value {
        assert_eq!(self.kind, "next", "{self:?}");
        serde_json::from_str(&self.data).unwrap()
    }

    pub(super) fn log_id(&self) -> String {
        let payload = self.payload();
        payload["data"]["logs"]["logId"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
    }
}

/// A stream of events.
pub(super) struct Events {
    pub(super) response: Response,
    text: String,
    waiting: VecDeque<Event>,
    pub(super) comments: usize,
}

impl Events {
    pub(super) fn of(response: Response) -> Self {
        Self { response, text: String::new(), waiting: VecDeque::new(), comments: 0 }
    }

    /// Subscribes with a POST.
    pub(super) async fn subscribe(gateway: &TestGateway, query: &str, headers: &[(&str, &str)]) -> Self {
        let request = gateway.http.post(format!("{}/graphql", gateway.url)).json(&json!({ "query": query }));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Self::of(request.header("accept", "text/event-stream").send().await.unwrap())
    }

    /// The next event; none at the end.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = read(block);
                self.comments += usize::from(event.is_none());
                self.waiting.extend(event);
                self.text = rest.to_owned();
            }
        }
    }

    /// Waits for the next comment.
    pub(super) async fn heartbeat(&mut self) {
        let before = self.comments;
        while self.comments == before {
            let chunk = self.response.chunk().await.unwrap().unwrap();
            assert_eq!(&chunk[..], b":\n\n");
            self.comments += 1;
        }
    }

    /// The ids of the next logs.
    pub(super) async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.next().await.unwrap().log_id());
        }
        ids
    }
}

fn read(block: &str) -> Option<Event> {
    let mut event = Event::default();
    let mut data = Vec::new();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => {}
            "id" => event.id = Some(value.to_owned()),
            "event" => event.kind = value.to_owned(),
            "data" => data.push(value),
            _ => panic!("{line}"),
        }
    }
    event.data = data.join("\n");
    (!event.kind.is_empty()).then_some(event)
}
