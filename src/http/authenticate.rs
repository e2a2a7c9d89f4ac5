//! Authentication over HTTP: access tokens as RFC 6750 has them, in the `Authorization` header and nowhere else, and API keys in
//! `X-API-Key`.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::error::{BUSY_WAIT, HttpError};
use crate::auth::{
    AmbiguousCredentialsError, AuthenticationError, Authenticator, Caller, Credentials, CredentialsError, Scopes,
};
use crate::deadline::Deadline;
use crate::graphql::{ErrorCode, GraphqlError};

/// The header of an API key.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Authenticates the sender of a request with these headers.
pub(crate) async fn authenticate(
    headers: &HeaderMap,
    authenticator: &Authenticator,
    deadline: Deadline,
) -> Result<Caller, AuthenticationError> {
    if !authenticator.takes_credentials() {
        return Ok(Caller::ANONYMOUS);
    }
    let caller = deadline.limit(authenticator.authenticate(credentials(headers)?)).await;
    caller.unwrap_or(Err(AuthenticationError::KeysUnavailable { retry_after: BUSY_WAIT }))
}

/// The credentials in a request's headers.
fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>, AmbiguousCredentialsError> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let mut api_keys = headers.get_all(API_KEY).iter();
    let (authorization, api_key) = (authorizations.next(), api_keys.next());
    if authorizations.next().is_some() {
        return Err(AmbiguousCredentialsError::TwoTokens);
    }
    if api_keys.next().is_some() {
        return Err(AmbiguousCredentialsError::TwoApiKeys);
    }
    match (authorization.and_then(bearer), api_key) {
        (Some(_), Some(_)) => Err(AmbiguousCredentialsError::TokenAndApiKey),
        (Some(token), None) => Ok(Credentials::Bearer(token)),
        // A value that is not ASCII is no key that was given to anybody.
        (None, Some(key)) => Ok(Credentials::ApiKey(key.to_str().unwrap_or_default())),
        (None, None) => Ok(Credentials::None),
    }
}

/// The token of an `Authorization` header. Other schemes are none of ours: RFC 6750 (3.1) counts them as no credentials.
pub(crate) fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let bytes = authorization.as_bytes();
    let (scheme, token) = bytes.split_at(bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len()));
    // A value that is not ASCII is no token, and is refused as one.
    scheme.eq_ignore_ascii_case(b"bearer").then(|| std::str::from_utf8(token).unwrap_or_default().trim_matches(' '))
}

/// The error in HTTP's terms.
pub(crate) fn refusal(error: &AuthenticationError, authenticator: &Authenticator) -> HttpError {
    match error {
        AuthenticationError::MissingCredentials => {
            let message = match (authenticator.takes_tokens(), authenticator.takes_api_keys()) {
                (true, true) => {
                    "Credentials are needed: an access token in `Authorization: Bearer …`, or an API key in `X-API-Key`."
                }
                (_, false) => "Credentials are needed: an access token in `Authorization: Bearer …`.",
                (false, true) => "Credentials are needed: an API key in `X-API-Key`.",
            };
            unauthenticated(message.to_owned(), challenge(authenticator, None))
        }
        AuthenticationError::InvalidCredentials(fault) => {
            let message = fault.to_string();
            let error = (*fault != CredentialsError::UnknownApiKey).then_some(("invalid_token", message.as_str()));
            let challenge = challenge(authenticator, error);
            unauthenticated(message, challenge)
        }
        AuthenticationError::AmbiguousCredentials(error) => {
            let message = error.to_string();
            let challenge = challenge(authenticator, Some(("invalid_request", &message)));
            HttpError::bad(StatusCode::BAD_REQUEST, message).with(header::WWW_AUTHENTICATE, challenge)
        }
        AuthenticationError::KeysUnavailable { retry_after } => {
            let message = "The access token cannot be verified now: its issuer's keys cannot be had. Try again.";
            let code = ErrorCode::UpstreamUnavailable;
            HttpError::temporary(StatusCode::SERVICE_UNAVAILABLE, code, message, *retry_after)
        }
    }
}

fn unauthenticated(message: String, challenge: HeaderValue) -> HttpError {
    let error = GraphqlError::new(ErrorCode::Unauthenticated, message);
    HttpError::new(StatusCode::UNAUTHORIZED, error).with(header::WWW_AUTHENTICATE, challenge)
}

/// The challenge that RFC 6750 (3.1) wants with a 403 for want of scopes. None if none is lacking, or no tokens are taken.
pub(crate) fn insufficient_scope(lacking: Scopes, authenticator: &Authenticator) -> Option<HeaderValue> {
    let is_wanted = !lacking.is_empty() && authenticator.takes_tokens();
    let challenge = is_wanted.then(|| format!(r#"Bearer error="insufficient_scope", scope="{lacking}""#));
    challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok())
}

/// The challenge that HTTP wants with every 401 (RFC 9110, 15.5.2). No scheme is registered for API keys, so where there is nothing else they go by a
/// name of their own.
pub(crate) fn challenge(authenticator: &Authenticator, error: Option<(&str, &str)>) -> HeaderValue {
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
            Err(error) => format!("{error:?}"),
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
