//! Pages of records, from the body and the `Link` header of a response.
//!
//! Records are not decoded here, only found: they leave as a slice of the very body that Auth0
//! sent. What is around them is read leniently, for Auth0's own documents and answers differ.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Error, UnavailableReason};
use super::ids::LogId;

/// A list of records.
#[derive(Debug, Clone)]
pub struct Page {
    /// The records: a JSON array, exactly as Auth0 sent it. Only that it begins and ends as one has been seen to; whoever
    /// reads the records has to be ready for anything between.
    pub records: Bytes,
    /// Number of records that match, if that was asked and answered.
    pub total: Option<u64>,
    /// The place to read on from: the `from` of the next call. Of the stream of logs a `Link` header says so, of other lists the
    /// object around them.
    pub next: Option<Box<str>>,
    /// Identity of the answer, which projections are kept under.
    pub identity: AnswerIdentity,
}

/// The identity of one answer of Auth0's, which is shared by all who are given it, from the cache or from a call under way.
#[derive(Debug, Clone)]
pub struct AnswerIdentity(Arc<IdentityState>);

#[derive(Debug)]
struct IdentityState {
    id: u64,
    is_invalid: AtomicBool,
}

impl AnswerIdentity {
    /// A number that no other answer has in the life of the process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Says that nothing can be made of the answer: it is not served again from the cache.
    pub fn invalidate(&self) {
        self.0.is_invalid.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_invalid(&self) -> bool {
        self.0.is_invalid.load(Ordering::Relaxed)
    }
}

impl Default for AnswerIdentity {
    /// A new one.
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(IdentityState { id: NEXT.fetch_add(1, Ordering::Relaxed), is_invalid: AtomicBool::new(false) }))
    }
}

impl Default for Page {
    /// An empty list.
    fn default() -> Self {
        Self { records: Bytes::from_static(b"[]"), total: None, next: None, identity: AnswerIdentity::default() }
    }
}

impl Page {
    /// Reads a list: a bare array, or an object that has the array under `key` (`users`, `logs`)
    /// and perhaps a `total`.
    pub(crate) fn read(body: &Bytes, key: &str, headers: &HeaderMap) -> Result<Self, Error> {
        let mut next = next_from_link(headers).map(LogId::into_text);
        let text = trimmed(body);
        // By far the most of what is read is a bare array. Going through it twice would be a fifth of an answer's cost: it
        // is gone through by whoever reads its records. What was cut off or is no JSON at all shows at the ends.
        if let [b'[', .., b']'] = text {
            return Ok(Self { records: body.slice_ref(text), total: None, next, identity: AnswerIdentity::default() });
        }
        let (records, total) = match text.first() {
            Some(b'{') => {
                let envelope: HashMap<Cow<'_, str>, &RawValue> = json(body)?;
                let total = envelope.get("total").and_then(|raw| raw.get().parse().ok());
                let told = envelope.get("next").and_then(|raw| serde_json::from_str::<Box<str>>(raw.get()).ok());
                next = next.or(told.filter(|next| !next.is_empty()));
                (envelope.get(key).map(|raw| raw.get()), total)
            }
            _ => (Some(json::<&RawValue>(body)?.get()), None),
        };
        let records =
            records.filter(|text| text.starts_with('[')).ok_or(Error::unavailable(UnavailableReason::Unexpected))?;
        Ok(Self { records: body.slice_ref(records.as_bytes()), total, next, identity: AnswerIdentity::default() })
    }
}

/// The text without the white space around it that JSON allows.
fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] | [rest @ .., b' ' | b'\t' | b'\n' | b'\r'] = text {
        text = rest;
    }
    text
}

/// Reads a single record: a JSON object, exactly as Auth0 sent it.
pub(crate) fn record(body: &Bytes) -> Result<Bytes, Error> {
    let text = json::<&RawValue>(body)?.get();
    if !text.starts_with('{') {
        return Err(Error::unavailable(UnavailableReason::Unexpected));
    }
    Ok(body.slice_ref(text.as_bytes()))
}

/// The body's one JSON value. It is borrowed, so what is found in it is where it is in the body.
fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    // The parser's message quotes nothing of the body: it has a line, a column and what was
    // expected there.
    serde_json::from_slice(body).map_err(|error| Error::unavailable_because(UnavailableReason::NotJson, error))
}

/// The `from` of the first `rel="next"` in the `Link` headers (RFC 8288) that is a valid log id. Of
/// the address nothing else is taken: where calls go is not for an answer to say.
fn next_from_link(headers: &HeaderMap) -> Option<LogId> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(links)
        .filter(|(_, parameters)| is_next(parameters))
        .find_map(|(target, _)| {
            let query = target.split_once('?')?.1.split('#').next()?;
            let from = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "from")?.1;
            LogId::parse(&from).ok()
        })
}

/// Splits a header into targets and their parameters: `<target>; a=b; c="d", <target>; …`.
fn links(header: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = header;
    std::iter::from_fn(move || {
        let (target, behind) = rest.split_once('<')?.1.split_once('>')?;
        // A comma ends the link, unless it stands in quotes.
        let mut quoted = false;
        let end = behind.find(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let (parameters, next) = end.map_or((behind, ""), |at| behind.split_at(at));
        rest = next;
        Some((target, parameters))
    })
}

/// True if one of the parameters is a `rel` that has `next` among its relations.
fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn page(body: &'static str) -> Result<(Bytes, Option<u64>), Error> {
        Page::read(&Bytes::from_static(body.as_bytes()), "users", &HeaderMap::new()).map(|p| (p.records, p.total))
    }

    #[test]
    fn the_array_is_found_wherever_it_is() -> TestResult {
        for (body, records, total) in [
            ("[]", "[]", None),
            (" \n[ {\"a\": 1} ]\r\n", "[ {\"a\": 1} ]", None),
            (r#"{"start":0,"limit":50,"length":1,"users":[{"users":[]}],"total":17}"#, r#"[{"users":[]}]"#, Some(17)),
            (r#" { "total" : 0 , "users" : [ ] } "#, "[ ]", Some(0)),
            (r#"{"user\u0073":[1],"total":"many"}"#, "[1]", None),
            (r#"{"users":[1],"total":-1}"#, "[1]", None),
            (r#"{"users":[1],"users":[2]}"#, "[2]", None),
            (r#"[1e400,"\ud800",18446744073709551616]"#, r#"[1e400,"\ud800",18446744073709551616]"#, None),
        ] {
            assert_eq!(page(body)?, (Bytes::from_static(records.as_bytes()), total), "{body}");
        }
        Ok(())
    }

    #[test]
    fn records_share_the_body_that_they_came_in() -> TestResult {
        let body = Bytes::from_static(b" [1, 2] ");
        let records = Page::read(&body, "users", &HeaderMap::new())?.records;
        assert_eq!(records.as_ptr(), body[1..].as_ptr());
        Ok(())
    }

    #[test]
    fn whatever_is_not_a_list_is_an_outage() {
        for (body, expected) in [
            ("", UnavailableReason::NotJson),
            ("<html>502</html>", UnavailableReason::NotJson),
            ("[1", UnavailableReason::NotJson),
            ("\u{c}[1]", UnavailableReason::NotJson),
            (r#"{"users":[1 2]}"#, UnavailableReason::NotJson),
            ("null", UnavailableReason::Unexpected),
            ("17", UnavailableReason::Unexpected),
            ("{}", UnavailableReason::Unexpected),
            (r#"{"logs":[]}"#, UnavailableReason::Unexpected),
            (r#"{"users":{}}"#, UnavailableReason::Unexpected),
        ] {
            let Err(Error::Unavailable(error)) = page(body) else {
                unreachable!("{body} is taken for a list");
            };
            assert_eq!(error.reason, expected, "{body}");
        }
        assert!(Page::read(&Bytes::from_static(b"{\"users\":[\"\xff\"]}"), "users", &HeaderMap::new()).is_err());
    }

    #[test]
    fn a_list_tells_in_its_object_where_it_goes_on() -> TestResult {
        for (body, expected) in [
            (r#"{"users":[],"next":"ab/\u0063=="}"#, Some("ab/c==")),
            (r#"{"users":[],"next":""}"#, None),
            (r#"{"users":[],"next":null}"#, None),
            (r#"{"users":[],"next":{"a":1}}"#, None),
            (r#"{"users":[{"next":"x"}]}"#, None),
            ("[]", None),
        ] {
            let page = Page::read(&Bytes::from_static(body.as_bytes()), "users", &HeaderMap::new())?;
            assert_eq!(page.next.as_deref(), expected, "{body}");
        }
        Ok(())
    }

    #[test]
    fn depth_is_no_danger() -> TestResult {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = Bytes::from(format!(r#"{{"users":[{deep}]}}"#));
        assert_eq!(Page::read(&body, "users", &HeaderMap::new())?.records.len(), deep.len() + 2);
        Ok(())
    }

    #[test]
    fn a_record_is_an_object() {
        let read = |body: &'static str| record(&Bytes::from_static(body.as_bytes())).ok();
        assert_eq!(read(" {\"a\":1} "), Some(Bytes::from_static(b"{\"a\":1}")));
        assert_eq!(read("[]"), None);
        assert_eq!(read("{\"a\":"), None);
    }

    #[test]
    fn next_is_read_from_the_link_header() -> TestResult {
        let next = |header: &str| -> Result<Option<String>, Box<dyn std::error::Error>> {
            let headers = HeaderMap::from_iter([(LINK, header.parse()?)]);
            Ok(next_from_link(&headers).map(|id| id.to_string()))
        };
        for (header, expected) in [
            (r#"<https://t.example.com/api/v2/logs?from=9002&take=1>; rel="next""#, Some("9002")),
            ("<https://t.example.com/api/v2/logs?take=1&from=9002>;rel=next", Some("9002")),
            (r#"</logs?from=1>; rel="first", </logs?a=b,c&from=2#x>; title="a, b"; REL="last NEXT""#, Some("2")),
            (r#"</logs?from=a%7Cb>; rel="next""#, Some("a|b")),
            (r#"</logs?from=..>; rel="next", </logs?from=3>; rel="next""#, Some("3")),
            (r#"</logs?from=1>; rel="prev""#, None),
            (r#"</logs?from=1>; title="rel=next""#, None),
            (r#"</logs?from=>; rel="next""#, None),
            (r#"</logs?take=1>; rel="next""#, None),
            (r#"</logs>; rel="next""#, None),
            (r#"</logs?from=1; rel="next""#, None),
            (r#"</logs?from=1>; rel"#, None),
            ("><,;\"", None),
            ("", None),
        ] {
            assert_eq!(next(header)?.as_deref(), expected, "{header}");
        }
        Ok(())
    }
}
