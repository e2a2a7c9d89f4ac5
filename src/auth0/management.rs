//! The Management API's reads: one method per endpoint.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use secrecy::SecretString;

use super::breaker::BreakerStatus;
use super::call::Call;
use super::domain::Domain;
use super::envelope::{self, Page};
use super::error::{BuildError, Error};
use super::fields::Fields;
use super::grant::AuthenticationApi;
use super::identifier::{Email, LogId, UserId};
use super::query::{LogCheckpoint, LogSearch, UserSearch};
use super::refusal::{is_absent_log, is_absent_user, refusal};
use super::retry::RetryPolicy;
use super::token::{TokenCache, TokenStatus};
use super::transport::{Answer, Deadline, Transport};

/// Which tenant, and as whom. `Debug` does not show the secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The tenant's domain, canonical or custom. Tokens and data both come from there: Auth0
    /// accepts a token only on the domain that issued it.
    pub domain: Domain,
    /// The identifier of the Management API. It names the canonical domain even behind a custom
    /// one; without a custom domain it is [`Domain::default_audience`].
    pub audience: String,
    /// The id of a machine-to-machine application that is authorized for the Management API.
    pub client_id: String,
    /// That application's secret.
    pub client_secret: SecretString,
}

/// A read-only client of one tenant's Management API. Cheap to clone; clones share connections and
/// the access token.
///
/// No call is made before its arguments are known to be good, each ends at its deadline, and each
/// may fail with any [`Error`].
#[derive(Clone)]
pub struct ManagementApi(Arc<Inner>);

struct Inner {
    transport: Transport,
    tokens: TokenCache,
}

impl fmt::Debug for ManagementApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManagementApi({})", self.0.transport.domain())
    }
}

impl ManagementApi {
    /// Sets the client up. Nothing is sent yet: the first call asks for the first token.
    ///
    /// # Errors
    ///
    /// When the system's TLS set-up, such as its root certificates, cannot be used.
    pub fn new(settings: Settings) -> Result<Self, BuildError> {
        Self::with_retries(settings, RetryPolicy::default())
    }

    pub(crate) fn with_retries(settings: Settings, policy: RetryPolicy) -> Result<Self, BuildError> {
        let Settings { domain, audience, client_id, client_secret } = settings;
        let transport = Transport::new(domain, policy)?;
        let api = AuthenticationApi { transport: transport.clone(), audience, client_id, client_secret };
        Ok(Self(Arc::new(Inner { transport, tokens: TokenCache::new(api) })))
    }

    /// Searches for users: `GET /users`. Without `totals`, [`Page::total`] is `None`.
    ///
    /// The search index lags a little behind: a user of a second ago may be missing.
    pub async fn users(
        &self,
        search: &UserSearch,
        fields: &Fields,
        totals: bool,
        deadline: Deadline,
    ) -> Result<Page, Error> {
        let mut call = search.add_to(Call::search("users"));
        if totals {
            call = call.with("include_totals", "true");
        }
        self.list(fields.add_to(call, "user_id"), "users", deadline).await
    }

    /// One user: `GET /users/{id}`. A JSON object as Auth0 sent it, or `None` if there is no such
    /// user.
    pub async fn user(&self, id: &UserId, fields: &Fields, deadline: Deadline) -> Result<Option<Bytes>, Error> {
        let call = fields.add_to(Call::to_one("user", "users", id.as_str()), "user_id");
        self.one(call, is_absent_user, deadline).await
    }

    /// All users of an e-mail address: `GET /users-by-email`, which compares it case-sensitively.
    pub async fn users_by_email(&self, email: &Email, fields: &Fields, deadline: Deadline) -> Result<Page, Error> {
        let call = Call::to("users-by-email").with("email", email.as_str());
        self.list(fields.add_to(call, "user_id"), "users", deadline).await
    }

    /// Searches the logs: `GET /logs` by page. Auth0's total is the length of the page, so it is
    /// not asked for.
    pub async fn search_logs(&self, search: &LogSearch, fields: &Fields, deadline: Deadline) -> Result<Page, Error> {
        let call = fields.add_to(search.add_to(Call::search("logs")), "log_id");
        self.list(call, "logs", deadline).await
    }

    /// Reads the stream of logs on from a checkpoint: `GET /logs` with `from`. Records are whole
    /// and come oldest first, for Auth0 ignores every other parameter there.
    pub async fn logs_after(&self, checkpoint: &LogCheckpoint, deadline: Deadline) -> Result<Page, Error> {
        self.list(checkpoint.add_to(Call::to("logs")), "logs", deadline).await
    }

    /// One log: `GET /logs/{id}`. A JSON object as Auth0 sent it, or `None` if there is no such log
    /// (any more).
    pub async fn log(&self, id: &LogId, fields: &Fields, deadline: Deadline) -> Result<Option<Bytes>, Error> {
        let call = fields.add_to(Call::to_one("log", "logs", id.as_str()), "log_id");
        self.one(call, is_absent_log, deadline).await
    }

    /// What is known of the access token in use; `None` before the first call.
    #[must_use]
    pub fn token_status(&self) -> Option<TokenStatus> {
        self.0.tokens.status()
    }

    /// How the circuit breaker of the tenant's host stands.
    #[must_use]
    pub fn breaker(&self) -> BreakerStatus {
        self.0.transport.breaker()
    }

    #[cfg(test)]
    pub(crate) fn tokens(&self) -> &TokenCache {
        &self.0.tokens
    }

    async fn list(&self, call: Call, key: &str, deadline: Deadline) -> Result<Page, Error> {
        self.get(call, deadline, |answer| {
            if !answer.status.is_success() {
                return Err(self.refusal(answer));
            }
            Page::read(&answer.body, key, &answer.headers)
        })
        .await
    }

    async fn one(
        &self,
        call: Call,
        is_absent: fn(&Answer) -> bool,
        deadline: Deadline,
    ) -> Result<Option<Bytes>, Error> {
        self.get(call, deadline, |answer| {
            if is_absent(answer) {
                return Ok(None);
            }
            if !answer.status.is_success() {
                return Err(self.refusal(answer));
            }
            envelope::record(&answer.body).map(Some)
        })
        .await
    }

    async fn get<T>(
        &self,
        call: Call,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (outcome, effort) = self.0.transport.get(&call, &self.0.tokens, deadline, read).await;
        if effort.attempts > 1 {
            let (endpoint, attempts) = (call.endpoint(), effort.attempts);
            tracing::debug!(endpoint, attempts, answered = outcome.is_ok(), "Auth0 was asked more than once");
        }
        outcome
    }

    fn refusal(&self, answer: &Answer) -> Error {
        refusal(answer, self.0.transport.domain().host(), Utc::now())
    }
}
