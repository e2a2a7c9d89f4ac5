//! Parameters of `connection_init`.
//!
//! A page cannot add headers to the request that opens a WebSocket. So the payload stands in for them: `{"authorization":
//! "Bearer …"}`, `{"x-api-key": "…"}`, or `{"headers": {…}}` with these and the options that a request's headers may hold.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::http::Settings;
use crate::http::authenticate::API_KEY;
use crate::http::request_options::RequestOptions;

/// The parameters of a connection.
#[derive(Clone, Debug)]
pub(crate) struct InitParams {
    /// The headers that hold credentials, of the upgrade request and of the payload.
    pub(crate) credentials: HeaderMap,
    /// The options of each operation of the connection.
    pub(crate) options: RequestOptions,
}

/// The headers that hold credentials.
pub(crate) fn credentials(mut headers: HeaderMap) -> HeaderMap {
    let mut credentials = HeaderMap::new();
    for name in [header::AUTHORIZATION, API_KEY] {
        if let header::Entry::Occupied(found) = headers.entry(&name) {
            let (_, values) = found.remove_entry_mult();
            for mut value in values {
                value.set_sensitive(true);
                credentials.append(name.clone(), value);
            }
        }
    }
    credentials
}

/// Reads the payload of `connection_init`; `credentials` came with the upgrade request. The error is a sentence for the client.
pub(crate) fn read(
    payload: Option<&RawValue>,
    mut credentials: HeaderMap,
    settings: &Settings,
) -> Result<InitParams, String> {
    let headers = headers(payload)?;
    // Not those of the upgrade request: browsers say `Cache-Control: no-cache` in every one.
    let options = RequestOptions::read(&headers, settings.request_timeout, settings.explains)
        .map_err(|failure| failure.message)?;
    for (name, value) in self::credentials(headers).iter() {
        // A client that says the same twice, in both ways that clients have, says one thing.
        if !credentials.get_all(name).iter().any(|known| known == value) {
            credentials.append(name, value.clone());
        }
    }
    Ok(InitParams { credentials, options })
}

fn headers(payload: Option<&RawValue>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let Some(payload) = payload else { return Ok(headers) };
    let payload: Map<String, Value> = serde_json::from_str(payload.get())
        .map_err(|_| "The payload of connection_init must be an object.".to_owned())?;
    for (name, value) in payload {
        if name == "headers" {
            let Value::Object(entries) = value else {
                return Err("`headers` in the payload of connection_init must be an object.".to_owned());
            };
            for (name, value) in entries {
                let name = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| "A name in `headers` is no name of a header.".to_owned())?;
                add(name, value, &mut headers)?;
            }
        } else if name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()) {
            add(header::AUTHORIZATION, value, &mut headers)?;
        } else if name.eq_ignore_ascii_case(API_KEY.as_str()) {
            add(API_KEY, value, &mut headers)?;
        }
        // The rest is of the client's own making, and no business of the gateway.
    }
    Ok(headers)
}

fn add(name: HeaderName, value: Value, headers: &mut HeaderMap) -> Result<(), String> {
    let value = match value {
        Value::Null => return Ok(()),
        Value::String(text) => HeaderValue::try_from(text).ok(),
        _ => None,
    };
    let Some(value) = value else {
        return Err(format!("`{name}` in the payload of connection_init must be a text that fits into a header."));
    };
    if !headers.get_all(&name).iter().any(|known| known == value) {
        headers.append(name, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::graphql::Explain;

    fn read_text(payload: &str, upgrade: &[(HeaderName, &'static str)]) -> Result<InitParams, String> {
        let upgrade = upgrade.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let payload: Option<&RawValue> = serde_json::from_str(payload).unwrap();
        read(payload, credentials(upgrade.collect()), &Settings::default())
    }

    #[test]
    fn credentials_are_found_in_the_payload_and_in_the_upgrade_request() {
        for (payload, upgrade, expected) in [
            ("null", &[][..], &[][..]),
            ("{}", &[], &[]),
            (r#"{"lang":"en","token":"a"}"#, &[], &[]),
            (r#"{"authorization":null}"#, &[], &[]),
            (r#"{"authorization":"Bearer a"}"#, &[], &["authorization: Bearer a"]),
            (r#"{"Authorization":"Bearer a"}"#, &[], &["authorization: Bearer a"]),
            (r#"{"X-API-Key":"a"}"#, &[], &["x-api-key: a"]),
            (
                r#"{"headers":{"authorization":"Bearer a","X-API-KEY":"b","Accept":"*/*"}}"#,
                &[],
                &["authorization: Bearer a", "x-api-key: b"],
            ),
            (r#"{"authorization":"a","headers":{"Authorization":"a"}}"#, &[], &["authorization: a"]),
            (
                r#"{"authorization":"a","headers":{"Authorization":"b"}}"#,
                &[],
                &["authorization: a", "authorization: b"],
            ),
            ("{}", &[(header::AUTHORIZATION, "a"), (header::ACCEPT, "b")], &["authorization: a"]),
            (r#"{"authorization":"a"}"#, &[(header::AUTHORIZATION, "a")], &["authorization: a"]),
            (r#"{"x-api-key":"b"}"#, &[(header::AUTHORIZATION, "a")], &["authorization: a", "x-api-key: b"]),
            ("{}", &[(API_KEY, "a"), (API_KEY, "b")], &["x-api-key: a", "x-api-key: b"]),
        ] {
            let found = read_text(payload, upgrade).unwrap().credentials;
            assert!(found.values().all(HeaderValue::is_sensitive));
            let mut found: Vec<_> =
                found.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            found.sort();
            assert_eq!(found, expected, "{payload} {upgrade:?}");
        }
    }

    #[test]
    fn options_are_the_payload_s_alone() {
        let upgrade = [(header::CACHE_CONTROL, "no-cache")];
        assert!(!read_text("{}", &upgrade).unwrap().options.bypass_cache);
        let payload = r#"{"headers":{"Cache-Control":"no-cache","X-Request-Timeout":"2s","X-Explain":"run"}}"#;
        let options = read_text(payload, &[]).unwrap().options;
        assert_eq!(
            options,
            RequestOptions { timeout: Duration::from_secs(2), bypass_cache: true, explain: Explain::Run }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (payload, expected) in [
            ("[]", "must be an object"),
            ("\"Bearer a\"", "must be an object"),
            (r#"{"headers":[]}"#, "`headers` in"),
            (r#"{"headers":{"two words":"a"}}"#, "no name of a header"),
            (r#"{"headers":{"x-request-timeout":"soon"}}"#, "`x-request-timeout` has to be"),
            (r#"{"authorization":["Bearer a"]}"#, "`authorization` in"),
            (r#"{"authorization":"Bearer\na"}"#, "`authorization` in"),
            (r#"{"x-api-key":1}"#, "`x-api-key` in"),
        ] {
            let message = read_text(payload, &[]).unwrap_err();
            assert!(message.contains(expected), "{payload}: {message}");
        }
    }
}
