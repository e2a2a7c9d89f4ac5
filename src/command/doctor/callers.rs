//! Checks of the gateway's callers, and of the keys that verify their tokens. Pure.

use std::net::SocketAddr;

use super::report::Check;
use crate::auth::{FetchError, Settings};

/// Checks who is let in.
pub(super) fn judge(auth: &Settings, client_id: &str, address: SocketAddr) -> Check {
    if auth.admits_anonymous() && !address.ip().to_canonical().is_loopback() {
        let finding = format!("whoever reaches {address} can read the tenant without credentials");
        let remedy = "take ALLOW_ANONYMOUS away, and set JWT_ISSUER and JWT_AUDIENCE, or API_KEYS; leave it so only if something in \
                      front of the gateway keeps strangers out";
        return Check::warning("callers", finding, remedy);
    }
    if auth.tokens.as_ref().is_some_and(|tokens| tokens.audiences.iter().any(|audience| audience == client_id)) {
        let finding = "JWT_AUDIENCE is AUTH0_CLIENT_ID, so that ID tokens are let in, which are not meant for APIs";
        let remedy = "name the identifier of an API in JWT_AUDIENCE (Auth0's dashboard > Applications > APIs)";
        return Check::warning("callers", finding, remedy);
    }
    let anonymous = auth.admits_anonymous().then(|| "no credentials, from this machine only".to_owned());
    let token = auth.tokens.as_ref().map(|tokens| format!("an access token of {}", tokens.issuer));
    let api_key = (!auth.api_keys.is_empty()).then(|| "an API key".to_owned());
    let ways: Vec<_> = [token, api_key, anonymous].into_iter().flatten().collect();
    Check::ok("callers", format!("let in with {}", ways.join(", or ")))
}

/// Checks that the keys of the callers' issuer are to be had; `None` if their tokens are not taken.
pub(super) fn keys(fetched: Option<&Result<usize, FetchError>>) -> Check {
    match fetched {
        None => Check::skipped("keys", "no access tokens are taken: JWT_ISSUER is not set"),
        Some(Ok(1)) => Check::ok("keys", "the issuer has 1 key to verify tokens with"),
        Some(Ok(count)) => Check::ok("keys", format!("the issuer has {count} keys to verify tokens with")),
        Some(Err(error)) => {
            let remedy = match error {
                FetchError::Unreachable(_) => {
                    "check JWT_ISSUER and JWT_JWKS_URL, and whether a firewall lets this machine out; until then, callers with tokens \
                     are answered 503"
                }
                _ => "until that is mended, callers with tokens are answered 503",
            };
            Check::failed("keys", error.to_string(), Some(remedy.to_owned()))
        }
    }
}
