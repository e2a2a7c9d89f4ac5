//! `doctor`: can the gateway do its work with these settings, and if not, what has to be mended?
//!
//! [`examine`] observes: it probes the tenant, asks for a token, and calls each endpoint once, as far as the tenant has a record for it. The files beside it judge what was
//! observed, each one subject: reachability (`reach`), the token and its audience (`access`), the `endpoints`, the granted `scopes`, the
//! `plan`, the gateway's own `callers`, and what replicas share (`redis`). What depends on something that failed is skipped, so that a cause is not buried under its
//! effects.
//!
//! A report holds no secret, no token and nothing of the tenant's users: their ids are asked for, and not told.

mod access;
mod callers;
mod endpoints;
mod plan;
mod reach;
mod redis;
mod report;
mod scopes;
mod text;
mod upstream_error;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;

use self::endpoints::EndpointResult;
use self::report::{Bucket, Check, Report, Status};
use super::tenant::OpenTenant;
use super::{CommandError, USAGE, print};
use crate::auth::{self, Scopes};
use crate::auth0::{self, ClientPolicy, Error, ManagementApi, Probe, ProbeError, TokenStatus};
use crate::config::{Problems, Serve, Server};
use crate::deadline::Deadline;
use crate::shared_state::{self, RedisUrl};

/// Outcome of the request for a token; `None` if there was none.
type Token = Option<Result<TokenStatus, Error>>;

/// A gateway to examine: its settings, as it would be served.
struct Target {
    tenant: auth0::Settings,
    policy: ClientPolicy,
    auth: auth::Settings,
    address: SocketAddr,
    redis: Option<RedisUrl>,
    /// Time for each answer.
    timeout: Duration,
    /// Names of the settings whose files hold a secret and can be read by every user of the machine.
    exposed_files: Vec<String>,
}

/// Examines the gateway of these settings, or reports what is wrong with them.
pub(super) async fn run(
    serve: Result<Box<Serve>, Problems>,
    json: bool,
    strict: bool,
) -> Result<ExitCode, CommandError> {
    let report = match serve {
        Ok(serve) => {
            let Serve {
                tenant,
                policy,
                auth,
                redis,
                server: Server { address, http, admin_address: _ },
                exposed_files,
                ..
            } = *serve;
            let tenant = OpenTenant::open(tenant).await?;
            let (auth, timeout) = (tenant.auth(auth), http.request_timeout);
            // A sandbox runs until it is dropped.
            let settings = tenant.settings.clone();
            let target = Target { tenant: settings, policy, auth, address, redis, timeout, exposed_files };
            examine(target).await
        }
        Err(problems) => Report::of_problems(&problems),
    };
    print(&if json { report.json()? } else { report.to_string() })?;
    Ok(ExitCode::from(match report.status() {
        _ if report.is_of_settings() => USAGE,
        Status::Failed => 1,
        Status::Warning => u8::from(strict),
        Status::Ok | Status::Skipped => 0,
    }))
}

/// Observes and judges, with about twenty calls at the pace that the tenant's rate limit allows.
async fn examine(target: Target) -> Report {
    let Target { tenant, policy, auth, address, redis, timeout, exposed_files } = target;
    let way = access::way(&tenant.authentication);
    let (domain, audience, client_id) = (tenant.domain.clone(), tenant.audience.clone(), tenant.client_id.clone());
    let holdable = auth.holdable_scopes();

    let lookup = domain.look_up(Deadline::within(timeout)).await;
    let observed = match ManagementApi::new(tenant, &policy) {
        Ok(api) => observe(&api, holdable, timeout).await,
        Err(error) => Observations::none(ProbeError::of(&error)),
    };
    let keys = match &auth.tokens {
        Some(tokens) => Some(auth::count_keys(tokens).await),
        None => None,
    };

    let Observations { probe, token, endpoints, buckets } = observed;
    let matrix = scopes::matrix(&token, holdable);
    let mut checks = vec![settings(&exposed_files), callers::judge(&auth, &client_id, address)];
    checks.extend(reach::judge(&domain, &lookup, &probe));
    checks.push(reach::clock(&probe, auth.tokens.is_some()));
    checks.push(access::token(&token, way, Utc::now()));
    checks.push(access::audience(&token, &audience, &endpoints));
    checks.extend(endpoints.iter().map(EndpointResult::check));
    checks.push(scopes::judge(&token, &matrix));
    checks.push(plan::judge(&buckets));
    checks.push(callers::keys(keys.as_ref()));
    if let Some(url) = &redis {
        checks.push(redis::judge(&shared_state::survey(url, &domain.to_string()).await));
    }
    Report::new(domain.to_string(), checks, matrix, buckets)
}

/// The settings have been read; what is left to say of them.
fn settings(exposed_files: &[String]) -> Check {
    if exposed_files.is_empty() {
        return Check::ok("settings", "complete");
    }
    let finding = format!("{}: every user of this machine can read the file", exposed_files.join(", "));
    Check::warning("settings", finding, "take the right to read it away from others (chmod o-r)")
}

/// Observations of the tenant.
struct Observations {
    probe: Result<Probe, ProbeError>,
    token: Token,
    endpoints: Vec<EndpointResult>,
    buckets: Vec<Bucket>,
}

impl Observations {
    fn none(error: ProbeError) -> Self {
        Self { probe: Err(error), token: None, endpoints: endpoints::skip_all("needs token"), buckets: Vec::new() }
    }
}

async fn observe(api: &ManagementApi, useful: Scopes, timeout: Duration) -> Observations {
    let probe = match api.probe(Deadline::within(timeout)).await {
        Ok(probe) => probe,
        Err(error) => return Observations::none(error),
    };
    let token = api.authenticate(Deadline::within(timeout)).await;
    let endpoints = match &token {
        Ok(_) => endpoints::call_all(api, useful, timeout).await,
        Err(_) => endpoints::skip_all("needs token"),
    };
    Observations { probe: Ok(probe), token: Some(token), endpoints, buckets: Bucket::of(&api.rate_limits()) }
}
