//! The doctor: can the gateway do its work with these settings, and if not, what has to be mended?
//!
//! [`examine`] looks: it knocks at the tenant's door, asks for a token, asks each endpoint once. The files beside it judge what was
//! found, each of them one subject, and know nothing of how: whether the tenant can be reached (`reach`), whether it lets the gateway
//! in (`access`), what its `endpoints` say, which `scopes` it granted, which `plan` it seems to have, and who may call the gateway
//! (`callers`). What depends on something that failed is skipped, so that a cause is not buried under its effects.
//!
//! A report holds no secret, no token and nothing of the tenant's users: their ids are asked for, and not told.

mod access;
mod callers;
mod endpoints;
mod plan;
mod reach;
mod report;
mod scopes;
mod text;

use std::net::SocketAddr;
use std::time::Duration;

use chrono::Utc;

use self::access::Token;
use self::endpoints::Asked;
use self::report::{Bucket, Check};
pub use self::report::{Report, Status};
use crate::auth::{self, Scopes};
use crate::auth0::{self, ArgumentError, ClientPolicy, ManagementApi, Probe, ProbeError};
use crate::deadline::Deadline;

/// Whom to examine: the settings of a gateway, as it would be served.
#[derive(Debug)]
pub struct Patient {
    /// The tenant that it reads.
    pub tenant: auth0::Settings,
    /// How the tenant is spared.
    pub policy: ClientPolicy,
    /// How callers are told apart.
    pub auth: auth::Settings,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long to wait for each answer.
    pub patience: Duration,
}

/// Looks and judges. It makes about ten calls, at the pace that the tenant's rate limit allows.
///
/// # Errors
///
/// A question of the doctor's own that must not be asked: a bug.
pub async fn examine(patient: Patient) -> Result<Report, ArgumentError> {
    let Patient { tenant, policy, auth, address, patience } = patient;
    let (domain, audience) = (tenant.domain.clone(), tenant.audience.clone());
    let holdable = auth.holdable_scopes();

    let lookup = domain.look_up(Deadline::within(patience)).await;
    let found = match ManagementApi::new(tenant, &policy) {
        Ok(api) => visit(&api, holdable, patience).await?,
        Err(error) => Found::nothing(ProbeError::of(&error)),
    };
    let keys = match &auth.tokens {
        Some(tokens) => Some(auth::count_keys(tokens).await),
        None => None,
    };

    let Found { probe, token, asked, buckets } = found;
    let matrix = scopes::matrix(&token, holdable);
    let mut checks = vec![Check::ok("settings", "complete"), callers::judge(&auth, address)];
    checks.extend(reach::judge(&domain, &lookup, &probe));
    checks.push(reach::clock(&probe, auth.tokens.is_some()));
    checks.push(access::token(&token, Utc::now()));
    checks.push(access::audience(&token, &audience, &asked));
    checks.extend(asked.iter().map(Asked::check));
    checks.push(scopes::judge(&token, &matrix));
    checks.push(plan::judge(&buckets));
    checks.push(callers::keys(keys.as_ref()));
    Ok(Report::new(domain.to_string(), checks, matrix, buckets))
}

/// What was found at the tenant.
struct Found {
    probe: Result<Probe, ProbeError>,
    token: Token,
    asked: Vec<Asked>,
    buckets: Vec<Bucket>,
}

impl Found {
    fn nothing(why: ProbeError) -> Self {
        Self { probe: Err(why), token: None, asked: endpoints::skip_all("needs token"), buckets: Vec::new() }
    }
}

async fn visit(api: &ManagementApi, useful: Scopes, patience: Duration) -> Result<Found, ArgumentError> {
    let probe = match api.probe(Deadline::within(patience)).await {
        Ok(probe) => probe,
        Err(why) => return Ok(Found::nothing(why)),
    };
    let token = api.authenticate(Deadline::within(patience)).await;
    let asked = match &token {
        Ok(_) => endpoints::ask_all(api, useful, patience).await?,
        Err(_) => endpoints::skip_all("needs token"),
    };
    Ok(Found { probe: Ok(probe), token: Some(token), asked, buckets: Bucket::of(&api.rate_limits()) })
}
