//! Entry points for benchmarks, of the way to Auth0 without Auth0, and for the fuzz targets in `fuzz/`. Each panics if a promise of this
//! module is broken.
#![expect(clippy::expect_used, reason = "whatever is wrong here is to end the benchmark or the fuzzer")]

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::api_request::ApiRequest;
use super::call_context::{CallerKey, Priority};
use super::domain::Domain;
use super::endpoints::{LOG, LOG_SEARCH, LOG_STREAM, USER, USERS, USERS_BY_EMAIL};
use super::fields_parameter::Fields;
use super::grant::{AuthenticationApi, Grant};
use super::ids::{Email, LogId, UserId};
use super::list_parameters::{Direction, LogCheckpoint, LogSearch, UserSearch};
use super::pace::{Governor, PaceRequest, PaceSettings, RateClass, RequestHash, ReservationKey};
use super::page::{self, Page};
use super::request_target::RequestKey;
use super::retry::RetryPolicy;
use super::token::TokenCache;
use super::transport::Transport;
use crate::deadline::Deadline;
use crate::single_flight::{Cancellation, SingleFlight};

/// Steps between a request and its call, ready to be used. Needs a Tokio runtime around it.
pub struct Steps {
    tokens: TokenCache,
    governor: Governor,
    in_flight: SingleFlight<RequestKey, Bytes>,
    /// The headers that Auth0 sends with each answer, of a bucket that is nearly full.
    headers: HeaderMap,
    deadline: Deadline,
}

impl Steps {
    /// Sets up the steps of a client that holds a token for a day. It calls nobody.
    pub fn set_up() -> Self {
        let domain = Domain::parse("tenant.example.com").expect("a domain");
        let transport = Transport::new(domain, RetryPolicy::default(), 0.0, None).expect("a client");
        let audience = "https://tenant.example.com/api/v2/".to_owned();
        let authentication = SecretString::from("made up").into();
        let api = AuthenticationApi::new(transport, audience, "made up".to_owned(), authentication);
        let grant = Grant {
            header: HeaderValue::from_static("Bearer made.up"),
            asked_at: Instant::now(),
            life: Duration::from_secs(24 * 60 * 60),
            scopes: None,
            is_shared: false,
        };
        let headers =
            [("x-ratelimit-limit", "50"), ("x-ratelimit-remaining", "48"), ("x-ratelimit-reset", "1790000001")]
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Self {
            tokens: TokenCache::holding(api, grant),
            governor: Governor::new(PaceSettings { reserve: 0.0, queue: 1_000 }),
            in_flight: SingleFlight::new(Cancellation::WithLastWaiter),
            headers: HeaderMap::from_iter(headers),
            deadline: Deadline::within(Duration::from_secs(60 * 60)),
        }
    }

    /// Takes the token that a call would carry.
    pub async fn token(&self) -> HeaderValue {
        self.tokens.token(&self.deadline.into()).await.expect("it has one").header()
    }

    /// Takes a turn, as one of many callers, and learns from the answer.
    pub async fn turn(&self, caller: u64) {
        let reservation = ReservationKey { caller: CallerKey(caller), request: RequestHash::of("/api/v2/users") };
        let turn = PaceRequest { class: RateClass::Users, reservation, priority: Priority::Interactive };
        let permit = self.governor.admit(turn, self.deadline).await.expect("there is room");
        permit.answered(StatusCode::OK, &self.headers);
    }

    /// Asks the same question for so many at once: one call is made for all of them.
    pub async fn share(&self, waiters: usize) -> usize {
        let key = RequestKey::of("/api/v2/users");
        let ask = || {
            let waiter = self.in_flight.join_or_start(&key, self.deadline, |_| async {
                tokio::task::yield_now().await;
                Bytes::from_static(b"[]")
            });
            waiter.outcome(self.deadline)
        };
        join_all((0..waiters).map(|_| ask())).await.iter().filter(|answer| answer.is_ok()).count()
    }
}

/// Finds the records in a body: how many bytes they are.
pub fn find_records(body: &Bytes) -> usize {
    Page::read(body, "users", &HeaderMap::new()).expect("a page").records.len()
}

/// Sends what a caller says to Auth0 as it was said, in the place that is meant for it, or refuses it.
pub fn arguments(text: &str) {
    if let Ok(id) = UserId::parse(text) {
        in_path(&ApiRequest::record(&USER, &id, &Fields::All), "users", text);
    }
    if let Ok(id) = LogId::parse(text) {
        in_path(&ApiRequest::record(&LOG, &id, &Fields::All), "logs", text);
    }
    if let Ok(email) = Email::parse(text) {
        in_query(&ApiRequest::list(&USERS_BY_EMAIL, &email, &Fields::All), "email", Some(text));
    }
    if let Ok(checkpoint) = LogCheckpoint::new(text, 1) {
        in_query(&ApiRequest::list(&LOG_STREAM, &checkpoint, &Fields::All), "from", Some(text));
    }
    let q = Some(text).filter(|text| !text.trim().is_empty());
    if let Ok(search) = UserSearch::new(Some(text), 0, 1, None) {
        in_query(&ApiRequest::list(&USERS, &search, &Fields::All), "q", q);
    }
    if let Ok(search) = LogSearch::new(Some(text), 0, 1, Direction::Descending) {
        in_query(&ApiRequest::list(&LOG_SEARCH, &search, &Fields::All), "q", q);
    }
}

/// The address of a request, by the parser that the HTTP client has.
fn url<T>(request: &ApiRequest<T>) -> Url {
    let target = request.0.target(true);
    let url = Url::parse(&format!("https://example.us.auth0.com{target}")).expect("a target");
    assert_eq!(url.as_str(), format!("https://example.us.auth0.com{target}"), "it is not sent as written");
    url
}

fn in_path<T>(request: &ApiRequest<T>, collection: &str, id: &str) {
    let url = url(request);
    let segments: Vec<_> = url.path().split('/').collect();
    let [_, "api", "v2", found, last] = segments[..] else { unreachable!("{id:?} leaves its place: {url}") };
    assert_eq!(found, collection);
    assert_eq!(percent_encoding::percent_decode_str(last).decode_utf8().as_deref(), Ok(id));
    assert_eq!((url.query(), url.fragment()), (None, None));
}

fn in_query<T>(request: &ApiRequest<T>, key: &str, expected: Option<&str>) {
    let url = url(request);
    assert_eq!(Some(url.path()), request.0.target(true).split('?').next());
    let values: Vec<_> = url.query_pairs().filter(|(name, _)| name == key).map(|(_, value)| value).collect();
    assert_eq!(values, expected.into_iter().collect::<Vec<_>>());
}

/// Reads the records of an answer, whatever surrounds them: what is found is a part of the body, JSON if the body is, and where it
/// goes on is no empty text.
pub fn envelope(link: &[u8], body: &[u8]) {
    let headers: HeaderMap = HeaderValue::from_bytes(link).into_iter().map(|value| (LINK, value)).collect();
    let body = Bytes::copy_from_slice(body);
    let is_json = serde_json::from_slice::<IgnoredAny>(&body).is_ok();
    if let Ok(page) = Page::read(&body, "users", &headers) {
        assert!(lies_in(&page.records, &body) && page.records.starts_with(b"[") && page.records.ends_with(b"]"));
        assert_eq!(serde_json::from_slice::<Vec<IgnoredAny>>(&page.records).is_ok(), is_json);
        assert!(page.next.is_none_or(|next| !next.is_empty()));
    } else if let Ok(value) = serde_json::from_slice::<Value>(&body) {
        let list = if value.is_object() { &value["users"] } else { &value };
        assert!(!list.is_array(), "a list was not found");
    }
    if let Ok(record) = page::record(&body) {
        assert!(is_json && lies_in(&record, &body) && record.starts_with(b"{") && record.ends_with(b"}"));
    }
}

fn lies_in(part: &Bytes, whole: &Bytes) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_a_caller_says_stays_in_its_place(text in r#"\PC{0,40}|[a-z|%/?#&=.\\ "+\n]{0,20}"#) {
            arguments(&text);
        }

        #[test]
        fn records_are_found_or_there_are_none(
            link in r#"(<https://[a-z./]{0,9}\?from=[0-9a-f%]{0,9}>; ?rel="?next"?,?|\PC){0,3}"#,
            body in r#"[\[{]{0,2}("users"|"total"|[\[\]{}:,"] ?|1|null){0,12}[\]}]{0,2}"#,
        ) {
            envelope(link.as_bytes(), body.as_bytes());
        }
    }
}
