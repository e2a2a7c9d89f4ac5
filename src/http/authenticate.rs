//! Authentication over HTTP: access tokens as RFC 6750 has them, in the `Authorization` header and nowhere else, and API keys in
//! `X-API-Key`.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::responder::Responder;
use crate::auth::{AuthError, Authenticator, Caller, Credentials, CredentialsError, Scopes};
use crate::graphql::{Deadline, ErrorCode, GraphqlError};

/// Carries an API key.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Why a caller is turned away, in HTTP's terms.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    failure: GraphqlError,
    challenge: Option<HeaderValue>,
    retry_after: Option<HeaderValue>,
}

/// There is more than one answer to who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ambiguity {
    TwoTokens,
    TwoApiKeys,
    TokenAndApiKey,
}

/// Whoever sent a request with these headers.
pub(crate) async fn authenticate(
    headers: &HeaderMap,
    authenticator: &Authenticator,
    deadline: Deadline,
) -> Result<Caller, Refusal> {
    if !authenticator.takes_credentials() {
        return Ok(Caller::ANONYMOUS);
    }
    let credentials = credentials(headers).map_err(|ambiguity| Refusal::ambiguous(ambiguity, authenticator))?;
    let caller = deadline.limit(authenticator.authenticate(credentials)).await;
    caller
        .unwrap_or(Err(AuthError::KeysUnavailable { retry_after: Duration::from_secs(1) }))
        .map_err(|rejection| Refusal::new(rejection, authenticator))
}

/// Picks the credentials from a request's headers.
fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>, Ambiguity> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let mut api_keys = headers.get_all(API_KEY).iter();
    let (authorization, api_key) = (authorizations.next(), api_keys.next());
    if authorizations.next().is_some() {
        return Err(Ambiguity::TwoTokens);
    }
    if api_keys.next().is_some() {
        return Err(Ambiguity::TwoApiKeys);
    }
    match (authorization.and_then(bearer), api_key) {
        (Some(_), Some(_)) => Err(Ambiguity::TokenAndApiKey),
        (Some(token), None) => Ok(Credentials::Bearer(token)),
        // What is not ASCII is no key that was given to anybody.
        (None, Some(key)) => Ok(Credentials::ApiKey(key.to_str().unwrap_or_default())),
        (None, None) => Ok(Credentials::None),
    }
}

/// The token of an `Authorization` header. Other schemes are none of ours: RFC 6750 (3.1) counts them as no credentials.
fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let bytes = authorization.as_bytes();
    let (scheme, token) = bytes.split_at(bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len()));
    // What is not ASCII is no token, and is refused as one.
    scheme.eq_ignore_ascii_case(b"bearer").then(|| std::str::from_utf8(token).unwrap_or_default().trim_matches(' '))
}

impl Refusal {
    fn new(rejection: AuthError, authenticator: &Authenticator) -> Self {
        match rejection {
            AuthError::MissingCredentials => {
                let message = match (authenticator.takes_tokens(), authenticator.takes_api_keys()) {
                    (true, true) => {
                        "Credentials are needed: an access token in `Authorization: Bearer …`, or an API key in `X-API-Key`."
                    }
                    (_, false) => "Credentials are needed: an access token in `Authorization: Bearer …`.",
                    (false, true) => "Credentials are needed: an API key in `X-API-Key`.",
                };
                Self::unauthenticated(message.to_owned(), challenge(authenticator, None))
            }
            AuthError::InvalidCredentials(fault) => {
                let message = fault.to_string();
                let error = (fault != CredentialsError::UnknownApiKey).then_some(("invalid_token", message.as_str()));
                let challenge = challenge(authenticator, error);
                Self::unauthenticated(message, challenge)
            }
            AuthError::KeysUnavailable { retry_after } => {
                let message = "The access token cannot be verified now: its issuer's keys cannot be had. Try again.";
                let milliseconds = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                let failure =
                    GraphqlError::new(ErrorCode::UpstreamUnavailable, message).with("retryAfterMs", milliseconds);
                Self {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    failure,
                    challenge: None,
                    retry_after: Some(milliseconds.div_ceil(1_000).max(1).into()),
                }
            }
        }
    }

    fn unauthenticated(message: String, challenge: HeaderValue) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            failure: GraphqlError::new(ErrorCode::Unauthenticated, message),
            challenge: Some(challenge),
            retry_after: None,
        }
    }

    fn ambiguous(ambiguity: Ambiguity, authenticator: &Authenticator) -> Self {
        let message = match ambiguity {
            Ambiguity::TwoTokens => "There is more than one Authorization header: send one.",
            Ambiguity::TwoApiKeys => "There is more than one X-API-Key header: send one.",
            Ambiguity::TokenAndApiKey => "There are both an access token and an API key: send one of them.",
        };
        Self {
            status: StatusCode::BAD_REQUEST,
            failure: GraphqlError::new(ErrorCode::BadRequest, message),
            challenge: Some(challenge(authenticator, Some(("invalid_request", message)))),
            retry_after: None,
        }
    }

    /// The refusal without its headers, for where there are none. It is logged here.
    pub(crate) fn into_failure(self) -> (StatusCode, GraphqlError) {
        self.failure.code.log(&self.failure.message, "authentication");
        (self.status, self.failure)
    }

    /// The answer. The refusal is logged here.
    pub(crate) fn reply(self, responder: Responder) -> Response {
        self.failure.code.log(&self.failure.message, "authentication");
        let mut response = responder.refuse(self.status, self.failure);
        let headers = [(header::WWW_AUTHENTICATE, self.challenge), (header::RETRY_AFTER, self.retry_after)];
        for (name, value) in headers {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// What RFC 6750 (3.1) wants with a 403 for want of scopes; none where these are not lacking, or no tokens are taken.
pub(crate) fn insufficient_scope(lacking: Scopes, authenticator: &Authenticator) -> Option<HeaderValue> {
    let is_wanted = !lacking.is_empty() && authenticator.takes_tokens();
    let challenge = is_wanted.then(|| format!(r#"Bearer error="insufficient_scope", scope="{lacking}""#));
    challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok())
}

/// What HTTP wants with every 401 (RFC 9110, 15.5.2). No scheme is registered for API keys, so where there is nothing else they go by a
/// name of their own.
fn challenge(authenticator: &Authenticator, error: Option<(&str, &str)>) -> HeaderValue {
    if !authenticator.takes_tokens() {
        return HeaderValue::from_static("ApiKey");
    }
    let bare = HeaderValue::from_static("Bearer");
    let Some((error, description)) = error else { return bare };
    // RFC 6750, 3: neither quotes nor backslashes, nor anything beyond ASCII.
    let description: String =
        description.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect();
    HeaderValue::try_from(format!(r#"Bearer error="{error}", error_description="{description}""#)).unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(lines: &[(HeaderName, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        match credentials(&headers) {
            Ok(Credentials::None) => "none".to_owned(),
            Ok(Credentials::Bearer(token)) => format!("token {token:?}"),
            Ok(Credentials::ApiKey(key)) => format!("key {key:?}"),
            Err(ambiguity) => format!("{ambiguity:?}"),
        }
    }

    #[test]
    fn credentials_are_picked_from_their_headers() {
        use header::AUTHORIZATION;

        for (lines, expected) in [
            (&[][..], "none"),
            (&[(AUTHORIZATION, "Bearer a.b.c")], "token \"a.b.c\""),
            (&[(AUTHORIZATION, "bEARER   a.b.c  ")], "token \"a.b.c\""),
            (&[(AUTHORIZATION, "Bearer")], "token \"\""),
            (&[(AUTHORIZATION, "Bearer é")], "token \"é\""),
            (&[(AUTHORIZATION, "Bearer a.b.c d.e.f")], "token \"a.b.c d.e.f\""),
            (&[(AUTHORIZATION, "Basic YTpi")], "none"),
            (&[(AUTHORIZATION, "a.b.c")], "none"),
            (&[(AUTHORIZATION, "Bearera.b.c")], "none"),
            (&[(API_KEY, "a key")], "key \"a key\""),
            (&[(API_KEY, "é")], "key \"\""),
            (&[(AUTHORIZATION, "Basic YTpi"), (API_KEY, "a key")], "key \"a key\""),
            (&[(AUTHORIZATION, "Bearer a"), (API_KEY, "a key")], "TokenAndApiKey"),
            (&[(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer a")], "TwoTokens"),
            (&[(AUTHORIZATION, "Basic YTpi"), (AUTHORIZATION, "Bearer a")], "TwoTokens"),
            (&[(API_KEY, "a"), (API_KEY, "a")], "TwoApiKeys"),
        ] {
            assert_eq!(picked(lines), expected, "{lines:?}");
        }
    }
}
