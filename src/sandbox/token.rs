//! `POST /oauth/token`: machines get tokens by the client-credentials grant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::assertion::{self, PublicKey, Taken};
use super::envelope::{self, ApiError};
use super::keys::{SigningKey, secret};
use super::user_token::TokenRequest;

/// Every scope that the sandbox knows.
pub(crate) const SCOPES: [&str; 10] = [
    "read:users",
    "read:users_app_metadata",
    "read:user_idp_tokens",
    "read:logs",
    "read:roles",
    "read:role_members",
    "read:organizations",
    "read:authentication_methods",
    "read:sessions",
    "read:refresh_tokens",
];

/// The lifetime of a token in seconds, unless the options say something sensible.
const LIFETIME: i64 = 86_400;

/// The id and the secret of a machine-to-machine application.
#[derive(Debug, Clone)]
pub struct Client {
    /// The `client_id`.
    pub id: String,
    /// The `client_secret`. As at Auth0, a client with a key has one, and it is not taken.
    pub secret: SecretString,
}

/// The rights of a client.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    /// The scopes of its grant for the Management API.
    pub(crate) scopes: Vec<String>,
    /// The grant types that it may use.
    pub(crate) grants: Vec<String>,
    /// A grant for the Management API.
    pub(crate) audience: bool,
}

/// The client behind a bearer token that was found good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    scopes: String,
}

impl Grant {
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scopes.split(' ').any(|own| own == scope)
    }
}

/// The tenant's authorization server.
pub(crate) struct Issuer {
    key: &'static SigningKey,
    /// Ends with a slash, as the `iss` of Auth0's tokens does.
    issuer: String,
    audience: String,
    /// The value of `expires_in`.
    lifetime: Value,
    clients: Mutex<HashMap<String, (Credential, Rights)>>,
    assertions: Mutex<Taken>,
    /// Tokens are numbered, in their `jti`, so that all issued so far can be called expired.
    issued: AtomicU64,
    expired: AtomicU64,
}

/// A credential that a client registered.
enum Credential {
    Secret(SecretString),
    Key(PublicKey),
}

/// A refusal of the token endpoint, in OAuth's form.
struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    uri: Option<&'static str>,
}

impl OAuthError {
    fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: description.into(), uri: None }
    }

    fn malformed(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }
}

impl Issuer {
    pub(crate) fn new(url: &str, audience: String, lifetime: Value) -> std::io::Result<Self> {
        Ok(Self {
            key: SigningKey::of_this_process()?,
            issuer: format!("{url}/"),
            audience,
            lifetime,
            clients: Mutex::default(),
            assertions: Mutex::default(),
            issued: AtomicU64::new(0),
            expired: AtomicU64::new(0),
        })
    }

    /// Registers a client with a new id, and with a key or a new secret.
    pub(crate) fn register(&self, rights: Rights, key: Option<PublicKey>) -> std::io::Result<Client> {
        // Auth0's ids have 32 characters, its secrets 64.
        let client = Client { id: secret(24)?, secret: secret(48)?.into() };
        let credential = key.map_or_else(|| Credential::Secret(client.secret.clone()), Credential::Key);
        self.clients.lock().insert(client.id.clone(), (credential, rights));
        Ok(client)
    }

    /// Expires every token issued so far.
    pub(crate) fn expire_all(&self) {
        let issued = self.issued.load(Ordering::SeqCst);
        self.expired.fetch_max(issued, Ordering::SeqCst);
    }

    /// Answers `POST /oauth/token`.
    pub(crate) fn token(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Response<Body> {
        let (status, body) = match self.grant(headers, body, now) {
            Ok(token) => (StatusCode::OK, token),
            Err(denial) => {
                let mut body = json!({"error": denial.error, "error_description": denial.description});
                if let Some(uri) = denial.uri {
                    body["error_uri"] = uri.into();
                }
                (denial.status, body)
            }
        };
        let mut response = envelope::json(status, &body);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn grant(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<Value, OAuthError> {
        let request = parameters(headers, body)?;
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        let grant_type = text("grant_type");
        if grant_type.is_empty() {
            return Err(OAuthError::malformed("Missing required parameter: grant_type"));
        }
        let rights = self.client(&text, now)?;
        if !rights.grants.iter().any(|grant| grant == grant_type) {
            let mut denial = OAuthError::new(
                StatusCode::FORBIDDEN,
                "unauthorized_client",
                format!("Grant type '{grant_type}' not allowed for the client."),
            );
            denial.uri = Some("https://auth0.com/docs/clients/client-grant-types");
            return Err(denial);
        }
        if grant_type != "client_credentials" {
            // RFC 6749, 5.2; the sandbox has no people who could log in.
            return Err(OAuthError::new(
                StatusCode::FORBIDDEN,
                "unsupported_grant_type",
                format!("Unsupported grant type: {grant_type}"),
            ));
        }
        let audience = text("audience");
        if audience.is_empty() {
            // The 403 is known, its words are not.
            return Err(OAuthError::new(
                StatusCode::FORBIDDEN,
                "access_denied",
                "No audience parameter was provided, and no default audience has been configured.",
            ));
        }
        if audience != self.audience {
            return Err(OAuthError::new(
                StatusCode::FORBIDDEN,
                "access_denied",
                format!("Service not enabled within domain: {audience}"),
            ));
        }
        if !rights.audience {
            return Err(OAuthError::new(
                StatusCode::FORBIDDEN,
                "access_denied",
                format!(
                    "Client is not authorized to access \"{audience}\". You need to create a \"client-grant\" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
                ),
            ));
        }
        self.issue(text("client_id"), &rights.scopes.join(" "), now)
            .map_err(|error| OAuthError::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", error.to_string()))
    }

    /// Authenticates the client of a request, by a secret or by an assertion.
    fn client<'a>(&self, text: &impl Fn(&str) -> &'a str, now: DateTime<Utc>) -> Result<Rights, OAuthError> {
        let unauthorized = || OAuthError::new(StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized");
        let (id, secret, assertion) = (text("client_id"), text("client_secret"), text("client_assertion"));
        if !assertion.is_empty() && !secret.is_empty() {
            return Err(OAuthError::malformed("A client authenticates by one method only (RFC 6749, section 2.3)"));
        }
        if !assertion.is_empty() && text("client_assertion_type") != assertion::ASSERTION_TYPE {
            return Err(OAuthError::malformed("client_assertion_type is missing or unknown"));
        }
        let clients = self.clients.lock();
        let (credential, rights) = clients.get(id).ok_or_else(unauthorized)?;
        match credential {
            Credential::Secret(own) if assertion.is_empty() && own.expose_secret() == secret => Ok(rights.clone()),
            Credential::Key(key) if !assertion.is_empty() => {
                let mut assertions = self.assertions.lock();
                match assertions.take(assertion, key, id, &self.issuer, now) {
                    Ok(()) => Ok(rights.clone()),
                    Err(fault) => {
                        let description = format!("Client authentication failed: {fault}");
                        Err(OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_client", description))
                    }
                }
            }
            Credential::Secret(_) | Credential::Key(_) => Err(unauthorized()),
        }
    }

    fn issue(&self, client: &str, scope: &str, now: DateTime<Utc>) -> std::io::Result<Value> {
        let lives =
            self.lifetime.as_i64().filter(|seconds| (1..=10 * 365 * 86_400).contains(seconds)).unwrap_or(LIFETIME);
        let number = self.issued.fetch_add(1, Ordering::SeqCst);
        let token = self.key.sign(&json!({
            "iss": self.issuer,
            "sub": format!("{client}@clients"),
            "aud": self.audience,
            "iat": now.timestamp(),
            "exp": now.timestamp() + lives,
            "scope": scope,
            "gty": "client-credentials",
            "azp": client,
            "jti": number.to_string(),
        }))?;
        Ok(json!({
            "access_token": token,
            "scope": scope,
            "expires_in": self.lifetime,
            "token_type": "Bearer",
        }))
    }

    /// Issues a token to a user, `somebody` unless the request names one.
    pub(crate) fn user_token(
        &self,
        request: &TokenRequest,
        somebody: &str,
        now: DateTime<Utc>,
    ) -> std::io::Result<String> {
        self.key.sign(&request.claims(&self.issuer, somebody, now.timestamp()))
    }

    /// The bearer of a request.
    pub(crate) fn bearer(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Result<Grant, ApiError> {
        let unauthorized = |message: &str| ApiError::new(StatusCode::UNAUTHORIZED, None, message);
        let given = headers.get(header::AUTHORIZATION).ok_or_else(|| unauthorized("Missing authentication"))?;
        let token = given
            .to_str()
            .ok()
            .and_then(|given| given.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .filter(|token| token.split('.').count() == 3)
            .ok_or_else(|| ApiError::new(StatusCode::BAD_REQUEST, None, "Bad HTTP authentication header format"))?;
        let claims = self.key.verify(token).map_err(|_| unauthorized("Invalid token"))?;
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str).unwrap_or_default();
        if text("aud") != self.audience {
            return Err(unauthorized(&format!("Bad audience: {}", text("aud"))));
        }
        let number = text("jti").parse::<u64>().unwrap_or(0);
        let ends = claims.get("exp").and_then(Value::as_i64).unwrap_or(0);
        if ends <= now.timestamp() || number < self.expired.load(Ordering::SeqCst) {
            let mut refusal = unauthorized("Expired token received for JSON Web Token validation");
            refusal.repeated = true;
            return Err(refusal);
        }
        Ok(Grant { scopes: text("scope").to_owned() })
    }

    /// `/.well-known/openid-configuration`.
    pub(crate) fn configuration(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("oauth/token"),
            "jwks_uri": at(".well-known/jwks.json"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "RS384", "PS256"],
            "scopes_supported": ["openid", "profile", "email"],
        })
    }

    /// `/.well-known/jwks.json`.
    pub(crate) fn jwks(&self) -> Value {
        self.key.jwks()
    }
}

/// The parameters of a token request, which comes as JSON or as a form.
fn parameters(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, OAuthError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        serde_json::from_slice(body).map_err(|_| OAuthError::malformed("The body is not a JSON object"))
    } else if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(url::form_urlencoded::parse(body)
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect())
    } else {
        Err(OAuthError::malformed("The content type is neither application/json nor application/x-www-form-urlencoded"))
    }
}
