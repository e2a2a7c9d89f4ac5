//! A lease: the right of one replica to do something for all of them, for a time.
//!
//! A lease has a fence, by which what is written under it is told from what is written under another: the time of Redis at which it was
//! taken. No counter would do, since a Redis that lost its memory would begin it anew. Whoever was paused and goes on finds another fence.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use super::stream::StreamId;
use super::{Key, SharedState, SharedStateError, milliseconds};

/// Renews one's own lease, or takes one that is nobody's, with a fence of its own. So is one's own of which one does not know the fence: the
/// answer has been lost, or Redis has gone back in time. Gives back owner and fence of the lease that there is, empty if there is none, and
/// the id of the stream's last entry. KEYS: lease, stream. ARGV: owner, fence, life in ms, 1 if it may be taken.
const HOLD: &str = "
local holder, own = redis.call('GET', KEYS[1]), ARGV[1] .. '|'
if holder == own .. ARGV[2] then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
elseif ARGV[4] == '1' and (not holder or string.sub(holder, 1, #own) == own) then
  local now = redis.call('TIME')
  holder = own .. now[1] .. string.format('%06d', now[2])
  redis.call('SET', KEYS[1], holder, 'PX', ARGV[3])
end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
return {holder or '', last[1] and last[1][1] or ''}";

/// Adds an entry to a stream that the holder of the lease reads, if there is one. KEYS: lease, stream. ARGV: most entries, life of the
/// stream in ms, entry.
const SEND: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[1], '*', 'sent', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1";

/// Adds an entry to a stream, unless the lease is another's by now. Gives back its id. KEYS: lease, stream. ARGV: holder, most entries,
/// life of the stream in ms, fence, entry.
const PUBLISH: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return '' end
local id = redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[2], '*', ARGV[4], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return id";

static HOLD_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(HOLD));
static SEND_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(SEND));
static PUBLISH_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(PUBLISH));

/// A lease that there may be, and the stream that only its holder writes.
#[derive(Debug, Clone)]
pub(crate) struct LeasedStream {
    /// Key of the lease.
    pub(crate) lease: Key,
    /// Time for which the lease holds without being renewed.
    pub(crate) lease_life: Duration,
    /// The stream.
    pub(crate) stream: BoundedStream,
}

/// A stream that is bounded in entries and in time.
#[derive(Debug, Clone)]
pub(crate) struct BoundedStream {
    /// Its key.
    pub(crate) key: Key,
    /// Most entries.
    pub(crate) entries: usize,
    /// Time for which it is kept after its last entry.
    pub(crate) life: Duration,
}

/// The fence of a lease: digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fence(String);

impl Fence {
    /// Reads a fence, as it is written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_fence = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_fence.then(|| Self(text.to_owned()))
    }

    /// The fence as it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a lease, after an attempt to hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    /// The fence of the lease that there is.
    pub(crate) fence: Option<Fence>,
    /// True if it is held by whoever asked.
    pub(crate) is_own: bool,
    /// Id of the stream's last entry.
    pub(crate) last: Option<StreamId>,
}

impl SharedState {
    /// Takes the lease, if it is nobody's and `may_take`, or renews it, if it is `owner`'s.
    pub(crate) async fn hold(
        &self,
        leased: &LeasedStream,
        owner: &str,
        fence: Option<&Fence>,
        may_take: bool,
    ) -> Result<Holding, SharedStateError> {
        let fence = fence.map(Fence::as_str).unwrap_or_default();
        let life = milliseconds(leased.lease_life);
        let (holder, last): (String, String) = self
            .run_in_background(async |connection| {
                let mut script = HOLD_SCRIPT.key(&leased.lease.0);
                script.key(&leased.stream.key.0).arg(owner).arg(fence).arg(life).arg(u8::from(may_take));
                script.invoke_async(connection).await
            })
            .await?;
        let holder = holder.split_once('|');
        let fence = holder.and_then(|(_, fence)| Fence::parse(fence));
        Ok(Holding { fence, is_own: holder.is_some_and(|(holder, _)| holder == owner), last: StreamId::parse(&last) })
    }

    /// Gives the lease up, if it is `owner`'s under that fence.
    pub(crate) async fn release(&self, leased: &LeasedStream, owner: &str, fence: &Fence) {
        // It ends by itself.
        let _ = self.delete_if_begins(&leased.lease, holder(owner, fence).as_bytes(), self.background_timeout()).await;
    }

    /// Adds an entry to the stream. `None` if the lease is not held any more: nothing has been written then.
    pub(crate) async fn publish(
        &self,
        leased: &LeasedStream,
        owner: &str,
        fence: &Fence,
        entry: &[u8],
    ) -> Result<Option<StreamId>, SharedStateError> {
        let BoundedStream { key, entries, life } = &leased.stream;
        let life = milliseconds(*life);
        let id: String = self
            .run_in_background(async |connection| {
                let mut script = PUBLISH_SCRIPT.key(&leased.lease.0);
                script.key(&key.0).arg(holder(owner, fence)).arg(*entries).arg(life);
                script.arg(fence.as_str()).arg(entry).invoke_async(connection).await
            })
            .await?;
        Ok(StreamId::parse(&id))
    }

    /// Adds an entry to a stream that the holder of a lease reads. False if nobody holds it: nothing has been written then.
    pub(crate) async fn send(
        &self,
        lease: &Key,
        stream: &BoundedStream,
        entry: &[u8],
    ) -> Result<bool, SharedStateError> {
        let BoundedStream { key, entries, life } = stream;
        let life = milliseconds(*life);
        self.run(async |connection| {
            let mut script = SEND_SCRIPT.key(&lease.0);
            script.key(&key.0).arg(*entries).arg(life).arg(entry).invoke_async(connection).await
        })
        .await
    }
}

fn holder(owner: &str, fence: &Fence) -> String {
    format!("{owner}|{fence}")
}
