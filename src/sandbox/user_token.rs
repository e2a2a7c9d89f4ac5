//! Access tokens of the tenant's users, for an API of the operator's own, such as the gateway. At Auth0 they come of a login; here of a
//! request to `/_sandbox/tokens`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The identifier of the API that [`TokenRequest`] asks for unless told otherwise.
pub const GATEWAY_AUDIENCE: &str = "https://gateway.example";

/// Time for a sandbox on this machine to answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The contents of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TokenRequest {
    /// Its scopes, separated by spaces.
    pub scope: String,
    /// The id of the user whom it is for; the first of the tenant's people if absent.
    pub sub: Option<String>,
    /// The identifier of the API that it is for.
    pub audience: String,
    /// Its lifetime in seconds. With a negative number it has expired already.
    pub expires_in: i64,
}

impl Default for TokenRequest {
    fn default() -> Self {
        Self { scope: String::new(), sub: None, audience: GATEWAY_AUDIENCE.to_owned(), expires_in: 86_400 }
    }
}

/// A token that a sandbox did not give.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is not there.
    #[error(
        "no sandbox answers at {url}. Start one with `auth0-graphql sandbox`, or give the address that `serve --sandbox` printed"
    )]
    Unreachable {
        /// The URL that was asked.
        url: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// It is not a sandbox that answers.
    #[error("what answers at {url} is not a sandbox")]
    NotASandbox {
        /// The URL that was asked.
        url: String,
    },
}

impl TokenRequest {
    /// Asks the sandbox at `url`, such as `http://127.0.0.1:4000`.
    ///
    /// # Errors
    ///
    /// See [`TokenError`].
    pub async fn send(&self, url: &str) -> Result<String, TokenError> {
        let url = url.trim_end_matches('/');
        let unreachable = |source: reqwest::Error| TokenError::Unreachable { url: url.to_owned(), source };
        let not_a_sandbox = || TokenError::NotASandbox { url: url.to_owned() };
        let client = reqwest::Client::builder().no_proxy().timeout(TIME_LIMIT).build().map_err(unreachable)?;
        let request = client.post(format!("{url}/_sandbox/tokens")).json(self);
        let response = request.send().await.map_err(|error| unreachable(error.without_url()))?;
        let body: Value = response.json().await.map_err(|_| not_a_sandbox())?;
        body["access_token"].as_str().map(str::to_owned).ok_or_else(not_a_sandbox)
    }

    /// The claims of a token issued at `now`, in the form that Auth0 gives to users' tokens.
    pub(super) fn claims(&self, issuer: &str, somebody: &str, now: i64) -> Value {
        json!({
            "iss": issuer,
            "sub": self.sub.as_deref().unwrap_or(somebody),
            "aud": [&self.audience, format!("{issuer}userinfo")],
            "iat": now.saturating_add(self.expires_in.min(0)),
            "exp": now.saturating_add(self.expires_in),
            "scope": self.scope,
        })
    }
}
