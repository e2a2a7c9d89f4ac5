//! Meaning of Auth0's errors for an operator: a finding and its remedy. Pure.

use std::borrow::Cow;

use super::report::Check;
use crate::auth0::{Error, MisconfigurationError};

const GRANT_THEM: &str = "in Auth0's dashboard, open Applications > APIs > Auth0 Management API > Machine to Machine \
     Applications, and grant it to the application";

const EXPLAINED_IN_LOG: &str = "Auth0's explanation, which may repeat what was asked, is in the gateway's log as soon as a caller meets \
     the same";

/// The check that failed for an error of Auth0's.
pub(super) fn check_of(name: impl Into<Cow<'static, str>>, error: &Error) -> Check {
    let told = match error {
        Error::Misconfigured { what: MisconfigurationError::MissingScope { needs_all }, missing_scopes }
            if !missing_scopes.is_empty() =>
        {
            let asked = match (missing_scopes.len(), needs_all) {
                (1, _) => "",
                (_, true) => "all of ",
                (_, false) => "any of ",
            };
            let finding = format!("the application lacks a scope: Auth0 asks for {asked}{}", missing_scopes.join(", "));
            return Check::failed(name, finding, Some(GRANT_THEM.to_owned()));
        }
        // As below: the explanation is Auth0's, and no remedy.
        Error::Misconfigured { what: MisconfigurationError::Refused { status, .. }, .. } => {
            let finding = format!("the Management API refuses the gateway's call (status {status})");
            return Check::failed(name, finding, Some(EXPLAINED_IN_LOG.to_owned()));
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
        Error::Unavailable(_)
        | Error::OverBudget { .. }
        | Error::Internal
        | Error::Crowded { .. }
        | Error::Disordered
        | Error::Lagged => {
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
