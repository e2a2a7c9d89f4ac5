//! A rate limit, by the time of Redis' clock, for those of replicas differ.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use super::{Key, SharedState, SharedStateError};

/// Counts by the generic cell rate algorithm: the value is the time, in microseconds, at which all that was let through is paid for.
/// Gives back the microseconds to wait, 0 if it is let through. What is no time, or later than all that may be let through at once is paid
/// for, nobody has counted. ARGV: microseconds for each, the most at once.
const COUNT: &str = "
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local each, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid_at = tonumber(redis.call('GETRANGE', KEYS[1], 0, 20)) or now
if not (paid_at >= now and paid_at <= now + burst * each + 1) then paid_at = now end
paid_at = paid_at + each
local wait = paid_at - burst * each - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', paid_at), 'PX', math.ceil((paid_at - now) / 1000))
return 0";

static COUNT_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(COUNT));

/// A rate. Who has done less may catch up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Time for each.
    pub(crate) interval: Duration,
    /// Most at once.
    pub(crate) burst: u32,
}

impl SharedState {
    /// Counts one under a key. The inner error of one too many is the time after which there may be another.
    pub(crate) async fn count(&self, key: &Key, rate: Rate) -> Result<Result<(), Duration>, SharedStateError> {
        let interval = u64::try_from(rate.interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let wait: u64 = self
            .run(async |connection| {
                COUNT_SCRIPT.key(&key.0).arg(interval).arg(rate.burst).invoke_async(connection).await
            })
            .await?;
        Ok(if wait == 0 { Ok(()) } else { Err(Duration::from_micros(wait)) })
    }
}
