//! What an operation took upstream, for those who ask.

use std::time::Duration;

use async_graphql::{Value, value};

use super::operation::Name;
use crate::auth0::CallStats;

/// A call, and what it took.
#[derive(Debug, Clone)]
pub(crate) struct Explained {
    /// The response keys of the root fields that it was made for.
    pub(crate) fields: Vec<Name>,
    /// The search that was made of a `filter`.
    pub(crate) generated_q: Option<String>,
    pub(crate) stats: CallStats,
}

/// As `extensions.upstream` shows it: for each root field, in the operation's order, its call and those of its joins.
pub(crate) fn entries<'k>(explained: &[Explained], keys: impl Iterator<Item = &'k Name>) -> Value {
    let entries = keys.flat_map(|key| explained.iter().filter_map(move |call| entry(call, key)));
    Value::List(entries.collect())
}

fn entry(call: &Explained, key: &Name) -> Option<Value> {
    let place = call.fields.iter().position(|field| field == key)?;
    let CallStats { endpoint, calls, retries, is_coalesced, cache_age, waited, took } = call.stats;
    // One call for several fields is counted with the first of them.
    let is_first = place == 0;
    let mut entry = value!({
        "field": key.as_str(),
        "endpoint": endpoint,
        "calls": if is_first { calls } else { 0 },
        "retries": if is_first { retries } else { 0 },
        "coalesced": is_coalesced || !is_first,
        "cacheAgeMs": cache_age.map(milliseconds),
        "waitedMs": milliseconds(waited),
        "ms": milliseconds(took),
    });
    if let (Value::Object(entry), Some(q)) = (&mut entry, &call.generated_q) {
        entry.insert(async_graphql::Name::new("q"), Value::from(q.as_str()));
    }
    Some(entry)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
