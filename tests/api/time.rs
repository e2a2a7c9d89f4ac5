//! Time that stands still until a test moves it.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;

use crate::gateway::TestGateway;

/// The clock of the test's runtime, stopped: nothing times out, ages or is late but by [`StoppedClock::advance`].
///
/// Tokio's paused clock alone leaps to the next timer whenever everybody waits, such as for a socket. It does not while a
/// blocking task runs, so this keeps one.
pub(crate) struct StoppedClock {
    _held: mpsc::Sender<()>,
}

impl StoppedClock {
    /// Stops the clock of a current-thread runtime.
    pub(crate) fn stop() -> Self {
        // A test that waits in vain gets its clock back after this, and fails by a timeout instead of hanging.
        const LONGEST_TEST: Duration = Duration::from_secs(60);
        let (held, released) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || released.recv_timeout(LONGEST_TEST));
        tokio::time::pause();
        Self { _held: held }
    }

    /// Moves the gateway's clock.
    pub(crate) async fn advance(&self, by: Duration) {
        // A timer fires on the millisecond after its time.
        tokio::time::advance(by + Duration::from_millis(1)).await;
    }

    /// Moves the gateway's clock and the tenant's.
    pub(crate) async fn advance_all(&self, gateway: &TestGateway, by: Duration) {
        gateway.control("clock", json!({ "advanceMs": u64::try_from(by.as_millis()).unwrap() })).await;
        self.advance(by).await;
    }
}
