//! The meaning of an answer other than success. Pure: a response in, an [`Error`] out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::error::{Error, MisconfigurationError, UnavailableReason};
use super::http_client::UpstreamResponse;
use super::sanitize::sanitize;

/// More scopes than this are no longer read.
const MOST_SCOPES: usize = 20;

/// More names for `fields` than this are no longer read. The longest list that is known has 19.
const MOST_FIELDS: usize = 200;

/// The Management API's error envelope, `{statusCode, error, message, errorCode?}`, or OAuth's, `{error, error_description}`. Each
/// part may be missing or of a wrong type.
struct Envelope {
    status_code: Option<u64>,
    message: Option<String>,
    error_code: Option<String>,
}

impl Envelope {
    /// Reads the envelope if the body is a JSON object at all.
    fn read(body: &[u8]) -> Option<Self> {
        let Ok(Value::Object(mut object)) = serde_json::from_slice(body) else {
            return None;
        };
        let mut text = |key| match object.remove(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let message = text("message");
        let (message, error_code) = match (message, text("error_description")) {
            (None, Some(description)) => (Some(description), text("error")),
            (message, _) => (message, text("errorCode")),
        };
        Some(Self { status_code: object.get("statusCode").and_then(Value::as_u64), message, error_code })
    }
}

/// True if the Management API did not take the token. It says 400 of one that is not even a JWT, which is what
/// `/oauth/token` gives for no audience or for another API's.
pub(crate) fn is_token_refused(response: &UpstreamResponse) -> bool {
    match response.status {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::BAD_REQUEST => Envelope::read(&response.body)
            .and_then(|envelope| envelope.message)
            .is_some_and(|message| message.starts_with("Bad HTTP authentication header")),
        _ => false,
    }
}

/// The names that an endpoint says it takes, if it refused those that were `sent` in `fields`; empty if it names none. Its words are
/// `Query validation error: 'String 'a,b' does not match pattern. Must be a comma separated list of the following values:
/// phone_number,email,…' on property fields (…).`
///
/// Refusals of other parameters repeat what a caller wrote, which may be these very words. Auth0's quote follows it: where nothing is
/// quoted but the names that were sent and a list of names, there is no room for a caller's text.
pub(crate) fn refused_fields(response: &UpstreamResponse, sent: &[&str]) -> Option<Vec<String>> {
    if response.status != StatusCode::BAD_REQUEST || sent.is_empty() {
        return None;
    }
    let message = Envelope::read(&response.body)?.message?;
    let told = message.strip_prefix("Query validation error: 'String '")?.strip_prefix(&*sent.join(","))?;
    let told =
        told.strip_prefix("' does not match pattern. Must be a comma separated list of the following values:")?;
    let (list, description) = told.split_once("' on property fields (")?;
    let names: Vec<_> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if description.contains('\'') || !names.iter().all(|name| is_name(name)) {
        return None;
    }
    Some(names.into_iter().take(MOST_FIELDS).map(str::to_owned).collect())
}

/// True if a 404 for a user means that there is no such user.
pub(crate) fn is_absent_user(response: &UpstreamResponse) -> bool {
    response.status == StatusCode::NOT_FOUND
        && Envelope::read(&response.body).is_some_and(|envelope| {
            envelope.error_code.as_deref() == Some("inexistent_user")
                || envelope.message.as_deref() == Some("The user does not exist.")
        })
}

/// True if a 404 for a log means that there is no such log. Auth0 documents no code for it, so the
/// envelope has to do: a path that does not exist is answered with the message "Not Found" and
/// nothing more.
pub(crate) fn is_absent_log(response: &UpstreamResponse) -> bool {
    response.status == StatusCode::NOT_FOUND
        && Envelope::read(&response.body).is_some_and(|envelope| {
            envelope.status_code == Some(404) && envelope.message.is_some_and(|message| message != "Not Found")
        })
}

/// The error that a Management API answer other than success means. `host` is the upstream's, kept out of
/// what is shown; `scope` is the one that the gateway is meant to have for the endpoint.
pub(crate) fn error_of(response: &UpstreamResponse, host: &str, scope: &str, now: DateTime<Utc>) -> Error {
    if is_token_refused(response) {
        return Error::misconfigured(MisconfigurationError::TokenRefused);
    }
    let envelope = Envelope::read(&response.body);
    let status = response.status;
    match status.as_u16() {
        300..=399 => Error::misconfigured(MisconfigurationError::Redirected(status.as_u16())),
        404 => Error::misconfigured(MisconfigurationError::NotFound),
        429 => Error::RateLimited { retry_after: retry_after(&response.headers, now) },
        403 => match envelope {
            Some(envelope) => forbidden(envelope, scope),
            // A proxy's page: a firewall between here and Auth0, which may let the next call pass.
            None => Error::unavailable(UnavailableReason::Blocked(403)),
        },
        // A gateway timeout of the edge's, with no more to say than a 5xx.
        408 => Error::unavailable(UnavailableReason::Status(408)),
        400..=499 => {
            let (message, error_code) = envelope.map_or((None, None), |e| (e.message, e.error_code));
            let message = message.map(|m| sanitize(&m, host)).filter(|m| !m.is_empty()).unwrap_or_else(|| {
                if status == StatusCode::URI_TOO_LONG {
                    "it is too long, shorten `q`".to_owned()
                } else {
                    format!("it gave no reason (status {})", status.as_u16())
                }
            });
            match status {
                StatusCode::BAD_REQUEST | StatusCode::URI_TOO_LONG => {
                    Error::Rejected { message, error_code: error_code.filter(|code| is_name(code)) }
                }
                _ => Error::misconfigured(MisconfigurationError::Refused {
                    status: status.as_u16(),
                    explanation: message,
                }),
            }
        }
        code => Error::unavailable(UnavailableReason::Status(code)),
    }
}

/// Tells a missing scope from what the tenant's plan leaves out: Auth0 uses the code
/// `insufficient_scope` for both.
fn forbidden(envelope: Envelope, scope: &str) -> Error {
    let message = envelope.message.unwrap_or_default();
    let (missing_scopes, needs_all) = expected_scopes(&message, scope);
    let what = match envelope.error_code.as_deref() {
        Some("insufficient_entitlement") => MisconfigurationError::PlanLimit,
        _ if message.to_ascii_lowercase().contains("upgrade your subscription") => MisconfigurationError::PlanLimit,
        Some("insufficient_scope") => MisconfigurationError::MissingScope { needs_all },
        _ if !missing_scopes.is_empty() => MisconfigurationError::MissingScope { needs_all },
        _ => MisconfigurationError::Forbidden,
    };
    Error::Misconfigured { what, missing_scopes }
}

/// The scopes in "Insufficient scope, expected any of: …": names joined by commas; and true if all of them are expected. Where any of
/// them will do, it is the one that the gateway is meant to have, if that is among them: to be told of the others too, an operator would
/// grant more than is needed.
fn expected_scopes(message: &str, meant: &str) -> (Vec<String>, bool) {
    let any_of = message.split_once("any of:");
    let Some((_, list)) = any_of.or_else(|| message.split_once("all of:")) else {
        return (Vec::new(), false);
    };
    let scopes = list.split([',', ' ']).filter(|scope| is_name(scope)).take(MOST_SCOPES);
    if any_of.is_some() && scopes.clone().any(|scope| scope == meant) {
        return (vec![meant.to_owned()], false);
    }
    (scopes.map(str::to_owned).collect(), any_of.is_none())
}

/// True if a text is a plain name, such as a scope or an error code: nothing that needs cleaning.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:-".contains(&b))
}

/// Time that Auth0 asks to wait, given in seconds or as a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const HOST: &str = "tenant.us.auth0.com";

    fn answer(status: u16, body: &'static str) -> UpstreamResponse {
        UpstreamResponse {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn judge(status: u16, body: &'static str) -> String {
        format!("{:?}", error_of(&answer(status, body), HOST, "read:users", DateTime::UNIX_EPOCH))
    }

    #[test]
    fn a_bad_request_comes_back_with_auth0s_explanation() {
        insta::assert_snapshot!(
            judge(400, r#"{"statusCode":400,"error":"Bad Request","message":"The query 'log_id:[ TO *]' cannot be parsed.","errorCode":"invalid_query_string"}"#),
            @r#"Rejected { message: "The query 'log_id:[ TO *]' cannot be parsed.", error_code: Some("invalid_query_string") }"#
        );
        insta::assert_snapshot!(
            judge(400, r#"{"error":"invalid_request","error_description":"A parameter is malformed."}"#),
            @r#"Rejected { message: "A parameter is malformed.", error_code: Some("invalid_request") }"#
        );
        insta::assert_snapshot!(judge(400, "<html>"), @r#"Rejected { message: "it gave no reason (status 400)", error_code: None }"#);
        insta::assert_snapshot!(judge(400, r#"{"message":17,"errorCode":{},"statusCode":"x"}"#), @r#"Rejected { message: "it gave no reason (status 400)", error_code: None }"#);
        insta::assert_snapshot!(judge(414, ""), @r#"Rejected { message: "it is too long, shorten `q`", error_code: None }"#);
    }

    #[test]
    fn a_missing_scope_is_told_from_a_plan_limit() {
        insta::assert_snapshot!(
            judge(403, r#"{"statusCode":403,"message":"Insufficient scope, expected any of: read:users,read:user_idp_tokens","errorCode":"insufficient_scope"}"#),
            @r#"Misconfigured { what: MissingScope { needs_all: false }, missing_scopes: ["read:users"] }"#
        );
        insta::assert_snapshot!(
            judge(403, r#"{"message":"Insufficient scope, expected all of: read:users,read:roles"}"#),
            @r#"Misconfigured { what: MissingScope { needs_all: true }, missing_scopes: ["read:users", "read:roles"] }"#
        );
        insta::assert_snapshot!(
            judge(403, r#"{"message":"Insufficient scope, expected any of: read:logs <b>, x\u0000y"}"#),
            @r#"Misconfigured { what: MissingScope { needs_all: false }, missing_scopes: ["read:logs"] }"#
        );
        insta::assert_snapshot!(
            judge(403, r#"{"message":"Please upgrade your subscription to enable this.","errorCode":"insufficient_scope"}"#),
            @"Misconfigured { what: PlanLimit, missing_scopes: [] }"
        );
        insta::assert_snapshot!(
            judge(403, r#"{"message":"Upgrade first","errorCode":"insufficient_entitlement"}"#),
            @"Misconfigured { what: PlanLimit, missing_scopes: [] }"
        );
        insta::assert_snapshot!(judge(403, "{}"), @"Misconfigured { what: Forbidden, missing_scopes: [] }");
        insta::assert_snapshot!(judge(403, "<html>"), @"Unavailable(UnavailableError { reason: Blocked(403), cause: None })");
    }

    #[test]
    fn what_no_caller_can_mend_is_for_the_operator() {
        for status in [402, 405, 406, 407, 409, 410, 413, 415, 418, 422, 451, 499] {
            let error = error_of(
                &answer(status, r#"{"message":"No, ada@example.com."}"#),
                HOST,
                "read:users",
                DateTime::UNIX_EPOCH,
            );
            assert!(!error.to_string().contains("No,"), "{error}");
            assert_eq!(
                error.causes(),
                format!("the Management API refuses the gateway's call (status {status}): No, [e-mail]")
            );
        }
    }

    #[test]
    fn other_statuses() {
        for (status, expected) in [
            (302, "Misconfigured { what: Redirected(302), missing_scopes: [] }"),
            (401, "Misconfigured { what: TokenRefused, missing_scopes: [] }"),
            (404, "Misconfigured { what: NotFound, missing_scopes: [] }"),
            (429, "RateLimited { retry_after: None }"),
            (500, "Unavailable(UnavailableError { reason: Status(500), cause: None })"),
            (503, "Unavailable(UnavailableError { reason: Status(503), cause: None })"),
        ] {
            for body in ["<html>", "{}", "", "[]"] {
                assert_eq!(judge(status, body), expected, "{status} {body}");
            }
        }
        assert_eq!(
            judge(400, r#"{"message":"Bad HTTP authentication header format"}"#),
            "Misconfigured { what: TokenRefused, missing_scopes: [] }"
        );
    }

    #[test]
    fn an_endpoint_says_which_fields_it_takes() {
        let refusal = |list: &str| {
            format!(
                "Query validation error: 'String 'email,x' {PATTERN}{list}' on property fields (A list: of fields)."
            )
        };
        for (list, expected) in [
            (" email,name,user_id", &["email", "name", "user_id"][..]),
            ("email, name", &["email", "name"]),
            (" ", &[]),
        ] {
            let expected = expected.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(fields_told(400, &refusal(list)), Some(expected), "{list:?}");
        }
        assert_eq!(fields_told(403, &refusal(" email")), None);
        assert_eq!(refused_fields(&said(400, &refusal(" email")), &[]), None);
        assert_eq!(refused_fields(&said(400, &refusal(" email")), &["email"]), None);
    }

    const PATTERN: &str = "does not match pattern. Must be a comma separated list of the following values:";

    fn said(status: u16, message: &str) -> UpstreamResponse {
        let body = serde_json::json!({ "message": message }).to_string();
        UpstreamResponse { body: body.into(), ..answer(status, "") }
    }

    fn fields_told(status: u16, message: &str) -> Option<Vec<String>> {
        refused_fields(&said(status, message), &["email", "x"])
    }

    #[test]
    fn no_text_of_a_callers_is_a_refusal_of_fields() {
        let words = format!("email,x' {PATTERN} y' on property fields (z).");
        for message in [
            "Query validation error: 'No' on property fields (x).".to_owned(),
            "Query validation error: 'No' on property q (fields).".to_owned(),
            "The query 'a:[ ' on property fields' cannot be parsed.".to_owned(),
            words.clone(),
            format!("The query '{words}' cannot be parsed."),
            format!(
                "Query validation error: 'String 'Query validation error: 'String '{words}' {PATTERN} a' on property q (b)."
            ),
            // As Auth0 refuses a parameter of a pattern.
            format!(
                "Query validation error: 'String '{words}' does not match pattern. Must be an address' on property email (c)."
            ),
            format!(
                "Query validation error: 'String 'email,x' {PATTERN} y' on property fields (z' on property sort (c)."
            ),
            format!("Query validation error: 'String 'email,x' {PATTERN} <b>,y' on property fields (z)."),
            format!("Path validation error: 'String '{words}' on property id (c)."),
        ] {
            assert_eq!(fields_told(400, &message), None, "{message}");
        }
    }

    #[test]
    fn absence_is_told_from_a_wrong_address() {
        for (body, user, log) in [
            (r#"{"statusCode":404,"message":"The user does not exist.","errorCode":"inexistent_user"}"#, true, true),
            (r#"{"errorCode":"inexistent_user"}"#, true, false),
            (r#"{"statusCode":404,"message":"The user does not exist."}"#, true, true),
            (r#"{"statusCode":404,"message":"Log not found"}"#, false, true),
            (r#"{"statusCode":404,"error":"Not Found","message":"Not Found"}"#, false, false),
            (r#"{"statusCode":404}"#, false, false),
            ("<html>404</html>", false, false),
            ("", false, false),
        ] {
            assert_eq!(is_absent_user(&answer(404, body)), user, "{body}");
            assert_eq!(is_absent_log(&answer(404, body)), log, "{body}");
        }
        assert!(!is_absent_user(&answer(400, r#"{"errorCode":"inexistent_user"}"#)));
    }

    #[test]
    fn retry_after_is_read_in_both_forms() -> Result<(), Box<dyn std::error::Error>> {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z")?.to_utc();
        for (value, seconds) in [
            ("3540", Some(3540)),
            (" 0 ", Some(0)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("Wed, 31 Dec 2025 23:59:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("99999999999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse()?)]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
        Ok(())
    }
}
