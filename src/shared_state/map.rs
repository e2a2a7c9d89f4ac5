//! A map of the entries used last. Scripts, since each use is several steps that Redis is to run as one.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use super::{Key, SharedState, SharedStateError, milliseconds};

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

static MAP_PUT_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(MAP_PUT));
static MAP_GET_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(MAP_GET));

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

impl SharedState {
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

    fn keys_of(&self, map: &str) -> [Key; 2] {
        ["values", "uses"].map(|part| self.key(map, part))
    }
}
