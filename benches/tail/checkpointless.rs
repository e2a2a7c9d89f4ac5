//! Tailing without a checkpoint, as auth0-cli does: the newest hundred after the last that was seen, again and again.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep;

use crate::delivery_record::number;
use crate::environment::Tenant;

/// The most that a search gives.
const PAGE: usize = 100;

/// The rest where the last page was not full.
const REST: Duration = Duration::from_secs(2);

/// Tails for a while, and returns the numbers of all logs that were seen.
pub(crate) async fn tail(tenant: &Tenant, time: Duration) -> Result<HashSet<u64>> {
    let end = Instant::now() + time;
    let mut seen = HashSet::new();
    let mut last = tenant.newest(None, 1).await?.into_iter().next();
    while Instant::now() < end {
        let q = last.as_ref().map(|last| format!("log_id:[{last} TO *]"));
        let ids = tenant.newest(q.as_deref(), 100).await?;
        seen.extend(ids.iter().filter_map(|id| number(id)));
        let is_full = ids.len() == PAGE;
        if ids.len() > 1 {
            last = ids.into_iter().next();
        }
        if !is_full {
            sleep(REST).await;
        }
    }
    Ok(seen)
}
