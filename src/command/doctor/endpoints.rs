//! Checks of the endpoints: a cheap call to each that the gateway reads from.
//!
//! The calls go the way that the gateway's own go: paced by the tenant's rate limit, and repeated where that is worth it. They ask for
//! ids and nothing else, and of those nothing is told.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::report::Check;
use super::upstream_error::check_of;
use crate::auth::{Scope, Scopes};
use crate::auth0::{
    ApiRequest, ArgumentError, CallBudget, CallContext, CallerKey, Email, Error, Fields, LogCheckpoint, LogId,
    LogSearch, ManagementApi, MisconfigurationError, Page, UserId, UserSearch,
};
use crate::deadline::Deadline;

const USERS: &str = "GET /users";
const USER: &str = "GET /users/{id}";
const USERS_BY_EMAIL: &str = "GET /users-by-email";
const LOGS: &str = "GET /logs";
const LOGS_FROM: &str = "GET /logs?from";
const LOG: &str = "GET /logs/{id}";

/// Every endpoint, in the order of the calls.
const ALL: [&str; 6] = [USERS, USER, USERS_BY_EMAIL, LOGS, LOGS_FROM, LOG];

/// Nobody has it (RFC 2606), and Auth0 answers with an empty list.
const NOBODY: &str = "nobody@example.invalid";

/// Outcome of the call to an endpoint.
#[derive(Debug)]
pub(super) struct EndpointResult {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    took: Duration,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Answered,
    Failed(Error),
    /// Not called, for this reason.
    Skipped(&'static str),
}

impl EndpointResult {
    fn skipped(name: &'static str, why: &'static str) -> Self {
        Self { name, outcome: Outcome::Skipped(why), took: Duration::ZERO }
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

    pub(super) fn check(&self) -> Check {
        match &self.outcome {
            Outcome::Skipped(why) => Check::skipped(self.name, *why),
            Outcome::Failed(_) if self.token_refusal().is_some() => Check::skipped(self.name, "needs audience"),
            Outcome::Failed(error) => check_of(self.name, error).took(self.took),
            Outcome::Answered => Check::ok(self.name, format!("{} ms", self.took.as_millis())).took(self.took),
        }
    }
}

/// No endpoint is called.
pub(super) fn skip_all(why: &'static str) -> Vec<EndpointResult> {
    ALL.into_iter().map(|name| EndpointResult::skipped(name, why)).collect()
}

/// Calls every endpoint, each for at most `timeout`, but for those that are of use to no caller.
pub(super) async fn call_all(
    api: &ManagementApi,
    useful: Scopes,
    timeout: Duration,
) -> Result<Vec<EndpointResult>, ArgumentError> {
    let mut calls =
        EndpointCalls { api, timeout, ids_only: Fields::Only(Vec::new()), results: Vec::with_capacity(ALL.len()) };
    if useful.holds(Scope::ReadUsers) {
        calls.users().await?;
    } else {
        calls.skip(&[USERS, USER, USERS_BY_EMAIL], "no caller can hold read:users");
    }
    if calls.results.iter().any(|result| result.token_refusal().is_some()) {
        calls.skip(&[LOGS, LOGS_FROM, LOG], "needs audience");
    } else if useful.holds(Scope::ReadLogs) {
        calls.logs().await?;
    } else {
        calls.skip(&[LOGS, LOGS_FROM, LOG], "no caller can hold read:logs");
    }
    Ok(calls.results)
}

struct EndpointCalls<'a> {
    api: &'a ManagementApi,
    timeout: Duration,
    ids_only: Fields,
    results: Vec<EndpointResult>,
}

impl EndpointCalls<'_> {
    async fn users(&mut self) -> Result<(), ArgumentError> {
        let (api, ids_only) = (self.api, self.ids_only.clone());
        let (search, email) = (UserSearch::new(None, 0, 1, None)?, Email::parse(NOBODY)?);
        let page = self
            .call(USERS, async |context| api.read(&ApiRequest::users(&search, &ids_only, false), context).await)
            .await;
        match page.as_ref().and_then(first_id::<HasUserId>).and_then(|id| UserId::parse(&id.user_id).ok()) {
            Some(id) => {
                self.call(USER, async |context| api.read(&ApiRequest::user(&id, &ids_only), context).await).await;
            }
            None if page.is_some() => self.skip(&[USER], "the tenant has no user to look up"),
            None => self.skip(&[USER], "needs GET /users for an id"),
        }
        self.call(USERS_BY_EMAIL, async |context| {
            api.read(&ApiRequest::users_by_email(&email, &ids_only), context).await
        })
        .await;
        Ok(())
    }

    async fn logs(&mut self) -> Result<(), ArgumentError> {
        let (api, ids_only) = (self.api, self.ids_only.clone());
        let search = LogSearch::newest(1)?;
        let page = self
            .call(LOGS, async |context| api.read(&ApiRequest::search_logs(&search, &ids_only), context).await)
            .await;
        match page.as_ref().and_then(first_id::<HasLogId>).and_then(|id| LogId::parse(&id.log_id).ok()) {
            Some(id) => {
                let from = LogCheckpoint::new(id.as_str(), 1)?;
                self.call(LOGS_FROM, async |context| api.read(&ApiRequest::logs_after(&from), context).await).await;
                self.call(LOG, async |context| api.read(&ApiRequest::log(&id), context).await).await;
            }
            None if page.is_some() => self.skip(&[LOGS_FROM, LOG], "the tenant has no log to look up"),
            None => self.skip(&[LOGS_FROM, LOG], "needs GET /logs for an id"),
        }
        Ok(())
    }

    fn skip(&mut self, names: &[&'static str], why: &'static str) {
        self.results.extend(names.iter().map(|name| EndpointResult::skipped(name, why)));
    }

    async fn call<T>(
        &mut self,
        name: &'static str,
        call: impl AsyncFnOnce(&CallContext) -> Result<T, Error>,
    ) -> Option<T> {
        // A token that was refused twice is refused to every other call as well.
        if self.results.iter().any(|result| result.token_refusal().is_some()) {
            self.skip(&[name], "needs audience");
            return None;
        }
        let context = CallContext::new(Deadline::within(self.timeout), CallerKey::default(), CallBudget::new(1));
        let start = Instant::now();
        let (outcome, answer) = match call(&context).await {
            Ok(answer) => (Outcome::Answered, Some(answer)),
            Err(error) => (Outcome::Failed(error), None),
        };
        self.results.push(EndpointResult { name, outcome, took: start.elapsed() });
        answer
    }
}

#[derive(Deserialize)]
struct HasUserId {
    user_id: String,
}

#[derive(Deserialize)]
struct HasLogId {
    log_id: String,
}

/// The first record of a page, if there is one of that form.
fn first_id<T: serde::de::DeserializeOwned>(page: &Page) -> Option<T> {
    serde_json::from_slice::<Vec<T>>(&page.records).ok()?.into_iter().next()
}
