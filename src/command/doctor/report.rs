//! Report of the doctor: its checks, each with a status, and the JSON that scripts read.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use crate::auth0::{BucketStatus, RateClass};
use crate::config::Problems;

/// Status of a check. The worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It could not be looked at, or there is nothing to look at.
    Skipped,
    /// Nothing to mend.
    Ok,
    /// It works, and somebody should look at it all the same.
    Warning,
    /// It does not work.
    Failed,
}

/// State of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScopeState {
    /// Granted, and of use.
    Granted,
    /// Needed, and not granted.
    Missing,
    /// Granted, and of no use.
    Unused,
    /// Not granted, and not needed.
    Optional,
    /// There is no token, or Auth0 did not tell what was granted with it.
    Unknown,
}

/// A row of the scope matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScopeRow {
    pub(super) scope: String,
    /// Its purpose; none, if the gateway has no use for it.
    pub(super) needed_for: Option<&'static str>,
    pub(super) state: ScopeState,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    /// The name by which scripts find it.
    pub(super) name: Cow<'static, str>,
    pub(super) status: Status,
    pub(super) finding: String,
    /// The way to mend it.
    pub(super) remedy: Option<String>,
    /// Time that the call for it took.
    pub(super) duration_ms: Option<u64>,
}

impl Check {
    pub(super) fn ok(name: impl Into<Cow<'static, str>>, finding: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Ok, finding: finding.into(), remedy: None, duration_ms: None }
    }

    /// The remedy may be unknown.
    pub(super) fn failed(
        name: impl Into<Cow<'static, str>>,
        finding: impl Into<String>,
        remedy: Option<String>,
    ) -> Self {
        Self { status: Status::Failed, remedy, ..Self::ok(name, finding) }
    }

    pub(super) fn warning(
        name: impl Into<Cow<'static, str>>,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warning, remedy: Some(remedy.into()), ..Self::ok(name, finding) }
    }

    pub(super) fn skipped(name: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Self { status: Status::Skipped, ..Self::ok(name, why) }
    }

    pub(super) fn took(mut self, time: Duration) -> Self {
        self.duration_ms = u64::try_from(time.as_millis()).ok();
        self
    }
}

/// A bucket of the tenant's rate limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Bucket {
    /// Calls that are counted in it: `users`, `logs`.
    pub(super) covers: Vec<&'static str>,
    /// Calls that it holds.
    pub(super) limit: u32,
}

impl Bucket {
    /// The buckets that something is counted in.
    pub(super) fn of(buckets: &[BucketStatus]) -> Vec<Self> {
        let name = |class: &RateClass| match class {
            RateClass::Users => "users",
            RateClass::Logs => "logs",
            RateClass::Other => "others",
        };
        let buckets = buckets.iter().filter(|bucket| !bucket.classes.is_empty());
        buckets.map(|bucket| Self { covers: bucket.classes.iter().map(name).collect(), limit: bucket.limit }).collect()
    }
}

/// The checks with their statuses. Holds no secret, no token and nothing of the tenant's users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    version: &'static str,
    /// The tenant's domain, unless the settings do not name one.
    tenant: Option<String>,
    status: Status,
    pub(super) checks: Vec<Check>,
    pub(super) scopes: Vec<ScopeRow>,
    rate_limits: Vec<Bucket>,
}

impl Report {
    pub(super) fn new(tenant: String, checks: Vec<Check>, scopes: Vec<ScopeRow>, buckets: Vec<Bucket>) -> Self {
        Self::with(Some(tenant), checks, scopes, buckets)
    }

    /// The report where the settings are missing or wrong, so that nothing else can be looked at.
    pub(super) fn of_problems(problems: &Problems) -> Self {
        let remedy = "set it in .env, in the environment or as a flag; `auth0-graphql --help` describes each";
        let check = |(setting, fault)| Check::failed("settings", format!("{setting} {fault}"), Some(remedy.to_owned()));
        Self::with(None, problems.iter().map(check).collect(), Vec::new(), Vec::new())
    }

    fn with(tenant: Option<String>, checks: Vec<Check>, scopes: Vec<ScopeRow>, rate_limits: Vec<Bucket>) -> Self {
        let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
        Self { version: env!("CARGO_PKG_VERSION"), tenant, status, checks, scopes, rate_limits }
    }

    /// The worst of all.
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// True if the settings kept everything else from being looked at.
    pub(super) fn is_of_settings(&self) -> bool {
        self.tenant.is_none()
    }

    pub(super) fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The report for scripts: one JSON object. Its keys, and the names of the checks, stay what they are.
    ///
    /// # Errors
    ///
    /// None is known of.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}
