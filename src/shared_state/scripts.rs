//! Operations of several steps, which Redis runs as one. Each names its keys, and takes the time from Redis: replicas' clocks differ.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use super::{Key, SharedState, SharedStateError, milliseconds};

/// Deletes a key if its value begins so.
const DELETE_IF_BEGINS: &str = "
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// Puts an entry into a map that holds so many, without those used least recently. ARGV: name, value, most entries, life in ms.
const MAP_PUT: &str = "
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] * 1000000 + now[2], ARGV[1])
local over = redis.call('ZCARD', KEYS[2]) - ARGV[3]
if over > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[2], over)
  for index = 1, #oldest, 2 do redis.call('HDEL', KEYS[1], oldest[index]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1";

/// The value of an entry, which has been used by that. One that is too long is none, and is not read. ARGV: name, life in ms, most bytes.
const MAP_GET: &str = "
if redis.call('HSTRLEN', KEYS[1], ARGV[1]) > tonumber(ARGV[3]) then return false end
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value then
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[2], now[1] * 1000000 + now[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return value";

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

static DELETE_IF_BEGINS_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(DELETE_IF_BEGINS));
static MAP_PUT_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(MAP_PUT));
static MAP_GET_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(MAP_GET));
static COUNT_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(COUNT));

/// Bounds of a map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapBounds {
    /// Most entries.
    pub(crate) entries: usize,
    /// Most bytes of one.
    pub(crate) bytes: usize,
    /// Time for which all of them are kept after the last was used.
    pub(crate) life: Duration,
}

/// A rate. Who has done less may catch up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Time for each.
    pub(crate) interval: Duration,
    /// Most at once.
    pub(crate) burst: u32,
}

impl SharedState {
    /// Deletes a key if its value begins so, of a Redis that is late, too, within `timeout`.
    pub(crate) async fn delete_if_begins(
        &self,
        key: &Key,
        beginning: &[u8],
        timeout: Duration,
    ) -> Result<(), SharedStateError> {
        self.run_within(timeout, async |connection| {
            DELETE_IF_BEGINS_SCRIPT.key(&key.0).arg(beginning).invoke_async::<()>(connection).await
        })
        .await
    }

    /// Puts an entry into a map.
    pub(crate) async fn put_into(
        &self,
        map: &str,
        name: &str,
        value: &str,
        bounds: MapBounds,
    ) -> Result<(), SharedStateError> {
        let [values, uses] = self.keys_of(map);
        let (most, life) = (bounds.entries, milliseconds(bounds.life));
        self.run(async |connection| {
            let mut script = MAP_PUT_SCRIPT.key(values.0);
            script.key(uses.0).arg(name).arg(value).arg(most).arg(life).invoke_async::<()>(connection).await
        })
        .await
    }

    /// The value of an entry of a map.
    pub(crate) async fn get_from(
        &self,
        map: &str,
        name: &str,
        bounds: MapBounds,
    ) -> Result<Option<String>, SharedStateError> {
        let [values, uses] = self.keys_of(map);
        let (life, most) = (milliseconds(bounds.life), bounds.bytes);
        self.run(async |connection| {
            MAP_GET_SCRIPT.key(values.0).key(uses.0).arg(name).arg(life).arg(most).invoke_async(connection).await
        })
        .await
    }

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

    fn keys_of(&self, map: &str) -> [Key; 2] {
        ["values", "uses"].map(|part| self.key(map, part))
    }
}
