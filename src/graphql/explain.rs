//! `extensions.upstream` and `extensions.plan`: the calls that an operation took, or would take, for clients that ask.

mod plan;
mod refusals;

use std::time::Duration;

use serde::Serialize;

pub(crate) use self::plan::{ExplainedPlan, explain};
use super::operation::Name;
use crate::auth0::CallStats;

/// A call, and what it took.
#[derive(Debug, Clone)]
pub(crate) struct ExplainedCall {
    /// The response keys of the root fields that it was made for.
    pub(crate) fields: Vec<Name>,
    /// The search that was made of a `filter`.
    pub(crate) generated_q: Option<String>,
    pub(crate) stats: CallStats,
}

/// An entry of `extensions.upstream`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainEntry {
    field: Name,
    endpoint: &'static str,
    calls: u32,
    retries: u32,
    coalesced: bool,
    cache_age_ms: Option<u64>,
    waited_ms: u64,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
}

/// The entries of each root field, in the operation's order: its call and those of its joins.
pub(crate) fn entries<'k>(explained: &[ExplainedCall], keys: impl Iterator<Item = &'k Name>) -> Vec<ExplainEntry> {
    keys.flat_map(|key| explained.iter().filter_map(move |call| entry(call, key))).collect()
}

fn entry(call: &ExplainedCall, key: &Name) -> Option<ExplainEntry> {
    let index = call.fields.iter().position(|field| field == key)?;
    let CallStats { endpoint, calls, retries, is_coalesced, cache_age, waited, took } = call.stats;
    // One call for several fields is counted with the first of them.
    let is_first = index == 0;
    Some(ExplainEntry {
        field: key.clone(),
        endpoint,
        calls: if is_first { calls } else { 0 },
        retries: if is_first { retries } else { 0 },
        coalesced: is_coalesced || !is_first,
        cache_age_ms: cache_age.map(milliseconds),
        waited_ms: milliseconds(waited),
        ms: milliseconds(took),
        q: call.generated_q.clone(),
    })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
