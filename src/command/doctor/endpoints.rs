//! Checks of the endpoints: the cheapest call to each that the gateway reads from.
//!
//! The calls go the way that the gateway's own go: paced by the tenant's rate limit, and repeated where that is worth it. They ask for
//! one record, and for nothing but its id where the endpoint lets fields be chosen. Of what comes nothing is told.

use std::ptr;
use std::time::{Duration, Instant};

use super::report::{Check, Status};
use super::upstream_error::check_of;
use crate::auth::{Scope, Scopes};
use crate::auth0::endpoints::{ENDPOINTS, Endpoint};
use crate::auth0::{
    ApiRequest, CallBudget, CallContext, CallerKey, Error, ManagementApi, MisconfigurationError, Payload,
};
use crate::deadline::Deadline;

/// Outcome of the call to an endpoint.
#[derive(Debug)]
pub(super) struct EndpointResult {
    endpoint: &'static Endpoint,
    pub(super) outcome: Outcome,
    took: Duration,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Answered {
        /// Id of the first record, if the endpoint lists records that others are called for.
        first_id: Option<Box<str>>,
        /// True if it is a list without records.
        is_empty: bool,
    },
    Failed(Error),
    /// Not called, for this reason.
    Skipped(String),
}

impl EndpointResult {
    fn skipped(endpoint: &'static Endpoint, why: String) -> Self {
        Self { endpoint, outcome: Outcome::Skipped(why), took: Duration::ZERO }
    }

    /// The error, if it is the token itself that was not taken.
    pub(super) fn token_refusal(&self) -> Option<&Error> {
        match &self.outcome {
            Outcome::Failed(error @ Error::Misconfigured { what: MisconfigurationError::TokenRefused, .. }) => {
                Some(error)
            }
            _ => None,
        }
    }

    /// True if the gateway can do without: an optional scope was not granted, or the tenant's plan has no such list.
    fn is_dispensable(&self, error: &Error) -> bool {
        match error {
            Error::Misconfigured { what: MisconfigurationError::MissingScope { .. }, .. } => {
                Scope::parse(self.endpoint.scope).is_some_and(|scope| !scope.facts().is_required)
            }
            Error::Misconfigured { what: MisconfigurationError::PlanLimit, .. } => self.endpoint.is_list_of_user(),
            _ => false,
        }
    }

    pub(super) fn check(&self) -> Check {
        let name = self.endpoint.label();
        match &self.outcome {
            Outcome::Skipped(why) => Check::skipped(name, why.clone()),
            Outcome::Failed(_) if self.token_refusal().is_some() => Check::skipped(name, "needs audience"),
            Outcome::Failed(error) if self.is_dispensable(error) => {
                Check { status: Status::Skipped, remedy: None, ..check_of(name, error).took(self.took) }
            }
            Outcome::Failed(error) => check_of(name, error).took(self.took),
            Outcome::Answered { .. } => Check::ok(name, format!("{} ms", self.took.as_millis())).took(self.took),
        }
    }
}

/// No endpoint is called.
pub(super) fn skip_all(why: &str) -> Vec<EndpointResult> {
    ENDPOINTS.iter().map(|endpoint| EndpointResult::skipped(endpoint, why.to_owned())).collect()
}

/// Calls every endpoint, each for at most `timeout`, but for those that are of use to no caller or for which no id was found.
pub(super) async fn call_all(api: &ManagementApi, useful: Scopes, timeout: Duration) -> Vec<EndpointResult> {
    let mut results = Vec::with_capacity(ENDPOINTS.len());
    for &endpoint in ENDPOINTS {
        results.push(match request(endpoint, useful, &results) {
            Ok(request) => call(api, endpoint, &request, timeout).await,
            Err(why) => EndpointResult::skipped(endpoint, why),
        });
    }
    results
}

/// The call to an endpoint, or the reason why it is not tried.
fn request(
    endpoint: &'static Endpoint,
    useful: Scopes,
    earlier: &[EndpointResult],
) -> Result<ApiRequest<Payload>, String> {
    // A token that was refused twice is refused to every other call as well.
    if earlier.iter().any(|result| result.token_refusal().is_some()) {
        return Err("needs audience".to_owned());
    }
    if !Scope::parse(endpoint.scope).is_some_and(|scope| useful.holds(scope)) {
        return Err(format!("no caller can hold {}", endpoint.scope));
    }
    let Some(list) = endpoint.sample.id_of else { return Ok(ApiRequest::sample(endpoint, "")) };
    match earlier.iter().find(|result| ptr::eq(result.endpoint, list)).map(|result| &result.outcome) {
        Some(Outcome::Answered { first_id: Some(id), .. }) => Ok(ApiRequest::sample(endpoint, id)),
        Some(Outcome::Answered { is_empty: true, .. }) => Err(format!("not tried: the tenant has no {}", list.name)),
        Some(Outcome::Answered { .. }) => Err(format!("not tried: the first of the {} has no id", list.name)),
        _ => Err(format!("needs {} for an id", list.label())),
    }
}

async fn call(
    api: &ManagementApi,
    endpoint: &'static Endpoint,
    request: &ApiRequest<Payload>,
    timeout: Duration,
) -> EndpointResult {
    let context = CallContext::new(Deadline::within(timeout), CallerKey::default(), CallBudget::new(1));
    let start = Instant::now();
    let outcome = match api.read(request, &context).await {
        Ok(payload) => Outcome::Answered { first_id: payload.first_id(endpoint), is_empty: payload.is_empty() },
        Err(error) => Outcome::Failed(error),
    };
    EndpointResult { endpoint, outcome, took: start.elapsed() }
}
