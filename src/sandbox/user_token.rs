//! Access tokens of the tenant's users, for an API of the operator's own, such as the gateway. At Auth0 they come of a login; here of a
//! request to `/_sandbox/tokens`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The identifier of the API that [`TokenRequest`] asks for unless told otherwise.
pub const GATEWAY_AUDIENCE: &str = "https://gateway.example";

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

impl TokenRequest {
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
