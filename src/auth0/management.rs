//! The Management API's reads: one method per endpoint.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;

use super::breaker::BreakerStatus;
use super::call::Call;
use super::deadline::Deadline;
use super::domain::Domain;
use super::envelope::Page;
use super::errand::Errand;
use super::error::{BuildError, Error, Reason};
use super::fields::Fields;
use super::grant::AuthenticationApi;
use super::identifier::{Email, LogId, UserId};
use super::knock::{Knock, Unreachable};
use super::pace::BucketStatus;
use super::query::{LogCheckpoint, LogSearch, UserSearch};
use super::read::{Form, Landed, Reader};
use super::retry::RetryPolicy;
use super::token::{TokenCache, TokenStatus};
use super::transport::Transport;

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

/// How the tenant is spared.
#[derive(Debug, Clone, PartialEq)]
pub struct Care {
    /// How long an answer of the user search or the log search may be served again; zero switches that off.
    pub cache_ttl: Duration,
    /// Which share of the tenant's rate limit is left to others, from 0 to 0.9.
    pub rate_reserve: f64,
}

impl Default for Care {
    fn default() -> Self {
        Self { cache_ttl: Duration::from_secs(1), rate_reserve: 0.0 }
    }
}

/// A read-only client of one tenant's Management API. Cheap to clone; clones share connections,
/// the access token, calls under way and answers that are kept.
///
/// No call is made before its arguments are known to be good, each ends at its deadline, and each
/// may fail with any [`Error`].
#[derive(Clone)]
pub struct ManagementApi(Reader);

impl fmt::Debug for ManagementApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManagementApi({})", self.0.transport().domain())
    }
}

impl ManagementApi {
    /// Sets the client up. Nothing is sent yet: the first call asks for the first token.
    ///
    /// # Errors
    ///
    /// When the system's TLS set-up, such as its root certificates, cannot be used.
    pub fn new(settings: Settings, care: &Care) -> Result<Self, BuildError> {
        Self::with_retries(settings, care, RetryPolicy::default())
    }

    pub(crate) fn with_retries(settings: Settings, care: &Care, policy: RetryPolicy) -> Result<Self, BuildError> {
        let Settings { domain, audience, client_id, client_secret } = settings;
        let transport = Transport::new(domain, policy, care.rate_reserve)?;
        let api = AuthenticationApi { transport: transport.clone(), audience, client_id, client_secret };
        Ok(Self(Reader::new(transport, TokenCache::new(api), care.cache_ttl)))
    }

    /// Searches for users: `GET /users`. Without `totals`, [`Page::total`] is `None`.
    ///
    /// The search index lags a little behind: a user of a second ago may be missing.
    pub async fn users(
        &self,
        search: &UserSearch,
        fields: &Fields,
        totals: bool,
        errand: &Errand,
    ) -> Result<Page, Error> {
        let mut call = search.add_to(Call::search("users"));
        if totals {
            call = call.with("include_totals", "true");
        }
        self.list(fields.add_to(call, "user_id"), Form::List("users"), errand).await
    }

    /// One user: `GET /users/{id}`. A JSON object as Auth0 sent it, or `None` if there is no such
    /// user.
    pub async fn user(&self, id: &UserId, fields: &Fields, errand: &Errand) -> Result<Option<Bytes>, Error> {
        let call = fields.add_to(Call::to_one("user", "users", id.as_str()), "user_id");
        self.one(call, Form::User, errand).await
    }

    /// All users of an e-mail address: `GET /users-by-email`, which compares it case-sensitively.
    pub async fn users_by_email(&self, email: &Email, fields: &Fields, errand: &Errand) -> Result<Page, Error> {
        let call = Call::to("users-by-email").with("email", email.as_str());
        self.list(fields.add_to(call, "user_id"), Form::List("users"), errand).await
    }

    /// Searches the logs: `GET /logs` by page. Auth0's total is the length of the page, so it is
    /// not asked for.
    pub async fn search_logs(&self, search: &LogSearch, fields: &Fields, errand: &Errand) -> Result<Page, Error> {
        let call = fields.add_to(search.add_to(Call::search("logs")), "log_id");
        self.list(call, Form::List("logs"), errand).await
    }

    /// Reads the stream of logs on from a checkpoint: `GET /logs` with `from`. Records are whole
    /// and come oldest first, for Auth0 ignores every other parameter there.
    pub async fn logs_after(&self, checkpoint: &LogCheckpoint, errand: &Errand) -> Result<Page, Error> {
        self.list(checkpoint.add_to(Call::to("logs")), Form::List("logs"), errand).await
    }

    /// One log: `GET /logs/{id}`. A JSON object as Auth0 sent it, or `None` if there is no such log
    /// (any more). It comes whole: of all these endpoints this one has no `fields`, and Auth0 refuses parameters that
    /// an endpoint does not have. <https://auth0.com/docs/api/management/v2/logs/get-logs-by-id>
    pub async fn log(&self, id: &LogId, errand: &Errand) -> Result<Option<Bytes>, Error> {
        self.one(Call::to_one("log", "logs", id.as_str()), Form::Log, errand).await
    }

    /// Asks for an access token, unless there is one already, and tells what is known of it. Every other call does so by itself.
    pub async fn authenticate(&self, deadline: Deadline) -> Result<TokenStatus, Error> {
        Ok(self.0.tokens().token(&deadline.into()).await?.status())
    }

    /// Knocks at the tenant's door, once and without a token.
    ///
    /// # Errors
    ///
    /// See [`Unreachable`].
    pub async fn knock(&self, deadline: Deadline) -> Result<Knock, Unreachable> {
        self.0.transport().knock(deadline).await
    }

    /// What is known of the access token in use; `None` before the first call.
    #[must_use]
    pub fn token_status(&self) -> Option<TokenStatus> {
        self.0.tokens().status()
    }

    /// The tenant's rate limits, as far as they are known.
    #[must_use]
    pub fn rate_limits(&self) -> Vec<BucketStatus> {
        self.0.transport().governor().buckets()
    }

    /// Whether calls are let through to Auth0.
    #[must_use]
    pub fn breaker(&self) -> BreakerStatus {
        self.0.transport().breaker()
    }

    #[cfg(test)]
    pub(crate) fn tokens(&self) -> &TokenCache {
        self.0.tokens()
    }

    async fn list(&self, call: Call, form: Form, errand: &Errand) -> Result<Page, Error> {
        match self.0.read(call, form, errand).await? {
            Landed::Page(page) => Ok(page),
            Landed::Record(_) => Err(Error::unavailable(Reason::Unexpected)),
        }
    }

    async fn one(&self, call: Call, form: Form, errand: &Errand) -> Result<Option<Bytes>, Error> {
        match self.0.read(call, form, errand).await? {
            Landed::Record(record) => Ok(record),
            Landed::Page(_) => Err(Error::unavailable(Reason::Unexpected)),
        }
    }
}
