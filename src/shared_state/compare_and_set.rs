//! A value that replicas change in turns: compare-and-set, and the time of Redis' clock with each step.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use super::{Key, SharedState, SharedStateError, milliseconds};

/// Sets a value if it begins as expected; of none, with nothing. Gives back the time, and the value if it begins in another way; of one
/// that is too long, its beginning, and no more than that is read. What is of another type is none. ARGV: expected beginning, value, life in
/// ms, most bytes.
const COMPARE_AND_SET: &str = "
local now = redis.call('TIME')
local value = redis.pcall('GETRANGE', KEYS[1], 0, ARGV[4])
if type(value) ~= 'string' then value = '' end
if string.sub(value, 1, 16) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return {now[1], now[2], false}
end
if #value > tonumber(ARGV[4]) then value = string.sub(value, 1, 16) end
return {now[1], now[2], value}";

/// Deletes a key if its value begins so.
const DELETE_IF_BEGINS: &str = "
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

static COMPARE_AND_SET_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(COMPARE_AND_SET));
static DELETE_IF_BEGINS_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(DELETE_IF_BEGINS));

/// Bounds of a value that is changed in turns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueBounds {
    /// Most bytes.
    pub(crate) bytes: usize,
    /// Time for which it is kept after the last change.
    pub(crate) life: Duration,
}

/// The result of a compare-and-set.
#[derive(Debug)]
pub(crate) struct CompareAndSetResult {
    /// The time of Redis' clock.
    pub(crate) time: Duration,
    /// The value that is there instead; `None` if the new one was set.
    pub(crate) other: Option<Vec<u8>>,
}

impl SharedState {
    /// Sets the value of a key, of a Redis that is late, too, if the first 16 bytes of the one that is there are those expected.
    pub(crate) async fn compare_and_set(
        &self,
        key: &Key,
        expected: &[u8],
        value: &[u8],
        bounds: ValueBounds,
    ) -> Result<CompareAndSetResult, SharedStateError> {
        let (bytes, life) = (bounds.bytes, milliseconds(bounds.life));
        let (seconds, microseconds, other): (u64, u64, Option<Vec<u8>>) = self
            .run_on(self.0.background_connection(), async |connection| {
                let mut script = COMPARE_AND_SET_SCRIPT.key(&key.0);
                script.arg(expected).arg(value).arg(life).arg(bytes).invoke_async(connection).await
            })
            .await?;
        let time = Duration::from_secs(seconds).saturating_add(Duration::from_micros(microseconds));
        Ok(CompareAndSetResult { time, other })
    }

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
}
