//! Entry points for the fuzz targets in `fuzz/`. Each panics if a promise of this module is broken.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue, LINK};
use serde::de::IgnoredAny;
use serde_json::Value;
use url::Url;

use super::api_request::ApiRequest;
use super::fields_parameter::Fields;
use super::ids::{Email, LogId, UserId};
use super::list_parameters::{Direction, LogCheckpoint, LogSearch, UserSearch};
use super::page::{self, Page};

/// Sends what a caller says to Auth0 as it was said, in the place that is meant for it, or refuses it.
pub fn arguments(text: &str) {
    if let Ok(id) = UserId::parse(text) {
        in_path(&ApiRequest::user(&id, &Fields::All), "users", text);
    }
    if let Ok(id) = LogId::parse(text) {
        in_path(&ApiRequest::log(&id), "logs", text);
    }
    if let Ok(email) = Email::parse(text) {
        in_query(&ApiRequest::users_by_email(&email, &Fields::All), "email", Some(text));
    }
    if let Ok(checkpoint) = LogCheckpoint::new(text, 1) {
        in_query(&ApiRequest::logs_after(&checkpoint), "from", Some(text));
    }
    let q = Some(text).filter(|text| !text.trim().is_empty());
    if let Ok(search) = UserSearch::new(Some(text), 0, 1, None) {
        in_query(&ApiRequest::users(&search, &Fields::All, false), "q", q);
    }
    if let Ok(search) = LogSearch::new(Some(text), 0, 1, Direction::Descending) {
        in_query(&ApiRequest::search_logs(&search, &Fields::All), "q", q);
    }
}

/// The address of a request, by the parser that the HTTP client has.
fn url<T>(request: &ApiRequest<T>) -> Url {
    let target = request.0.target(true);
    let url = Url::parse(&format!("https://example.us.auth0.com{target}"));
    assert!(url.is_ok(), "{target}");
    let Ok(url) = url else { unreachable!("it was just looked at") };
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
