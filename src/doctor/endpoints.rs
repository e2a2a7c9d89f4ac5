//! One cheap call to each endpoint that the gateway reads from.
//!
//! The calls go the way that the gateway's own go: paced by the tenant's rate limit, and repeated where that is worth it. They ask for
//! ids and nothing else, and of those nothing is told.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::access;
use super::report::Check;
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

/// Every endpoint, in the order in which they are asked.
const ALL: [&str; 6] = [USERS, USER, USERS_BY_EMAIL, LOGS, LOGS_FROM, LOG];

/// Nobody has it (RFC 2606), and Auth0 answers with an empty list.
const NOBODY: &str = "nobody@example.invalid";

/// What came of asking an endpoint.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    took: Duration,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Answered,
    Failed(Error),
    /// It was not asked, for this reason.
    Skipped(&'static str),
}

impl Asked {
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
            Outcome::Failed(error) => access::refused(self.name, error).took(self.took),
            Outcome::Answered => Check::ok(self.name, format!("{} ms", self.took.as_millis())).took(self.took),
        }
    }
}

/// No endpoint is asked.
pub(super) fn skip_all(why: &'static str) -> Vec<Asked> {
    ALL.into_iter().map(|name| Asked::skipped(name, why)).collect()
}

/// Asks every endpoint, each for at most `patience`, but for those that are of use to no caller.
pub(super) async fn ask_all(
    api: &ManagementApi,
    useful: Scopes,
    patience: Duration,
) -> Result<Vec<Asked>, ArgumentError> {
    let mut visit = Visit { api, patience, ids_only: Fields::Only(Vec::new()), asked: Vec::with_capacity(ALL.len()) };
    if useful.holds(Scope::ReadUsers) {
        visit.users().await?;
    } else {
        visit.skip(&[USERS, USER, USERS_BY_EMAIL], "no caller can hold read:users");
    }
    if visit.asked.iter().any(|asked| asked.token_refusal().is_some()) {
        visit.skip(&[LOGS, LOGS_FROM, LOG], "needs audience");
    } else if useful.holds(Scope::ReadLogs) {
        visit.logs().await?;
    } else {
        visit.skip(&[LOGS, LOGS_FROM, LOG], "no caller can hold read:logs");
    }
    Ok(visit.asked)
}

struct Visit<'a> {
    api: &'a ManagementApi,
    patience: Duration,
    ids_only: Fields,
    asked: Vec<Asked>,
}

impl Visit<'_> {
    async fn users(&mut self) -> Result<(), ArgumentError> {
        let (api, ids_only) = (self.api, self.ids_only.clone());
        let (search, email) = (UserSearch::new(None, 0, 1, None)?, Email::parse(NOBODY)?);
        let page = self
            .ask(USERS, async |context| api.read(&ApiRequest::users(&search, &ids_only, false), context).await)
            .await;
        match page.as_ref().and_then(first_id::<HasUserId>).and_then(|id| UserId::parse(&id.user_id).ok()) {
            Some(id) => {
                self.ask(USER, async |context| api.read(&ApiRequest::user(&id, &ids_only), context).await).await;
            }
            None if page.is_some() => self.skip(&[USER], "the tenant has no user to look up"),
            None => self.skip(&[USER], "needs GET /users for an id"),
        }
        self.ask(USERS_BY_EMAIL, async |context| {
            api.read(&ApiRequest::users_by_email(&email, &ids_only), context).await
        })
        .await;
        Ok(())
    }

    async fn logs(&mut self) -> Result<(), ArgumentError> {
        let (api, ids_only) = (self.api, self.ids_only.clone());
        let search = LogSearch::newest(1)?;
        let page =
            self.ask(LOGS, async |context| api.read(&ApiRequest::search_logs(&search, &ids_only), context).await).await;
        match page.as_ref().and_then(first_id::<HasLogId>).and_then(|id| LogId::parse(&id.log_id).ok()) {
            Some(id) => {
                let from = LogCheckpoint::new(id.as_str(), 1)?;
                self.ask(LOGS_FROM, async |context| api.read(&ApiRequest::logs_after(&from), context).await).await;
                self.ask(LOG, async |context| api.read(&ApiRequest::log(&id), context).await).await;
            }
            None if page.is_some() => self.skip(&[LOGS_FROM, LOG], "the tenant has no log to look up"),
            None => self.skip(&[LOGS_FROM, LOG], "needs GET /logs for an id"),
        }
        Ok(())
    }

    fn skip(&mut self, names: &[&'static str], why: &'static str) {
        self.asked.extend(names.iter().map(|name| Asked::skipped(name, why)));
    }

    async fn ask<T>(
        &mut self,
        name: &'static str,
        call: impl AsyncFnOnce(&CallContext) -> Result<T, Error>,
    ) -> Option<T> {
        // A token that was refused twice is refused to every other call as well.
        if self.asked.iter().any(|asked| asked.token_refusal().is_some()) {
            self.skip(&[name], "needs audience");
            return None;
        }
        let context = CallContext::new(Deadline::within(self.patience), CallerKey::default(), CallBudget::new(1));
        let start = Instant::now();
        let (outcome, answer) = match call(&context).await {
            Ok(answer) => (Outcome::Answered, Some(answer)),
            Err(error) => (Outcome::Failed(error), None),
        };
        self.asked.push(Asked { name, outcome, took: start.elapsed() });
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
