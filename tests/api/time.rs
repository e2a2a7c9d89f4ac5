//! Time that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::gateway::TestGateway;

/// A timer fires on the millisecond after its time.
const TICK: Duration = Duration::from_millis(1);

/// The clock of the test's runtime, stopped: nothing times out, ages or is late but by [`StoppedClock::advance`].
///
/// Tokio's paused clock alone leaps to the next timer whenever everybody waits, such as for a socket. It does not while a
/// blocking task runs, so this keeps one.
pub(crate) struct StoppedClock {
    /// Its end is the end of the blocking task.
    _hold: mpsc::Sender<()>,
    is_gone_on: Arc<AtomicBool>,
}

impl StoppedClock {
    /// Stops the clock of a current-thread runtime.
    pub(crate) fn stop() -> Self {
        // A test that waits in vain gets its clock back after this, so that it ends: it has failed.
        const LONGEST_TEST: Duration = Duration::from_secs(60);
        let (hold, held) = mpsc::channel::<()>();
        let is_gone_on = Arc::new(AtomicBool::new(false));
        let goes_on = Arc::clone(&is_gone_on);
        tokio::task::spawn_blocking(move || {
            let is_in_vain = held.recv_timeout(LONGEST_TEST) == Err(RecvTimeoutError::Timeout);
            goes_on.store(is_in_vain, Ordering::SeqCst);
        });
        tokio::time::pause();
        Self { _hold: hold, is_gone_on }
    }

    /// Moves the gateway's clock.
    pub(crate) async fn advance(&self, by: Duration) {
        tokio::time::advance(by + TICK).await;
    }

    /// Moves the gateway's clock and the tenant's by the same time: a gateway whose clock ran ahead would come too early.
    pub(crate) async fn advance_all(&self, gateway: &TestGateway, by: Duration) {
        let milliseconds = u64::try_from((by + TICK).as_millis()).unwrap();
        gateway.control("clock", json!({ "advanceMs": milliseconds })).await;
        self.advance(by).await;
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        let is_gone_on = self.is_gone_on.load(Ordering::SeqCst);
        assert!(!is_gone_on || thread::panicking(), "somebody waited for time that stood still");
    }
}

/// Moves the gateway's clock by this much, and has it run again.
pub(crate) async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by + TICK).await;
    tokio::time::resume();
}
