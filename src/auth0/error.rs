//! Errors between the gateway and Auth0.
//!
//! `Display` is for the caller: what happened and what to do, and never a secret, a token, an
//! address, a body or an e-mail address. `source()` is for the log: the operating system's reason,
//! or what the operator has to mend.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Chain;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::deadline::Elapsed;
use crate::single_flight::FlightError;

/// The most that a body may hold once unpacked. A hundred of the largest profiles are 100 MB in
/// theory, but a page of ordinary ones stays below 1 MiB; what is larger than this would cost every
/// other caller memory.
pub(crate) const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The longest wait that anybody is told. Auth0's quotas on tokens are for a month at most, and whoever comes back in a day learns more.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that is told where Auth0 says that there is none, right after it refused: a failed grant is remembered for as long.
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// A read of Auth0 that failed: a call, a walk over many, or the tail of the logs. Cheap to clone, for one failure may have
/// many waiters.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The deadline came first.
    #[error("Auth0 did not answer in the time that was left for it: ask for less at once, or try again")]
    Timeout,
    /// Auth0 is down, or something that is not Auth0 answered.
    #[error(transparent)]
    Unavailable(#[from] UnavailableError),
    /// Auth0 answered 429.
    #[error("Auth0's rate limit is reached: {}", try_again(.retry_after.map(told_wait)))]
    RateLimited {
        /// Time to wait, if Auth0 said so.
        retry_after: Option<Duration>,
    },
    /// Auth0 refused what was asked, and the caller can ask better.
    #[error("Auth0 refused the request: {message}")]
    Rejected {
        /// Auth0's own explanation, cleaned for showing.
        message: String,
        /// Auth0's name for the reason, such as `invalid_query_string`.
        error_code: Option<String>,
    },
    /// The operation has made all the calls that it may make.
    #[error("The operation needs more calls to Auth0 than the {limit} that one may make: ask for less at once")]
    OverBudget {
        /// The most calls of an operation.
        limit: u32,
    },
    /// The gateway's own work on the call panicked. Auth0 is not to blame.
    #[error("The gateway failed. Report the request id to whoever runs it.")]
    Internal,
    /// The gateway itself is not set up as Auth0 wants it; only its operator can mend that.
    #[error("{}", for_the_caller(.what, .missing_scopes))]
    Misconfigured {
        /// The fault and its remedy, for the log.
        #[source]
        what: MisconfigurationError,
        /// The scopes of which Auth0 wants one, or all, when [`MisconfigurationError::MissingScope`] is
        /// the trouble.
        missing_scopes: Vec<String>,
    },
    /// More users were created in one millisecond than paging reaches from both of its ends.
    #[error(
        "More than 2,000 users were created in the millisecond {}, and Auth0 gives out no more of them: narrow the search",
        .at.to_rfc3339_opts(SecondsFormat::Millis, true)
    )]
    Crowded {
        /// The millisecond.
        at: DateTime<Utc>,
    },
    /// Records did not come in the order that was asked for, so that none can be said to be the last.
    #[error("Auth0 answered in another order than it was asked for: what follows cannot be told")]
    Disordered,
    /// The reader of the tail is so far behind that the logs to read next are not kept any more.
    #[error("You read more slowly than logs come: the next ones are not kept any more. Subscribe again with `from`.")]
    Lagged,
}

impl From<Elapsed> for Error {
    fn from(_: Elapsed) -> Self {
        Self::Timeout
    }
}

impl From<FlightError> for Error {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Elapsed(elapsed) => elapsed.into(),
            FlightError::Interrupted => Self::unavailable(UnavailableReason::Interrupted),
            FlightError::Panicked => Self::Internal,
        }
    }
}

impl Error {
    /// Everything behind this error, joined into one line for the log.
    #[must_use]
    pub fn causes(&self) -> String {
        let chain: Vec<String> = Chain::new(self).skip(1).map(ToString::to_string).collect();
        chain.join(": ")
    }

    /// The time to wait, as it is told; none if Auth0 did not say, or there is no use in waiting.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => retry_after.map(told_wait),
            _ => None,
        }
    }

    /// The error for the log, which is to hold nothing of what was asked: Auth0's explanations repeat it.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Rejected { .. } => "Auth0 refused the request".to_owned(),
            _ => self.to_string(),
        }
    }

    /// True if no call was made, for the breaker was open.
    pub(crate) fn is_breaker_open(&self) -> bool {
        matches!(self, Self::Unavailable(error) if error.reason == UnavailableReason::BreakerOpen)
    }

    pub(crate) fn misconfigured(what: MisconfigurationError) -> Self {
        Self::Misconfigured { what, missing_scopes: Vec::new() }
    }

    pub(crate) fn unavailable(reason: UnavailableReason) -> Self {
        Self::Unavailable(UnavailableError { reason, cause: None })
    }

    pub(crate) fn unavailable_because(
        reason: UnavailableReason,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable(UnavailableError { reason, cause: Some(Arc::new(cause)) })
    }
}

/// Auth0 could not be used, through no fault of the request.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct UnavailableError {
    /// The kind of failure.
    pub reason: UnavailableReason,
    #[source]
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// A way in which Auth0 could not be used. `Display` is for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnavailableReason {
    /// No connection, or it was lost before an answer began.
    Connection,
    /// The answer broke off.
    Interrupted,
    /// The status was 500 or above, or one that no Auth0 endpoint gives.
    Status(u16),
    /// The status was 400 to 499, but the body was not Auth0's: a firewall in between, perhaps.
    Blocked(u16),
    /// The body was not JSON, most often a page of HTML from a proxy in between.
    NotJson,
    /// The body was JSON, but not what the endpoint gives.
    Unexpected,
    /// The body exceeded the limit on its size.
    TooLarge,
    /// No call was made, because too many of the last ones had failed.
    BreakerOpen,
}

impl fmt::Display for UnavailableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("Auth0 cannot be reached: try again in a moment"),
            Self::Interrupted => f.write_str("Auth0's answer broke off: try again"),
            // A search is cut off after two seconds, and 503 is what Auth0 documents for it.
            Self::Status(503) => f.write_str(
                "Auth0 is unavailable (status 503), which it also says when a search takes it longer \
                 than two seconds: try again, or narrow the search",
            ),
            Self::Status(status) => {
                write!(f, "Auth0 is unavailable (status {status}): try again in a moment")
            }
            Self::Blocked(status) => write!(
                f,
                "Something between the gateway and Auth0 refused the call (status {status}): try again in a moment"
            ),
            Self::NotJson => f.write_str("Something other than Auth0's API answered: try again in a moment"),
            Self::Unexpected => f.write_str("Auth0's answer has an unknown form: try again in a moment"),
            Self::TooLarge => write!(
                f,
                "Auth0's answer is larger than {} MiB: ask for fewer records or fewer fields",
                BODY_LIMIT / (1024 * 1024)
            ),
            Self::BreakerOpen => f.write_str(
                "Auth0 has been failing, and the gateway waits a moment before it asks again: try again in a second",
            ),
        }
    }
}

/// A fault that an operator has to mend. `Display` is for them: the finding and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MisconfigurationError {
    /// `/oauth/token` answered 401.
    #[error(
        "Auth0 does not accept the client's credentials: compare AUTH0_CLIENT_ID, and AUTH0_CLIENT_SECRET or the public half of \
         AUTH0_CLIENT_ASSERTION_KEY_FILE with its AUTH0_CLIENT_ASSERTION_ALGORITHM, with the application's settings page, on the \
         tenant that AUTH0_DOMAIN names"
    )]
    ClientRefused,
    /// The client assertion could not be signed, though the key was tried when it was read.
    #[error("a client assertion cannot be signed with the key of AUTH0_CLIENT_ASSERTION_KEY_FILE")]
    AssertionNotSigned,
    /// `/oauth/token` answered 403 for want of a client grant.
    #[error(
        "the application is not authorized for the Management API: in the Auth0 dashboard, open Applications > APIs > \
         Auth0 Management API, authorize the application there and choose its scopes"
    )]
    NoClientGrant,
    /// `/oauth/token` answered 403 because no API has the audience as its identifier.
    #[error(
        "the tenant has no API of the audience asked for: with a custom domain, set AUTH0_AUDIENCE to \
         https://TENANT.REGION.auth0.com/api/v2/, which names the canonical domain and ends with a slash"
    )]
    UnknownAudience,
    /// `/oauth/token` answered 403 because the application may not use the grant.
    #[error(
        "the application may not use the client-credentials grant: make it a machine-to-machine application, or switch \
         the grant on under Advanced Settings > Grant Types"
    )]
    GrantTypeDisabled,
    /// `/oauth/token` refused for another reason.
    #[error("Auth0 gives the application no token (status {status}, error {})", .error.as_deref().unwrap_or("not named"))]
    GrantRefused {
        /// The HTTP status.
        status: u16,
        /// OAuth's `error`, if it was one.
        error: Option<String>,
    },
    /// The Management API did not accept a token that `/oauth/token` had just given.
    #[error(
        "the Management API does not accept the token that the tenant has just issued: AUTH0_AUDIENCE must be \
         https://TENANT.REGION.auth0.com/api/v2/ of this very tenant, with the slash at its end"
    )]
    TokenRefused,
    /// The client grant lacks a scope.
    #[error(
        "the application lacks a scope: in the Auth0 dashboard, open Applications > APIs > Auth0 Management API > \
         Machine to Machine Applications and grant it"
    )]
    MissingScope {
        /// True if it needs all of the scopes that are told with it, and not any one of them.
        needs_all: bool,
    },
    /// The tenant's subscription does not include it.
    #[error("the tenant's Auth0 subscription does not include this")]
    PlanLimit,
    /// Another refusal that no caller can mend. What Auth0 says of it is for the log alone.
    #[error("the Management API refuses the gateway's call (status {status}): {explanation}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Auth0's own words, cleaned.
        explanation: String,
    },
    /// 403 for another reason.
    #[error("the Management API forbids this to the application, and does not say that a scope is missing")]
    Forbidden,
    /// 404 for something that every tenant has.
    #[error("there is no Management API at AUTH0_DOMAIN: it must be the tenant's own domain or its custom domain")]
    NotFound,
    /// A redirect, which is never followed: it would carry the token along.
    #[error("AUTH0_DOMAIN answers with a redirect (status {0}): set it to the domain that is redirected to")]
    Redirected(u16),
}

/// The client cannot be built.
#[derive(Debug, thiserror::Error)]
#[error(
    "the HTTP client for Auth0 cannot be set up; the system's root certificates are most often the \
     reason"
)]
pub struct BuildError(#[source] pub(crate) reqwest::Error);

fn told_wait(wait: Duration) -> Duration {
    if wait.is_zero() { LEAST_WAIT } else { wait.min(LONGEST_WAIT) }
}

fn try_again(after: Option<Duration>) -> String {
    match after {
        // Rounded up: who comes back early is refused again.
        Some(wait) => format!("try again in {} s", wait.as_micros().div_ceil(1_000_000)),
        None => "try again in a moment".to_owned(),
    }
}

fn for_the_caller(what: &MisconfigurationError, missing_scopes: &[String]) -> String {
    match what {
        MisconfigurationError::MissingScope { .. } if !missing_scopes.is_empty() => format!(
            "The gateway's Auth0 application lacks a scope that this needs ({}): its operator can \
             grant it",
            missing_scopes.join(", ")
        ),
        MisconfigurationError::PlanLimit => "The Auth0 subscription of this tenant does not include this".to_owned(),
        _ => "The gateway's access to Auth0 is not set up right: its operator finds the remedy in \
              its log"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn the_caller_is_told_the_scope_and_the_operator_the_remedy() {
        let error = Error::Misconfigured {
            what: MisconfigurationError::MissingScope { needs_all: false },
            missing_scopes: vec!["read:users".to_owned(), "read:user_idp_tokens".to_owned()],
        };
        insta::assert_snapshot!(error, @"The gateway's Auth0 application lacks a scope that this needs (read:users, read:user_idp_tokens): its operator can grant it");
        assert!(
            error.source().is_some_and(|remedy| { remedy.to_string().contains("Machine to Machine Applications") })
        );

        let error = Error::misconfigured(MisconfigurationError::ClientRefused);
        assert!(!error.to_string().contains("AUTH0_CLIENT_SECRET"), "{error}");
        assert!(error.source().is_some_and(|remedy| remedy.to_string().contains("AUTH0_CLIENT_SECRET")));
    }

    #[test]
    fn the_log_is_told_nothing_of_what_was_asked() {
        let error = Error::Rejected { message: "The query 'name:ada' cannot be parsed.".to_owned(), error_code: None };
        assert!(error.to_string().contains("ada"));
        assert!(!error.summary().contains("ada") && error.causes().is_empty());
    }

    #[test]
    fn a_panic_is_no_fault_of_auth0s() {
        let error = Error::from(FlightError::Panicked);
        assert!(matches!(error, Error::Internal) && !error.to_string().contains("Auth0"), "{error}");
    }

    #[test]
    fn a_wait_is_rounded_up() {
        for (wait, told, text) in [
            (Some(Duration::ZERO), Some(1_000), "in 1 s"),
            (Some(Duration::from_micros(1)), Some(0), "in 1 s"),
            (Some(Duration::from_millis(1001)), Some(1_001), "in 2 s"),
            (Some(Duration::from_secs(3540)), Some(3_540_000), "in 3540 s"),
            (Some(Duration::from_secs(u64::MAX)), Some(86_400_000), "in 86400 s"),
            (None, None, "in a moment"),
        ] {
            let error = Error::RateLimited { retry_after: wait };
            assert!(error.to_string().ends_with(text), "{error}");
            assert_eq!(error.wait().map(|wait| wait.as_millis()), told);
        }
        assert_eq!(Error::Timeout.wait(), None);
    }
}
