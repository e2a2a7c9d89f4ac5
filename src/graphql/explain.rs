//! What an operation took upstream, for those who ask.

use std::time::Duration;

use async_graphql::{Name, Value, value};

use crate::auth0::Effort;

/// A call, and what it took.
#[derive(Debug, Clone)]
pub(crate) struct Explained {
    /// The response keys of the root fields that it was made for.
    pub(crate) fields: Vec<Name>,
    pub(crate) effort: Effort,
}

/// As `extensions.upstream` shows it: an entry per root field, in the operation's order.
pub(crate) fn entries<'k>(explained: &[Explained], keys: impl Iterator<Item = &'k Name>) -> Value {
    let entry = |key: &Name| {
        let call = explained.iter().find(|call| call.fields.contains(key))?;
        let Effort { endpoint, calls, retries, is_coalesced, cache_age, waited, took } = call.effort;
        // One call for several fields is counted with the first of them.
        let is_first = call.fields.first() == Some(key);
        Some(value!({
            "field": key.as_str(),
            "endpoint": endpoint,
            "calls": if is_first { calls } else { 0 },
            "retries": if is_first { retries } else { 0 },
            "coalesced": is_coalesced || !is_first,
            "cacheAgeMs": cache_age.map(milliseconds),
            "waitedMs": milliseconds(waited),
            "ms": milliseconds(took),
        }))
    };
    Value::List(keys.filter_map(entry).collect())
}

/// The calls that were made for an operation.
pub(crate) fn calls(explained: &[Explained]) -> u32 {
    explained.iter().map(|call| call.effort.calls).sum()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
