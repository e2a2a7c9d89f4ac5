//! Misbehavior on demand, and at random when there is to be chaos.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use futures_util::{StreamExt as _, stream};
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use serde_json::json;

use super::envelope::{self, ApiError};
use super::fixtures::{Stream, rng};

/// A rule to misbehave, as `POST /_sandbox/faults` takes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultRule {
    /// The beginning of the paths that are concerned; every path without it.
    path: Option<String>,
    /// The number of answers.
    #[serde(default = "once")]
    times: u32,
    fault: Fault,
}

fn once() -> u32 {
    1
}

/// The misbehaviour.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Fault {
    Connection(ConnectionFault),
    Body(Verbatim),
    Status(Status),
}

/// Faults of the way rather than of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ConnectionFault {
    /// A page for people, from the edge in front of the API.
    Html,
    /// The connection is closed without an answer.
    Reset,
    /// The answer stops half-way.
    Cut,
    /// The answer is right, and this many milliseconds late.
    Slow(u64),
}

/// An error in the envelope of the endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Status {
    #[serde(deserialize_with = "status")]
    status: StatusCode,
    /// Seconds, for the `Retry-After` header.
    retry_after: Option<u64>,
}

/// An answer with this text for a body, under a JSON content type.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verbatim {
    body: String,
    #[serde(default, deserialize_with = "status")]
    status: StatusCode,
}

fn status<'de, D: serde::Deserializer<'de>>(number: D) -> Result<StatusCode, D::Error> {
    let number = u16::deserialize(number)?;
    StatusCode::from_u16(number)
        .ok()
        // Below 200 there is no final answer, so the client would wait forever.
        .filter(|status| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| serde::de::Error::custom("a status is a number from 200 to 599"))
}

impl FaultRule {
    /// Reads a rule; the error says what one looks like.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|error| {
            format!(
                "{error}; expected {{\"path\"?: \"/api/v2/users\", \"times\"?: 1, \"fault\": {{\"status\": 503, \"retryAfter\"?: 2}} | {{\"slow\": 500}} | {{\"body\": \"{{}}\", \"status\"?: 200}} | \"html\" | \"reset\" | \"cut\"}}"
            )
        })
    }
}

/// The rules that are not yet done.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Mutex<Vec<FaultRule>>,
    chaos: Option<Mutex<fastrand::Rng>>,
}

impl Faults {
    pub(crate) fn new(chaos: bool, seed: u64) -> Self {
        Self { rules: Mutex::default(), chaos: chaos.then(|| Mutex::new(rng(seed, Stream::Chaos, 0))) }
    }

    pub(crate) fn add(&self, rule: FaultRule) {
        if rule.times > 0 {
            self.rules().push(rule);
        }
    }

    pub(crate) fn clear(&self) {
        self.rules().clear();
    }

    /// The fault of the next call of `path`, if any.
    pub(crate) fn next(&self, path: &str) -> Option<Fault> {
        let mut rules = self.rules();
        let ordered = rules.iter().position(|rule| rule.path.as_deref().is_none_or(|prefix| path.starts_with(prefix)));
        let Some(position) = ordered else {
            return self.by_chance();
        };
        let rule = &mut rules[position];
        rule.times -= 1;
        Some(if rule.times == 0 { rules.remove(position).fault } else { rule.fault.clone() })
    }

    /// The fault of a call in twenty when there is chaos.
    fn by_chance(&self) -> Option<Fault> {
        let mut rng = self.chaos.as_ref()?.lock();
        if rng.u32(..20) != 0 {
            return None;
        }
        let failed = |status, retry_after| Fault::Status(Status { status, retry_after });
        Some(match rng.u32(..5) {
            0 => failed(StatusCode::TOO_MANY_REQUESTS, Some(1)),
            1 => failed(StatusCode::INTERNAL_SERVER_ERROR, None),
            2 => failed(StatusCode::SERVICE_UNAVAILABLE, None),
            3 => Fault::Connection(ConnectionFault::Slow(rng.u64(200..3_000))),
            _ => Fault::Connection(ConnectionFault::Reset),
        })
    }

    fn rules(&self) -> MutexGuard<'_, Vec<FaultRule>> {
        self.rules.lock()
    }
}

impl Fault {
    /// The time that the answer is kept back.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Fault::Connection(ConnectionFault::Slow(millis)) => Some(Duration::from_millis(*millis)),
            _ => None,
        }
    }

    /// The answer in place of the right one; `None` if the right one is needed first.
    pub(crate) fn instead(&self, path: &str) -> Option<Response<Body>> {
        match self {
            Fault::Connection(ConnectionFault::Slow(_) | ConnectionFault::Cut) => None,
            Fault::Connection(ConnectionFault::Html) => Some(html()),
            Fault::Connection(ConnectionFault::Reset) => Some(reset()),
            Fault::Body(fault) => Some(envelope::with_text(fault.status, fault.body.clone())),
            Fault::Status(fault) => {
                let mut response = failed(fault.status, path);
                if let Some(seconds) = fault.retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
                Some(response)
            }
        }
    }

    /// True if there is no answer at all.
    pub(crate) fn is_reset(&self) -> bool {
        *self == Fault::Connection(ConnectionFault::Reset)
    }

    /// Spoils the right answer.
    pub(crate) async fn corrupt(&self, response: Response<Body>) -> Response<Body> {
        if *self != Fault::Connection(ConnectionFault::Cut) {
            return response;
        }
        let (mut head, body) = response.into_parts();
        // Answers are made in memory, so reading one cannot fail.
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let half = body.slice(..body.len() / 2);
        let sent = stream::once(async { Ok(half) });
        let broken = stream::once(async {
            // Lets the server send the first half before it hears of the break.
            tokio::task::yield_now().await;
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
        });
        Response::from_parts(head, Body::from_stream(sent.chain(broken)))
    }
}

/// A body that breaks before the server has sent anything, whereupon it closes the connection.
fn reset() -> Response<Body> {
    Response::new(Body::from_stream(stream::once(async {
        Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    })))
}

fn failed(status: StatusCode, path: &str) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or("Error");
    if path.starts_with("/oauth/") {
        let (error, description) = match status {
            StatusCode::TOO_MANY_REQUESTS => {
                ("too_many_requests", "Rate limit exceeded. Please retry after some time.")
            }
            StatusCode::UNAUTHORIZED => ("access_denied", "Unauthorized"),
            StatusCode::SERVICE_UNAVAILABLE => ("temporarily_unavailable", reason),
            _ => ("server_error", reason),
        };
        return envelope::json(status, &json!({"error": error, "error_description": description}));
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS => ApiError::too_many(),
        _ => ApiError::new(status, None, reason),
    }
    .into_response()
}

/// Auth0 is behind an edge whose error pages are HTML.
fn html() -> Response<Body> {
    let page = "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>Bad gateway</title></head>\n<body>\n<h1>Bad gateway <span>Error code 502</span></h1>\n<p>The web server reported a bad gateway error.</p>\n</body>\n</html>\n";
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> FaultRule {
        FaultRule::parse(json.as_bytes()).expect(json)
    }

    #[test]
    fn orders_are_done_in_turn_and_only_for_their_paths() {
        let faults = Faults::new(false, 0);
        faults.add(rule(r#"{"path": "/api/v2/users", "times": 2, "fault": {"status": 503}}"#));
        faults.add(rule(r#"{"fault": "html"}"#));
        let html = Some(Fault::Connection(ConnectionFault::Html));
        assert_eq!(faults.next("/oauth/token"), html);
        assert_eq!(faults.next("/oauth/token"), None);
        let unavailable = Some(Fault::Status(Status { status: StatusCode::SERVICE_UNAVAILABLE, retry_after: None }));
        assert_eq!(faults.next("/api/v2/users-by-email"), unavailable);
        assert_eq!(faults.next("/api/v2/users"), unavailable);
        assert_eq!(faults.next("/api/v2/users"), None);
    }

    #[test]
    fn every_fault_can_be_ordered() {
        for fault in [
            r#""html""#,
            r#""reset""#,
            r#""cut""#,
            r#"{"slow": 5}"#,
            r#"{"status": 429, "retryAfter": 2}"#,
            r#"{"body": "{}"}"#,
            r#"{"body": "nonsense", "status": 500}"#,
        ] {
            rule(&format!(r#"{{"fault": {fault}}}"#));
        }
    }

    #[test]
    fn a_wrong_order_is_refused_with_an_example() {
        for wrong in [
            "",
            "{}",
            r#"{"fault": "explode"}"#,
            r#"{"fault": {"status": 99}}"#,
            r#"{"fault": {"status": 503, "retry": 1}}"#,
            r#"{"fault": "html", "often": 3}"#,
        ] {
            let error = FaultRule::parse(wrong.as_bytes()).expect_err(wrong);
            assert!(error.contains("\"fault\""), "{error}");
        }
    }

    #[test]
    fn chaos_is_the_same_for_the_same_seed_and_small() {
        let faults = |seed| {
            let faults = Faults::new(true, seed);
            (0..1_000).map(|_| faults.next("/")).collect::<Vec<_>>()
        };
        assert_eq!(faults(1), faults(1));
        assert_ne!(faults(1), faults(2));
        let share = faults(1).iter().flatten().count();
        assert!((20..100).contains(&share), "{share} of 1000");
    }
}
