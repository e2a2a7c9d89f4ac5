//! Checks of the access token and its audience. Pure.

use chrono::{DateTime, Utc};

use super::Token;
use super::endpoints::{EndpointResult, Outcome};
use super::report::{Check, Status};
use super::upstream_error::check_of;
use crate::auth0::{ClientAuthentication, Error, MisconfigurationError};

/// Name of the means by which the application shows that it is the one.
pub(super) const fn way(authentication: &ClientAuthentication) -> &'static str {
    match authentication {
        ClientAuthentication::Secret(_) => "secret",
        ClientAuthentication::PrivateKeyJwt(..) => "key (private_key_jwt)",
    }
}

/// Checks that the token endpoint answers as one, and knows the application.
pub(super) fn token(token: &Token, way: &str, now: DateTime<Utc>) -> Check {
    match token {
        None => Check::skipped("token", "needs an answer of the tenant's"),
        Some(Ok(token)) => {
            let life = (token.expires_at - now).num_minutes().saturating_add(1);
            let life = if life < 120 { format!("{life} min") } else { format!("{} h", life / 60) };
            Check::ok("token", format!("the application's {way} is accepted; a token lives {life}"))
        }
        Some(Err(error)) if is_about_audience(error) => Check::ok("token", "the token endpoint answers"),
        // Even a rate limit, which passes: without a token nothing else can be looked at.
        Some(Err(error)) => Check { status: Status::Failed, ..check_of("token", error) },
    }
}

/// Checks that the audience is that of the Management API, and that the application is authorized for it.
pub(super) fn audience(token: &Token, audience: &str, endpoints: &[EndpointResult]) -> Check {
    match token {
        Some(Err(error)) if is_about_audience(error) => check_of("audience", error),
        None | Some(Err(_)) => Check::skipped("audience", "needs token"),
        // Tokens are given for any API of the tenant; only its own one takes them.
        Some(Ok(_)) => match endpoints.iter().find_map(EndpointResult::token_refusal) {
            Some(error) => check_of("audience", error),
            None if endpoints.iter().any(|endpoint| matches!(endpoint.outcome, Outcome::Answered { .. })) => {
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
