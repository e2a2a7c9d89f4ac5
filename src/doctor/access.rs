//! Whether Auth0 gives the gateway a token, for the right audience, and what it answers to a call. Pure.

use chrono::{DateTime, Utc};

use super::endpoints::{Asked, Outcome};
use super::report::{Check, Status};
use crate::auth0::{Error, MisconfigurationError, TokenStatus};

/// What came of asking for a token; `None` if that was not done.
pub(super) type Token = Option<Result<TokenStatus, Error>>;

/// Whether the token endpoint answers as one, and knows the application.
pub(super) fn token(token: &Token, now: DateTime<Utc>) -> Check {
    match token {
        None => Check::skipped("token", "needs an answer of the tenant's"),
        Some(Ok(token)) => {
            let life = (token.expires_at - now).num_minutes().saturating_add(1);
            let life = if life < 120 { format!("{life} min") } else { format!("{} h", life / 60) };
            Check::ok("token", format!("the application's credentials are accepted; a token lives {life}"))
        }
        Some(Err(error)) if is_about_audience(error) => Check::ok("token", "the token endpoint answers"),
        // Even a rate limit, which passes: without a token nothing else can be looked at.
        Some(Err(error)) => Check { status: Status::Failed, ..refused("token", error) },
    }
}

/// Whether the audience is that of the Management API, and the application is authorized for it.
pub(super) fn audience(token: &Token, audience: &str, asked: &[Asked]) -> Check {
    match token {
        Some(Err(error)) if is_about_audience(error) => refused("audience", error),
        None | Some(Err(_)) => Check::skipped("audience", "needs token"),
        // Tokens are given for any API of the tenant; only its own one takes them.
        Some(Ok(_)) => match asked.iter().find_map(Asked::token_refusal) {
            Some(error) => refused("audience", error),
            None if asked.iter().any(|asked| matches!(asked.outcome, Outcome::Answered)) => {
                Check::ok("audience", audience)
            }
            None => Check::skipped("audience", "no call shows whether the Management API takes the token"),
        },
    }
}

fn is_about_audience(error: &Error) -> bool {
    use MisconfigurationError::{NoClientGrant, TokenRefused, UnknownAudience};
    matches!(error, Error::Misconfigured { what: NoClientGrant | TokenRefused | UnknownAudience, .. })
}

/// What a failure of Auth0's means for an operator.
pub(super) fn refused(name: &'static str, error: &Error) -> Check {
    let told = match error {
        Error::Misconfigured { what: MisconfigurationError::MissingScope, missing_scopes }
            if !missing_scopes.is_empty() =>
        {
            let finding = format!("the application lacks a scope: Auth0 asks for any of {}", missing_scopes.join(", "));
            return Check::failed(name, finding, Some(super::scopes::GRANT_THEM.to_owned()));
        }
        Error::Misconfigured { what: what @ MisconfigurationError::GrantRefused { .. }, .. } => {
            let remedy = "look for the failed exchange in the tenant's log (Auth0's dashboard > Monitoring > Logs)";
            return Check::failed(name, what.to_string(), Some(remedy.to_owned()));
        }
        Error::Misconfigured { what, .. } => what.to_string(),
        Error::RateLimited { .. } => {
            let (finding, remedy) = split(&error.to_string());
            let remedy = remedy.unwrap_or_default();
            return Check::warning(name, finding, remedy);
        }
        // Auth0's own words may repeat what was asked, which may be somebody's id.
        Error::Rejected { error_code, .. } => {
            let code = error_code.as_deref().unwrap_or("not named");
            return Check::failed(name, format!("Auth0 refuses the call as malformed (error {code})"), None);
        }
        Error::Timeout => {
            let remedy = "try again; REQUEST_TIMEOUT is how long the gateway waits".to_owned();
            return Check::failed(name, "Auth0 did not answer in time", Some(remedy));
        }
        Error::Unavailable(_) | Error::OverBudget { .. } => {
            let (finding, remedy) = split(&error.to_string());
            let causes = error.causes();
            let finding = if causes.is_empty() { finding } else { format!("{finding} ({causes})") };
            return Check::failed(name, finding, remedy);
        }
    };
    let (finding, remedy) = split(&told);
    Check::failed(name, finding, remedy)
}

/// The errors of the client are a finding, and as a rule a remedy behind a colon.
fn split(text: &str) -> (String, Option<String>) {
    match text.split_once(": ") {
        Some((finding, remedy)) => (finding.to_owned(), Some(remedy.to_owned())),
        None => (text.to_owned(), None),
    }
}
