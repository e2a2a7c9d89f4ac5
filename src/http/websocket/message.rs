//! Messages of the protocol. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A message of the client.
#[derive(Debug)]
pub(crate) enum ClientMessage<'a> {
    /// `connection_init`, with its payload.
    Init(Option<&'a RawValue>),
    /// `ping`.
    Ping,
    /// `pong`.
    Pong,
    /// `subscribe`: an operation to run, in the form of a POST's body.
    Subscribe {
        /// The id that the response is to carry.
        id: String,
        /// A JSON object.
        payload: &'a str,
    },
    /// `complete`: the response is not wanted any more.
    Complete {
        /// The operation's id.
        id: String,
    },
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    id: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// Reads a message. The error is a sentence for the client.
pub(crate) fn read(text: &str) -> Result<ClientMessage<'_>, &'static str> {
    let Parts { kind, id, payload } = serde_json::from_str(text)
        .map_err(|_| "A message is a JSON object with a `type`, an `id` and a `payload`, each once at most.")?;
    let is_object = |payload: &RawValue| payload.get().starts_with('{');
    let id = || id.filter(|id| !id.is_empty()).ok_or("There is no `id`.");
    match &*kind {
        "connection_init" => Ok(ClientMessage::Init(payload)),
        "ping" | "pong" if payload.is_some_and(|payload| !is_object(payload)) => {
            Err("The `payload` must be an object.")
        }
        "ping" => Ok(ClientMessage::Ping),
        "pong" => Ok(ClientMessage::Pong),
        "subscribe" => {
            let payload = payload.filter(|payload| is_object(payload)).ok_or("The `payload` must be an object.")?;
            Ok(ClientMessage::Subscribe { id: id()?, payload: payload.get() })
        }
        "complete" => Ok(ClientMessage::Complete { id: id()? }),
        _ => Err("The `type` must be connection_init, ping, pong, subscribe or complete."),
    }
}

/// `connection_ack`: the client is authenticated.
pub(crate) const ACK: &str = r#"{"type":"connection_ack"}"#;

/// `pong`.
pub(crate) const PONG: &str = r#"{"type":"pong"}"#;

/// `next`, with a response as it was written.
pub(crate) fn next(id: &str, response: &str) -> String {
    with_payload("next", id, response)
}

/// `error`, with the errors of a response to an operation that never ran, as they were written. None if it has none.
pub(crate) fn error(id: &str, response: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal<'a> {
        #[serde(borrow)]
        errors: &'a RawValue,
    }
    let refusal: Refusal<'_> = serde_json::from_str(response).ok()?;
    Some(with_payload("error", id, refusal.errors.get()))
}

/// `complete`: no more is to come.
pub(crate) fn complete(id: &str) -> String {
    format!(r#"{{"id":{},"type":"complete"}}"#, Value::from(id))
}

fn with_payload(kind: &str, id: &str, payload: &str) -> String {
    format!(r#"{{"id":{},"type":"{kind}","payload":{payload}}}"#, Value::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_whatever_else_they_hold() {
        for (text, expected) in [
            (r#"{"type":"connection_init"}"#, "Init(None)"),
            (r#"{"type":"connection_init","payload":null}"#, "Init(None)"),
            (r#"{"type":"connection_init","payload":{"a":1}}"#, r#"Init(Some(RawValue({"a":1})))"#),
            (r#" {"payload":{},"type":"ping"} "#, "Ping"),
            (r#"{"type":"pong","id":null,"more":[1]}"#, "Pong"),
            (
                r#"{"type":"subscribe","id":"a\"b","payload": {"query" : "{a}"} }"#,
                r#"Subscribe { id: "a\"b", payload: "{\"query\" : \"{a}\"}" }"#,
            ),
            (r#"{"type":"c\u006fmplete","id":"1"}"#, r#"Complete { id: "1" }"#),
        ] {
            assert_eq!(format!("{:?}", read(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_none_of_the_protocol_s_is_named() {
        for (text, expected) in [
            ("", "JSON object"),
            ("null", "JSON object"),
            ("[]", "JSON object"),
            ("{}", "JSON object"),
            (r#"{"type":1}"#, "JSON object"),
            (r#"{"type":"ping","type":"pong"}"#, "each once"),
            (r#"{"type":"ping"} {"type":"ping"}"#, "JSON object"),
            (r#"{"type":"start"}"#, "`type` must be"),
            (r#"{"type":"connection_ack"}"#, "`type` must be"),
            (r#"{"type":"ping","payload":1}"#, "`payload` must be"),
            (r#"{"type":"subscribe","payload":{}}"#, "no `id`"),
            (r#"{"type":"subscribe","id":"","payload":{}}"#, "no `id`"),
            (r#"{"type":"subscribe","id":1,"payload":{}}"#, "JSON object"),
            (r#"{"type":"subscribe","id":"\ud800","payload":{}}"#, "JSON object"),
            (r#"{"type":"subscribe","id":"1"}"#, "`payload` must be"),
            (r#"{"type":"subscribe","id":"1","payload":[]}"#, "`payload` must be"),
            (r#"{"type":"complete"}"#, "no `id`"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn what_was_written_is_passed_on_as_it_is() {
        let id = "a\"\n";
        assert_eq!(
            next(id, "{\"data\" :1e400}"),
            "{\"id\":\"a\\\"\\n\",\"type\":\"next\",\"payload\":{\"data\" :1e400}}"
        );
        let refusal = r#"{"errors":[ {"message":"é"} ]}"#;
        assert_eq!(error("1", refusal).unwrap(), r#"{"id":"1","type":"error","payload":[ {"message":"é"} ]}"#);
        assert_eq!(error("1", "{}"), None);
        assert_eq!(complete("1"), r#"{"id":"1","type":"complete"}"#);
    }
}
