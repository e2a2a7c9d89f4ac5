//! The tail of the tenant's logs: one poller for all who follow, however many they are.
//!
//! The poller reads the stream of logs by checkpoint (`checkpoint` decides what is new, and where to read on) and puts what is new
//! into a `ring` of recent batches. Whoever follows is a `reader` with a place in the ring, and holds no logs of its own; one who
//! resumes from before the ring reads `history` first, which is read once for all. Logs that Auth0 pushes (`push`) go the same way as
//! those that are read, and let the poller rest. Where there are several replicas, one of them reads for all (`fleet`).

mod batch;
mod checkpoint;
mod fleet;
mod history;
mod poller;
mod push;
mod reader;
mod ring;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub use self::batch::{BatchedLog, Delivery, LogBatch};
use self::checkpoint::{Arrival, Checkpoint};
use self::fleet::{Fleet, Member, TailMembership};
use self::history::History;
pub use self::push::PushError;
pub use self::reader::{LogReader, TailEvent};
use self::ring::{Entry, Ring};
use super::call_context::{CallBudget, CallContext, CallerKey};
use super::error::Error;
use super::ids::LogId;
use super::reader::Reader;
use crate::deadline::Deadline;
use crate::telemetry::{LogThrottle, TailMetrics};

/// Time for a read of the poller. It takes the turns that are left over.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Pause after a panic: what caused it may still be there.
const PANIC_PAUSE: Duration = Duration::from_secs(1);

/// The poller, among callers of Auth0.
const CALLER: CallerKey = CallerKey(u64::MAX);

/// Settings of the tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailSettings {
    /// Longest time between two reads while nothing comes.
    pub max_interval: Duration,
    /// Time for which the poller goes on when nobody follows any more.
    pub linger: Duration,
    /// Most bytes of recent logs that are kept, and as many of logs that are read again for those who resume.
    pub buffer_bytes: usize,
}

impl TailSettings {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_interval: Duration::from_secs(5),
        linger: Duration::from_secs(60),
        // A log has about a kilobyte: ten thousand of them.
        buffer_bytes: 16 << 20,
    };
}

impl Default for TailSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The tail of a tenant's logs. Cheap to clone: all clones share the poller.
#[derive(Clone)]
pub struct LogTail(Arc<Inner>);

struct Inner {
    api: Reader,
    settings: TailSettings,
    history: History,
    state: Mutex<State>,
    /// Changes of the state that readers wait for.
    news: watch::Sender<()>,
    /// Tells the poller that a reader has come or gone.
    readers_changed: Notify,
    /// Has the poller read at once.
    read_now: Notify,
    /// Tells that there is something to tell other replicas.
    reported: Notify,
    /// Records that were left out.
    left_out: LogThrottle,
    /// Has the task that reads end, and leave the other replicas.
    stop: Notify,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    ring: Ring,
    checkpoint: Checkpoint,
    membership: TailMembership,
    /// The log up to which other replicas have been told that all were read.
    reported_up_to: Option<LogId>,
    /// Logs that were pushed before it was known which are past, as they came; and their size.
    early: Vec<Box<str>>,
    early_bytes: usize,
    readers: usize,
    /// The moment since which nobody follows.
    idle_since: Option<Instant>,
    is_polling: bool,
    /// The number of the first entry that is not past, once that is known.
    live_from: Option<u64>,
    /// The newest log that is known.
    cursor: Option<LogId>,
    /// The last read's failure, if it is one that no waiting will mend.
    failure: Option<Error>,
}

impl State {
    fn new(settings: &TailSettings, may_have_others: bool) -> Self {
        Self {
            ring: Ring::new(settings.buffer_bytes),
            checkpoint: Checkpoint::new(settings.max_interval),
            membership: TailMembership::new(may_have_others),
            reported_up_to: None,
            early: Vec::new(),
            early_bytes: 0,
            readers: 0,
            idle_since: None,
            is_polling: false,
            live_from: None,
            cursor: None,
            failure: None,
        }
    }
}

impl fmt::Debug for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogTail").field(&self.0.settings).finish()
    }
}

impl LogTail {
    pub(super) fn new(api: Reader, settings: TailSettings) -> Self {
        let history = History::new(settings.buffer_bytes);
        let state = Mutex::new(State::new(&settings, api.tokens().shared_state().is_some()));
        let (news, _) = watch::channel(());
        Self(Arc::new(Inner {
            api,
            settings,
            history,
            state,
            news,
            readers_changed: Notify::new(),
            read_now: Notify::new(),
            reported: Notify::new(),
            left_out: LogThrottle::default(),
            stop: Notify::new(),
            task: Mutex::default(),
        }))
    }

    /// Takes in logs that Auth0 has pushed: the body of a request of a custom log stream.
    ///
    /// While nobody follows nothing is kept: whoever resumes reads them as history. Where another replica reads for all, it is sent them.
    ///
    /// # Errors
    ///
    /// See [`PushError`]. Nothing of the body is taken in then.
    pub async fn push(&self, body: &[u8]) -> Result<(), PushError> {
        let records = push::records(body, Utc::now())?;
        let unfollowed = self.0.push(&records)?;
        let is_passed_on = self.0.pass_on(&records).await;
        self.0.metrics().pushed(if is_passed_on { "passed_on" } else { "no_subscribers" }, unfollowed);
        Ok(())
    }

    /// True while this replica reads for all that share.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.0.state.lock().membership.leads(Instant::now())
    }

    /// Ends the poller, and lets another replica read at once if this one does for all. To be called when nobody follows any more.
    pub(super) async fn leave(&self, deadline: Deadline) {
        let task = self.0.task.lock().take().filter(|task| !task.is_finished());
        if let Some(task) = task {
            self.0.stop.notify_one();
            // The lease ends by itself.
            let _ = deadline.limit(task).await;
        }
    }

    /// Follows the logs after `from`, or those that come from now on. The first who follows starts the poller.
    #[must_use]
    pub fn follow(&self, from: Option<LogId>) -> LogReader {
        let mut state = self.0.state.lock();
        state.readers += 1;
        state.idle_since = None;
        if !std::mem::replace(&mut state.is_polling, true) {
            self.0.metrics().poller_started();
            *self.0.task.lock() = Some(tokio::spawn(keep_running(Arc::clone(&self.0))));
        }
        let head = state.ring.head();
        drop(state);
        self.0.readers_changed.notify_one();
        LogReader::new(Arc::clone(&self.0), from, head)
    }
}

impl Inner {
    fn metrics(&self) -> &TailMetrics {
        self.api.transport().metrics().tail()
    }

    /// Counts records of an answer that have no place in the stream.
    fn leave_out(&self, records: usize) {
        if records == 0 {
            return;
        }
        self.metrics().left_out(records);
        if let Some(records) = self.left_out.add(records as u64) {
            tracing::warn!(records, "records of Auth0's are no logs, or have no id: the tail of logs leaves them out");
        }
    }

    fn leave(&self) {
        let mut state = self.state.lock();
        state.readers -= 1;
        if state.readers == 0 {
            state.idle_since = Some(Instant::now());
            drop(state);
            self.readers_changed.notify_one();
        }
    }

    /// Changes the state, and tells all who wait for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let changed = change(&mut state);
        let has_report = state.membership.has_report();
        drop(state);
        self.news.send_replace(());
        if has_report {
            self.reported.notify_one();
        }
        changed
    }
}

/// Reads on until nobody follows, and begins anew after a panic: else those who follow would wait for ever.
async fn keep_running(tail: Arc<Inner>) {
    while tokio::spawn(run(Arc::clone(&tail))).await.is_err_and(|error| error.is_panic()) {
        tracing::error!("the tail of logs panicked, and begins anew");
        sleep(PANIC_PAUSE).await;
    }
}

/// Reads on for as long as somebody follows, or has another replica do so.
async fn run(tail: Arc<Inner>) {
    let fleet = Fleet::of(&tail.api);
    match fleet.as_ref().and_then(|fleet| Member::new(&tail, fleet)) {
        None => poller::run(&tail).await,
        Some(mut member) => {
            tokio::select! {
                () = poller::run(&tail) => {}
                () = tail.stop.notified() => {}
                never = member.run() => match never {},
            }
            member.leave().await;
        }
    }
}

/// True for a failure that no waiting mends.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::Misconfigured { .. } | Error::Rejected { .. })
}

/// The context of a read that nobody in particular waits for.
fn context() -> CallContext {
    CallContext::new(Deadline::within(READ_TIMEOUT), CALLER, CallBudget::new(1)).bulk()
}
